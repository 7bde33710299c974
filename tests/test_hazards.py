"""The hazard log holds together: every hazard has a rule and a test, and the test is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
COLUMNS = 3
ROWS_MIN = 40


def rows() -> Iterator[list[str]]:
    """The log's rows: hazard, rule, test."""
    for line in (HOUSE / "HAZARDS.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if cells[0] != "hazard" and not set(line) <= set("|-"):
                yield cells


def functions_of(path: Path) -> set[str]:
    """Names of the functions a test file defines."""
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_no_hazard_without_its_rule_and_its_test() -> None:
    """A hazard somebody only thought of is not yet one anybody guards against."""
    found = list(rows())

    assert len(found) >= ROWS_MIN
    assert [row for row in found if len(row) != COLUMNS or not all(row)] == []
    assert len({row[0] for row in found}) == len(found)


def test_every_test_the_log_names_is_there() -> None:
    """A test renamed is a hazard unguarded, as far as a reader can tell."""
    missing = []
    for hazard, _, named in rows():
        file, _, function = named.strip("`").partition("::")
        path = HOUSE / "tests" / file
        if not path.is_file() or function not in functions_of(path):
            missing.append((hazard, named))

    assert missing == []
