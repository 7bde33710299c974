"""`fleet health`: how the server itself is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fleet.cli.terminal import SERVER_USUAL, JsonOption, ServerOption, TlsOption, fail, operator_of, print_json
from fleet.texts import LANGUAGES, say, texts

if TYPE_CHECKING:
    from fleet.client.health_values import Health, NamedCount, Spread

SERVING: Final = "serving"
STALE_S: Final = 5.0  # it is gathered once a second
MINUTE_S, HOUR_S = 60, 3600

app = typer.Typer(
    help="How the server itself is. Example: fleet health --server 127.0.0.1:50051", add_completion=False, rich_markup_mode=None
)


def lasting(seconds: float, language: str) -> str:
    """So long, in words that fit its size."""
    if seconds < 1.0:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < MINUTE_S:
        return say(language, "lasting.s", n=f"{seconds:.1f}")
    if seconds < HOUR_S:
        return say(language, "lasting.min", n=f"{seconds // MINUTE_S:.0f}")
    return say(language, "lasting.h", n=f"{seconds // HOUR_S:.0f}", m=f"{seconds % HOUR_S // MINUTE_S:.0f}")


def _spread(found: Spread | None, language: str) -> str:
    if found is None or not found.count:
        return "-"
    named = (("health.p50", found.p50), ("health.p99", found.p99), ("health.max", found.max))
    return ", ".join(f"{say(language, key).lower()} {lasting(value or 0.0, language)}" for key, value in named)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def _named(counts: Sequence[NamedCount], language: str, prefix: str = "") -> str:
    """Those that are not 0; names that nobody translated are the log's and stay as they are."""
    words = texts(language)
    some = [f"{words.get(f'{prefix}{each.name}', each.name)} {each.count}" for each in counts if each.count]
    return ", ".join(some) or say(language, "health.nothing")


def _yes(value: bool, language: str) -> str:
    return say(language, "yes" if value else "no")


def _head(health: Health, language: str) -> Iterator[tuple[str, str]]:
    state = say(language, f"health.state.{health.state}") if health.state else "-"
    yield "health.state", f"{state}: {health.reason}" if health.reason else state
    yield "health.epoch", f"{health.epoch}, {health.site_id}"
    yield "health.up", lasting(health.up or 0.0, language)
    yield "health.software", health.software
    yield "health.wire", ", ".join(map(str, health.wire_versions))
    yield "top.trips", f"{health.round_trips}, {health.tonnes:.0f} t"


def _loop(health: Health, language: str) -> Iterator[tuple[str, str]]:
    if (ticks := health.ticks) is not None:
        yield "health.took", _spread(ticks.took, language)
        yield "health.late", _spread(ticks.late, language)
        yield "health.overruns", str(ticks.overrun_count)
        yield "health.missed", f"{ticks.missed_count} ({say(language, 'health.behind').lower()}: {ticks.behind_ticks})"
    if (decided := health.decisions) is not None:
        yield "health.grants", str(decided.grants)
        yield "health.shortenings", _named(decided.shortenings, language, "short.")
        yield "health.stops", _named(decided.stops, language, "short.")
        yield "day.now", _named(decided.standing, language, "short.")


def _trucks(health: Health, language: str) -> Iterator[tuple[str, str]]:
    if (trucks := health.trucks) is not None:
        yield "day.sessions", _named(trucks.sessions, language, "session.")
        yield "health.age", _spread(trucks.report_age, language)
        yield "health.lost", str(trucks.links_lost)
        yield "health.refused", str(trucks.reports_refused)
    if health.messages is not None:
        yield "health.messages", f"{health.messages.heard} / {health.messages.said}"
    worst = [
        f"{clock.truck_id} {lasting(abs(clock.drift or 0.0), language)} ± {lasting(clock.uncertainty or 0.0, language)}"
        for clock in health.clocks[:3]
    ]
    yield "health.drift", ", ".join(worst) or say(language, "health.nothing")


def _journal(health: Health, language: str) -> Iterator[tuple[str, str]]:
    if (journal := health.journal) is not None:
        yield "health.room", _yes(journal.has_room, language)
        yield "health.commit", _spread(journal.commit, language)
        yield "health.records", str(journal.sequence)
        yield (
            "health.size",
            f"{_size(journal.bytes)} + {_size(journal.log_bytes)}, {say(language, 'health.archive').lower()} {_size(journal.archive_bytes)}",
        )
        yield "health.free", _size(journal.disk_free_bytes)
        yield "health.reserve", _yes(journal.reserve_kept, language)
        since = "-" if journal.snapshot_age is None else lasting(journal.snapshot_age, language)
        yield "health.snapshot", f"{since} ({say(language, 'health.facts').lower()}: {journal.facts_since_snapshot})"
    yield "health.waiting", _named(health.queues, language, "queue.")
    yield "health.shed", _named(health.shed, language, "shed.")
    yield "health.alarms", _named(health.alarms, language)


def tell(health: Health, language: str) -> None:
    """Prints *health*, a line each."""
    age_s = 0.0 if health.time is None else (datetime.now(UTC) - health.time).total_seconds()
    if age_s > STALE_S:
        typer.echo(say(language, "health.gathered", since=lasting(age_s, language)))
    rows = [row for part in (_head, _loop, _trucks, _journal) for row in part(health, language)]
    for key, value in rows:
        typer.echo(f"{say(language, key)}: {value}")


@app.command()
def health(
    language: Annotated[str, typer.Option("--lang", help="en, zh or mn.")] = "en",
    *,
    dashboard: Annotated[bool, typer.Option("--dashboard", help="Print a dashboard for Grafana 11 instead, to import there.")] = False,
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Says how the server itself is: ticks, journal, trucks' lines, queues; exits 1 when it gives no road.

    Example: fleet health --json
    """
    if language not in LANGUAGES:
        fail(f"--lang is one of {', '.join(LANGUAGES)}.", 2)
    if dashboard:
        text = (resources.files("fleet.server.health") / "grafana.json").read_text(encoding="utf-8")
        typer.echo(json.dumps(json.loads(text), indent=2))
        return
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        found = operator.ask(asks.health())
    if as_json:
        print_json(found)
    else:
        tell(found, language)
    if found.state != SERVING:
        raise typer.Exit(1)
