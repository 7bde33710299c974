"""
Certificates under load, with figures: a hundred trucks while their site's CA is replaced, and how long who is nobody is still obeyed.

Server and trucks share one process and one loop, which is harder on both than machines of their own. No stream may be lost, and nobody
be obeyed for more than two seconds after he has become nobody.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from fleet.principal import Role
from fleet.site import load_site
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.figures import percentile
from tests.fleet.rotation import Fleet, rotate_under, under_way
from tests.fleet.secured import fault_of
from tests.soak.verdict import Verdict

SITE: Final = "ganqimaodu"
TRUCKS: Final = 100
CUTS: Final = 20
OBEYED_MAX_S: Final = 2.0
ENDS_AFTER: Final = timedelta(seconds=3)


async def cut_after_s(fleet: Fleet, name: str, lasts: timedelta, make_nobody: Callable[[], float]) -> tuple[str, float]:
    """How long a watcher of that name is still told things, and why he is told no more; *make_nobody* says when he became nobody."""
    folder = fleet.served.ca.issue(fleet.principal(Role.VIEWER, name), lasts)
    request = d.WatchFleetRequest()
    request.period.nanos = 100_000_000
    watching = dispatch_grpc.DispatchServiceStub(fleet.served.line(folder)).WatchFleet(request)
    await watching.read()
    nobody_s = make_nobody()
    _, reason = await fault_of(watching)
    return reason, time.time() - nobody_s


async def cuts(fleet: Fleet, count: int) -> list[tuple[str, float]]:
    """*count* watchers revoked, and as many whose certificate ends."""

    def revoked(name: str) -> float:
        fleet.served.ca.revoke(name)
        return time.time()

    found = []
    for number in range(count):
        found.append(await cut_after_s(fleet, f"r{number}", timedelta(days=1), lambda name=f"r{number}": revoked(name)))  # type: ignore[misc]
        # A certificate ends at a full second.
        ends_s = float(int(time.time() + ENDS_AFTER.total_seconds()))
        found.append(await cut_after_s(fleet, f"e{number}", ENDS_AFTER, lambda ends_s=ends_s: ends_s))  # type: ignore[misc]
    return found


async def soaked(trucks: int, cut_count: int) -> Verdict:
    """The CA replaced under so many trucks, and so many watchers made nobody in either way."""
    with tempfile.TemporaryDirectory() as folder:
        async with under_way(Path(folder), trucks, load_site(SITE)) as fleet:
            lost = await rotate_under(fleet)
            silence_s = max(each.silence_max_s for each in fleet.hardware)
            found = await cuts(fleet, cut_count)
    good = lost == 0
    figures = [f"CA replaced under {trucks} trucks, {lost} streams lost, longest silence of the server {silence_s:.2f} s"]
    for reason in ("CertificateRevoked", "CertificateExpired"):
        after_s = [seconds for named, seconds in found if named == reason]
        good &= len(after_s) == cut_count and max(after_s) <= OBEYED_MAX_S
        figures.append(
            f"{reason} after {percentile(after_s, 0.5):.2f} s in the middle, {percentile(after_s, 1.0):.2f} s at the latest ({len(after_s)} of {cut_count})"
        )
    return Verdict(good=good, figures="; ".join(figures))


def run() -> Verdict:
    """A hundred trucks."""
    return asyncio.run(soaked(TRUCKS, CUTS))
