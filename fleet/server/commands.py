"""
What operators, customs and yards may ask to be changed, and what they are answered.

Requests mirror the messages of the wire one to one, checked by the codec: strings are stripped of nothing, numbers are
finite, times are control nanoseconds (0 where the wire left them out). Enumerations carry the wire's numbers. Answers are
values the services know how to write; each is kept with its request, so that a repeated request hears the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fleet.server.outgoing import Container
from fleet.server.site_commands import ProposeSite, SiteAnswer, SwitchSite, WithdrawSite


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOrder:
    """Move *container_count* containers between yards; higher *priority* first, *due_ns* 0 is no due time."""

    request_id: str
    from_yard_id: str
    to_yard_id: str
    container_count: int
    due_ns: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Pick up no more of an order; what is aboard is still delivered."""

    request_id: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTruck:
    """Stop one truck inside its authority and keep it there."""

    request_id: str
    truck_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeTruck:
    """Lift the hold, or the quarantine, of one truck."""

    request_id: str
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecommissionTruck:
    """No more missions; the truck parks. Frees no road."""

    request_id: str
    truck_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommissionTruck:
    """A person saw the truck put right: missions again, and brakes believed as declared."""

    request_id: str
    truck_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTruck:
    """Two persons declare the truck gone from the corridor; every field is required."""

    request_id: str
    truck_id: str
    taken_to: str
    second_person: str
    powered_off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLane:
    """No new authority into the lane."""

    request_id: str
    lane_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLane:
    """Ends a closure."""

    request_id: str
    lane_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLane:
    """A temporary speed limit; 0 lifts it."""

    request_id: str
    lane_id: str
    speed_limit_mps: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLaneFriction:
    """A person says what grip a whole lane has."""

    request_id: str
    lane_id: str
    friction: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAll:
    """Stop every truck; *stop_id* is chosen by whoever stops, and names the request too."""

    stop_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftStop:
    """Lift the all-stop of this id; where identities are proven, a second person must agree."""

    request_id: str
    stop_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchAnswer:
    """Metres of a lane; a place where *start_m* equals *end_m*."""

    lane_id: str
    start_m: float
    end_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportIntrusion:
    """
    Something that is no truck of ours is on one of *places*, all of it within *radius_m*; again under its id: where it is now.

    *kind* the wire's number. *tracked*: a transponder's word, of one place, at *speed_mps* and *stamp_ns* of its own clock.
    """

    request_id: str
    intrusion_id: str
    kind: int
    places: tuple[StretchAnswer, ...]
    radius_m: float
    tracked: bool = False
    speed_mps: float = 0.0
    stamp_ns: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseIntrusion:
    """A person says that the place is clear."""

    request_id: str
    intrusion_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquireControl:
    """Take control when nobody has it."""

    request_id: str
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewControl:
    """Keep control."""

    request_id: str
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOverControl:
    """Take control from somebody."""

    request_id: str
    holder: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideCrossing:
    """Customs' answer; *decision* 1 clear, 2 inspect, 3 refuse, 4 hold."""

    request_id: str
    crossing_id: str
    decision: int
    officer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBarrier:
    """The interlock's proof; *state* 1 shut, 2 open for *truck_id*."""

    request_id: str
    gate_id: str
    state: int
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBay:
    """The loader's proof; *state* 1 ready, 2 blocked, 3 working, 4 clear; with clear, *containers* are now aboard."""

    request_id: str
    bay_id: str
    state: int
    truck_id: str
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOpening:
    """Opens or closes a gate, or the whole border when *gate_id* is empty, until *until_ns* (0: until said otherwise)."""

    request_id: str
    gate_id: str
    open: bool
    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRefusals:
    """For the record alone: the streams refused *count* calls of *what*, for the reason of that name; it has no answer."""

    request_id: str
    what: str
    reason: str
    count: int


OperatorCommand: TypeAlias = (
    CreateOrder
    | CancelOrder
    | HoldTruck
    | ResumeTruck
    | DecommissionTruck
    | RecommissionTruck
    | RemoveTruck
    | CloseLane
    | OpenLane
    | LimitLane
    | SetLaneFriction
    | StopAll
    | LiftStop
    | ReportIntrusion
    | ReleaseIntrusion
    | AcquireControl
    | RenewControl
    | TakeOverControl
    | ProposeSite
    | SwitchSite
    | WithdrawSite
)
BorderCommand: TypeAlias = DecideCrossing | ReportBarrier | ReportBay | SetOpening
Command: TypeAlias = OperatorCommand | BorderCommand | NoteRefusals


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswer:
    """A transport order; the four counts sum to *container_count*. *state* is the wire's number."""

    order_id: str
    from_yard_id: str
    to_yard_id: str
    container_count: int
    waiting_count: int
    aboard_count: int
    delivered_count: int
    returned_count: int
    due_ns: int
    priority: int
    state: int
    created_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TruckAnswer:
    """
    What the desk knows of a truck; its place and session are in the fleet's picture at *row*. *asked* of it, a second must agree.

    *needs_second_person*: to the very request that this answers.
    """

    row: int
    truck_id: str
    truck_type_id: str
    mission_id: str
    mission_state: int
    goal_id: str
    containers: tuple[Container, ...]
    round_trips: int
    held: bool
    decommissioned: bool
    asked: str = ""
    needs_second_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneAnswer:
    """
    A lane as operators may change it; *speed_limit_mps* 0 is none. *asked* of it by one person, another must agree.

    *needs_second_person*: to the very request that this answers.
    """

    lane_id: str
    closed: bool
    speed_max_mps: float
    speed_limit_mps: float
    reason: str
    asked: str = ""
    needs_second_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAnswer:
    """A stop of the whole fleet; *asked*: by whom its lift, to which another must agree."""

    stop_id: str
    active: bool
    reason: str
    since_ns: int
    needs_second_person: bool
    asked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrusionAnswer:
    """An intruder and the road kept clear of it; *kind* and *state* are the wire's numbers."""

    intrusion_id: str
    kind: int
    state: int
    stretches: tuple[StretchAnswer, ...]
    reporter: str
    detail: str
    since_ns: int
    heard_ns: int
    stopped_truck_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAnswer:
    """The right to command; over at *expires_ns*."""

    holder: str
    epoch: int
    sequence: int
    expires_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingAnswer:
    """One truck's passage of the border; *state* is the wire's number, *declared_ns* 0 before it is declared."""

    crossing_id: str
    truck_id: str
    state: int
    containers: tuple[Container, ...]
    homeward: bool
    declared_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswer:
    """A barrier lane; *state* 1 not proven open, 2 open for *truck_id*. *queue_count* trucks are bound for it."""

    gate_id: str
    state: int
    truck_id: str
    queue_count: int
    open_for_traffic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueGateAnswer:
    """A gate that has had *truck_id*, or with "" has been shutting, for far longer than it usually takes."""

    gate_id: str
    truck_id: str
    since_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BayAnswer:
    """One stand where trucks are loaded, unloaded or charged."""

    bay_id: str
    state: int
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningAnswer:
    """Nothing to say beyond success."""


Answer: TypeAlias = (
    OrderAnswer
    | TruckAnswer
    | LaneAnswer
    | StopAnswer
    | IntrusionAnswer
    | ControlAnswer
    | CrossingAnswer
    | GateAnswer
    | BayAnswer
    | OpeningAnswer
    | SiteAnswer
)
