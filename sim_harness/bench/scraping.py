"""
What a scraper costs the loop: a server whose metrics somebody reads ten times a second, and one beside which he reads the same text from
a bare HTTP server, in turns: his own work falls on the machine either way.

The server is a process of its own with standing trucks on streams; how long its ticks took, and how late they began, is what it says
itself at the end of each round. A scraper in earnest comes every few seconds.
"""

from __future__ import annotations

import asyncio
import math
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final
from urllib.request import urlopen

from fleet.site import load_site
from sim_harness.bench.load import Load, parking
from sim_harness.bench.measure import Figure, Outcome
from sim_harness.bench.process import Process, process
from sim_harness.bench.streams import SITE
from sim_harness.spawn import COMMAND

TRUCKS: Final = 60
ROUNDS: Final = 2
# The server's quantiles are of its last minute: a round must outlast it.
ROUND_S: Final = 65.0
SCRAPE_PERIOD_S: Final = 0.1
WITHIN_S: Final = 10.0
SAMPLE: Final = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
TICK, LATE = "khulan_tick_minute_seconds", "khulan_tick_late_minute_seconds"


def scraped(address: str) -> Mapping[str, float]:
    """Every sample by its name and labels, as they stand in the text."""
    return {name: float(value) for name, value in SAMPLE.findall(text_of(address).decode())}


def text_of(address: str) -> bytes:
    """What is served there."""
    with urlopen(f"http://{address}/metrics", timeout=WITHIN_S) as answer:
        read: bytes = answer.read()
    return read


@contextmanager
def bare(text: bytes) -> Iterator[str]:
    """The address of a process that serves *text* as its metrics, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "metrics").write_bytes(text)
        # Unbuffered, or nobody hears the port it was given.
        with process(sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder) as server:
            yield server.address


def read_on(address: str, seconds: float) -> int:
    """Scrapes for so long; the answer is how often."""
    began_s = time.monotonic()
    count = 0
    while (left_s := began_s + seconds - time.monotonic()) > 0.0:
        text_of(address)
        count += 1
        time.sleep(max(0.0, min(left_s, began_s + count * SCRAPE_PERIOD_S - time.monotonic())))
    return count


async def _drive(server: Process, metrics: str, rounds: int, round_s: float) -> tuple[dict[bool, list[dict[str, float]]], int]:
    corridor = load_site(SITE)
    load = Load(corridor, parking(corridor)[:TRUCKS], server.address)
    await load.connect()
    reporting = asyncio.create_task(load.report(math.inf))
    seen: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    scrapes = 0
    with bare(await asyncio.to_thread(text_of, metrics)) as elsewhere:
        for at in range(2 * rounds):
            ours = at % 2 == 1
            before_s = server.cpu_s
            count = await asyncio.to_thread(read_on, metrics if ours else elsewhere, round_s)
            spent_s = server.cpu_s - before_s
            scrapes += count if ours else 0
            seen[ours].append({**await asyncio.to_thread(scraped, metrics), "cpu": 1e3 * spent_s / round_s})
    reporting.cancel()
    await asyncio.gather(reporting, return_exceptions=True)
    await load.close()
    return seen, scrapes


def scraping(rounds: int = ROUNDS, round_s: float = ROUND_S) -> Outcome:
    """Measures *rounds* turns of *round_s* each way."""
    serving = (*COMMAND, "serve", "--site", SITE, "--listen", "127.0.0.1:0", "--metrics", "0")
    with tempfile.TemporaryDirectory() as data, process(*serving, "--data", data) as server:
        seen, scrapes = asyncio.run(_drive(server, server.next_address(), rounds, round_s))
    named = {f"a tick, {word}": f'{TICK}{{quantile="{q}"}}' for q, word in (("0.5", "p50"), ("0.99", "p99"))}
    named |= {f"late, {word}": f'{LATE}{{quantile="{q}"}}' for q, word in (("0.5", "p50"), ("0.99", "p99"))}
    return Outcome(
        bench="scraping",
        about=f"{SITE}, {TRUCKS} trucks at 10 Hz, {rounds} times {round_s:g} s each way; {scrapes} scrapes beside as many of a bare server",
        figures=(
            *(_figure(name, seen, key, "ms", 1e3) for name, key in named.items()),
            _figure("CPU of the server a second", seen, "cpu", "ms", 1.0),
        ),
    )


def _figure(name: str, seen: Mapping[bool, list[dict[str, float]]], key: str, unit: str, scale: float) -> Figure:
    ours, reference = (scale * median(found[key] for found in seen[which]) for which in (True, False))
    return Figure(name=name, ours=ours, reference=reference, unit=unit, ratio=ours / reference)
