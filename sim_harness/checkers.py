"""
What must never happen, looked for in the true motion every tick, with formulas of its own.

Nothing here comes from the planner: bodies are boxes along the path, stopping distances are integrated phase by phase with the
state the brakes are really in, and followers are paired by the lanes they stand on. An *episode* begins when a condition holds
that did not hold one tick earlier, so one long overlap counts once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.corridor import Corridor
from sim_harness.checks import authority_margin, body_overlaps, following
from sim_harness.dynamics import EMERGENCY_EMPTY_MPS2
from sim_harness.geometry import Bodies, LaneLines
from sim_harness.observation import BODY_LANES, TICK_S, FloatArray, IndexArray, Roster, SmallArray, TickView
from sim_harness.rss import Rule

# Trucks beyond this distance do not follow each other.
LOOK_AHEAD_M: Final = 120.0
# Two bodies may not share more than rounding.
OVERLAP_SLACK_M: Final = 1e-6
PAIRS_MAX: Final = 1024
MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Two bodies met."""

    time_s: float
    truck_id: str
    other_truck_id: str
    lane_id: str
    chainage_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """A nose passed the end of authority held onboard."""

    time_s: float
    truck_id: str
    lane_id: str
    chainage_m: float
    beyond_m: float
    undeclared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFigures:
    """What the checks found; a figure is None where nothing could be measured."""

    overlaps: tuple[Overlap, ...]
    overruns: tuple[Overrun, ...]
    authority_margin_m_min: float | None
    authority_margin_truck_id: str | None
    authority_margin_time_s: float | None
    authority_margin_m_by_minute: tuple[float | None, ...]
    undeclared_margin_m_min: float | None
    ttc_s_min: float | None
    headway_s_min: float | None
    drac_mps2_max: float
    rss_margin_m_min: float | None


def only_successors(corridor: Corridor) -> IndexArray:
    """(m,) the lane that follows each lane where there is exactly one, else -1."""
    after: dict[str, list[int]] = {}
    for ix, lane in enumerate(corridor.lanes):
        after.setdefault(lane.from_node_id, []).append(ix)
    follow = [after.get(lane.to_node_id, []) for lane in corridor.lanes]
    return np.array([rows[0] if len(rows) == 1 else -1 for rows in follow], dtype=np.int32)


def rss_rules(roster: Roster) -> FloatArray:
    """
    (n, 6) what RSS is to assume of each truck, as the fields of `rss.Rule`.

    The declared worst of the follower on a dry and level road, the simulator's hardest stop of the leader.
    """
    rules = [
        Rule(
            response_s=kind.brake_dead_s + kind.brake_build_up_s,
            acceleration_mps2=max(kind.acceleration_laden_mps2, kind.acceleration_empty_mps2),
            speed_max_mps=kind.speed_max_mps,
            brake_least_mps2=kind.brake_guaranteed_mps2,
            brake_leader_mps2=EMERGENCY_EMPTY_MPS2,
            margin_m=0.0,
        )
        for kind in roster.truck_types
    ]
    return np.array(rules, dtype=np.float64)


