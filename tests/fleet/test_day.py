"""What a day came to: counted where it happens, kept over a restart, and asked for on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import grpc
import numpy as np
import pytest
from typer.testing import CliRunner

from fleet.cli import day as day_command
from fleet.server.app import Running, Server
from fleet.server.dispatch.day import DAYS_KEPT, Days, HourKept, roots_of
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.settings import ServerSettings
from fleet.server.wire.day_reads import Calendar, bound_of
from fleet.site import load_site
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc
from planner.authority import Cause
from tests.fleet.desk_road import DeskRoad
from tests.fleet.refused import error_info

MANDULA = load_site("mandula")
S = 1_000_000_000
HOUR_S = 3600
LEADER, GATE, NONE, STAND = int(Cause.LEADER), int(Cause.GATE), int(Cause.NONE), int(Cause.STAND)


def watched(days: Days, causes: list[int], seconds: range) -> list[HourKept]:
    """What there was to keep while trucks stood for *causes* at those seconds of control time."""
    root, standing = np.array(causes, np.int32), np.ones(len(causes), np.bool_)
    kept = []
    for second in seconds:
        for hour in (days.come(second * S), days.look(root, standing, second * S)):
            if hour is not None:
                days.apply(hour)
                kept.append(hour)
    return kept


def test_who_stands_behind_others_stands_for_what_they_stand_for() -> None:
    """A hundred trucks behind one at a shut gate wait for the gate, not for each other."""
    cause = np.array([GATE, LEADER, LEADER, LEADER, LEADER, LEADER], np.int32)
    #                 the gate  0       1       moves   a ring of two
    ref = np.array([7, 0, 1, 3, 5, 4], np.int32)
    standing = np.array([True, True, True, False, True, True])

    roots = roots_of(cause, ref, standing)

    assert roots[:3].tolist() == [GATE, GATE, GATE]
    assert roots[4:].tolist() == [LEADER, LEADER]


def test_who_stands_behind_a_truck_that_nobody_has_looked_at_stands_for_that_truck() -> None:
    """As the explanation of a single truck has it."""
    cause, ref = np.array([NONE, LEADER], np.int32), np.array([-1, 0], np.int32)

    assert roots_of(cause, ref, np.ones(2, np.bool_))[1] == LEADER


def test_standing_is_kept_once_a_minute() -> None:
    """A fact a second would fill the journal, one an hour would be lost with the server."""
    days = Days(0)

    kept = watched(days, [GATE, GATE, STAND], range(181))

    assert [hour.watched_s for hour in kept] == [60.0, 120.0, 180.0]
    assert kept[-1].waiting_s == {"gate": 360.0, "stand": 180.0}


def test_an_hour_that_ends_is_kept_with_all_that_was_seen_of_it() -> None:
    """What was not kept yet must not be counted to the next hour."""
    days = Days(5 * HOUR_S + HOUR_S - 30)

    kept = watched(days, [GATE], range(100))

    assert [(hour.day, hour.hour, hour.watched_s) for hour in kept] == [(0, 5, 29.0), (0, 6, 60.0)]
    assert sum(hour.watched_s for hour in days.now()) == 99.0


def test_a_loop_that_did_not_look_claims_to_have_seen_little() -> None:
    """Over a frozen quarter of an hour nobody knows who stood."""
    days = Days(0)
    watched(days, [GATE], range(2))

    watched(days, [GATE], range(900, 901))

    assert days.now()[-1].watched_s == 11.0


def test_a_site_without_trucks_keeps_nothing() -> None:
    """A server that waits for its first truck for weeks must not write all the time."""
    assert watched(Days(0), [], range(0, 7200, 10)) == []


def test_days_of_more_than_a_month_ago_are_forgotten() -> None:
    """A snapshot says all that is kept anew: it may not grow for ever."""
    days = Days(0)
    for day in range(DAYS_KEPT + 9):
        days.apply(HourKept(day=day, hour=3, round_trips=1, waiting_s={}))

    assert sorted(day for day, _ in days.hours) == list(range(9, DAYS_KEPT + 9))


def test_a_day_has_all_trips_and_tonnes_also_after_a_restart() -> None:
    """The account and the totals come from the same trucks; a server that comes back knows both."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02", "mn_park_01"], options=DispatchOptions(day_start_s=10 * HOUR_S))
    road.order(12)
    assert road.until(lambda: road.desk.totals.round_trips >= 2, 3 * HOUR_S)

    before, after = road.desk.hours(), road.recover().desk.hours()

    assert sum(hour.round_trips for hour in before) == road.desk.totals.round_trips
    assert sum(hour.containers for hour in before) == road.desk.totals.containers_delivered > 0
    assert sum(hour.tonnes for hour in before) == pytest.approx(road.desk.totals.tonnes)
    assert before[0].hour == 10
    counted = [(hour.hour, hour.round_trips, hour.containers, hour.tonnes) for hour in after if hour.watched_s]
    assert counted == [(hour.hour, hour.round_trips, hour.containers, hour.tonnes) for hour in before if hour.watched_s]


