from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fleet.server.limits import MESSAGES_BURST, MESSAGES_PER_TICK_MAX, TICKS_PER_S
from tests.fleet.attackers import KINDS
from tests.fleet.siege import MEMORY_MORE_MIB, Fared, Siege, begun, besieged

BEFORE_S = 1.0
ATTACK_S = 2.0
WITHIN_S = 90.0
# What a client may write before it notices that nobody reads on: windows of the transport and buffers on both sides, by stream.
UNREAD_MESSAGES = 3000
FLOODING_STREAMS = 4

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("hostile")]


@pytest.fixture(scope="module")
async def siege(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Siege]:
    """One server and its sound trucks for the whole file; a reader that never reads is there from the beginning."""
    async with besieged(tmp_path_factory.mktemp("siege") / "data") as siege:
        slow = await begun("slow_reader", siege.server.address, WITHIN_S)
        yield siege
        if slow.returncode is None:
            slow.kill()
        await slow.wait()


def was_turned_away(fared: Fared) -> bool:
    """Whether the attacker met the limit that is there for him."""
    counts = fared.counts
    match fared.kind:
        case "flood_calls":
            return counts["RESOURCE_EXHAUSTED"] > 0
        case "flood_reports":
            allowed = FLOODING_STREAMS * (MESSAGES_BURST + MESSAGES_PER_TICK_MAX * TICKS_PER_S * ATTACK_S)
            return counts["sent"] < 2 * allowed + FLOODING_STREAMS * UNREAD_MESSAGES
        case "bombs":
            return counts["UNIMPLEMENTED"] == counts["sent"] > 0
        case "silent" | "garbage_bytes" | "oversize":
            return counts["cut"] == counts["sent"] > 0
        case "garbage_messages":
            return counts["cut"] > 0
    # Frames that the transport must take: nobody may notice, and that is all.
    return counts["sent"] > 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "slow_reader"])
async def test_one_hostile_client_does_not_hurt_the_rest(siege: Siege, kind: str) -> None:
    """Whoever can reach the port can try; the sound ones are heard and answered, and the server stays as small as it was."""
    fared = await siege.attack(kind, BEFORE_S, ATTACK_S)
    print(fared)  # noqa: T201 - figures, for whoever asks with -s; how prompt it is, is asserted by the long version

    assert fared.deaf == ()
    assert fared.refused == ()
    assert fared.silenced == 0
    assert fared.memory_more_mib <= MEMORY_MORE_MIB
    assert was_turned_away(fared), fared.counts


async def test_a_reader_that_never_reads_is_cut_off_and_said(siege: Siege) -> None:
    """It answered pings all the while: only that it took nothing gives it away."""
    async with asyncio.timeout(WITHIN_S):
        while not any("readers" in line for line in siege.server.said("input_shed")):
            await siege.attack("garbage_bytes", 0.2, 0.2)

    assert siege.server.runs
