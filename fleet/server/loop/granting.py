"""
Who may be given road this tick, how far, and which of it is worth saying.

A truck may be extended when it is live, freshly heard, has its route, has answered every shortening, and when what is decided
can be made durable. Whatever forbids it becomes the named cause of its standing. The planner's spacing finds the ends; the
ledger makes them grants.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleet.server.columns import CodeColumn, FlagColumn, FloatColumn, IntColumn, RowColumn
from fleet.server.desk import Desk
from fleet.server.facts import GrantsIssued
from fleet.server.inputs import ReportFlag
from fleet.server.loop.advice import Advice, elder_count
from fleet.server.loop.blocking import Blocking
from fleet.server.loop.causes import Causes, Going
from fleet.server.loop.derating import Derating
from fleet.server.loop.doubts import Doubts
from fleet.server.loop.intrusions import Intrusions
from fleet.server.loop.ledger import NONE_PENDING, Ledger
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.site_change import SiteChange
from fleet.server.loop.stops import Stops
from fleet.server.loop.telemetry import Telemetry
from fleet.server.outgoing import GrantsOut
from planner.authority import Cause
from planner.conflict import Assessment
from planner.kernels.ground import NOBODY, Holders
from planner.kernels.spacing import CLOSED_M
from planner.spacing import ExtendRequest, Extension, extend, worth_granting
from planner.tables import TruckTable
from planner.zones import claims_after, walls_together

_JOURNAL, _SHORTENING, _SESSION = int(Cause.JOURNAL), int(Cause.SHORTENING), int(Cause.SESSION)

# A wish that changes by less is not worth a message.
ADVICE_NEWS_MPS: Final = 1.0
# Grip is told at once where it fell; a smaller fall is rounding.
GRIP_NEWS: Final = 0.005


class Granting:
    """Extends ends, once a tick. Keeps only the ages of claims, which a new server may forget."""

    def __init__(
        self,
        ledger: Ledger,
        sessions: Sessions,
        telemetry: Telemetry,
        stops: Stops,
        road: tuple[Doubts, Intrusions, Derating, SiteChange, Blocking | None, Advice],
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._telemetry = telemetry
        self._stops = stops
        self._doubts, self._intrusions, self._derating, self._site_change, self._blocking, self._advice = road
        self._trucks: TruckTable = ledger.trucks
        self._said_mps: FloatColumn = np.zeros(self._trucks.capacity)
        # Nobody knows what an earlier server said last.
        self._said_friction: FloatColumn = np.full(self._trucks.capacity, np.inf)
        self._claim_since: IntColumn = np.zeros(0, np.int64)
        self._limit_m: FloatColumn = np.zeros(0)
        self._limit_cause: CodeColumn = np.zeros(0, np.int8)
        self.may_extend: FlagColumn = np.zeros(0, np.bool_)
        self._holders: Holders | None = None

    def limits_moved(self, desk: Desk) -> bool:
        """Whether the desk's limits are others than at the last look."""
        count = self._trucks.count
        limit_m, limit_cause = desk.limit_m[:count], desk.limit_cause[:count]
        if len(self._limit_m) == count and not np.count_nonzero((limit_m != self._limit_m) | (limit_cause != self._limit_cause)):
            return False
        self._limit_m, self._limit_cause = limit_m.copy(), limit_cause.copy()
        return True

    def extend(self, desk: Desk, *, durable: bool, tick: int, now_ns: int) -> tuple[ExtendRequest, Extension, RowColumn]:
        """What was asked of spacing, its answer, and the rows whose new end is worth a message."""
        trucks, count = self._trucks, self._trucks.count
        limit_cause = desk.limit_cause[:count].astype(np.int32)
        limit_ref = desk.limit_ref[:count].copy()
        limit_m = desk.limit_m[:count].copy()
        self._site_change.hold_back(limit_m, limit_cause, limit_ref)
        self.may_extend = self._permitted(limit_cause, limit_ref, durable=durable, now_ns=now_ns)
        if self._blocking is not None:
            self._blocking.hold_back(limit_m, limit_cause, limit_ref, self.may_extend, tick=tick)
        if len(self._claim_since) < count:
            self._claim_since = np.concatenate([self._claim_since, np.zeros(count - len(self._claim_since), np.int64)])
        turns = self._advice.next_turns(self.may_extend, now_ns)
        request = ExtendRequest(
            may_extend=self.may_extend,
            limit_m=limit_m,
            limit_cause=limit_cause,
            limit_ref=limit_ref,
            claim_since=self._claim_since,
            token=desk.token_ix[:count],
            grip=self._derating.grip,
            even_grip=self._derating.even,
            walls=walls_together(self._doubts.walls, self._intrusions.walls),
            turns=turns,
            pressed=desk.pressed[:count],
            elder_count=elder_count(self._claim_since, tick) if turns.shape[1] else 0,
        )
        extension = extend(trucks.lanes, trucks, request)
        self._holders = extension.holders
        self._claim_since = claims_after(self._claim_since, extension.claiming, tick)
        worth = self.may_extend & (worth_granting(trucks, request, extension) | self._sessions.owed[:count])
        return request, extension, worth.nonzero()[0].astype(np.int32)

    def unheeding(self, assessment: Assessment, extension: Extension, now_ns: int) -> FlagColumn:
        """
        Whom to stop, (n,).

        A truck that brakes in emergency does already what a stop would make it do. One whose brakes or road have just turned out
        worse gets to know, and decides by itself as fast as a stop would reach it; then it brakes, or is stopped.
        """
        stop: FlagColumn = assessment.stop
        if not np.count_nonzero(stop):
            return stop
        heeds = self._telemetry.flag(ReportFlag.EMERGENCY_BRAKING) | self._derating.just_heard(extension.friction, now_ns)
        return stop & ~(heeds & ~assessment.in_doubt & ~assessment.unbraked)

    def name(self, causes: Causes, extension: Extension, standing: FlagColumn, now_ns: int) -> None:
        """Name in *causes* why each truck stands; *standing* is (n,)."""
        flag = self._telemetry.flag
        going = Going(may=self.may_extend, braked=flag(ReportFlag.EMERGENCY_BRAKING), parked=flag(ReportFlag.IMMOBILISED))
        causes.name(self._trucks, extension, going, standing, now_ns)

    def zone_keeper(self, row: int, zone_ix: int) -> int:
        """The row of the truck that has the zone, or is to have it, before *row*; -1 when none is seen to."""
        holders, trucks = self._holders, self._trucks
        if holders is None or not 0 <= zone_ix < len(holders.row):
            return NOBODY
        parts = np.flatnonzero(trucks.lanes.part_zone == zone_ix)
        lanes = np.searchsorted(trucks.lanes.part_start, parts, side="right") - 1
        own = {int(trucks.lanes.part_branch[part]) for part, lane in zip(parts, lanes, strict=True) if lane in trucks.path(row)}
        for keeper, branch in (
            (int(holders.row[zone_ix]), int(holders.branch[zone_ix])),
            (int(holders.wanted_row[zone_ix]), int(holders.wanted_branch[zone_ix])),
        ):
            if keeper not in {NOBODY, row} and (trucks.lanes.zone_exclusive[zone_ix] or branch not in own):
                return keeper
        return NOBODY

    def quarantine_of(self, row: int) -> str:
        """Why *row* is quarantined, a class name; "" when it is not."""
        return self._stops.quarantine_of(row)

    def with_news(self, rows: RowColumn, extension: Extension, advised_mps: FloatColumn) -> RowColumn:
        """
        *rows*, those that wait before a closed zone and are to drive at another speed than they were last told, and those whose
        way is more slippery than they were told.

        Advice and friction travel in grants alone. A truck that holds back in time passes the zone at speed; one that hears of it
        too late stops before it, and every truck behind pays. One that does not hear of ice brakes too late.
        """
        count = self._trucks.count
        news = np.abs(advised_mps - self._said_mps[:count]) > ADVICE_NEWS_MPS
        news &= self.may_extend
        news &= extension.answers.real[CLOSED_M] < np.inf
        if not self._derating.even:
            news |= self.may_extend & (extension.friction < self._said_friction[:count] - GRIP_NEWS)
        news[rows] = False
        more = news.nonzero()[0]
        return np.sort(np.concatenate([rows, more])).astype(np.int32) if len(more) else rows

    def grant(self, rows: RowColumn, extension: Extension, *, tick: int, now_ns: int) -> GrantsIssued:
        """Makes the ends of *rows* grants; from here on the trucks may hold them."""
        self._sessions.owed[rows] = False
        return self._ledger.grant(rows, extension.end_m[rows], tick=tick, now_ns=now_ns)

    def spoken(self, issued: GrantsIssued, extension: Extension, advised_mps: FloatColumn) -> GrantsOut:
        """The grants as the trucks are told them; *advised_mps* (n,), 0 for no wish."""
        trucks, rows = self._trucks, issued.rows
        self._said_mps[rows] = advised_mps[rows]
        self._said_friction[rows] = extension.friction[rows]
        starts_m = trucks.path_start_m[rows]
        # The lane an end is named on is the last that begins before it: an end exactly at a start is the lane before's end.
        k = np.minimum((starts_m < issued.end_m[:, None]).sum(axis=1) - 1, trucks.path_count[rows] - 1)
        return GrantsOut(
            epoch=issued.epoch,
            rows=rows,
            sequence=issued.sequence,
            route_sequence=self._ledger.route_sequence[rows],
            end_m=issued.end_m,
            end_lane_ix=trucks.path_lane[rows, k],
            end_chainage_m=issued.end_m - starts_m[np.arange(len(rows)), k],
            advised_speed_mps=advised_mps[rows],
            friction=extension.friction[rows],
        )

    def _permitted(self, cause: RowColumn, ref: RowColumn, *, durable: bool, now_ns: int) -> FlagColumn:
        """Whose end may move on, (n,); where it may not, *cause* and *ref* are overwritten with the reason."""
        ledger, sessions, count = self._ledger, self._sessions, self._trucks.count
        ready = sessions.live(count) & ledger.greeted[:count] & (ledger.route_sequence[:count] > 0)
        ready &= sessions.fresh(self._telemetry, now_ns)
        answered = ledger.pending[:count] == NONE_PENDING
        permitted: FlagColumn = ready & answered if durable else np.zeros(count, np.bool_)
        if np.count_nonzero(permitted) == count:
            return permitted
        if not durable:
            cause[:], ref[:] = _JOURNAL, -1
        cause[~answered], ref[~answered] = _SHORTENING, -1
        unready = (~ready).nonzero()[0]
        stopped = self._stops.cause[unready]
        cause[unready], ref[unready] = np.where(stopped == 0, _SESSION, stopped), -1
        return permitted
