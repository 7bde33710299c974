"""Where every truck was, kept for as long as a time-distance diagram shows."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fleet.client.plan_values import Plan
from fleet.console.axis import Axis

# A truck at 25 km/h drives 35 m meanwhile: a bend in a line of the diagram is still seen.
SAMPLE_MS: Final = 5_000
KEPT_MS: Final = 3 * 3_600_000
# So many numbers at most, whatever the number of trucks: a page that opens is given all of them.
CELLS_MAX: Final = 1_500_000
LADEN, EMPTY = 1, 0


class History:
    """Samples of one site's trucks: the time, and by truck metres along the axis and whether it is laden."""

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._samples: deque[tuple[int, dict[str, tuple[float, int]]]] = deque()

    def note(self, time_ms: int, trucks: Iterable[Mapping[str, Any]]) -> None:
        """The fleet at *time_ms*; what comes too soon after the last sample, or before it, is left out."""
        if self._samples and time_ms < self._samples[-1][0] + SAMPLE_MS:
            return
        sample = {
            truck["id"]: (round(self._axis.along_m(truck["lane"], truck["at_m"]), 1), LADEN if truck["laden"] else EMPTY)
            for truck in trucks
            if truck["lane"] in self._axis.span_m
        }
        self._samples.append((time_ms, sample))
        while len(self._samples) > 1 and (self._samples[0][0] < time_ms - KEPT_MS or len(self._samples) * max(1, len(sample)) > CELLS_MAX):
            self._samples.popleft()

    def ahead(self, plan: Plan) -> dict[str, dict[str, list[float]]]:
        """Of each truck in *plan*: the time in milliseconds and metres along the axis, from point to point."""
        courses: dict[str, dict[str, list[float]]] = {}
        for course in plan.courses:
            points = [(point.time, point.place) for point in course.points]
            seen = [(at, place) for at, place in points if at is not None and place is not None and place.lane_id in self._axis.span_m]
            courses[course.truck_id] = {
                "ms": [round(at.timestamp() * 1000.0) for at, _ in seen],
                "m": [round(self._axis.along_m(place.lane_id, place.chainage_m), 1) for _, place in seen],
            }
        return courses

    def data(self, since_ms: int, until_ms: float = math.inf) -> dict[str, Any]:
        """Columns from *since_ms* to *until_ms*: times, and of each truck its metres and loads, None where it was not seen."""
        samples = [sample for sample in self._samples if since_ms <= sample[0] <= until_ms]
        truck_ids = sorted({truck_id for _, places in samples for truck_id in places})
        rows = {truck_id: [places.get(truck_id) for _, places in samples] for truck_id in truck_ids}
        return {
            "time_ms": [time_ms for time_ms, _ in samples],
            "trucks": {
                truck_id: {"m": [None if at is None else at[0] for at in row], "laden": [None if at is None else at[1] for at in row]}
                for truck_id, row in rows.items()
            },
        }
