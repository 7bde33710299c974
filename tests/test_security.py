"""The threat model holds together: what is called defended names a test, and the test is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
COLUMNS = 3
PARTS = ("reaches the port", "Operators", "truck", "gateway", "server", "Site files", "Updates", "Journal and backups")


def text() -> str:
    """The page."""
    return (HOUSE / "SECURITY.md").read_text(encoding="utf-8")


def rows() -> Iterator[list[str]]:
    """What may be tried, what stops it, the test."""
    for line in text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and not cells[0].startswith("what ") and not set(line) <= set("|-"):
            yield cells


def test_everyone_who_may_attack_has_his_part_and_what_is_not_defended_is_said() -> None:
    """A threat model that only boasts is worth nothing to whoever must decide where to put the server."""
    parts = text().split("\n## ")[1:]

    assert len(parts) == len(PARTS)
    assert all(name in part.splitlines()[0] for name, part in zip(PARTS, parts, strict=True))
    assert [part.splitlines()[0] for part in parts if "Not defended:" not in part] == []


def test_nothing_is_called_defended_without_a_test_that_is_there() -> None:
    """A test renamed is a defence unproven, as far as a reader can tell."""
    missing = []
    for row in rows():
        file, _, function = row[-1].strip("`").partition("::")
        path = HOUSE / "tests" / file
        names = {
            node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if len(row) != COLUMNS or not all(row) or function not in names:
            missing.append(row)

    assert missing == []
