"""
Virtual time, and chance by name.

Every draw comes from a stream named for an entity and a purpose ("truck-007", "position noise"), all grown from one seed. A
stream does not depend on which other streams exist or how much they were used, so two policies meet the same day.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from sim_harness.observation import FloatArray

TICK_NS: Final = 100_000_000
BLOCK: Final = 512


class VirtualClock:
    """Simulated nanoseconds since opening time; moves only when told."""

    def __init__(self) -> None:
        self._tick = 0

    @property
    def tick(self) -> int:
        """Ticks run so far."""
        return self._tick

    @property
    def now_ns(self) -> int:
        """Simulated time."""
        return self._tick * TICK_NS

    @property
    def now_s(self) -> float:
        """Simulated time in seconds."""
        return self._tick / 10.0

    def advance(self) -> int:
        """Move on by one tick and return the new time in nanoseconds."""
        self._tick += 1
        return self.now_ns


class Streams:
    """Named random streams of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def stream(self, entity: str, purpose: str) -> np.random.Generator:
        """Return a fresh generator for *purpose* of *entity*; the same names always give the same draws."""
        name = hashlib.sha256(f"{entity}\x00{purpose}".encode()).digest()
        words = [int.from_bytes(name[at : at + 4], "little") for at in range(0, 16, 4)]
        return np.random.default_rng(np.random.SeedSequence([self._seed, *words]))


class NormalColumns:
    """
    Standard normal draws, one named stream a row, handed out a column at a time.

    Drawn in blocks, since a call into a generator costs far more than a number.
    """

    def __init__(self, streams: Streams, entities: tuple[str, ...], purpose: str) -> None:
        self._generators = [streams.stream(entity, purpose) for entity in entities]
        self._block = np.empty((BLOCK, len(entities)), dtype=np.float64)
        self._next = BLOCK

    def draw(self) -> FloatArray:
        """The next number of every row, (n,); the array is overwritten some draws later."""
        if self._next == BLOCK:
            for row, generator in enumerate(self._generators):
                self._block[:, row] = generator.standard_normal(BLOCK)
            self._next = 0
        self._next += 1
        column: FloatArray = self._block[self._next - 1]
        return column
