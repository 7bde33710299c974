"""A recording shown by the console: the routes, the command, and the page in a browser."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.console.a_run import TRUCKS, record
from tests.console.browser import Looker, browser, chromium

# One process keeps the recording and the console that most tests look at.
pytestmark = pytest.mark.xdist_group("recording")


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


def console(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own: it sets up the log of the process it runs in."""
    code = "from fleet.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code, "console", *words], capture_output=True, text=True, timeout=120, check=False)


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
    answer = console("--replay", str(tmp_path), "--steer")

    assert answer.returncode == 2
    assert "nothing to --steer" in answer.stderr


def test_a_folder_without_a_recording_ends_the_command(tmp_path: Path) -> None:
    """With one sentence and no traceback."""
    answer = console("--replay", str(tmp_path), "--listen", "127.0.0.1:0")

    assert answer.returncode == 1
    assert "There is no recording to show." in answer.stderr
    assert str(tmp_path) in answer.stderr


# The page.


@pytest.fixture(scope="module")
async def window() -> AsyncIterator[Browser]:
    """One browser for all who look."""
    if chromium() is None:
        pytest.skip("there is no chromium here: the page was not looked at")
    async with browser() as found:
        yield found


@pytest.fixture
async def looker(window: Browser, address: str) -> AsyncIterator[Looker]:
    """Somebody who looks at the recording's beginning; what his browser complains of is kept."""
    await asyncio.to_thread(ask, address, "/api/replay", {"at_ms": 0, "playing": False, "speed": 1})
    context = await window.new_context(viewport={"width": 1440, "height": 900}, locale="en")
    looker = Looker(await context.new_page())
    await looker.page.goto(address)
    await looker.page.wait_for_selector("#replay:not([hidden])")
    yield looker
    await context.close()


async def drag(page: Page, share: float) -> None:
    """Takes the slider's knob to a share of its length."""
    box = await page.locator("#replay-at").bounding_box()
    assert box is not None
    row = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + 10, row)
    await page.mouse.down()
    await page.mouse.move(box["x"] + share * box["width"], row, steps=8)
    await page.mouse.up()


async def places(page: Page) -> list[str]:
    """Where each truck is, as the list of trucks says."""
    return await page.locator("main tbody tr td:nth-child(5)").all_inner_texts()


@pytest.mark.processes
async def test_the_slider_moves_the_trucks(looker: Looker) -> None:
    """Dragged, by keys, and played."""
    page = looker.page
    await page.keyboard.press("3")
    await page.wait_for_selector("main tbody tr")
    at_first = await places(page)

    await drag(page, 0.9)
    await page.wait_for_function(
        "then => [...document.querySelectorAll('main tbody tr td:nth-child(5)')].map((e) => e.innerText).join() !== then",
        arg=",".join(at_first),
    )
    dragged = await page.locator("#replay-clock").inner_text()
    await page.locator("#replay-at").blur()
    await page.keyboard.press("Home")
    await page.wait_for_function("then => document.getElementById('replay-clock').innerText < then", arg=dragged)
    await page.keyboard.press("Shift+ArrowRight")
    await page.keyboard.press("ArrowRight")
    await page.wait_for_function(
        "() => Number(document.getElementById('replay-at').value) - Number(document.getElementById('replay-at').min) === 70000"
    )
    await page.select_option("#replay-speed", "60")
    await page.keyboard.press("Escape")
    await page.locator("#replay-play").click()
    await page.wait_for_function(
        "() => Number(document.getElementById('replay-at').value) - Number(document.getElementById('replay-at').min) > 100000"
    )

    assert at_first != await places(page)
    assert looker.complaints == []


@pytest.mark.processes
async def test_a_recording_is_not_taken_for_the_fleet(looker: Looker) -> None:
    """It says what it is, and has no button that would stop nothing."""
    page = looker.page
    assert not await page.locator("#stop-all").is_visible()
    assert "recording" in await page.locator("#link").inner_text()
    assert looker.complaints == []


@pytest.mark.processes
@pytest.mark.parametrize("screen", ["corridor", "stringline", "trucks", "orders", "gates", "alarms", "controls", "day"])
async def test_every_screen_is_fed(looker: Looker, screen: str) -> None:
    """The same page over a recording: nothing in it may miss the server."""
    page = looker.page
    await page.keyboard.press("End")
    await page.evaluate("name => { location.hash = name }", screen)
    await page.wait_for_selector(f"nav a[href='#{screen}'][aria-current='page']")
    await page.wait_for_selector("main > *")
    await page.wait_for_timeout(1500)

    assert await page.locator("#notices div.bad").count() == 0
    assert looker.complaints == []


@pytest.mark.processes
async def test_the_day_shows_waiting_by_cause_against_the_bound(looker: Looker) -> None:
    """Of the recording's day."""
    page = looker.page
    await page.evaluate("() => { location.hash = 'day' }")
    await page.keyboard.press("End")

    await page.wait_for_selector("svg.day rect[data-cause]")

    assert await page.locator("svg.day").count() == 3
    assert await page.locator("svg.day .bound").count() == 1
    assert await page.locator("main").get_attribute("data-date") == "2026-01-01"
    assert looker.complaints == []
