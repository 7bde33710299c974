"""The pytest plugin, in sessions of its own: what a test engineer sees, and what stays behind."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.site.source import parse
from sim_harness.replay_line import flow, replay_line
from sim_harness.report import Report

pytestmark = [pytest.mark.xdist_group("pytest-plugin"), pytest.mark.timeout(400)]  # one process holds the session that most tests look at

HOUSE = Path(__file__).resolve().parent.parent.parent
TIME_LIMIT_S = 240

TESTS = """
import pytest
from hypothesis import given, settings

from sim_harness.strategies import SEARCH, scenarios

FAULT = {"fault": "link", "at_s": 5.5, "for_s": 3, "truck": "t001", "shape": "off"}
FAULT = {**FAULT, "shape": "loss", "value": 0.5}
SHORT = {"hours": 0.02, "trucks": 2, "settings": ["plant.inspect_share=0.1"]}


def test_passes(fleet_sim):
    report = fleet_sim("mandula", **SHORT, seed=3, faults=[FAULT], expect={"overlaps": 0, "authority_margin_m_min": "> 0"})
    assert report.seed == 3


def test_misses(fleet_sim):
    fleet_sim("mandula", **SHORT, seed=3, faults=[FAULT], expect={"round_trips": ">= 20", "ttc_s_min": "> 1"})


def test_fails_later(fleet_sim):
    first = fleet_sim("mandula", **SHORT)
    second = fleet_sim("beside.yaml", hours=0.01)
    assert first.trace_hash == second.trace_hash


def test_runs_many_and_fails(fleet_sim):
    for seed in range(6):
        fleet_sim("mandula", hours=0.003, trucks=1, seed=seed)
    assert not "enough"


def test_must_fail(fleet_sim):
    fleet_sim("mandula", **SHORT, expect={"verdict": "fail"})


def test_mistakes_the_wire(fleet_sim):
    fleet_sim("mandula", hours=0.01, faults=[{"fault": "second_server", "at_s": 5}], wire=True)


def test_mistakes_a_scenario(fleet_sim):
    fleet_sim("mandla")


def test_mistakes_a_fault(fleet_sim):
    fleet_sim("mandula", faults=[{**FAULT, "fault": "lnik"}])


def test_mistakes_a_truck(fleet_sim):
    fleet_sim("mandula", faults=[{**FAULT, "truck": "t099"}])


def test_mistakes_a_figure(fleet_sim):
    fleet_sim("mandula", expect={"overlap": 0})


@pytest.fixture(scope="module")
def shared(fleet_sim):
    return fleet_sim("mandula", hours=0.01, trucks=1)


def test_shares_a_run(shared):
    assert shared.round_trips == 0


@settings(SEARCH, max_examples=2, derandomize=True, database=None)
@given(day=scenarios("mandula", trucks=(1, 2), hours=0.01, faults=1))
def test_searches(fleet_sim, day):
    fleet_sim(**day)


@settings(SEARCH, max_examples=2, derandomize=True, database=None)
@given(day=scenarios("mandula", trucks=(1, 2), hours=0.01, faults=1))
def test_finds(fleet_sim, day):
    fleet_sim(**day, expect={"round_trips": ">= 20"})
"""
SCENARIO = "scenario: {name}\nsite: mandula\ntrucks: 2\nhours: 0.02\nseed: 7\nexpect:\n  overlaps: 0\n  {expect}\n"


def environment(probe: Path) -> dict[str, str]:
    """An environment in which the plugin is installed as pyproject.toml says, whatever else is."""
    points = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]["pytest11"]
    folder = probe / "fleet_sim_probe-0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: fleet-sim-probe\nVersion: 0\n", encoding="utf-8")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (folder / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]), encoding="utf-8")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(probe), str(HOUSE)]), "COLUMNS": "200"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A finished session of pytest: what it said, and its XML report."""

    folder: Path
    said: str
    code: int

    def case(self, name: str) -> ET.Element:
        """The test called *name* in the XML report."""
        tree = ET.parse(self.folder / "junit.xml")  # noqa: S314 - written by our own session
        return next(case for case in tree.iter("testcase") if case.get("name") == name)

    def properties(self, name: str) -> dict[str, str]:
        """What the XML report says of the test called *name*."""
        return {str(entry.get("name")): str(entry.get("value")) for entry in self.case(name).iter("property")}

    def failure(self, name: str) -> str:
        """Why the test called *name* failed."""
        found = self.case(name).find("failure")
        assert found is not None
        return found.text or ""


