"""
One-lane sections at the desk: who comes to each, who is in it, and so how far a truck without its token may go.

`planner.sections` decides whose turn it is, once a second. Here its questions are put together from trucks and paths, its answers become
tokens, and turns become facts. A truck waits before the first section ahead whose token it does not hold; in a section, and until
its authority has left it for good, it keeps the token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fleet.server.columns import FloatColumn
from fleet.server.desk import DeskView
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.reins import NOBODY, Rein
from fleet.server.dispatch.section_turns import turned
from fleet.server.dispatch.trips import Path
from planner.authority import Cause
from planner.limits import SAME_PLACE_M
from planner.one_lane import ROOM_OPEN, Section, Way, sections_of
from planner.sections import Comer, Side, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passing:
    """A section on one truck's path, by its place in the list of sections; path coordinates."""

    at: int
    side: int
    entry_m: float
    exit_m: float


class _Found:
    """What one look finds, by place of the section and side."""

    def __init__(self, count: int) -> None:
        self.comers: list[tuple[list[tuple[float, Comer]], ...]] = [([], []) for _ in range(count)]
        self.inside: list[tuple[set[int], ...]] = [(set(), set()) for _ in range(count)]
        self.clear_s: list[list[float]] = [[0.0, 0.0] for _ in range(count)]


class Sections:
    """The one-lane sections of a corridor; without any, nothing here costs anything."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.sections: tuple[Section, ...] = sections_of(books.corridor, books.lanes)
        self._place_of = {section.zone_ix: at for at, section in enumerate(self.sections)}
        self._leaving = {way.exit_lane: (at, side) for at, section in enumerate(self.sections) for side, way in enumerate(section.ways)}
        self._passings: dict[int, tuple[Path, tuple[_Passing, ...]]] = {}
        # How far each truck might go but for the sections.
        self._free_m: FloatColumn = np.full(books.trucks.capacity, -np.inf)

    def bound(self, row: int, rein: Rein) -> Rein:
        """*rein*, drawn in where the first section begins that the truck may not enter."""
        if not self.sections:
            return rein
        self._free_m[row] = rein.limit_m
        end_m, token = float(self._books.trucks.end_m[row]), int(self._books.reins.token_ix[row])
        for passing in self._ahead(row):
            zone_ix = self.sections[passing.at].zone_ix
            if end_m <= passing.entry_m + SAME_PLACE_M and token != zone_ix:
                return Rein(limit_m=passing.entry_m, cause=Cause.ZONE, ref=zone_ix) if passing.entry_m < rein.limit_m else rein
        return rein

    def _ahead(self, row: int) -> tuple[_Passing, ...]:
        """The sections on the path of *row*, in order."""
        path = self._books.trips.path[row]
        if path is None:
            return ()
        known = self._passings.get(row)
        if known is None or known[0] is not path:
            known = self._passings[row] = (path, self._on(path))
        return known[1]

    def _on(self, path: Path) -> tuple[_Passing, ...]:
        found: list[_Passing] = []
        for k, lane in enumerate(path.lanes):
            if lane in self._leaving:
                at, side = self._leaving[lane]
                way = self.sections[at].ways[side]
                entry = path.find(way.entry_lane)
                entry_m = path.starts_m[entry] + way.entry_m if 0 <= entry <= k else -math.inf
                found.append(_Passing(at=at, side=side, entry_m=entry_m, exit_m=path.starts_m[k] + way.exit_m))
        return tuple(found)

    def look(self, view: DeskView, now_ns: int) -> None:
        """Once a second: whose turn it is in each section, and who holds its token."""
        if not self.sections:
            return
        books, count = self._books, len(view.nose_m)
        found, tokens = _Found(len(self.sections)), np.full(count, NOBODY, np.int32)
        for row in range(count):
            truck = books.trips.truck[row]
            if truck is not None and not truck.removed:
                tokens[row] = self._find(row, view, found)
        for at, section in enumerate(self.sections):
            sides = self._side(at, 0, found), self._side(at, 1, found)
            zone_id = books.corridor.zones[section.zone_ix].zone_id
            before = books.section_turns.of(zone_id)
            verdict = decide(before, sides, now_ns)
            if verdict.turn != before:
                books.record(turned(zone_id, verdict.turn))
            tokens[list(verdict.tokens)] = section.zone_ix
        for row in np.flatnonzero(tokens != books.reins.token_ix[:count]).tolist():
            books.reins.token_ix[row] = tokens[row]
            books.reins.loosen(row)

    def _find(self, row: int, view: DeskView, found: _Found) -> int:
        """Enters *row* where it is and where it comes next; the zone row of the section it may still come to rest in, -1 for none."""
        trucks = self._books.trucks
        end_m, rear_m, nose_m = float(view.end_m[row]), float(view.rear_m[row]), float(view.nose_m[row])
        speed_mps = float(trucks.speed_max_mps[row])
        token = NOBODY
        for passing in self._ahead(row):
            at, side = passing.at, passing.side
            if rear_m >= passing.exit_m:
                continue
            if end_m > passing.entry_m + SAME_PLACE_M:
                found.inside[at][side].add(row)
                found.clear_s[at][side] = max(found.clear_s[at][side], (passing.exit_m - rear_m) / speed_mps)
                if end_m < passing.exit_m + float(trucks.beyond_m[row]):
                    token = self.sections[at].zone_ix
                continue
            if token == NOBODY:
                arrive_s = max(0.0, passing.entry_m - nose_m) / speed_mps if self._comes(row, passing, view) else math.inf
                found.comers[at][side].append((passing.entry_m - nose_m, Comer(row=row, arrive_s=arrive_s)))
            break
        return token

    def _comes(self, row: int, passing: _Passing, view: DeskView) -> bool:
        """Whether nothing but other trucks keeps *row* from the section."""
        return bool(view.live[row]) and row not in self._books.holds and self._free_m[row] > passing.entry_m + SAME_PLACE_M

    def _side(self, at: int, side: int, found: _Found) -> Side:
        way = self.sections[at].ways[side]
        comers = sorted(found.comers[at][side], key=lambda comer: (comer[0], comer[1].row))
        inside = found.inside[at][side]
        return Side(
            comers=tuple(comer for _, comer in comers),
            inside_count=len(inside),
            clear_s=found.clear_s[at][side],
            room_count=self._room(way, inside, found),
            run_s=way.run_s,
        )

    def _room(self, way: Way, inside: set[int], found: _Found) -> int:
        """How many more trucks find a place beyond: those in the section need one each, those that stand there have one."""
        if way.room_count == ROOM_OPEN:
            return ROOM_OPEN
        zone_ix, side = way.leads_to
        beyond = found.comers[self._place_of[zone_ix]][side]
        standing = {comer.row for ahead_m, comer in beyond if ahead_m <= way.refuge_m + way.length_m}
        return way.room_count - len(inside | standing)
