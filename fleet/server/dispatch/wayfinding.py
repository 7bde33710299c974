"""
Ways for trucks: from where they are to a stand, round closed lanes, through the gate with the shortest wait.

A truck keeps the lanes from its tail to the furthest end it may hold; only beyond that may its way change. So a truck can be
sent elsewhere exactly as long as its authority has not passed the fork, and nobody has to ask where forks are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.server.columns import FloatColumn, IntColumn
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.trips import NOWHERE
from fleet.server.facts import RouteSet
from planner.authority import Cause
from planner.corridor import GateRole, StandKind
from planner.limits import PATH_LANES_MAX, STAND_END_M
from planner.slots import queue_wait_s

# Trucks speed up, slow down and wait for each other on the road: measured, nine in ten come through a full road within 2 % of
# unhindered travel. What is forecast too long is work time lost before every closing; a margin against the rest is kept apart.
_SLOWER: Final = 1.1
# From a gate's opening until it is called for the next truck of its queue: measured 16 s for empty trucks, 18 to 23 s for laden ones.
_EXCHANGE_S: Final = 25.0
# Trucks to come to a gate behind others, for each that it passes on while one comes without any wait.
_HELD_UP: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A path for one truck to a stand (-1: to a queue); *new_lanes* lie beyond what it keeps, *time_s* is theirs."""

    stand_ix: int
    route: RouteSet
    new_lanes: tuple[int, ...]
    time_s: float


