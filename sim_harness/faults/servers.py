"""What happens to the server itself: killed, frozen, slow, supplanted by another, its journal's disk full."""

from __future__ import annotations

from typing import Final

from sim_harness.faults.scene import Scene
from sim_harness.faults.spec import FaultSpec
from sim_harness.in_memory import InMemoryServer
from sim_harness.observation import TICK_S

# A process keeps its journal to itself: nobody fills the disk under it, takes an old copy of it, or reads it beside another.
IN_MEMORY: Final = frozenset({"second_server", "journal_full", "journal_old"})


def _in_memory(scene: Scene) -> InMemoryServer:
    assert isinstance(scene.server, InMemoryServer), "a process keeps its journal to itself"
    return scene.server


class ServerKilled:
    """It dies, and is started again when the fault ends."""

    def __init__(self, scene: Scene, _spec: FaultSpec) -> None:
        self._server = scene.server

    def begin(self) -> None:
        """Kill it."""
        self._server.kill()

    def tick(self) -> None:
        """It is dead."""

    def end(self) -> None:
        """Start it on the journal it left."""
        self._server.start()


class ServerPaused:
    """It stops in its tracks with its streams up, and goes on when the fault ends."""

    def __init__(self, scene: Scene, _spec: FaultSpec) -> None:
        self._server = scene.server

    def begin(self) -> None:
        """Freeze it."""
        self._server.freeze()

    def tick(self) -> None:
        """It stands still."""

    def end(self) -> None:
        """Thaw it: all that was said to it comes at once."""
        self._server.thaw()


class SecondServer:
    """It freezes, another takes over at once, and the first one wakes up when the fault ends."""

    def __init__(self, scene: Scene, _spec: FaultSpec) -> None:
        self._server = _in_memory(scene)

    def begin(self) -> None:
        """Let another take over."""
        self._server.supplant()

    def tick(self) -> None:
        """One of them decides."""

    def end(self) -> None:
        """Wake the other."""
        self._server.wake_ghost()


class ServerSlow:
    """It decides only now and then."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._server = scene.server
        self._every_ticks = max(2, round(spec.amount / TICK_S))

    def begin(self) -> None:
        """Slow it down."""
        self._server.slow(self._every_ticks)

    def tick(self) -> None:
        """It is slow."""

    def end(self) -> None:
        """Let it keep time again."""
        self._server.slow(1)


class JournalOld:
    """It dies, and is started on a copy of its journal that is some seconds old. Whatever comes, it stays on that."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._server = _in_memory(scene)
        self._old_ticks = max(1, round(spec.amount / TICK_S))

    def begin(self) -> None:
        """Lay the copy in the journal's place."""
        self._server.fall_behind(self._old_ticks)

    def tick(self) -> None:
        """It knows less than it did."""

    def end(self) -> None:
        """Nobody has the newest journal: the day ends with everybody where they stand."""


class JournalFull:
    """The disk takes nothing more."""

    def __init__(self, scene: Scene, _spec: FaultSpec) -> None:
        self._server = _in_memory(scene)

    def begin(self) -> None:
        """Fill it."""
        self._server.set_writable(writable=False)

    def tick(self) -> None:
        """It is full."""

    def end(self) -> None:
        """Make room."""
        self._server.set_writable(writable=True)
