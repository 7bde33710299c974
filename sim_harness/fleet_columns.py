"""
The columns of a simulated fleet: the truth, what each truck believes, and what its onboard computer holds.

Row i everywhere is the roster's truck i. `truck_agent` moves the fleet and speaks for it, `truck_ears` hears for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fleet.onboard import permission, store, words
from planner.limits import CLEARING_SPEED_MPS, FRICTION_DRY
from sim_harness import dynamics, onboard_state, paths
from sim_harness.clock import Streams
from sim_harness.observation import FlagArray, FloatArray, IndexArray, Roster
from sim_harness.rows import gather


class _RowStore:
    """One truck's term memory, kept in the columns."""

    def __init__(self, state: onboard_state.Onboard, row: int) -> None:
        self._state = state
        self._row = row

    def highest(self) -> store.Term:
        """The highest term remembered."""
        return store.Term(int(self._state.seen_epoch[self._row]), int(self._state.seen_sequence[self._row]))

    def remember(self, term: store.Term) -> None:
        """Keeps *term* in the columns when it is higher."""
        if term > self.highest():
            self._state.seen_epoch[self._row], self._state.seen_sequence[self._row] = term


class Compiled(NamedTuple):
    """The same columns as kernels take them."""

    motion: dynamics.Motion
    build: dynamics.Build
    around: dynamics.Circumstances
    demand: dynamics.Demand
    fitted: onboard_state.Fitted
    belief: onboard_state.Belief
    onboard: onboard_state.Onboard
    roads: onboard_state.Segments


