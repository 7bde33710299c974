"""A recording shown by the console: the routes, the command, and the page in a browser."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet.cli import console as console_command
from tests.console.a_run import TRUCKS, record

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
# Chromium without a graphics card says so of every picture that is taken of the map.
NO_CARD = "GPU stall due to ReadPixels"
WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `fleet sim run mandula --out` leaves behind."""
    return record(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """`fleet console --replay` in a process of its own."""
    code = "from fleet.cli.main import main; main()"
    command = [sys.executable, "-c", code, "console", "--replay", str(folder), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        yield said.split()[-1].rstrip("/")
        process.send_signal(signal.SIGINT)
        process.wait(30)


def ask(address: str, path: str, body: Any = None, *, ours: bool = True) -> tuple[int, Any]:
    """Status and answer of one request; one with a *body* is a POST, as our page (or a foreign one) sends it."""
    headers = {"content-type": "application/json", **({"x-khulan-console": "1"} if ours else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}{path}", data=data, headers=headers)  # noqa: S310 - our own console
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


# The routes.


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
        updates = (json.loads(line[6:]) for line in lines if line.startswith("data: {") and "replay" in line)
        update = next(each for each in updates if each["replay"]["at_ms"] == middle_ms and abs(each["time_ms"] - middle_ms) < 2000)

    assert update["lost_since_ms"] is None
    assert len(update["trucks"]) == TRUCKS


def test_there_is_nothing_to_steer(tmp_path: Path) -> None:
    """A wrong question, before anything is opened."""
    answer = CliRunner().invoke(console_command.app, ["--replay", str(tmp_path), "--steer"])

    assert answer.exit_code == 2
    assert "nothing to --steer" in answer.stderr


def test_a_folder_without_a_recording_ends_the_command(tmp_path: Path) -> None:
    """With one sentence and no traceback."""
    answer = CliRunner().invoke(console_command.app, ["--replay", str(tmp_path), "--listen", "127.0.0.1:0"])

    assert answer.exit_code == 1
    assert "There is no recording to show." in answer.stderr
    assert str(tmp_path) in answer.stderr


# The page.


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    """The console's page in a browser; what its console says is kept in `page.said`."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}: the page was not looked at")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - nobody without a browser needs it

    ask(address, "/api/replay", {"at_ms": 0, "playing": False, "speed": 1})
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        opened: Any = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en")
        opened.set_default_timeout(WITHIN_MS)
        opened.said = []
        opened.on("console", lambda line: line.type in {"error", "warning"} and NO_CARD not in line.text and opened.said.append(line.text))
        opened.on("pageerror", lambda fault: opened.said.append(str(fault)))
        opened.goto(address)
        opened.wait_for_selector("#replay:not([hidden])")
        yield opened
        browser.close()


def drag(page: Any, share: float) -> None:
    """Takes the slider's knob to a share of its length."""
    box = page.locator("#replay-at").bounding_box()
    row = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 10, row)
    page.mouse.down()
    page.mouse.move(box["x"] + share * box["width"], row, steps=8)
    page.mouse.up()


def places(page: Any) -> list[str]:
    """Where each truck is, as the list of trucks says."""
    found: list[str] = page.locator("main tbody tr td:nth-child(5)").all_inner_texts()
    return found


@pytest.mark.processes
def test_the_slider_moves_the_trucks(page: Any) -> None:
    """Dragged, by keys, and played."""
    page.keyboard.press("3")
    page.wait_for_selector("main tbody tr")
    at_first = places(page)

    drag(page, 0.9)
    page.wait_for_function(
        "then => [...document.querySelectorAll('main tbody tr td:nth-child(5)')].map((e) => e.innerText).join() !== then",
        arg=",".join(at_first),
    )
    dragged = page.locator("#replay-clock").inner_text()
    page.locator("#replay-at").blur()
    page.keyboard.press("Home")
    page.wait_for_function("then => document.getElementById('replay-clock').innerText < then", arg=dragged)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "() => Number(document.getElementById('replay-at').value) - Number(document.getElementById('replay-at').min) === 70000"
    )
    page.select_option("#replay-speed", "60")
    page.keyboard.press("Escape")
    page.locator("#replay-play").click()
    page.wait_for_function(
        "() => Number(document.getElementById('replay-at').value) - Number(document.getElementById('replay-at').min) > 100000"
    )

    assert at_first != places(page)
    assert page.said == []


@pytest.mark.processes
def test_a_recording_is_not_taken_for_the_fleet(page: Any) -> None:
    """It says what it is, and has no button that would stop nothing."""
    assert not page.locator("#stop-all").is_visible()
    assert "recording" in page.locator("#link").inner_text()
    assert page.said == []


@pytest.mark.processes
@pytest.mark.parametrize("screen", ["corridor", "stringline", "trucks", "orders", "gates", "alarms", "controls", "day"])
def test_every_screen_is_fed(page: Any, screen: str) -> None:
    """The same page over a recording: nothing in it may miss the server."""
    page.keyboard.press("End")
    page.evaluate("name => { location.hash = name }", screen)
    page.wait_for_selector(f"nav a[href='#{screen}'][aria-current='page']")
    page.wait_for_selector("main > *")
    page.wait_for_timeout(1500)

    assert page.locator("#notices div.bad").count() == 0
    assert page.said == []


@pytest.mark.processes
def test_the_day_shows_waiting_by_cause_against_the_bound(page: Any) -> None:
    """Of the recording's day."""
    page.evaluate("() => { location.hash = 'day' }")
    page.keyboard.press("End")

    page.wait_for_selector("svg.day rect[data-cause]")

    assert page.locator("svg.day").count() == 3
    assert page.locator("svg.day .bound").count() == 1
    assert page.locator("main").get_attribute("data-date") == "2026-01-01"
    assert page.said == []
