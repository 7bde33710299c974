"""
What is true in a run, as its simulator knows it, of the last seconds: news of it takes a moment to reach the server.

Nothing here is the server's own: bodies, ends held aboard, barriers, machines, persons' words as they were given, and faults at work.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from planner.corridor import Lane
from planner.limits import BOUND_USUAL_M, NO_STOP_BEYOND_M, ROLL_BACK_M, STANDING_MARGIN_M
from sim_harness.books import STANDING_MPS
from sim_harness.dynamics import EMERGENCY_BRAKE
from sim_harness.faults.incident import Incident
from sim_harness.no_stops import NoStops
from sim_harness.observation import FlagArray, FloatArray, IndexArray, Roster, Sample
from sim_harness.runner import Runner

# Looked at twice a second; a word is true that was true within so many looks, and a truck stands that stood in all of them.
LOOKS: Final = 7
# So long it takes until what happened is known, and said.
NEWS_S: Final = 4.0
# What a truck at rest needs beside its length, between a stretch where none may stand and whoever is ahead.
REST_M: Final = NO_STOP_BEYOND_M + STANDING_MARGIN_M + 2.0 * BOUND_USUAL_M + ROLL_BACK_M


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Columns (n,) of the trucks at one look, and what stood open or out of order; see `observation.TickView` for the names."""

    speed_mps: FloatArray
    lane_ix: IndexArray
    chainage_m: FloatArray
    body_lanes: IndexArray
    nose_m: FloatArray
    end_m: FloatArray
    paths: tuple[tuple[tuple[int, float], ...], ...]
    emergency: FlagArray
    lost: FlagArray
    raised: Mapping[str, str]
    called: frozenset[tuple[str, str]]


@dataclass(slots=True)
class Told:
    """What persons and machines said and did, from the run's events; times are seconds of the run."""

    held: dict[str, float] = field(default_factory=dict)
    resumed_s: dict[str, float] = field(default_factory=dict)
    stops: dict[str, float] = field(default_factory=dict)
    lifted_s: dict[str, float] = field(default_factory=dict)
    closed: dict[str, float] = field(default_factory=dict)
    opened_s: dict[str, float] = field(default_factory=dict)
    decisions: dict[str, tuple[float, str]] = field(default_factory=dict)
    undecided_until_s: dict[str, float] = field(default_factory=dict)
    work: dict[str, tuple[float, str]] = field(default_factory=dict)
    # Bays whose machine is broken, or was until then.
    broken_until_s: dict[str, float] = field(default_factory=dict)
    containers: int = 0
    loads: int = 0

    def sample(self, sample: Sample) -> None:
        """Samples are not looked at: `World.look` has the truth itself."""

    def event(self, time_s: float, event: str, **fields: object) -> None:
        """Keep what counts for a claim."""
        truck_id = str(fields.get("truck_id", ""))
        if event == "truck_resumed":
            self.resumed_s[truck_id] = time_s
        elif event == "crossing_declared":
            self.decisions[str(fields["crossing_id"])] = (time_s, "none")
        elif event == "crossing_decided":
            crossing_id = str(fields["crossing_id"])
            if self.decisions.get(crossing_id, (0.0, "none"))[1] in {"none", "hold"}:
                self.undecided_until_s[crossing_id] = time_s
            self.decisions[crossing_id] = (time_s, str(fields["decision"]))
        elif event == "order_created":
            self.containers += int(str(fields["containers"]))
        elif event in {"loader_broke", "loader_mended"}:
            self.broken_until_s[str(fields["bay_id"])] = math.inf if event == "loader_broke" else time_s
        elif event in {"loading_started", "loaded", "unloading_started", "unloaded", "charging_started", "charged", "work_broke_off"}:
            self.work[truck_id] = (time_s, event)
            self.loads += event == "loading_started"


