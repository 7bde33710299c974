"""
The health of a server as Prometheus has it: one table of names and meanings, from which the exposition and its documentation are made.

Names follow Prometheus' rules: base units, `_total` on what only rises. No name of a truck or a person is ever a label: their number has
no bound that anybody should scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from fleet.clock import NS_PER_S
from fleet.server.health.values import Health, HealthState, Histogram, Spread

Sample = tuple[tuple[str, ...], float]

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row: a *name* without what its kind appends, what it means, its *labels*, and where its samples come from."""

    name: str
    kind: str
    meaning: str
    read: Callable[[Health], Iterable[Sample]] = lambda _: ()
    histogram: Callable[[Health], Histogram] | None = None
    labels: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The name as it is scraped."""
        return f"{self.name}_total" if self.kind == COUNTER else self.name


def _one(read: Callable[[Health], float]) -> Callable[[Health], Iterable[Sample]]:
    return lambda health: [((), float(read(health)))]


def _each(read: Callable[[Health], Mapping[str, float]]) -> Callable[[Health], Iterable[Sample]]:
    return lambda health: [((name,), float(value)) for name, value in read(health).items()]


def _spread(read: Callable[[Health], Spread]) -> Callable[[Health], Iterable[Sample]]:
    def samples(health: Health) -> Iterable[Sample]:
        found = read(health)
        if not found.count:
            return  # nothing is not quick
        for name, value_ns in (("0.5", found.p50_ns), ("0.99", found.p99_ns), ("1", found.max_ns)):
            yield (name,), value_ns / NS_PER_S

    return samples


def _counter(name: str, meaning: str, read: Callable[[Health], float]) -> Metric:
    return Metric(name=name, kind=COUNTER, meaning=meaning, read=_one(read))


def _gauge(name: str, meaning: str, read: Callable[[Health], float]) -> Metric:
    return Metric(name=name, kind=GAUGE, meaning=meaning, read=_one(read))


def _by(label: str, kind: str, name: str, meaning: str, read: Callable[[Health], Mapping[str, float]]) -> Metric:
    return Metric(name=name, kind=kind, meaning=meaning, read=_each(read), labels=(label,))


def _quantiles(name: str, meaning: str, read: Callable[[Health], Spread]) -> Metric:
    return Metric(name=name, kind=GAUGE, meaning=meaning, read=_spread(read), labels=("quantile",))


def _states(health: Health) -> Mapping[str, float]:
    return {state.name.lower(): float(state is health.state) for state in HealthState}


def _about(health: Health) -> Iterable[Sample]:
    yield (health.software, health.site_id, ",".join(map(str, health.wire_versions))), 1.0


METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="khulan_server_info", kind=GAUGE, read=_about, labels=("software", "site", "wire_versions"),
        meaning="Always 1; its labels name the software, the site and the versions of the wire served.",
    ),
    _by("state", GAUGE, "khulan_state", "1 for the state the server is in: starting, serving, not_granting (journal), standing_still (journal damaged), not_ticking, ending.", _states),
    _gauge("khulan_gathered_timestamp_seconds", "Unix time at which these figures were gathered; one that stands still means that the control loop does not answer.", lambda h: h.at_ns / NS_PER_S),
    _gauge("khulan_up_seconds", "Time since the server started, or last switched sites; counts begin then.", lambda h: h.up_ns / NS_PER_S),
    _gauge("khulan_epoch", "The server's term, one higher at each start; 0 while it lets nobody move.", lambda h: h.epoch),
    # The control loop.
    Metric(name="khulan_tick_seconds", kind=HISTOGRAM, meaning="How long each tick of the control loop took; there are 0.1 s for it.", histogram=lambda h: h.ticks.every),
    _quantiles("khulan_tick_minute_seconds", "The same of the last minute; quantile 1 is the longest.", lambda h: h.ticks.took),
    _quantiles("khulan_tick_late_minute_seconds", "How long after their time ticks of the last minute began.", lambda h: h.ticks.late),
    _counter("khulan_tick_overruns", "Ticks that took longer than there is between two.", lambda h: h.ticks.overrun_count),
    _counter("khulan_ticks_missed", "Ticks never run, because those before took too long or the machine stalled.", lambda h: h.ticks.missed_count),
    _gauge("khulan_ticks_behind", "Ticks that lately came too late, less those in time since; from 20 on nothing new is planned.", lambda h: h.ticks.behind_ticks),
    # What it decides.
    _counter("khulan_grants", "Authorities given to trucks.", lambda h: h.decisions.grants),
    _by("cause", COUNTER, "khulan_shortenings", "Authorities asked back, by cause.", lambda h: h.decisions.shortenings),
    _by("cause", COUNTER, "khulan_stops", "Stops told to trucks, by cause; one said again counts again.", lambda h: h.decisions.stops),
    _by("cause", GAUGE, "khulan_trucks_standing", "Trucks that stand now, by cause.", lambda h: h.decisions.standing),
    _by("cause", COUNTER, "khulan_standing_seconds", "Truck-seconds spent standing, by cause.", lambda h: h.decisions.standing_s),
    # Trucks and their lines.
    _by("session", GAUGE, "khulan_trucks", "Trucks by session: absent, syncing, live, silent, quarantined, halted.", lambda h: h.trucks.sessions),
    _gauge("khulan_trucks_laden", "Trucks with coal aboard.", lambda h: h.trucks.laden_count),
    _quantiles("khulan_report_age_seconds", "How old the newest report is, over all trucks on a line, as the loop counts: 0 is heard in the newest tick; quantile 1 is the oldest.", lambda h: h.trucks.report_age),
    _counter("khulan_links_lost", "Lines to trucks that ended without a goodbye.", lambda h: h.trucks.links_lost),
    _counter("khulan_reports_refused", "Reports that moved nothing, because they came late, twice, or cannot be true.", lambda h: h.trucks.reports_refused),
    _quantiles("khulan_clock_uncertainty_seconds", "How closely trucks' clocks are known, over all that are.", lambda h: h.uncertainty),
    _gauge("khulan_clock_drift_max_seconds", "The farthest that a truck's clock has certainly moved against the server's since its computer was first heard.", lambda h: h.drift_max_ns / NS_PER_S),
    # What is moved.
    _counter("khulan_round_trips", "Round trips made; goes on over restarts, as the journal does.", lambda h: h.round_trips),
    _counter("khulan_containers_delivered", "Containers delivered; goes on over restarts.", lambda h: h.containers_delivered),
    _counter("khulan_delivered_tonnes", "Tonnes delivered; goes on over restarts.", lambda h: h.tonnes),
    # What is heard, waits, and is turned away.
    _counter("khulan_messages_heard", "Messages taken from trucks and gateways; a gateway's frame is one.", lambda h: h.messages.heard),
    _counter("khulan_messages_said", "Messages put on streams of trucks and gateways.", lambda h: h.messages.said),
    _counter("khulan_messages_refused", "Messages, and rows of frames, that could not be used.", lambda h: h.messages.refused),
    _counter("khulan_messages_forged", "What gateways brought in a truck's name without its code.", lambda h: h.messages.forged),
    _by("kind", COUNTER, "khulan_shed", "Turned away because somebody asked for too much: reports, reads, plans, inputs, requests, streams, readers, strangers.", lambda h: h.shed),
    _by("queue", GAUGE, "khulan_waiting", "What waits now: inputs, reports, frames and reads for the next tick, requests for their answer, ticks for the disk, calls for the border.", lambda h: h.queues),
    _by("event", COUNTER, "khulan_alarms", "Lines of the log that a person must look at, by event.", lambda h: h.alarms),
    # The journal.
    Metric(name="khulan_journal_commit_seconds", kind=HISTOGRAM, meaning="How long each commit of the journal took, until the disk has it.", histogram=lambda h: h.journal.every),
    _quantiles("khulan_journal_commit_minute_seconds", "The same of the last minute.", lambda h: h.journal.commit),
    _counter("khulan_journal_records", "The newest durable record; goes on over restarts.", lambda h: h.journal.sequence),
    _gauge("khulan_journal_bytes", "The journal's file.", lambda h: h.journal.disk.bytes),
    _gauge("khulan_journal_log_bytes", "The write-ahead log beside it.", lambda h: h.journal.disk.log_bytes),
    _gauge("khulan_journal_archive_bytes", "The files of its archive.", lambda h: h.journal.disk.archive_bytes),
    _gauge("khulan_journal_pages", "Pages of the journal's file, free ones too.", lambda h: h.journal.disk.pages),
    _gauge("khulan_journal_disk_free_bytes", "Left on the disk of the data folder, for this server.", lambda h: h.journal.disk.free_bytes),
    _gauge("khulan_journal_reserve_kept", "1: what is kept for stops and answers on a full disk is there.", lambda h: h.journal.disk.reserve_kept),
    _gauge("khulan_journal_has_room", "1: the journal takes what is decided, so that grants are given; 0: its disk is full or too slow.", lambda h: h.journal.has_room),
    _gauge("khulan_journal_facts_since_snapshot", "What a restart would read on top of the newest snapshot.", lambda h: h.journal.facts_since_snapshot),
    Metric(
        name="khulan_journal_snapshot_age_seconds", kind=GAUGE, meaning="Time since the newest snapshot; absent before the first since the start.",
        read=lambda h: () if h.journal.snapshot_ns is None else [((), h.journal.snapshot_ns / NS_PER_S)],
    ),
)  # fmt: skip
# What the library tells of the process itself.
PROCESS: Final[Mapping[str, str]] = {
    "process_cpu_seconds_total": "Time of processors that the server has used.",
    "process_resident_memory_bytes": "Memory it has.",
    "process_virtual_memory_bytes": "Memory it has asked for.",
    "process_open_fds": "Files and connections it has open.",
    "process_max_fds": "How many it may have open.",
    "process_start_time_seconds": "Unix time of its start.",
}


def family_of(metric: Metric, health: Health) -> Family:
    """The samples of one row."""
    if metric.histogram is not None:
        found = metric.histogram(health)
        bounds = [*map(str, found.bounds_s), "+Inf"]
        return HistogramMetricFamily(
            metric.name, metric.meaning, buckets=list(zip(bounds, accumulate(found.counts), strict=True)), sum_value=found.sum_s
        )
    kind = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in metric.read(health):
        family.add_metric(labels, value)
    return family


class HealthCollector(Collector):
    """Gives the registry the newest health."""

    def __init__(self, newest: Callable[[], Health | None]) -> None:
        self._newest = newest

    def collect(self) -> Iterator[Family]:
        """Every row; none before anything was gathered."""
        if (health := self._newest()) is not None:
            for metric in METRICS:
                yield family_of(metric, health)


class Exposition:
    """The text that scrapers read, made once for each health however many of them there are."""

    def __init__(self) -> None:
        self._health: Health | None = None
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(HealthCollector(lambda: self._health))
        ProcessCollector(registry=self.registry)
        self._text = b""

    @property
    def text(self) -> bytes:
        """What is told now; while nothing is gathered yet, of the process alone."""
        return self._text or generate_latest(self.registry)

    def publish(self, health: Health) -> None:
        """*health* is what is told from now on."""
        self._health = health
        self._text = generate_latest(self.registry)


def documentation() -> str:
    """The table of every metric, in Markdown."""
    rows = [(metric.told, metric.kind, ", ".join(metric.labels), metric.meaning) for metric in METRICS]
    rows += [(name, COUNTER if name.endswith("_total") else GAUGE, "", meaning) for name, meaning in PROCESS.items()]
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {labels} | {meaning} |" for name, kind, labels, meaning in rows]
    return "\n".join(lines)
