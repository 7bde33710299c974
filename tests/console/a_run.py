"""A run of ten trucks, a few minutes long, with everything that `fleet sim run --out` leaves of it, and a console that shows it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sim_harness.bench.process import process
from sim_harness.day import Wish, run_day
from sim_harness.scenario import load_scenario
from sim_harness.spawn import COMMAND

HOURS = 0.15
TRUCKS = 10


def record(out: Path) -> Path:
    """Runs it, and returns its folder."""
    run_day(load_scenario("mandula", (), seed=1, hours=HOURS), Wish(out=out, pages=False), lambda _: None)
    return out


@contextmanager
def shown(folder: Path) -> Iterator[str]:
    """The address of `fleet console --replay`, in a process of its own."""
    with process(*COMMAND, "console", "--replay", str(folder), "--listen", "127.0.0.1:0") as console:
        yield f"http://{console.address}"


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