class World:
    """The truth of one run, look by look."""

    def __init__(self, runner: Runner, told: Told) -> None:
        self._runner = runner
        self.told = told
        self.roster: Roster = runner.stage.scenario.roster
        self.corridor = self.roster.corridor
        self.fleet = runner.trucks.columns
        self.moments: deque[Moment] = deque(maxlen=LOOKS)
        banned = NoStops(self.corridor).columns()
        spans = list(zip(banned.from_m.tolist(), banned.to_m.tolist(), strict=True))
        self._no_stops = [sorted(spans[first:last]) for first, last in pairwise(banned.start.tolist())]

    @property
    def now_s(self) -> float:
        """Seconds of the run."""
        return self._runner.stage.clock.now_s

    def look(self) -> None:
        """Keep what is true now."""
        view, fleet, plant = self._runner.trucks.view(self.now_s), self.fleet, self._runner.stage.plant
        count = len(self.roster.truck_ids)
        self.moments.append(
            Moment(
                speed_mps=view.speed_mps.copy(),
                lane_ix=view.lane_ix.copy(),
                chainage_m=view.chainage_m.copy(),
                body_lanes=view.body_lanes.copy(),
                nose_m=view.nose_path_m.copy(),
                end_m=view.end_path_m.copy(),
                paths=tuple(tuple(self._runner.trucks.road(row)) for row in range(count)),
                emergency=view.mode == EMERGENCY_BRAKE,
                lost=fleet.onboard.lost.copy(),
                raised=dict(plant.raised),
                called=frozenset(plant.called()),
            )
        )

    @property
    def now(self) -> Moment:
        """The newest look."""
        return self.moments[-1]

    def standing(self, row: int) -> bool:
        """Whether the truck has stood in every look that is kept."""
        return len(self.moments) == LOOKS and all(float(moment.speed_mps[row]) < STANDING_MPS for moment in self.moments)

    def driven(self, row: int) -> bool:
        """Whether it moved in any of them."""
        return any(float(moment.speed_mps[row]) >= STANDING_MPS for moment in self.moments)

    def incidents(self, *kinds: str, within_s: float = 0.0) -> Iterator[Incident]:
        """Faults of these kinds (all, where none is named) at work now, or over for no longer than *within_s*."""
        for incident in self._runner.troubles.faults.incidents:
            over_s = 0.0 if incident.ended_s is None else self.now_s - incident.ended_s
            if (not kinds or incident.spec.fault in kinds) and over_s <= within_s:
                yield incident

    def suffers(self, row: int, *kinds: str, within_s: float = 0.0) -> bool:
        """Whether one of these faults is, or was a while ago, the truck's own."""
        truck_id = self.roster.truck_ids[row]
        return any(incident.spec.truck == truck_id for incident in self.incidents(*kinds, within_s=within_s))

    def shaken(self, within_s: float) -> bool:
        """Whether something is, or was a while ago, wrong with the server itself."""
        kinds = ("server_killed", "server_paused", "server_slow", "second_server", "journal_full", "journal_old")
        return any(True for _ in self.incidents(*kinds, within_s=within_s))

    def in_dead_spot(self, row: int, within_s: float) -> bool:
        """Whether any of its body was, within the looks kept, where there is no radio."""
        for incident in self.incidents("dead_spot", within_s=within_s):
            spec = incident.spec
            if spec.lane is not None and any(self.corridor.lane_ix[spec.lane] in moment.body_lanes[row] for moment in self.moments):
                return True
        return False

    def road_m(self, row: int, other: int, moment: Moment) -> float:
        """Where on the path of *row* the road begins that is *other*'s, from its tail to the end it holds; nan where none of it is ahead."""
        own = dict(moment.paths[row])
        tail_m, end_m = float(moment.nose_m[other]) - float(self.fleet.length_m[other]), float(moment.end_m[other])
        last_m = max(float(moment.nose_m[other]), end_m if np.isfinite(end_m) else -np.inf)
        begins = [
            own[lane] + max(0.0, tail_m - start_m)
            for lane, start_m in moment.paths[other]
            if lane in own and start_m < last_m and start_m + float(self.fleet.lane_length_m[lane]) > tail_m
        ]
        ahead = [at_m for at_m in begins if at_m > float(moment.nose_m[row]) - 2.0 * float(self.fleet.length_m[row])]
        return min(ahead, default=float(np.nan))

    def rests_between(self, row: int, from_m: float, to_m: float, moment: Moment) -> bool:
        """Whether the truck could come to rest somewhere on its path between two coordinates, clear of where none may."""
        at_m = from_m
        for lane, start_m in moment.paths[row]:
            for stop in self._no_stops[lane]:
                begins_m, ends_m = start_m + stop[0], start_m + stop[1]
                if ends_m <= at_m or begins_m >= to_m:
                    continue
                if begins_m - at_m >= float(self.fleet.length_m[row]) + REST_M:
                    return True
                at_m = max(at_m, ends_m)
        return to_m - at_m >= float(self.fleet.length_m[row]) + REST_M

    def place_m(self, row: int, other: int, moment: Moment) -> float:
        """Coordinate of *other*'s tail on the path of *row*; nan where it is not on it."""
        path = dict(moment.paths[row])
        nose_lane = int(moment.lane_ix[other])
        length_m = float(self.fleet.length_m[other])
        if nose_lane in path:
            return path[nose_lane] + float(moment.chainage_m[other]) - length_m
        # Its nose is on another way already, its tail still on this one: along its own path back to a lane both have.
        own = dict(moment.paths[other])
        tail_m = float(moment.nose_m[other]) - length_m
        for lane in moment.body_lanes[other].tolist():
            if lane in path and lane in own:
                return path[lane] + tail_m - own[lane]
        return float(np.nan)

    def stands_at(self, row: int, stand_id: str, within_m: float) -> bool:
        """Whether its nose is at the stopping place of a stand."""
        stand = self.corridor.stands[self.corridor.stand_ix[stand_id]]
        lane_ix = self.corridor.lane_ix[stand.lane_id]
        return any(
            int(moment.lane_ix[row]) == lane_ix and abs(float(moment.chainage_m[row]) - stand.stop_m) <= within_m for moment in self.moments
        )

    def takes(self, row: int, stand_ix: int) -> bool:
        """Whether it keeps a stand from others: its body is on the stand's lane, or its way ends there."""
        lane_ix = self.corridor.lane_ix[self.corridor.stands[stand_ix].lane_id]
        return any(lane_ix in moment.body_lanes[row] or moment.paths[row][-1][0] == lane_ix for moment in self.moments)

    def reachable(self, row: int, but: str = "") -> set[str]:
        """Lanes that lead on from where the truck is, none of them closed by a person now, *but* one."""
        shut = {lane_id for lane_id in self.told.closed if lane_id not in self.told.opened_s and lane_id != but}
        leaving: dict[str, list[Lane]] = {}
        for lane in self.corridor.lanes:
            leaving.setdefault(lane.from_node_id, []).append(lane)
        found, waiting = set(), [self.corridor.lanes[int(self.now.lane_ix[row])]]
        while waiting:
            for lane in leaving.get(waiting.pop().to_node_id, ()):
                if lane.lane_id not in found and lane.lane_id not in shut:
                    found.add(lane.lane_id)
                    waiting.append(lane)
        return found

    def works(self, stand_id: str) -> bool:
        """Whether its machine has been sound for a while."""
        return self.told.broken_until_s.get(stand_id, -math.inf) < self.now_s - NEWS_S

    def free(self, row: int, yard_id: str, kinds: frozenset[object]) -> list[str]:
        """Stands of these kinds in a yard that nobody but *row* keeps, that work, and that it could come to."""
        reachable = self.reachable(row)
        others = [other for other in range(len(self.roster.truck_ids)) if other != row]
        return [
            stand.stand_id
            for ix, stand in enumerate(self.corridor.stands)
            if stand.yard_id == yard_id
            and stand.kind in kinds
            and stand.lane_id in reachable
            and self.works(stand.stand_id)
            and not any(self.takes(other, ix) for other in others)
        ]
