"""
Slow twins of the ground and spacing kernels: dictionaries, lists and sorting from scratch.

They state the same rules and the same arithmetic, so answers must be equal to the last bit; everything else about them is
different on purpose.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from planner.authority import Cause
from planner.braking import a_safe_mps2, pushed_speed_mps, service_distance_m, stopping_distance_m
from planner.limits import (
    A_SAFE_MIN_MPS2,
    EXTEND_MIN_FOLLOWING_M,
    EXTEND_MIN_M,
    FRICTION_CELL_M,
    HORIZON_EXTRA_M,
    HORIZON_HOLD_S,
    NO_STOP_BEFORE_M,
    REACTION_S,
    SAME_PLACE_M,
    SERVICE_SHARE,
    SPEED_STANDING_MPS,
    STANDING_MARGIN_M,
    STOP_MARK_M,
)
from planner.tables import LaneTable, TruckTable

NOBODY: Final = -1
MANY: Final = -2

Wall = tuple[int, float, float, int]  # lane row, from, to, owner row


@dataclass(frozen=True, slots=True)
class Leg:
    """One lane of a truck's path: index, lane row, path coordinate of its chainage 0."""

    k: int
    lane: int
    base_m: float


@dataclass(slots=True)
class Holding:
    """Who holds one zone, as a set of (row, branch), and the claim that waits for it."""

    taken: set[tuple[int, int]] = field(default_factory=set)
    wanted: tuple[int, int] | None = None

    @property
    def row(self) -> int:
        """The only holder, NOBODY or MANY."""
        rows = {row for row, _ in self.taken}
        return NOBODY if not rows else rows.pop() if len(rows) == 1 else MANY

    @property
    def branch(self) -> int:
        """The only branch, NOBODY or MANY."""
        branches = {branch for _, branch in self.taken}
        return NOBODY if not branches else branches.pop() if len(branches) == 1 else MANY


def legs_of(trucks: TruckTable, row: int) -> list[Leg]:
    """The path of *row*."""
    return [Leg(k, int(trucks.path_lane[row, k]), float(trucks.path_start_m[row, k])) for k in range(int(trucks.path_count[row]))]


def ground_of(trucks: TruckTable, row: int, end_m: float | None = None) -> list[Leg]:
    """The part of the path of *row* under its ground, up to *end_m* where given."""
    legs = legs_of(trucks, row)
    starts = [leg.base_m for leg in legs]
    first = max(bisect_right(starts, float(trucks.rear_m[row])) - 1, 0)
    last = max(bisect_left(starts, float(trucks.end_m[row]) if end_m is None else end_m) - 1, first)
    return legs[first : last + 1]


def pull_of(trucks: TruckTable, row: int) -> float:
    """What the drive of *row* gives under its load, m/s²."""
    return float((trucks.acceleration_laden_mps2 if trucks.laden[row] else trucks.acceleration_empty_mps2)[row])


def left_of(trucks: TruckTable, row: int, friction: float, grade: float) -> float:
    """A_safe of *row* with its brakes as they are."""
    return a_safe_mps2(float(trucks.brake_guaranteed_mps2[row]), float(trucks.brake_health[row]), friction, grade)


def service_of(trucks: TruckTable, row: int, friction: float) -> float:
    """How hard *row* brakes in normal driving on a level road of *friction*, m/s²."""
    return min(float(trucks.brake_service_mps2[row]), SERVICE_SHARE * max(A_SAFE_MIN_MPS2, left_of(trucks, row, friction, 0.0)))


def stop_of(trucks: TruckTable, row: int, a_safe: float, grade: float) -> float:
    """Metres of an emergency stop of *row* begun now."""
    speed, dead_s, build_up_s = float(trucks.speed_mps[row]), float(trucks.brake_dead_s[row]), float(trucks.brake_build_up_s[row])
    if speed < SPEED_STANDING_MPS:
        return 0.0
    pushed = pushed_speed_mps(speed, grade, dead_s + build_up_s, pull_of(trucks, row), float(trucks.traction_cutoff_s[row]))
    return stopping_distance_m(pushed, a_safe, dead_s, build_up_s)


