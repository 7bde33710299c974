"""Whether numbers from outside lie in their ranges."""

from __future__ import annotations

from planner._jit import kernel
from planner.tables import BoolArray, FloatArray, LongArray


@kernel
def check_ranges(reals: FloatArray, real_ranges: FloatArray, wholes: LongArray, whole_ranges: LongArray, out_sound: BoolArray) -> int:
    """
    Check rows of columns; the answer is how many rows are sound.

    reals, wholes              (a, k), (b, k) one column a row of the matrix; anything
    real_ranges, whole_ranges  (a, 2), (b, 2) lowest and highest value allowed; what is not a number is not allowed
    out_sound                  (k,)
    """
    sound = 0
    for at in range(len(out_sound)):
        inside = True
        for c in range(len(real_ranges)):
            inside = inside and real_ranges[c, 0] <= reals[c, at] <= real_ranges[c, 1]
        for c in range(len(whole_ranges)):
            inside = inside and whole_ranges[c, 0] <= wholes[c, at] <= whole_ranges[c, 1]
        out_sound[at] = inside
        sound += inside
    return sound
