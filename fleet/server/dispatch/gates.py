"""
Gates: one truck at a time is called, proven open for, and waited for until its tail has passed.

    nobody -> called(truck) -> open(truck) -> awaiting shut -> nobody

A barrier is open only when its interlock proves it, and only for the truck it names. What was proven before a restart is not
proven after it: the calls are made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.clock import NS_PER_S
from fleet.server.columns import FlagColumn, FloatColumn, IntColumn, RowColumn
from fleet.server.fact_form import Fact, fact
from planner.corridor import Corridor, Gate
from planner.limits import NO_STOP_BEYOND_M
from planner.resting import rests
from planner.slots import queue_room
from planner.tables import LaneTable

NOBODY: Final = -1
_SHUTTING: Final = -2
# A gate is overdue when it has had one truck for twice its mean service and for what driving through takes.
_USUAL: Final = 2.0
_THROUGH_S: Final = 45.0
# After this much more a person is told: a long train or a thorough look inside is over by then.
_TOLD_S: Final = 600.0


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class GateKept(Fact):
    """A gate as it is now: called for, proven open for (-1 nobody), and whether its barrier must still prove shut."""

    gate_ix: int
    called_row: int
    open_row: int
    awaits_shut: bool


class Gates:
    """
    called_row, open_row (g,) truck rows, -1 nobody; awaits_shut (g,)

    group_ix   (g,) gates of one role side by side are one group: a truck may take any of them
    members    the gates of each group
    room       (groups,) trucks that fit between where a way can only lead to the group's gates and their stop lines
    queue      (g,) trucks that can rest on the gate's own lane up to its line, the first at the line; at least one
    overdue_s  (g,) seconds that a gate has had one truck, or has had to shut, where that is longer than usual; else 0
    since_ns   (g,) when it came to have whom it has now
    long_overdue  rows of those for which that is so long that a person should look
    """

    def __init__(self, corridor: Corridor, lanes: LaneTable, truck_length_m: float) -> None:
        gate_count = len(corridor.gates)
        self.gates = corridor.gates
        self.lane_ix: RowColumn = np.array([corridor.lane_ix[gate.lane_id] for gate in corridor.gates], np.int32)
        self.service_s: FloatColumn = np.array([corridor.processes[gate.process].mean_s for gate in corridor.gates], np.float64)
        self.called_row: RowColumn = np.full(gate_count, NOBODY, np.int32)
        self.open_row: RowColumn = np.full(gate_count, NOBODY, np.int32)
        self.awaits_shut: FlagColumn = np.zeros(gate_count, np.bool_)
        self.overdue_s: FloatColumn = np.zeros(gate_count)
        self.long_overdue: set[int] = set()
        self._has: RowColumn = self.called_row.copy()
        self.since_ns: IntColumn = np.zeros(gate_count, np.int64)
        self.on_lane: dict[int, list[int]] = {}
        for gate_ix, lane_ix in enumerate(self.lane_ix):
            self.on_lane.setdefault(int(lane_ix), []).append(gate_ix)
        self.group_ix = _groups(corridor.gates, lanes, self.lane_ix)
        self.members: list[list[int]] = [
            np.flatnonzero(self.group_ix == group).tolist() for group in range(len(set(self.group_ix.tolist())))
        ]
        self.room: RowColumn = _rooms(self, corridor, lanes, truck_length_m)
        kind = max(corridor.truck_types, key=lambda each: each.length_m)
        resting = [
            rests(lanes, [int(lane)], gate.stop_line_m, kind.length_m, kind.roll_back_m)
            for lane, gate in zip(self.lane_ix, corridor.gates, strict=True)
        ]
        self.queue: RowColumn = np.maximum(1, np.array(resting, np.int32))

    def apply(self, kept: GateKept) -> None:
        """The gate is as *kept* says."""
        self.called_row[kept.gate_ix] = kept.called_row
        self.open_row[kept.gate_ix] = kept.open_row
        self.awaits_shut[kept.gate_ix] = kept.awaits_shut

    def idle(self, gate_ix: int) -> bool:
        """Whether the gate may be called for a truck."""
        return self.called_row[gate_ix] == NOBODY and self.open_row[gate_ix] == NOBODY and not self.awaits_shut[gate_ix]

    def watch(self, now_ns: int) -> None:
        """Which gates take longer than usual, for whatever reason: no power, or a truck that customs holds. Once a second."""
        has = np.where(self.awaits_shut, _SHUTTING, np.maximum(self.called_row, self.open_row)).astype(np.int32)
        self.since_ns = np.where(has == self._has, self.since_ns, now_ns)
        self._has = has
        taken_s: FloatColumn = np.where(has == NOBODY, 0.0, (now_ns - self.since_ns) / NS_PER_S)
        usual_s = _USUAL * self.service_s + _THROUGH_S
        self.overdue_s = np.where(taken_s > usual_s, taken_s, 0.0)
        self.long_overdue = set(np.flatnonzero(taken_s > usual_s + _TOLD_S).tolist())

    def kept(self, gate_ix: int, *, called_row: int = NOBODY, open_row: int = NOBODY, awaits_shut: bool = False) -> GateKept:
        """The fact that sets a gate."""
        return GateKept(gate_ix=gate_ix, called_row=called_row, open_row=open_row, awaits_shut=awaits_shut)

    def facts(self) -> list[Fact]:
        """What recreates the gates."""
        return [
            GateKept(
                gate_ix=gate_ix,
                called_row=int(self.called_row[gate_ix]),
                open_row=int(self.open_row[gate_ix]),
                awaits_shut=bool(self.awaits_shut[gate_ix]),
            )
            for gate_ix in range(len(self.gates))
            if not self.idle(gate_ix)
        ]


def _groups(gates: tuple[Gate, ...], lanes: LaneTable, lane_ix: RowColumn) -> RowColumn:
    """Gates of one role belong together when the same gates may come next: whoever passes one could have passed the other."""
    kinds: dict[tuple[str, tuple[int, ...]], int] = {}
    group = np.zeros(len(gates), np.int32)
    for gate_ix, gate in enumerate(gates):
        kind = (gate.role.value, tuple(sorted(_gates_next(int(lane_ix[gate_ix]), lanes, lane_ix))))
        group[gate_ix] = kinds.setdefault(kind, len(kinds))
    return group


def _gates_next(lane: int, lanes: LaneTable, lane_ix: RowColumn) -> set[int]:
    """Gates that a truck leaving *lane* may meet first."""
    found: set[int] = set()
    seen = {lane}
    waiting = [lane]
    while waiting:
        at = waiting.pop()
        for ahead in lanes.succ_lane[lanes.succ_start[at] : lanes.succ_start[at + 1]].tolist():
            on_it = np.flatnonzero(lane_ix == ahead).tolist()
            found.update(on_it)
            if not on_it and ahead not in seen:
                seen.add(ahead)
                waiting.append(ahead)
    return found


def _rooms(gates: Gates, corridor: Corridor, lanes: LaneTable, truck_length_m: float) -> RowColumn:
    """Trucks that may be bound for each group at once without standing where others must pass; at least one a gate."""
    stand_lanes = {corridor.lane_ix[stand.lane_id] for stand in corridor.stands}
    room = np.zeros(len(gates.members), np.int32)
    for group, members in enumerate(gates.members):
        stretches = [_stoppable_m(lanes, int(gates.lane_ix[g]), corridor.gates[g].stop_line_m) for g in members]
        before = _only_to({int(gates.lane_ix[g]) for g in members}, lanes, gates, stand_lanes)
        stretches += [_stoppable_m(lanes, lane, float(lanes.length_m[lane])) for lane in before]
        fits = queue_room([length for lane in stretches for length in lane], truck_length_m, NO_STOP_BEYOND_M)
        room[group] = max(fits, len(members))
    return room


def _only_to(gate_lanes: set[int], lanes: LaneTable, gates: Gates, stand_lanes: set[int]) -> list[int]:
    """Lanes without gates or stands from which every way leads to *gate_lanes*."""
    inside = set(gate_lanes)
    found: list[int] = []
    grown = True
    while grown:
        grown = False
        for lane in range(lanes.count):
            ahead = lanes.succ_lane[lanes.succ_start[lane] : lanes.succ_start[lane + 1]].tolist()
            plain = lane not in inside and lane not in gates.on_lane and lane not in stand_lanes
            if plain and ahead and all(other in inside for other in ahead):
                inside.add(lane)
                found.append(lane)
                grown = True
    return found


def _stoppable_m(lanes: LaneTable, lane: int, to_m: float) -> list[float]:
    """Lengths of the stretches of *lane*, up to *to_m*, in which a truck may rest."""
    pieces: list[float] = []
    at_m = 0.0
    for k in range(lanes.stop_start[lane], lanes.stop_start[lane + 1]):
        if lanes.stop_from_m[k] >= to_m:
            break
        pieces.append(float(lanes.stop_from_m[k]) - at_m)
        at_m = float(lanes.stop_to_m[k])
    pieces.append(to_m - at_m)
    return [piece for piece in pieces if piece > 0.0]
