"""
What the ledger, the sessions and the desk tell each other and the journal.

Their written form, and the rules for declaring more of them, are in `fleet.server.fact_form`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.server.columns import FloatColumn, IntColumn, RowColumn
from fleet.server.fact_form import Fact, FactMalformed, decode, encode, fact

__all__ = [
    "AllStopLifted",
    "AllStopSet",
    "BrakesDerated",
    "DoubtAdded",
    "Fact",
    "FactMalformed",
    "GrantsIssued",
    "LaneFrictionSet",
    "LaneLimited",
    "LedgerKept",
    "RouteSent",
    "RouteSet",
    "ShorteningAcknowledged",
    "ShorteningIssued",
    "StretchDerated",
    "TruckGreeted",
    "TruckHeld",
    "TruckQuarantined",
    "TruckRecommissioned",
    "TruckRegistered",
    "TruckRemoved",
    "TruckResumed",
    "decode",
    "encode",
    "fact",
]


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TruckRegistered(Fact):
    """
    A truck got a row and the road under its body; *lanes* are those, tail's first.

    Path coordinates: *start_m* of the first lane's chainage 0; *rear_m*, *end_m* of the road it claims.
    """

    row: int
    truck_id: str
    truck_type_id: str
    instance_id: str
    lanes: tuple[int, ...]
    start_m: float
    rear_m: float
    end_m: float
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TruckGreeted(Fact):
    """
    A hello was accepted in *epoch*: the truck agreed to it and said what it held; *end_m* is what the ledger keeps for it.

    *stamp_ns* is the hello's own, by the truck's clock of that boot: no hello of it that is older will be believed.
    """

    row: int
    epoch: int
    instance_id: str
    boot_id: str
    stamp_ns: int
    seen_epoch: int
    seen_sequence: int
    end_m: float
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSet(Fact):
    """
    The desk gives a truck a new path: *lanes* in order, the first holds its tail.

    *start_m* is the path coordinate of the first lane's chainage 0; lanes up to the end held keep their coordinates.
    """

    row: int
    lanes: tuple[int, ...]
    start_m: float
    goal_m: float


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSent(Fact):
    """The truck's present path was sent to it under this term."""

    row: int
    epoch: int
    sequence: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GrantsIssued(Fact):
    """
    One tick's grants, (k,), and every confirmed rear that moved since rears were last journalled, (j,).

    A grant may use road that another truck's rear has left, so the rears must be durable with it. Path coordinates.
    """

    tick: int
    epoch: int
    at_ns: int
    rows: RowColumn
    sequence: IntColumn
    end_m: FloatColumn
    rear_rows: RowColumn
    rear_m: FloatColumn


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class ShorteningIssued(Fact):
    """The end is to move back to *end_m*; the road behind it stays the truck's until it acknowledges. *cause* names why."""

    row: int
    epoch: int
    sequence: int
    end_m: float
    cause: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class ShorteningAcknowledged(Fact):
    """The truck now supervises *end_m*: the shortened end, or its own offer when not *honoured*."""

    row: int
    epoch: int
    sequence: int
    honoured: bool
    end_m: float


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TruckQuarantined(Fact):
    """A truck's word cannot be believed; only a person ends this. *reason* is a class name, *stop_id* lifts its stop."""

    row: int
    reason: str
    detail: str
    stop_id: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtAdded(Fact):
    """Metres of a lane that the doubted truck *row* may also be on: nobody is given them while the doubt lasts."""

    row: int
    lane_ix: int
    from_m: float
    to_m: float


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TruckHeld(Fact):
    """Stop one truck inside its authority and keep it there; made by the desk."""

    row: int
    stop_id: str
    reason: str
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TruckResumed(Fact):
    """A person lifts one truck's hold and quarantine; made by the desk."""

    row: int
    stop_id: str
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class AllStopSet(Fact):
    """Stop everything; made by the desk for a person, by the loop when the ledger itself is in doubt."""

    stop_id: str
    reason: str
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class AllStopLifted(Fact):
    """The all-stop of this id is over: everyone who must has agreed. Made by the desk."""

    stop_id: str
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TruckRemoved(Fact):
    """Persons saw the truck leave the corridor: its road opens, its id is barred. Made by the desk."""

    row: int
    taken_to: str
    second_person: str
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimited(Fact):
    """A temporary speed limit on a lane; 0 lifts it. Made by the desk; routes over the lane are sent anew."""

    lane_ix: int
    speed_limit_mps: float
    reason: str
    actor: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class BrakesDerated(Fact):
    """A truck measured that only *brake_health* of its declared braking is left. It stays so until a person recommissions it."""

    row: int
    brake_health: float
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TruckRecommissioned(Fact):
    """A person saw the truck and its brakes put right: it brakes as declared, and may have missions again. Made by the desk."""

    row: int
    reason: str
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class StretchDerated(Fact):
    """The truck *row* met no more than *friction* on [from_m, to_m) of a lane: everybody brakes with it there."""

    row: int
    lane_ix: int
    from_m: float
    to_m: float
    friction: float
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFrictionSet(Fact):
    """A person says what grip a whole lane has, better or worse than trucks have met. Made by the desk."""

    lane_ix: int
    friction: float
    reason: str
    actor: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LedgerKept(Fact):
    """The ledger in a snapshot, a row an entry: terms last issued, ends, rears; *pending* -1 where no shortening waits."""

    epoch: IntColumn
    sequence: IntColumn
    rear_m: FloatColumn
    end_m: FloatColumn
    sent_m: FloatColumn
    pending: IntColumn
