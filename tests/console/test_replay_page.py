"""A recording on the operators' page, in a browser: the slider, every screen, and what is no button there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from fleet.texts import LANGUAGES, texts
from tests.console.a_run import ask
from tests.console.browser import Looker, browser

pytestmark = pytest.mark.xdist_group("recording")  # one process keeps the recording, and the console that shows it


@pytest.fixture(scope="module")
async def window() -> AsyncIterator[Browser]:
    """One browser for all who look."""
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
    await page.add_init_script(
        """(function look() {
            window.stopSeen ||= Boolean(document.getElementById("stop-all")?.checkVisibility());
            requestAnimationFrame(look);
        })()"""
    )
    await page.reload()
    await page.wait_for_selector("#replay:not([hidden])")

    assert not await page.evaluate("window.stopSeen")
    assert "recording" in await page.locator("#link").inner_text()
    assert looker.complaints == []


@pytest.mark.processes
async def test_a_page_left_open_has_its_stop_again_when_the_console_shows_a_server(looker: Looker) -> None:
    """The same address serves a recording in the morning and the fleet in the afternoon."""
    before, after = await looker.page.evaluate(
        """import("/static/state.js").then((state) => {
            const seen = () => document.getElementById("stop-all").checkVisibility();
            const before = seen();
            state.fleet.replay = null;
            state.select(null);
            return [before, seen()];
        })"""
    )

    assert (before, after) == (False, True)


@pytest.mark.processes
@pytest.mark.parametrize("screen", ["controls", "orders"])
async def test_why_nothing_can_be_commanded_is_said_of_a_recording(looker: Looker, screen: str) -> None:
    """Whoever is told to start it with --steer is sent the wrong way: a recording cannot be."""
    await looker.screen(screen)
    # What is not there yet is waited for; what is there by then is all that there is.
    await looker.page.locator("main").get_by_text(texts("en")["only_recording"]).first.wait_for()

    assert "--steer" not in await looker.page.locator("main").inner_text()


@pytest.mark.processes
async def test_a_night_begins_at_00_in_every_language(looker: Looker) -> None:
    """24:05 is five past midnight of which day?"""
    said = await looker.page.evaluate(
        """import("/static/text.js").then(async (text) => {
            const said = {};
            for (const language of Object.keys(text.LANGUAGES)) {
                await text.speak(language);
                said[language] = [text.clock(Date.UTC(2026, 0, 1, 0, 5, 7), "UTC"), text.moment(Date.UTC(2026, 0, 1, 0, 5), "UTC")];
            }
            return said;
        })"""
    )

    assert set(said) == set(LANGUAGES)
    assert {clock for clock, _ in said.values()} == {"00:05:07"}
    assert all(moment.endswith("00:05") for _, moment in said.values())


@pytest.mark.processes
async def test_what_no_run_records_is_not_offered(looker: Looker) -> None:
    """A screen that can only say that it has nothing is no screen."""
    page = looker.page
    await page.keyboard.press("9")
    await page.keyboard.press("8")
    await page.wait_for_selector("nav a[href='#day'][aria-current='page']")
    await page.evaluate("location.hash = 'health'")
    await page.wait_for_selector("nav a[href='#corridor'][aria-current='page']")

    assert await page.locator("nav a").count() == 8
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
