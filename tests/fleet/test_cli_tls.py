"""`fleet tls`, as somebody types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fleet.cli import tls, truck
from sim_harness.bench.process import process
from sim_harness.spawn import COMMAND


def fleet_tls(*words: str) -> Result:
    """`fleet tls WORDS`."""
    return CliRunner().invoke(tls.app, list(words))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder with a CA."""
    made = fleet_tls("init", str(tmp_path / "tls"), "--site", "mandula")
    assert made.exit_code == 0, made.stderr
    return str(tmp_path / "tls")


def test_a_trial_site_has_its_certificates_after_two_commands(folder: str) -> None:
    """What everybody carries lies ready, and the list says so to people and programs."""
    issued = fleet_tls("issue", "truck", "T001", "T002", "--dir", folder)
    operator = fleet_tls("issue", "operator", "bataa", "--role", "dispatcher", "--dir", folder, "--days", "30")
    listed = json.loads(fleet_tls("list", "--dir", folder, "--json").stdout)

    assert (issued.exit_code, operator.exit_code) == (0, 0)
    assert sorted(path.name for path in (Path(folder) / "issued" / "dispatcher-bataa").iterdir()) == ["ca.crt", "me.crt", "me.key"]
    assert [each["uri"].removeprefix("spiffe://mandula/") for each in listed] == [
        "operator/bataa/dispatcher", "operator/first/supervisor", "server", "truck/T001", "truck/T002",
    ]  # fmt: skip
    assert "spiffe://mandula/truck/T001" in fleet_tls("list", "--dir", folder).stdout


def test_revoking_and_replacing_are_one_command_each(folder: str) -> None:
    """They are typed in a hurry."""
    fleet_tls("issue", "truck", "T001", "--dir", folder)

    assert fleet_tls("revoke", "T001", "--dir", folder).exit_code == 0
    assert fleet_tls("rotate", "--dir", folder).exit_code == 0
    early = fleet_tls("rotate", "--finish", "--dir", folder)
    fleet_tls("issue", "operator", "first", "--role", "supervisor", "--dir", folder)
    late = fleet_tls("rotate", "--finish", "--dir", folder)

    assert early.exit_code == 1
    assert "operator/first/supervisor" in early.stderr
    assert late.exit_code == 0


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("issue", "robot", "R2"), 2, "nobody is a 'robot'"),
        (("issue", "operator", "bataa"), 2, "--role"),
        (("issue", "operator", "bataa", "--role", "king"), 2, "--role"),
        (("issue", "truck", "T001", "--role", "viewer"), 2, "--role"),
        (("issue", "truck"), 2, "needs a name"),
        (("issue", "server", "s"), 2, "needs a name"),
        (("issue", "truck", "T001", "T002", "--out", "o"), 2, "--out"),
        (("issue", "truck", "T 001"), 1, "Names look like"),
        (("issue", "truck", "T001", "--days", "9999"), 1, "--days"),
        (("issue", "server", "--host", "https://x"), 1, "host name"),
        (("revoke", "T009"), 1, "fleet tls list"),
    ],
    ids=lambda found: " ".join(found) if isinstance(found, tuple) else None,
)
def test_what_makes_no_sense_is_refused_with_a_sentence(folder: str, words: tuple[str, ...], exit_code: int, said: str) -> None:
    """Exit code 2 when the question is wrong, 1 when the answer is no."""
    answer = fleet_tls(*words, "--dir", folder)

    assert answer.exit_code == exit_code
    assert said in answer.stderr


def test_where_there_is_no_ca_the_command_says_how_to_make_one(tmp_path: Path) -> None:
    """The first thing everybody meets."""
    answer = fleet_tls("issue", "truck", "T001", "--dir", str(tmp_path))

    assert answer.exit_code == 1
    assert "fleet tls init" in answer.stderr


@pytest.mark.processes
def test_a_trial_site_is_served_to_those_who_carry_something(folder: str, tmp_path: Path) -> None:
    """From nothing to an answer, in processes of their own; and whom the server does not believe is told so."""
    fleet_tls("issue", "operator", "bataa", "--role", "viewer", "--dir", folder)
    carried = f"{folder}/issued/viewer-bataa"
    serving = (*COMMAND, "serve", "--site", "mandula", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0", "--tls", folder)
    with process(*serving) as server:
        answers = [
            CliRunner().invoke(truck.app, ["list", "--server", server.address, *words], env={"FLEET_TLS": ""})
            for words in (("--tls", carried), ())
        ]

    assert [answer.exit_code for answer in answers] == [0, 1]
    assert answers[0].stdout == "No trucks.\n"
