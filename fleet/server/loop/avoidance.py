"""
What becomes of trucks that may not go on by any rule: past where they can stop, in doubted road, without brakes, or on road
that is kept clear of an intruder.

The first three are held at once, and a person lifts the hold. Before an intruder the distance decides. A truck that can stop in
front of the closed road with its service brake is asked to: its end moves back by agreement, and it waits there. One that
cannot, that is in it already, or that answers it cannot, gets an emergency stop in the intrusion's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fleet.server.fact_form import Fact
from fleet.server.facts import TruckHeld
from fleet.server.intrusions import IntrusionMet, stop_id_of
from fleet.server.loop.doubts import Doubts
from fleet.server.loop.intrusions import Intrusions
from fleet.server.loop.ledger import NONE_PENDING, Ledger
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.stops import OWN_ACTOR, Stops
from fleet.server.loop.truck_session import State
from planner.braking import service_distance_m
from planner.conflict import Assessment
from planner.limits import CLEARING_LAG_S, NO_STOP_BEFORE_M, REACTION_S, SAME_PLACE_M, STANDING_MARGIN_M
from planner.tables import TruckTable

_STOPPED: Final = frozenset({State.HALTED, State.QUARANTINED})


@dataclass(slots=True, kw_only=True)
class Avoided:
    """Stops to give, as facts, each with the truck and the reason for people; and ends to ask back, by row."""

    stops: list[tuple[Fact, str, str]] = field(default_factory=list)
    ends_m: dict[int, float] = field(default_factory=dict)


class Avoidance:
    """Decides on the trucks that avoidance marked. Remembers which closed road each was asked to stop before."""

    def __init__(self, ledger: Ledger, sessions: Sessions, stops: Stops, doubts: Doubts, intrusions: Intrusions) -> None:
        self._ledger = ledger
        self._trucks: TruckTable = ledger.trucks
        self._sessions = sessions
        self._stops = stops
        self._doubts = doubts
        self._intrusions = intrusions
        self._asked_m: dict[int, float] = {}

    def look(self, assessment: Assessment, rows: list[int], now_ns: int) -> Avoided:
        """What to do about *rows*, all of which are to stop."""
        avoided = Avoided()
        met_before, self._asked_m = self._asked_m, {}
        for row in rows:
            in_doubt = bool(assessment.in_doubt[row])
            met = self._intrusions.met_by(row) if in_doubt else {}
            doubted = in_doubt and (not self._intrusions.book.open or self._doubts.meet(row))
            self._hold(row, assessment, avoided, now_ns, doubted=doubted)
            if met:
                self._keep_out(row, met, met_before.get(row), avoided, now_ns)
        return avoided

    def rest(self) -> None:
        """Nobody is to stop: what was asked is settled."""
        self._asked_m.clear()

    def _hold(self, row: int, assessment: Assessment, avoided: Avoided, now_ns: int, *, doubted: bool) -> None:
        reason = "overrun" if assessment.overrun[row] else "doubt" if doubted else "unbraked" if assessment.unbraked[row] else ""
        if not reason or self._sessions.state[row] in _STOPPED:
            return
        truck_id = self._sessions.truck_ids[row]
        held = TruckHeld(row=row, stop_id=f"{reason}:{truck_id}", reason=reason, actor=OWN_ACTOR, at_ns=now_ns)
        avoided.stops.append((held, truck_id, reason))

    def _keep_out(self, row: int, met: dict[str, float], asked_m: float | None, avoided: Avoided, now_ns: int) -> None:
        """*met*: intrusions with the path coordinate where their road begins; *asked_m*: where it began when last asked."""
        if all(self._stops.bears(row, stop_id_of(intrusion_id)) for intrusion_id in met):
            return
        begins_m = min(met.values())
        answered = self._ledger.pending[row] == NONE_PENDING
        refused = answered and asked_m is not None and asked_m <= begins_m + SAME_PLACE_M
        end_m = None if refused else self._end_before(row, begins_m)
        if end_m is None:
            for intrusion_id in met:
                if not self._stops.bears(row, stop_id_of(intrusion_id)):
                    fact = IntrusionMet(row=row, intrusion_id=intrusion_id, at_ns=now_ns)
                    avoided.stops.append((fact, self._sessions.truck_ids[row], stop_id_of(intrusion_id)))
            return
        self._asked_m[row] = begins_m
        if self._trucks.sent_m[row] > begins_m + SAME_PLACE_M:
            avoided.ends_m[row] = end_m

    def _end_before(self, row: int, begins_m: float) -> float | None:
        """An end before the closed road that the truck can come to with its service brake; None when there is none."""
        trucks = self._trucks
        # A truck whose place is not believed, or that has no route to name an end on, can only be stopped.
        if self._sessions.state[row] == State.QUARANTINED or self._ledger.route_sequence[row] == 0:
            return None
        front_m = float(trucks.nose_m[row] + trucks.bound_m[row])
        brakes_mps2 = float(trucks.brake_service_mps2[row])
        nearest_m = front_m + service_distance_m(float(trucks.speed_mps[row]), REACTION_S + CLEARING_LAG_S, brakes_mps2)
        if nearest_m > begins_m:
            return None
        end_m = begins_m - STANDING_MARGIN_M
        for start_m in self._no_stops_over(row, end_m):
            end_m = start_m - NO_STOP_BEFORE_M
        # It may not reach the place where it should wait; before the closed road it must stop all the same.
        return end_m if end_m >= nearest_m else min(max(nearest_m, begins_m - STANDING_MARGIN_M), begins_m - SAME_PLACE_M)

    def _no_stops_over(self, row: int, end_m: float) -> Iterator[float]:
        """Where the no-stop stretches begin that an end may not lie in, from *end_m* back as far as they run into each other."""
        trucks, lanes = self._trucks, self._trucks.lanes
        for k in range(int(trucks.path_count[row]) - 1, -1, -1):
            lane, base_m = int(trucks.path_lane[row, k]), float(trucks.path_start_m[row, k])
            for stop in range(int(lanes.stop_start[lane + 1]) - 1, int(lanes.stop_start[lane]) - 1, -1):
                from_m, to_m = base_m + float(lanes.stop_from_m[stop]), base_m + float(lanes.stop_to_m[stop])
                if from_m - NO_STOP_BEFORE_M < end_m < to_m + float(trucks.beyond_m[row]):
                    end_m = from_m - NO_STOP_BEFORE_M
                    yield from_m
