"""What the server knows of its own health, part by part."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import numpy as np
import pytest

from fleet.client import AsyncOperator, asks, values
from fleet.client.health_values import Health as Told
from fleet.client.values import value_of
from fleet.clock import NS_PER_S, SteppedClock
from fleet.log import Event, Log, alarm_counts
from fleet.principal import Role
from fleet.server.app import Server
from fleet.server.columns import IntColumn
from fleet.server.health.clocks import WORST, Clocks, Stamps
from fleet.server.health.condition import ALIVE_WITHIN_NS, Condition
from fleet.server.health.disk import DiskLook
from fleet.server.health.durations import BOUNDS_S, KEPT, MINUTE_NS, Durations, Tally, spread
from fleet.server.health.pulse import REMEMBERED, Pulse
from fleet.server.health.values import HealthState, Spread
from fleet.server.journal.archive import PREFIX
from fleet.server.journal.folder import Reserve
from fleet.server.journal.journal import Record
from fleet.server.journal.sqlite import JOURNAL_FILE, RESERVE_FILE, WAL_FILE, SqliteJournal
from fleet.server.loop.truck_session import State
from fleet.server.settings import ServerSettings
from fleet.server.wire.health_reads import message_of
from fleet.server.wire.shedding import Shed
from fleet.site import load_site
from fleet.texts import LANGUAGES, texts
from fleet.v1 import dispatch_pb2_grpc, health_pb2
from planner.authority import Cause
from tests.fleet.secured import serving
from tests.fleet.well import WELL, well

MS = 1_000_000
WITHIN_S = 60.0
ZERO = datetime(2026, 3, 1, tzinfo=UTC)
# Looks into a journal as a person does who has SQLite's own tool.
STRANGER = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select count(*) from record').fetchone(); c.close()"


class Disk:
    """Whether the journal takes anything."""

    has_room = True
    behind = False


def test_only_the_last_minute_counts_and_everything_counts_once() -> None:
    """A stall of this morning must not hide behind a quiet hour, nor be shown all day as if it went on."""
    durations = Durations()
    tally = Tally(durations, 100 * MS)
    durations.add(1 * NS_PER_S, 300 * MS)
    first = tally.look()
    for at in range(10):
        durations.add(70 * NS_PER_S + at, 3 * MS)
    second = tally.look()
    again = tally.look()

    assert spread(durations.lately(80 * NS_PER_S)) == Spread(count=10, p50_ns=3 * MS, p99_ns=3 * MS, max_ns=3 * MS)
    assert (sum(first.counts), sum(second.counts), again) == (1, 11, second)
    assert second.counts[BOUNDS_S.index(0.004)] == 10
    assert (tally.over_count, round(second.sum_s, 6)) == (1, 0.33)


def test_what_nobody_looked_at_for_long_is_gone_and_nothing_counts_twice() -> None:
    """A gatherer that was kept for minutes goes on with what is there."""
    durations = Durations()
    tally = Tally(durations, 100 * MS)
    for at in range(KEPT + 5):
        durations.add(at, MS)

    assert sum(tally.look().counts) == KEPT
    assert len(durations.lately(MINUTE_NS // 2)) == KEPT


def test_on_a_machine_that_was_just_switched_on_nothing_happened_yet() -> None:
    """Its clock is less than a minute old, and a thousand commits of no time at all would be a fine disk."""
    durations = Durations()
    durations.add(5 * NS_PER_S, 300 * MS)

    assert durations.lately(6 * NS_PER_S).tolist() == [300 * MS]


def test_what_is_added_during_a_look_counts_at_the_next_one() -> None:
    """Ticks go on while somebody counts them."""

    class Adding(Durations):
        """One more is added whenever somebody has taken out what there is."""

        def between(self, begin: int, end: int) -> IntColumn:
            """As always."""
            found = super().between(begin, end)
            self.add(2, MS)
            return found

    durations = Adding()
    tally = Tally(durations, 100 * MS)
    durations.add(1, MS)

    assert [sum(tally.look().counts) for _ in range(3)] == [1, 2, 3]


def test_a_spread_of_nothing_is_nothing() -> None:
    """No trucks is not quick trucks."""
    assert spread(np.zeros(0, np.int64)) == Spread()


def test_a_tick_is_known_by_its_number_until_its_place_is_taken() -> None:
    """A challenge answered late is held against the tick that made it, or against none."""
    pulse = Pulse()
    for tick in range(1, REMEMBERED + 3):
        pulse.ticked(tick, 0, tick * 10, tick * 10 + 1)

    assert pulse.began_ns(np.array([1, 3, REMEMBERED + 2, -5])).tolist() == [0, 30, (REMEMBERED + 2) * 10, 0]


def stamps(offset_ns: int, *, computer: str = "c/1", challenged_ns: int = 1_000, heard_ns: int = 1_600) -> Stamps:
    """One truck whose clock is so far off, heard halfway between the two moments."""
    return Stamps(
        truck_ids=("T1",),
        computers=(computer,),
        stamp_ns=np.array([(challenged_ns + heard_ns) // 2 + offset_ns]),
        heard_ns=np.array([heard_ns]),
        challenged_ns=np.array([challenged_ns]),
    )


def test_a_clock_is_known_to_within_half_of_what_lies_between() -> None:
    """The stamp was made between the challenge and the report: more is not known, and that is."""
    (clock,) = Clocks().look(stamps(-70_000)).worst

    assert (clock.offset_ns, clock.uncertainty_ns, clock.drift_ns) == (-70_000, 300, 0)


@pytest.mark.parametrize(("moved_ns", "drift_ns"), [(500, 0), (-600, 0), (700, 100), (-900, -300)])
def test_drift_is_what_no_slow_line_explains(moved_ns: int, drift_ns: int) -> None:
    """An alarm for each slow radio would be no alarm."""
    clocks = Clocks()
    clocks.look(stamps(0))

    seen = clocks.look(stamps(moved_ns))

    assert (seen.worst[0].drift_ns, seen.drift_max_ns) == (drift_ns, abs(drift_ns))


def test_a_computer_that_was_restarted_counts_from_a_new_origin() -> None:
    """Its monotonic clock began anew, which is not drift."""
    clocks = Clocks()
    clocks.look(stamps(0))

    assert clocks.look(stamps(10**12, computer="c/2")).drift_max_ns == 0


def test_a_clock_that_answered_no_challenge_is_not_known() -> None:
    """Nothing is said of who was not heard; and only the worst are named."""
    many = WORST + 9
    every = Stamps(
        truck_ids=tuple(f"T{at}" for at in range(many)),
        computers=("c/1",) * many,
        stamp_ns=np.full(many, 5),
        heard_ns=np.full(many, 2_000),
        challenged_ns=np.arange(many) * 10,
    )
    seen = Clocks().look(every)

    assert seen.uncertainty.count == many - 1
    assert len(seen.worst) == WORST
    assert seen.worst[0].truck_id == "T1"


def test_each_state_says_why_and_only_ticks_that_stopped_ask_for_a_new_start() -> None:
    """Whoever starts servers again must not do so while one waits for a disk: the next would wait as well."""
    clock, pulse, disk = SteppedClock(utc_at_zero=ZERO, now_ns=NS_PER_S), Pulse(), Disk()
    condition = Condition(clock, pulse, disk, driven=False)
    seen = [(condition.state()[0], condition.alive()[0], condition.ready()[0])]
    condition.begun()
    seen.append((condition.state()[0], condition.alive()[0], condition.ready()[0]))
    disk.has_room = False
    seen.append((condition.state()[0], condition.alive()[0], condition.ready()[0]))
    disk.has_room, disk.behind = True, True
    seen.append((condition.state()[0], condition.alive()[0], condition.ready()[0]))
    clock.step_to(clock.now_ns() + ALIVE_WITHIN_NS + 1)
    seen.append((condition.state()[0], condition.alive()[0], condition.ready()[0]))
    pulse.ticked(1, 0, 0, clock.now_ns())
    condition.ending()
    seen.append((condition.state()[0], condition.alive()[0], condition.ready()[0]))

    assert seen == [
        (HealthState.STARTING, True, False),
        (HealthState.SERVING, True, True),
        (HealthState.NOT_GRANTING, True, False),
        (HealthState.NOT_GRANTING, True, False),
        (HealthState.NOT_TICKING, False, False),
        (HealthState.ENDING, True, False),
    ]


def test_a_damaged_journal_is_alive_and_not_ready() -> None:
    """A new start would find the same damage."""
    condition = Condition(SteppedClock(utc_at_zero=ZERO), Pulse(), Disk(), driven=False)
    condition.stands_still("record 7 is missing")

    assert condition.alive() == (True, "record 7 is missing")
    assert condition.ready() == (False, "record 7 is missing")


def test_the_folder_is_told_as_it_is(tmp_path: Path) -> None:
    """Whoever watches a disk fill must see the file that fills it."""
    nothing = DiskLook(tmp_path, 4096).look()
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        journal.acquire()
        look = DiskLook(tmp_path, journal.page_bytes)
        (tmp_path / f"{PREFIX}000000000001-000000000005").write_bytes(b"x" * 77)
        seen = look.look()
        Reserve(tmp_path / RESERVE_FILE).give_way()
        without = look.look()
    with closing(sqlite3.connect(tmp_path / JOURNAL_FILE)) as connection:
        page_bytes = connection.execute("pragma page_size").fetchone()[0]

    assert (nothing.bytes, nothing.pages, nothing.reserve_kept) == (0, 0, False)
    assert (seen.archive_bytes, seen.reserve_kept, without.reserve_kept) == (77, True, False)
    assert seen.log_bytes > 0
    assert seen.pages * page_bytes == seen.bytes
    assert 0 < seen.free_bytes <= os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize


def test_a_look_takes_no_lock_from_the_journal(tmp_path: Path) -> None:
    """A file that is closed is unlocked for its whole process: the next stranger who reads the journal would clear its log away."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        epoch = journal.acquire()
        DiskLook(tmp_path, journal.page_bytes).look()

        subprocess.run([sys.executable, "-c", STRANGER, str(tmp_path / JOURNAL_FILE)], check=True, timeout=WITHIN_S)
        there = (tmp_path / WAL_FILE).exists()
        written = journal.append(epoch, [Record(kind="K", key="", body=b"{}")])
    with closing(SqliteJournal(tmp_path)) as journal:
        recovered = journal.recover()

    assert there
    assert recovered.head.sequence == written


