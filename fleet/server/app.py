"""
Where the parts of the server meet: journal and engine, threads and streams, start and end.

Order of a start: the journal is read and a new epoch taken; kernels are compiled; only then do health checks say that the server
serves, and the first tick runs. Order of an end: no more ticks, what was decided becomes durable and is said, a snapshot is
written, the streams close. An end without all that (a kill, a power cut) loses nothing, it only makes the next start longer.

A server whose journal turns out to be damaged does not start to tick; see `standstill`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from fleet.log import Event, Log
from fleet.server.certificates import Certificates
from fleet.server.control_thread import ControlThread
from fleet.server.engine import Engine
from fleet.server.health.condition import Condition
from fleet.server.health.disk import DiskLook
from fleet.server.health.gathering import HealthWatch, Parts
from fleet.server.health.scraping import Scraping
from fleet.server.health.tallies import Tallies
from fleet.server.journal.journal import JournalCorrupt
from fleet.server.journal.journal_writer import JournalWriter, Listener
from fleet.server.journal.pace import SnapshotPace
from fleet.server.journal.sqlite import JOURNAL_FILE, SqliteJournal
from fleet.server.journal.writability import Writability
from fleet.server.lockstep import DirectReads, Disk, LockstepDriver
from fleet.server.loop.control_loop import JudgeObjected
from fleet.server.outgoing import Outgoing, SiteSwitch
from fleet.server.replay.blocks import head_block
from fleet.server.replay.rotating_log import LogLimits, RotatingLog
from fleet.server.server_clock import EpochClock, engine_options
from fleet.server.settings import ServerSettings
from fleet.server.standstill import StandstillCounter
from fleet.server.traces import NO_TRACES, Traces
from fleet.server.transport import grpc_server, listen
from fleet.server.warm_up import warm_up
from fleet.server.wire import border_service, dispatch_service, gateway_service, lockstep_service, truck_service
from fleet.server.wire.audit_reads import AuditReads
from fleet.server.wire.counter import BetweenTicks, Counter
from fleet.server.wire.day_reads import Calendar, DayReads
from fleet.server.wire.health_reads import HealthReads
from fleet.server.wire.plan_reads import PlanReads
from fleet.server.wire.pump import REAL, SIMULATED, Pumps
from fleet.server.wire.reads import Reads
from fleet.server.wire.refusals import Refusals
from fleet.server.wire.shedding import Shedding
from fleet.server.wire.site_map import site_map
from fleet.server.wire.speaker import Speaker
from fleet.v1 import border_pb2, dispatch_pb2, gateway_pb2, truck_pb2
from planner.corridor import Corridor

DRAIN_WITHIN_S: Final = 1.0
SERVICES: Final = (
    truck_pb2.DESCRIPTOR.services_by_name["TruckService"].full_name,
    gateway_pb2.DESCRIPTOR.services_by_name["GatewayService"].full_name,
    dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"].full_name,
    border_pb2.DESCRIPTOR.services_by_name["BorderService"].full_name,
)

_LOG: Final = Log("app")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """
    Where a server serves, which site, in which term, and how much it remembered; *damage*: why it lets nobody move.

    *metrics*: where it is scraped, empty for nowhere.
    """

    address: str
    site_id: str
    epoch: int
    recovered_count: int
    damage: JournalCorrupt | None = None
    metrics: str = ""


class Server:
    """One server of one site, from `start` to `stop`. Built inside the event loop it will live in."""

    def __init__(self, corridor: Corridor, settings: ServerSettings, traces: Traces = NO_TRACES) -> None:
        self._settings = settings
        self._traces = traces
        self._corridor = corridor
        self._streams = asyncio.get_running_loop()
        # How it ends.
        self._ended: asyncio.Future[Exception | None] = self._streams.create_future()
        self._stopped = False
        self.switched_to: SiteSwitch | None = None
        self.damage: JournalCorrupt | None = None
        # Before anything is made in the data folder: what it has in it already says whether a journal begins.
        self._certificates = None if settings.tls is None else _certificates(settings.tls, corridor, settings.data)
        # What decides, and when.
        self._clock = EpochClock()
        self._inputs = self._input_log()
        self._engine = engine = Engine(corridor, engine_options(corridor, settings, self._clock, traces), self._inputs)
        shed = engine.inbox.shed
        self._control = ControlThread(self._clock, self._tick, self._fail, shed)
        # What keeps that; the thread that writes begins with the term.
        self._journal = SqliteJournal(settings.data)
        self._writability = Writability(engine.inbox)
        self._pace = SnapshotPace(settings.snapshot_facts)
        # What hears and says it, on the streams' thread.
        self._pumps = Pumps(SIMULATED if settings.lockstep else REAL, shed)
        self._counter = Counter(engine.inbox, engine.reader, engine.writer)
        self._speaker = Speaker(engine.switchboard, self._counter, engine.board)
        self._shedding = Shedding(shed)
        self._refusals = Refusals(engine.inbox)
        self._counter.claimed = engine.switchboard.claimed = self._refusals.refused
        # How all of that is.
        self._condition = Condition(self._clock, self._control.pulse, self._writability, driven=settings.lockstep)
        self._tallies = Tallies()
        self._scraping = Scraping(settings.metrics, self._condition)
        self._between: BetweenTicks = DirectReads() if settings.lockstep else self._control
        self._watch = HealthWatch(self._health_parts(), self._scraping.publish)
        # Where all of that is reached.
        self._grpc = grpc_server(settings, self._certificates, self._refusals, self._clock, shed, traces)
        self._health = health.aio.HealthServicer()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Running:
        """
        Recovers, compiles, listens and ticks; with a damaged journal it only listens.

        Raises:
            FleetError: the journal is not for this server, or the address is taken. A simulator gets no server with a damaged one.
        """
        metrics = self._scraping.open()
        try:
            return replace(await self._start(), metrics=metrics)
        except BaseException:
            self._scraping.close()
            raise

    async def _start(self) -> Running:
        try:
            recovered = await asyncio.to_thread(self._engine.recover, self._journal)
        except JournalCorrupt as damage:
            if self._settings.lockstep:
                raise
            return await self._stand_still(damage)
        self._pace.recovered(recovered.snapshot_count, recovered.fact_count - recovered.snapshot_count)
        self._engine.switchboard.journal = self._journal
        _LOG.fact(Event.JOURNAL_RECOVERED, facts=recovered.fact_count, epoch=recovered.epoch)
        listener = Listener(changed=self._room_changed, failed=self._fail)
        self._writer = JournalWriter(self._journal, recovered.epoch, listener, self._traces)
        self._watch.writes(self._writer)
        address = await self._open()
        await asyncio.to_thread(warm_up, self._corridor, self._settings.policy)
        _LOG.fact(Event.KERNELS_WARMED)
        # Python looks through all there is for what nobody needs: a fifth of a second, in which nobody is answered. What is there by now
        # stays as long as the server does, and is left out.
        gc.collect()
        gc.freeze()
        self._writer.start()
        if self._engine.planning is not None:
            self._engine.planning.start()
        self._condition.begun()
        if not self._settings.lockstep:
            self._control.start()
            self._beside(self._watch.follow(), self._unwatched)
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        _LOG.fact(Event.SERVER_STARTED, address=address, epoch=recovered.epoch, site=self._corridor.site_id)
        return Running(address=address, site_id=self._corridor.site_id, epoch=recovered.epoch, recovered_count=recovered.fact_count)

    async def _stand_still(self, damage: JournalCorrupt) -> Running:
        """Serves what `standstill` promises, over what could be read before the damage."""
        self.damage = damage
        _LOG.alarm(Event.JOURNAL_DAMAGED, **damage.facts())
        believed = self._journal.believed
        await asyncio.to_thread(self._engine.remember, believed)
        self._counter = StandstillCounter(self._engine, damage, self._clock.now_ns)
        self._engine.switchboard.closed = damage
        self._condition.stands_still(str(damage))
        self._between = DirectReads()
        address = await self._open()
        self._beside(self._watch.follow(), self._unwatched)
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        return Running(address=address, site_id=self._corridor.site_id, epoch=0, recovered_count=len(believed), damage=damage)

    async def ended(self) -> Exception | None:
        """Returns when the server shall not go on (None), or cannot (why)."""
        return await asyncio.shield(self._ended)

    def ask_to_end(self) -> None:
        """A person or the system wants the server to end."""
        self._end(None)

    async def stop(self) -> None:
        """Says what was decided, writes a snapshot, closes the streams and the journal; a second time does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self._condition.ending()
        self._end(None)
        await self._health.enter_graceful_shutdown()
        if self.damage is None:
            await self._finish()
        await self._pumps.all_idle_within(DRAIN_WITHIN_S)
        await self._grpc.stop(DRAIN_WITHIN_S)
        for task in self._tasks:
            task.cancel()
        self._scraping.close()
        self._journal.close()
        gc.unfreeze()
        _LOG.fact(Event.SERVER_STOPPED, address=self._settings.listen)

    async def _finish(self) -> None:
        """No more ticks; what was decided becomes durable."""
        await asyncio.to_thread(self._control.stop)
        if self._engine.planning is not None:
            await asyncio.to_thread(self._engine.planning.stop)
        # After a switch the journal is on another site: what is known here must not overwrite it.
        if self._ended.result() is None and self._writability.has_room and self.switched_to is None:
            self._take_snapshot()
        await asyncio.to_thread(self._writer.close)
        if self._inputs is not None:
            await asyncio.to_thread(partial(self._inputs.close, durable=self._writer.wrote_all))

    async def _open(self) -> str:
        """Whoever calls is answered from now on; the answer is where."""
        self._register()
        address = self._listen()
        await self._grpc.start()
        self._follow()
        return address

    def _register(self) -> None:
        engine = self._engine
        reads = Reads(self._between, engine, engine.drawer, engine.writer, site_map(engine.corridor))
        truck_service.register(self._grpc, engine.switchboard, self._pumps)
        gateway_service.register(self._grpc, engine.switchboard, self._pumps)
        audit = AuditReads(self._settings.data, engine.options.utc_at_zero_ns)
        calendar = Calendar(engine.corridor, engine.options.utc_at_zero_ns, engine.options.dispatch.day_start_s)
        days = DayReads(self._between, engine, engine.corridor, calendar)
        plans = PlanReads(self._between, engine, [lane.lane_id for lane in engine.corridor.lanes], engine.writer)
        looks = dispatch_service.Looks(reads=reads, audit=audit, days=days, plans=plans, health=HealthReads(self._watch))
        dispatch_service.register(self._grpc, self._counter, looks)
        border = border_service.BorderService(self._counter, reads, engine.board, self._pumps)
        border_service.register(self._grpc, border)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        if self._settings.is_local:
            # Whoever asks what is served here is on this machine.
            reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._grpc)
        if self._settings.lockstep:
            driver = LockstepDriver(engine, self._speaker, self._counter, self._pumps, Disk(write=self._write, failed=self._fail))
            engine.switchboard.noted = self._counter.noted = driver.note
            self._counter.counts = lockstep_service.register(self._grpc, driver).is_drivers

    def _listen(self) -> str:
        return listen(self._grpc, self._settings, self._certificates)

    def _follow(self) -> None:
        """From now on identities are asked again each second; a server that cannot do that any more must not go on."""
        if self._certificates is not None:
            self._beside(self._certificates.follow(), self._fail)

    def _beside(self, running: Coroutine[Any, Any, None], failed: Callable[[Exception], None]) -> None:
        """Runs until the server stops; *failed* hears of what ends it before."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and isinstance(fault := task.exception(), Exception):
                failed(fault)

        self._tasks.append(asyncio.create_task(running))
        self._tasks[-1].add_done_callback(ended)

    def _unwatched(self, fault: Exception) -> None:
        """Nobody gathers the server's health any more; trucks drive on without that."""
        _LOG.alarm(Event.HEALTH_FAILED, reason=type(fault).__name__, exc_info=fault)

    def _health_parts(self) -> Parts:
        return Parts(
            engine=self._engine,
            control=self._control,
            condition=self._condition,
            between=lambda: self._between,
            desk=lambda: self._counter,
            facts_since=lambda: self._pace.since,
            tallies=self._tallies,
            clock=self._clock,
            disk=DiskLook(self._settings.data, self._journal.page_bytes),
        )

    def _tick(self, now_ns: int) -> None:
        if self.switched_to is not None:
            return
        self._writability.ticks_waiting(self._writer.waiting_count)
        self._engine.inbox.behind_ticks = self._control.behind_ticks
        outgoing = self._engine.tick(now_ns)
        self._on_streams(lambda: self._say_early(outgoing))
        self._submit(outgoing, lambda: self._speaker.durable(outgoing))
        self._snapshot_when_due(outgoing)

    def _submit(self, outgoing: Outgoing, then: Callable[[], None]) -> None:
        """Makes a tick durable; *then* runs on the streams' thread. A switch is one snapshot, and ends this server."""
        if not outgoing.waits:
            return  # nothing of it needs to be kept for as long as a full disk lasts
        if outgoing.switch is None:
            self._writer.submit(outgoing.facts, lambda: self._on_streams(then))
            return
        self.switched_to = outgoing.switch

        def switched() -> None:
            then()
            self._end(None)

        self._writer.submit_snapshot(outgoing.switch.facts, lambda: self._on_streams(switched))

    def _say_early(self, outgoing: Outgoing) -> None:
        self._tallies.ticked(outgoing)
        self._pumps.ticked()
        self._refusals.ticked()
        self._shedding.ticked()
        self._speaker.early(outgoing)

    def _snapshot_when_due(self, outgoing: Outgoing) -> None:
        self._pace.journalled(len(outgoing.facts))
        if self._pace.due and self.switched_to is None:
            self._take_snapshot()

    def _take_snapshot(self) -> None:
        facts = self._engine.snapshot()
        self._writer.submit_snapshot(facts)
        self._pace.taken(len(facts))
        _LOG.fact(Event.SNAPSHOT_TAKEN, facts=len(facts))

    def _input_log(self) -> RotatingLog | None:
        settings = self._settings
        if not settings.input_log_h:
            return None
        limits = LogLimits(hours=settings.input_log_h, bytes_max=settings.input_log_bytes_max)
        head = head_block(self._corridor, settings.site or self._corridor.site_id)
        return RotatingLog(settings.data, limits, head, self._write_inputs)

    def _write_inputs(self, up_to_tick: int) -> None:
        assert self._inputs is not None
        # Behind the decisions that wait: the journal's own words leave first.
        self._writer.submit((), partial(self._inputs.write, up_to_tick))

    def _room_changed(self, has_room: bool, reason: str) -> None:
        if self._inputs is not None and not has_room:
            self._inputs.give_way()
        self._writability.room_changed(has_room, reason)

    async def _write(self, outgoing: Outgoing) -> None:
        durable = asyncio.Event()
        self._submit(outgoing, durable.set)
        self._snapshot_when_due(outgoing)
        await durable.wait()

    def _on_streams(self, what: Callable[[], None]) -> None:
        self._streams.call_soon_threadsafe(what)

    def _fail(self, fault: Exception) -> None:
        if isinstance(fault, JudgeObjected):
            # Nothing of this tick is said; what a person must lift before anything moves again is kept.
            _LOG.alarm(Event.JUDGE_OBJECTED, **fault.facts())
            self._writer.submit(fault.aftermath, lambda: self._on_streams(lambda: self._end(fault)))
            return
        _LOG.alarm(Event.REQUEST_FAILED, reason=type(fault).__name__, exc_info=fault)
        self._on_streams(lambda: self._end(fault))

    def _end(self, fault: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_result(fault)


def _certificates(folder: Path, corridor: Corridor, data: Path) -> Certificates:
    """
    A site's server begins with certificates of that site. They keep its first name: a map that follows may have another.

    Raises:
        CertificatesUnusable: it cannot be served with them.
    """
    begins = not (data / JOURNAL_FILE).exists()
    return Certificates(folder, corridor.site_id if begins else None)
