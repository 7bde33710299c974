"""
Each truck on its way from refuge to refuge: its path, the gates ahead on it, the stand it goes to and the one it leaves.

What happens on the way happens at places: a nose reaches a gate's call line, a tail leaves a gate or a stand, a truck comes to
rest at its goal. The next place of each kind is a column, so that one comparison of columns per tick finds all that happened;
+inf means that nothing of the kind lies ahead.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.server.columns import FlagColumn, RowColumn
from fleet.server.fact_form import Fact, fact
from fleet.server.facts import RouteSet
from planner.corridor import Corridor, YardRole
from planner.limits import AT_LINE_M, BOUND_USUAL_M, STOP_MARK_M, STOP_TOLERANCE_M
from planner.tables import LaneTable

NOWHERE: Final = -1
INF: Final = float("inf")
# At rest at its goal: mark, bound and tolerance before the end of authority there, and a little for the report's own noise.
_AT_GOAL_M: Final = STOP_MARK_M + BOUND_USUAL_M + STOP_TOLERANCE_M + 1.0


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TruckKept(Fact):
    """
    What the desk knows of a truck, as it is now.

    *goal_ix* is the stand it stands at (*settled*) or drives to, *left_ix* the one its tail has not left before *left_m*; -1 none.
    *staged*: it queues for a bay on the lane before the bays, bound for no stand.
    *passed_m*: gates up to here on its path are behind it. *entered_m*, *entered_ns*: its last entry into the loading yard,
    time -1 before the first. *unloaded*: it has unloaded since.
    """

    row: int
    truck_id: str
    truck_type_id: str
    goal_ix: int
    left_ix: int
    left_m: float
    settled: bool
    staged: bool
    passed_m: float
    entered_m: float
    entered_ns: int
    unloaded: bool
    round_trips: int
    charging: bool
    decommissioned: bool
    removed: bool


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTripMade(Fact):
    """A truck that unloaded is back in the loading yard; *duration_ns* from its entry before, -1 when it had none."""

    row: int
    at_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAhead:
    """A gate on a truck's path; path coordinates. *call_m* is where it may be called."""

    gate_ix: int
    call_m: float
    stop_m: float
    clear_m: float


@dataclass(slots=True, kw_only=True)
class Path:
    """Lane rows in order, the path coordinate of each one's chainage 0 (one more for the end), and the gates on it."""

    lanes: tuple[int, ...]
    starts_m: list[float]
    gates: tuple[GateAhead, ...]
    goal_m: float

    def k_at(self, path_m: float) -> int:
        """Index of the lane that holds *path_m*; a lane's end belongs to the next one."""
        return max(0, bisect_right(self.starts_m, path_m, 0, len(self.lanes)) - 1)

    def k_of_end(self, end_m: float) -> int:
        """Index of the lane that an end lies on; a lane's end belongs to it."""
        k = self.k_at(end_m)
        return k - 1 if k > 0 and end_m <= self.starts_m[k] else k

    def find(self, lane_ix: int) -> int:
        """Index of the lane, -1 when it is not on the path."""
        return self.lanes.index(lane_ix) if lane_ix in self.lanes else -1