def session(folder: Path, files: dict[str, str], *arguments: str) -> Session:
    """Run pytest in *folder* on *files*."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra", "--junitxml=junit.xml", "--basetemp=base", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder / "probe"), capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
    )
    return Session(folder=folder, said=done.stdout + done.stderr, code=done.returncode)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One session with everything in it, that several tests look at."""
    files = {
        "tests/test_it.py": TESTS,
        "tests/beside.yaml": SCENARIO.format(name="beside", expect="overruns: 0"),
        "good.scenario.yaml": SCENARIO.format(name="good", expect="overruns: 0"),
        "bad.scenario.yaml": SCENARIO.format(name="bad", expect="round_trips: '>= 20'"),
        "wrong.scenario.yaml": SCENARIO.format(name="wrong", expect="overlap: 0"),
    }
    return session(tmp_path_factory.mktemp("whole"), files, "--fleet-sim-keep=kept")


def replayed(folder: Path, text: str) -> Report:
    """The report of the run that the replay line in *text* makes, typed in *folder*."""
    (line,) = re.findall(r"^replay: (.*)$", text, re.MULTILINE)
    fleet, *arguments = shlex.split(line)
    assert fleet == "fleet"
    command = [sys.executable, "-m", "fleet.cli.main", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(HOUSE)}, capture_output=True, text=True, check=False)
    return Report.model_validate_json(done.stdout)


def test_each_outcome_is_what_it_should_be(whole: Session) -> None:
    """What passes passes, all else fails, and nothing is an error of the plugin's own."""
    assert re.search(r"12 failed, 4 passed", whole.said), whole.said
    assert "INTERNALERROR" not in whole.said


def test_a_missed_expectation_reads_in_a_few_lines(whole: Session) -> None:
    """What failed, the line that repeats it, where it is kept; and no traceback of ours."""
    kept = whole.folder / "kept" / "tests-test_it.py-test_misses-seed-3"

    line = (
        "replay: fleet sim run mandula --seed 3 --hours 0.02 --trucks 2 --set plant.inspect_share=0.1"
        " --set 'scheduled_faults=[{fault: link, at_s: 5.5, for_s: 3, truck: t001, shape: loss, value: 0.5}]'"
        """ --set 'expect={round_trips: ">= 20", ttc_s_min: "> 1"}'"""
    )

    first, second, figures, *rest = whole.failure("test_misses").splitlines()

    assert first == "mandula, seed 3: expected round_trips >= 20, got 0"
    assert second == "  expected ttc_s_min > 1, got null (nothing was measured)"
    assert figures.startswith("  (0.02 h simulated, 2 trucks, 0 round trips, 0 overlaps, 0 overruns, least authority margin ")
    assert rest == [line, f"kept in {kept} (open report.html)"]
    assert "FAILED tests/test_it.py::test_misses - Failed: mandula, seed 3: expected round_" in whole.said


@pytest.mark.parametrize(
    ("test", "folder"), [("test_misses", "tests-test_it.py-test_misses-seed-3"), ("seed", "bad.scenario.yaml-seed-seed-7")]
)
def test_the_replay_line_repeats_the_run_exactly(test: str, folder: str, whole: Session) -> None:
    """The same motion and decisions, and the same verdict for the same reasons."""
    kept = Report.model_validate_json((whole.folder / "kept" / folder / "report.json").read_text(encoding="utf-8"))
    text = whole.failure("test_misses") if test == "test_misses" else f"replay: {kept.replay}"

    again = replayed(whole.folder, text)

    assert again.trace_hash == kept.trace_hash
    assert again.failures == kept.failures
    assert again.model_copy(update={"wall_seconds": 0.0}) == kept.model_copy(update={"wall_seconds": 0.0})