def slow_order_rears(trucks: TruckTable) -> list[tuple[int, float, int]]:
    """Every placed truck as (lane of its rear, chainage of its rear, row), sorted."""
    out = []
    for row in range(trucks.count):
        if trucks.path_count[row]:
            tail = ground_of(trucks, row)[0]
            out.append((tail.lane, max(0.0, float(trucks.rear_m[row]) - tail.base_m), row))
    return sorted(out)


def slow_heads(trucks: TruckTable, walls: Sequence[Wall]) -> dict[int, tuple[float, int]]:
    """First occupied chainage of each occupied lane, and whose."""
    heads: dict[int, tuple[float, int]] = {}
    for lane, chainage_m, row in slow_order_rears(trucks):
        heads.setdefault(lane, (chainage_m, row))
    for row in range(trucks.count):
        for leg in ground_of(trucks, row)[1:] if trucks.path_count[row] else []:
            heads[leg.lane] = min(heads.get(leg.lane, (inf, NOBODY)), (0.0, row))
    for lane, from_m, _, owner in walls:
        if from_m < heads.get(lane, (inf, NOBODY))[0]:
            heads[lane] = (max(0.0, from_m), owner)
    return heads


def _parts(lanes: LaneTable, lane: int) -> Iterator[tuple[int, int, float, float]]:
    for p in range(int(lanes.part_start[lane]), int(lanes.part_start[lane + 1])):
        yield int(lanes.part_zone[p]), int(lanes.part_branch[p]), float(lanes.part_from_m[p]), float(lanes.part_to_m[p])


