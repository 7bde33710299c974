"""
One client that means harm beside fifty sound trucks, for as long as it takes to see whether it hurts them.

Each attack is held against the same trucks in peace right before it. It is bad when a truck is silenced or refused, when answers are
later than the promise in more than one case of a hundred, or when the server grows by more than it may. What is late in peace already
says nothing about an attack: each is repeated while the machine has something else to do, and the round with the quietest peace counts.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.figures import percentile
from tests.fleet.attackers import KINDS
from tests.fleet.raw_attackers import UNBOUNDED
from tests.fleet.siege import MEMORY_MORE_MIB, Fared, Siege, besieged
from tests.soak.verdict import Verdict, say

SECONDS: Final = 20.0
LATE_MAX_MS: Final = 50.0
QUIET_MS: Final = 15.0
ROUNDS_MAX: Final = 3


def wrongs(fared: Fared) -> list[str]:
    """What of the promise was not kept."""
    found = []
    if fared.deaf or fared.refused or fared.silenced:
        found.append(f"{len(fared.deaf)} trucks deaf, {len(fared.refused)} refused, {fared.silenced} silenced")
    late_ms = percentile(fared.during_ms, 0.99)
    if late_ms > LATE_MAX_MS:
        found.append(f"one answer of a hundred came {late_ms:.0f} ms late ({percentile(fared.before_ms, 0.99):.0f} ms in peace)")
    if fared.memory_more_mib > MEMORY_MORE_MIB:
        found.append(f"the server grew by {fared.memory_more_mib:.0f} MiB")
    return found


async def quietest(siege: Siege, kind: str, seconds: float) -> Fared:
    """The attack whose peace before it was the quietest of a few."""
    rounds: list[Fared] = []
    while len(rounds) < ROUNDS_MAX and not (rounds and percentile(rounds[-1].before_ms, 0.99) <= QUIET_MS):
        rounds.append(await siege.attack(kind, seconds / 2, seconds))
    return min(rounds, key=lambda fared: percentile(fared.before_ms, 0.99))


async def suffered(kinds: Sequence[str], seconds: float) -> int:
    """Every attack in turn; how many hurt."""
    hurt = 0
    with tempfile.TemporaryDirectory(prefix="khulan-hostile-") as folder:
        async with besieged(Path(folder) / "data") as siege:
            for kind in kinds:
                fared = await quietest(siege, kind, seconds)
                say(str(fared))
                for wrong in wrongs(fared):
                    known = kind in UNBOUNDED
                    hurt += not known
                    say(f"{'known' if known else 'FAILED'}: {kind}: {wrong}")
            for line in siege.server.said("input_shed"):
                say(f"the server said: {line}")
    return hurt


def run() -> Verdict:
    """Every attack there is."""
    kinds = (*KINDS, *UNBOUNDED)
    hurt = asyncio.run(suffered(kinds, SECONDS))
    return Verdict(good=not hurt, figures=f"{hurt} promises not kept under {len(kinds)} attacks of {SECONDS:g} s")
