"""What operators may ask about a map change, and what they are answered; as `fleet.server.commands`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeSite:
    """Ask every truck to be ready for another site; *text* is its file, read and found sound, *digest* and *site_id* what it says."""

    request_id: str
    text: str
    digest: str
    site_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchSite:
    """Switch to the site proposed under *digest*, when everybody is ready."""

    request_id: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawSite:
    """End the proposal of *digest*."""

    request_id: str
    digest: str


class SiteState(IntEnum):
    """How far a proposed site has come; numbers as on the wire."""

    PROPOSED = 1
    WITHDRAWN = 2
    SWITCHED = 3


class BlockReason(IntEnum):
    """Why a site cannot be switched to yet; numbers as on the wire."""

    UNSEEN = 1
    NOT_ACKNOWLEDGED = 2
    ON_CHANGED_LANE = 3
    QUARANTINED = 4
    SHORTENING_UNANSWERED = 5
    TYPE_CHANGED = 6
    STAND_GONE = 7
    LEDGER_IN_DOUBT = 8
    JOURNAL = 9
    SITE_UNREADABLE = 10
    INTRUSION = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBlock:
    """One thing that blocks a switch; *truck_id* is empty when it is no truck's, *subject_id* names what it is about."""

    truck_id: str
    reason: BlockReason
    subject_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAnswer:
    """A proposed site and how far it has come; *blocks* is empty when it may be switched to."""

    digest: str
    site_id: str
    state: SiteState
    digest_in_force: str
    proposed_ns: int
    proposed_by: str
    changed_lane_ids: tuple[str, ...]
    changed_truck_type_ids: tuple[str, ...]
    acknowledged_truck_ids: tuple[str, ...]
    blocks: tuple[SiteBlock, ...]
