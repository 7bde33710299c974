"""
Who or what is in a truck's way: what its cause points to, and which truck has that.

A truck that has what another waits for is named as long as it is one truck that has it: the one ahead, the one in the zone or next in it,
the one at the gate, the one in the bay whose work was asked for first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final, Protocol

import numpy as np

from fleet.server.dispatch.books import Books
from fleet.server.dispatch.calls import CallKind
from fleet.server.dispatch.gates import NOBODY
from fleet.server.dispatch.mission import MissionState
from fleet.server.dispatch.stands import BAYS, CHARGERS, REFUGES
from fleet.server.fleet_view import FleetView
from planner.authority import Cause

Found = tuple[str, int]
# A call that was never made comes after every one that was.
_NEVER: Final = 1 << 62
_TO_LOAD: Final = frozenset({MissionState.ASSIGNED, MissionState.TO_LOAD})


class Known(Protocol):
    """What the control loop knows and the desk does not."""

    def zone_keeper(self, row: int, zone_ix: int) -> int:
        """The row of the truck that has the zone, or is to have it, before *row*; -1 when none is seen to."""
        ...

    def quarantine_of(self, row: int) -> str:
        """Why *row* is quarantined, a class name; "" when it is not."""
        ...


class InTheWay:
    """Looks in the books of one moment."""

    def __init__(self, books: Books, view: FleetView, known: Known | None) -> None:
        self._books = books
        self._view = view
        self._known = known
        self._finders: Mapping[Cause, Callable[[int, int], Found]] = {
            Cause.LEADER: self._ahead,
            Cause.ZONE: self._zone,
            Cause.GATE: self._gate,
            Cause.CUSTOMS: self._crossing,
            Cause.INSPECTION: self._crossing,
            Cause.SLOT: self._slot,
            Cause.STAND: self._stand,
            Cause.CHARGING: self._charger,
            Cause.HOLD: self._person,
            Cause.ALL_STOP: lambda _row, _ref: (next(iter(books.controls.stops), ""), NOBODY),
            Cause.INTRUSION: lambda _row, ref: (books.intrusions.name_of(ref), NOBODY),
            Cause.OPENING: lambda _row, ref: (books.gates.gates[ref].gate_id if ref >= 0 else books.corridor.site_id, NOBODY),
            **dict.fromkeys((Cause.CLOSURE, Cause.TRACTION, Cause.SITE_CHANGE), self._lane),
            **dict.fromkeys((Cause.GOAL, Cause.BAY, Cause.FAULT, Cause.BATTERY), self._place),
        }

    def of(self, row: int, cause: Cause, ref: int) -> Found:
        """What *cause* points to by *ref* ("" nothing), and the row of the truck that has it, -1 for none."""
        finder = self._finders.get(cause)
        return finder(row, ref) if finder is not None else ("", NOBODY)

    def _ahead(self, _row: int, ref: int) -> Found:
        ids = self._view.truck_ids
        return (ids[ref], ref) if 0 <= ref < len(ids) else ("", NOBODY)

    def _lane(self, _row: int, ref: int) -> Found:
        return self._books.corridor.lanes[ref].lane_id if ref >= 0 else "", NOBODY

    def _place(self, _row: int, ref: int) -> Found:
        return self._books.corridor.stands[ref].stand_id if ref >= 0 else "", NOBODY

    def _person(self, row: int, _ref: int) -> Found:
        held = self._books.holds.get(row)
        return held.actor if held is not None else "", NOBODY

    def _zone(self, row: int, zone_ix: int) -> Found:
        """The zone, and the truck that has it or comes first; in a one-lane section, whoever is inside or has its token."""
        if zone_ix < 0:
            return "", NOBODY
        books = self._books
        zone = books.corridor.zones[zone_ix]
        keeper = self._known.zone_keeper(row, zone_ix) if self._known is not None else NOBODY
        if keeper != NOBODY:
            return zone.zone_id, keeper
        parts = [(books.corridor.lane_ix[part.stretch.lane_id], part.stretch.start_m, part.stretch.end_m) for part in zone.parts]
        for other in range(books.trucks.count):
            if other == row:
                continue
            for lane, low_m, high_m in books.trucks.ground(other):
                if any(lane == at and low_m < to_m and from_m < high_m for at, from_m, to_m in parts):
                    return zone.zone_id, other
        token = np.flatnonzero(books.reins.token_ix[: books.trucks.count] == zone_ix)
        return zone.zone_id, next((int(other) for other in token if other != row), NOBODY)

    def _gate(self, row: int, gate_ix: int) -> Found:
        """
        The gate, and the truck it is busy with; where it is called for *row* itself, none.

        A truck on a stand waits for room before the gate: then the foremost of those who are bound for it is in the way, and so is he who
        is nearer to an idle gate.
        """
        if gate_ix < 0:
            return "", NOBODY
        gates = self._books.gates
        gate_id = gates.gates[gate_ix].gate_id
        busy = max(int(gates.called_row[gate_ix]), int(gates.open_row[gate_ix]))
        if busy == row:
            return gate_id, NOBODY
        return gate_id, busy if busy != NOBODY else self._foremost(row, gate_ix)

    def _foremost(self, row: int, gate_ix: int) -> int:
        """Who is nearest to the gate, of those for whom it is the next, and nearer than *row*; for one on a stand also of those behind."""
        trips, trucks = self._books.trips, self._books.trucks
        count = trucks.count
        beyond_m = trucks.nose_m[:count] - trips.call_m[:count]
        bound = (trips.gate_ix[:count] == gate_ix) & ~trips.settled[:count]
        bound[row] = False
        if trips.gate_ix[row] == gate_ix and not trips.settled[row]:
            bound &= beyond_m > beyond_m[row]
        rows = np.flatnonzero(bound)
        if len(rows):
            return int(rows[np.argmax(beyond_m[rows])])
        return self._first_to_come(gate_ix) if trips.settled[row] else NOBODY

    def _first_to_come(self, gate_ix: int) -> int:
        """Who is nearest to a gate behind others, of those on the road to it."""
        trips = self._books.trips
        left_m: dict[int, float] = {}
        for other in np.flatnonzero(trips.ahead[:, gate_ix] & ~trips.settled).tolist():
            line_m = next(gate.stop_m for gate in trips.gates_ahead(other) if gate.gate_ix == gate_ix)
            left_m[other] = line_m - float(self._books.trucks.nose_m[other])
        return min(left_m, key=lambda other: (left_m[other], other)) if left_m else NOBODY

    def _crossing(self, row: int, gate_ix: int) -> Found:
        crossing = self._books.crossings.of_row.get(row)
        if crossing is not None:
            return crossing.crossing_id, NOBODY
        return self._gate(row, gate_ix)

    def _slot(self, row: int, ref: int) -> Found:
        """
        The bay that is likely the next to be free, and who has it; or the yard, and who comes first in the queue before its bays.

        Whoever waits elsewhere while a bay is free waits for that queue. Who has a bay that is out of order keeps nobody from it; where all
        are, it is up to the yard.
        """
        if self._books.missions.of_row.get(row) is None or ref < 0:
            return "", NOBODY
        stands = self._books.stands
        yard_id = stands.stands[ref].yard_id
        first = self._first_queueing(row, yard_id) if stands.free(yard_id, BAYS) else NOBODY
        if first != NOBODY:
            return yard_id, first
        working = [bay for bay in stands.all_of(yard_id, BAYS) if not stands.blocked(bay)]
        return self._first_leaving(row, working) or (yard_id, NOBODY)

    def _first_queueing(self, row: int, yard_id: str) -> int:
        """Who is nearest to the end of the queue before the yard's bays; -1 when nobody but *row* queues there."""
        trips = self._books.trips
        loads = yard_id == self._books.loading.yard_id
        left_m: dict[int, float] = {}
        for other in trips.row_of.values():
            mission = self._books.missions.of_row.get(other)
            if other == row or mission is None or not trips.known(other).staged:
                continue
            if (mission.state in _TO_LOAD) == loads:
                left_m[other] = trips.path_of(other).goal_m - float(self._books.trucks.nose_m[other])
        return min(left_m, key=lambda other: (left_m[other], other)) if left_m else NOBODY

    def _stand(self, row: int, _ref: int) -> Found:
        """The yard that has no stand for it, and one of those who have one: who is worked on, else who came first."""
        yard_id = self._yard_wanted(row)
        found = self._first_leaving(row, self._books.stands.all_of(yard_id, chain(*REFUGES)))
        return yard_id, found[1] if found is not None else NOBODY

    def _charger(self, row: int, ref: int) -> Found:
        """The charger: its own, or that of the truck that is charged there before it."""
        books = self._books
        truck = books.trips.known(row)
        if ref < 0:
            return "", NOBODY
        if truck.charging and truck.goal_ix == ref:
            return books.corridor.stands[ref].stand_id, NOBODY
        yard_id = books.corridor.stands[ref].yard_id
        return self._first_leaving(row, books.stands.all_of(yard_id, CHARGERS)) or (books.corridor.stands[ref].stand_id, NOBODY)

    def _first_leaving(self, row: int, stands: Sequence[int]) -> Found | None:
        """The stand, of those taken by others, where work was asked for first, and the truck that has it."""
        books = self._books
        taken = [stand for stand in stands if int(books.stands.holder_row[stand]) not in {NOBODY, row}]
        if not taken:
            return None

        def order(stand: int) -> tuple[int, int]:
            return books.calls.find(CallKind.BAY, books.corridor.stands[stand].stand_id) or _NEVER, stand

        first = min(taken, key=order)
        return books.corridor.stands[first].stand_id, int(books.stands.holder_row[first])

    def _yard_wanted(self, row: int) -> str:
        books = self._books
        mission = books.missions.of_row.get(row)
        laden = mission is not None and mission.state.name in {"LADEN", "TO_UNLOAD"} and not mission.turned_back
        if not laden and row in books.weak:
            # A truck that is to be laid up parks where it is.
            return books.trips.goal_yard_id(row) or books.loading.yard_id
        return books.unloading.yard_id if laden else books.loading.yard_id
