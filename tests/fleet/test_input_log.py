"""A server's input log: it costs the server nothing, outlives a kill, and replays beside its journal."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleet.server.app import Server
from fleet.server.dispatch.books import DispatchOptions
from fleet.server.engine import EngineOptions
from fleet.server.facts import GrantsIssued, decode, encode
from fleet.server.headless import HeadlessServer
from fleet.server.journal.journal import EPOCH_BEGAN, FRAMING, JournalFailed, Record
from fleet.server.journal.sqlite import SqliteJournal
from fleet.server.loop.control_loop import JudgeObjected
from fleet.server.replay import form
from fleet.server.replay.blocks import head_block
from fleet.server.replay.checkpoint import checkpoint_of, loop_of
from fleet.server.replay.form import FormBroken
from fleet.server.replay.kept import answers_of
from fleet.server.replay.log_file import TICKS, read_log
from fleet.server.replay.past import Past
from fleet.server.replay.replaying import Replay, Verdict
from fleet.server.replay.rotating_log import BLOCK_TICKS, FOLDER, WAITING_MAX, LogLimits, RotatingLog, segments
from fleet.server.replay.sites import Sites
from fleet.site import load_site
from fleet.v1 import dispatch_pb2, gateway_pb2, truck_pb2
from planner.limits import JUDGE_SWEEP_TICKS

CORRIDOR = load_site("mandula")
STANDS = [stand for stand in CORRIDOR.stands if stand.stand_id.startswith("mn_park")][:3]
TICK_NS = 100_000_000
ROOMY = LogLimits(hours=24.0, bytes_max=1 << 30)


class Fleet:
    """A server over a journal in *folder*, with its input log, and three trucks that stand and speak."""

    def __init__(self, folder: Path, limits: LogLimits = ROOMY, *, slow_disk: bool = False) -> None:
        self.folder = folder
        self.limits = limits
        self.now_ns = 0
        self.slow_disk = slow_disk
        self.echoes = [0] * len(STANDS)
        self.start()

    def start(self) -> None:
        """A server takes charge of what the folder holds."""
        self.journal = SqliteJournal(self.folder)
        self.runs = True
        self.log = RotatingLog(self.folder, self.limits, head_block(CORRIDOR, "mandula"), self._wake)
        options = EngineOptions(dispatch=DispatchOptions(day_start_s=36_000))
        self.server = HeadlessServer(CORRIDOR, options, self.journal, self.log)
        self.hellos_due = True

    def _wake(self, up_to_tick: int) -> None:
        if not self.slow_disk:
            self.log.write(up_to_tick)

    def kill(self) -> None:
        """The process is gone, and with it what it had not written."""
        if self.runs:
            self.runs = False
            self.log.close(durable=False)
            self.journal.close()

    def end(self) -> None:
        """The server ends in order."""
        self.server.snapshot()
        self.log.close(durable=True)
        self.journal.close()
        self.runs = False

    def run(self, ticks: int) -> None:
        """So many ticks; the trucks report at every other one."""
        for _ in range(ticks):
            self.now_ns += TICK_NS
            if self.hellos_due or self.now_ns // TICK_NS % 2:
                relayed = [self._message(at) for at in range(len(STANDS))]
                self.server.say(gateway_pb2.GatewayMessage(gateway_id="g", relayed=relayed).SerializeToString())
                self.hellos_due = False
            heard = self.server.tick(self.now_ns)
            control = gateway_pb2.GatewayControl.FromString(heard.control)
            for row, challenge in zip(control.heartbeats.handle, control.heartbeats.challenge, strict=True):
                self.echoes[row] = challenge

    def order(self, request_id: str) -> None:
        """Somebody orders containers."""
        wanted = dispatch_pb2.CreateTransportOrderRequest(request_id=request_id, from_yard_id="mn", to_yard_id="cn", container_count=4)
        self.server.call("DispatchService/CreateTransportOrder", wanted)

    def _message(self, at: int) -> gateway_pb2.RelayedTruckMessage:
        stand = STANDS[at]
        report = truck_pb2.Report(
            stamp_ns=self.now_ns,
            lane_id=stand.lane_id,
            chainage_m=stand.stop_m,
            bound_m=0.3,
            intact=True,
            immobilised=True,
            challenge=self.now_ns,
            challenge_echo=self.echoes[at],
            battery_wh=2e5,
        )
        hello = truck_pb2.Hello(
            truck_id=f"t{at}",
            instance_id="computer",
            boot_id="boot",
            truck_type_id="coal_truck_70t",
            wire_version=1,
            body_lane_ids=[stand.lane_id],
            report=report,
            seen={"epoch": self.server.epoch - 1, "sequence": 1} if self.server.epoch > 1 else None,
        )
        said = truck_pb2.TruckMessage(hello=hello) if self.hellos_due else truck_pb2.TruckMessage(report=report)
        return gateway_pb2.RelayedTruckMessage(truck_id=f"t{at}", message=said)


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Makes fleets in the test's folder; a server that still runs after the test is killed."""
    made: list[Fleet] = []

    def make(**how: Any) -> Fleet:
        made.append(Fleet(tmp_path, **how))
        return made[-1]

    yield make
    for fleet in made:
        fleet.kill()


