"""What a truck hears and says, as frozen values: the wire without its encoding. The link translates and validates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from fleet.onboard.store import NOTHING_SEEN, JournalSeen, Term


class LanePoint(NamedTuple):
    """A place on a lane."""

    lane_id: str
    chainage_m: float


class EventKind(IntEnum):
    """What a truck event is about; the values are the wire's."""

    EMERGENCY_BRAKED = 1
    CONTACT_LOST = 2
    CONTACT_REGAINED = 3
    OBSTACLE_SEEN = 4
    MESSAGE_REFUSED = 5
    DERATED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of one lane over which everything is constant; *grade* is the lowest within it."""

    lane_id: str
    start_m: float
    end_m: float
    speed_max_mps: float
    grade: float
    no_stop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The server has taken the truck on; *ladder* holds (silence in seconds, reaction)."""

    epoch: int
    hello_stamp_ns: int
    map_digest: str
    report_period_ns: int
    ladder: tuple[tuple[float, int], ...]
    clearing_speed_mps: float
    handle: int
    wire_version: int = 0
    software: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The server will not take the truck on."""

    reason: str
    detail: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The control loop is alive, if its tick rises and it carries back a young challenge."""

    tick: int
    challenge_echo: int
    challenge: int
    epoch: int
    journal: JournalSeen = NOTHING_SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The road to follow."""

    term: Term
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementAuthority:
    """Permission to move up to *end*; *advised_speed_mps* and *friction* are 0 where the server has no opinion."""

    term: Term
    route_sequence: int
    end: LanePoint
    advised_speed_mps: float
    friction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortening:
    """The end of authority is to move back to *end*."""

    term: Term
    route_sequence: int
    end: LanePoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Stop; only a `Resume` of the same id lifts it."""

    stop_id: str
    reaction: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Lifts the stop of this id."""

    stop_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mission:
    """What the truck does this for, and whether to set the parking brake at *goal*."""

    mission_id: str
    goal_id: str
    goal: LanePoint | None
    immobilise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRefused:
    """A report moved nothing."""

    stamp_ns: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteProposed:
    """The server wants the truck to be ready for the site of this digest."""

    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteWithdrawn:
    """That proposal is off."""

    digest: str


Heard: TypeAlias = (
    Welcome
    | Refusal
    | Heartbeat
    | Route
    | MovementAuthority
    | Shortening
    | Stop
    | Resume
    | Mission
    | ReportRefused
    | SiteProposed
    | SiteWithdrawn
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Where the truck is and what it may act on; fields as on the wire."""

    stamp_ns: int
    nose: LanePoint
    speed_mps: float
    acceleration_mps2: float
    bound_m: float
    laden: bool
    intact: bool
    immobilised: bool
    emergency_braking: bool
    accepted: Term
    challenge: int
    challenge_echo: int
    battery_wh: float
    friction: float
    brake_health: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Who is calling, what it may still be driving on, and where it stands."""

    truck_id: str
    instance_id: str
    boot_id: str
    truck_type_id: str
    map_digest: str
    software: str
    wire_version: int
    seen: Term
    end_held: LanePoint | None
    body_lane_ids: tuple[str, ...]
    report: Report
    ready_digest: str = ""
    journal_seen: JournalSeen = NOTHING_SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Answer to a shortening: *end* is what the truck supervises from now on."""

    term: Term
    honoured: bool
    end: LanePoint


@dataclass(frozen=True, slots=True, kw_only=True)
class TruckEvent:
    """Something a person may ask about; *place* where it was, which an obstacle must have."""

    stamp_ns: int
    kind: EventKind
    detail: str
    facts: Mapping[str, str] = field(default_factory=dict)
    place: LanePoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The truck leaves on purpose."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAcknowledged:
    """The truck can serve under the site of this digest as well; empty: under no other any more."""

    digest: str


Said: TypeAlias = Hello | Report | Acknowledgement | TruckEvent | Goodbye | SiteAcknowledged
