"""
The parts of one server that know neither sockets nor threads, put together: loop, desk, codec, inbox and switchboard.

The real server runs it in real time behind gRPC, the headless one in virtual time inside a simulator; both speak the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

from fleet.errors import Code, FleetError
from fleet.server import commands as c
from fleet.server.dispatch.audit import Audited
from fleet.server.dispatch.day import HourKept
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.dispatch.explain import CauseLink, explain
from fleet.server.facts import Fact
from fleet.server.fleet_view import FleetView
from fleet.server.inputs import Input
from fleet.server.journal.journal import Journal, Record
from fleet.server.journal.records import facts_of
from fleet.server.loop.control_loop import LoopOptions
from fleet.server.loop.picture import seen_of
from fleet.server.loop.roots import Roots
from fleet.server.loop.truck_session import State
from fleet.server.outgoing import BorderCall, Outgoing
from fleet.server.planning import Planning, TickPlanning
from fleet.server.replay.checkpoint import checkpoint_of
from fleet.server.replay.kept import Ear, Kept, Started
from fleet.server.site_commands import SiteAnswer
from fleet.server.site_facts import SiteInForce
from fleet.server.succession import core_of
from fleet.server.wire.call_board import CallBoard
from fleet.server.wire.codec import Codec
from fleet.server.wire.codec_answers import AnswerWriter
from fleet.server.wire.codec_out import Speech, Terms
from fleet.server.wire.codec_requests import RequestReader
from fleet.server.wire.codes import Codes
from fleet.server.wire.inbox import Inbox
from fleet.server.wire.plan_reads import AheadRead
from fleet.server.wire.reads import CauseRead, HoldRead, TotalsRead
from fleet.server.wire.switchboard import Switchboard
from fleet.server.wire.watch import TruckDrawer
from fleet.v1 import dispatch_pb2 as d
from planner.corridor import Corridor
from planner.foresight.seen import Chart, Seen, chart_of
from planner.policy import PLANNED


@dataclass(eq=False)
class SiteDiffers(FleetError):
    """The journal is on another site than the one given: its facts would name other lanes."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = (
        "Start with the site of the journal's digest: a site that was switched to is kept beside the journal as SITE-DIGEST.yaml, and in it "
        "(`fleet journal site DIR`). To change the map, propose the new site to a server that runs on the old one."
    )

    journal_site: str
    journal_digest: str
    given_site: str
    given_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """
    How one server runs.

    *utc_at_zero_ns*: Unix time of control time 0. *ordered*: inputs of a tick are sorted, for simulated time over real streams.
    *planning* makes what plans where the policy asks for it. *keys*: secrets of trucks, for what gateways relay.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    dispatch: DispatchOptions = field(default_factory=DispatchOptions)
    terms: Terms | None = None
    utc_at_zero_ns: int = 0
    ordered: bool = False
    planning: Callable[[Chart], Planning] = TickPlanning
    keys: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The term that began, and how many facts it began with; the first *snapshot_count* were a snapshot's."""

    epoch: int
    fact_count: int
    snapshot_count: int