def replayed(folder: Path) -> Verdict:
    """What a replay of the folder's logs beside its journal finds."""
    with closing(SqliteJournal(folder)) as journal:
        work = Replay(Sites(), Past(journal.chain()))
        for file in segments(folder / FOLDER):
            work.feed(file, lambda _: None)
        return work.verdict()


def test_a_folder_with_a_restart_in_the_middle_replays_across_both_epochs(fleets: Callable[..., Fleet]) -> None:
    """The second server begins with what the first made durable, and the journal says what that was."""
    fleet = fleets()
    fleet.run(120)
    fleet.order("r1")
    fleet.run(105)
    fleet.end()
    fleet.start()
    fleet.order("r2")
    fleet.run(80)
    fleet.end()

    verdict = replayed(fleet.folder)

    assert verdict.good, verdict
    assert verdict.notes == ()
    assert (verdict.tick_count, verdict.epochs) == (225 + 80, (1, 2))


def test_a_kill_costs_the_log_its_last_second_and_nothing_else(fleets: Callable[..., Fleet]) -> None:
    """What was torn off is said; what the journal knows beyond it is counted; and the next epoch replays all the same."""
    fleet = fleets()
    fleet.run(100)
    fleet.order("r1")
    fleet.run(4)
    fleet.kill()
    [file] = segments(fleet.folder / FOLDER)
    file.write_bytes(file.read_bytes()[:-7])
    fleet.start()
    fleet.run(40)
    fleet.end()

    verdict = replayed(fleet.folder)

    assert verdict.good, verdict
    assert verdict.epochs == (1, 2)
    assert 100 - 3 * BLOCK_TICKS <= verdict.tick_count - 40 < 100
    assert "the last block is torn" in verdict.notes[0]
    assert "more decisions of epoch 1" in verdict.notes[1]


def test_the_log_never_knows_more_than_the_journal(fleets: Callable[..., Fleet]) -> None:
    """A journal that fails ends the server: what it decided last was never said, and is not in the log either."""
    fleet = fleets()
    fleet.run(4 * BLOCK_TICKS - 1)
    fleet.order("r1")
    fleet.journal._connection.close()
    with pytest.raises(JournalFailed):
        fleet.run(1)
    fleet.kill()

    verdict = replayed(fleet.folder)

    assert verdict.good, verdict
    assert verdict.tick_count == 3 * BLOCK_TICKS


def test_a_core_that_ended_in_a_fault_ends_in_it_again(fleets: Callable[..., Fleet]) -> None:
    """The tick that ended a server is the one that people want to see again."""
    fleet = fleets()
    fleet.run(24)
    with pytest.raises(AssertionError, match="time may not fall"):
        fleet.server.tick(fleet.now_ns - 1)
    fleet.end()

    verdict = replayed(fleet.folder)

    assert verdict.good, verdict
    assert verdict.tick_count == 25