class Checkers:
    """Watches every tick for overlaps and overruns, and keeps the least of every margin."""

    def __init__(self, roster: Roster) -> None:
        count = len(roster.truck_ids)
        self._roster = roster
        self._lines = LaneLines.of(roster.corridor)
        self._length_m = roster.column("length_m")
        self._width_m = roster.column("width_m")
        self._bodies = Bodies(self._lines, self._length_m)
        # Bodies are swept along the site's longer side, where the fewest lie abreast of each other.
        northward = np.ptp(self._lines.y_m) > np.ptp(self._lines.x_m)
        self._along_m, self._across_m = (self._bodies.y_m, self._bodies.x_m) if northward else (self._bodies.x_m, self._bodies.y_m)
        self._order = np.arange(count, dtype=np.int32)
        self._box = np.empty((4, count))
        self._pairs = np.empty((PAIRS_MAX, 2), dtype=np.int32)
        self._touching: frozenset[tuple[int, int]] = frozenset()
        self._beyond: SmallArray = np.zeros(count, dtype=np.int8)
        self._overlaps: list[Overlap] = []
        self._overruns: list[Overrun] = []
        self._brakes = np.column_stack(
            [
                roster.column(name)
                for name in (
                    "brake_guaranteed_mps2",
                    "brake_dead_s",
                    "brake_build_up_s",
                    "traction_cutoff_s",
                    "acceleration_laden_mps2",
                    "acceleration_empty_mps2",
                )
            ]
        )
        self._braking_s = np.zeros(count)
        self._margin_m = np.full(count, np.nan)
        self._least: tuple[float, int, float] | None = None
        self._undeclared_m = math.inf
        self._by_minute: list[float | None] = []
        self._minute_m = math.inf
        # A minute's last tick is its own; ticks are tenths of a second, and sums of tenths are not exact.
        self._minute_ends_s = MINUTE_S + 0.5 * TICK_S
        self._successor = only_successors(roster.corridor)
        self._lane_head = np.full(len(roster.corridor.lanes), -1, dtype=np.int32)
        self._entries = (np.empty(count * BODY_LANES, dtype=np.int32), np.empty(count * BODY_LANES))
        self._rules = rss_rules(roster)
        # ttc_s, headway_s, drac_mps2, rss_margin_m
        self._extremes = np.array([np.inf, np.inf, 0.0, np.inf])

    def tick(self, view: TickView) -> None:
        """Looks at one tick."""
        self._check_bodies(view)
        self._check_ends(view)
        following(
            (view.body_lanes, view.chainage_m, view.speed_mps, self._length_m),
            self._rules,
            (self._lines.length_m, self._successor, self._lane_head),
            LOOK_AHEAD_M,
            self._entries,
            self._extremes,
        )

    def _check_bodies(self, view: TickView) -> None:
        self._bodies.move(view.body_lanes, view.chainage_m)
        found = body_overlaps(self._along_m, self._across_m, self._width_m, OVERLAP_SLACK_M, self._order, self._box, self._pairs)
        if not found and not self._touching:
            return
        touching = frozenset((int(a), int(b)) for a, b in self._pairs[: min(found, PAIRS_MAX)])
        for row, other in sorted(touching - self._touching):
            self._overlaps.append(
                Overlap(
                    time_s=view.time_s,
                    truck_id=self._roster.truck_ids[row],
                    other_truck_id=self._roster.truck_ids[other],
                    lane_id=self._lane_id(view, row),
                    chainage_m=float(view.chainage_m[row]),
                )
            )
        self._touching = touching

    def _check_ends(self, view: TickView) -> None:
        row, undeclared, passed = authority_margin(
            (view.nose_path_m, view.end_path_m, view.speed_mps, view.grade_least, view.friction, view.brake_health),
            (view.laden, view.mode, view.undeclared),
            self._brakes,
            TICK_S,
            (self._braking_s, self._beyond),
            self._margin_m,
        )
        if view.time_s > self._minute_ends_s:
            self._turn_minute(view.time_s)
        if row >= 0:
            margin_m = float(self._margin_m[row])
            if margin_m < self._minute_m:
                self._minute_m = margin_m
                if self._least is None or margin_m < self._least[0]:
                    self._least = (margin_m, row, view.time_s)
        if undeclared >= 0:
            self._undeclared_m = min(self._undeclared_m, float(self._margin_m[undeclared]))
        if passed:
            self._overruns += [
                Overrun(
                    time_s=view.time_s,
                    truck_id=self._roster.truck_ids[row],
                    lane_id=self._lane_id(view, row),
                    chainage_m=float(view.chainage_m[row]),
                    beyond_m=float(view.nose_path_m[row] - view.end_path_m[row]),
                    undeclared=bool(view.undeclared[row]),
                )
                for row in np.flatnonzero(self._beyond == 1).tolist()
            ]

    def _turn_minute(self, time_s: float) -> None:
        """Close the minutes that ended before *time_s*."""
        while time_s > self._minute_ends_s:
            self._by_minute.append(self._minute_m if self._minute_m < math.inf else None)
            self._minute_m = math.inf
            self._minute_ends_s += MINUTE_S

    def _lane_id(self, view: TickView, row: int) -> str:
        return self._roster.corridor.lanes[int(view.lane_ix[row])].lane_id

    def figures(self) -> CheckFigures:
        """What was found so far."""
        margin, row, time_s = self._least if self._least is not None else (None, None, None)
        ttc_s, headway_s, drac_mps2, rss_margin_m = (float(value) for value in self._extremes)
        return CheckFigures(
            overlaps=tuple(self._overlaps),
            overruns=tuple(self._overruns),
            authority_margin_m_min=margin,
            authority_margin_truck_id=None if row is None else self._roster.truck_ids[row],
            authority_margin_time_s=time_s,
            authority_margin_m_by_minute=(*self._by_minute, *([self._minute_m] if self._minute_m < math.inf else [])),
            undeclared_margin_m_min=self._undeclared_m if self._undeclared_m < math.inf else None,
            ttc_s_min=ttc_s if np.isfinite(ttc_s) else None,
            headway_s_min=headway_s if np.isfinite(headway_s) else None,
            drac_mps2_max=drac_mps2,
            rss_margin_m_min=rss_margin_m if np.isfinite(rss_margin_m) else None,
        )