class Engine:
    """One site's server, without its shell. `tick` and whatever reads belong to one thread, the switchboard to the streams'."""

    def __init__(self, corridor: Corridor, options: EngineOptions, ear: Ear | None = None) -> None:
        """An *ear* is told of everything the loop hears and says, tick by tick."""
        self._ear = ear
        self.corridor = corridor
        self.options = options
        lane_ids = [lane.lane_id for lane in corridor.lanes]
        core = core_of(corridor, options.loop, options.dispatch)
        self.desk, self.loop, self._succession = core.desk, core.loop, core.succession
        self.drawer = TruckDrawer(corridor, options.utc_at_zero_ns)
        self._roots = Roots(corridor)
        self._answered = self.loop.view()
        self.inbox = Inbox(ordered=options.ordered)
        speech = Speech(lane_ids, options.terms or Terms(map_digest=corridor.digest))
        self.switchboard = Switchboard(Codec(lane_ids), speech, self.inbox, Codes(options.keys, lane_ids))
        self.reader = RequestReader(options.utc_at_zero_ns)
        self.writer = AnswerWriter(options.utc_at_zero_ns, self._truck)
        self.board = CallBoard(self.writer)
        self._chart = chart_of(corridor, self.loop.trucks.lanes, self.desk.books.gates.service_s.tolist())
        self.planning: Planning | None = options.planning(self._chart) if options.loop.policy == PLANNED else None

    def recover(self, journal: Journal) -> Recovered:
        """
        Takes the journal's word for everything and begins a new epoch.

        Raises:
            JournalCorrupt: the journal is damaged.
            FactMalformed: a record was written by another version.
            SiteDiffers: it is on another site; nothing was changed.
        """
        recovery = journal.recover()
        records = recovery.records
        self.remember(records)
        epoch = journal.acquire()
        self.loop.begin(epoch)
        if self._ear is not None:
            loop, dispatch = self.options.loop, self.options.dispatch
            self._ear.began(Started(epoch=epoch, loop=loop, dispatch=dispatch, records=records, checkpoint=self._checkpoint))
        return Recovered(epoch=epoch, fact_count=len(records), snapshot_count=recovery.snapshot_count)

    def remember(self, records: Sequence[Record]) -> None:
        """
        Takes the word of *records* for everything, and begins nothing.

        Raises:
            FactMalformed: a record was written by another version.
            SiteDiffers: they are about another site; nothing was changed.
        """
        facts = list(facts_of(records))
        self._require_same_site(facts)
        for fact in facts:
            self.loop.apply(fact)

    def _require_same_site(self, facts: Sequence[Fact]) -> None:
        in_force = next((fact for fact in reversed(facts) if isinstance(fact, SiteInForce)), None)
        if in_force is not None and in_force.digest != self.corridor.digest:
            raise SiteDiffers(
                journal_site=in_force.site_id,
                journal_digest=in_force.digest,
                given_site=self.corridor.site_id,
                given_digest=self.corridor.digest,
            )

    def tick(self, now_ns: int) -> Outgoing:
        """
        One tick at *now_ns* over everything heard so far.

        Raises:
            JudgeObjected: the decision would break exclusivity; nothing may be sent.
        """
        heard = self.inbox.freeze()
        if self.planning is not None:
            heard += self.planning.take(self.loop.tick_count + 1)
        outgoing = self.loop.tick(now_ns, heard) if self._ear is None else self._tick_heard(self._ear, now_ns, heard)
        if self.planning is not None:
            self.planning.look(self.loop.tick_count, self._seen)
        if self.loop.site_change.switched:
            switch = self._succession.switch()
            # The switch says everything durable anew, but for the record of what was asked in this tick.
            audited = tuple(fact for fact in outgoing.facts if isinstance(fact, Audited))
            outgoing = replace(outgoing, facts=(), switch=replace(switch, facts=switch.facts + audited))
        if any(isinstance(reply.value, c.TruckAnswer) for reply in outgoing.replies):
            # The answers are written on another thread, when the loop has gone on.
            self._answered = self.loop.view()
        return outgoing

    def snapshot(self) -> list[Fact]:
        """Facts that recreate everything durable, between two ticks."""
        facts = self.loop.snapshot()
        if self._ear is not None:
            self._ear.snapshot_taken(self.loop.ledger.epoch)
        return facts

    def picture(self) -> FleetView:
        """The trucks on the map."""
        return self.loop.view()

    def trucks(self) -> Sequence[c.TruckAnswer]:
        """What the desk knows of every truck, by row."""
        return [self.desk.truck(row) for row in range(self.loop.trucks.count)]

    def orders(self) -> Sequence[c.OrderAnswer]:
        """Every order, oldest first."""
        return self.desk.orders()

    def crossings(self) -> Sequence[c.CrossingAnswer]:
        """Every crossing, oldest first."""
        return self.desk.crossings()

    def gates(self) -> Sequence[c.GateAnswer]:
        """Every gate."""
        return self.desk.gates()

    def lanes(self) -> Sequence[c.LaneAnswer]:
        """Every lane."""
        return self.desk.lanes()

    def stops(self) -> Sequence[c.StopAnswer]:
        """Every all-stop in force."""
        return self.desk.stops()

    def overdue_gates(self) -> Sequence[c.OverdueGateAnswer]:
        """Every gate at which a person should look."""
        return self.desk.overdue_gates()

    def blocked_bays(self) -> Sequence[c.BayAnswer]:
        """Every bay and charger that its keeper has put out of order."""
        return self.desk.blocked_bays()

    def control(self) -> c.ControlAnswer | None:
        """The control lease, over or not; None before anybody had it."""
        return self.desk.commanding.control()

    def intrusions(self) -> Sequence[c.IntrusionAnswer]:
        """Every open intrusion."""
        return self.desk.intrusions()

    def site_proposal(self) -> SiteAnswer:
        """
        The site proposed, and what blocks the switch.

        Raises:
            NotFound: nothing is proposed.
        """
        return self.desk.sites.answer()

    def open_calls(self) -> Sequence[BorderCall]:
        """Every call nobody has answered."""
        return self.desk.open_calls()

    def ahead(self, due_ns: int) -> AheadRead | None:
        """What the next minutes are worked out from; None before control time *due_ns*."""
        if self.loop.now_ns < due_ns:
            return None
        return AheadRead(seen=self._seen(), chart=self._chart, turns=self.loop.turns, truck_ids=tuple(self.loop.sessions.truck_ids))

    def totals(self) -> TotalsRead:
        """What was moved since the journal began, and how many trucks are live now."""
        totals = self.desk.totals
        live = int((self.loop.view().session == State.LIVE).sum())
        return TotalsRead(
            round_trips=totals.round_trips, containers_delivered=totals.containers_delivered, tonnes=totals.tonnes, trucks_live=live
        )

    def hours(self) -> Sequence[HourKept]:
        """What the hours of the last days came to, the oldest first; the last is the present one."""
        return self.desk.hours()

    def root_causes(self) -> dict[str, tuple[str, str]]:
        """For each truck that stands: what holds it, at the root, and what that refers to."""
        return self._roots.of(self.loop.causes, self.loop.sessions.truck_ids, self.desk.books.intrusions.names())

    def hold(self, truck_id: str, language: str) -> HoldRead:
        """
        Why a truck stands.

        Raises:
            NotFound: there is no such truck.
        """
        found = explain(self.desk.books, self.loop.view(), truck_id, language, self.loop.granting)
        causes = tuple(self._cause(link) for link in found.causes)
        return HoldRead(truck_id=found.truck_id, standing=found.standing, causes=causes, sentence=found.sentence)

    def _cause(self, link: CauseLink) -> CauseRead:
        end = None if link.end is None else (self.corridor.lanes[link.end.lane_ix].lane_id, link.end.chainage_m)
        return CauseRead(**{each.name: getattr(link, each.name) for each in fields(link) if each.name != "end"}, end=end)

    def _tick_heard(self, ear: Ear, now_ns: int, heard: Sequence[Input]) -> Outgoing:
        said: Outgoing | Exception | None = None
        try:
            said = self.loop.tick(now_ns, heard)
        except Exception as fault:
            said = fault
            raise
        finally:
            if said is not None:
                ear.ticked(Kept(epoch=self.loop.ledger.epoch, tick=self.loop.tick_count, now_ns=now_ns, heard=heard, said=said))
        return said

    def _seen(self) -> Seen:
        return seen_of(self.loop)

    def _checkpoint(self) -> bytes:
        return checkpoint_of(self.loop)

    def _truck(self, answer: c.TruckAnswer) -> d.Truck:
        return self.drawer.truck(answer, self._answered)
