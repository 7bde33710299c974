"""Orders from a CSV file: a bad row names itself, nothing is half done, and the same file twice is one."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from fleet.cli import order
from fleet.cli.order_file import read_rows, wrong_yards

HEAD = "from,to,containers,due,priority\n"


def rows_of(tmp_path: Path, body: str, batch: str = "monday") -> list[str]:
    """Request ids of a file's rows."""
    path = tmp_path / "orders.csv"
    path.write_text(HEAD + body, "utf-8")
    rows, bad = read_rows(path, batch)
    assert not bad
    return [row.request_id for row in rows]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "mn,cn,six,,\n", ["line 2, column containers: 'six' is no whole number"]),
        (HEAD + "mn,cn,1,,\nmn,,,,\n", ["line 3, column to: is empty", "line 3, column containers: is empty"]),
        (HEAD + "mn,cn,0,,\n", ["line 2, column containers: must lie in 1 to 10000, is 0"]),
        (HEAD + "mn,cn,10001,,\n", ["line 2, column containers: must lie in 1 to 10000, is 10001"]),
        (HEAD + "mn,cn,1,noon,x\n", ["line 2, column priority: 'x' is no whole number", "line 2, column due: 'noon' is not a time"]),
        (HEAD + "mn,cn,1,,1001\n", ["line 2, column priority: must lie in -1000 to 1000, is 1001"]),
        (HEAD + "mn,cn,1,,-99999999999\n", ["line 2, column priority: must lie in -1000 to 1000, is -99999999999"]),
        (HEAD + "mn,cn,1,,,9\n", ["line 2: has 1 cells more than the first line"]),
        (HEAD + '"mn\nx",cn,1,,\nmn,cn,bad,,\n', ["line 4, column containers"]),
        (HEAD + '"mn,cn,1,,\n', ["line 2: is no CSV"]),
        ("from,to\nmn,cn\n", ["line 1, column containers: is missing"]),
        ("from,to,containers,from\n", ["line 1, column from: is there twice"]),
        ("from,to,containers,when\n", ["line 1, column when: is none of from, to, containers, due, priority"]),
        ("", ["line 1: the file has no orders"]),
        (HEAD, ["line 1: the file has no orders"]),
    ],
)
def test_a_bad_row_says_where_and_what(tmp_path: Path, text: str, said: list[str]) -> None:
    """All of them at once: nobody wants to find the fourth after mending the third."""
    path = tmp_path / "orders.csv"
    path.write_text(text, "utf-8")

    _, bad = read_rows(path, "monday")

    assert [str(wrong)[: len(each)] for wrong, each in zip(bad, said, strict=True)] == said


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    """A spreadsheet saved as it is."""
    path = tmp_path / "orders.csv"
    path.write_bytes(b"PK\x03\x04\xff\xfe")

    rows, bad = read_rows(path, "monday")

    assert not rows
    assert "is not UTF-8 text" in str(bad[0])


def test_a_row_keeps_its_request_id_whatever_stands_around_it(tmp_path: Path) -> None:
    """A row put in, a row put right, a blank line, a byte order mark: what was sent is known again."""
    before = rows_of(tmp_path, "mn,cn,6,,\nmn,cn,8,,2\n")
    after = rows_of(tmp_path, "\nmn,cn,7,,\n mn , cn ,6,,0\n\nmn,cn,8,,2\n")

    assert after[1:] == before
    assert after[0] not in before


def test_rows_alike_are_orders_of_their_own_and_so_is_another_batch(tmp_path: Path) -> None:
    """Two times forty containers are eighty; the same file tomorrow is meant again where it is called so."""
    twice = rows_of(tmp_path, "mn,cn,40,,\nmn,cn,40,,\n")

    assert len(set(twice)) == 2
    assert not set(twice) & set(rows_of(tmp_path, "mn,cn,40,,\nmn,cn,40,,\n", "tuesday"))


def test_yards_are_held_against_the_site(tmp_path: Path) -> None:
    """Before the first row is sent: the server would refuse the ninth after taking eight."""
    path = tmp_path / "orders.csv"
    path.write_text(HEAD + "mn,cn,1,,\nmn,xx,1,,\ncn,mn,1,,\n", "utf-8")

    bad = wrong_yards(read_rows(path, "monday")[0], {"mn": "loading", "cn": "unloading"})

    assert [str(wrong) for wrong in bad] == [
        "line 3, column to: there is no yard 'xx'; unloading is at cn",
        "line 4, column from: cn is for unloading; loading is at mn",
        "line 4, column to: mn is for loading; unloading is at cn",
    ]


def test_a_bad_file_ends_with_two_and_sends_nothing(tmp_path: Path) -> None:
    """Not even a line is opened."""
    path = tmp_path / "orders.csv"
    path.write_text(HEAD + "mn,cn,1,,\nmn,cn,x,,\n", "utf-8")

    answer = invoke("create", "--csv", str(path), "--server", "127.0.0.1:1")

    assert answer.exit_code == 2
    assert "line 3, column containers: 'x' is no whole number" in answer.stderr
    assert "nothing was sent" in answer.stderr


@pytest.mark.parametrize("wrong", [("--containers", "99999999999"), ("--priority", "99999999999"), ("--priority", "-1001")])
def test_a_number_that_no_order_can_have_ends_with_two(wrong: tuple[str, str]) -> None:
    """With a sentence, whether the wire could carry it or not."""
    answer = invoke("create", "--from", "mn", "--to", "cn", "--containers", "1", *wrong, "--server", "127.0.0.1:1")

    assert answer.exit_code == 2
    assert wrong[0] in answer.stderr


def invoke(*words: str) -> Result:
    """`fleet order WORDS`."""
    assert isinstance(order.app, typer.Typer)
    return CliRunner().invoke(order.app, [*words])