def slow_hold_zones(lanes: LaneTable, trucks: TruckTable, walls: Sequence[Wall]) -> list[Holding]:
    """Who holds each zone. A wall holds as two strangers on two branches: nobody is compatible with it."""
    zones = [Holding() for _ in range(lanes.zone_count)]
    for row in range(trucks.count):
        rear_m, end_m = float(trucks.rear_m[row]), float(trucks.end_m[row])
        for leg in ground_of(trucks, row) if trucks.path_count[row] else []:
            for zone, branch, from_m, to_m in _parts(lanes, leg.lane):
                if leg.base_m + to_m > rear_m and leg.base_m + from_m < end_m:
                    zones[zone].taken.add((row, branch))
    for lane, from_m, to_m, _ in walls:
        for zone, _, part_from_m, part_to_m in _parts(lanes, lane):
            if part_from_m < to_m and from_m < part_to_m:
                zones[zone].taken |= {(-10, -10), (-11, -11)}
    return zones


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one row was answered."""

    end_m: float
    cause: int
    ref: int
    gap_m: float
    leader: int
    friction: float
    claiming: bool
    closed_m: float
    worth: bool = False


@dataclass(slots=True, kw_only=True)
class _Chain:
    """No-stop stretches that run into each other, lengthened by the truck."""

    from_m: float
    to_m: float
    needs: list[tuple[int, int, bool]] = field(default_factory=list)  # zone, branch, whether the truck's section brings it so far
    sections: set[int] = field(default_factory=set)  # of its stretches, NOBODY for one that is more than a one-lane section


@dataclass(slots=True, kw_only=True)
class SlowSpacing:
    """One tick of spacing over one state; call `run`."""

    lanes: LaneTable
    trucks: TruckTable
    walls: Sequence[Wall]
    may_extend: Sequence[bool]
    limits: Sequence[tuple[float, int, int]]  # (limit_m, cause, ref)
    claim_since: Sequence[int]
    token: Sequence[int]
    friction: Sequence[Sequence[float]]  # by lane, by cell
    advice: Sequence[tuple[int, int, int]] = ()  # zone, branch, row
    elder_count: int = 0
    zones: list[Holding] = field(init=False)
    heads: dict[int, tuple[float, int]] = field(init=False)
    rears: Mapping[int, list[tuple[float, int]]] = field(init=False)

    def run(self) -> list[Turn]:
        """Every row's answer."""
        self.zones = slow_hold_zones(self.lanes, self.trucks, self.walls)
        self.heads = slow_heads(self.trucks, self.walls)
        rears: dict[int, list[tuple[float, int]]] = {}
        for lane, chainage_m, row in slow_order_rears(self.trucks):
            rears.setdefault(lane, []).append((chainage_m, row))
        self.rears = rears
        rows = range(self.trucks.count)
        turns = sorted(rows, key=lambda row: (self.claim_since[row] == 0, self.claim_since[row], row))
        elders = turns[: self.elder_count]
        answers = {row: self._turn(row) for row in elders}
        for zone, branch, row in self.advice:
            self.zones[zone].wanted = self.zones[zone].wanted or (row, branch)
        answers |= {row: self._turn(row) for row in turns[self.elder_count :]}
        return [answers[row] for row in rows]

    def _turn(self, row: int) -> Turn:
        trucks = self.trucks
        held_m, (_, cause, ref) = float(trucks.end_m[row]), self.limits[row]
        own = float(trucks.friction[row])
        # What a road that is the same everywhere cannot be is worse ahead.
        uneven = len({friction for lane in self.friction for friction in lane}) > 1
        claiming = self.claim_since[row] > 0
        if not trucks.path_count[row]:
            return Turn(end_m=held_m, cause=cause, ref=ref, gap_m=inf, leader=NOBODY, friction=own, claiming=claiming, closed_m=inf)
        end_m, gap_m, leader, closed_m = held_m, inf, NOBODY, inf
        if self.may_extend[row]:
            hard, gap_m, leader = self._hard(row)
            end_m, cause, ref, closing = self._choose(row, hard)
            slippery = self._slippery(row, end_m) if uneven and end_m > held_m else None
            if slippery is not None:
                end_m, cause, ref = held_m, int(Cause.TRACTION), slippery
            else:
                self._settle(row, end_m)
                claiming = closing is not None and self._waits(row, closing, hard)
                closed_m = closing.to_m if closing is not None else inf
                if closing is not None and hard[0] >= closing.to_m:
                    self._want(row, closing)
        friction = min([own] + [friction for friction, _ in self._cells(row, end_m)])
        return Turn(
            end_m=end_m,
            cause=cause,
            ref=ref,
            gap_m=gap_m,
            leader=leader,
            friction=friction,
            claiming=claiming,
            closed_m=closed_m,
            worth=self._worth(row, end_m, cause),
        )

    def _cells(self, row: int, to_m: float) -> list[tuple[float, int]]:
        """Friction and lane of every cell between the rear and *to_m*, both included."""
        rear_m = float(self.trucks.rear_m[row])
        return [
            (friction, leg.lane)
            for leg in ground_of(self.trucks, row, to_m)
            for at, friction in enumerate(self.friction[leg.lane])
            if at * FRICTION_CELL_M <= max(0.0, to_m - leg.base_m)
            and (at + 1 == len(self.friction[leg.lane]) or (at + 1) * FRICTION_CELL_M > rear_m - leg.base_m)
        ]

    def _slippery(self, row: int, end_m: float) -> int | None:
        """The lane that is worse than the ground held, and on which *row* could not stop from its speed before *end_m*."""
        trucks = self.trucks
        known = min([float(trucks.friction[row])] + [friction for friction, _ in self._cells(row, float(trucks.end_m[row]))])
        friction, lane = min(self._cells(row, end_m), key=lambda cell: cell[0])
        if friction >= known:
            return None
        grade = min(0.0, *(float(self.lanes.grade_min[leg.lane]) for leg in ground_of(trucks, row, end_m)))
        a_safe = left_of(trucks, row, friction, grade)
        needs_m = stop_of(trucks, row, a_safe, grade) + REACTION_S * max(0.0, float(trucks.speed_mps[row]))
        too_fast = float(trucks.nose_m[row]) + float(trucks.bound_m[row]) + needs_m >= end_m
        return lane if too_fast or a_safe <= A_SAFE_MIN_MPS2 else None

    def _worth(self, row: int, end_m: float, cause: int) -> bool:
        gain_m = end_m - float(self.trucks.end_m[row])
        if not self.may_extend[row]:
            return False
        if cause == Cause.ZONE or end_m >= self.limits[row][0] - SAME_PLACE_M:
            return gain_m > SAME_PLACE_M
        return gain_m >= (EXTEND_MIN_M if cause == Cause.HORIZON else EXTEND_MIN_FOLLOWING_M)

    def _target_m(self, row: int) -> float:
        trucks, ground = self.trucks, ground_of(self.trucks, row)
        lane_mps = max(float(self.lanes.speed_max_mps[ground[0].lane]), float(self.lanes.speed_max_mps[ground[-1].lane]))
        speed = min(float(trucks.speed_max_mps[row]), lane_mps)
        braking_m = service_distance_m(speed, REACTION_S, service_of(trucks, row, float(trucks.friction[row])))
        at_m = float(trucks.nose_m[row]) + float(trucks.bound_m[row]) + STOP_MARK_M
        return at_m + braking_m + speed * HORIZON_HOLD_S + HORIZON_EXTRA_M

    def _ahead(self, row: int, leg: Leg, tail_k: int, end_k: int) -> tuple[float, int]:
        """First ground ahead on one lane."""
        if leg.k > end_k:
            return self.heads.get(leg.lane, (inf, NOBODY))
        rears = self.rears.get(leg.lane, [])
        if leg.k == tail_k:
            mine = next(at for at, (_, other) in enumerate(rears) if other == row)
            rears = rears[mine + 1 :]
        best = rears[0] if rears else (inf, NOBODY)
        for lane, from_m, to_m, owner in self.walls:
            if lane == leg.lane and owner != row and leg.base_m + to_m > float(self.trucks.rear_m[row]) and from_m < best[0]:
                best = (from_m, owner)
        return best

    def _hard(self, row: int) -> tuple[tuple[float, int, int], float, int]:
        """What bounds the end whatever the truck wants (place, cause, reference), the gap and the leader."""
        trucks, legs, ground = self.trucks, legs_of(self.trucks, row), ground_of(self.trucks, row)
        path_end_m = float(trucks.path_start_m[row, len(legs)])
        hard = self.limits[row] if self.limits[row][0] <= path_end_m else (path_end_m, int(Cause.NO_ORDER), NOBODY)
        for leg in legs[ground[-1].k :]:
            low_m, other = self._ahead(row, leg, ground[0].k, ground[-1].k)
            if leg.base_m - STANDING_MARGIN_M < hard[0] and low_m < inf:
                at_m = leg.base_m + low_m
                if at_m - STANDING_MARGIN_M < hard[0]:
                    hard = (at_m - STANDING_MARGIN_M, int(Cause.INTRUSION if other == NOBODY else Cause.LEADER), other)
                return hard, at_m - float(trucks.nose_m[row]), other
        return hard, inf, NOBODY

    def _chains(self, row: int) -> list[_Chain]:
        """Every chain of no-stop stretches on the path whose end lies ahead of the end held, in order."""
        lanes, held_m, chains = self.lanes, float(self.trucks.end_m[row]), list[_Chain]()
        tail_k = ground_of(self.trucks, row)[0].k
        for leg in legs_of(self.trucks, row)[tail_k:]:
            for stop in range(int(lanes.stop_start[leg.lane]), int(lanes.stop_start[leg.lane + 1])):
                stop_from_m, stop_to_m = float(lanes.stop_from_m[stop]), float(lanes.stop_to_m[stop])
                from_m = leg.base_m + stop_from_m - NO_STOP_BEFORE_M
                to_m = leg.base_m + stop_to_m + float(self.trucks.beyond_m[row])
                if to_m <= held_m:
                    continue
                if not chains or from_m > chains[-1].to_m:
                    chains.append(_Chain(from_m=from_m, to_m=to_m))
                chains[-1].to_m = max(chains[-1].to_m, to_m)
                chains[-1].sections.add(int(lanes.stop_section[stop]))
                for zone, branch, part_from_m, part_to_m in _parts(lanes, leg.lane):
                    if part_from_m < stop_to_m and stop_from_m < part_to_m and leg.base_m + part_to_m > held_m:
                        chains[-1].needs.append((zone, branch, self._let_through(row, chains[-1])))
        return chains

    def _choose(self, row: int, hard: tuple[float, int, int]) -> tuple[float, int, int, _Chain | None]:
        """The end, its cause, and the chain that closed the way if one did."""
        held_m, want_m = float(self.trucks.end_m[row]), self._target_m(row)
        if want_m < hard[0] and want_m < held_m + EXTEND_MIN_M:
            return held_m, int(Cause.HORIZON), NOBODY, None
        for chain in self._chains(row):
            if chain.from_m >= min(want_m, hard[0]):
                break
            refusals = self._refusals(row, chain)
            behind = hard[1] == Cause.LEADER and chain.from_m < hard[0] < chain.to_m
            if behind and not refusals and self._let_through(row, chain):
                return max(held_m, hard[0]), hard[1], hard[2], None
            if hard[0] < chain.to_m:
                return max(held_m, chain.from_m), hard[1], hard[2], chain
            if refusals:
                return max(held_m, chain.from_m), int(Cause.ZONE), refusals[0], chain
            want_m = max(want_m, chain.to_m)
        if hard[0] <= want_m:
            return max(held_m, hard[0]), hard[1], hard[2], None
        return max(held_m, want_m), int(Cause.HORIZON), NOBODY, None

    def _let_through(self, row: int, chain: _Chain) -> bool:
        return self.token[row] != NOBODY and chain.sections == {self.token[row]}

    def _refusals(self, row: int, chain: _Chain) -> list[int]:
        """Zones of *chain* that *row* may not take now."""
        out = []
        inside = chain.from_m < float(self.trucks.end_m[row])
        for zone, branch, through in chain.needs:
            state, exclusive = self.zones[zone], bool(self.lanes.zone_exclusive[zone])
            if state.row == row:
                continue
            held = bool(state.taken) and (exclusive or state.branch != branch)
            wanted = (
                not (inside and through)
                and state.wanted is not None
                and state.wanted[0] != row
                and (exclusive or state.wanted[1] != branch)
            )
            if held or wanted:
                out.append(zone)
        return out

    def _waits(self, row: int, chain: _Chain, hard: tuple[float, int, int]) -> bool:
        needed = any(self.zones[zone].row != row for zone, _, _ in chain.needs)
        return needed and (hard[0] >= chain.to_m or hard[1] == Cause.LEADER)

    def _settle(self, row: int, end_m: float) -> None:
        held_m = float(self.trucks.end_m[row])
        if end_m <= held_m:
            return
        known = ground_of(self.trucks, row)
        for leg in ground_of(self.trucks, row, end_m)[len(known) - 1 :]:
            if leg.k > known[-1].k:
                self.heads[leg.lane] = (0.0, row)
            for zone, branch, from_m, to_m in _parts(self.lanes, leg.lane):
                if leg.base_m + to_m > held_m and leg.base_m + from_m < end_m:
                    self.zones[zone].taken.add((row, branch))

    def _want(self, row: int, chain: _Chain) -> None:
        for zone, branch, _ in chain.needs:
            state = self.zones[zone]
            if state.wanted is None and state.row != row:
                state.wanted = (row, branch)


def slow_extend_ends(spacing: SlowSpacing) -> list[Turn]:
    """How far each truck's end may move on."""
    return spacing.run()
