"""
Who else uses gates, rails and bays: manned trucks that officers serve too, trains, and cranes that work for several bays.

Each is a small machine on the plant's agenda. What the server may know of them it hears as ever: a gate that is not proven open
yet, a bay where somebody is working.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.corridor import Corridor
from sim_harness.parts import CranePart, LevelCrossingPart, MannedPart

# A gate opens no more so long before a train: who has it open by then is off the rails in time (assumed).
TRAIN_WARNING_S: Final = 60.0
# How often a train that is held at its signal looks whether the rails are free.
TRAIN_LOOKS_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a scenario says of it; nothing by default."""

    manned: tuple[MannedPart, ...] = ()
    level_crossings: tuple[LevelCrossingPart, ...] = ()
    cranes: tuple[CranePart, ...] = ()


NO_TRAFFIC: Final = Traffic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """The plant's: *after* so many seconds do something, and the time *now_s*."""

    after: Callable[[float, Callable[[], None]], None]
    now_s: Callable[[], float]


def gates_named(corridor: Corridor, name: str) -> tuple[str, ...]:
    """The gate of this name, or those side by side whose names are this and a number; none for none."""
    ids = [gate.gate_id for gate in corridor.gates]
    return tuple(gate_id for gate_id in ids if gate_id == name or gate_id.rpartition("_")[0] == name)


class MannedQueues:
    """
    Manned trucks at a group of gates: they come at random moments and choose the gate that will be free first.

    Each gate serves one truck at a time, ours and others in the order of their coming.
    """

    def __init__(
        self, gate_ids: Sequence[str], per_h: float, draw_s: Callable[[str], float], rng: np.random.Generator, agenda: Agenda
    ) -> None:
        self._free_s = dict.fromkeys(gate_ids, 0.0)
        self._mean_s = 3600.0 / per_h
        self._draw_s = draw_s
        self._rng = rng
        self._agenda = agenda
        self.served = 0
        self._await()

    def __contains__(self, gate_id: str) -> bool:
        return gate_id in self._free_s

    def done_in_s(self, gate_id: str, service_s: float) -> float:
        """Seconds until a truck that comes to *gate_id* now has been served."""
        now_s = self._agenda.now_s()
        self._free_s[gate_id] = max(self._free_s[gate_id], now_s) + service_s
        return self._free_s[gate_id] - now_s

    def _await(self) -> None:
        self._agenda.after(float(self._rng.exponential(self._mean_s)), self._comes)

    def _comes(self) -> None:
        gate_id = min(self._free_s, key=lambda known: self._free_s[known])
        self.done_in_s(gate_id, self._draw_s(gate_id))
        self.served += 1
        self._await()


class LevelCrossing:
    """
    Rails across the road: their gates open for nobody while a train is due.

    *halt* and *goes_on* keep gates from opening and let them again; *on_rails* says who has one of them open.
    """

    def __init__(
        self,
        part: LevelCrossingPart,
        agenda: Agenda,
        halt: Callable[[], None],
        goes_on: Callable[[], None],
        on_rails: Callable[[], str | None],
        notice: Callable[..., None],
    ) -> None:
        self._part = part
        self._agenda = agenda
        self._halt = halt
        self._goes_on = goes_on
        self._on_rails = on_rails
        self._notice = notice
        self._held = False
        self._due_s = part.first_min * 60.0
        self._await()

    def _await(self) -> None:
        now_s = self._agenda.now_s()
        self._agenda.after(max(0.0, self._due_s - TRAIN_WARNING_S - now_s), self._halt)
        self._agenda.after(max(0.0, self._due_s - now_s), self._train)

    def _train(self) -> None:
        truck_id = self._on_rails()
        if truck_id is not None:
            if not self._held:
                self._held = True
                self._notice("train_held", gates=list(self._part.gates), truck_id=truck_id)
            self._agenda.after(TRAIN_LOOKS_S, self._train)
            return
        self._held = False
        self._notice("level_crossing_shut", gates=list(self._part.gates))
        self._agenda.after(self._part.shut_min * 60.0, self._clear)

    def _clear(self) -> None:
        self._notice("level_crossing_opened", gates=list(self._part.gates))
        self._goes_on()
        self._due_s = max(self._due_s + self._part.every_min * 60.0, self._agenda.now_s())
        self._await()


class Cranes:
    """Some cranes and the bays that wait for one, first come first served."""

    def __init__(self, count: int, agenda: Agenda) -> None:
        self._free = count
        self._agenda = agenda
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()

    def work(self, seconds: float, done: Callable[[], None]) -> None:
        """A crane works so long at a bay as soon as one is free; then, *done*."""
        self._waiting.append((seconds, done))
        self._begin()

    def _begin(self) -> None:
        if self._free == 0 or not self._waiting:
            return
        self._free -= 1
        seconds, done = self._waiting.popleft()
        self._agenda.after(seconds, lambda: self._end(done))

    def _end(self, done: Callable[[], None]) -> None:
        self._free += 1
        done()
        self._begin()


def crossings_of(parts: Sequence[LevelCrossingPart]) -> Mapping[str, list[str]]:
    """The names under which each gate is halted for trains, by gate."""
    found: dict[str, list[str]] = {}
    for number, part in enumerate(parts):
        for gate_id in part.gates:
            found.setdefault(gate_id, []).append(crossing_name(number))
    return found


def crossing_name(number: int) -> str:
    """Under which name a plant halts the gates of its level crossing of this number."""
    return f"level crossing {number}"