@pytest.mark.parametrize("at", ["2026-11-24T16:00", "2026-11-25T03:00", "2026-11-25T15:59:59"])
def test_a_local_day_begins_at_the_sites_midnight(at: str) -> None:
    """In Mongolia it is tomorrow eight hours before it is in Greenwich."""
    calendar = Calendar(MANDULA, 0, 8 * HOUR_S)
    now_ns = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * S

    day, _ = Days(8 * HOUR_S).place_of(now_ns)

    assert calendar.date_of(day) == date(2026, 11, 25)
    assert calendar.day_of(date(2026, 11, 25)) == day


def test_the_bound_names_what_binds() -> None:
    """A day is measured against what the site could carry, not against a wish."""
    few, many = bound_of(MANDULA, 1), bound_of(MANDULA, 200)

    assert few is not None
    assert many is not None
    assert few.bottleneck == "fleet"
    assert many.bottleneck != "fleet"
    assert few.round_trips < many.round_trips
    assert bound_of(MANDULA, 0) is None


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A server in real time."""
    server = Server(MANDULA, ServerSettings(data=tmp_path_factory.mktemp("day"), listen="127.0.0.1:0"))
    yield await server.start()
    server.ask_to_end()
    await server.stop()


async def test_a_day_is_asked_for_on_the_wire(running: Running) -> None:
    """Also one of which nothing is known: it has no hours."""
    async with grpc.aio.insecure_channel(running.address) as channel:
        desk: Any = dispatch_pb2_grpc.DispatchServiceStub(channel)
        today = await desk.GetDay(d.GetDayRequest(), timeout=30.0)
        before = await desk.GetDay(d.GetDayRequest(date="1999-12-31"), timeout=30.0)

    assert today.time_zone == MANDULA.yards[0].timezone
    assert date.fromisoformat(today.date).year >= 2025
    assert (before.date, list(before.hours)) == ("1999-12-31", [])
    assert not today.HasField("bound"), "without a truck nothing is carried"


@pytest.mark.parametrize("wanted", ["yesterday", "2026-13-01", "0001-01-01", "9999-12-31", "2026-11-25T00:00"])
async def test_what_is_no_day_is_refused(running: Running, wanted: str) -> None:
    """Named, and nothing of the server ends with it."""
    async with grpc.aio.insecure_channel(running.address) as channel:
        desk: Any = dispatch_pb2_grpc.DispatchServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await desk.GetDay(d.GetDayRequest(date=wanted), timeout=30.0)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(refused.value).reason == "InvalidField"


def test_the_command_says_what_is_no_day() -> None:
    """Before it asks anybody."""
    answer = CliRunner().invoke(day_command.app, ["--date", "yesterday", "--server", "127.0.0.1:1"])

    assert answer.exit_code == 2
    assert "--date needs a day" in answer.stderr
