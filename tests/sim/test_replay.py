"""A recorded run goes through the core again: equal, or the very tick at which it is not."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet.server.columns import FloatColumn
from fleet.server.commands import CreateOrder
from fleet.server.dispatch.books import DispatchOptions
from fleet.server.dispatch.dispatch import Dispatch
from fleet.server.inputs import CommandGiven, ReportsHeard
from fleet.server.loop.control_loop import ControlLoop, LoopOptions
from fleet.server.outgoing import Outgoing
from fleet.server.replay import form
from fleet.server.replay.input_log import BLOCK_TICKS, RUN_FILE, InputLog
from fleet.server.replay.log_file import START, TICKS, Block, LogWriter, read_log
from fleet.server.replay.replaying import Replay, Verdict
from fleet.server.replay.sites import Sites
from planner.corridor import Corridor
from planner.tables import LaneTable, TruckTable
from sim_harness.checkers import Checkers
from sim_harness.cli import app
from sim_harness.day import Wish, input_log, run_day
from sim_harness.in_memory import Answers, InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

pytestmark = pytest.mark.xdist_group("replay")  # one process makes the run that several tests look at

RUNNER = CliRunner()
HOURS = 0.05
TICKS_RUN = 1800
# Durations of the scenario's own: replay must not take the site's.
QUICK = ["processes.bay={shape: fixed, fixed_s: 40}", "plant.inspect_share=0"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run's files."""
    out = tmp_path_factory.mktemp("run")
    run_day(load_scenario("mandula", QUICK, seed=3, hours=HOURS, trucks=4), Wish(out=out), lambda _: None)
    return out


@pytest.fixture
def log(run_folder: Path, tmp_path: Path) -> Path:
    """A copy of the run's input log, to be spoilt."""
    return Path(shutil.copy(run_folder / RUN_FILE, tmp_path / RUN_FILE))


def replayed(path: Path, **how: Any) -> Verdict:
    """What a replay of one file finds."""
    work = Replay(Sites(), **how)
    work.feed(path, lambda _: None)
    return work.verdict()


def rewrite(path: Path, change: Callable[[Block], Block]) -> None:
    """The same log with every block changed, its checksums sound: what a mistake or a hand could make."""
    blocks = [change(block) for block, _ in read_log(path)]
    writer = LogWriter(path)
    for block in blocks:
        writer.write(block)
    writer.close()


def test_a_run_replays_equal(run_folder: Path) -> None:
    """The promise: inputs and core alone give every word and every fact again."""
    said = RUNNER.invoke(app, ["replay", str(run_folder)])

    assert said.exit_code == 0, said.output
    assert f"{TICKS_RUN} ticks equal, epoch 1" in said.stdout


def test_a_run_without_a_folder_is_not_listened_to() -> None:
    """What nobody asked for must cost nothing."""
    with input_log(None, load_scenario("mandula", trucks=1)) as ear:
        assert ear is None


class Meaner(ControlLoop):
    """A core that once, at tick `TICK`, gives a truck a metre less than the other would."""

    TICK = 1234

    def _give(self) -> Any:
        grants = super()._give()
        if self.tick_count < self.TICK or grants is None or self.__dict__.setdefault("_done", False):
            return grants
        self.__dict__["_done"] = True
        self.changed_at = self.tick_count
        end_chainage_m: FloatColumn = grants.end_chainage_m - 1.0
        return replace(grants, end_chainage_m=end_chainage_m)


def test_a_core_that_decides_one_grant_otherwise_is_found_at_that_tick(run_folder: Path) -> None:
    """A change of the rules shows itself by the first decision it changes, beside what was decided then."""
    made: list[Meaner] = []

    def changed(corridor: Corridor, loop: LoopOptions, dispatch: DispatchOptions) -> ControlLoop:
        lanes = LaneTable.of(corridor)
        trucks = TruckTable(lanes)
        made.append(Meaner(corridor, trucks, Dispatch(corridor, lanes, trucks, dispatch), loop))
        return made[0]

    verdict = replayed(run_folder / RUN_FILE, core=changed)

    assert not verdict.good
    difference = verdict.difference
    assert difference is not None
    assert (difference.epoch, difference.tick, difference.against) == (1, made[0].changed_at, "the recording")
    assert verdict.tick_count == difference.tick - 1
    assert difference.now_ns == difference.tick * 100_000_000
    assert {line.what.split()[0] for line in difference.lines} == {"GrantsOut"}
    for line in difference.lines:
        assert line.what.endswith("end_chainage_m")
        assert float(line.recorded) - float(line.replayed) == pytest.approx(1.0)


