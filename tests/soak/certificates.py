"""
Certificates under load, with figures: a hundred trucks while their site's CA is replaced, and how long who is nobody is still obeyed.

`python -m tests.soak.certificates --trucks 100 --cuts 20`. Server and trucks share one process and one loop, which is harder on both
than machines of their own. Exit 1 when a stream is lost, or when somebody is obeyed for more than two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console

from fleet.principal import Role
from fleet.site import load_site
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.rotation import Fleet, rotate_under, under_way
from tests.fleet.secured import fault_of

SITE: Final = "ganqimaodu"
OBEYED_MAX_S: Final = 2.0
ENDS_AFTER: Final = timedelta(seconds=3)

_console = Console(highlight=False, width=140)


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


async def soak(trucks: int, cut_count: int) -> bool:
    """Whether everything held; figures go to the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        async with under_way(Path(folder), trucks, load_site(SITE)) as fleet:
            lost = await rotate_under(fleet)
            silence_s = max(each.silence_max_s for each in fleet.hardware)
            _console.print(f"CA replaced under {trucks} trucks: {lost} streams lost, longest silence of the server {silence_s:.2f} s")
            found = await cuts(fleet, cut_count)
    sound = lost == 0
    for reason in ("CertificateRevoked", "CertificateExpired"):
        after_s = sorted(seconds for named, seconds in found if named == reason)
        sound &= len(after_s) == cut_count and after_s[-1] <= OBEYED_MAX_S
        median_s, worst_s = (after_s[len(after_s) // 2], after_s[-1]) if after_s else (float("nan"), float("nan"))
        _console.print(
            f"{reason}: {len(after_s)} of {cut_count} cut off, after {median_s:.2f} s in the middle, {worst_s:.2f} s at the latest"
        )
    return sound


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trucks", type=int, default=100)
    options.add_argument("--cuts", type=int, default=20)
    given = options.parse_args()
    sys.exit(0 if asyncio.run(soak(given.trucks, given.cuts)) else 1)
