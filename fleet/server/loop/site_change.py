"""
A map change, seen from the trucks: who is ready for the site proposed, who must not go where, and what still blocks the switch.

From the proposal on no truck is given road onto a lane that differs, and whoever is on one already is let out. The switch itself is
safe only when nobody can be anywhere on such a lane: not a body, not a metre that a truck may hold, not a shortening whose answer
is under way. Then every authority says the same on both sites, and the ledger can be said anew in the rows of the other.

A truck's word that it is ready counts for the session in which it gave it. A computer that came back may have come back without
what it had loaded, so every hello is asked again; nothing of this needs to outlive the server.
"""

from __future__ import annotations

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn, RowColumn
from fleet.server.facts import Fact
from fleet.server.loop.ledger import NONE_PENDING, Ledger
from fleet.server.loop.sessions import NO_LINK, Sessions
from fleet.server.loop.site_limits import Limits
from fleet.server.loop.stops import OWN_ACTOR, Stops
from fleet.server.loop.telemetry import Telemetry
from fleet.server.loop.truck_session import State
from fleet.server.outgoing import SiteOut
from fleet.server.site_commands import BlockReason, SiteBlock
from fleet.server.site_facts import SiteInForce, SiteProposed, SiteWithdrawn
from planner.authority import Cause
from planner.corridor import Corridor
from planner.limits import SAME_PLACE_M

_SITE_CHANGE = int(Cause.SITE_CHANGE)


