"""
Why a truck stands: the chain of causes from the truck to its root.

The control loop names one cause a truck. Where that cause is another truck (ahead on the lane, in the zone, at the gate, in the
bay), the chain goes on with that truck's own cause, until it ends at a gate, a person, an office, or a truck that moves. A
chain cannot run in a circle for long: a truck met twice ends it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.errors import NotFound
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.calls import CallKind
from fleet.server.dispatch.gates import NOBODY
from fleet.server.dispatch.phrases import moves, phrase
from fleet.server.fleet_view import FleetView
from planner.authority import Cause
from planner.corridor import StandKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseLink:
    """One link: *kind* is the cause's name, *subject_id* what it points to ("" nothing), *since_ns* control time."""

    kind: str
    subject_id: str
    since_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a truck stands, from the truck to the root, and the same as a sentence."""

    truck_id: str
    standing: bool
    causes: tuple[CauseLink, ...]
    sentence: str


def explain(books: Books, view: FleetView, truck_id: str, language: str = "en") -> Explanation:
    """
    The chain for one truck.

    Raises:
        NotFound: there is no such truck.
    """
    if truck_id not in view.truck_ids:
        raise NotFound(kind="truck", name=truck_id)
    row = view.truck_ids.index(truck_id)
    if not view.standing[row]:
        return Explanation(truck_id=truck_id, standing=False, causes=(), sentence=f"{truck_id} {moves(language)}.")
    links: list[CauseLink] = []
    said: list[str] = []
    seen: set[int] = set()
    while row != NOBODY and row not in seen:
        seen.add(row)
        if not view.standing[row]:
            said.append(f"{view.truck_ids[row]} {moves(language)}")
            break
        cause = Cause(int(view.cause[row]))
        subject, onward = _subject(books, view, row, cause)
        links.append(CauseLink(kind=cause.name.lower(), subject_id=subject, since_ns=int(view.cause_since_ns[row])))
        said.append(f"{view.truck_ids[row]} {phrase(cause, subject, language)}")
        row = onward
    return Explanation(truck_id=truck_id, standing=True, causes=tuple(links), sentence="; ".join(said) + ".")


def _subject(books: Books, view: FleetView, row: int, cause: Cause) -> tuple[str, int]:
    """What the cause points to, and the truck row the chain goes on with (-1: it ends here)."""
    ref = int(view.cause_ref[row])
    found: tuple[str, int] = ("", NOBODY)
    if cause is Cause.LEADER:
        found = _truck(view, ref), ref
    elif cause is Cause.ZONE:
        found = _zone(books, row, ref)
    elif cause in {Cause.GATE, Cause.CUSTOMS, Cause.INSPECTION}:
        found = _gate(books, row, ref, cause)
    elif cause is Cause.SLOT:
        found = _slot(books, row, ref)
    elif cause is Cause.STAND:
        found = _yard_wanted(books, row), NOBODY
    else:
        found = _person_or_place(books, row, cause, ref), NOBODY
    return found


def _truck(view: FleetView, row: int) -> str:
    return view.truck_ids[row] if 0 <= row < len(view.truck_ids) else ""


def _zone(books: Books, row: int, zone_ix: int) -> tuple[str, int]:
    """The zone, and the truck on whose ground it lies."""
    if zone_ix < 0:
        return "", NOBODY
    zone = books.corridor.zones[zone_ix]
    parts = [(books.corridor.lane_ix[part.stretch.lane_id], part.stretch.start_m, part.stretch.end_m) for part in zone.parts]
    for other in range(books.trucks.count):
        if other == row:
            continue
        for lane, low_m, high_m in books.trucks.ground(other):
            if any(lane == at and low_m < to_m and from_m < high_m for at, from_m, to_m in parts):
                return zone.zone_id, other
    return zone.zone_id, NOBODY


def _gate(books: Books, row: int, gate_ix: int, cause: Cause) -> tuple[str, int]:
    """The gate or the crossing, and the truck the gate is busy with."""
    if gate_ix < 0:
        return "", NOBODY
    crossing = books.crossings.of_row.get(row)
    if cause is not Cause.GATE and crossing is not None:
        return crossing.crossing_id, NOBODY
    busy = max(int(books.gates.called_row[gate_ix]), int(books.gates.open_row[gate_ix]))
    return books.gates.gates[gate_ix].gate_id, busy if busy != row else NOBODY


def _slot(books: Books, row: int, ref: int) -> tuple[str, int]:
    """The bay that is likely the next to be free, and who has it."""
    mission = books.missions.of_row.get(row)
    if mission is None or ref < 0:
        return "", NOBODY
    yard_id = books.corridor.stands[ref].yard_id
    bays = books.stands.all_of(yard_id, (StandKind.BAY,))
    taken = [bay for bay in bays if books.stands.holder_row[bay] != NOBODY]
    if not taken:
        return yard_id, NOBODY
    # The bay whose work was asked for first is likely the next to be free.
    first = min(taken, key=lambda bay: (books.calls.find(CallKind.BAY, books.corridor.stands[bay].stand_id) or 1 << 62, bay))
    return books.corridor.stands[first].stand_id, int(books.stands.holder_row[first])


def _yard_wanted(books: Books, row: int) -> str:
    mission = books.missions.of_row.get(row)
    laden = mission is not None and mission.state.name in {"LADEN", "TO_UNLOAD"} and not mission.turned_back
    return books.unloading.yard_id if laden else books.loading.yard_id


def _person_or_place(books: Books, row: int, cause: Cause, ref: int) -> str:
    if cause is Cause.HOLD:
        held = books.holds.get(row)
        return held.actor if held is not None else ""
    if cause is Cause.ALL_STOP:
        return next(iter(books.controls.stops), "")
    if cause is Cause.INTRUSION:
        return books.intrusions.name_of(ref)
    if cause is Cause.OPENING:
        return books.gates.gates[ref].gate_id if ref >= 0 else books.corridor.site_id
    if cause in {Cause.CLOSURE, Cause.TRACTION, Cause.SITE_CHANGE} and ref >= 0:
        return books.corridor.lanes[ref].lane_id
    at_stand = cause in {Cause.GOAL, Cause.BAY, Cause.CHARGING, Cause.FAULT} and ref >= 0
    return books.corridor.stands[ref].stand_id if at_stand else ""
