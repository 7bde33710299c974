"""
pytest drives the simulator: the fixture `fleet_sim`, and `*.scenario.yaml` files that are tests by themselves.

    def test_the_radio_may_fail(fleet_sim):
        fleet_sim("mandula", hours=0.2, seed=3, faults=[{"fault": "link", "at_s": 60, "truck": "t001"}], expect={"overlaps": 0})

A run that is not as it should be fails its test with what went wrong, the one line that repeats it, and the folder with its
report and recording; of runs that are as they should be nothing stays. Every project that has khulan installed loads this module
with pytest, so it imports nothing but pytest itself until a simulation is asked for.
"""

from __future__ import annotations

import os
import re
import shutil
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from sim_harness.observation import Roster
    from sim_harness.report import Report
    from sim_harness.scenario import Scenario

SUFFIXES: Final = (".scenario.yaml", ".scenario.yml")
# A test's newest runs, whose recordings wait until the test is over: an example search makes hundreds.
RECENT_MAX: Final = 4
# A folder's name may be longer by a seed and a number; file systems take 255 bytes.
NAME_MAX: Final = 120
# What a test report says of a run, beside its seed and trace.
PROPERTIES: Final = (
    "scenario", "seed", "trace_hash", "verdict", "round_trips", "overlaps", "overruns", "authority_margin_m_min", "ttc_s_min",
    "headway_s_min", "emergency_brakes", "unexplained_wait_s",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where failed runs are kept, and with how many seeds scenario files run."""
    group = parser.getgroup("fleet sim", "simulated fleets (khulan)")
    keep = "keep report and recording of failed runs under DIR; without it under pytest's own temporary folder"
    seeds = "run each *.scenario.yaml with N seeds, from its own seed on; 1 without it"
    group.addoption("--fleet-sim-keep", metavar="DIR", help=keep)
    group.addoption("--fleet-sim-seeds", metavar="N", type=int, help=seeds)
    parser.addini("fleet_sim_keep", keep)
    parser.addini("fleet_sim_seeds", seeds)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot be before anything runs."""
    _seed_count(config)


def _seed_count(config: pytest.Config) -> int:
    said = config.getoption("fleet_sim_seeds")
    text = str(said if said is not None else config.getini("fleet_sim_seeds") or 1)
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(f"fleet_sim_seeds is {text!r}; it must be a whole number from 1")
    return int(text)


# -- one run -----------------------------------------------------------------------------------------------------------


class NotRun(Exception):
    """A run could not begin; the text says what to mend."""


class NotAsExpected(Exception):
    """A run is not as it should be; the text is the whole story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A run as a test asks for it; *seed_offset* is added to the scenario's own seed where no other is given."""

    scenario: str
    seed: int | None = None
    seed_offset: int = 0
    hours: float | None = None
    trucks: int | None = None
    settings: tuple[str, ...] = ()
    faults: tuple[Any, ...] | None = None
    expect: Mapping[str, Any] | None = None
    wire: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One run of a test: the line that repeats it, its folder, and its report once it is over."""

    replay: str
    folder: Path
    roster: Roster
    report: Report | None = None
    noted: bool = False

    def keep(self) -> None:
        """Complete the folder: the report and its page beside the recording."""
        from sim_harness.report_files import REPORT, write_report  # noqa: PLC0415 - drawing is slow to import

        if self.report is not None and not (self.folder / REPORT).exists():
            write_report(self.folder, self.report, self.roster)

    def forget(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def story(self) -> str:
        """What went wrong, in a few lines for a person."""
        report = self.report
        assert report is not None, "a story is told of runs that are over"
        margin = "none" if report.authority_margin_m_min is None else f"{report.authority_margin_m_min:.2f} m"
        trucks = "1 truck" if len(report.trucks) == 1 else f"{len(report.trucks)} trucks"
        first, *others = report.failures
        lines = [f"{report.scenario}, seed {report.seed}: {first}", *(f"  {failure}" for failure in others)]
        lines.append(
            f"  ({report.sim_seconds / 3600.0:.2g} h simulated, {trucks}, {report.round_trips} round trips, "
            f"{report.overlaps} overlaps, {report.overruns} overruns, least authority margin {margin})"
        )
        return "\n".join([*lines, self.where()])

    def where(self) -> str:
        """How to see it again."""
        return f"replay: {self.replay}\nkept in {self.folder}" + (" (open report.html)" if self.report is not None else "")

    def properties(self) -> Iterator[tuple[str, object]]:
        """What a test report says of it."""
        for name in PROPERTIES if self.report is not None else ():
            value = getattr(self.report, name)
            if value is not None:
                yield name, value


class Runs:
    """The runs of one test: made here, judged here, and kept or forgotten when the test is over."""

    def __init__(self, item: pytest.Item, keep_dir: Path) -> None:
        self._item = item
        self._keep_dir = keep_dir
        self._count = 0
        self.recent: list[Run] = []
        self._missed: Run | None = None
        self.told = False

    def make(self, asked: Asked) -> Run:
        """
        Run what is *asked*.

        Raises:
            NotRun: it cannot be run as asked.
        """
        try:
            return self._make(asked)
        except ModuleNotFoundError as missing:
            raise NotRun(f"the simulator needs {missing.name}: pip install 'khulan[sim]'") from missing

    def _make(self, asked: Asked) -> Run:
        from fleet.site import SiteError  # noqa: PLC0415 - as the module says
        from sim_harness.scenario import SETTINGS, load_scenario, read_spec  # noqa: PLC0415

        settings = [*asked.settings, *_said(asked)]
        try:
            seed = asked.seed if not asked.seed_offset else read_spec(asked.scenario, settings).seed + asked.seed_offset
            return self._run(load_scenario(asked.scenario, settings, seed=seed, hours=asked.hours, trucks=asked.trucks), wire=asked.wire)
        except SiteError as error:
            self.told = True
            # What the test itself said stands on no line of a file.
            said = "; ".join(part for part in (error.problem, error.advice) if part)
            raise NotRun(said if error.file == SETTINGS else str(error)) from error

    def _run(self, scenario: Scenario, *, wire: bool) -> Run:
        from sim_harness.day import Wish, run_day  # noqa: PLC0415 - as the module says

        run = Run(replay=scenario.replay, folder=self._folder(scenario.seed), roster=scenario.roster)
        self.recent.append(run)
        while len(self.recent) > RECENT_MAX:
            self.recent.pop(0).forget()
        run.report = run_day(scenario, Wish(out=run.folder, wire=wire, pages=False), lambda _: None)
        run.replay = run.report.replay
        return run

    def judge(self, run: Run) -> Report:
        """
        The report of a run that is as it should be.

        Raises:
            NotAsExpected: it is not.
        """
        from sim_harness.expectations import as_expected  # noqa: PLC0415 - as the module says

        assert run.report is not None
        if as_expected(run.report):
            return run.report
        self._missed = run
        self.told = True
        raise NotAsExpected(run.story())

    def end(self, *, failed: bool) -> None:
        """Keep the run that made a test fail, or all recent ones of a test that *failed* by itself; forget the others."""
        for run in self.recent:
            if failed and self._missed in {None, run}:
                run.keep()
            else:
                run.forget()

    def properties(self) -> Iterator[tuple[str, object]]:
        """What the test's report is to say of its runs since last asked; names are numbered from the second run on."""
        for number, run in enumerate(self.recent, self._count - len(self.recent) + 1):
            if run.noted:
                continue
            run.noted = True
            for name, value in run.properties():
                yield (name if number == 1 else f"run_{number}.{name}"), value

    def _folder(self, seed: int) -> Path:
        """An empty place for one run's files, named for the test."""
        self._count += 1
        test = self._item.nodeid
        name = re.sub(r"[^\w.]+", "-", test).strip("-")
        if len(name) > NAME_MAX:
            name = f"{name[:NAME_MAX]}-{zlib.crc32(test.encode()):08x}"
        folder = self._keep_dir / f"{name}-seed-{seed}{f'-run-{self._count}' if self._count > 1 else ''}"
        shutil.rmtree(folder, ignore_errors=True)
        return folder


def _said(asked: Asked) -> Iterator[str]:
    """Faults and expectations of *asked* as settings; they take the place of the scenario's own."""
    from sim_harness.replay_line import flow  # noqa: PLC0415 - as the module says

    if asked.faults is not None:
        yield f"scheduled_faults={flow([fault.stated() if hasattr(fault, 'stated') else fault for fault in asked.faults])}"
    if asked.expect is not None:
        yield f"expect={flow(asked.expect)}"


# -- the test under way ------------------------------------------------------------------------------------------------

UNDER_WAY: Final = pytest.StashKey[pytest.Item]()
RUNS: Final = pytest.StashKey[Runs]()
FAILED: Final = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Begin a test: it has no runs so far, whatever an earlier attempt had."""
    item.config.stash[UNDER_WAY] = item
    item.stash[FAILED] = False
    if RUNS in item.stash:
        del item.stash[RUNS]


def _runs_of(item: pytest.Item) -> Runs:
    """The runs of the test *item*."""
    if RUNS in item.stash:
        return item.stash[RUNS]
    config = item.config
    said = config.getoption("fleet_sim_keep") or config.getini("fleet_sim_keep")
    if said:
        keep_dir = config.invocation_params.dir / said
    else:
        factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]  # noqa: SLF001 - items have no fixtures
        keep_dir = factory.getbasetemp() / "fleet-sim"
    item.stash[RUNS] = Runs(item, keep_dir)
    return item.stash[RUNS]


# The older kind of wrapper: a project's pytest may be older than ours.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Put the figures of a test's runs into its report; and how to see them again where it failed for a reason of its own."""
    runs = item.stash.get(RUNS, None)
    if runs is not None:
        item.user_properties.extend(runs.properties())
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    item.stash[FAILED] = True
    if runs is not None and runs.recent and not runs.told:
        runs.told = True
        report.sections.append(("simulated runs of this test", "\n".join(run.where() for run in runs.recent)))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """End a test: what it ran stays where it failed."""
    if RUNS in item.stash:
        item.stash[RUNS].end(failed=item.stash[FAILED])


def _near(scenario: str, folder: Path, start: Path) -> str:
    """A scenario's name, or its file as seen from *start*: one that stands in *folder* is meant before one that stands in *start*."""
    if not scenario.endswith((".yaml", ".yml")):
        return scenario
    found = folder / scenario if (folder / scenario).is_file() else start / scenario
    seen = os.path.relpath(found, start)
    return str(found) if seen.startswith("..") else seen


# -- the fixture -------------------------------------------------------------------------------------------------------


class FleetSim:
    """Runs scenarios for whichever test is under way; see `__call__`."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __call__(
        self,
        scenario: str | os.PathLike[str],
        *,
        seed: int | None = None,
        hours: float | None = None,
        trucks: int | None = None,
        settings: Sequence[str] = (),
        faults: Sequence[Any] | None = None,
        expect: Mapping[str, Any] | None = None,
        wire: bool = False,
    ) -> Report:
        """
        Run *scenario*, a name or a YAML file beside the test, and return its report; fail the test if it is not as it should be.

        *settings* are KEY=VALUE as for `fleet sim run --set`; *faults* and *expect* take the place of the scenario's own.
        """
        __tracebackhide__ = True
        item = self._config.stash[UNDER_WAY]
        asked = Asked(
            scenario=_near(os.fspath(scenario), item.path.parent, self._config.invocation_params.dir),
            seed=seed,
            hours=hours,
            trucks=trucks,
            settings=tuple(settings),
            faults=None if faults is None else tuple(faults),
            expect=expect,
            wire=wire,
        )
        runs = _runs_of(item)
        try:
            return runs.judge(runs.make(asked))
        except (NotRun, NotAsExpected) as failure:
            text = str(failure)
        pytest.fail(text, pytrace=False)


# Of the session, so that a module's fixture may run what several tests look at, and an example search may use it.
@pytest.fixture(scope="session")
def fleet_sim(pytestconfig: pytest.Config) -> FleetSim:
    """Run simulated fleets: `fleet_sim("mandula", hours=0.2, seed=3, expect={"round_trips": ">= 2"})` returns the report."""
    return FleetSim(pytestconfig)


# -- scenario files ----------------------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Take `*.scenario.yaml` files for tests."""
    if not file_path.name.endswith(SUFFIXES):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """A scenario that is a test: it passes when its run is as it expects."""

    def collect(self) -> Iterator[ScenarioItem]:
        """One item a seed; the file is not read before it runs."""
        for offset in range(_seed_count(self.config)):
            yield ScenarioItem.from_parent(self, name=f"seed+{offset}" if offset else "seed", seed_offset=offset)


class ScenarioItem(pytest.Item):
    """One run of a scenario file."""

    def __init__(self, *, seed_offset: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._seed_offset = seed_offset

    def runtest(self) -> None:
        """Run it."""
        start = self.config.invocation_params.dir
        runs = _runs_of(self)
        run = runs.make(Asked(scenario=_near(str(self.path), self.path.parent, start), seed_offset=self._seed_offset))
        runs.judge(run)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What went wrong in words; a traceback only where we did not foresee it."""
        if isinstance(excinfo.value, NotRun | NotAsExpected):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands, for the summary."""
        return self.path, 0, f"{self.path.name} [{self.name}]"