def test_a_judge_that_objected_to_what_nobody_decided_is_a_difference(fleets: Callable[..., Fleet]) -> None:
    """Memory that changed behind the core's back shows itself: the same inputs do not lead there."""
    fleet = fleets()
    fleet.run(3 * JUDGE_SWEEP_TICKS - 1)
    trucks = fleet.server.engine.loop.trucks
    trucks.set_path(1, trucks.path(0), float(trucks.path_start_m[0, 0]))
    for column in (trucks.rear_m, trucks.end_m, trucks.sent_m, trucks.nose_m):
        column[1] = column[0]
    with pytest.raises(JudgeObjected):
        fleet.run(1)
    fleet.end()

    difference = replayed(fleet.folder).difference

    assert difference is not None
    assert difference.tick == 3 * JUDGE_SWEEP_TICKS
    assert ("Fault reason", "JudgeObjected", "nothing") in [(line.what, line.recorded, line.replayed) for line in difference.lines]


def test_every_decision_is_the_journals_too(fleets: Callable[..., Fleet], tmp_path: Path) -> None:
    """A journal that says other than what was decided is found, though its chain is sound."""
    fleet = fleets()
    fleet.run(60)
    fleet.end()
    told: list[int] = []
    with closing(SqliteJournal(fleet.folder)) as journal, closing(SqliteJournal(tmp_path / "other")) as other:
        other.recover()
        for sealed in journal.chain():
            record = sealed.record
            if record.kind == EPOCH_BEGAN:
                other.acquire()
            elif record.kind not in FRAMING:
                other.append(1, [_moved(record, told)])
        work = Replay(Sites(), Past(other.chain()))
        [file] = segments(fleet.folder / FOLDER)
        work.feed(file, lambda _: None)
        difference = work.verdict().difference

    assert difference is not None
    assert (difference.tick, difference.against) == (told[0], "the journal")
    [line] = difference.lines
    assert float(line.recorded) - float(line.replayed) == pytest.approx(5.0)


def _moved(record: Record, told: list[int]) -> Record:
    """The first record of grants gives one truck five metres more; *told* hears its tick."""
    if record.kind != "GrantsIssued" or told:
        return record
    fact = decode(record.kind, record.body)
    assert isinstance(fact, GrantsIssued)
    if not len(fact.rows):
        return record
    told.append(fact.tick)
    kind, body = encode(replace(fact, end_m=fact.end_m + np.eye(len(fact.rows))[0] * 5.0))
    return Record(kind=kind, key="", body=body)


def test_a_log_that_lost_its_beginning_replays_from_a_checkpoint(fleets: Callable[..., Fleet]) -> None:
    """A server lives for months, its log for a day."""
    fleet = fleets(limits=replace(ROOMY, segment_s=5.0))
    fleet.order("r1")
    fleet.run(300)
    fleet.end()
    files = segments(fleet.folder / FOLDER)
    whole = replayed(fleet.folder)
    files[0].unlink()
    files[1].unlink()

    verdict = replayed(fleet.folder)

    assert len(files) >= 5
    assert whole.good, whole
    assert whole.tick_count == 300
    assert verdict.good, verdict
    assert 150 < verdict.tick_count < 250
    assert verdict.notes == (f"ticks 1 to {300 - verdict.tick_count} of epoch 1 are not in the log",)


def test_old_files_go_and_so_do_those_that_are_too_much(fleets: Callable[..., Fleet]) -> None:
    """A log that nobody reads must not fill the disk the journal needs."""
    limits = LogLimits(hours=1.0, bytes_max=3 << 18, segment_s=5.0, segment_bytes=1 << 18)
    fleet = fleets(limits=limits)
    fleet.run(110)
    old, *_ = segments(fleet.folder / FOLDER)
    os.utime(old, (0, 0))
    fleet.run(60)
    aged = segments(fleet.folder / FOLDER)
    big = aged[0].parent / "00000000-000000000001.inputs"
    big.write_bytes(bytes(limits.bytes_max))
    fleet.run(60)

    kept = segments(fleet.folder / FOLDER)

    assert old not in aged
    assert big not in kept
    assert sum(file.stat().st_size for file in kept) <= limits.bytes_max
    assert len(kept) >= 2