class SiteChange:
    """
    The proposal in force, if any, and what the trucks have to do with it. Whoever drains *words* empties them.

    acknowledged  (capacity,) ready for the proposed site, said in the present session
    switched      the journal is to go on under another site than this server's: nothing may be decided here any more
    """

    def __init__(self, corridor: Corridor, ledger: Ledger, sessions: Sessions, telemetry: Telemetry, stops: Stops) -> None:
        self._corridor = corridor
        self._ledger = ledger
        self._sessions = sessions
        self._telemetry = telemetry
        self._stops = stops
        self._limits = Limits(ledger.trucks, ())
        self.in_force: SiteInForce | None = None
        self.proposed: SiteProposed | None = None
        self._readable = False
        self.switched = False
        self.acknowledged: FlagColumn = np.zeros(ledger.trucks.capacity, np.bool_)
        self.words: list[SiteOut] = []

    def apply(self, fact: Fact) -> None:
        """Begins or ends a proposal; facts of others pass by."""
        if isinstance(fact, SiteProposed):
            self._propose(fact)
        elif isinstance(fact, SiteWithdrawn):
            self.words += [SiteOut(row=row, digest=fact.digest, withdrawn=True) for row in self._linked()]
            self._end()
        elif isinstance(fact, SiteInForce):
            self.in_force = fact
            self.switched = fact.digest != self._corridor.digest
            self._end()

    @property
    def after(self) -> Corridor | None:
        """The proposed site; None without one, or when it cannot be read any more."""
        return corridor_of(self.proposed) if self.proposed is not None and self._readable else None

    def site_named(self) -> SiteInForce:
        """What a journal must say before anything else: the site that its rows are of, which was given from outside."""
        site_id, digest = self._corridor.site_id, self._corridor.digest
        return SiteInForce(site_id=site_id, digest=digest, before_digest="", text="", actor=OWN_ACTOR, at_ns=0)

    def facts(self) -> list[Fact]:
        """The site that a snapshot's rows are of, which comes first, and the proposal."""
        return [fact for fact in (self.in_force, self.proposed) if fact is not None]

    def forget_words(self) -> None:
        """What replaying a journal would have said was said by the server before."""
        self.words.clear()

    def _propose(self, fact: SiteProposed) -> None:
        self._end()
        self.proposed = fact
        self._readable = corridor_of(fact) is not None
        self._limits = Limits(self._ledger.trucks, fact.changed_lanes)
        self.words += [SiteOut(row=row, digest=fact.digest) for row in self._linked()]

    def _end(self) -> None:
        self.proposed = None
        self._limits = Limits(self._ledger.trucks, ())
        self.acknowledged[:] = False

    def _linked(self) -> list[int]:
        """Rows that somebody speaks for, under this epoch."""
        count = self._ledger.trucks.count
        rows: list[int] = ((self._sessions.link[:count] != NO_LINK) & self._ledger.greeted[:count]).nonzero()[0].tolist()
        return rows

    # What trucks say.

    def greet(self, row: int, ready_digest: str) -> None:
        """A hello: what the truck said before counts no more, what it says it has loaded does."""
        if self.proposed is not None:
            self.acknowledged[row] = ready_digest == self.proposed.digest
            if not self.acknowledged[row]:
                self.words.append(SiteOut(row=row, digest=self.proposed.digest))

    def acknowledge(self, row: int, digest: str) -> None:
        """The truck is ready for *digest*; when that is not the site proposed, it is ready for none that counts."""
        if self.proposed is not None:
            self.acknowledged[row] = digest == self.proposed.digest

    def say_again(self) -> None:
        """The proposal, to those who have not answered; once a second."""
        if self.proposed is not None:
            self.words += [SiteOut(row=row, digest=self.proposed.digest) for row in self._linked() if not self.acknowledged[row]]

    def ready_ids(self) -> tuple[str, ...]:
        """Trucks that acknowledged, by row."""
        count = self._ledger.trucks.count
        return tuple(self._sessions.truck_ids[row] for row in self.acknowledged[:count].nonzero()[0].tolist())

    # Where trucks may not go, and where they are.

    def hold_back(self, limit_m: FloatColumn, cause: RowColumn, ref: RowColumn) -> None:
        """Lowers *limit_m* (n,) to where a changed lane begins that its truck may not enter, and says so in *cause* and *ref*."""
        if self.proposed is None:
            return
        for row in range(len(limit_m)):
            limit = self._limits.of(row)
            if limit is not None and limit[0] < limit_m[row]:
                limit_m[row], cause[row], ref[row] = limit[0], _SITE_CHANGE, limit[1]

    def edges(self) -> list[tuple[int, float]]:
        """Rows whose end lies right where a changed lane begins, and the path coordinate to which it is to move back."""
        if self.proposed is None:
            return []
        ledger = self._ledger
        asked = ledger.greeted & (ledger.route_sequence > 0) & (ledger.pending == NONE_PENDING)
        limits = [(row, self._limits.of(row)) for row in asked[: ledger.trucks.count].nonzero()[0].tolist()]
        return [(row, limit[0]) for row, limit in limits if limit is not None and limit[0] < ledger.trucks.end_m[row] - SAME_PLACE_M]

    def blocks(self, *, durable: bool, tick: int, now_ns: int) -> list[SiteBlock]:
        """Everything about trucks and ledger that forbids to switch now; empty without a proposal."""
        if self.proposed is None:
            return []
        found: list[SiteBlock] = []
        if not self._readable:
            found.append(SiteBlock(truck_id="", reason=BlockReason.SITE_UNREADABLE, subject_id=self.proposed.site_id))
        if not durable:
            found.append(SiteBlock(truck_id="", reason=BlockReason.JOURNAL))
        found += [SiteBlock(truck_id="", reason=BlockReason.LEDGER_IN_DOUBT, subject_id=stop_id) for stop_id in self._stops.own_all_stops()]
        for row in range(self._ledger.trucks.count):
            if not self._ledger.removed[row]:
                reasons = self._blocks_of(row, self.proposed, tick=tick, now_ns=now_ns)
                truck_id = self._sessions.truck_ids[row]
                found += [SiteBlock(truck_id=truck_id, reason=reason, subject_id=subject_id) for reason, subject_id in reasons]
        return found

    def _blocks_of(self, row: int, proposed: SiteProposed, *, tick: int, now_ns: int) -> list[tuple[BlockReason, str]]:
        found: list[tuple[BlockReason, str]] = []
        greeted = bool(self._ledger.greeted[row])
        if not greeted or not self._sessions.answering(row, self._telemetry, tick=tick, now_ns=now_ns):
            found.append((BlockReason.UNSEEN, ""))
        if self._sessions.state[row] == State.QUARANTINED:
            found.append((BlockReason.QUARANTINED, ""))
        if not self.acknowledged[row]:
            found.append((BlockReason.NOT_ACKNOWLEDGED, ""))
        if self._ledger.pending[row] != NONE_PENDING:
            found.append((BlockReason.SHORTENING_UNANSWERED, ""))
        if self._sessions.truck_type_ids[row] in proposed.changed_truck_type_ids:
            found.append((BlockReason.TYPE_CHANGED, self._sessions.truck_type_ids[row]))
        lanes = self._corridor.lanes
        found += [(BlockReason.ON_CHANGED_LANE, lanes[lane].lane_id) for lane in self._limits.touched_by(row)]
        return found


def corridor_of(proposed: SiteProposed) -> Corridor | None:
    """The site as it reads now; None when it no longer is the one that was proposed, because another version reads it otherwise."""
    # pydantic, shapely and scipy cost most of a second: a server whose map does not change goes without.
    from fleet.site import SiteError, corridor_of_text  # noqa: PLC0415

    try:
        after = corridor_of_text(proposed.text)
    except SiteError:
        return None
    return after if after.digest == proposed.digest else None
