"""A scripted desk and scripted trucks on the tiny ring: enough of a world to run the server's core without a site or a wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from fleet.server.columns import CodeColumn, FlagColumn, FloatColumn, RowColumn
from fleet.server.commands import HoldTruck, LiftStop, ReleaseIntrusion, RemoveTruck, ReportIntrusion, ResumeTruck, StopAll
from fleet.server.desk import DeskView
from fleet.server.facts import (
    AllStopLifted,
    AllStopSet,
    Fact,
    LaneLimited,
    RouteSet,
    TruckHeld,
    TruckRegistered,
    TruckRemoved,
    TruckResumed,
    decode,
    encode,
)
from fleet.server.inputs import AcknowledgementHeard, HelloHeard, Input, LanePlace, ReportRow, ReportsHeard
from fleet.server.intrusions import IntrusionBook, IntrusionKept, IntrusionKind, IntrusionReleased, IntrusionRules, Sighting
from fleet.server.keep_out import KeepOut, Metres
from fleet.server.loop.control_loop import ControlLoop, LoopOptions
from fleet.server.outgoing import Alarm, BorderCall, MissionOut, Outgoing, StopOut
from fleet.site import text_of
from planner.authority import Cause
from planner.corridor import Corridor
from planner.policy import MOVING
from planner.tables import LaneTable, TruckTable
from sim_harness.tiny import TRUCK, tiny_corridor
from tests.fleet.map_change import SIDING, STEEP

TICK_NS: Final = 100_000_000
RING: Final = ("out", "unload", "turn_east", "back", "turn_west", "load")


class ScriptedDesk:
    """Sends every truck round and round; tests move the limits themselves."""

    def __init__(self, corridor: Corridor, trucks: TruckTable) -> None:
        self._corridor = corridor
        self._ring = [corridor.lane_ix[lane_id] for lane_id in RING]
        self._rules = IntrusionRules(KeepOut(corridor, trucks.lanes))
        self.book = IntrusionBook()
        self._trucks = trucks
        self._ids: dict[str, int] = {}
        self.limit_m: FloatColumn = np.full(trucks.capacity, np.inf)
        self.limit_cause: CodeColumn = np.full(trucks.capacity, int(Cause.GOAL), np.int8)
        self.limit_ref: RowColumn = np.full(trucks.capacity, -1, np.int32)
        self.token_ix: RowColumn = np.full(trucks.capacity, -1, np.int32)
        self.revoked: FlagColumn = np.zeros(trucks.capacity, np.bool_)
        self.pressed: FlagColumn = np.zeros(trucks.capacity, np.bool_)
        self.extra: list[Fact] = []
        self.applied: list[Fact] = []
        self.told: list[tuple[str, str, int]] = []
        self.goals: dict[int, MissionOut] = {}
        self.now_ns = 0

    def register(self, row: int, truck_id: str, truck_type_id: str, now_ns: int) -> list[Fact]:
        """The rest of the ring, from the body on."""
        self.told.append((truck_id, truck_type_id, now_ns))
        return [self._round(row)]

    def _round(self, row: int) -> RouteSet:
        trucks = self._trucks
        k = trucks.k_at(row, float(trucks.rear_m[row]))
        at = self._ring.index(int(trucks.path_lane[row, k]))
        lanes = tuple(self._ring[(at + i) % len(self._ring)] for i in range(len(self._ring) - 1))
        return RouteSet(row=row, lanes=lanes, start_m=float(trucks.path_start_m[row, k]), goal_m=1e9)

    def command(self, command: object, actor: str, now_ns: int) -> tuple[object, list[Fact]]:
        """The few commands the core must obey."""
        said, fact = self._obey(command, actor, now_ns)
        return said, [fact]

    def _obey(self, command: object, actor: str, now_ns: int) -> tuple[str, Fact]:
        fact: Fact
        match command:
            case StopAll():
                said, fact = "stopped", AllStopSet(stop_id=command.stop_id, reason=command.reason, actor=actor, at_ns=now_ns)
            case LiftStop():
                said, fact = "lifted", AllStopLifted(stop_id=command.stop_id, actor=actor, at_ns=now_ns)
            case HoldTruck():
                row = self._ids[command.truck_id]
                said, fact = "held", TruckHeld(row=row, stop_id=f"hold:{row}", reason=command.reason, actor=actor, at_ns=now_ns)
            case ResumeTruck():
                row = self._ids[command.truck_id]
                said, fact = "resumed", TruckResumed(row=row, stop_id=f"hold:{row}", actor=actor, at_ns=now_ns)
            case RemoveTruck():
                row, second = self._ids[command.truck_id], command.second_person
                said, fact = "removed", TruckRemoved(row=row, taken_to=command.taken_to, second_person=second, actor=actor, at_ns=now_ns)
            case LaneLimited():
                said, fact = "limited", command
            case _:
                said, fact = "heard", self._intruders(command, actor, now_ns)
        return said, fact

    def _intruders(self, command: object, actor: str, now_ns: int) -> IntrusionKept | IntrusionReleased:
        change: IntrusionKept | IntrusionReleased
        if isinstance(command, ReportIntrusion):
            change = self._rules.heard(self.book, self._sighting(command, actor), now_ns)
        else:
            assert isinstance(command, ReleaseIntrusion), command
            change = IntrusionReleased(intrusion_id=command.intrusion_id, actor=actor, at_ns=now_ns)
        self.book.apply(change)
        return change

    def _sighting(self, command: ReportIntrusion, actor: str) -> Sighting:
        lane_ix = self._corridor.lane_ix
        return Sighting(
            intrusion_id=command.intrusion_id,
            kind=IntrusionKind(command.kind),
            places=tuple(Metres(lane_ix=lane_ix[at.lane_id], from_m=at.start_m, to_m=at.end_m) for at in command.places),
            radius_m=command.radius_m,
            reporter=actor,
            detail=command.detail,
            tracked=command.tracked,
            speed_mps=command.speed_mps,
            stamp_ns=command.stamp_ns,
        )

    def step(self, view: DeskView, now_ns: int) -> list[Fact]:
        """A new round for every truck whose tail has left the first lane of its path."""
        trucks = self._trucks
        self.now_ns = now_ns
        facts, self.extra = self.extra, []
        for row in np.flatnonzero(view.live).tolist():
            if trucks.path_count[row] and trucks.k_at(row, float(trucks.rear_m[row])) > 0:
                facts.append(self._round(row))
        return facts

    def apply(self, fact: Fact) -> None:
        """Learns the names of trucks."""
        self.applied.append(fact)
        if isinstance(fact, TruckRegistered):
            self._ids[fact.truck_id] = fact.row
        elif isinstance(fact, IntrusionKept | IntrusionReleased):
            self.book.apply(fact)

    def facts(self) -> list[Fact]:
        """Nothing of its own."""
        return []

    def border_calls(self) -> Sequence[BorderCall]:
        """None: the gate stands open."""
        return []

    def missions(self) -> Sequence[MissionOut]:
        """None."""
        return []

    def alarms(self) -> Sequence[Alarm]:
        """None."""
        return []

    def mission_of(self, row: int) -> MissionOut | None:
        """Whatever a test set."""
        return self.goals.get(row)


@dataclass(slots=True, kw_only=True)
class ScriptedTruck:
    """Drives to its end of authority and no further; *s_m* is its nose along the ring, never wrapped."""

    truck_id: str
    s_m: float
    link: int
    instance_id: str = "i1"
    boot_id: str = "b1"
    row: int = -1
    v_mps: float = 0.0
    end_m: float | None = None
    epoch: int = 0
    seen: tuple[int, int] = (0, 0)
    challenge_echo: int = 0
    stamp_ns: int = 0
    clock_back_ns: int = 0
    stops: set[str] = field(default_factory=set)
    lie_m: float = 0.0
    bound_m: float = 0.5
    mute: bool = False
    deaf: bool = False
    owes_grant: bool = True
    refused: str = ""
    report_refusals: int = 0
    answers: list[AcknowledgementHeard] = field(default_factory=list)


class World:
    """One loop, its journal, and trucks on the ring."""

    def __init__(self, count: int, *, apart_m: float = 40.0, policy: str = MOVING) -> None:
        self.policy = policy
        self.corridor = tiny_corridor()
        self.journal: list[Fact] = []
        self.now_ns = 0
        self.epoch = 0
        self.links = count
        self._length_m = np.array([self.corridor.lanes[self.corridor.lane_ix[lane_id]].length_m for lane_id in RING])
        self._start_m = np.concatenate([[0.0], np.cumsum(self._length_m)])
        self.trucks = [ScriptedTruck(truck_id=f"T{at}", s_m=60.0 + apart_m * at, link=at) for at in range(count)]
        self.inputs: list[Input] = []
        self.outs: list[Outgoing] = []
        self.restart()

    def restart(self) -> None:
        """A new server over the journal's written form."""
        self.lanes = LaneTable.of(self.corridor)
        self.table = TruckTable(self.lanes, capacity=max(len(self.trucks) + 2, 8))
        self.desk = ScriptedDesk(self.corridor, self.table)
        self.loop = ControlLoop(self.corridor, self.table, self.desk, LoopOptions(policy=self.policy))
        for fact in self.journal:
            self.loop.apply(decode(*encode(fact)))
        self.epoch += 1
        self.loop.begin(self.epoch)

    def place(self, s_m: float) -> LanePlace:
        """Ring metres as a place on a lane."""
        at_m = s_m % self._start_m[-1]
        k = int(np.searchsorted(self._start_m, at_m, side="right")) - 1
        return LanePlace(lane_ix=self.corridor.lane_ix[RING[k]], chainage_m=float(at_m - self._start_m[k]))

    def along(self, truck: ScriptedTruck, place: LanePlace) -> float:
        """The place on the lap that the truck is on, in ring metres: a shortened end may lie behind it."""
        k = RING.index(self.corridor.lanes[place.lane_ix].lane_id)
        at_m = float(self._start_m[k] + place.chainage_m)
        tail_m = truck.s_m - 500.0
        round_m = float(self._start_m[-1])
        return at_m + round_m * float(np.ceil((tail_m - at_m) / round_m))

    def report(self, truck: ScriptedTruck) -> ReportRow:
        """What the truck says of itself now."""
        place = self.place(truck.s_m + truck.lie_m)
        truck.stamp_ns = max(self.now_ns - truck.clock_back_ns, truck.stamp_ns + 1 - truck.clock_back_ns)
        return ReportRow(
            stamp_ns=truck.stamp_ns,
            lane_ix=place.lane_ix,
            chainage_m=place.chainage_m,
            speed_mps=truck.v_mps,
            acceleration_mps2=0.0,
            bound_m=truck.bound_m,
            flags=2,
            accepted_epoch=truck.seen[0],
            accepted_sequence=truck.seen[1],
            challenge=truck.stamp_ns,
            challenge_echo=truck.challenge_echo,
            battery_wh=300_000.0,
            friction=0.0,
        )

    def hello(self, truck: ScriptedTruck, **changes: object) -> HelloHeard:
        """The truck's hello on a new link."""
        self.links += 1
        truck.link = self.links
        tail, nose = self.place(truck.s_m - TRUCK.length_m - 0.5), self.place(truck.s_m)
        body = (nose.lane_ix,) if tail.lane_ix == nose.lane_ix else (tail.lane_ix, nose.lane_ix)
        said: dict[str, object] = {
            "link": truck.link,
            "truck_id": truck.truck_id,
            "instance_id": truck.instance_id,
            "boot_id": truck.boot_id,
            "truck_type_id": TRUCK.truck_type_id,
            "map_digest": "",
            "software": "scripted",
            "wire_version": 1,
            "seen_epoch": truck.seen[0],
            "seen_sequence": truck.seen[1],
            "end_held": None if truck.end_m is None else self.place(truck.end_m),
            "body_lanes": body,
            "report": self.report(truck),
        }
        truck.owes_grant = True
        return HelloHeard(**{**said, **changes})  # type: ignore[arg-type]

    def greet_all(self) -> None:
        """Every truck says hello in the next tick."""
        self.inputs += [self.hello(truck) for truck in self.trucks]

    def run(self, ticks: int) -> list[Outgoing]:
        """Ticks of server and trucks; the answer is what the server said."""
        said = [self.tick() for _ in range(ticks)]
        self.outs += said
        return said

    def tick(self) -> Outgoing:
        """One tick."""
        self.now_ns += TICK_NS
        inputs, self.inputs = self.inputs, []
        out = self.loop.tick(self.now_ns, inputs)
        self.journal += out.facts
        self._listen(out)
        for truck in self.trucks:
            self._drive(truck)
        if out.tick % 2 == 0:
            self._report()
        return out

    def _report(self) -> None:
        speaking = [truck for truck in self.trucks if truck.row >= 0 and not truck.mute]
        if speaking:
            said = [self.report(truck) for truck in speaking]
            self.inputs.append(columns([truck.row for truck in speaking], said))
        for truck in speaking:
            self.inputs += truck.answers
            truck.answers = []

    def _listen(self, out: Outgoing) -> None:
        by_link = {truck.link: truck for truck in self.trucks if not truck.deaf}
        for refusal in out.refusals:
            if refusal.link in by_link:
                by_link[refusal.link].refused = refusal.error.reason
        for welcome in out.welcomes:
            if welcome.link in by_link:
                truck = by_link[welcome.link]
                truck.row, truck.epoch = welcome.row, welcome.epoch
        by_row = {truck.row: truck for truck in self.trucks if truck.row >= 0 and not truck.deaf}
        for truck, heard in ((by_row[heard.row], heard) for heard in (*out.stops, *out.resumes) if heard.row in by_row):
            if (heard.stop_id in truck.stops) != isinstance(heard, StopOut):
                truck.stops ^= {heard.stop_id}
                truck.owes_grant = True
        for refused in (refused for refused in out.report_refusals if refused.row in by_row):
            by_row[refused.row].report_refusals += 1
        for route in (route for route in out.routes if route.row in by_row):
            self._accept(by_row[route.row], route.epoch, route.sequence)
        for short in (short for short in out.shortenings if short.row in by_row):
            self._shorten(by_row[short.row], short.epoch, short.sequence, short.end)
        if out.grants is not None:
            self._take_grants(out, by_row)
        if out.heartbeats is not None:
            for row in (row for row in out.heartbeats.rows.tolist() if row in by_row):
                by_row[row].challenge_echo = out.heartbeats.tick

    def _accept(self, truck: ScriptedTruck, epoch: int, sequence: int) -> None:
        assert epoch == truck.epoch
        assert (epoch, sequence) > truck.seen, f"{truck.truck_id}: terms must rise"
        truck.seen = (epoch, sequence)

    def _take_grants(self, out: Outgoing, by_row: dict[int, ScriptedTruck]) -> None:
        grants = out.grants
        assert grants is not None
        for at, row in enumerate(grants.rows.tolist()):
            if row in by_row:
                truck = by_row[row]
                self._accept(truck, grants.epoch, int(grants.sequence[at]))
                place = LanePlace(lane_ix=int(grants.end_lane_ix[at]), chainage_m=float(grants.end_chainage_m[at]))
                end_m = self.along(truck, place)
                assert truck.end_m is None or end_m >= truck.end_m - 1e-6
                truck.end_m = end_m
                truck.owes_grant = False

    def _shorten(self, truck: ScriptedTruck, epoch: int, sequence: int, end: LanePlace) -> None:
        self._accept(truck, epoch, sequence)
        asked_m = self.along(truck, end)
        earliest_m = truck.s_m + truck.v_mps**2 / 2.0 + 2.0
        truck.end_m = max(asked_m, earliest_m)
        honoured = earliest_m <= asked_m
        truck.answers.append(
            AcknowledgementHeard(row=truck.row, epoch=epoch, sequence=sequence, honoured=honoured, end=self.place(truck.end_m))
        )

    def _drive(self, truck: ScriptedTruck) -> None:
        free = truck.end_m is not None and not truck.stops and not truck.owes_grant
        room_m = max((truck.end_m or truck.s_m) - truck.s_m - 2.5, 0.0) if free else 0.0
        wanted_mps = min(TRUCK.speed_max_mps, (2.0 * 0.9 * room_m) ** 0.5)
        change = float(np.clip(wanted_mps - truck.v_mps, -0.15, 0.07))
        if not free:
            change = -min(0.15, truck.v_mps)
        v_mps = max(truck.v_mps + change, 0.0)
        truck.s_m += 0.5 * (truck.v_mps + v_mps) * 0.1
        truck.v_mps = v_mps
        assert truck.v_mps == 0.0 or (truck.end_m is not None and truck.s_m < truck.end_m), f"{truck.truck_id} ran over its end"


def columns(rows: Sequence[int], said: Sequence[ReportRow]) -> ReportsHeard:
    """Reports as columns."""
    whole = {"stamp_ns", "flags", "accepted_epoch", "accepted_sequence", "challenge", "challenge_echo"}
    names = [name for name in ReportRow.__slots__ if name != "rows"]
    kinds = {name: np.int64 if name in whole else np.int32 if name == "lane_ix" else np.float64 for name in names}
    values = {name: np.array([getattr(row, name) for row in said], dtype=kinds[name]) for name in names}
    return ReportsHeard(rows=np.array(rows, np.int32), **values)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    """Worlds of so many trucks."""
    return World


@pytest.fixture
def variant(tmp_path: Path) -> Callable[..., str]:
    """Texts of sites that are mandula but for what is said."""

    def made(*changes: str, site: str = "mandula_b") -> str:
        path = tmp_path / f"{site}.yaml"
        path.write_text("\n".join([f"extends: mandula\nsite: {site}", *changes]), encoding="utf-8")
        return text_of(path)

    return made


@pytest.fixture
def steep(variant: Callable[..., str]) -> str:
    """The site with a slope on the strip, and with its lanes in other rows."""
    return variant(STEEP, SIDING)
