"""
Every state that two trucks and two servers can reach: with all rules no harm, without any one rule the shortest way to it.

Nothing here is sampled: where a test says *no state*, the search ended because there was none left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sim_harness.model import servers, trucks
from sim_harness.model.argument import (
    allowed_count,
    both_granted,
    both_hold,
    both_inside,
    explore_design,
    journal_misses,
    moves,
    story_of,
)
from sim_harness.model.design import Bounds, Design
from sim_harness.model.explore import Explored, explore
from sim_harness.model.state import WELCOME, State, renamed

pytestmark = pytest.mark.xdist_group("model")

DESIGN = Design()
ROUND_TRIPS = Bounds()
THREE_WORDS = Bounds(passes=1, sequences=3)
FOUR_EPOCHS = Bounds(passes=1, epochs=4, sequences=1)
RESTARTS = Bounds(passes=1, restarts=True)
FEW = Bounds(passes=1, sequences=1)

# Without the rule on the left, this is the first step of the shortest way to harm that the whole design would not have taken.
BENT = (
    ("handshake", ROUND_TRIPS, "server 2 hears the report of truck A from when it had made 0 passes"),
    ("acknowledged_shortening", ROUND_TRIPS, "server 1 decides to give truck B pass 1 by grant (1, 1)"),
    ("answer_before_grant", THREE_WORDS, "server 1 decides to give truck A pass 1 by grant (1, 3)"),
    ("journal_before_send", ROUND_TRIPS, "truck A takes grant (1, 1): its end is pass 1"),
    ("journal_recovery", ROUND_TRIPS, "server 2 decides to give truck B pass 1 by grant (2, 1)"),
    ("fenced_append", ROUND_TRIPS, "server 1 makes durable what it decided about truck A"),
    ("fence_before_read", ROUND_TRIPS, "a server reads the journal before it takes charge"),
    ("sequence_check", ROUND_TRIPS, "truck A takes grant (1, 1): its end is pass 1"),
    ("durable_terms", RESTARTS, "truck A takes grant (1, 1): its end is pass 1"),
    ("fresh_hello", ROUND_TRIPS, "server 2 hears the hello of truck A from when it had made 0 passes, and welcomes it"),
)


@pytest.fixture(
    scope="module",
    params=[ROUND_TRIPS, THREE_WORDS, FOUR_EPOCHS, RESTARTS],
    ids=["round_trips", "three_words", "four_epochs", "restarts"],
)
def explored(request: pytest.FixtureRequest) -> Explored[State]:
    """Every state of the design. Each bound is widened in turn; all at once there are more states than a test has time for."""
    return explore_design(DESIGN, request.param)


def test_no_two_trucks_ever_hold_the_zone(explored: Explored[State]) -> None:
    """Exclusivity, whatever the wire does and whenever servers are killed, paused or overtaken."""
    assert explored.found is None
    assert not any(map(both_hold, explored))
    assert len(explored) > 40_000


def test_the_journal_knows_every_end_that_may_be_held(explored: Explored[State]) -> None:
    """So whoever reads it after a crash knows who could hold what: on board, or on its way there."""
    assert not any(map(journal_misses, explored))


def test_no_ledger_ever_gives_the_zone_twice(explored: Explored[State]) -> None:
    """The judge would object, and a judge that objects in a sound design stops the fleet for nothing."""
    assert not any(map(both_granted, explored))


def test_no_truck_ever_knows_more_than_the_journal(explored: Explored[State]) -> None:
    """A hello that does stops everything until a person has looked: that alarm must mean a lost journal and nothing else."""
    assert not any(state.journal.behind for state in explored)


def test_both_trucks_get_through(explored: Explored[State]) -> None:
    """A design in which nothing moves breaks no rule, and proves nothing."""
    farthest = max(truck.place for state in explored for truck in state.trucks)

    assert farthest in {2, 4}
    assert any(all(truck.place == farthest for truck in state.trucks) for state in explored)


def test_everything_the_model_can_do_is_done() -> None:
    """A step that never happens is a fault that was never tried; the rest need a rule to be missing."""
    within = Bounds(passes=1, sequences=1, restarts=True)
    can_happen = {
        sentence
        for module in (servers, trucks)
        for name, value in vars(module).items()
        if re.fullmatch("_[A-Z_]+", name)
        for sentence in ([value] if isinstance(value, str) else value)
    }

    done = {step.sentence for state in explore_design(DESIGN, within, reduced=False) for step, _ in moves(DESIGN, within, state)}

    assert can_happen - done == {servers._READS, servers._ACQUIRES, servers._OLD_HELLO, servers._BEHIND}


@pytest.mark.parametrize(("rule", "within", "bent"), BENT, ids=[rule for rule, _, _ in BENT])
def test_without_one_rule_both_trucks_hold_the_zone(rule: str, within: Bounds, bent: str) -> None:
    """
    Each rule carries weight, and it is that rule alone: within the same bounds the design has no such state.

    The story is the model's own, step by step; where the design would not follow it is where the rule was missing.
    """
    mutilated = DESIGN.without(rule)

    explored = explore_design(mutilated, within)

    assert explored.found is not None
    story = story_of(mutilated, within, explored, explored.found)
    assert allowed_count(mutilated, within, story) == len(story) == explored.depth
    assert str(story[allowed_count(DESIGN, within, story)]) == bent


@pytest.mark.parametrize("rule", ["acknowledged_shortening", "journal_before_send", "sequence_check"])
def test_who_holds_the_zone_drives_into_it(rule: str) -> None:
    """The harm is not one of books: both bodies are in the zone two steps later."""
    mutilated = DESIGN.without(rule)

    held, met = (explore_design(mutilated, Bounds(passes=1), must_not) for must_not in (both_hold, both_inside))

    assert met.found is not None
    assert met.depth == held.depth + 2


def test_a_story_reads_as_what_happened() -> None:
    """Whoever breaks a rule reads how it hurts, in the fewest steps: here, a truck that takes words out of order."""
    forgetful = DESIGN.without("sequence_check")
    explored = explore_design(forgetful, ROUND_TRIPS)
    assert explored.found is not None

    story = [str(step) for step in story_of(forgetful, ROUND_TRIPS, explored, explored.found)]

    assert story == [
        "server 1 takes charge of the journal and reads it",
        "server 1 hears the hello of truck A and welcomes it",
        "truck A takes the welcome of epoch 1",
        "server 1 hears the hello of truck B and welcomes it",
        "truck B takes the welcome of epoch 1",
        "server 1 decides to give truck A pass 1 by grant (1, 1)",
        "server 1 makes durable what it decided about truck A",
        "server 1 decides to ask truck A back to pass 0 by shortening (1, 2)",
        "server 1 makes durable what it decided about truck A",
        "truck A takes shortening (1, 2) to pass 0: its end is pass 0",
        "truck A takes grant (1, 1): its end is pass 1",
        "server 1 hears truck A answer shortening (1, 2): its end is pass 0",
        "server 1 decides to give truck B pass 1 by grant (1, 1)",
        "server 1 makes durable what it decided about truck B",
        "truck B takes grant (1, 1): its end is pass 1",
    ]


def test_agreeing_to_an_epoch_is_a_second_net() -> None:
    """
    Terms alone keep the words of two servers in order: a truck that took any later epoch from any server would still do no harm.

    The product keeps the rule, but exclusivity does not hang on it.
    """
    explored = explore_design(DESIGN.without("agreed_epoch"), Bounds(passes=1))

    assert explored.found is None
    assert len(explored) > 20_000


def test_what_is_left_out_of_a_search_is_nowhere_else_to_be_found() -> None:
    """Forgetting deposed servers and names must not lose a state of trucks, journal or words."""
    short, long = explore_design(DESIGN, FEW), explore_design(DESIGN, FEW, reduced=False)

    assert long.found is None
    assert len(long) > 5 * len(short)
    assert {told(state) for state in short} | {told(renamed(state)) for state in short} == {told(state) for state in long}


def told(state: State) -> object:
    """What a search may not lose: where trucks are and what they hold, what is durable, and what they may still be told."""
    return state.trucks, state.journal, tuple(word for word in state.words if word.kind != WELCOME)


@pytest.mark.parametrize(("aim", "depth"), [(0, 0), (1, 1), (97, 9), (100, 9), (64, 7), (101, None)])
def test_the_nearest_planted_fault_is_found_in_the_fewest_steps(aim: int, depth: int | None) -> None:
    """Numbers up to 100 by doubling and adding one: the way is as long as the number's bits and ones say, and nothing is overlooked."""
    explored = explore(0, lambda n: [m for m in (2 * n, n + 1) if m <= 100], lambda n: n == aim)

    assert (explored.found is None) == (depth is None)
    if depth is None:
        assert sorted(explored) == list(range(101))
    else:
        assert (explored.depth, len(explored.way_to(aim))) == (depth, depth + 1)


