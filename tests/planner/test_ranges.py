"""Numbers from outside, held against their ranges."""

from __future__ import annotations

import numpy as np
import pytest

from planner.kernels.ranges import check_ranges
from planner.oracle.ranges import slow_check_ranges

REAL_RANGES = ((-50.0, 50.0), (0.0, 2.0))
WHOLE_RANGES = ((0, 2**62), (-(2**63), 2**63 - 1), (0, 15))


@pytest.mark.parametrize("seed", range(20))
def test_the_kernel_and_its_twin_agree(seed: int) -> None:
    """Numbers that are none, infinities and both ends of a range included."""
    rng = np.random.default_rng(seed)
    reals = rng.choice([0.0, -0.0, 2.0, 2.1, -50.0, 50.5, np.nan, np.inf, -np.inf], (2, 40), p=[0.3, 0.1, 0.3] + [0.05] * 6)
    wholes = rng.choice(np.array([0, 1, 15, 16, -1, 2**62, 2**63 - 1, -(2**63)]), (3, 40), p=[0.4, 0.3, 0.1] + [0.04] * 5)
    sound = np.zeros(40, np.bool_)

    count = check_ranges(reals, np.array(REAL_RANGES), wholes, np.array(WHOLE_RANGES, np.int64), sound)

    rows = zip(*reals.tolist(), *wholes.tolist(), strict=True)
    assert sound.tolist() == [slow_check_ranges(row, (*REAL_RANGES, *WHOLE_RANGES)) for row in rows]
    assert count == sound.sum()
