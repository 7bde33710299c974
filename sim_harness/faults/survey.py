"""
The spot without radio that every ordinary day has, and that the site's survey knows of.

A truck that loses contact stops within seconds, so one that drives into an unknown dead spot of any length stays in it until
the radio reaches there or somebody tows it: that is the fault `dead_spot`. A known one is a no-stop stretch: nobody is given an
end in it, and a truck without contact clears it first, slowly, before it stops and is greeted anew.
"""

from __future__ import annotations

import math
from typing import Final

from planner.corridor import Corridor, Lane, Stretch
from sim_harness.clock import Streams

DEAD_SPOT_M: Final = 200.0
# Beyond it a truck must have room to stand clear of it, and before it too: longer than any truck with its margins.
CLEAR_M: Final = 60.0
STEP_M: Final = 10.0


def _free(corridor: Corridor, lane: Lane, from_m: float, to_m: float) -> bool:
    """Whether nothing else asks for room between *from_m* and *to_m* of *lane*."""
    taken = [(at.start_m, at.end_m) for at in corridor.no_stops if at.lane_id == lane.lane_id]
    taken += [
        (part.stretch.start_m, part.stretch.end_m) for zone in corridor.zones for part in zone.parts if part.stretch.lane_id == lane.lane_id
    ]
    taken += [(gate.call_m, gate.clear_m) for gate in corridor.gates if gate.lane_id == lane.lane_id]
    taken += [(stand.stop_m, stand.stop_m) for stand in corridor.stands if stand.lane_id == lane.lane_id]
    return all(high_m < from_m or low_m > to_m for low_m, high_m in taken)


def dead_spot(corridor: Corridor, streams: Streams) -> Stretch | None:
    """The day's spot without radio: up to 200 m of a long lane with room before and beyond it; None where there is none."""
    rng = streams.stream("radio", "faults")
    for lane in sorted(corridor.lanes, key=lambda lane: -lane.length_m):
        length_m = min(DEAD_SPOT_M, lane.length_m - 2.0 * CLEAR_M)
        if length_m < STEP_M:
            return None
        last_m = lane.length_m - CLEAR_M - length_m
        starts = [CLEAR_M + STEP_M * k for k in range(math.floor((last_m - CLEAR_M) / STEP_M) + 1)]
        fit = [at_m for at_m in starts if _free(corridor, lane, at_m - CLEAR_M, at_m + length_m + CLEAR_M)]
        if fit:
            start_m = fit[int(rng.integers(len(fit)))]
            return Stretch(lane_id=lane.lane_id, start_m=start_m, end_m=math.floor((start_m + length_m) * 10.0) / 10.0)
    return None
