"""
Bays that may be promised to one more truck, which waits behind the one that is worked on.

A bay whose next truck comes from the queue before the fan stands idle for half a minute: the tail has to leave, then the next one drives
round a curve. Where the bay's own lane has room for a second truck at rest, clear of every place where lanes part or meet, the next one
stands there already. It follows the tail that leaves, and the two drive at the same time.

A truck behind a bay has chosen: if that bay's machine breaks, it waits for as long as that holds the one before. So a place is given no
sooner than the work may be over before a truck gets there; until then it stays open which bay is the next to be free. Nor is one given
behind work that takes far longer than it should.
"""

from __future__ import annotations

from typing import Final

from fleet.clock import NS_PER_S
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.mission import MissionState
from fleet.server.dispatch.stands import BAYS, NOBODY
from planner.corridor import BAY_PROCESS
from planner.limits import STAND_END_M
from planner.resting import rests

_AT_WORK: Final = frozenset({MissionState.LOADING, MissionState.UNLOADING})
_EARLIEST: Final = 0.5  # of the mean time of work: hardly any is over by then
_LATEST: Final = 2.0  # something is wrong with work that takes so many times as long


class Behind:
    """The places behind bays, and which of them may be given now."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._bays = {
            yard.yard_id: [ix for ix in books.stands.all_of(yard.yard_id, BAYS) if self._has_room(ix)]
            for yard in (books.loading, books.unloading)
        }
        process = books.corridor.processes.get(BAY_PROCESS)
        self._work_s = process.mean_s if process is not None else 0.0

    def _has_room(self, stand_ix: int) -> bool:
        """Whether a second truck can rest on the stand's lane, and nothing else is on it that it would keep others from."""
        corridor, stand = self._books.corridor, self._books.corridor.stands[stand_ix]
        lane_ix = corridor.lane_ix[stand.lane_id]
        if len(self._books.stands.on_lane[lane_ix]) > 1 or any(gate.lane_id == stand.lane_id for gate in corridor.gates):
            return False
        truck = max(corridor.truck_types, key=lambda kind: kind.length_m)
        return rests(self._books.lanes, [lane_ix], stand.stop_m + STAND_END_M, truck.length_m, truck.roll_back_m) > 1

    def places(self, yard_id: str, now_ns: int) -> list[int]:
        """Bays that may be promised, the one that is likely the next to be free first."""
        left_s = {bay: self._left_s(bay, now_ns) for bay in self._bays[yard_id]}
        return sorted((bay for bay, left in left_s.items() if left is not None), key=lambda bay: (left_s[bay], bay))

    def _left_s(self, bay: int, now_ns: int) -> float | None:
        """Seconds until the bay is likely to be free; None when it may not be promised."""
        stands = self._books.stands
        row = int(stands.holder_row[bay])
        if row == NOBODY or stands.next_row[bay] != NOBODY or stands.blocked(bay) or bay in stands.barred:
            return None
        if self._books.trips.known(row).left_ix == bay:
            return 0.0
        mission = self._books.missions.of_row.get(row)
        if mission is None or not self._books.trips.settled[row] or row in self._books.holds:
            return None
        if mission.state is MissionState.LADEN:
            return 0.0
        worked_s = (now_ns - mission.since_ns) / NS_PER_S
        if mission.state not in _AT_WORK or not _EARLIEST * self._work_s <= worked_s <= _LATEST * self._work_s:
            return None
        return self._work_s - worked_s
