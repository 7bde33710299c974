"""The server's health on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from fleet.server.health.values import Health, Spread, TruckClock
from fleet.server.wire.codec_answers import stamp
from fleet.v1 import health_pb2 as h


class Watch(Protocol):
    """Whoever gathers it."""

    async def now(self) -> Health:
        """The newest."""
        ...


class HealthReads:
    """Answers whoever asks how the server is."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    async def now(self) -> h.Health:
        """What was gathered last, a second ago at most while the loop answers, with the state of this moment."""
        return message_of(await self._watch.now())


def message_of(health: Health) -> h.Health:
    """*health* as the wire has it."""
    ticks, trucks = health.ticks, health.trucks
    return h.Health(
        time=stamp(health.at_ns),
        state=int(health.state),  # type: ignore[arg-type]  # the numbers are the wire's
        reason=health.reason,
        software=health.software,
        wire_versions=health.wire_versions,
        site_id=health.site_id,
        epoch=health.epoch,
        up=_lasting(health.up_ns),
        ticks=h.TickHealth(
            tick=ticks.tick,
            took=_spread(ticks.took),
            late=_spread(ticks.late),
            overrun_count=ticks.overrun_count,
            missed_count=ticks.missed_count,
            behind_ticks=ticks.behind_ticks,
        ),
        decisions=h.DecisionHealth(
            grants=health.decisions.grants,
            shortenings=_counts(health.decisions.shortenings),
            stops=_counts(health.decisions.stops),
            standing=_counts(health.decisions.standing),
        ),
        trucks=h.TruckHealth(
            sessions=_counts(trucks.sessions),
            laden_count=trucks.laden_count,
            report_age=_spread(trucks.report_age),
            links_lost=trucks.links_lost,
            reports_refused=trucks.reports_refused,
        ),
        journal=_journal(health),
        shed=_counts(health.shed),
        queues=_counts(health.queues),
        alarms=_counts(health.alarms),
        messages=h.MessageHealth(
            heard=health.messages.heard, said=health.messages.said, refused=health.messages.refused, forged=health.messages.forged
        ),
        round_trips=health.round_trips,
        containers_delivered=health.containers_delivered,
        tonnes=health.tonnes,
        clocks=[_clock(clock) for clock in health.clocks],
    )


def _journal(health: Health) -> h.JournalHealth:
    journal, disk = health.journal, health.journal.disk
    return h.JournalHealth(
        sequence=journal.sequence,
        commit=_spread(journal.commit),
        bytes=disk.bytes,
        log_bytes=disk.log_bytes,
        archive_bytes=disk.archive_bytes,
        pages=disk.pages,
        disk_free_bytes=disk.free_bytes,
        reserve_kept=disk.reserve_kept,
        has_room=journal.has_room,
        snapshot_age=None if journal.snapshot_ns is None else _lasting(journal.snapshot_ns),
        facts_since_snapshot=journal.facts_since_snapshot,
    )


def _spread(found: Spread) -> h.Spread:
    return h.Spread(count=found.count, p50=_lasting(found.p50_ns), p99=_lasting(found.p99_ns), max=_lasting(found.max_ns))


def _counts(counts: Mapping[str, int]) -> list[h.NamedCount]:
    return [h.NamedCount(name=name, count=count) for name, count in counts.items()]


def _clock(clock: TruckClock) -> h.TruckClock:
    return h.TruckClock(
        truck_id=clock.truck_id,
        offset=_lasting(clock.offset_ns),
        uncertainty=_lasting(clock.uncertainty_ns),
        drift=_lasting(clock.drift_ns),
    )


def _lasting(ns: int) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(ns)
    return duration
