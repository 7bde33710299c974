"""
Lines that break for three, eight and twenty seconds, and peers that freeze: how soon it is noticed, and how soon all is well again.

Each truck is a process of its own, so that each connects again by itself. Promised is that what is gone is noticed within three seconds
by both sides, and that after a mended line streams are back within a second in 95 cases of a hundred, and within two and a half always.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from fleet.server.limits import TICKS_PER_S
from tests.figures import percentile
from tests.fleet.breakable import WAYS
from tests.fleet.outpost import Outpost, now_ns, outpost
from tests.soak.verdict import Verdict, say

TRUCKS: Final = 4
OUTAGES_S: Final = (3.0, 8.0, 20.0)
NOTICED_MAX_S: Final = 3.0
BACK_P95_S: Final = 1.0
BACK_MAX_S: Final = 2.5
REPEATS: Final = 10
FROZEN: Final = "trucks frozen"


@dataclass(slots=True)
class Figures:
    """Seconds, of every truck and every time."""

    server_noticed_s: list[float] = field(default_factory=list)
    trucks_noticed_s: list[float] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        noticed = f"noticed by server {max(self.server_noticed_s):.2f} s, by trucks {max(self.trucks_noticed_s):.2f} s at most"
        back = f"p50 {percentile(self.back_s, 0.5):.2f}, p95 {percentile(self.back_s, 0.95):.2f}, max {max(self.back_s):.2f} s"
        return f"{noticed}; back {back} (n = {len(self.back_s)})"

    def add(self, other: Figures) -> None:
        """Takes the other's figures in."""
        self.server_noticed_s += other.server_noticed_s
        self.trucks_noticed_s += other.trucks_noticed_s
        self.back_s += other.back_s

    def wrongs(self) -> list[str]:
        """What of the promises was not kept."""
        checks = {
            "noticed by the server": (max(self.server_noticed_s), NOTICED_MAX_S),
            "noticed by trucks": (max(self.trucks_noticed_s), NOTICED_MAX_S),
            "back, in 95 of 100": (percentile(self.back_s, 0.95), BACK_P95_S),
            "back, at most": (max(self.back_s), BACK_MAX_S),
        }
        return [f"{what} after {found:.2f} s, not {allowed:g} s" for what, (found, allowed) in checks.items() if found > allowed]


async def lasting(seconds: float) -> None:
    """An outage lasts as long as it lasts."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


async def broken(post: Outpost, seconds: float, breaks: Callable[[], Awaitable[None]], mends: Callable[[], Awaitable[None]]) -> Figures:
    """One outage, from beginning to end."""
    await post.all_well()
    since_ns, tick = now_ns(), post.tick
    await breaks()
    await lasting(seconds)
    await mends()
    mended_ns = now_ns()
    lapsed, lost = await post.trucks_notice(since_ns), await post.server_notices(since_ns)
    back_s = await post.back_after_s(mended_ns)
    return Figures(
        server_noticed_s=[(session.tick - tick) / TICKS_PER_S for session in lost],
        trucks_noticed_s=[contact.silence_s for contact in lapsed],
        back_s=back_s,
    )


def ways(post: Outpost) -> dict[str, tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]]:
    """How contact breaks, and how it is mended."""

    async def freeze() -> None:
        post.send(signal.SIGSTOP)

    async def thaw() -> None:
        post.send(signal.SIGCONT)

    return {**{way: (partial(breaks, post.line), post.line.mend) for way, breaks in WAYS.items()}, FROZEN: (freeze, thaw)}


async def suffered(repeats: int, outages_s: Sequence[float]) -> int:
    """Every way to break, for every time, so often; how many promises were not kept."""
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="khulan-outages-") as folder:
        async with outpost(Path(folder) / "data", TRUCKS, 1) as post:
            for way, (breaks, mends) in ways(post).items():
                whole = Figures()
                for seconds in outages_s:
                    figures = Figures()
                    for _ in range(repeats):
                        figures.add(await broken(post, seconds, breaks, mends))
                    say(f"{way}, {seconds:g} s: {figures}")
                    whole.add(figures)
                # A frozen process is no broken line: when it thaws, it has to find that out first.
                promised = whole if way != FROZEN else Figures(whole.server_noticed_s, [0.0], [0.0])
                for problem in promised.wrongs():
                    wrong += 1
                    say(f"FAILED: {way}: {problem}")
    return wrong


def run() -> Verdict:
    """Ten of each."""
    wrong = asyncio.run(suffered(REPEATS, OUTAGES_S))
    return Verdict(good=not wrong, figures=f"{wrong} promises not kept, {REPEATS} outages of each way and length")