class Wayfinding:
    """Finds ways, and says what they will take."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.scan_lanes = [books.corridor.lane_ix[gate.lane_id] for gate in books.corridor.gates if gate.role is GateRole.XRAY]

    def bound_for(self) -> IntColumn:
        """Trucks whose next gate is each gate, (g,)."""
        gate_ix = self._books.trips.gate_ix
        return np.bincount(gate_ix[gate_ix >= 0], minlength=len(self._books.gates.gates))

    def _to_gate_m(self) -> FloatColumn:
        """Metres from each nose until its tail may have left its next gate, (capacity,); +inf with none to come."""
        return self._books.trips.clear_m - self._books.trucks.nose_m

    def by_nearness(self, count: int) -> list[int]:
        """Of the first *count* rows those with a gate to come, nearest to it first."""
        gate_ix = self._books.trips.gate_ix
        return [row for row in np.argsort(self._to_gate_m()[:count], kind="stable").tolist() if gate_ix[row] >= 0]

    def group_counts(self, bound: IntColumn) -> IntColumn:
        """Trucks whose next gate is of each group."""
        gates = self._books.gates
        counts = np.zeros(len(gates.room), np.int64)
        np.add.at(counts, gates.group_ix, bound)
        return counts

    def plan(self, row: int, stand_ix: int, *, via: Sequence[int] = ()) -> Plan | None:
        """The quickest way to a stand from the furthest end the truck may hold; None when no way leads there."""
        assert stand_ix >= 0, "nowhere is no stand"
        lane_ix = self._books.trips.stand_lane[stand_ix]
        end_m = self._books.corridor.stands[stand_ix].stop_m + STAND_END_M
        return self._plan(row, stand_ix, lane_ix, end_m, via)

    def plan_queue(self, row: int, lane_ix: int, *, via: Sequence[int] = ()) -> Plan | None:
        """The quickest way to the end of a lane, on which to queue."""
        return self._plan(row, NOWHERE, lane_ix, float(self._books.lanes.length_m[lane_ix]), via)

    def plan_on(self, row: int, *, via: Sequence[int] = ()) -> Plan | None:
        """The quickest way to where the truck goes already: its stand, or the end of the queue it is to join; None when it goes nowhere."""
        truck = self._books.trips.known(row)
        if truck.goal_ix != NOWHERE:
            return self.plan(row, truck.goal_ix, via=via)
        return self.plan_queue(row, self._books.trips.path_of(row).lanes[-1], via=via) if truck.staged else None

    def _plan(self, row: int, stand_ix: int, goal_lane: int, goal_chainage_m: float, via: Sequence[int]) -> Plan | None:
        books = self._books
        path = books.trips.path_of(row)
        end_m = float(books.trucks.end_m[row])
        first = path.k_at(float(books.trucks.rear_m[row]))
        last = max(first, path.k_of_end(end_m))
        kept = path.lanes[first : last + 1]
        way = books.roads.way(kept[-1], goal_lane, self._gate_waits_s(row), kept, via)
        if way is None or len(kept) + len(way.lanes) > PATH_LANES_MAX:
            return None
        if not way.lanes and via:
            return None
        lanes = kept + way.lanes
        at_m = path.starts_m[first]
        for lane in lanes[:-1]:
            at_m += float(books.lanes.length_m[lane])
        goal_m = at_m + goal_chainage_m
        if goal_m < end_m:
            return None
        route = RouteSet(row=row, lanes=lanes, start_m=path.starts_m[first], goal_m=goal_m)
        return Plan(stand_ix=stand_ix, route=route, new_lanes=way.lanes, time_s=way.time_s)

    def _gate_waits_s(self, row: int) -> FloatColumn:
        """
        What a truck expects to wait on each lane for the gates on it, (m,): one that is overdue will be for as long again.

        At its next gate, and those beside, it waits for those who are nearer; who is behind it will not be served before it.
        """
        books = self._books
        own = int(books.trips.gate_ix[row])
        if own < 0:
            bound = self.bound_for()
        else:
            gate_ix, group_ix = books.trips.gate_ix, books.gates.group_ix
            to_gate_m = self._to_gate_m()
            before = (gate_ix >= 0) & ((group_ix[gate_ix] != group_ix[own]) | (to_gate_m < to_gate_m[row]))
            bound = np.bincount(gate_ix[before], minlength=len(books.gates.gates))
        extra_s = np.zeros(books.lanes.count)
        np.add.at(extra_s, books.gates.lane_ix, (bound + 1) * books.gates.service_s + books.gates.overdue_s)
        return extra_s

    def near_s(self, row: int) -> FloatColumn:
        """Unhindered seconds from where the truck may change its way to each stand, (s,); gates not counted."""
        books = self._books
        path = books.trips.path_of(row)
        end_m = float(books.trucks.end_m[row])
        k = path.k_of_end(end_m)
        lane = path.lanes[k]
        rest_s = (path.starts_m[k + 1] - end_m) / float(books.lanes.length_m[lane]) * float(books.roads.travel_s[lane])
        return np.asarray(books.roads.times_s(lane) + rest_s)

    def gates_on(self, lanes: Sequence[int]) -> list[int]:
        """Gates on a way, in order."""
        gates = self._books.gates
        found: list[int] = []
        for lane in lanes:
            found += sorted(gates.on_lane.get(lane, ()), key=lambda gate_ix: gates.gates[gate_ix].stop_line_m)
        return found

    def crowded(self, lanes: Sequence[int], gate_ixs: Sequence[int], now_ns: int) -> int | None:
        """
        The first of the gates on a way that has more trucks to come than it has room for and passes on by the time one gets there.

        So queues form on stands. What a gate and its neighbours pass on meanwhile may be on the road without the queue growing: otherwise
        gates far from the stands would wait for every truck. A truck that is on its way to a gate stays at each one before it, and
        while one of those is held up, by a scan or a train, the gate lives on the queue it has: twice as many may be to come.
        """
        books = self._books
        gates = books.gates
        to_come = self.group_counts(books.trips.ahead.sum(axis=0))
        stays_s = 0.0
        for gate_ix in gate_ixs:
            turn_s = float(gates.service_s[gate_ix]) + _EXCHANGE_S
            group = int(gates.group_ix[gate_ix])
            surplus = int(to_come[group] - gates.room[group])
            if surplus >= 0:
                taking = sum(books.opening.gate_takes(ix, now_ns) for ix in gates.members[group])
                travel_s = float(books.roads.travel_s[list(lanes[: lanes.index(int(gates.lane_ix[gate_ix]))])].sum())
                on_the_way_s = travel_s if gate_ix == gate_ixs[0] else _HELD_UP * (travel_s + stays_s)
                if surplus >= int(taking * on_the_way_s / turn_s):
                    return gate_ix
            stays_s += turn_s
        return None

    def strip(self, gate_ixs: Sequence[int], stand_ix: int) -> tuple[int, int] | None:
        """
        First and last gate of the stretch that must be empty at closing, on a way through these gates; None: the way has none.

        Outbound from the border gate to the customs gate; homeward from the far yard's exit to the near yard's entry.
        """
        gates = self._books.gates.gates
        roles = [gates[gate_ix].role for gate_ix in gate_ixs]
        if GateRole.BORDER in roles:
            first = roles.index(GateRole.BORDER)
            last = roles.index(GateRole.CUSTOMS) if GateRole.CUSTOMS in roles else len(roles) - 1
            return gate_ixs[first], gate_ixs[max(first, last)]
        homeward = self._books.corridor.stands[stand_ix].yard_id == self._books.loading.yard_id
        if homeward and GateRole.EXIT in roles:
            return gate_ixs[roles.index(GateRole.EXIT)], gate_ixs[-1]
        return None

    def forecast_s(self, lanes: Sequence[int], gate_ixs: Sequence[int], last_gate_ix: int) -> float:
        """Seconds until a truck driving *lanes* has left *last_gate_ix*: travel, services, and queues as they stand now."""
        books = self._books
        gates = books.gates
        bound = self.bound_for()
        total_s = 0.0
        for lane in lanes:
            total_s += float(books.roads.travel_s[lane]) * _SLOWER
            if lane == gates.lane_ix[last_gate_ix]:
                break
        groups = gates.group_ix
        for gate_ix in gate_ixs[: list(gate_ixs).index(last_gate_ix) + 1]:
            side_by_side = groups == groups[gate_ix]
            service_s = float(gates.service_s[gate_ix])
            total_s += service_s + queue_wait_s(int(bound[side_by_side].sum()), int(side_by_side.sum()), service_s)
        return total_s

    def fits(self, now_ns: int, lanes: Sequence[int], gate_ixs: Sequence[int], stand_ix: int) -> bool:
        """Whether a truck that sets out now on *lanes* is out of the strip before the border closes."""
        strip = self.strip(gate_ixs, stand_ix)
        if strip is None:
            return True
        left_s = self._books.opening.border_left_s(now_ns)
        if left_s == float("inf"):
            return True
        return self.forecast_s(lanes, gate_ixs, strip[1]) + self._books.options.closing_margin_s <= left_s

    def shut_off(self, row: int, stand_ixs: Sequence[int]) -> tuple[Cause, int] | None:
        """The closed or changing lane that keeps the truck from all of these stands; None where it could come to one, or none is in the way."""
        books = self._books
        if not (books.roads.closed.any() or books.roads.barred.any()) or np.isfinite(self.near_s(row)[list(stand_ixs)]).any():
            return None
        path = books.trips.path_of(row)
        from_lane = path.lanes[path.k_of_end(float(books.trucks.end_m[row]))]
        shut = books.roads.shut_on_way(from_lane, [books.trips.stand_lane[stand_ix] for stand_ix in stand_ixs])
        if shut is None:
            return None
        return Cause.CLOSURE if books.roads.closed[shut] else Cause.SITE_CHANGE, shut

    def why_no_stand(self, row: int, yard_id: str, kinds: Sequence[Sequence[StandKind]]) -> tuple[Cause, int]:
        """Why `first_refuge` finds none: none is free, or a lane on the way to the nearest free one is closed or being changed."""
        books = self._books
        free = [stand_ix for group in kinds for stand_ix in books.stands.free(yard_id, group)]
        return self.shut_off(row, free) or (Cause.STAND, NOWHERE)

    def first_refuge(self, row: int, yard_id: str, kinds: Sequence[Sequence[StandKind]]) -> Plan | None:
        """A way to the nearest free stand of the first group of *kinds* that has one which can be reached."""
        books = self._books
        for group in kinds:
            free = books.stands.free(yard_id, group)
            if not free:
                continue
            near_s = self.near_s(row)
            nearest = sorted(free, key=lambda stand_ix: (near_s[stand_ix], stand_ix))
            for stand_ix in nearest[:3]:
                plan = self.plan(row, stand_ix)
                if plan is not None:
                    return plan
        return None
