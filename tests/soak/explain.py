"""
Two hundred moments in which things go wrong: is what the server says of every standing truck true, to the root?

Asked of each truck that stands, in runs drawn from seeds at sites of different kinds; judged by what the simulator knows (see
`sim_harness.explained`). An untrue link, a chain without a root and a truck without a cause are all failures.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final

from sim_harness.explained.judge import Tally
from sim_harness.explained.runs import Asked, explained
from tests.soak.verdict import Verdict, say

MOMENTS: Final = 200
A_RUN: Final = 10
# Scenario, trucks (None: as many as it says), hours, and how many runs of it.
SITES: Final = (
    ("crossing", None, 0.15, 8),
    ("hills", None, 0.15, 2),
    ("mandula", None, 0.25, 4),
    ("demo", None, 0.2, 2),
    ("erenhot", 16, 0.3, 2),
    ("one_lane", 16, 0.3, 2),
)
FIRST_SEED: Final = 101


def asked() -> list[Asked]:
    """The runs, each from a seed of its own."""
    runs = [(name, trucks, hours) for name, trucks, hours, count in SITES for _ in range(count)]
    assert len(runs) * A_RUN == MOMENTS
    return [
        Asked(scenario=name, seed=FIRST_SEED + number, hours=hours, moments=A_RUN, trucks=trucks)
        for number, (name, trucks, hours) in enumerate(runs)
    ]


def run() -> Verdict:
    """All of them, as many at a time as there are processors."""
    whole = Tally()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as crew:
        made = {crew.submit(explained, one): one for one in asked()}
        for done in as_completed(made):
            one, tally = made[done], done.result()
            say(f"{one.scenario}, seed {one.seed}: {tally.figures}")
            for wrong in (*tally.unexplained, *tally.untrue):
                say(f"FAILED: {one.scenario}, seed {one.seed}, {wrong}")
            whole.add(tally)
    good = not whole.untrue and not whole.unexplained and whole.moments == MOMENTS
    return Verdict(good=good, figures=whole.figures)