def changed_at(path: Path, tick: int, change: Callable[[Any], Any]) -> None:
    """The log with every input of one tick changed."""

    def changed(block: Block) -> Block:
        at = tick - block.head.get("tick", tick + 1)
        if block.kind != TICKS or not 0 <= at < len(block.head["now_ns"]):
            return block
        heard = form.inputs(block.first)
        heard[at] = [change(each) for each in heard[at]]
        return replace(block, first=form.encode(heard))

    rewrite(path, changed)


def test_one_flipped_bit_in_a_report_is_found_at_the_first_word_it_leads_to(log: Path) -> None:
    """An input is not believed because its checksum fits. Trucks report at odd ticks, and hear their challenge again at even ones."""
    tick = 7 * BLOCK_TICKS + 41

    def flip(heard: ReportsHeard) -> ReportsHeard:
        heard.challenge[1] ^= 1
        return heard

    changed_at(log, tick, flip)

    verdict = replayed(log)

    assert verdict.difference is not None
    assert verdict.difference.tick == tick + 1
    [line] = verdict.difference.lines
    assert line.what == "HeartbeatColumns t002 challenge_echo"
    assert int(line.recorded) == int(line.replayed) ^ 1


def test_one_flipped_bit_in_a_command_is_found_at_its_tick(log: Path) -> None:
    """A command is answered in the tick that hears it."""
    [tick] = [
        block.head["tick"] + at
        for block, _ in read_log(log)
        if block.kind == TICKS
        for at, heard in enumerate(form.inputs(block.first))
        if any(isinstance(each, CommandGiven) and isinstance(each.command, CreateOrder) for each in heard)
    ][:1]

    changed_at(log, tick, lambda heard: replace(heard, command=replace(heard.command, priority=1)))

    verdict = replayed(log)

    assert verdict.difference is not None
    assert verdict.difference.tick == tick
    assert any(line.what.endswith("priority") for line in verdict.difference.lines)


def test_a_difference_is_printed_side_by_side(log: Path) -> None:
    """The person who changed a rule sees tick, time, truck and both values, and an exit code."""

    def other(block: Block) -> Block:
        return replace(block, head={**block.head, "loop": {"friction": 0.2}}) if block.kind == START else block

    rewrite(log, other)

    said = RUNNER.invoke(app, ["replay", str(log)])
    data = json.loads(RUNNER.invoke(app, ["replay", str(log), "--json"]).stdout)

    assert said.exit_code == 1
    assert "the first difference is at tick " in said.stdout
    assert "the recording" in said.stdout
    assert "replayed" in said.stdout
    assert "friction" in said.stdout
    assert data["good"] is False
    assert data["difference"]["lines"][0].keys() == {"what", "recorded", "replayed"}


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_byte_on_disk_is_noticed(log: Path, seed: int) -> None:
    """Wherever it lies: what was read before it still counts, and the last good tick is named."""
    raw = bytearray(log.read_bytes())
    at = random.Random(seed).randrange(len(raw))  # noqa: S311 - chance that replays
    raw[at] ^= 0x10
    log.write_bytes(raw)

    verdict = replayed(log)

    assert not verdict.good
    assert verdict.difference is None
    [damage] = verdict.damages
    assert "last good tick" in damage or "no good tick" in damage
    assert verdict.tick_count < TICKS_RUN


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.3, 0.7, 0.9999])
def test_a_log_cut_short_is_called_so_with_its_last_good_tick(log: Path, share: float) -> None:
    """A disk that filled, a copy that broke off: equal so far is not equal."""
    raw = log.read_bytes()
    log.write_bytes(raw[: int(share * len(raw))])

    said = RUNNER.invoke(app, ["replay", str(log)])

    assert said.exit_code == 1
    assert "ends before its end" in said.stdout
    assert ("the last good tick is " in said.stdout) == (share > 0.01)


def test_a_site_that_changed_since_is_refused(log: Path) -> None:
    """On another map the same inputs mean something else: no comparison is better than a wrong one."""

    def moved(block: Block) -> Block:
        return replace(block, head={**block.head, "site_digest": "0" * 64}) if "site_digest" in block.head else block

    rewrite(log, moved)

    said = RUNNER.invoke(app, ["replay", str(log)])

    assert said.exit_code == 1
    assert "The site is not the one that was recorded" in said.stderr
    assert "what map" in said.stderr