def test_alarms_are_counted_by_event() -> None:
    """A person who was asleep sees in the morning what there was."""
    before = alarm_counts().get("tick_missed", 0)
    Log("test").alarm(Event.TICK_MISSED, missed=1)
    Log("test").fact(Event.SNAPSHOT_TAKEN)

    assert alarm_counts()["tick_missed"] == before + 1
    assert "snapshot_taken" not in alarm_counts()


def test_everything_that_is_known_is_said_on_the_wire() -> None:
    """A part that somebody adds and forgets to send would be missed by the one who needs it."""
    message = message_of(WELL)
    told = value_of(Told, message)

    unsaid = [field.name for field in message.DESCRIPTOR.fields if field.name != "reason" and not getattr(message, field.name)]
    assert unsaid == []
    assert (told.state, told.epoch, told.wire_versions, told.tonnes) == ("serving", 3, (1, 2), 210.5)
    assert told.journal is not None
    assert told.journal.commit == values.value_of(type(told.journal.commit), message.journal.commit)
    assert (told.journal.pages, told.journal.snapshot_age, told.journal.has_room) == (1, 60.0, True)
    assert told.ticks is not None
    assert told.ticks.took is not None
    assert (told.ticks.took.p50, told.ticks.took.max, told.ticks.missed_count) == (0.001, 0.003, 2)
    assert told.clocks[0].offset == -5e-9


