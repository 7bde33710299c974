"""The bench on DISPLIB's problems: the rules are judged by hand-made events, the adapter by hand-known costs."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sim_harness.bench.cli import app
from sim_harness.bench.displib import family_of, marks_of, ratio, solve, solve_all, summaries
from sim_harness.bench.displib_files import ProblemFault, problems_in
from sim_harness.bench.displib_rules import faults


def operation(duration: int, resource: str | None, *successors: int, release: int = 0, **rest: int) -> dict[str, Any]:
    """One operation as a problem has it."""
    uses = [{"resource": resource, "release_time": release}] if resource else []
    return {"min_duration": duration, "resources": uses, "successors": list(successors), **rest}


def through(*resources: str, release: int = 0) -> list[dict[str, Any]]:
    """A train that takes the resources one after another, 5 each."""
    inside = [operation(5, each, k + 2, release=release) for k, each in enumerate(resources)]
    return [operation(0, None, 1), *inside, operation(0, None)]


def standing(*resources: str) -> list[dict[str, Any]]:
    """A train that stands in the first resource at time 0."""
    inside = [operation(5, each, k + 1) for k, each in enumerate(resources)]
    inside[0]["start_ub"] = 0
    return [*inside, operation(0, None)]


def problem(*trains: list[dict[str, Any]]) -> dict[str, Any]:
    """Trains that cost one for each unit of time at their ends."""
    return {
        "trains": list(trains),
        "objective": [
            {"type": "op_delay", "train": k, "operation": len(train) - 1, "threshold": 0, "coeff": 1} for k, train in enumerate(trains)
        ],
    }


def solution(cost: int, *events: tuple[int, int, int]) -> dict[str, Any]:
    """Events of (time, train, operation)."""
    return {"objective_value": cost, "events": [{"time": t, "train": k, "operation": o} for t, k, o in events]}


HEADWAY = problem(through("a", release=3), through("a", release=3))
GOOD = [(0, 0, 0), (0, 1, 0), (0, 0, 1), (5, 0, 2), (8, 1, 1), (13, 1, 2)]
FORK = problem([operation(0, None, 1, 2), operation(6, "a", 3), operation(4, "b", 3), operation(0, None)], through("b"))
FOLLOWING = problem(standing("a", "b"), standing("b", "c"))
SWAP = problem(standing("a", "b"), standing("b", "a"))


def test_a_good_solution_is_accepted() -> None:
    """Otherwise every other test here would pass for nothing."""
    assert faults(HEADWAY, solution(18, *GOOD)) == []


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([*GOOD[:4], (7, 1, 1), (12, 1, 2)], "before train 0's release at 8"),
        ([*GOOD[:3], (4, 0, 2), *GOOD[4:]], "before operation 1 has lasted"),
        ([*GOOD[:4], (8, 1, 2)], "does not follow operation 0"),
        (GOOD[:5], "train 1 does not reach its last operation"),
        ([*GOOD[:3], (4, 1, 1), *GOOD[3:4], (13, 1, 2)], "takes a, which train 0 has"),
        ([GOOD[0], *GOOD[2:]], "is not where the train begins"),
        ([*GOOD[:2], (6, 0, 1), (5, 0, 2), *GOOD[4:]], "time runs back"),
        ([*GOOD, (14, 2, 0)], "there is no operation 0 of train 2"),
    ],
)
def test_each_broken_rule_is_named(events: list[tuple[int, int, int]], said: str) -> None:
    """A judge that misses a rule flatters the planner."""
    assert any(said in each for each in faults(HEADWAY, solution(18, *events)))


def test_windows_and_the_stated_cost_are_judged() -> None:
    """The cost is counted from the events, whatever the solution says."""
    shut = problem([operation(0, None, 1, start_lb=2, start_ub=3), operation(0, None)])

    assert any("begins before 2" in each for each in faults(shut, solution(4, (1, 0, 0), (4, 0, 1))))
    assert any("begins after 3" in each for each in faults(shut, solution(4, (4, 0, 0), (4, 0, 1))))
    assert faults(shut, solution(3, (2, 0, 0), (4, 0, 1))) == ["costs 4, not 3"]


def test_a_swap_at_one_instant_is_no_solution_in_any_order() -> None:
    """Who is written first takes what the other still has; following at one instant is legal, when the one ahead is written first."""
    starts = [(0, 0, 0), (0, 1, 0)]
    ends = [(10, 0, 2), (10, 1, 2)]

    assert any("takes b" in each for each in faults(SWAP, solution(20, *starts, (5, 0, 1), (5, 1, 1), *ends)))
    assert any("takes a" in each for each in faults(SWAP, solution(20, *starts, (5, 1, 1), (5, 0, 1), *ends)))
    assert faults(FOLLOWING, solution(20, *starts, (5, 1, 1), (5, 0, 1), *ends)) == []


@pytest.mark.parametrize(("case", "cost"), [(HEADWAY, 18), (FORK, 11), (FOLLOWING, 20)])
def test_hand_made_problems_are_solved_at_their_known_cost(case: dict[str, Any], cost: int) -> None:
    """Headway 5 + 13; on the fork 6 + 5, each its own way, where sharing b would be 4 + 9; following 10 + 10."""
    solved = solve("tiny_1", case, cost, 0.05)

    assert solved.wrong == ()
    assert solved.costs[-1] == cost


def test_a_problem_without_a_solution_is_not_called_feasible() -> None:
    """What the planner strands must show up in the figures."""
    assert solve("tiny_1", SWAP, None, 0.05).as_json()["feasible"] is False


def test_where_nothing_is_the_best_known_cost_the_ratio_still_says_something() -> None:
    """Dividing by zero would hide a bad plan, or a good one."""
    assert ratio(0, 0) == 1.0
    assert ratio(4, 0) == 5.0
    assert ratio(4, 2) == 2.0


def test_families_and_marks() -> None:
    """A family is a name without its number; costs are noted at 1, 10 and 60 s as far as asked."""
    assert family_of("wab_small_12") == "wab_small"
    assert marks_of(10.0) == (1.0, 10.0)
    assert marks_of(0.5) == (0.5,)


def test_loose_files_and_the_archive_hold_the_same_problems(tmp_path: Path) -> None:
    """The archive is read where there are no loose files; the best values known are no problem."""
    loose, packed = tmp_path / "loose", tmp_path / "packed"
    loose.mkdir()
    packed.mkdir()
    (loose / "best_known.json").write_text(json.dumps({"tiny_1": {"best_known": 11}}))
    (loose / "tiny_1.json").write_text(json.dumps(FORK))
    text = json.dumps(FORK).encode()
    with tarfile.open(packed / "problems.tar.xz", "w:xz") as archive:
        member = tarfile.TarInfo("problems/tiny_1.json")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))

    assert list(problems_in(loose)) == list(problems_in(packed)) == [("tiny_1", FORK)]
    (solved,) = solve_all(loose, 0.05, 1)
    family, over_all = summaries([solved])
    assert solved.ratios == (solved.costs[0] / 11, 1.0)
    assert (family.family, over_all.family, over_all.feasible) == ("tiny", "all", 1)


def test_the_command_prints_families_and_fails_on_what_is_infeasible(tmp_path: Path) -> None:
    """Exit code 1 is the verdict bad; JSON has every problem."""
    (tmp_path / "tiny_1.json").write_text(json.dumps(HEADWAY))

    good = CliRunner().invoke(app, ["displib", str(tmp_path), "--seconds", "0.05", "--json"])
    (tmp_path / "tiny_2.json").write_text(json.dumps(SWAP))
    bad = CliRunner().invoke(app, ["displib", str(tmp_path), "--seconds", "0.05"])

    assert good.exit_code == 0
    assert json.loads(good.stdout)["problems"][0]["costs"] == [18, 18]
    assert bad.exit_code == 1
    assert "tiny_2" in bad.output


def test_the_command_says_where_it_looked_in_vain(tmp_path: Path) -> None:
    """Usage errors are 2, and name the directory or what is missing."""
    empty = CliRunner().invoke(app, ["displib", str(tmp_path)])
    without = CliRunner().invoke(app, ["displib"])

    assert empty.exit_code == without.exit_code == 2
    assert "holds no problems" in empty.output
    assert "DIR" in without.output


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("tiny_2.json", "{", "tiny_2.json is not JSON: Expecting property name"),
        ("tiny_2.json", "[]", "tiny_2.json: the whole: "),
        ("tiny_2.json", '{"trains": [], "objective": []}', "tiny_2.json: trains: "),
        ("tiny_2.json", '{"trains": [[{"successors": []}]]}', "tiny_2.json: objective: Field required"),
        ("tiny_2.json", '{"trains": [[{"min_duration": -1}]], "objective": []}', "trains.0.0.min_duration: "),
        ("tiny_2.json", '{"trains": [[{"min_duration": "5"}]], "objective": []}', "trains.0.0.min_duration: "),
        (
            "tiny_2.json",
            '{"trains": [[{"successors": [5]}]], "objective": []}',
            "tiny_2: truck 0: operation 0 leads to one that is not there",
        ),
        ("tiny_2.json", '{"trains": [[{}]], "objective": [{"type": "other", "train": 0, "operation": 0}]}', "objective.0.type: "),
        ("best_known.json", '{"tiny_1": "11.5"}', "best_known.json: tiny_1"),
    ],
)
def test_a_file_that_holds_no_problem_is_named_before_any_is_planned(tmp_path: Path, name: str, text: str, said: str) -> None:
    """With what is wrong and where; an hour of planning is not lost to the last of many files."""
    (tmp_path / "tiny_1.json").write_text(json.dumps(HEADWAY))
    (tmp_path / name).write_text(text)

    bad = CliRunner().invoke(app, ["displib", str(tmp_path), "--seconds", "0.05"])

    assert bad.exit_code == 2
    assert said in bad.output.replace("\n", "")
    with pytest.raises(ProblemFault):
        next(solve_all(tmp_path, 0.05, 1))


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    """Cut short on its way here, most likely."""
    (tmp_path / "problems.tar.xz").write_bytes(b"no archive")

    bad = CliRunner().invoke(app, ["displib", str(tmp_path)])

    assert bad.exit_code == 2
    assert "cannot be unpacked" in bad.output