def test_a_search_counts_every_state_and_every_step_once() -> None:
    """The figures a search boasts of are those of the graph: a grid of 30 by 20."""
    explored = explore(
        (0, 0), lambda at: [(x, y) for x, y in ((at[0] + 1, at[1]), (at[0], at[1] + 1)) if x < 30 and y < 20], lambda _: False
    )

    assert (len(explored), explored.step_count, explored.depth) == (30 * 20, 29 * 20 + 30 * 19, 29 + 19)


def test_two_searches_see_the_same_states_in_the_same_order() -> None:
    """No chance and no clock: a story told once can be told again."""
    first, second = (explore_design(DESIGN, FEW) for _ in range(2))

    assert list(first) == list(second)
    assert len(first) > 1_000


@pytest.mark.parametrize("fault", [both_hold, journal_misses, both_granted, both_inside])
def test_every_question_can_be_answered_with_yes(fault: Callable[[State], bool]) -> None:
    """A question that no state answers with yes would find no harm in any design."""
    assert explore_design(DESIGN.without("journal_recovery"), Bounds(passes=1), fault).found is not None


def test_every_rule_names_code_that_is_there() -> None:
    """The model speaks of the product: a rule whose keeper was renamed away is a rule nobody may be keeping."""
    source = "\n".join(path.read_text("utf-8") for path in (Path(__file__).parents[2] / "fleet").rglob("*.py") if "v1" not in path.parts)
    told_of = "\n".join(filter(None, [Design.__doc__, *(value.__doc__ for module in (servers, trucks) for value in vars(module).values())]))

    names = set(re.findall(r"`([A-Z][A-Za-z]+)(?:\.(\w+))?`", told_of))

    assert len(names) > 15
    assert [name for name, _ in names if f"class {name}" not in source] == []
    assert [method for _, method in names if method and f"def {method}(" not in source and f"self.{method}" not in source] == []
