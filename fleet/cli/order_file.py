"""
Orders from a CSV file: every row is read before the first is sent, and one that cannot be read says where and why.

A request's id is made from its row, so that the same file sent again creates nothing twice: not after a line broke in the middle, and not
after a row was put right. Two rows alike are two orders. The ids hold for a *batch*, usually the file's name: the same rows wanted once
more, tomorrow, need another name.
"""

from __future__ import annotations

import csv
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import typer

from fleet.cli.terminal import parse_time
from planner.limits import CONTAINERS_PER_ORDER_MAX, PRIORITY_MAX

NEEDED: Final = ("from", "to", "containers")
COLUMNS: Final = (*NEEDED, "due", "priority")
# A file of more rows is no day's orders; the server remembers every request for a week.
ROWS_MAX: Final = 10_000
_SPACE: Final = uuid.UUID("6f1c1d0e-3a56-5d0b-9c39-1f5d9d0f7a41")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One order wanted; *line* is where the file has it, *request_id* the same whenever it is sent."""

    line: int
    from_yard_id: str
    to_yard_id: str
    container_count: int
    due_time: datetime | None
    priority: int
    request_id: str

    def wish(self) -> dict[str, Any]:
        """What `asks.create_order` takes."""
        names = ("from_yard_id", "to_yard_id", "container_count", "due_time", "priority", "request_id")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """What is wrong with one cell; *column* is its heading, "" where it is the whole line."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.problem}"


def read_rows(path: Path, batch: str) -> tuple[list[Row], list[BadRow]]:
    """Every row of a file, and everything that is wrong with it; where something is, no row may be sent."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            return _read(csv.reader(lines, strict=True), batch)
    except UnicodeDecodeError as fault:
        return [], [BadRow(line=1, column="", problem=f"is not UTF-8 text (byte {fault.start}); save it as CSV UTF-8")]


def wrong_yards(rows: Sequence[Row], roles: Mapping[str, str]) -> list[BadRow]:
    """What is wrong with the rows' yards at a site whose yards have these *roles* (`loading`, `unloading`, …), by id."""
    bad: list[BadRow] = []
    for row in rows:
        for column, yard_id, role in (("from", row.from_yard_id, "loading"), ("to", row.to_yard_id, "unloading")):
            fit = ", ".join(sorted(name for name, is_for in roles.items() if is_for == role))
            if yard_id not in roles:
                bad.append(BadRow(line=row.line, column=column, problem=f"there is no yard {yard_id!r}; {role} is at {fit}"))
            elif roles[yard_id] != role:
                bad.append(BadRow(line=row.line, column=column, problem=f"{yard_id} is for {roles[yard_id]}; {role} is at {fit}"))
    return bad


def _read(reader: Any, batch: str) -> tuple[list[Row], list[BadRow]]:
    rows: list[Row] = []
    bad: list[BadRow] = []
    alike: Counter[str] = Counter()
    heads: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if heads is None:
                heads = [cell.strip().lower() for cell in cells]
                bad += _headings(heads, reader.line_num)
                if bad:
                    return [], bad
                continue
            row = _row(dict(zip(heads, cells, strict=False)), reader.line_num, bad, surplus=len(cells) - len(heads))
            if row is not None:
                rows.append(_named(row, batch, alike))
    except csv.Error as fault:
        bad.append(BadRow(line=reader.line_num, column="", problem=f"is no CSV: {fault}"))
    if not rows and not bad:
        bad.append(BadRow(line=max(1, reader.line_num), column="", problem="the file has no orders"))
    if len(rows) > ROWS_MAX:
        bad.append(BadRow(line=rows[ROWS_MAX].line, column="", problem=f"more than {ROWS_MAX} orders in one file; split it"))
    return rows, bad


def _headings(heads: Sequence[str], line: int) -> list[BadRow]:
    bad = [BadRow(line=line, column=name, problem="is missing; the first line names the columns") for name in NEEDED if name not in heads]
    bad += [
        BadRow(line=line, column=name or "(empty)", problem=f"is none of {', '.join(COLUMNS)}") for name in heads if name not in COLUMNS
    ]
    bad += [BadRow(line=line, column=name, problem="is there twice") for name, count in Counter(heads).items() if count > 1]
    return bad


def _row(cells: Mapping[str, str], line: int, bad: list[BadRow], *, surplus: int) -> Row | None:
    """The row, or None and what is wrong with it in *bad*."""
    before = len(bad)

    def wrong(column: str, problem: str) -> None:
        bad.append(BadRow(line=line, column=column, problem=problem))

    def whole(column: str, usual: str) -> int:
        text = cells.get(column, "").strip() or usual
        try:
            return int(text)
        except ValueError:
            wrong(column, f"{text!r} is no whole number" if text else "is empty")
            return 0

    if surplus > 0:
        wrong("", f"has {surplus} cells more than the first line; is there a comma too many?")
    for column in ("from", "to"):
        if not cells.get(column, "").strip():
            wrong(column, "is empty")
    containers = whole("containers", "")
    if len(bad) == before and not 1 <= containers <= CONTAINERS_PER_ORDER_MAX:
        wrong("containers", f"must lie in 1 to {CONTAINERS_PER_ORDER_MAX}, is {containers}")
    priority = whole("priority", "0")
    if not -PRIORITY_MAX <= priority <= PRIORITY_MAX:
        wrong("priority", f"must lie in -{PRIORITY_MAX} to {PRIORITY_MAX}, is {priority}")
    due_text, due = cells.get("due", "").strip(), None
    if due_text:
        try:
            due = parse_time(due_text)
        except typer.BadParameter as unreadable:
            wrong("due", str(unreadable))
    if len(bad) > before:
        return None
    return Row(
        line=line,
        from_yard_id=cells["from"].strip(),
        to_yard_id=cells["to"].strip(),
        container_count=containers,
        due_time=due,
        priority=priority,
        request_id="",
    )


def _named(row: Row, batch: str, alike: Counter[str]) -> Row:
    """*row* with its request's id: what it says, and which it is of those that say the same."""
    due = "" if row.due_time is None else row.due_time.isoformat()
    said = "\x1f".join((batch, row.from_yard_id, row.to_yard_id, str(row.container_count), due, str(row.priority)))
    alike[said] += 1
    named = uuid.uuid5(_SPACE, f"{said}\x1f{alike[said]}")
    return Row(**{**row.wish(), "line": row.line, "request_id": str(named)})