def test_a_site_that_moved_is_named_anew(log: Path) -> None:
    """A recording is carried to another machine; its site lies elsewhere there."""

    def gone(block: Block) -> Block:
        return replace(block, head={**block.head, "site": "/nowhere/site.yaml"}) if "site" in block.head else block

    rewrite(log, gone)

    lost, found = RUNNER.invoke(app, ["replay", str(log)]), RUNNER.invoke(app, ["replay", str(log), "--site", "mandula"])

    assert lost.exit_code == 1
    assert "/nowhere/site.yaml" in lost.stderr
    assert found.exit_code == 0


def test_a_run_with_trucks_and_stretches_of_its_own_replays_equal(tmp_path: Path) -> None:
    """In the cold trucks brake later than the site's file says, and a day of faults has a stretch in which none may stop."""
    scenario = load_scenario("mandula", [*QUICK, "weather=cold", "faults=on"], hours=0.02, trucks=3)
    run_day(scenario, Wish(out=tmp_path), lambda _: None)

    verdict = replayed(tmp_path / RUN_FILE)

    assert scenario.dead_spot is not None
    assert scenario.corridor.digest != scenario.site_digest
    assert verdict.good, verdict
    assert verdict.tick_count == 720


def test_a_log_that_tells_only_of_durations_is_of_the_site_s_own_trucks(log: Path) -> None:
    """So older versions wrote it; what a server kept before it was replaced must still replay."""

    def older(block: Block) -> Block:
        return replace(block, head={key: told for key, told in block.head.items() if key not in {"site_digest", "truck_types", "no_stops"}})

    rewrite(log, older)

    assert replayed(log).good


def test_opening_times_that_changed_since_are_refused(log: Path) -> None:
    """They are no part of the map's digest, and the desk reads them all the same."""

    def reopened(block: Block) -> Block:
        return replace(block, head={**block.head, "form": "0" * 32}) if "form" in block.head else block

    rewrite(log, reopened)

    said = RUNNER.invoke(app, ["replay", str(log)])

    assert said.exit_code == 1
    assert "what opening times" in said.stderr


def test_a_folder_without_a_log_is_wrong_usage(tmp_path: Path) -> None:
    """A mistyped folder must not look like a bad verdict."""
    assert RUNNER.invoke(app, ["replay", str(tmp_path)]).exit_code == 2


class RestartedServer(InMemoryServer):
    """A server to which happens what may happen to one: killed after a snapshot and without, and supplanted by another."""

    def tick(self, now_ns: int) -> Answers:
        """A tick, after what is due."""
        tick = self._tick + 1
        if tick in {150, 400, 700} and self._server is not None:
            self._server.snapshot()
        if tick in {400, 900}:
            self.kill()
            self.start()
        if tick == 1200:
            self.supplant()
        if tick == 1300:
            self.wake_ghost()
        return super().tick(now_ns)


def test_a_run_with_restarts_replays_across_its_epochs(tmp_path: Path) -> None:
    """Each server begins from what the one before made durable; one that was supplanted ticks on until the journal tells it."""
    scenario = load_scenario("mandula", QUICK, hours=HOURS, trucks=4)
    with InputLog(tmp_path / RUN_FILE, scenario.corridor, scenario.site) as ear, Recorder(None, scenario.roster) as recorder:
        server = RestartedServer(scenario.corridor, int(opening_s(scenario.roster)), mortal=True, ear=ear)
        Runner(scenario, server, recorder, Checkers(scenario.roster)).run(lambda _: None)

    verdict = replayed(tmp_path / RUN_FILE)

    assert verdict.good, verdict
    assert verdict.epochs == (1, 2, 3, 4)
    assert verdict.tick_count > TICKS_RUN


class Breaking(ControlLoop):
    """A core that breaks at one tick."""

    def tick(self, now_ns: int, inputs: Any = ()) -> Outgoing:
        """As the other, but for one."""
        if self.tick_count == 500:
            raise ZeroDivisionError
        return super().tick(now_ns, inputs)


def test_a_core_that_breaks_is_a_difference_too(run_folder: Path) -> None:
    """The new rules may not decide otherwise, but not at all."""

    def breaking(corridor: Corridor, loop: LoopOptions, dispatch: DispatchOptions) -> ControlLoop:
        lanes = LaneTable.of(corridor)
        trucks = TruckTable(lanes)
        return Breaking(corridor, trucks, Dispatch(corridor, lanes, trucks, dispatch), loop)

    verdict = replayed(run_folder / RUN_FILE, core=breaking)

    assert verdict.difference is not None
    assert verdict.difference.tick == 501
    assert any(line.replayed == "ZeroDivisionError" for line in verdict.difference.lines)
