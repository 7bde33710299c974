"""The operators' page in a real browser, with 24 trucks driving behind it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import pytest
from playwright.async_api import Browser

from fleet.texts import LANGUAGES, say, texts
from fleet.v1 import border_pb2, border_pb2_grpc
from tests.console.browser import Looker, browser, looking

HOUSE: Final = Path(__file__).resolve().parent.parent.parent
START_WITHIN_S: Final = 150.0
TRUCKS: Final = 24
SCREENS: Final = {
    "corridor": "#screen[data-trucks='24'] canvas",
    "stringline": "#screen[data-samples][data-planned] canvas",
    "trucks": "tbody tr:nth-child(24)",
    "orders": "#new-order option[value='mn']",
    "gates": "tbody tr:nth-child(15)",
    "alarms": "#screen .card",
    "controls": "tbody tr:nth-child(200)",
    "day": "#screen .card",
    "health": "#screen .cards .card",
}
DESK: Final = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
PHONE: Final = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}
MOVES: Final = "[...fleet.trucks.values()].some((truck) => truck.v > 1)"
STANDS: Final = "[...fleet.trucks.values()].every((truck) => truck.v < 0.05)"
# One that had just begun to move when it was told to stop still stands at the first look, and rolls a moment later.
STANDS_FOR_5_S: Final = (
    f"(window.stoodFrom = {STANDS} ? (window.stoodFrom ?? fleet.time_ms) : null) !== null && fleet.time_ms - window.stoodFrom >= 5000"
)

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("console"), pytest.mark.timeout(240)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Where the page is and the server behind it, a browser, and a folder for pictures."""

    page: str
    server: str
    browser: Browser
    shots: Path