class FleetColumns:
    """Everything known of the trucks; *happened* collects (row, event, detail) until somebody takes it."""

    def __init__(self, roster: Roster, streams: Streams, lane_ix: IndexArray, chainage_m: FloatArray) -> None:
        count = len(roster.truck_ids)
        corridor = roster.corridor
        self.roster = roster
        self.row = {truck_id: row for row, truck_id in enumerate(roster.truck_ids)}
        self.lane_row = corridor.lane_ix
        self.lane_length_m = np.array([lane.length_m for lane in corridor.lanes], dtype=np.float64)
        self.length_m = roster.column("length_m")
        self.grades = paths.grades_of(corridor)
        self.paths = paths.empty_paths(count)
        for row in range(count):
            paths.set_path(self.paths, row, [int(lane_ix[row])], self.lane_length_m, 0.0)
        self.places = paths.empty_places(count)
        self.believed_lane_ix = np.zeros(count, dtype=np.int32)
        self.believed_m = np.zeros(count, dtype=np.float64)
        self.motion, motion = gather(dynamics.at_rest(chainage_m))
        self.build, build = gather(dynamics.build_of(roster))
        self.around, around = gather(dynamics.calm(count))
        # What the weather leaves of the road's friction, wherever nothing else is wrong with it.
        self.road_friction = FRICTION_DRY
        self.demand, demand = gather(dynamics.no_demand(count))
        self.fitted, fitted = gather(onboard_state.fitted(roster))
        self.belief, belief = gather(onboard_state.belief(chainage_m))
        self.onboard, onboard = gather(onboard_state.onboard(count, chainage_m))
        self.roads, roads = gather(onboard_state.no_roads(count))
        self.compiled = Compiled(motion, build, around, demand, fitted, belief, onboard, roads)
        self.nail_errors = onboard_state.nail_errors(streams, roster.truck_ids)
        self.onboard.clearing_mps[:] = CLEARING_SPEED_MPS
        self.permissions = [permission.Permission(_RowStore(self.onboard, row)) for row in range(count)]
        self.shift_m = np.zeros(count, dtype=np.float64)
        self.stops: list[dict[str, int]] = [{} for _ in range(count)]
        self.goals: list[words.LanePoint | None] = [None] * count
        self.map_digests = [corridor.digest] * count
        self.handle = np.full(count, -1, dtype=np.int32)
        self.row_of_handle = np.full(count, -1, dtype=np.int32)
        self.answers: list[tuple[int, words.Acknowledgement | words.SiteAcknowledged]] = []
        self.was_emergency = np.zeros(count, dtype=np.bool_)
        self.battery_wh = roster.column("battery_wh")
        # What plugs give in a tick, and have given those who stand at one.
        self._plug_wh = np.zeros(count, dtype=np.float64)
        self.plugged_wh = np.zeros(count, dtype=np.float64)
        self._plugged: set[int] = set()
        # What the motors of those gave whose battery is empty.
        self._stranded: dict[int, tuple[float, float]] = {}
        self.end_path_m = np.full(count, np.nan)
        self.drawn_wh = np.zeros(count, dtype=np.float64)
        self.happened: list[tuple[int, str, str]] = []
        # What changes the world before the trucks move, and what they sense of it, while something is wrong.
        self.surroundings: list[Callable[[], None]] = []
        self.sensing: list[Callable[[], None]] = []
        # Clocks that do not show the time, by row.
        self.clocks: dict[int, Callable[[int], int]] = {}
        # How many things about each truck are worse than declared now, and whether its margins are still marked by them.
        self.ailments = np.zeros(count, dtype=np.int32)
        self.undeclared = np.zeros(count, dtype=np.bool_)
        # Whose words travel by a way of their own.
        self.apart = np.zeros(count, dtype=np.bool_)
        self._on_stretch = np.zeros(count, dtype=np.bool_)
        paths.locate(self.paths, self.grades, self.motion.nose_m, self.onboard.end_m, self.length_m, self.places)

    def tell_time(self, now_ns: int) -> None:
        """Set every truck's clock; those in `clocks` show what theirs make of the time."""
        self.belief.clock_ns[:] = now_ns
        for row, clock in self.clocks.items():
            self.belief.clock_ns[row] = clock(now_ns)

    def set_road(self, friction: float) -> None:
        """Give every road the same grip."""
        self.road_friction = friction
        self.around.friction[:] = friction

    def strand(self, row: int) -> bool:
        """
        Let the motors of *row* give nothing until it is recharged; whether they gave anything before.

        Brakes and computers have batteries of their own.
        """
        pulls = self.build.pull_laden_mps2, self.build.pull_empty_mps2
        if pulls[1][row] == 0.0:
            return False
        self._stranded[row] = (float(pulls[0][row]), float(pulls[1][row]))
        for pull_mps2 in pulls:
            pull_mps2[row] = 0.0
        return True

    def plug_in(self, row: int, tick_wh: float) -> None:
        """Give the battery of *row* so much in every tick, until it is recharged."""
        self._plugged.add(row)
        self._plug_wh[row] = tick_wh

    def charge(self) -> None:
        """A tick of what the plugs give."""
        if self._plugged:
            self.battery_wh += self._plug_wh
            self.plugged_wh += self._plug_wh

    def recharge(self, row: int) -> None:
        """Fill the battery of *row*, and pull its plug; one that was stranded can drive again."""
        self.battery_wh[row] = self.roster.truck_types[row].battery_wh
        self._plugged.discard(row)
        self._plug_wh[row] = self.plugged_wh[row] = 0.0
        if row in self._stranded:
            self.build.pull_laden_mps2[row], self.build.pull_empty_mps2[row] = self._stranded.pop(row)

    def mark_undeclared(self) -> None:
        """Mark who suffers from what is worse than declared; the mark goes when the truck has come to rest without it."""
        if np.count_nonzero(self.undeclared):
            self.undeclared &= self.motion.speed_mps != 0.0
        if np.count_nonzero(self.ailments):
            self.undeclared |= self.ailments > 0

    def reaches(self, row: int, only: int | None) -> bool:
        """Whether the truck of *row* hears what is for everybody whose words travel together or, where it is given, for row *only*."""
        return not self.apart[row] if only is None else row == only

    def reached(self, handle: IndexArray, only: int | None) -> tuple[IndexArray, FlagArray | None]:
        """Truck rows of a frame's *handle*s (k,), and which of them hear it (k,), as in `reaches`: None for all, which is usual."""
        rows: IndexArray = self.row_of_handle[handle]
        if only is not None:
            return rows, rows == only
        return rows, ~self.apart[rows] if self.apart.any() else None

    def rows_on(self, lane_ix: int, from_m: float, to_m: float) -> list[int]:
        """Rows of the trucks any part of whose true body lies on [from_m, to_m) of a lane."""
        stretch = (lane_ix, float(from_m), float(to_m))
        count = paths.mark_on(self.paths, self.places.body_lanes, self.motion.nose_m, self.length_m, stretch, self._on_stretch)
        return np.flatnonzero(self._on_stretch).tolist() if count else []

    def lane_id(self, lane_ix: int) -> str:
        """Name of a lane."""
        return self.roster.corridor.lanes[lane_ix].lane_id
