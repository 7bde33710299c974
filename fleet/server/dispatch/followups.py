"""Once a second, on the road: turns that a decision, a closure or a shorter queue asks for, while the fork is still ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from fleet.server.desk import DeskView
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.crossing import CrossingState
from fleet.server.dispatch.departures import Departures
from fleet.server.dispatch.moves import Moves
from fleet.server.dispatch.passage import Passage
from fleet.server.dispatch.wayfinding import Wayfinding
from planner.authority import Cause
from planner.corridor import GateRole

_SEARCHES_A_SECOND: Final = 4  # the search is the dear part; a queue that shifts later shifts too


class FollowUps:
    """Turns on the road."""

    def __init__(self, books: Books, ways: Wayfinding, moves: Moves, passage: Passage, departures: Departures) -> None:
        self._books = books
        self._ways = ways
        self._moves = moves
        self._passage = passage
        self._departures = departures

    def look(self, view: DeskView) -> None:
        """Closures, then queues."""
        self._closures()
        self._queues(view)

    def decisions(self, now_ns: int) -> None:
        """
        What customs has decided, before anybody leaves a stand.

        Who is refused at the gate keeps all behind it waiting until it has a stand at home: of those that are free it has the first choice.
        """
        books = self._books
        for row, crossing in sorted(books.crossings.of_row.items()):
            mission = books.missions.of_row.get(row)
            if mission is None:
                continue
            if crossing.state is CrossingState.REFUSED and not mission.turned_back:
                self._departures.turn_back(row, now_ns)
            elif crossing.state is CrossingState.INSPECTION and not crossing.scanned and self._passage.must_turn_to_scan(row):
                self._send_to_scan(row)

    def _send_to_scan(self, row: int) -> None:
        """To where fewest are bound, as long as there is room: who waits beyond the queue's room waits where all others pass."""
        books = self._books
        ways = self._ways_not_behind(row)
        bound = {
            gate_ix: sum(gate_ix in way for way in ways)
            for gate_ix, gate in enumerate(books.gates.gates)
            if gate.role is GateRole.XRAY and self._passage.takes[gate_ix]
        }
        free = {gate_ix: count for gate_ix, count in bound.items() if count < books.gates.queue[gate_ix]}
        if not free:
            return
        least = min(free.values())
        lanes = [int(books.gates.lane_ix[gate_ix]) for gate_ix, count in free.items() if count == least]
        plan = self._ways.plan_on(row, via=lanes)
        if plan is not None:
            self._moves.reroute(row, plan)

    def _ways_not_behind(self, row: int) -> list[list[int]]:
        """The gates ahead of each truck that crosses, but for those behind the truck of *row*: it would wait for them, and they for it."""
        ways = {other: [gate.gate_ix for gate in self._books.trips.gates_ahead(other)] for other in self._books.crossings.of_row}
        return [way for way in ways.values() if not self._is_behind(way, ways[row])]

    def _is_behind(self, way: Sequence[int], before: Sequence[int]) -> bool:
        """Whether whoever has the gates *way* ahead comes to the first of *before*, or to one beside it, only after another one."""
        if not before or not way:
            return False
        group_ix = self._books.gates.group_ix
        return way[0] == before[0] or bool((group_ix[list(way[1:])] == group_ix[before[0]]).any())

    def _closures(self) -> None:
        books = self._books
        if not books.roads.closed.any():
            return
        # Who has not left its stand is found a way when it leaves.
        stopped = np.flatnonzero((books.reins.limit_cause == Cause.CLOSURE) & ~books.trips.settled).tolist()
        for row in stopped[:_SEARCHES_A_SECOND]:
            if self._passage.bound_to_scan(row):
                continue
            plan = self._ways.plan_on(row)
            if plan is not None:
                self._moves.reroute(row, plan)

    def _queues(self, view: DeskView) -> None:
        """
        The foremost truck that has not passed the fork before its gate goes to the neighbour that fewer before it are bound for, or that works.

        Who is behind it does not count: the head of a queue on one lane would stand before a full gate beside an empty one.
        """
        gates, trips = self._books.gates, self._books.trips
        before, tried = [0] * len(gates.gates), [0] * len(gates.members)
        for row in self._ways.by_nearness(len(view.nose_m)):
            own = int(trips.gate_ix[row])
            group = gates.group_ix[own]
            if tried[group] < _SEARCHES_A_SECOND and self._would_turn(row, own, before):
                tried[group] += 1
                if self._turns(row, own):
                    return
            before[own] += 1

    def _would_turn(self, row: int, own: int, before: Sequence[int]) -> bool:
        """Whether fewer are bound for a gate beside a truck's *own*, of those *before* it at each, or it works and the own one does not."""
        gates = self._books.gates
        beside = [before[ix] for ix in gates.members[gates.group_ix[own]] if ix != own and gates.overdue_s[ix] == 0.0]
        if not beside or (gates.overdue_s[own] == 0.0 and before[own] <= min(beside)):
            return False
        path = self._books.trips.path_of(row)
        passed = float(self._books.trucks.end_m[row]) > path.starts_m[path.find(int(gates.lane_ix[own]))]
        return not passed and not self._passage.bound_to_scan(row)

    def _turns(self, row: int, own: int) -> bool:
        """Whether there is a way to another gate that is the quicker one, and the truck has it now."""
        plan = self._ways.plan_on(row)
        ahead = self._ways.gates_on(plan.new_lanes) if plan is not None else []
        return plan is not None and bool(ahead) and ahead[0] != own and self._moves.reroute(row, plan)