def test_only_what_failed_is_kept(whole: Session) -> None:
    """Disks fill up with recordings of runs that nobody will look at; of many runs the newest few are enough."""
    kept = whole.folder / "kept"

    assert {path.name for path in kept.iterdir()} == {
        "tests-test_it.py-test_misses-seed-3",
        "tests-test_it.py-test_fails_later-seed-1",
        "tests-test_it.py-test_fails_later-seed-7-run-2",
        *(f"tests-test_it.py-test_runs_many_and_fails-seed-{seed}-run-{seed + 1}" for seed in (2, 3, 4, 5)),
        "tests-test_it.py-test_must_fail-seed-1",
        "bad.scenario.yaml-seed-seed-7",
        *(folder.name for folder in kept.glob("tests-test_it.py-test_finds-seed-1*")),
    }
    assert len(list(kept.glob("*test_finds*"))) == 1
    for folder in kept.iterdir():
        assert {path.name for path in folder.iterdir()} >= {"report.json", "report.html", "trajectory.parquet", "events.jsonl", "run.mcap"}


def test_a_test_that_fails_by_itself_names_its_runs(whole: Session) -> None:
    """The run was as expected; the test's own assertion was not, and its author needs the recording all the same."""
    section = whole.said[whole.said.index("simulated runs of this test") :]

    assert "assert first.trace_hash == second.trace_hash" in whole.failure("test_fails_later")
    assert "replay: fleet sim run mandula --seed 1 --hours 0.02 --trucks 2 --set plant.inspect_share=0.1\n" in section
    assert "replay: fleet sim run tests/beside.yaml --seed 7 --hours 0.01\n" in section


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("test_mistakes_a_scenario", "mandla:1: there is no scenario 'mandla'; did you mean 'mandula'? or give a .yaml file"),
        ("test_mistakes_a_fault", "scheduled_faults.0: there is no fault 'lnik'; did you mean 'link'?"),
        ("test_mistakes_the_wire", "mandula:1: second_server: happens to a server in memory only; leave out --wire, or these faults"),
        ("test_mistakes_a_figure", "expect.overlap: there is no figure 'overlap'; did you mean 'overlaps'?"),
        ("test_must_fail", "mandula, seed 1: expected verdict = fail, got pass"),
    ],
)
def test_a_mistake_in_a_test_is_one_sentence(test: str, said: str, whole: Session) -> None:
    """What was wrong and what was meant, without a traceback through us."""
    assert whole.failure(test).splitlines()[0] == said


def test_a_mistaken_scenario_file_is_named_with_its_line(whole: Session) -> None:
    """An editor jumps to `file:line`; a traceback through the reader helps nobody."""
    assert "\nwrong.scenario.yaml:8: expect.overlap: there is no figure 'overlap'; did you mean 'overlaps'?\n" in whole.said
    assert "sim_harness/scenario.py" not in whole.said


def test_a_truck_that_is_not_there_is_named(whole: Session) -> None:
    """A fault at a truck that does not take part would be a test of nothing."""
    assert "there is no truck 't099'" in whole.failure("test_mistakes_a_truck")


def test_an_example_search_ends_with_one_run_to_repeat(whole: Session) -> None:
    """Hypothesis calls the test again and again; the person wants the least example and its line."""
    first, _, line, kept = whole.failure("test_finds").splitlines()

    assert first == "mandula, seed 1: expected round_trips >= 20, got 0"
    assert line.startswith("replay: fleet sim run mandula --seed 1 --hours 0.01 --trucks 1 --set 'scheduled_faults=[]' --set ")
    assert "test_finds-seed-1-run-" in kept


