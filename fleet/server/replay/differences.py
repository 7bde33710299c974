"""Two answers side by side: what was recorded, and what the core says now, value by value and under the names people use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from fleet.server.replay.form import KIND, Item, text_of
from planner.corridor import Corridor

ABSENT: Final = "nothing"
LINES_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One value that differs; *what* says which."""

    what: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    The first tick whose words or facts are not those of *against* ("the recording" or "the journal").

    *lines* are the first `LINES_MAX` values that differ, *more_count* how many others do.
    """

    epoch: int
    tick: int
    now_ns: int
    against: str
    lines: tuple[Line, ...]
    more_count: int


class Names:
    """What rows are called: trucks by *truck_ids*, lanes by the corridor."""

    def __init__(self, corridor: Corridor, truck_ids: Sequence[str]) -> None:
        self._lane_ids = [lane.lane_id for lane in corridor.lanes]
        self._truck_ids = truck_ids

    def truck(self, row: int) -> str:
        """The truck of a row."""
        return self._truck_ids[row] if 0 <= row < len(self._truck_ids) else f"row {row}"

    def value(self, name: str, value: Any) -> str:
        """A field's value as text."""
        if name.endswith("lane_ix") and isinstance(value, int) and 0 <= value < len(self._lane_ids):
            return self._lane_ids[value]
        return value if isinstance(value, str) else text_of(value)


def lines_of(recorded: Sequence[Item], replayed: Sequence[Item], names: Names) -> list[Line]:
    """Every value that differs between two answers of one tick."""
    left, right = dict(_flat(recorded, names)), dict(_flat(replayed, names))
    both = [*left, *(what for what in right if what not in left)]
    return [
        Line(what=what, recorded=left.get(what, ABSENT), replayed=right.get(what, ABSENT))
        for what in both
        if left.get(what) != right.get(what)
    ]


def _flat(items: Sequence[Item], names: Names) -> Iterator[tuple[str, str]]:
    """Each value of *items* under a name of its own: kind, truck, which of several, field."""
    numbers: dict[str, Iterator[int]] = {}
    for item in items:
        row = item.plain.get("row")
        title = item.kind if row is None else f"{item.kind} {names.truck(row)}"
        number = next(numbers.setdefault(title, count(1)))
        title = title if number == 1 else f"{title} #{number}"
        if not item.plain and not item.columns:
            yield title, "said"
        for name, value in item.plain.items():
            yield from _deep(f"{title} {name}", name, value, names)
        yield from _columns(title, item, names)


def _deep(what: str, name: str, value: Any, names: Names) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != KIND or len(value) == 1:
                yield from _deep(f"{what}.{key}", key, inner, names)
        return
    yield what, names.value(name, value)


def _columns(title: str, item: Item, names: Names) -> Iterator[tuple[str, str]]:
    """A row of a column belongs to the truck that the last column of rows before it names there; without one, to its number."""
    rows: list[int] | None = None
    for name, column in item.columns.items():
        values = column.tolist()
        if name.endswith("rows"):
            rows = values
            yield f"{title} {name}", ", ".join(names.truck(row) for row in values) or ABSENT
            continue
        for at, value in enumerate(values):
            whose = names.truck(rows[at]) if rows is not None and at < len(rows) else f"[{at}]"
            yield f"{title} {whose} {name}", names.value(name, value)
