"""
What one truck does about a transport order, as a table.

A mission begins when a truck is picked and ends when its containers stand in a yard again: the far one, or, turned back by
customs, the one they came from. Every row says which events a state may meet; whatever has no row is our own mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import ClassVar, Final

from fleet.errors import Code, FleetError
from fleet.server.fact_form import Fact, fact
from fleet.server.outgoing import Container


class MissionState(IntEnum):
    """Where a truck's mission stands; numbers as on the wire."""

    ASSIGNED = 1
    TO_LOAD = 2
    LOADING = 3
    LADEN = 4
    TO_UNLOAD = 5
    UNLOADING = 6
    DONE = 7
    RETURNED = 8


class MissionEvent(StrEnum):
    """What may happen to a mission."""

    BAY_BOOKED = "bay_booked"  # a loading bay is the truck's
    BAY_LOST = "bay_lost"  # the bay is somebody else's, or blocked, before work began
    STOOD_AT_BAY = "stood_at_bay"  # immobilised there: the loader may work
    LOADED = "loaded"  # the loader is clear, the containers are aboard
    DEPARTED = "departed"  # towards the other yard, its refuge booked
    UNLOADED = "unloaded"
    BROKE_OFF = "broke_off"  # the loader is clear, and left containers aboard
    TURNED_BACK = "turned_back"  # unloaded in the yard the containers came from
    ABANDONED = "abandoned"  # the order was cancelled before anything was aboard, or nothing came aboard
    REMOVED = "removed"  # the truck was taken away


_S = MissionState
_E = MissionEvent

TRANSITIONS: Final[Mapping[MissionState, Mapping[MissionEvent, MissionState]]] = {
    _S.ASSIGNED: {_E.BAY_BOOKED: _S.TO_LOAD, _E.ABANDONED: _S.RETURNED, _E.REMOVED: _S.RETURNED},
    _S.TO_LOAD: {
        _E.STOOD_AT_BAY: _S.LOADING,
        _E.BAY_LOST: _S.ASSIGNED,
        _E.ABANDONED: _S.RETURNED,
        _E.REMOVED: _S.RETURNED,
    },
    # The loader may be lifting: a cancelled order waits until it proves clear.
    _S.LOADING: {_E.LOADED: _S.LADEN, _E.ABANDONED: _S.RETURNED, _E.REMOVED: _S.RETURNED},
    _S.LADEN: {_E.DEPARTED: _S.TO_UNLOAD, _E.REMOVED: _S.RETURNED},
    # Turned back by customs, the truck is still on its way to unload: only the yard is another.
    _S.TO_UNLOAD: {_E.STOOD_AT_BAY: _S.UNLOADING, _E.REMOVED: _S.RETURNED},
    _S.UNLOADING: {
        _E.UNLOADED: _S.DONE,
        _E.TURNED_BACK: _S.RETURNED,
        _E.BROKE_OFF: _S.TO_UNLOAD,
        _E.REMOVED: _S.RETURNED,
    },
    _S.DONE: {},
    _S.RETURNED: {},
}

FINAL: Final = frozenset({MissionState.DONE, MissionState.RETURNED})
ABOARD: Final = frozenset({MissionState.LADEN, MissionState.TO_UNLOAD, MissionState.UNLOADING})


@dataclass(eq=False)
class IllegalMissionEvent(FleetError):
    """A mission met an event that its state does not know."""

    code: ClassVar[Code] = Code.BUG

    state: str
    event: str


def advance(state: MissionState, event: MissionEvent) -> MissionState:
    """
    The state after *event*.

    Raises:
        IllegalMissionEvent: *event* has no row under *state*; nothing changed.
    """
    after = TRANSITIONS[state].get(event)
    if after is None:
        raise IllegalMissionEvent(state=state.name, event=event.name)
    return after


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class MissionKept(Fact):
    """A mission as it is now; *turned_back* once customs refused its load."""

    mission_id: str
    number: int
    row: int
    order_id: str
    state: MissionState
    containers: tuple[Container, ...]
    turned_back: bool
    since_ns: int

    def after(self, event: MissionEvent, now_ns: int) -> MissionKept:
        """The mission after *event*."""
        return replace(self, state=advance(self.state, event), since_ns=now_ns)


class Missions:
    """The present mission of each truck row; finished ones are forgotten."""

    def __init__(self) -> None:
        self.of_row: dict[int, MissionKept] = {}
        self.newest_number = 0

    def apply(self, kept: MissionKept) -> None:
        """The mission is as *kept* says."""
        self.newest_number = max(self.newest_number, kept.number)
        if kept.state in FINAL:
            self.of_row.pop(kept.row, None)
        else:
            self.of_row[kept.row] = kept

    def promised(self, *, at_bays: bool = False) -> dict[str, int]:
        """Containers per order that a truck is on its way for but that are not aboard yet; *at_bays*: by those that have a bay."""
        counts: dict[str, int] = {}
        for mission in self.of_row.values():
            if mission.state not in ABOARD and not (at_bays and mission.state is MissionState.ASSIGNED):
                counts[mission.order_id] = counts.get(mission.order_id, 0) + len(mission.containers)
        return counts

    def without_bay(self) -> list[MissionKept]:
        """Missions of trucks that wait for a bay to load at, oldest first."""
        waiting = [mission for mission in self.of_row.values() if mission.state is MissionState.ASSIGNED]
        return sorted(waiting, key=lambda mission: mission.number)

    def of_order(self, order_id: str) -> list[MissionKept]:
        """Unfinished missions of an order, by row."""
        return [mission for _, mission in sorted(self.of_row.items()) if mission.order_id == order_id]
