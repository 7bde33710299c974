"""
What the console's page costs the browser, screen by screen, with a thousand trucks told twice a second.

The trucks are made up by a stand-in for the server, on a real site's map; the console is the real one, in a process of its own, and the
browser a headless chromium that draws without a graphics card. Times are of the CPU of the page's main thread, as the browser counts it.
An update is shown once every watcher of the page has returned; the page falls behind when more are told than shown, or when what it
shows grows old.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final
from urllib.request import urlopen

from sim_harness.bench.measure import Figure, NotHere, Outcome
from sim_harness.bench.process import process
from sim_harness.bench.streams import SITE
from sim_harness.spawn import COMMAND

TRUCKS: Final = 1000
PER_S: Final = 2
SETTLE_MS: Final = 3000
ROUND_S: Final = 8.0
# An update may keep the main thread so long: a click is then answered before a person notices.
GOAL_MS: Final = 100.0
SCREENS: Final = re.compile(r"const SCREENS = \{([^}]*)\}")
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
)  # fmt: skip
# Counts what was shown, and how old it was: the page's own watchers ran before this one.
COUNT: Final = """async () => {
  const { fleet, watch } = await import("/static/state.js");
  window.seen = { ticks: new Set(), ages: [] };
  watch(() => {
    if (window.seen.ticks.has(fleet.tick)) return;
    window.seen.ticks.add(fleet.tick);
    window.seen.ages.push(Date.now() - fleet.time_ms);
  });
}"""
TAKE: Final = """async () => {
  const { ages } = window.seen;
  window.seen.ages = [];
  const { number } = await (await fetch("/healthz")).json();
  return { ages, number };
}"""
METRICS: Final = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One screen: updates told and shown, main-thread milliseconds by kind, bytes, and how old what was shown was."""

    told: int
    shown: int
    spent_ms: dict[str, float]
    bytes_per_s: float
    age_ms: float

    def each_ms(self, kind: str) -> float:
        """Of one update."""
        return self.spent_ms[kind] / max(1, self.shown)


def chromium() -> str | None:
    """Where a browser is; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name)) is not None), None)


async def _metrics(devtools: Any) -> dict[str, float]:
    found = {each["name"]: each["value"] for each in (await devtools.send("Performance.getMetrics"))["metrics"]}
    return {name: 1000.0 * found[name] for name in METRICS}


async def _look(page: Any, devtools: Any, address: str, screen: str, seconds: float) -> Seen:
    octets = [0]
    devtools.on("Network.dataReceived", lambda event: octets.__setitem__(0, octets[0] + event["dataLength"]))
    await page.goto(f"{address}#{screen}")
    await page.reload()
    await page.wait_for_timeout(SETTLE_MS)
    await page.evaluate(COUNT)
    begun, before, began_s = await page.evaluate(TAKE), await _metrics(devtools), time.monotonic()
    octets[0] = 0
    await page.wait_for_timeout(1000.0 * seconds)
    seen, after, took_s = await page.evaluate(TAKE), await _metrics(devtools), time.monotonic() - began_s
    return Seen(
        told=seen["number"] - begun["number"],
        shown=len(seen["ages"]),
        spent_ms={name: after[name] - before[name] for name in METRICS},
        bytes_per_s=octets[0] / took_s,
        age_ms=median(seen["ages"]) if seen["ages"] else float("inf"),
    )


def _screens(address: str) -> list[str]:
    """Every screen that the page has."""
    with urlopen(f"{address}static/main.js", timeout=10) as answer:  # noqa: S310 - an address of our own
        found = SCREENS.search(answer.read().decode())
    assert found is not None, "the page lists its screens"
    return [name.strip() for name in found[1].split(",") if name.strip()]


async def _browse(address: str, seconds: float, only: tuple[str, ...]) -> dict[str, Seen]:
    try:
        from playwright.async_api import async_playwright  # noqa: PLC0415 - only this needs a browser
    except ImportError as missing:
        raise NotHere("playwright is not installed; it comes with khulan[dev]") from missing
    path = chromium()
    if path is None:
        raise NotHere("there is no chromium on this machine; on Debian, apt-get install chromium")
    found = {}
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=list(FLAGS))
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        await devtools.send("Network.enable")
        for screen in only or _screens(address):
            found[screen] = await _look(page, devtools, address, screen, seconds)
        await browser.close()
    return found


@contextmanager
def page_of(trucks: int) -> Iterator[str]:
    """The address of a console's page that shows so many made-up trucks."""
    with (
        process(sys.executable, "-m", "sim_harness.bench.made_up", SITE, str(trucks)) as server,
        process(*COMMAND, "console", "--server", server.address, "--listen", "127.0.0.1:0") as console,
    ):
        yield f"http://{console.address}/"


def page(trucks: int = TRUCKS, seconds: float = ROUND_S, only: tuple[str, ...] = ()) -> Outcome:
    """
    Measures every screen for *seconds*, or those of *only*.

    Raises:
        NotHere: there is nothing to look with.
    """
    with page_of(trucks) as address:
        seen = asyncio.run(_browse(address, seconds, only))
    figures = []
    for screen, each in seen.items():
        figures += [
            Figure(name=f"{screen}: main thread an update", ours=each.each_ms("TaskDuration"), reference=None, unit="ms", goal=GOAL_MS),
            Figure(name=f"{screen}: of it script", ours=each.each_ms("ScriptDuration"), reference=None, unit="ms"),
            Figure(
                name=f"{screen}: of it layout and style",
                ours=each.each_ms("LayoutDuration") + each.each_ms("RecalcStyleDuration"),
                reference=None,
                unit="ms",
            ),
            Figure(
                name=f"{screen}: updates shown of those told",
                ours=each.shown,
                reference=each.told,
                unit="",
                ratio=each.shown / max(1, each.told),
            ),
            Figure(name=f"{screen}: how old when shown", ours=each.age_ms, reference=None, unit="ms"),
            Figure(name=f"{screen}: received", ours=each.bytes_per_s / 1000.0, reference=None, unit="kB/s"),
        ]
    return Outcome(
        bench="page",
        about=f"{trucks} made-up trucks on {SITE}'s map from a stand-in for the server, told {PER_S} times a second; headless chromium",
        figures=tuple(figures),
    )