@pytest.fixture(scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """One fleet and one browser for the whole file."""
    data = tmp_path_factory.mktemp("console")
    with (data / "fleet.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.console.fleet_process", str(data), stdout=asyncio.subprocess.PIPE, stderr=log, cwd=HOUSE
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_WITHIN_S):
            page, server = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
        assert page.startswith("http://127.0.0.1:"), (data / "fleet.log").read_text("utf-8")[-2000:]
        async with browser() as found:
            yield Fleet(page=page, server=server, browser=found, shots=tmp_path_factory.mktemp("shots"))
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


@pytest.fixture
async def looker(fleet: Fleet) -> AsyncIterator[Looker]:
    """Somebody at a desk."""
    async with looking(fleet.browser, fleet.page, **DESK) as found:
        yield found


async def order(looker: Looker, containers: int) -> None:
    """An order, put in as an operator does."""
    await looker.screen("orders")
    await looker.page.fill("#new-order [name=container_count]", str(containers))
    await looker.page.click("#new-order button[type=submit]")


async def driving(looker: Looker) -> None:
    """Some truck drives; where none has anything to do, there is an order now."""
    if not await looker.fleet(MOVES):
        await order(looker, 200)
    await looker.until(MOVES)


@pytest.mark.parametrize("how", [DESK, PHONE], ids=["desk", "phone"])
async def test_every_screen_opens_and_asks_nobody_else(fleet: Fleet, how: dict[str, object]) -> None:
    """A control room may have no network but its own; a page that half works is worse than none."""
    wide: list[str] = []
    async with looking(fleet.browser, fleet.page, **how) as looker:
        for name, sign in SCREENS.items():
            await looker.screen(name)
            await looker.page.wait_for_selector(sign, state="attached")
            await looker.page.screenshot(path=fleet.shots / f"{name}-{how['color_scheme']}.png")
            if await looker.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(name)

        strangers = [url for url in looker.asked if not url.startswith((fleet.page, f"blob:{fleet.page}", "data:"))]

    assert looker.complaints == []
    assert strangers == []
    assert wide == []


async def test_an_order_made_on_the_page_is_driven(fleet: Fleet, looker: Looker) -> None:
    """From the form to a truck that moves: the whole point."""
    assert await looker.fleet("[...fleet.trucks.values()].every((truck) => truck.mission === '')")

    await order(looker, 200)
    await looker.page.wait_for_selector("tr[data-key='order-000001']")
    await looker.until(f"{MOVES} && [...fleet.trucks.values()].some((truck) => truck.mission !== '')")
    await looker.page.screenshot(path=fleet.shots / "order.png")

    assert looker.complaints == []


async def test_a_held_truck_says_who_held_it_in_every_language(fleet: Fleet, looker: Looker) -> None:
    """Whoever comes on shift at night must read why, in his own words."""
    await looker.screen("trucks")
    await looker.page.click("tr[data-key=t005]")
    await looker.page.click("#hold")
    await looker.page.fill("dialog [name=reason]", "flat tyre")
    await looker.page.click("dialog button[type=submit]")
    await looker.page.wait_for_selector("#resume")
    await looker.until("fleet.trucks.get('t005').for?.[0] === 'hold'")

    said = {}
    for language in LANGUAGES:
        await looker.page.select_option("header select", language)
        expected = say(language, "cause.hold", subject="loopback")
        await looker.page.wait_for_selector(f"#sentence:text('t005 {expected}')")
        said[language] = await looker.page.inner_text("#detail .why li")
        await looker.page.screenshot(path=fleet.shots / f"held-{language}.png")
    await looker.page.select_option("header select", "en")
    await looker.page.click("#resume")
    await looker.page.wait_for_selector("#hold")

    assert all(say(language, "cause.hold", subject="loopback") in said[language] for language in LANGUAGES)
    assert looker.complaints == []


async def test_an_alarm_is_acknowledged_for_everybody(fleet: Fleet, looker: Looker) -> None:
    """Two people who see to the same truck leave another to nobody."""
    await looker.screen("trucks")
    await looker.page.click("tr[data-key=t006]")
    await looker.page.click("#hold")
    await looker.page.fill("dialog [name=reason]", "look at the mirror")
    await looker.page.click("dialog button[type=submit]")
    await looker.screen("alarms")
    await looker.page.click("tr[data-key^='halted:t006'] button")
    await looker.page.fill("dialog [name=who]", "bat")
    await looker.page.click("dialog button[type=submit]")

    async with looking(fleet.browser, fleet.page, **DESK) as another:
        await another.screen("alarms")
        await another.page.wait_for_selector("tr[data-key='halted:t006 seen'] td:text('bat')")
        await another.page.screenshot(path=fleet.shots / "alarms.png")
    await looker.page.click("#resume")
    await looker.until("!fleet.alarms.some((alarm) => alarm.key === 'halted:t006')")

    assert looker.complaints == []


async def test_a_bay_out_of_order_says_so_beside_its_name(fleet: Fleet, looker: Looker) -> None:
    """Whoever wonders why nobody goes to a bay looks at the list of bays."""
    await looker.screen("gates")
    shown = "tr[data-key=cn_bay_08] .bad"
    async with grpc.aio.insecure_channel(fleet.server) as channel:
        keeper = border_pb2_grpc.BorderServiceStub(channel)
        for request_id, state in (("torn", border_pb2.BAY_STATE_BLOCKED), ("mended", border_pb2.BAY_STATE_READY)):
            await keeper.ReportBay(border_pb2.ReportBayRequest(request_id=request_id, bay_id="cn_bay_08", state=state))
            await looker.page.wait_for_selector(shown, state="attached" if request_id == "torn" else "detached")
            await looker.page.screenshot(path=fleet.shots / f"bay-{request_id}.png")

    assert looker.complaints == []


async def test_all_stop_stops_every_truck_and_only_its_id_lifts_it(fleet: Fleet, looker: Looker) -> None:
    """The one button that must work, and must not be undone by mistake."""
    page = looker.page
    await driving(looker)
    await page.click("#stop-all")
    assert await page.evaluate("document.activeElement.textContent") == texts("en")["stop.yes"]
    stop_id = await page.input_value("dialog [name=stop_id]")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".banner")
    await looker.until(STANDS_FOR_5_S)
    await page.screenshot(path=fleet.shots / "stopped.png")

    await page.click(".banner button")
    await page.fill("dialog [name=stop_id]", "another")
    locked = await page.is_disabled("dialog button[type=submit]")
    refused = await page.evaluate(
        """() => fetch("/api/do/lift_stop", {method: "POST", body: '{"stop_id": "another"}',
        headers: {"content-type": "application/json", "x-khulan-console": "1"}}).then((answer) => answer.status)"""
    )
    stands = await looker.fleet(STANDS)
    looker.complaints.clear()  # the browser notes the refusal we asked for
    await page.fill("dialog [name=stop_id]", stop_id)
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector(".banner", state="detached")
    await looker.until(MOVES)

    assert locked
    assert refused == 404
    assert stands
    assert looker.complaints == []


