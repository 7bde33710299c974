"""
Intruders, as the loop sees them: walls for spacing, ground that meets them, and words of trucks that saw one.

While nobody intrudes there is nothing to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.server.columns import FlagColumn
from fleet.server.fact_form import Fact
from fleet.server.facts import AllStopSet, DoubtAdded, TruckRemoved
from fleet.server.inputs import OBSTACLE_SEEN, LanePlace, TruckEventHeard
from fleet.server.intrusions import (
    ANYTIME,
    IntrusionBook,
    IntrusionKept,
    IntrusionKind,
    IntrusionMet,
    IntrusionReleased,
    IntrusionRules,
    IntrusionState,
    Sighting,
    stop_id_of,
)
from fleet.server.keep_out import KeepOut, Metres, holds, joined
from fleet.server.loop.doubts import REACH_M
from fleet.server.loop.stops import OWN_ACTOR, Stops
from planner.authority import Cause
from planner.corridor import Corridor
from planner.kernels.ground import NOBODY, Walls
from planner.limits import INTRUSIONS_MAX
from planner.spacing import Extension
from planner.tables import TruckTable
from planner.zones import no_walls, walls_of

# So many intruders at once are no event on the road any more.
INTRUSIONS_STOP: Final = "intrusions"
_INTRUSION, _ZONE = int(Cause.INTRUSION), int(Cause.ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An *event* of `fleet.log` about an intrusion; *by* whom."""

    event: str
    intrusion_id: str
    kind: str
    by: str


