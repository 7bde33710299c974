"""
Everything the control loop may be told, as values the codec has already checked.

Rows are rows of the truck table; a welcome names the row, and the shell answers for it that only that truck's own link
speaks for it. A *link* is one conversation with one truck: its own stream, or its place behind a gateway's stream, numbered
by the shell and never used again. Lanes are rows of the corridor's lanes; -1 is a lane this site does not have. All floats
are finite, all stamps are the truck's own clock. `Turns` alone are our own word: what planning beside the loop advises.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final, TypeAlias

from fleet.server.columns import FloatColumn, IntColumn, RowColumn
from planner.foresight.turns import Turns

# The wire's number of the one event that closes road.
OBSTACLE_SEEN: Final = 4


class ReportFlag(IntFlag):
    """Bits of a report's *flags*, as on the wire."""

    LADEN = 1
    INTACT = 2
    IMMOBILISED = 4
    EMERGENCY_BRAKING = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePlace:
    """A place on a lane; *lane_ix* -1 is a lane this site does not have."""

    lane_ix: int
    chainage_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One report, of a truck that has no row yet; fields as the columns of `ReportsHeard`."""

    stamp_ns: int
    lane_ix: int
    chainage_m: float
    speed_mps: float
    acceleration_mps2: float
    bound_m: float
    flags: int
    accepted_epoch: int
    accepted_sequence: int
    challenge: int
    challenge_echo: int
    battery_wh: float
    friction: float
    brake_health: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloHeard:
    """
    A truck calls, says who it is, what it may still be driving on and where it stands.

    *seen_epoch*, *seen_sequence* are the highest it ever accepted; *end_held* the end of the authority it supervises;
    *body_lanes* the lanes under it, the tail's first; *ready_digest* a site it has loaded beside the one of *map_digest*;
    *journal_known*: the newest head of a journal that it heard of is one of this server's journal.
    """

    link: int
    truck_id: str
    instance_id: str
    boot_id: str
    truck_type_id: str
    map_digest: str
    software: str
    wire_version: int
    seen_epoch: int
    seen_sequence: int
    end_held: LanePlace | None
    body_lanes: tuple[int, ...]
    report: ReportRow
    ready_digest: str = ""
    journal_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportsHeard:
    """
    Reports as columns, each (k,); a truck may appear more than once, its later row is the newer.

    *stamp_ns* truck clock. *chainage_m* of the nose. *flags* bits of `ReportFlag`. *challenge* is the truck's, to be carried
    back; *challenge_echo* is ours, carried back. *friction* 0 when the truck has no opinion. *brake_health* share of the declared
    braking that is left, never 0 where the truck merely does not say.
    """

    rows: RowColumn
    stamp_ns: IntColumn
    lane_ix: RowColumn
    chainage_m: FloatColumn
    speed_mps: FloatColumn
    acceleration_mps2: FloatColumn
    bound_m: FloatColumn
    flags: IntColumn
    accepted_epoch: IntColumn
    accepted_sequence: IntColumn
    challenge: IntColumn
    challenge_echo: IntColumn
    battery_wh: FloatColumn
    friction: FloatColumn
    brake_health: FloatColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgementHeard:
    """The answer to a shortening; *end* is what the truck now supervises, its own offer when *honoured* is false."""

    row: int
    epoch: int
    sequence: int
    honoured: bool
    end: LanePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class TruckEventHeard:
    """Something the truck did or met; *kind* is the wire's number. *place*: where, None when it does not say."""

    row: int
    stamp_ns: int
    kind: int
    detail: str
    place: LanePlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAcknowledgementHeard:
    """The truck can serve under the site of this digest as well; empty: under no other any more."""

    row: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodbyeHeard:
    """The truck leaves on purpose. Frees no road."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLost:
    """A link ended without a goodbye, or a report on it could not be read at all."""

    link: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGiven:
    """
    A request of an operator, customs or a yard; *command* is one of `fleet.server.commands`.

    The answer leaves as a `Reply` with the same *ticket*. *actor* is the proven identity, not what the request claims.
    """

    ticket: int
    command: object
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalChanged:
    """The journal can no longer (or again) take records; while it cannot, nothing is granted. Stops still leave."""

    writable: bool
    reason: str


Input: TypeAlias = (
    HelloHeard
    | ReportsHeard
    | AcknowledgementHeard
    | TruckEventHeard
    | SiteAcknowledgementHeard
    | GoodbyeHeard
    | LinkLost
    | CommandGiven
    | JournalChanged
    | Turns
)
