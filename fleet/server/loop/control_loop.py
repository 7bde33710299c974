"""
The control loop: ten times a second, everything heard becomes one decision, judged before anyone hears of it.

A tick is a function of what was remembered, what was heard and the time. It waits for nothing, reads no clock and no file, so the
same inputs give the same decision: live, in virtual time, and when a journal is replayed. Its order is the safety argument:

    hellos, answers and commands     who is there, and what persons want
    reports                          place and confirmed rear, believed or not
    sessions                         who fell silent, who answered
    the desk                         missions, gates, limits
    spacing, avoidance               how far each truck may go
    the judge                        plain code that shares nothing with the above; if it objects, nothing leaves
    facts and words                  what must be durable before anyone is told

All that outlives the process is changed by facts alone, through `apply`, and recovery is nothing but `apply` again. After
recovery every truck's road stays occupied and nobody is given any until he has said hello in the new epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.errors import Code, FleetError
from fleet.server.columns import FlagColumn
from fleet.server.desk import Desk
from fleet.server.facts import AllStopSet, Fact, LaneLimited, RouteSet, TruckRegistered, TruckRemoved
from fleet.server.fleet_view import FleetView
from fleet.server.inputs import (
    AcknowledgementHeard,
    CommandGiven,
    GoodbyeHeard,
    HelloHeard,
    Input,
    JournalChanged,
    LinkLost,
    ReportsHeard,
    SiteAcknowledgementHeard,
    TruckEventHeard,
)
from fleet.server.loop.admission import Admission, quarantine
from fleet.server.loop.advice import Advice
from fleet.server.loop.avoidance import Avoidance
from fleet.server.loop.blocking import MOVING, blocking_of
from fleet.server.loop.causes import Causes
from fleet.server.loop.derating import Derating
from fleet.server.loop.doubts import Doubts
from fleet.server.loop.granting import Granting
from fleet.server.loop.intrusions import Intrusions
from fleet.server.loop.judging import JudgeObjected, Judging
from fleet.server.loop.ledger import NONE_PENDING, Ledger
from fleet.server.loop.picture import desk_view_of, view_of
from fleet.server.loop.recovery import Holder, Registry
from fleet.server.loop.repeats import REPEAT_TICKS, Repeats
from fleet.server.loop.routes import Routes
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.shortenings import Shortenings
from fleet.server.loop.site_change import SiteChange
from fleet.server.loop.stops import OWN_ACTOR, Stops
from fleet.server.loop.telemetry import Disbelief, Telemetry
from fleet.server.loop.truck_session import Event, State
from fleet.server.loop.words import Words, camel
from fleet.server.outgoing import GrantsOut, Outgoing, RefusalOut, Reply, ReportRefusedOut, WelcomeOut
from fleet.server.site_commands import SiteAnswer, SwitchSite
from planner.authority import Cause
from planner.conflict import Assessment, assess
from planner.corridor import Corridor
from planner.foresight.turns import Turns
from planner.limits import FRICTION_DRY, HEARTBEAT_TICKS
from planner.tables import TruckTable

__all__ = ["ControlLoop", "JudgeObjected", "LoopOptions"]

DOUBT_STOP: Final = "doubt"
# Silence is counted in seconds: without news, contact is looked at twice a second. So are the causes people read.
WATCH_TICKS: Final = 5
_QUARANTINED: Final = int(State.QUARANTINED)
# One refused report a second is enough for a person to read; the flood it may stand for is counted.
REFUSAL_TICKS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOptions:
    """*friction*: of the road where no truck has met less. *policy*: how road is given out, one of `planner.policy`."""

    friction: float = FRICTION_DRY
    policy: str = MOVING


class ControlLoop:
    """
    Owns all control state. One thread calls it; everything it says is in the `Outgoing` of the tick.

    Until `begin` it only remembers; `apply` is for recovery.
    """

    def __init__(self, corridor: Corridor, trucks: TruckTable, desk: Desk, options: LoopOptions | None = None) -> None:
        options = options or LoopOptions()
        self.trucks = trucks
        self.desk = desk
        self.ledger = Ledger(corridor, trucks)
        self.sessions = Sessions(trucks.capacity)
        self.telemetry = Telemetry(trucks, friction=options.friction)
        self.stops = Stops(self.sessions)
        self.doubts = Doubts(trucks)
        self.intrusions = Intrusions(corridor, trucks, self.stops)
        self.routes = Routes(trucks)
        self.causes = Causes(trucks.capacity)
        self.tick_count = 0
        self.now_ns = 0
        self.site_change = SiteChange(corridor, self.ledger, self.sessions, self.telemetry, self.stops)
        self._corridor = corridor
        self._registry = Registry()
        self._admission = Admission(corridor, self.ledger, self.sessions, self.telemetry, self.doubts, self.intrusions)
        self.derating = Derating(trucks, tuple(lane.lane_id for lane in corridor.lanes), options.friction)
        self._advice = Advice(corridor, trucks)
        # In this order: what the ledger makes of a fact, others look up.
        self._holders: tuple[Holder, ...] = (
            self._registry, self.ledger, self.sessions, self.stops, self.doubts, self.intrusions,
            self.derating, self.telemetry, self.routes, self.site_change, self._advice, self._admission,
        )  # fmt: skip
        road = (self.doubts, self.intrusions, self.derating, self.site_change, blocking_of(corridor, trucks, options.policy), self._advice)
        self.granting = Granting(self.ledger, self.sessions, self.telemetry, self.stops, road)
        self._avoidance = Avoidance(self.ledger, self.sessions, self.stops, self.doubts, self.intrusions)
        self._judging = Judging(corridor, trucks, self.sessions)
        self._shortenings = Shortenings(self.ledger)
        self._repeats = Repeats(self.ledger, self.sessions, self.telemetry, self.stops)
        self.durable = True
        self._route_due: set[int] = set()
        self._refusal_tick = np.full(trucks.capacity, -REFUSAL_TICKS, np.int64)
        self._standing: FlagColumn = np.zeros(0, np.bool_)
        self._words = Words()

    # Remembering.

    def apply(self, fact: Fact) -> None:
        """One fact of the journal, at recovery."""
        self._spread(fact)
        self.desk.apply(fact)

    def begin(self, epoch: int) -> None:
        """Takes charge in *epoch*: nothing is granted to anyone before he has said hello in it."""
        self.ledger.begin(epoch)
        self.stops.forget_words()
        self._admission.begin()
        self.site_change.forget_words()
        self._route_due.clear()
        self._judging.touch(range(self.trucks.count))

    def snapshot(self) -> list[Fact]:
        """Facts that recreate everything durable, to be journalled; replaying them is replaying the whole journal."""
        assert not self.site_change.switched, "the journal goes on under another site: what is known here must not overwrite it"
        facts = self.remembered()
        self.ledger.keep_rears(tick=self.tick_count, now_ns=self.now_ns)
        return facts

    def remembered(self) -> list[Fact]:
        """Everything durable as facts; unlike `snapshot` it counts on nobody to keep them."""
        holders = (self.ledger, self.routes, self.stops, self.doubts, self.intrusions, self.derating)
        kept = [*self.site_change.facts(), *self._registry.facts(self.trucks), *(fact for holder in holders for fact in holder.facts())]
        kinds = set(map(type, kept))  # the desk has a hundred thousand facts that nobody else has
        return kept + [fact for fact in self.desk.facts() if type(fact) not in kinds or fact not in kept]

    def view(self) -> FleetView:
        """The fleet as it stands between two ticks."""
        return view_of(self)

    @property
    def turns(self) -> Turns | None:
        """What planning said last, as long as it counts."""
        return self._advice.in_force

    def _spread(self, fact: Fact) -> None:
        """Lets everybody but the desk change as *fact* says."""
        for holder in self._holders:
            holder.apply(fact)
        if isinstance(fact, RouteSet | TruckRegistered):
            self._route_due.add(fact.row)
            self._judging.touch((fact.row,))
        elif isinstance(fact, LaneLimited):
            self._route_due.update(self.routes.touched_by(fact.lane_ix).tolist())

    def _decide(self, fact: Fact) -> None:
        """A fact the loop makes."""
        self._tell(fact)
        self._spread(fact)
        self.desk.apply(fact)
        self._words.facts.append(fact)

    def _keep(self, fact: Fact) -> None:
        """A fact the ledger made; it has no meaning for anybody else."""
        self._words.facts.append(fact)

    def _accept(self, facts: Sequence[Fact]) -> None:
        """
        Facts the desk made.

        A route begins at the lane of the rear confirmed by now, so that rear must be remembered before it.
        """
        if any(isinstance(fact, RouteSet) for fact in facts):
            rears = self.ledger.keep_rears(tick=self.tick_count, now_ns=self.now_ns)
            self._words.facts += [rears] if rears is not None else []
        for fact in facts:
            if isinstance(fact, TruckRemoved):
                left = self.intrusions.left_behind(fact, self.sessions.truck_ids[fact.row], self.doubts.of(fact.row))
                if left is not None:
                    self._tell(left)
                    self._decide(left)
            self._tell(fact)
            self._spread(fact)
            self._words.facts.append(fact)

    def _tell(self, fact: Fact) -> None:
        """What people are to hear of *fact*, which is about to be applied."""
        if (news := self.intrusions.news(fact)) is not None:
            self._words.alarm(news.event, intrusion=news.intrusion_id, kind=news.kind, reporter=news.by)

    # One tick.

    def tick(self, now_ns: int, inputs: Sequence[Input] = ()) -> Outgoing:
        """
        Decides once, on *inputs* in their order, at control time *now_ns*.

        Raises:
            JudgeObjected: the decision would break exclusivity; nothing of it may be sent.
        """
        assert self.ledger.epoch > 0, "a loop ticks only in an epoch"
        assert now_ns >= self.now_ns, f"time may not fall: from {self.now_ns} to {now_ns}"
        assert not self.site_change.switched, "another site is in force: a server of its own goes on"
        self.tick_count += 1
        self.now_ns = now_ns
        self._words = Words()
        if self.site_change.in_force is None:
            self._decide(self.site_change.site_named())
        self._take(self._hear(inputs))
        for wider in self.intrusions.overdue(now_ns):
            self._decide(wider)
        self._derate()
        due = bool(inputs) or self.tick_count % WATCH_TICKS == 0 or len(self._standing) != self.trucks.count
        if due:
            self._watch()
            self._standing = self.telemetry.standing(now_ns)
        if self.tick_count % REPEAT_TICKS == 0:
            self._say_again()
        self._accept(self.desk.step(desk_view_of(self, self._standing), now_ns))
        self._send_routes()
        for row, end_m, cause in self._shortenings.due(self.desk):
            self._shorten(row, end_m, cause)
        # With nothing heard and nothing decided since the last look, the answer would be the same but for the clock.
        due = self.granting.limits_moved(self.desk) or due or bool(self._words.facts)
        grants = self._give() if due else None
        self._judging.require_sound(tick=self.tick_count, now_ns=now_ns)
        self._switch(inputs)
        heartbeats = None
        if self.tick_count % HEARTBEAT_TICKS == 0:
            heartbeats = self.sessions.heartbeats(self.telemetry, tick=self.tick_count, epoch=self.ledger.epoch)
        return self._words.outgoing(
            (self.stops, self.site_change, self.desk), tick=self.tick_count, now_ns=now_ns, grants=grants, heartbeats=heartbeats
        )

    def _hear(self, inputs: Sequence[Input]) -> list[ReportsHeard]:
        """Everything but reports and a switch of sites takes effect at once, in order; the reports are the answer."""
        reports: list[ReportsHeard] = []
        for heard in inputs:
            match heard:
                case ReportsHeard():
                    reports.append(heard)
                case HelloHeard():
                    self._greet(heard)
                case AcknowledgementHeard():
                    self._settle(heard)
                case SiteAcknowledgementHeard():
                    self.site_change.acknowledge(heard.row, heard.digest)
                case CommandGiven() if not isinstance(heard.command, SwitchSite):
                    self._obey(heard)
                case GoodbyeHeard():
                    self.sessions.drop(int(self.sessions.link[heard.row]), Event.GOODBYE)
                    self._words.alarm("truck_left", truck=self.sessions.truck_ids[heard.row], reason=heard.reason)
                case LinkLost():
                    self.sessions.drop(heard.link, Event.LINK_LOST)
                case TruckEventHeard():
                    truck = self.sessions.truck_ids[heard.row]
                    self._words.alarm("truck_event_heard", truck=truck, kind=heard.kind, detail=heard.detail)
                    for fact in self.intrusions.sighted(heard, truck, now_ns=self.now_ns):
                        self._decide(fact)
                case JournalChanged():
                    self.durable = heard.writable
                case Turns():
                    self._advice.hear(heard)
        return reports

    def _greet(self, hello: HelloHeard) -> None:
        greeting = self._admission.hear(hello, tick=self.tick_count, now_ns=self.now_ns)
        for fact in greeting.facts:
            self._decide(fact)
        if greeting.refusal is not None:
            self._words.refusals.append(RefusalOut(link=hello.link, error=greeting.refusal))
            self._words.alarm("truck_refused", truck=hello.truck_id, reason=greeting.refusal.reason)
            return
        row = greeting.row
        supersedes = self.sessions.greet(row, hello.link, tick=self.tick_count)
        self.telemetry.admit(row, hello.report, greeting.place_m, proves=self.sessions.state[row] != State.QUARANTINED, now_ns=self.now_ns)
        self.site_change.greet(row, hello.ready_digest)
        if greeting.new:
            self._accept(self.desk.register(row, hello.truck_id, hello.truck_type_id, self.now_ns))
            self._words.alarm("truck_registered", truck=hello.truck_id)
        self._words.welcomes.append(
            WelcomeOut(link=hello.link, row=row, epoch=self.ledger.epoch, hello_stamp_ns=hello.report.stamp_ns, supersedes=supersedes)
        )
        self._route_due.add(row)
        if self.ledger.pending[row] != NONE_PENDING:
            self._shortenings.again.add(row)
        self.stops.stops.extend(self.stops.of(row))
        mission = self.desk.mission_of(row)
        if mission is not None:
            self._words.missions.append(mission)

    def _settle(self, heard: AcknowledgementHeard) -> None:
        end_m = self.trucks.locate(heard.row, heard.end.lane_ix, heard.end.chainage_m)
        answer = self.ledger.acknowledge(heard.row, heard.epoch, heard.sequence, honoured=heard.honoured, end_m=end_m)
        if answer is not None:
            self._keep(answer)

    def _obey(self, given: CommandGiven) -> None:
        try:
            answer, facts = self.desk.command(given.command, given.actor, self.now_ns)
        except FleetError as error:
            if error.code is Code.BUG:
                raise
            self._words.replies.append(Reply(ticket=given.ticket, value=error))
            return
        self._accept(facts)
        self._words.replies.append(Reply(ticket=given.ticket, value=answer))
        if isinstance(answer, SiteAnswer):
            self._words.alarm(f"site_{answer.state.name.lower()}", site=answer.site_id, digest=answer.digest, actor=given.actor)

    def _switch(self, inputs: Sequence[Input]) -> None:
        """Whoever wants to switch to another site is answered last: what he is told holds for all that the tick decided."""
        for heard in inputs:
            if isinstance(heard, CommandGiven) and isinstance(heard.command, SwitchSite):
                self._obey(heard)

    def _take(self, reports: Sequence[ReportsHeard]) -> None:
        """Believes what can be believed; doubts the trucks that said what cannot be."""
        if not reports:
            return
        count = self.trucks.count
        heeded = self.ledger.greeted[:count] & (self.sessions.state[:count] != _QUARANTINED)
        for claim in self.telemetry.take(reports, heeded, tick=self.tick_count, now_ns=self.now_ns):
            self._refuse_report(claim)
            if claim.verdict.doubts and self.sessions.state[claim.row] != State.QUARANTINED:
                self._doubt(claim)

    def _derate(self) -> None:
        """What reports say is worse than believed holds for everybody in this tick."""
        worse = self.telemetry.take_worse()
        if worse is None:
            return
        for found in self.derating.findings(worse, self.sessions.truck_ids, self.stops.bears, self.now_ns):
            self._decide(found.fact)
            if found.alarm:
                self._words.alarm(found.alarm, **found.fields)

    def _refuse_report(self, claim: Disbelief) -> None:
        row = claim.row
        if self.tick_count - self._refusal_tick[row] < REFUSAL_TICKS:
            return
        self._refusal_tick[row] = self.tick_count
        detail = f"{self.telemetry.refused[row]} refused so far"
        self._words.report_refusals.append(
            ReportRefusedOut(row=row, stamp_ns=claim.stamp_ns, reason=camel(claim.verdict.name), detail=detail)
        )

    def _doubt(self, claim: Disbelief) -> None:
        truck_id = self.sessions.truck_ids[claim.row]
        detail = f"claims lane {claim.lane_ix} at {claim.chainage_m:.1f} m"
        self._decide(quarantine(claim.row, truck_id, camel(claim.verdict.name), detail, self.now_ns))
        for stretch in self.doubts.raise_over(claim):
            self._decide(stretch)
        if self.doubts.full(claim.row) and not self.stops.has(DOUBT_STOP):
            self._decide(AllStopSet(stop_id=DOUBT_STOP, reason=detail, actor=OWN_ACTOR, at_ns=self.now_ns))
        self._words.alarm("truck_quarantined", truck=truck_id, reason=camel(claim.verdict.name))

    def _watch(self) -> None:
        for row in self.sessions.watch(self.telemetry, tick=self.tick_count, now_ns=self.now_ns).tolist():
            self._words.alarm("truck_fell_silent", truck=self.sessions.truck_ids[row])

    def _say_again(self) -> None:
        """What seems lost: routes, and with them grants, under new terms; shortenings that nobody answered."""
        behind, unanswered = self._repeats.look(self._standing)
        self._shortenings.again.update(unanswered)
        self.site_change.say_again()
        for row, end_m in self.site_change.edges():
            self._shorten(row, end_m, Cause.SITE_CHANGE)
        self._route_due.update(behind)

    def _shorten(self, row: int, end_m: float, cause: Cause) -> None:
        issued, said = self._shortenings.ask(row, end_m, cause)
        self._keep(issued)
        self._words.shortenings.append(said)

    def _send_routes(self) -> None:
        for row in sorted(self._route_due):
            if self.ledger.greeted[row]:
                self._route_due.discard(row)
                sent = self.ledger.send_route(row)
                self._keep(sent)
                self._words.routes.append(self.routes.route(sent))
                self.sessions.owed[row] = True  # reports tell the newest word alone: a grant lost before a route would never be missed

    def _give(self) -> GrantsOut | None:
        """Spacing, avoidance on top of it, and the grants that both leave."""
        trucks, count = self.trucks, self.trucks.count
        trucks.check()
        request, extension, rows = self.granting.extend(self.desk, durable=self.durable, tick=self.tick_count, now_ns=self.now_ns)
        assessment = assess(trucks.lanes, trucks, request, extension)
        stop = self.granting.unheeding(assessment, extension, self.now_ns) & self.ledger.greeted[:count]
        if np.count_nonzero(stop):
            self._avoid(assessment, stop.nonzero()[0].tolist())
            rows = rows[~stop[rows]]
            self.granting.may_extend &= ~stop
        else:
            self._avoidance.rest()
        rows = self.granting.with_news(rows, extension, assessment.advised_speed_mps)
        if self.tick_count % WATCH_TICKS == 0:
            self.intrusions.name(extension, self._standing)
            self.granting.name(self.causes, extension, self._standing, self.now_ns)
        if not len(rows):
            return None
        issued = self.granting.grant(rows, extension, tick=self.tick_count, now_ns=self.now_ns)
        self._keep(issued)
        self._judging.touch(rows.tolist())
        return self.granting.spoken(issued, extension, assessment.advised_speed_mps)

    def _avoid(self, assessment: Assessment, rows: list[int]) -> None:
        """Stops trucks that may not move on by any rule, and asks back what some of them need not have."""
        avoided = self._avoidance.look(assessment, rows, self.now_ns)
        for fact, truck_id, reason in avoided.stops:
            self._decide(fact)
            self._words.alarm("truck_halted", truck=truck_id, reason=reason)
        for row, end_m in avoided.ends_m.items():
            self._shorten(row, end_m, Cause.INTRUSION)