class Trips:
    """
    Columns (capacity,), path coordinates, +inf: nothing ahead. *nose_marks_m* and *rear_marks_m* hold all of a kind.

    arrive_m  at rest beyond it, the truck has reached its goal
    left_m    the tail beyond it frees the stand it leaves
    call_m    the nose beyond it may be called to its next gate; *drives_through* needs no rest
    clear_m   the tail beyond it has left its next gate, *gate_ix* (-1 none)
    entry_m   the nose beyond it has entered the loading yard
    ahead     (capacity, gates) whether the gate is on its path and its tail has not left it

    cut_off: rows whose path does not lead to the stand they are bound for, because their site changed on the way.
    """

    def __init__(self, corridor: Corridor, lanes: LaneTable, capacity: int) -> None:
        self._corridor = corridor
        self._length_m: list[float] = lanes.length_m.tolist()
        self.stand_lane: list[int] = [corridor.lane_ix[stand.lane_id] for stand in corridor.stands]
        loading = corridor.yard_by_role.get(YardRole.LOADING)
        self._entries = frozenset(corridor.lane_ix[name] for name in (loading.entry_lane_ids if loading else ()))
        self._gates_on: dict[int, list[int]] = {}
        for gate_ix, gate in enumerate(corridor.gates):
            self._gates_on.setdefault(corridor.lane_ix[gate.lane_id], []).append(gate_ix)
        self.path: list[Path | None] = [None] * capacity
        self.truck: list[TruckKept | None] = [None] * capacity
        # One row a kind of place, so that a tick compares each coordinate once.
        self.nose_marks_m = np.full((3, capacity), INF)
        self.rear_marks_m = np.full((2, capacity), INF)
        self.arrive_m, self.call_m, self.entry_m = self.nose_marks_m
        self.left_m, self.clear_m = self.rear_marks_m
        self.gate_ix: RowColumn = np.full(capacity, NOWHERE, np.int32)
        self.ahead: FlagColumn = np.zeros((capacity, len(corridor.gates)), np.bool_)
        self.drives_through: FlagColumn = np.zeros(capacity, np.bool_)
        self.settled: FlagColumn = np.zeros(capacity, np.bool_)
        self.row_of: dict[str, int] = {}
        self.cut_off: set[int] = set()

    def lay(self, row: int, lanes: Sequence[int], start_m: float, goal_m: float) -> None:
        """A path for the truck; coordinates of lanes it keeps stay the same to the last bit."""
        starts = [start_m]
        for lane in lanes:
            starts.append(starts[-1] + self._length_m[lane])
        gates = [self._gate_ahead(gate_ix, starts[k]) for k, lane in enumerate(lanes) for gate_ix in self._gates_on.get(lane, ())]
        self.path[row] = Path(
            lanes=tuple(int(lane) for lane in lanes),
            starts_m=starts,
            gates=tuple(sorted(gates, key=lambda gate: gate.stop_m)),
            goal_m=goal_m,
        )
        self._mark(row)

    def apply_route(self, route: RouteSet) -> None:
        """The desk's own route, or a recovered one."""
        self.lay(route.row, route.lanes, route.start_m, route.goal_m)

    def apply_truck(self, kept: TruckKept) -> None:
        """The truck is as *kept* says."""
        self.truck[kept.row] = kept
        self.settled[kept.row] = kept.settled
        self.row_of[kept.truck_id] = kept.row
        self._mark(kept.row)

    def route(self, row: int) -> RouteSet | None:
        """The path of a row as a fact."""
        path = self.path[row]
        return RouteSet(row=row, lanes=path.lanes, start_m=path.starts_m[0], goal_m=path.goal_m) if path is not None else None

    def known(self, row: int) -> TruckKept:
        """The truck of a row that is in use."""
        kept = self.truck[row]
        assert kept is not None, f"row {row} has no truck"
        return kept

    def path_of(self, row: int) -> Path:
        """The path of a row that is in use."""
        path = self.path[row]
        assert path is not None, f"row {row} has no path"
        return path

    def gates_ahead(self, row: int) -> list[GateAhead]:
        """Gates that the tail has not left yet, in order."""
        passed_m = self.known(row).passed_m
        return [gate for gate in self.path_of(row).gates if gate.clear_m > passed_m]

    def next_gate(self, row: int) -> GateAhead | None:
        """The first of them."""
        passed_m = self.known(row).passed_m
        for gate in self.path_of(row).gates:
            if gate.clear_m > passed_m:
                return gate
        return None

    def goal_yard_id(self, row: int) -> str:
        """The yard of the stand it stands at or drives to; "" when it is bound for none."""
        goal_ix = self.known(row).goal_ix
        return self._corridor.stands[goal_ix].yard_id if goal_ix != NOWHERE else ""

    def stand_m(self, row: int, stand_ix: int) -> float:
        """Path coordinate of a stand's stopping place; +inf when its lane is not on the path."""
        path = self.path_of(row)
        k = path.find(self.stand_lane[stand_ix])
        return path.starts_m[k] + self._corridor.stands[stand_ix].stop_m if k >= 0 else INF

    def _gate_ahead(self, gate_ix: int, start_m: float) -> GateAhead:
        gate = self._corridor.gates[gate_ix]
        call_m = gate.call_m if gate.drive_through else gate.stop_line_m - AT_LINE_M
        return GateAhead(
            gate_ix=gate_ix,
            call_m=start_m + call_m,
            stop_m=start_m + gate.stop_line_m,
            clear_m=start_m + max(gate.clear_m, gate.stop_line_m),
        )

    def _mark(self, row: int) -> None:
        """Sets the columns of one truck from its path and what is known of it."""
        kept, path = self.truck[row], self.path[row]
        if kept is None or path is None:
            return
        moving = not kept.settled and not kept.removed and kept.goal_ix != NOWHERE
        if moving and path.find(self.stand_lane[kept.goal_ix]) < 0:
            self.cut_off.add(row)
        else:
            self.cut_off.discard(row)
        self.arrive_m[row] = path.goal_m - _AT_GOAL_M if moving and row not in self.cut_off else INF
        self.left_m[row] = kept.left_m if kept.left_ix != NOWHERE else INF
        gates = self.gates_ahead(row) if not kept.removed else []
        self.ahead[row] = False
        self.ahead[row, [each.gate_ix for each in gates]] = True
        gate = gates[0] if gates else None
        self.call_m[row] = gate.call_m if gate else INF
        self.clear_m[row] = gate.clear_m if gate else INF
        self.gate_ix[row] = gate.gate_ix if gate else NOWHERE
        self.drives_through[row] = gate is not None and self._corridor.gates[gate.gate_ix].drive_through
        entries = [start for lane, start in zip(path.lanes, path.starts_m, strict=False) if lane in self._entries and not kept.removed]
        self.entry_m[row] = min((start for start in entries if start > kept.entered_m), default=INF)
