"""
What the server answers, as frozen values.

Field names are the wire's. A state is its lower-case name without the prefix (`live`, `to_load`; empty: unspecified), an absent time is None, a
duration is seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar, cast

from google.protobuf.message import Message

from fleet.client.day_values import CauseTime, Day, DayBound, DayHour
from fleet.client.health_values import (
    DecisionHealth,
    Health,
    JournalHealth,
    MessageHealth,
    NamedCount,
    Spread,
    TickHealth,
    TruckClock,
    TruckHealth,
)
from fleet.client.plan_values import Course, CoursePoint, Plan
from fleet.client.site_values import (
    LanePoint,
    Site,
    SiteGate,
    SiteLane,
    SiteStand,
    SiteTruckType,
    SiteYard,
    SiteZone,
    Stretch,
)

_V = TypeVar("_V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container."""

    container_id: str
    mass_kg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOrder:
    """What the operator wants moved, and how much of it has been."""

    order_id: str
    from_yard_id: str
    to_yard_id: str
    container_count: int
    waiting_count: int
    aboard_count: int
    delivered_count: int
    returned_count: int
    due_time: datetime | None
    priority: int
    state: str
    create_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """
    One link of the chain that explains why a truck stands.

    *truck_id*: whose link it is, "" where the answer is about one truck; *end* of its authority. *held_by_truck_id*: the truck that has the
    subject and that the next link is about, "" where this link is the root. *owner* can end it (`operator`, `gate`, …), *owner_id* is
    its name where that is known, *reason* what somebody gave as one.
    """

    kind: str
    subject_id: str
    since: datetime | None
    truck_id: str
    end: LanePoint | None
    held_by_truck_id: str
    owner: str
    owner_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Truck:
    """
    A truck as operators see it.

    *nose* and *end* are None where there is none, the heading is counter-clockwise from east, *brake_health* 0 says nothing.
    *standing_for* is None while it moves. *asked*: what one person asked for about it, and another must still agree to;
    *needs_second_person*: this is the answer to such a request, which has changed nothing yet.
    """

    truck_id: str
    truck_type_id: str
    session: str
    mission_id: str
    mission: str
    nose: LanePoint | None
    east_m: float
    north_m: float
    heading_rad: float
    speed_mps: float
    laden: bool
    end: LanePoint | None
    battery_wh: float
    report_age: float | None
    goal_id: str
    containers: tuple[Container, ...]
    round_trips: int
    held: bool
    decommissioned: bool
    brake_health: float
    standing_for: Cause | None
    asked: str
    needs_second_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a truck stands: from the truck itself to the root, and as a sentence."""

    truck_id: str
    standing: bool
    causes: tuple[Cause, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """
    A lane as operators may change it; *speed_limit_mps* 0: no temporary limit; *friction* the lowest on it, 0: not said.

    *asked*: what one person asked for about it, and another must still agree to; *needs_second_person*: this is the answer to such a
    request, which has changed nothing yet.
    """

    lane_id: str
    closed: bool
    speed_max_mps: float
    speed_limit_mps: float
    reason: str
    friction: float
    asked: str
    needs_second_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AllStop:
    """A stop of the whole fleet; *asked*: who wants to lift it, to which another must agree."""

    stop_id: str
    active: bool
    reason: str
    since: datetime | None
    needs_second_person: bool
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who wanted what, what it changed, and what came of it: done, asked (a second person must agree), or the refusal's name."""

    sequence: int
    time: datetime | None
    actor: str
    request_id: str
    command: str
    detail: str
    before: str
    after: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intrusion:
    """A person, an animal or a manned truck on the road, the road kept clear of it, and the trucks it stopped."""

    intrusion_id: str
    kind: str
    state: str
    stretches: tuple[Stretch, ...]
    reporter: str
    detail: str
    since: datetime | None
    heard: datetime | None
    stopped_truck_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLease:
    """The right to command, held by one operator at a time."""

    holder: str
    epoch: int
    sequence: int
    expire_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTotals:
    """What was moved since the journal began, and how many trucks are live now."""

    round_trips: int
    containers_delivered: int
    tonnes: float
    trucks_live: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueGate:
    """A gate that has had *truck_id*, or with "" has been shutting, for far longer than it usually takes."""

    gate_id: str
    truck_id: str
    since: datetime | None

    def taken_min(self, now: datetime | None) -> int:
        """Whole minutes until *now*; 0 where either was not told."""
        return 0 if now is None or self.since is None else int((now - self.since).total_seconds() // 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedBay:
    """A bay or charger that its keeper has put out of order; *truck_id* is in it, or has it, "" nobody."""

    bay_id: str
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetUpdate:
    """The fleet at one tick; *trucks* is everything in a snapshot, else only what changed. *control* is None while nobody has it."""

    tick: int
    time: datetime | None
    snapshot: bool
    trucks: tuple[Truck, ...]
    stops: tuple[AllStop, ...]
    totals: FleetTotals | None
    control: ControlLease | None
    overdue_gates: tuple[OverdueGate, ...]
    blocked_bays: tuple[BlockedBay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """One truck's passage of the border."""

    crossing_id: str
    truck_id: str
    state: str
    containers: tuple[Container, ...]
    homeward: bool
    declare_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A barrier lane at the checkpoint."""

    gate_id: str
    state: str
    truck_id: str
    queue_count: int
    open_for_traffic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bay:
    """A stand where trucks are loaded, unloaded or charged."""

    bay_id: str
    state: str
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDeclared:
    """A crossing is declared: customs may look at it."""

    crossing: Crossing


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCall:
    """A truck asks a gate to process it."""

    gate_id: str
    truck_id: str
    crossing_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePassed:
    """A truck's tail has cleared a gate."""

    gate_id: str
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BayCall:
    """A truck stands immobilised in a bay: the loader may work."""

    bay_id: str
    truck_id: str
    work: str
    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BayLeft:
    """A truck's tail has cleared a bay."""

    bay_id: str
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderCall:
    """The server asks somebody to do something; exactly one of the calls is there."""

    call_id: int
    manifest_declared: ManifestDeclared | None
    gate_call: GateCall | None
    gate_passed: GatePassed | None
    bay_call: BayCall | None
    bay_left: BayLeft | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBlock:
    """One thing that blocks a switch to another site; *truck_id* is empty when it is no truck's."""

    truck_id: str
    reason: str
    subject_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteProposal:
    """A site proposed, and how far it has come; when nothing is in *blocks*, it may be switched to."""

    digest: str
    site_id: str
    state: str
    digest_in_force: str
    propose_time: datetime | None
    proposed_by: str
    changed_lane_ids: tuple[str, ...]
    changed_truck_type_ids: tuple[str, ...]
    acknowledged_truck_ids: tuple[str, ...]
    blocks: tuple[SiteBlock, ...]


Value: TypeAlias = (
    TransportOrder
    | Truck
    | Explanation
    | Lane
    | AllStop
    | Intrusion
    | ControlLease
    | FleetUpdate
    | Crossing
    | Gate
    | Bay
    | BorderCall
    | Site
    | SiteProposal
    | Health
    | Day
    | Plan
)

_CLASSES: Final[Mapping[str, type[Any]]] = {
    f"fleet.v1.{kind.__name__}": kind
    for kind in (
        LanePoint, Stretch, Container, TransportOrder, Truck, Cause, Explanation, Lane, AllStop, Intrusion, ControlLease, FleetTotals,
        FleetUpdate, OverdueGate, BlockedBay, Crossing, Gate, Bay, ManifestDeclared, GateCall, GatePassed, BayCall, BayLeft, BorderCall,
        SiteBlock, SiteProposal, SiteLane, SiteZone, SiteGate, SiteStand, SiteYard, SiteTruckType, Site, CauseTime, DayHour, DayBound, Day,
        Health, TickHealth, DecisionHealth, TruckHealth, JournalHealth, MessageHealth, TruckClock, Spread, NamedCount, CoursePoint, Course, Plan,
    )
}  # fmt: skip


def value_of(kind: type[_V], message: Message) -> _V:
    """The value that *message*, which must be of the message type named like *kind*, stands for."""
    descriptors = message.DESCRIPTOR.fields_by_name
    build = cast("Any", kind)
    return cast("_V", build(**{entry.name: _read(message, descriptors[entry.name]) for entry in fields(build)}))


def _read(message: Message, field: Any) -> Any:
    raw = getattr(message, field.name)
    if field.is_repeated:
        return tuple(_one(field, item) for item in raw)
    if field.message_type is not None and not message.HasField(field.name):
        return None
    return _one(field, raw)


def _one(field: Any, raw: Any) -> Any:
    if field.enum_type is not None:
        return _state(field, raw)
    if field.message_type is None:
        return raw
    match field.message_type.full_name:
        case "google.protobuf.Timestamp":
            return datetime.fromtimestamp(raw.seconds + raw.nanos / 1e9, UTC)
        case "google.protobuf.Duration":
            return raw.seconds + raw.nanos / 1e9
        case name:
            return value_of(_CLASSES[name], raw)


def _state(field: Any, number: int) -> str:
    """Lower-case name of a state without the prefix its kind shares; empty when unspecified, the number of a later version's."""
    kind = field.enum_type
    value = kind.values_by_number.get(number)
    if value is None:
        return str(number)
    if number == 0:
        return ""
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(value.name).removeprefix(prefix).lower()