async def test_control_is_taken_over_and_everybody_sees_from_whom(fleet: Fleet, looker: Looker) -> None:
    """Two who command one fleet must know of each other."""
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(looking(fleet.browser, fleet.page, **DESK))
        for each, name in ((looker, "bat"), (other, "li")):
            await each.screen("controls")
            await each.page.fill("#holder", name)
        await looker.page.click("#take")
        await other.page.wait_for_selector("#control:text('bat')")
        refused = await other.page.is_disabled("#take")
        await other.page.click("#take-over")
        await other.page.fill("dialog [name=reason]", "change of shift")
        await other.page.click("dialog button[type=submit]")
        await looker.page.wait_for_selector("#control:text('li')")
        await looker.page.screenshot(path=fleet.shots / "control.png")
        await other.page.wait_for_selector("#control.mine")

        assert refused
        assert await looker.page.locator("#control.mine").count() == 0
        assert other.complaints == []
        # Who renews at the very moment at which he is relieved is refused, once, and the browser says so by itself.
        assert looker.complaints in ([], ["Failed to load resource: the server responded with a status of 409 (Conflict)"])


async def test_who_took_control_keeps_it_though_the_picture_still_shows_another(looker: Looker) -> None:
    """The picture of the fleet may be older than the server's answer: dropped for that, a lease just taken would run out unseen."""
    page = looker.page
    await looker.screen("controls")
    await page.fill("#holder", "dorj")
    await page.click("#take:enabled")
    await page.wait_for_selector("#control.mine")

    older = "Object.defineProperty(fleet, 'control', { configurable: true, get: () => ({ holder: 'bat' }), set: () => {} })"
    async with page.expect_response("**/api/do/renew_control") as renewed:
        await page.evaluate(f"() => {{ {older} }}")
    answer = await renewed.value
    assert answer.ok, await answer.text()
    await page.evaluate(
        "() => Object.defineProperty(fleet, 'control', { configurable: true, writable: true, enumerable: true, value: null })"
    )
    await page.wait_for_selector("#control.mine")

    assert looker.complaints == []


async def test_a_lane_is_closed_and_opened_and_comes_first_meanwhile(looker: Looker) -> None:
    """What somebody closed must not be forgotten among hundreds of lanes."""
    page = looker.page
    await looker.screen("controls")
    await page.click("tr[data-key=nb_1000] button:first-child, tr[data-key=mn_round] button:first-child")
    await page.fill("dialog [name=reason]", "snow")
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector("tbody tr:first-child .bad")
    await looker.screen("corridor")
    await page.wait_for_selector("#screen[data-closed='1']")
    await looker.screen("controls")
    await page.click("tbody tr:first-child button:first-child")
    await page.wait_for_selector("tbody tr:first-child .good")

    assert looker.complaints == []


async def test_the_page_is_worked_without_a_mouse(looker: Looker) -> None:
    """Gloves, a broken mouse, one hand on the telephone."""
    page = looker.page
    await page.keyboard.press("3")
    await page.wait_for_selector("tr[data-key=t003]")
    await page.keyboard.press("/")
    await page.keyboard.type("t003")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#detail h1:text('t003')")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#detail", state="hidden")

    assert looker.complaints == []


async def test_without_webgl_a_plain_drawing_says_so(fleet: Fleet) -> None:
    """A corridor is shown on whatever stands in the room."""
    async with browser(webgl=False) as plain, looking(plain, fleet.page, **DESK) as looker:
        await looker.page.wait_for_selector("#screen[data-map=svg][data-trucks='24'] svg circle[data-truck]")
        told = await looker.page.is_visible("#no-webgl")
        await looker.page.screenshot(path=fleet.shots / "no-webgl.png")

    assert told
