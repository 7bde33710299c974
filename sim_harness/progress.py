"""
Whether the fleet makes progress: no trucks that wait for each other, none that waits while others are served again and again, none
that drives about and gets nothing done.

The planner's argument says that none of this can happen: who holds a zone can leave it, sections are given in turns, every way ends in
a stand of the truck's own. This watch does not take its word. It looks every few seconds, asks who waits for whom (`waits`), and
says what stands still truck by truck. What a person, an office, work or opening time holds back makes no case: whoever waits for such a
truck waits for something that ends by itself.

Trucks in a ring stand whatever else is the matter. All other clocks run only while nothing is wrong: after a breakdown a long wait
is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.server.fleet_view import FleetView
from planner.authority import Cause
from planner.corridor import Corridor
from sim_harness.books import STANDING_MPS, Books
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import TICK_S, FlagArray, FloatArray, IndexArray, Roster, TickView
from sim_harness.waits import AT_REST, KINDS, TROUBLE, Wait, Waits, chain, cycle, locked

# Often enough to tell waits apart, seldom enough to cost nothing.
LOOK_TICKS: Final = 100
# Who has not come further than this between two looks stands, though it may have crept.
STANDS_M: Final = 0.5
LOOK_S: Final = LOOK_TICKS * TICK_S
# A ring is one the moment it closes; that it still stands after so long rules out a glance between two decisions.
LOCKED_S: Final = 120.0
# A ring never opens by itself. What others still do beside one ends within this: work at a bay, a scan, what is left of their ways.
STANDSTILL_ENDS_S: Final = 3_600.0
# Who stands for something that nobody keeps from it has been forgotten. Decisions come once in five seconds at most, and a section goes
# to the other side 45 s after nobody came: this is several times as long.
IDLE_S: Final = 300.0
# A zone is passed in seconds, and claims take their turns by age: a queue of many claims before one crossing takes a few minutes.
ZONE_S: Final = 900.0
# A one-lane section goes to and fro: two batches each way, each as long as the section's patience, at the speed of a loaded truck uphill.
ZONE_SLOW_MPS: Final = 10.0 / 3.6
ZONE_TURNS: Final = 6.0
# For a stand or a bay trucks queue, nearer ones first by a minute or two. Who waits this long while one and the same truck came later and
# was served twice is passed over for good.
STARVED_S: Final = 900.0
STARVED_TURNS: Final = 2
# A bay that works and is free stays so for as long as the queue's head drives up to it: this is several times as long.
UNUSED_S: Final = 900.0
# Steps of missions. Between two of its own a truck needs no lane twice, but for a detour by a parking stand.
STEP_WAYS: Final = 2.0
_POOLED: Final = frozenset({Cause.SLOT, Cause.STAND, Cause.GATE})
# What a gate or a keeper of stands does is not seen from here; that it comes to an end is looked at where it is done.
_UNSEEN: Final = frozenset({Cause.SLOT, Cause.GATE, Cause.INSPECTION})


@dataclass(slots=True, kw_only=True)
class Standstill:
    """
    Progress that was not made: since when, which trucks, and what each of them waits for.

    *server_says* of the first of them why it stands, "" for nothing: whoever reads of it need not ask again.
    """

    time_s: float
    truck_ids: tuple[str, ...]
    sentence: str
    server_says: str = ""

    @property
    def told(self) -> str:
        """The whole of it for people."""
        return f"{self.sentence}. The server says: {self.server_says}" if self.server_says else self.sentence


@dataclass(slots=True)
class _Queueing:
    """
    A truck that waits for what several may have: since when, and how often others that came later were served before it.

    *steps* of its missions so far: on its way from a stand to the end of a queue it moves, and still waits for the same.
    """

    cause: Cause
    place_id: str
    since_s: float
    steps: int
    passed_by: dict[int, int]


class ProgressWatch:
    """
    Looks at one fleet.

    *found* are the standstills so far, *longest_wait_s* the longest that a truck stood for other trucks. *standstill_since_s* is when the
    last truck came to a stand of a fleet in which trucks keep one another for good, None while anybody moves.
    """

    def __init__(self, roster: Roster, fleet: FleetColumns, books: Books) -> None:
        count = len(roster.truck_ids)
        self._truck_ids = roster.truck_ids
        self._waits = Waits(roster, fleet)
        self._books = books
        self._yard_of = {stand.stand_id: stand.yard_id for stand in roster.corridor.stands}
        self._zone_s = _zone_bounds_s(roster.corridor)
        self._ways_m = STEP_WAYS * _ways_m(roster.corridor)
        self._nose_m: FloatArray = np.full(count, np.nan)
        self._stood_s: FloatArray = np.zeros(count)
        # Of that, the time in which a server was there to name what each stands for: nobody waits for anybody before one is.
        self._named_s: FloatArray = np.zeros(count)
        # Standing for the present cause while nothing is wrong, and nobody is seen to keep it, or its holders move.
        self._idle_s: FloatArray = np.zeros(count)
        self._zone_wait_s: FloatArray = np.zeros(count)
        self._queueing: dict[int, _Queueing] = {}
        # Yards where trucks wait for a bay while one is free: who has the others, and for how long that has not changed.
        self._unused: dict[str, tuple[tuple[int, ...], float]] = {}
        self._steps: IndexArray = np.zeros(count, np.int32)
        self._step_m: FloatArray = np.full(count, np.nan)
        self._known: set[tuple[int, ...]] = set()
        self.found: list[Standstill] = []
        self.longest_wait_s = 0.0
        self.standstill_since_s: float | None = None

    def look(self, view: TickView, server: FleetView | None, *, calm: bool) -> Sequence[Standstill]:
        """
        One look at the truth and at what the *server* names, None where there is none to ask; what is found anew.

        *calm*: nothing is wrong; nobody's clock but those of rings runs while something is.
        """
        known = len(self.found)
        stands = (view.speed_mps < STANDING_MPS) & (np.abs(view.nose_path_m - self._nose_m) < STANDS_M)
        self._nose_m[:] = view.nose_path_m
        self._stood_s = np.where(stands, self._stood_s + LOOK_S, 0.0)
        self._named_s = np.where(stands, self._named_s + LOOK_S, 0.0) if server is not None else np.zeros_like(self._named_s)
        calm = calm and (server is None or not np.isin(server.cause[server.standing], list(TROUBLE)).any())
        self._watch_steps(view, calm=calm)
        rows = np.flatnonzero(stands).tolist()
        waits = {} if server is None else self._waits.of(server, rows)
        self._watch_rings(view.time_s, waits, view.laden)
        self._watch_idle(view.time_s, waits, calm=calm)
        self._watch_queues(view.time_s, waits, calm=calm)
        self._watch_bays(view.time_s, waits, calm=calm)
        resting = {row for row, wait in waits.items() if wait.cause is AT_REST}
        for row, wait in waits.items():
            # An empty truck that finds every stand at home taken by trucks with nothing to do is not missed there either.
            missed = view.laden[row] or not wait.on or not resting.issuperset(wait.on)
            if row not in resting and missed:
                self.longest_wait_s = max(self.longest_wait_s, float(self._stood_s[row]))
        return self.found[known:]

    def _find(self, time_s: float, rows: tuple[int, ...], sentence: str) -> None:
        """Tell of a standstill, once for the same trucks."""
        if rows not in self._known:
            self._known.add(rows)
            truck_ids = tuple(self._truck_ids[row] for row in rows)
            self.found.append(Standstill(time_s=time_s, truck_ids=truck_ids, sentence=sentence))

    def _watch_rings(self, time_s: float, waits: Mapping[int, Wait], laden: FlagArray) -> None:
        """Trucks that all wait for one another, or for trucks at rest."""
        stood = {row: wait for row, wait in waits.items() if self._named_s[row] >= LOCKED_S}
        rows = locked({row: wait for row, wait in stood.items() if wait.cause is not AT_REST})
        if not rows:
            self._watch_laden(time_s, stood, laden)
            return
        ring = cycle(waits, rows)
        told = [self._waits.sentence(waits[row], [after]) for row, after in zip(ring, [*ring[1:], ring[0]], strict=True)]
        if (stood_s := float(self._named_s.min())) >= STANDSTILL_ENDS_S:
            self.standstill_since_s = time_s - stood_s
        others = f"; {len(rows) - len(ring)} more wait for them" if len(rows) > len(ring) else ""
        self._find(time_s, tuple(sorted(ring)), "; ".join(told) + others)

    def _watch_laden(self, time_s: float, waits: Mapping[int, Wait], laden: FlagArray) -> None:
        """Laden trucks that wait, at last, for one that has nothing to do: their containers stay where they are."""
        rows = locked(waits)
        for row in rows:
            if laden[row]:
                way = chain(waits, rows, row)
                told = [self._waits.sentence(waits[each], [after]) for each, after in zip(way, [*way[1:], way[-1]], strict=True)]
                self._find(time_s, (row,), "; ".join(told))
                return

    def _watch_idle(self, time_s: float, waits: Mapping[int, Wait], *, calm: bool) -> None:
        """Trucks that wait for nobody, and trucks before a zone through which others drive."""
        for row in range(len(self._truck_ids)):
            wait = waits.get(row)
            if wait is None or wait.cause is AT_REST or not calm:
                self._idle_s[row] = self._zone_wait_s[row] = 0.0
                continue
            unseen = wait.cause in _UNSEEN
            self._idle_s[row] = 0.0 if wait.on or unseen else self._idle_s[row] + LOOK_S
            if self._idle_s[row] >= IDLE_S:
                self._find(time_s, (row,), f"{self._waits.sentence(wait, ())} for {self._idle_s[row]:.0f} s")
            drives_by = wait.cause is Cause.ZONE and all(self._stood_s[other] == 0.0 for other in wait.on)
            self._zone_wait_s[row] = self._zone_wait_s[row] + LOOK_S if drives_by else self._zone_wait_s[row]
            if wait.cause is not Cause.ZONE:
                self._zone_wait_s[row] = 0.0
            elif self._zone_wait_s[row] >= self._zone_s[wait.place_id]:
                said = (
                    f"{self._truck_ids[row]} waits for zone {wait.place_id} while others drive through, for {self._zone_wait_s[row]:.0f} s"
                )
                self._find(time_s, (row,), said)

    def _watch_queues(self, time_s: float, waits: Mapping[int, Wait], *, calm: bool) -> None:
        """Trucks that others pass by in a queue for bays, stands or gates."""
        if not calm:
            self._queueing.clear()
            return
        for row, queueing in list(self._queueing.items()):
            wait = waits.get(row)
            if self._books.steps[row] != queueing.steps:
                del self._queueing[row]
                self._served(row, queueing)
            elif wait is not None and (wait.cause, wait.place_id) != (queueing.cause, queueing.place_id):
                del self._queueing[row]
        for row, wait in waits.items():
            if wait.cause in _POOLED:
                new = _Queueing(wait.cause, wait.place_id, time_s, int(self._books.steps[row]), {})
                queueing = self._queueing.setdefault(row, new)
                often = max(queueing.passed_by, key=queueing.passed_by.__getitem__, default=row)
                if time_s - queueing.since_s >= STARVED_S and queueing.passed_by.get(often, 0) >= STARVED_TURNS:
                    said = f"{self._waits.sentence(wait, wait.on)} for {time_s - queueing.since_s:.0f} s"
                    self._find(time_s, (row,), f"{said}, while {self._truck_ids[often]} came later and was served twice")

    def _watch_bays(self, time_s: float, waits: Mapping[int, Wait], *, calm: bool) -> None:
        """Yards in which trucks wait for a bay, one is free, no machine is out of order, and nobody comes or goes."""
        unseen = {"", *(self._yard_of[bay_id] for bay_id in self._books.broken)}
        waiting: dict[str, list[Wait]] = {}
        for wait in waits.values():
            if calm and wait.cause is Cause.SLOT and not wait.on and wait.place_id not in unseen:
                waiting.setdefault(wait.place_id, []).append(wait)
        self._unused = {yard_id: self._unused.get(yard_id, ((), 0.0)) for yard_id in waiting}
        for yard_id, (before, until_now_s) in self._unused.items():
            there = self._waits.in_bays(yard_id)
            unused_s = until_now_s + LOOK_S if there == before else 0.0
            self._unused[yard_id] = there, unused_s
            if unused_s >= UNUSED_S:
                rows = tuple(sorted(wait.row for wait in waiting[yard_id]))
                said = f"{self._waits.sentence(waiting[yard_id][0], ())} for {unused_s:.0f} s, while a bay of {yard_id} is free"
                self._find(time_s, rows, said)

    def _served(self, row: int, served: _Queueing) -> None:
        for waiting in self._queueing.values():
            same = (waiting.cause, waiting.place_id) == (served.cause, served.place_id)
            if same and waiting.since_s < served.since_s:
                waiting.passed_by[row] = waiting.passed_by.get(row, 0) + 1

    def _watch_steps(self, view: TickView, *, calm: bool) -> None:
        """Trucks that drive and drive."""
        new = (self._books.steps != self._steps) | np.isnan(self._step_m)
        if not calm:
            new[:] = True
        self._steps[:] = self._books.steps
        self._step_m = np.where(new, view.nose_path_m, self._step_m)
        for row in np.flatnonzero(view.nose_path_m - self._step_m > self._ways_m).tolist():
            driven_m = float(view.nose_path_m[row] - self._step_m[row])
            said = f"{self._truck_ids[row]} has driven {driven_m:.0f} m, further than all ways of the site, and has got nothing done"
            self._find(view.time_s, (row,), said)


def _ways_m(corridor: Corridor) -> float:
    """Metres of all ways together, of lanes side by side the longest: no way from one place to another is longer."""
    longest: dict[tuple[str, str], float] = {}
    for lane in corridor.lanes:
        ends = (lane.from_node_id, lane.to_node_id)
        longest[ends] = max(longest.get(ends, 0.0), lane.length_m)
    return sum(longest.values())


def _zone_bounds_s(corridor: Corridor) -> dict[str, float]:
    """How long a truck may wait before each zone while others drive through it."""
    bounds: dict[str, float] = {}
    for zone in corridor.zones:
        first = zone.parts[0].branch
        length_m = sum(part.stretch.end_m - part.stretch.start_m for part in zone.parts if part.branch == first)
        bounds[zone.zone_id] = ZONE_S + ZONE_TURNS * length_m / ZONE_SLOW_MPS
    return bounds


assert KINDS.isdisjoint(TROUBLE)
