"""
What one tick of the control loop says, in the order it may be said.

`stops` may leave at once: they only reduce. Everything else waits until `facts` are durable in the journal. Rows are rows of
the truck table; the shell knows the link of each row from the last `WelcomeOut`. Lanes are rows of the corridor's lanes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self, TypeAlias

from fleet.errors import FleetError
from fleet.server.columns import FlagColumn, FloatColumn, IntColumn, RowColumn
from fleet.server.facts import Fact
from fleet.server.inputs import LanePlace
from planner.corridor import Corridor


class Reaction(IntEnum):
    """What a truck does when told to stop, hardest last; numbers as on the wire."""

    NO_ACCELERATION = 1
    SERVICE_STOP = 2
    EMERGENCY_STOP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOut:
    """Stop; only a `ResumeOut` of the same *stop_id* lifts it. *cause* is a name for people."""

    row: int
    stop_id: str
    reaction: Reaction
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeOut:
    """Lifts the stop of the same id; the truck still needs a new authority to move."""

    row: int
    stop_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WelcomeOut:
    """The truck on *link* is taken on as *row*; *supersedes* is the link it leaves, to be closed, or None."""

    link: int
    row: int
    epoch: int
    hello_stamp_ns: int
    supersedes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalOut:
    """The truck on *link* is not taken on; the link ends after it."""

    link: int
    error: FleetError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RouteOut:
    """
    The road one truck is to follow; columns (k,) are its segments in order, the first holds the tail.

    *start_m*, *end_m* are chainages on *lane_ix*. *grade* is the lowest within the segment, positive uphill.
    """

    row: int
    epoch: int
    sequence: int
    lane_ix: RowColumn
    start_m: FloatColumn
    end_m: FloatColumn
    speed_max_mps: FloatColumn
    grade: FloatColumn
    no_stop: FlagColumn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GrantsOut:
    """
    Authorities of one tick as columns, each (k,), a row at most once.

    *end_m* is the end as path coordinate, *end_lane_ix* and *end_chainage_m* the same place on the map. *friction* is the
    least on the way. *advised_speed_mps* 0 is no wish.
    """

    epoch: int
    rows: RowColumn
    sequence: IntColumn
    route_sequence: IntColumn
    end_m: FloatColumn
    end_lane_ix: RowColumn
    end_chainage_m: FloatColumn
    advised_speed_mps: FloatColumn
    friction: FloatColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class ShorteningOut:
    """The end of authority moves back to *end*; the road behind it stays the truck's until it acknowledges."""

    row: int
    epoch: int
    sequence: int
    route_sequence: int
    end: LanePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container, the unit of cargo and of clearance."""

    container_id: str
    mass_kg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MissionOut:
    """What the truck is doing this for; *state* is the wire's number of MissionState. Carries no permission."""

    row: int
    mission_id: str
    state: int
    goal_id: str
    goal: LanePlace
    immobilise: bool
    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRefusedOut:
    """A report moved nothing; *reason* is the error's class name."""

    row: int
    stamp_ns: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOut:
    """The truck is to be ready for the site of *digest*, or, *withdrawn*, no longer."""

    row: int
    digest: str
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeartbeatColumns:
    """
    Proof that the loop is alive; columns (k,). *challenge* is to come back in a report, *challenge_echo* is the truck's.

    *journal_sequence*, *journal_digest*: how far the journal reaches, durably; the loop does not know, whoever speaks does.
    """

    tick: int
    epoch: int
    rows: RowColumn
    challenge_echo: IntColumn
    challenge: IntColumn
    journal_sequence: int = 0
    journal_digest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to the command of the same *ticket*: a value the services know how to write, or the error it raised."""

    ticket: int
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something a person must look at; *name* is an event of `fleet.log`, *fields* its details."""

    name: str
    fields: tuple[tuple[str, str | int | float], ...]

    @classmethod
    def of(cls, name: str, **fields: str | int | float) -> Self:
        """An event with *fields*, in the order given."""
        return cls(name=name, fields=tuple(fields.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """One truck's passage of the border; *state* is the wire's number, *declared_ns* 0 before it is declared."""

    crossing_id: str
    truck_id: str
    state: int
    containers: tuple[Container, ...]
    homeward: bool
    declared_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDeclared:
    """A crossing is declared: customs may look at it from now on."""

    crossing: Crossing


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCall:
    """A truck asks to be processed at a gate; *crossing_id* is empty when it crosses without cargo."""

    gate_id: str
    truck_id: str
    crossing_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePassed:
    """The truck's tail has cleared the gate; the barrier may shut."""

    gate_id: str
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BayCall:
    """A truck stands immobilised at a bay; *work* is the wire's number of BayWork."""

    bay_id: str
    truck_id: str
    work: int
    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BayLeft:
    """The truck's tail has cleared the bay."""

    bay_id: str
    truck_id: str


BorderContent: TypeAlias = ManifestDeclared | GateCall | GatePassed | BayCall | BayLeft


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderCall:
    """The server asks somebody to do something; *call_id* rises and is kept over restarts by the desk."""

    call_id: int
    content: BorderContent


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSwitch:
    """
    This tick was the last one on the old site: *facts* are everything durable, this tick's included, in the rows of *corridor*.

    They take the place of the tick's own facts and are to be journalled as one snapshot. A new server on *corridor* goes on.
    """

    corridor: Corridor
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outgoing:
    """One tick's words. Only `stops` and `heartbeats` may leave before `facts`, or those of `switch`, are durable."""

    tick: int
    now_ns: int
    facts: tuple[Fact, ...] = ()
    stops: tuple[StopOut, ...] = ()
    heartbeats: HeartbeatColumns | None = None
    resumes: tuple[ResumeOut, ...] = ()
    welcomes: tuple[WelcomeOut, ...] = ()
    refusals: tuple[RefusalOut, ...] = ()
    routes: tuple[RouteOut, ...] = ()
    shortenings: tuple[ShorteningOut, ...] = ()
    grants: GrantsOut | None = None
    missions: tuple[MissionOut, ...] = ()
    report_refusals: tuple[ReportRefusedOut, ...] = ()
    border_calls: tuple[BorderCall, ...] = ()
    sites: tuple[SiteOut, ...] = ()
    switch: SiteSwitch | None = None
    replies: tuple[Reply, ...] = ()
    alarms: tuple[Alarm, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether there is anything that may leave only later; most ticks of a quiet fleet have nothing."""
        return any((
            self.facts, self.resumes, self.welcomes, self.refusals, self.routes, self.shortenings, self.grants is not None, self.missions,
            self.report_refusals, self.border_calls, self.sites, self.switch is not None, self.replies, self.alarms,
        ))  # fmt: skip
