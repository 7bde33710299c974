"""
Gathers the health of a running server once a second, beside its control loop.

The loop is asked for a few columns between two ticks, as anybody who reads is; everything else is done on threads that nobody waits for.
When the loop does not answer any more, that is what there is to say: everything else stays as it was last seen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np

from fleet.clock import NS_PER_S, Clock, SystemClock
from fleet.log import Event, Log, alarm_counts
from fleet.server.columns import CodeColumn, RowColumn
from fleet.server.control_thread import ControlThread
from fleet.server.engine import Engine
from fleet.server.health.clocks import Clocks, Stamps
from fleet.server.health.condition import Condition
from fleet.server.health.disk import DiskLook
from fleet.server.health.drawing import Drawn, draw
from fleet.server.health.durations import Durations, Tally, spread
from fleet.server.health.tallies import Tallies
from fleet.server.health.values import (
    DecisionHealth,
    DiskHealth,
    Health,
    JournalHealth,
    MessageHealth,
    TickHealth,
    TruckHealth,
)
from fleet.server.journal.journal_writer import JournalWriter
from fleet.server.limits import HEALTH_EVERY_S
from fleet.server.loop.truck_session import State
from fleet.server.settings import TICK_NS
from fleet.server.wire.codec_out import SOFTWARE
from fleet.server.wire.counter import BetweenTicks
from fleet.server.wire.counter import Counter as Desk
from fleet.server.wire.inbox import Overloaded
from fleet.wire_version import SERVED
from planner.authority import Cause

_LOG: Final = Log("health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is looked at. *between*, which runs reads between two ticks, *desk* and *facts_since* are asked each time; *disk* is the journal's."""

    engine: Engine
    control: ControlThread
    condition: Condition
    between: Callable[[], BetweenTicks]
    desk: Callable[[], Desk]
    facts_since: Callable[[], int]
    tallies: Tallies
    clock: Clock
    disk: DiskLook


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What belongs to the thread of the streams, copied there."""

    grants: int
    shortenings: Mapping[str, int]
    stops: Mapping[str, int]
    messages: MessageHealth
    links_lost: int
    shed: Mapping[str, int]
    queues: Mapping[str, int]


class HealthWatch:
    """Belongs to the thread of the streams; *newest* may be read on any."""

    def __init__(self, parts: Parts, published: Callable[[Health], None] | None = None) -> None:
        """*published* is called with each new value, on some thread that may be kept a while."""
        self._parts = parts
        self._published = published or _nobody
        self._disk_seen, self._disk_gone = DiskHealth(), False
        self._clocks = Clocks()
        self._system = SystemClock()
        self._began_ns = self._looked_ns = parts.clock.now_ns()
        self._standing_s: Counter[str] = Counter()
        self._ticks = Tally(parts.control.pulse.took, TICK_NS)
        self._writer: JournalWriter | None = None
        self._commits = Tally(Durations(), TICK_NS)
        self._looking = asyncio.Lock()
        self._followed = False
        self.newest: Health | None = None

    def writes(self, writer: JournalWriter) -> None:
        """The journal is written from now on, by *writer*."""
        self._writer = writer
        self._commits = Tally(writer.commits, TICK_NS)

    async def follow(self) -> None:
        """Gathers until cancelled."""
        self._followed = True
        while True:
            with suppress(Overloaded):  # too many others read: it is counted as shed, and the next look is a second away
                await self.look()
            await asyncio.sleep(HEALTH_EVERY_S)

    async def now(self) -> Health:
        """
        The newest, with the state as it is at this moment; looks where nobody follows, or has looked yet.

        Raises:
            Overloaded: it has not been looked at yet, and too many others read.
        """
        newest = self.newest if self.newest is not None and self._followed else await self.look()
        state, reason = self._parts.condition.state()
        return replace(newest, state=state, reason=reason)

    async def look(self) -> Health:
        """
        Gathers now; when the loop does not answer, everything but the state stays as it was last seen.

        Raises:
            Overloaded: too many others read, and nothing was ever seen.
        """
        async with self._looking:
            try:
                # The first look is not hurried: there is nothing else to tell.
                async with asyncio.timeout(2 * HEALTH_EVERY_S if self.newest is not None else None):
                    drawn = await self._parts.between().read(partial(draw, self._parts.engine))
            except (TimeoutError, Overloaded):
                if self.newest is None:
                    raise
                state, reason = self._parts.condition.state()
                health = replace(self.newest, state=state, reason=reason, alarms=MappingProxyType(alarm_counts()))
                await asyncio.to_thread(self._published, health)
            else:
                health = await asyncio.to_thread(self._made, drawn, self._said())
            self.newest = health
            return health

    def _said(self) -> Said:
        parts, counts = self._parts, self._parts.engine.switchboard.counts
        waiting = parts.engine.inbox.waiting()
        waiting |= {"reads": parts.control.waiting_count, "requests": parts.desk().waiting_count, "calls": parts.engine.board.waiting_count}
        waiting["ticks"] = 0 if self._writer is None else self._writer.waiting_count
        return Said(
            grants=parts.tallies.grants,
            shortenings=MappingProxyType(dict(parts.tallies.shortenings)),
            stops=MappingProxyType(dict(parts.tallies.stops)),
            messages=MessageHealth(heard=counts.heard, said=counts.said, refused=counts.refused, forged=counts.forged),
            links_lost=counts.lost,
            shed=MappingProxyType(asdict(parts.engine.inbox.shed)),
            queues=MappingProxyType(waiting),
        )

    def _made(self, drawn: Drawn, said: Said) -> Health:
        parts, now_ns = self._parts, self._parts.clock.now_ns()
        elapsed_s, self._looked_ns = (now_ns - self._looked_ns) / NS_PER_S, now_ns
        state, reason = parts.condition.state()
        standing = _by_name(Cause, drawn.cause[drawn.standing])
        self._standing_s.update({name: count * elapsed_s for name, count in standing.items() if count})
        clocks = self._clocks.look(self._stamps(drawn))
        health = Health(
            at_ns=now_ns,
            state=state,
            reason=reason,
            software=SOFTWARE,
            wire_versions=SERVED,
            site_id=parts.engine.corridor.site_id,
            epoch=drawn.epoch,
            up_ns=now_ns - self._began_ns,
            ticks=self._tick_health(drawn, now_ns),
            decisions=DecisionHealth(
                grants=said.grants,
                shortenings=said.shortenings,
                stops=said.stops,
                standing=standing,
                standing_s=MappingProxyType(dict(self._standing_s)),
            ),
            trucks=TruckHealth(
                sessions=_by_name(State, drawn.session),
                laden_count=drawn.laden_count,
                report_age=spread(drawn.report_age_ns[drawn.linked & (drawn.report_age_ns >= 0)]),
                links_lost=said.links_lost,
                reports_refused=drawn.refused_count,
            ),
            journal=self._journal_health(),
            messages=said.messages,
            shed=said.shed,
            queues=said.queues,
            alarms=MappingProxyType(alarm_counts()),
            round_trips=drawn.totals.round_trips,
            containers_delivered=drawn.totals.containers_delivered,
            tonnes=drawn.totals.tonnes,
            clocks=clocks.worst,
            uncertainty=clocks.uncertainty,
            drift_max_ns=clocks.drift_max_ns,
        )
        self._published(health)
        return health

    def _stamps(self, drawn: Drawn) -> Stamps:
        return Stamps(
            truck_ids=drawn.truck_ids,
            computers=drawn.computers,
            stamp_ns=drawn.stamp_ns,
            heard_ns=drawn.heard_ns,
            challenged_ns=np.where(drawn.linked, self._parts.control.pulse.began_ns(drawn.answered_tick), 0),
        )

    def _tick_health(self, drawn: Drawn, now_ns: int) -> TickHealth:
        control = self._parts.control
        every = self._ticks.look()
        return TickHealth(
            tick=drawn.tick,
            took=spread(control.pulse.took.lately(now_ns)),
            late=spread(control.pulse.late.lately(now_ns)),
            every=every,
            overrun_count=self._ticks.over_count,
            missed_count=control.missed_count,
            behind_ticks=control.behind_ticks,
        )

    def _journal_health(self) -> JournalHealth:
        writer, now_ns = self._writer, self._system.now_ns()
        return JournalHealth(
            sequence=0 if writer is None else writer.sequence,
            commit=spread(Durations().lately(now_ns) if writer is None else writer.commits.lately(now_ns)),
            every=self._commits.look(),
            disk=self._look_at_disk(),
            has_room=self._parts.condition.has_room,
            snapshot_ns=None if writer is None or not writer.snapshot_ns else now_ns - writer.snapshot_ns,
            facts_since_snapshot=self._parts.facts_since(),
        )

    def _look_at_disk(self) -> DiskHealth:
        """What is there; as last seen where the disk does not answer, which is said once."""
        try:
            self._disk_seen = self._parts.disk.look()
        except OSError as fault:
            if not self._disk_gone:
                _LOG.alarm(Event.DISK_UNREADABLE, problem=str(fault))
            self._disk_gone = True
        else:
            self._disk_gone = False
        return self._disk_seen


def _by_name(kind: type[Cause | State], codes: RowColumn | CodeColumn) -> Mapping[str, int]:
    """How many of each; every name of *kind* is there."""
    counts = np.bincount(codes, minlength=max(kind) + 1).tolist()
    return MappingProxyType({each.name.lower(): counts[each] for each in kind})


def _nobody(_health: Health) -> None:
    """Nobody is told."""