def test_a_disk_that_holds_the_writer_up_costs_ticks_and_no_memory(fleets: Callable[..., Fleet]) -> None:
    """The control thread hands over and goes on; what does not fit is left out, and the log goes on from a checkpoint."""
    fleet = fleets(slow_disk=True)
    fleet.run(WAITING_MAX + 50)
    waiting = len(fleet.log._waiting)
    fleet.slow_disk = False
    fleet.run(40)
    fleet.log.write(1 << 62)
    fleet.run(60)
    fleet.end()

    verdict = replayed(fleet.folder)

    assert waiting <= WAITING_MAX + 1
    assert verdict.good, verdict
    assert WAITING_MAX + 50 < verdict.tick_count < WAITING_MAX + 150
    [note] = verdict.notes
    assert note.startswith((f"ticks {WAITING_MAX} to ", f"ticks {WAITING_MAX + 1} to "))


def test_a_disk_that_refuses_the_log_does_not_stop_the_server(fleets: Callable[..., Fleet]) -> None:
    """A forensic record is worth much, a server that grants is worth more; a minute later it is tried again."""
    fleet = fleets()
    (fleet.folder / FOLDER).write_text("in the way")
    fleet.run(100)
    (fleet.folder / FOLDER).unlink()
    fleet.run(700)
    fleet.end()

    verdict = replayed(fleet.folder)

    assert verdict.good, verdict
    assert 100 < verdict.tick_count < 300
    assert verdict.notes[0].startswith("ticks 1 to ")


def test_where_the_journal_finds_no_room_old_logs_make_some(fleets: Callable[..., Fleet]) -> None:
    """The one being written stays."""
    fleet = fleets(limits=replace(ROOMY, segment_s=5.0))
    fleet.run(200)

    fleet.log.give_way()

    assert segments(fleet.folder / FOLDER) == [fleet.log._log.path]  # type: ignore[union-attr]


def test_decisions_that_never_became_durable_are_not_in_the_log(fleets: Callable[..., Fleet]) -> None:
    """The journal is the truth: a log that knew more would call it a liar."""
    fleet = fleets()
    fleet.run(25)
    fleet.log.close(durable=False)
    [file] = segments(fleet.folder / FOLDER)

    ticks = [block.head["tick"] for block, _ in _blocks(file) if block.kind == TICKS]

    assert max(ticks) <= 25 - BLOCK_TICKS


def _blocks(file: Path) -> Iterator[Any]:
    """The blocks of a file that may lack its end."""
    reader = read_log(file)
    while True:
        try:
            yield next(reader)
        except Exception:  # noqa: BLE001 - its end, whichever
            return


@pytest.mark.parametrize("intruders", [0, 1])
def test_a_core_goes_on_from_its_checkpoint_as_if_nothing_had_been(fleets: Callable[..., Fleet], intruders: int) -> None:
    """Columns share memory: a checkpoint that tore them apart would let a kernel write where nobody reads."""
    fleet = fleets()
    fleet.order("r1")
    person = dispatch_pb2.INTRUSION_KIND_PERSON
    report = dispatch_pb2.ReportIntrusionRequest(request_id="seen", intrusion_id="I1", kind=person, radius_m=5.0)
    report.place.lane_id = CORRIDOR.lanes[0].lane_id
    for _ in range(intruders):
        fleet.server.call("DispatchService/ReportIntrusion", report)
    fleet.run(30)
    assert len(fleet.server.engine.loop.intrusions.book.open) == intruders
    live = fleet.server.engine.loop
    copy = loop_of(checkpoint_of(live), CORRIDOR)
    said = [answers_of(loop.tick(fleet.now_ns + at * TICK_NS)) for loop in (live, copy) for at in range(1, 40)]

    assert form.encode(said[:39]) == form.encode(said[39:])
    assert np.shares_memory(copy.trucks.end_m, copy.trucks.columns.real)


@pytest.mark.parametrize("stranger", [partial(os.system, "true"), Server, SqliteJournal, Path("x"), 7])
def test_a_checkpoint_makes_nothing_but_a_core(stranger: object) -> None:
    """A log is a file, and a file may come from anywhere: reading it must not run what it names."""
    with pytest.raises(FormBroken):
        loop_of(pickle.dumps(stranger), CORRIDOR)
