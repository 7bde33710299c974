"""
From an outlook to turns: what the search finds, held against the turns in force and against first come, first served.

All three are judged alike, by the delay of all trucks together when every event comes as early as the turns allow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from planner.foresight import GAIN_MIN_S
from planner.foresight.outlook import UNITS_PER_S, Outlook, outlook_of
from planner.foresight.seen import Chart, Seen
from planner.foresight.turns import Turns
from planner.timetable.precedence import Precedence, WaitCircle
from planner.timetable.task import Event
from planner.timetable.timetable import Timetable

NS_PER_UNIT: Final = 1_000_000_000 // UNITS_PER_S
SAME_ENTRY_M: Final = 0.5  # a passage seen again begins where it began
Due = dict[tuple[int, int], int]
"""When passages are to begin, in units from now, by truck row and entry in steps of `SAME_ENTRY_M`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """
    Turns, and what they are worth; seconds of delay of all trucks, +inf where there are none.

    *taken*: the search's plan, not the turns in force.
    """

    turns: Turns
    first_come_s: float = 0.0
    in_force_s: float = 0.0
    found_s: float = 0.0
    taken: bool = False


def plan(seen: Seen, chart: Chart, in_force: Turns | None, more: Callable[[], bool], *, seed: int = 1) -> Planned:
    """The turns to go by from now on; *more* says how long to search, as in `Timetable.improve`."""
    outlook = outlook_of(seen, chart)
    if outlook is None or not outlook.contested:
        return Planned(turns=Turns.of(seen.now_ns, []))
    first_come = settled(outlook, {})
    kept = settled(outlook, dues_of(in_force, seen.now_ns)) if in_force is not None and len(in_force.zone) else first_come
    first_come_s, kept_s = _cost_s(outlook, first_come), _cost_s(outlook, kept)
    found = _searched(outlook, kept if kept_s <= first_come_s else first_come, more, seed)
    found_s = _cost_s(outlook, found)
    taken = found_s < kept_s
    best, best_s = (found, found_s) if taken else (kept, kept_s)
    better = best is not None and best_s <= first_come_s - GAIN_MIN_S
    turns = Turns.of(seen.now_ns, _turns(outlook, best) if best is not None and better else [])
    return Planned(turns=turns, first_come_s=first_come_s, in_force_s=kept_s, found_s=found_s, taken=taken)


def settled(outlook: Outlook, due: Due) -> Sequence[Event] | None:
    """The events when everybody takes his turn at what is *due*, or as he would come unhindered; None where that runs in a circle."""
    events: list[Event] = []
    for truck, operations in enumerate(outlook.task.trucks):
        time = 0
        for at, operation in enumerate(operations):
            passage = outlook.entries.get((truck, at))
            if passage is not None:
                time = max(time, due.get(_name(passage.row, passage.from_m), 0))
            events.append(Event(time=time, truck=truck, operation=at))
            time += operation.duration
    events.sort(key=lambda event: (event.time, event.truck, event.operation))
    try:
        return Precedence.of(outlook.task, events).settled()
    except WaitCircle:
        return None


def _searched(outlook: Outlook, start: Sequence[Event] | None, more: Callable[[], bool], seed: int) -> Sequence[Event] | None:
    """
    The best plan that the search finds from *start* on; None where there is none to start from.

    To find a first one where trucks block each other may take the search many seconds. Then nobody is advised: those who block each other
    in the model of an outlook have got by without advice so far.
    """
    timetable = Timetable(outlook.task, seed=seed)
    if start is None or timetable.start_from(start) is None:
        return None
    return timetable.improve(more).events


def _cost_s(outlook: Outlook, events: Sequence[Event] | None) -> float:
    if events is None:
        return float("inf")
    at = {(event.truck, event.operation): event.time for event in events}
    return sum(delay.cost(at[delay.truck, delay.operation]) for delay in outlook.task.delays) / UNITS_PER_S


def _name(row: int, entry_m: float) -> tuple[int, int]:
    return row, round(entry_m / SAME_ENTRY_M)


def dues_of(turns: Turns, now_ns: int) -> Due:
    """When passages are due by *turns*, as seen at *now_ns*."""
    rows, entries_m, due_ns = turns.row.tolist(), turns.entry_m.tolist(), turns.due_ns.tolist()
    return {
        _name(row, entry_m): max(0, (at_ns - now_ns) // NS_PER_UNIT) for row, entry_m, at_ns in zip(rows, entries_m, due_ns, strict=True)
    }


def _turns(outlook: Outlook, events: Sequence[Event]) -> list[tuple[int, int, int, int, float]]:
    turns: list[tuple[int, int, int, int, float]] = []
    for event in events:
        passage = outlook.entries.get((event.truck, event.operation))
        if passage is None:
            continue
        due_ns = outlook.seen_ns + event.time * NS_PER_UNIT
        turns += [
            (zone, due_ns, passage.row, branch, passage.from_m) for zone, branch in passage.zones.items() if zone in outlook.contested
        ]
    return turns
