"""
The roads as dispatch sees them: what driving a lane costs, which lanes are closed or limited, and the ways between stands.

A stand's lane is for who is bound for that stand: it costs a fortune to drive through, so no way does while another exists,
and a way that still does is no way. X-ray lanes are for picked trucks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn
from fleet.server.fact_form import Fact, fact
from fleet.server.facts import LaneLimited
from planner.corridor import Corridor, GateRole
from planner.routing import Reach, Roads, Way
from planner.tables import LaneTable

_DETOUR_S: Final = 100_000.0  # what a stand's lane costs on top: more than any way around it


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneClosed(Fact):
    """No new authority into the lane, or again (*closed* false)."""

    lane_ix: int
    closed: bool
    reason: str
    actor: str


class RoadBook:
    """
    closed (m,), limit_mps (m,) 0 none; reasons by lane. barred (m,): a proposed site changes the lane.

    Times are travel at the lower of lane, limit and truck speed. Nobody sets out over a barred lane but who is on one: he must
    get off it, and the way may lead over others.
    """

    def __init__(self, corridor: Corridor, lanes: LaneTable) -> None:
        self._lanes = lanes
        self._roads = Roads(lanes)
        self._speed_max_mps = max(kind.speed_max_mps for kind in corridor.truck_types)
        self.closed: FlagColumn = np.zeros(lanes.count, np.bool_)
        self.limit_mps: FloatColumn = np.zeros(lanes.count)
        self.barred: FlagColumn = np.zeros(lanes.count, np.bool_)
        self.reason: dict[int, str] = {}
        self.closures: dict[int, LaneClosed] = {}  # in force, by lane: a limit set meanwhile has a reason of its own
        self._is_stand: FlagColumn = np.zeros(lanes.count, np.bool_)
        self._stand_lanes = np.array([corridor.lane_ix[stand.lane_id] for stand in corridor.stands], np.int64)
        self._is_stand[self._stand_lanes] = True
        self._is_scan: FlagColumn = np.zeros(lanes.count, np.bool_)
        self._is_scan[[corridor.lane_ix[gate.lane_id] for gate in corridor.gates if gate.role is GateRole.XRAY]] = True
        self.travel_s: FloatColumn = np.zeros(lanes.count)
        self._cost_s: FloatColumn = np.zeros(lanes.count)
        self._barred_cost_s: FloatColumn = self._cost_s
        self._times_s: dict[int, FloatColumn] = {}
        self._unshut: dict[int, Reach] = {}  # what could be reached from a lane, were none shut
        self._recost()

    def apply(self, change: LaneClosed | LaneLimited) -> None:
        """A lane is closed, opened or limited."""
        if isinstance(change, LaneClosed):
            self.closed[change.lane_ix] = change.closed
            self.closures.pop(change.lane_ix, None)
            if change.closed:
                self.closures[change.lane_ix] = change
        else:
            self.limit_mps[change.lane_ix] = change.speed_limit_mps
        self.reason[change.lane_ix] = change.reason
        self._recost()

    def bar(self, lanes: Sequence[int]) -> None:
        """These lanes are barred, and no others."""
        self.barred[:] = False
        self.barred[list(lanes)] = True
        self._recost()

    def _recost(self) -> None:
        lanes = self._lanes
        limit = np.where(self.limit_mps > 0.0, self.limit_mps, np.inf)
        speed = np.minimum(np.minimum(lanes.speed_max_mps, limit), self._speed_max_mps)
        self.travel_s = lanes.length_m / speed
        self._cost_s = self.travel_s + np.where(self._is_stand, _DETOUR_S, 0.0)
        self._cost_s[self.closed | self._is_scan] = np.inf
        self._barred_cost_s = np.where(self.barred, np.inf, self._cost_s)
        self._times_s.clear()
        self._unshut.clear()

    def _costs_from(self, lane: int) -> FloatColumn:
        """What each lane costs whoever is on *lane* now, (m,)."""
        return self._cost_s if self.barred[lane] else self._barred_cost_s

    def times_s(self, from_lane: int) -> FloatColumn:
        """Unhindered seconds from the end of a lane to each stand, (s,); +inf where no way leads. Kept until a lane changes."""
        times_s = self._times_s.get(from_lane)
        if times_s is None:
            reach_s = self._roads.reach(from_lane, self._costs_from(from_lane)).time_s[self._stand_lanes] - _DETOUR_S
            reach_s[self._stand_lanes == from_lane] = 0.0
            times_s = self._times_s[from_lane] = np.where(reach_s < _DETOUR_S, reach_s, np.inf)
        return times_s

    def shut_on_way(self, from_lane: int, goal_lanes: Sequence[int]) -> int | None:
        """
        The first closed or barred lane on the quickest way to the nearest of *goal_lanes*, were none; None where none is in the way.

        Ways are kept until a lane changes: a fleet may stand before a closed lane for hours, and each of it is looked at every second.
        """
        shut = self.closed | self.barred
        if not shut.any() or not goal_lanes:
            return None
        reach = self._unshut.get(from_lane)
        if reach is None:
            cost_s = self.travel_s + np.where(self._is_stand, _DETOUR_S, 0.0)
            cost_s[self._is_scan] = np.inf
            reach = self._unshut[from_lane] = self._roads.reach(from_lane, cost_s)
        nearest = min(goal_lanes, key=lambda lane: float(reach.time_s[lane]))
        way = reach.way_to(nearest)
        return next((lane for lane in way.lanes if shut[lane]), None) if way is not None else None

    def way(self, from_lane: int, goal_lane: int, extra_s: FloatColumn, kept: Sequence[int], via: Sequence[int] = ()) -> Way | None:
        """
        The quickest way, at *extra_s* (m,) on top of travel; None when there is none.

        *kept* lanes are on the path already and may not come again. *via*: one of these X-ray lanes must be on it.
        """
        cost = self._costs_from(from_lane) + extra_s
        cost[list(kept)] = np.inf
        if via:
            return self._way_via(from_lane, goal_lane, cost, via)
        return self._checked(self._roads.way(from_lane, goal_lane, cost), goal_lane)

    def _way_via(self, from_lane: int, goal_lane: int, cost: FloatColumn, via: Sequence[int]) -> Way | None:
        best: Way | None = None
        for lane in via:
            if self.closed[lane] or self.barred[lane]:
                continue
            to_scan = cost.copy()
            to_scan[lane] = self.travel_s[lane]
            first = self._checked(self._roads.way(from_lane, lane, to_scan), lane)
            if first is None:
                continue
            onward = cost.copy()
            onward[list(first.lanes)] = np.inf
            second = self._checked(self._roads.way(lane, goal_lane, onward), goal_lane)
            if second is not None and (best is None or first.time_s + second.time_s < best.time_s):
                best = Way(lanes=first.lanes + second.lanes, time_s=first.time_s + second.time_s)
        return best

    def _checked(self, way: Way | None, goal_lane: int) -> Way | None:
        if way is None or any(self._is_stand[lane] and lane != goal_lane for lane in way.lanes):
            return None
        return Way(lanes=way.lanes, time_s=way.time_s - (_DETOUR_S if self._is_stand[goal_lane] and way.lanes else 0.0))

    def facts(self) -> list[Fact]:
        """What recreates closures and limits."""
        closed: list[Fact] = [self.closures[lane] for lane in sorted(self.closures)]
        limited: list[Fact] = [
            LaneLimited(lane_ix=int(lane), speed_limit_mps=float(self.limit_mps[lane]), reason=self.reason.get(int(lane), ""), actor="")
            for lane in np.flatnonzero(self.limit_mps > 0.0)
        ]
        return closed + limited
