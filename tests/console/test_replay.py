"""A recording shown by the console: the routes, and the command."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from sim_harness.spawn import COMMAND
from tests.console.a_run import TRUCKS, ask

pytestmark = pytest.mark.xdist_group("recording")  # one process keeps the recording, and the console that shows it


def console(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own: it sets up the log of the process it runs in."""
    return subprocess.run([*COMMAND, "console", *words], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.processes
@pytest.mark.parametrize("what", ["orders", "crossings", "gates", "lanes", "intrusions"])
def test_every_list_is_answered(address: str, what: str) -> None:
    """The screens ask for them as they ask a server's console."""
    status, answer = ask(address, f"/api/{what}")

    assert status == 200
    assert isinstance(answer["rows"], list)


@pytest.mark.processes
@pytest.mark.parametrize("command", ["stop_all", "lift_stop", "hold_truck", "create_order", "close_lane"])
def test_a_command_is_refused_in_plain_words(address: str, command: str) -> None:
    """Also the stop, which a console of a server never refuses."""
    status, answer = ask(address, f"/api/do/{command}", {"stop_id": "s", "reason": "r"})

    assert status == 409
    assert answer["reason"] == "OnlyARecording"
    assert "This is a recording" in answer["message"]


@pytest.mark.processes
def test_what_was_planned_is_not_in_a_recording(address: str) -> None:
    """A page that drew a plan of now over what happened then would lie."""
    with urllib.request.urlopen(f"{address}/api/plan", timeout=30) as answer:  # noqa: S310 - our own console
        assert json.load(answer) == {"trucks": {}}


@pytest.mark.processes
def test_a_foreign_page_cannot_move_the_slider(address: str) -> None:
    """What it cannot send along is our header."""
    status, answer = ask(address, "/api/replay", {"at_ms": 0}, ours=False)

    assert status == 400
    assert answer["reason"] == "InvalidField"


@pytest.mark.processes
def test_the_stream_says_which_moment_is_shown(address: str) -> None:
    """The page's slider follows it, whoever moved it."""
    _, state = ask(address, "/api/replay", {})
    middle_ms = (state["begin_ms"] + state["end_ms"]) // 2
    ask(address, "/api/replay", {"at_ms": middle_ms, "playing": False})

    with urllib.request.urlopen(f"{address}/api/feed", timeout=30) as feed:  # noqa: S310 - our own console
        lines = (line.decode() for line in feed)
        updates = (json.loads(line[6:]) for line in lines if line.startswith("data: {") and "time_ms" in line)
        update = next(each for each in updates if each["replay"]["at_ms"] == middle_ms and abs(each["time_ms"] - middle_ms) < 2000)

    assert update["lost_since_ms"] is None
    assert len(update["trucks"]) == TRUCKS


def test_there_is_nothing_to_steer(tmp_path: Path) -> None:
    """A wrong question, before anything is opened."""
    answer = console("--replay", str(tmp_path), "--steer")

    assert answer.returncode == 2
    assert "nothing to --steer" in answer.stderr


def test_a_folder_without_a_recording_ends_the_command(tmp_path: Path) -> None:
    """With one sentence and no traceback."""
    answer = console("--replay", str(tmp_path), "--listen", "127.0.0.1:0")

    assert answer.returncode == 1
    assert "There is no recording to show." in answer.stderr
    assert str(tmp_path) in answer.stderr
