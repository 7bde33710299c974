"""Who knocks at a server before a truck connects."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from fleet.onboard.link.knock import KNOCK_PERIOD_S, KNOCK_WITHIN_S, doorstep, somebody_opens
from tests.fleet.breakable import Breakable, breakable


@pytest.mark.parametrize(
    ("server", "door"),
    [
        ("127.0.0.1:50051", ("127.0.0.1", 50051)),
        ("[::1]:50051", ("::1", 50051)),
        ("localhost:50051", None),
        ("control.example:50051", None),
        ("dns:///10.0.0.1:50051", None),
        ("unix:/run/khulan.sock", None),
        ("10.0.0.1", None),
        ("10.0.0.1:", None),
    ],
)
def test_only_an_address_is_knocked_at(server: str, door: tuple[str, int] | None) -> None:
    """A name, whatever asks for it, is gRPC's to call."""
    assert doorstep(server) == door


async def taken_by(line: Breakable) -> None:
    """Somebody takes connections at the far end, so that the line passes them on."""
    door = doorstep(line.address)
    assert door is not None
    await somebody_opens(door)


def knocking() -> int:
    """How many knocks are under way."""
    return sum(task.get_coro().__name__ == "_knock" for task in asyncio.all_tasks())  # type: ignore[union-attr]


@pytest.fixture
def nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


async def test_whoever_opens_answers_and_no_knock_is_left(nobody: str) -> None:
    """The line itself takes connections, whoever is behind it."""
    async with breakable(nobody) as line:
        await taken_by(line)

        assert knocking() == 0


@pytest.mark.parametrize("breaks", [Breakable.cut, Breakable.drop])
async def test_nobody_answers_until_the_line_is_mended(nobody: str, breaks: Callable[[Breakable], Awaitable[None]]) -> None:
    """Refused, or not answered at all: those who knock go on, a few at a time, and the mended line answers."""
    async with breakable(nobody) as line:
        await breaks(line)
        answered = asyncio.create_task(taken_by(line))
        most = 0
        for _ in range(int(2 * KNOCK_WITHIN_S / KNOCK_PERIOD_S)):
            await asyncio.wait({answered}, timeout=KNOCK_PERIOD_S)
            most = max(most, knocking())
        assert not answered.done()

        await line.mend()
        await answered

        assert most <= KNOCK_WITHIN_S / KNOCK_PERIOD_S + 1


async def test_who_gives_up_leaves_no_knock_behind(nobody: str) -> None:
    """A truck that is switched off meanwhile ends them all."""
    async with breakable(nobody) as line:
        await line.drop()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(taken_by(line), 2 * KNOCK_PERIOD_S)

        assert knocking() == 0
        await line.mend()