def test_the_xml_report_has_the_figures(whole: Session) -> None:
    """Builds draw their trends from it; a test's second run has names of its own."""
    properties = whole.properties("test_passes")
    kept = json.loads(
        (whole.folder / "kept" / "tests-test_it.py-test_fails_later-seed-7-run-2" / "report.json").read_text(encoding="utf-8")
    )

    assert properties["scenario"] == "mandula"
    assert (properties["seed"], properties["verdict"], properties["round_trips"], properties["overlaps"]) == ("3", "pass", "0", "0")
    assert re.fullmatch("[0-9a-f]{32}", properties["trace_hash"])
    assert float(properties["authority_margin_m_min"]) > 0.0
    assert whole.properties("test_fails_later")["run_2.trace_hash"] == kept["trace_hash"]


def test_scenario_files_run_with_many_seeds_on_many_processes(tmp_path: Path) -> None:
    """Each seed is a test of its own, so that processes share them; what failed is kept in the session's own folder."""
    files = {
        "good.scenario.yaml": SCENARIO.format(name="good", expect="overruns: 0"),
        "bad.scenario.yml": SCENARIO.format(name="bad", expect="round_trips: '>= 20'"),
    }

    done = session(tmp_path, files, "-n", "2", "--fleet-sim-seeds=2")

    assert "2 failed, 2 passed" in done.said
    assert "replay: fleet sim run bad.scenario.yml --seed 7\n" in done.said
    assert "replay: fleet sim run bad.scenario.yml --seed 8\n" in done.said
    folders = {path.parent.name for path in tmp_path.glob("base/*/fleet-sim/*/report.html")}
    assert folders == {"bad.scenario.yml-seed-seed-7", "bad.scenario.yml-seed-1-seed-8"}
    assert {done.properties(name)["seed"] for name in ("seed", "seed+1")} == {"7", "8"}


def test_a_number_of_seeds_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """No seeds would be no tests, and a build that is green for nothing."""
    done = session(tmp_path, {"pytest.ini": "[pytest]\nfleet_sim_seeds = 0\n"})

    assert "ERROR: fleet_sim_seeds is '0'; it must be a whole number from 1" in done.said
    assert done.code == pytest.ExitCode.USAGE_ERROR


def test_without_the_simulator_it_says_what_to_install(tmp_path: Path) -> None:
    """The operator's SDK brings the plugin along, but not what the simulator needs."""
    files = {
        "conftest.py": "import sys\nsys.modules['pyarrow'] = None\n",
        "test_it.py": "def test_it(fleet_sim):\n    fleet_sim('mandula')\n",
    }

    done = session(tmp_path, files)

    assert done.failure("test_it").splitlines()[0] == "the simulator needs pyarrow: pip install 'khulan[sim]'"


def test_projects_that_simulate_nothing_pay_nothing() -> None:
    """Every project with khulan beside pytest loads the plugin, each time."""
    code = (
        "import sys, sim_harness.pytest_plugin; print(sorted({'numpy', 'numba', 'pydantic', 'grpc', 'scipy', 'fleet'} & set(sys.modules)))"
    )

    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert answer.stdout.strip() == "[]"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=8,
)


@given(value=VALUES)
def test_what_is_said_in_one_line_reads_back(value: object) -> None:
    """A replay line that says something a little different replays something else."""
    read = parse(f"value: {flow(value)}", "--set").tree["value"]

    assert read == value
    assert flow(read) == flow(value)


def test_a_replay_line_can_be_pasted_into_a_shell() -> None:
    """Spaces, quotes and signs of comparison must reach the command as they are."""
    settings = ["expect={round_trips: '>= 20'}", "plant.inspect_share=0.1"]

    line = replay_line("my day.yaml", settings, seed=3, hours=0.1)

    assert shlex.split(line) == [
        "fleet", "sim", "run", "my day.yaml", "--seed", "3", "--hours", "0.1", "--set", settings[0], "--set", settings[1],
    ]  # fmt: skip