def test_a_snapshot_that_was_not_taken_has_no_age() -> None:
    """Zero would be just now."""
    journal = well().journal
    message = message_of(
        well(journal=type(journal)(**{**{name: getattr(journal, name) for name in journal.__slots__}, "snapshot_ns": None}))
    )

    assert not message.journal.HasField("snapshot_age")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_of_ours_has_its_word(language: str) -> None:
    """Whoever looks at a screen reads no names of variables."""
    queues = ("inputs", "reports", "frames", "reads", "requests", "ticks", "calls")
    wanted = {f"health.state.{state.name.lower()}" for state in HealthState} | {f"shed.{name}" for name in Shed.__slots__}
    wanted |= {f"queue.{name}" for name in queues} | {f"short.{cause.name.lower()}" for cause in Cause}
    wanted |= {f"session.{state.name.lower()}" for state in State}

    assert wanted - set(texts(language)) == set()


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    """A server in real time."""
    return ServerSettings(data=tmp_path, listen="127.0.0.1:0", day_start_s=36_000)


async def test_a_loop_that_does_not_answer_leaves_what_was_last_seen(settings: ServerSettings) -> None:
    """The rest of the server must not wait for it, and its age says how old all of it is."""
    server = Server(load_site("mandula"), settings)
    await server.start()
    await server._watch.look()
    held = threading.Event()
    task = asyncio.ensure_future(server._control.read(held.wait))
    await asyncio.sleep(0)

    once = await server._watch.look()
    again = await server._watch.look()
    held.set()
    await task
    after = await server._watch.look()
    await server.stop()

    assert again.at_ns == once.at_ns
    assert after.at_ns > once.at_ns
    assert after.ticks.tick > once.ticks.tick


async def test_a_server_that_a_simulator_drives_answers_as_well(settings: ServerSettings) -> None:
    """Ticks may stay away as long as the simulator likes: that is no fault, and each question is looked up anew."""
    server = Server(load_site("mandula"), replace(settings, lockstep=True))
    running = await server.start()
    async with AsyncOperator(running.address) as operator:
        once = await operator.ask(asks.health(), WITHIN_S)
        again = await operator.ask(asks.health(), WITHIN_S)
    await server.stop()

    assert (once.state, once.epoch, once.site_id) == ("serving", 1, "mandula")
    assert once.time is not None
    assert again.time is not None
    assert again.time > once.time


async def test_a_viewer_may_ask_and_a_yard_may_not(tmp_path: Path) -> None:
    """It is for those who run the server, and tells others nothing they need."""
    async with serving(tmp_path) as site:
        viewer = dispatch_pb2_grpc.DispatchServiceStub(site.line_of(Role.VIEWER, "v"))
        yard = dispatch_pb2_grpc.DispatchServiceStub(site.line_of(Role.YARD, "mn"))
        found = await viewer.GetHealth(health_pb2.GetHealthRequest(), timeout=WITHIN_S)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await yard.GetHealth(health_pb2.GetHealthRequest(), timeout=WITHIN_S)

    assert found.state == health_pb2.HEALTH_STATE_SERVING
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
