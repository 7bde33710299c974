"""A real browser on this machine: Debian's chromium, without a screen, a graphics card or a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from sim_harness.bench.page import chromium

QUIET: Final = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# Drawn by the processor, where there is no card.
DRAWN: Final = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
UNDRAWN: Final = ("--disable-gpu", "--disable-3d-apis")
WITHIN_MS: Final = 60_000
# Chromium without a graphics card says so of every picture that is taken of the map.
NO_CARD: Final = "GPU stall due to ReadPixels"


@asynccontextmanager
async def browser(*, webgl: bool = True) -> AsyncIterator[Browser]:
    """A browser that is gone afterwards."""
    path = chromium()
    assert path is not None, "collected only where there is one"
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=path, args=[*QUIET, *(DRAWN if webgl else UNDRAWN)])
        try:
            yield found
        finally:
            await found.close()


class Looker:
    """One person at one page: what it complained of, and whom it asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(WITHIN_MS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and NO_CARD not in message.text:
            self.complaints.append(message.text)

    async def screen(self, name: str) -> None:
        """Opens a screen."""
        await self.page.evaluate("name => { location.hash = name }", name)
        await self.page.wait_for_selector(f"nav a[aria-current][href='#{name}']")

    async def open(self, address: str) -> None:
        """Opens the page, and waits until it sees the fleet and may steer."""
        await self.page.goto(address)
        await self.page.evaluate("import('/static/state.js').then((state) => { window.fleet = state.fleet })")
        await self.until("fleet.site !== null && fleet.trucks.size > 0 && fleet.steers")

    async def fleet(self, question: str) -> Any:
        """What the page knows: *question* is an expression about `fleet`."""
        return await self.page.evaluate(f"() => {question}")

    async def until(self, question: str) -> None:
        """Waits until that is so; a promise would be taken for a yes."""
        await self.page.wait_for_function(f"() => Boolean({question})", polling=250)


@asynccontextmanager
async def looking(browser: Browser, address: str, **how: Any) -> AsyncIterator[Looker]:
    """Somebody who has just opened the page and sees the fleet."""
    context: BrowserContext = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en", **how})
    try:
        looker = Looker(await context.new_page())
        await looker.open(address)
        yield looker
    finally:
        await context.close()