class Intrusions:
    """Open intrusions, and the same as walls for the planner."""

    def __init__(self, corridor: Corridor, trucks: TruckTable, stops: Stops) -> None:
        self._trucks = trucks
        self._stops = stops
        self._rules = IntrusionRules(KeepOut(corridor, trucks.lanes))
        self._on_lane: dict[int, list[tuple[float, float, str]]] = {}
        self.book = IntrusionBook()
        self.walls: Walls = no_walls()

    def apply(self, fact: Fact) -> None:
        """Closes or opens road; facts of others pass by."""
        if not isinstance(fact, IntrusionKept | IntrusionReleased):
            return
        self.book.apply(fact)
        closed = [(at, kept.intrusion_id) for kept in self.book.open.values() for at in kept.closed]
        self.walls = walls_of(self._trucks.lanes, [(at.lane_ix, at.from_m, at.to_m, NOBODY) for at, _ in closed])
        self._on_lane = {}
        for at, intrusion_id in closed:
            self._on_lane.setdefault(at.lane_ix, []).append((at.from_m, at.to_m, intrusion_id))

    def facts(self) -> list[Fact]:
        """What recreates the intrusions, in a snapshot."""
        return list(self.book.open.values())

    def left_behind(self, removed: TruckRemoved, truck_id: str, doubted: Sequence[DoubtAdded]) -> IntrusionKept | None:
        """
        The road of a truck that two persons declare gone, closed until somebody has seen that it is empty.

        Its ground and every place where it was doubted to be: one stretch a lane. None for a truck that held nothing.
        """
        places = [Metres(lane_ix=lane, from_m=low_m, to_m=high_m) for lane, low_m, high_m in self._trucks.ground(removed.row)]
        closed = joined((), tuple(places))
        for at in doubted:
            closed = joined(closed, (Metres(lane_ix=at.lane_ix, from_m=at.from_m, to_m=at.to_m),))
        if not closed:
            return None
        return IntrusionKept(
            intrusion_id=f"removed:{truck_id}",
            number=self.book.newest_number + 1,
            kind=IntrusionKind.OTHER,
            state=IntrusionState.SEEN,
            places=tuple(places) or closed,
            radius_m=0.0,
            closed=closed,
            reporter=removed.actor,
            detail=f"the road of {truck_id}, said to be in {removed.taken_to}: release it when somebody has seen that it is empty",
            since_ns=removed.at_ns,
            heard_ns=removed.at_ns,
            placed_ns=removed.at_ns,
            until_ns=ANYTIME,
            stamp_ns=0,
            lag_ns=0,
            request_id="",
            digest="",
        )

    def overdue(self, now_ns: int) -> list[IntrusionKept]:
        """Those that may by now be beyond the road kept clear of them, wider."""
        return [self._rules.overdue(kept, now_ns) for kept in self.book.open.values() if ANYTIME < kept.until_ns < now_ns]

    def news(self, fact: Fact) -> News | None:
        """What people are to hear of *fact*, which is not yet applied; None where nothing changed but metres."""
        if isinstance(fact, IntrusionReleased):
            kept = self.book.open.get(fact.intrusion_id)
            return (
                None if kept is None else News(event="intrusion_released", intrusion_id=kept.intrusion_id, kind=_word(kept), by=fact.actor)
            )
        if not isinstance(fact, IntrusionKept):
            return None
        before = self.book.open.get(fact.intrusion_id)
        if before is not None and before.state is fact.state:
            return None
        event = "intrusion_lost" if fact.state is IntrusionState.LOST else "intrusion_seen"
        return News(event=event, intrusion_id=fact.intrusion_id, kind=_word(fact), by=fact.reporter)

    def sighted(self, heard: TruckEventHeard, truck_id: str, *, now_ns: int) -> list[Fact]:
        """
        What it means when a truck saw something on its road: that is closed, and the truck stays until a person has looked.

        A truck that cannot say where closes all the road ahead of it. What it sees where an intruder is known is that one.
        """
        if heard.kind != OBSTACLE_SEEN:
            return []
        row, places = heard.row, self._places_of(heard.row, heard.place)
        if not places:
            return []  # of a truck that was declared removed, and has no road
        known = next((kept for kept in self.book.open.values() if all(holds(kept.closed, at) for at in places)), None)
        if known is not None:
            met = IntrusionMet(row=row, intrusion_id=known.intrusion_id, at_ns=now_ns)
            return [] if self._stops.bears(row, stop_id_of(known.intrusion_id)) else [met]
        if len(self.book.open) >= INTRUSIONS_MAX:
            reason = f"{truck_id} sees one more than {INTRUSIONS_MAX} intruders"
            stop = AllStopSet(stop_id=INTRUSIONS_STOP, reason=reason, actor=OWN_ACTOR, at_ns=now_ns)
            return [] if self._stops.has(INTRUSIONS_STOP) else [stop]
        said = Sighting(intrusion_id=self._unused_id(), kind=IntrusionKind.OTHER, places=places, radius_m=0.0, reporter=truck_id, detail="")
        kept = self._rules.heard(self.book, said, now_ns)
        return [kept, IntrusionMet(row=row, intrusion_id=kept.intrusion_id, at_ns=now_ns)]

    def _unused_id(self) -> str:
        """A name that nobody has given to another."""
        number = self.book.newest_number + 1
        while f"sighting-{number}" in self.book.open:
            number += 1
        return f"sighting-{number}"

    def _places_of(self, row: int, place: LanePlace | None) -> tuple[Metres, ...]:
        """A sighting's place, on its lane; or the truck's own road, from its nose on."""
        trucks = self._trucks
        if place is not None and place.lane_ix >= 0:
            at_m = min(max(place.chainage_m, 0.0), float(trucks.lanes.length_m[place.lane_ix]))
            return (Metres(lane_ix=place.lane_ix, from_m=at_m, to_m=at_m),)
        nose_m, places = float(trucks.nose_m[row]), []
        for k in range(trucks.k_at(row, nose_m), int(trucks.path_count[row])):
            lane, base_m = int(trucks.path_lane[row, k]), float(trucks.path_start_m[row, k])
            length_m = float(trucks.lanes.length_m[lane])
            low_m, high_m = min(max(nose_m - base_m, 0.0), length_m), min(nose_m + REACH_M - base_m, length_m)
            if low_m <= high_m:
                places.append(Metres(lane_ix=lane, from_m=low_m, to_m=high_m))
        return tuple(places)

    def met_by(self, row: int) -> dict[str, float]:
        """The intrusions whose road meets the ground of *row*, each with the path coordinate where that begins."""
        met: dict[str, float] = {}
        for lane, low_m, high_m in self._trucks.ground(row):
            for from_m, to_m, intrusion_id in self._on_lane.get(lane, ()):
                if from_m < high_m and low_m < to_m:
                    met.setdefault(intrusion_id, self._trucks.locate(row, lane, from_m))
        return met

    def first_on(self, lane_ix: int, low_m: float, high_m: float) -> str | None:
        """An intrusion that closes some of these metres."""
        return next((name for from_m, to_m, name in self._on_lane.get(lane_ix, ()) if from_m < high_m and low_m < to_m), None)

    def name(self, extension: Extension, standing: FlagColumn) -> None:
        """
        Writes into *extension* which intrusion it is that standing trucks wait for, by its number.

        A zone that is closed for an intruder's sake is not what they wait for.
        """
        if not self.book.open:
            return
        cause, ref = extension.cause, extension.ref
        n = len(standing)
        for row in (standing & ((cause[:n] == _INTRUSION) | (cause[:n] == _ZONE))).nonzero()[0].tolist():
            found = self._in_zone(int(ref[row])) if cause[row] == _ZONE else self._stops.intrusion_of(row) or self._ahead_of(row)
            kept = self.book.open.get(found) if found else None
            if kept is not None:
                cause[row], ref[row] = _INTRUSION, kept.number

    def _ahead_of(self, row: int) -> str | None:
        """The first intrusion on the path from the rear on."""
        trucks = self._trucks
        first = trucks.k_at(row, float(trucks.rear_m[row]))
        for lane in trucks.path(row)[first:]:
            low_m = float(trucks.rear_m[row]) - trucks.locate(row, lane, 0.0)
            ahead = [(from_m, name) for from_m, to_m, name in self._on_lane.get(lane, ()) if to_m > low_m]
            if ahead:
                return min(ahead)[1]
        return None

    def _in_zone(self, zone: int) -> str | None:
        lanes = self._trucks.lanes
        for part in np.flatnonzero(lanes.part_zone == zone).tolist():
            lane = int(np.searchsorted(lanes.part_start, part, side="right")) - 1
            found = self.first_on(lane, float(lanes.part_from_m[part]), float(lanes.part_to_m[part]))
            if found is not None:
                return found
        return None


def _word(kept: IntrusionKept) -> str:
    return kept.kind.name.lower()
