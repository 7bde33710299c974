"""Turns in a one-lane section: the table of decisions, and what every day of arrivals must keep to."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.sections import (
    FOLLOW_S,
    LOOK_MIN_S,
    NO_SHOW_S,
    NS_PER_S,
    PATIENCE_MIN_S,
    UNCONTESTED,
    Comer,
    Side,
    Turn,
    decide,
    patience_s,
    wait_max_s,
)

RUN_S = 30.0
OURS = Turn(side=0, entered=True)


def side(*arrive_s: float, first_row: int = 0, inside: int = 0, clear_s: float = 0.0, room: int = 100, run_s: float = RUN_S) -> Side:
    """A side with comers in rows from *first_row* on."""
    comers = tuple(Comer(row=first_row + k, arrive_s=each) for k, each in enumerate(arrive_s))
    return Side(comers=comers, inside_count=inside, clear_s=clear_s, room_count=room, run_s=run_s)


def contested(for_s: float, *, entered: bool = True) -> Turn:
    """Side 0's turn, contested for so long at time 1000 s."""
    return Turn(side=0, entered=entered, contested_ns=round((1000.0 - for_s) * NS_PER_S))


@pytest.mark.parametrize(
    ("turn", "ours", "theirs", "whose", "tokens"),
    [
        pytest.param(OURS, side(0.0, 5.0), side(), 0, (0, 1), id="nobody else comes"),
        pytest.param(OURS, side(0.0, 200.0), side(), 0, (0,), id="who is far has no token yet"),
        pytest.param(OURS, side(), side(0.0, first_row=7), 1, (7,), id="the other side alone comes"),
        pytest.param(OURS, side(), side(200.0, first_row=7), 0, (), id="nobody is near"),
        pytest.param(OURS, side(inside=2, clear_s=25.0), side(0.0, first_row=7), 1, (7,), id="turned while the last are inside"),
        pytest.param(OURS, side(0.0, 8.0), side(0.0, 0.0, first_row=7), 0, (0, 1), id="a queue goes on while others wait"),
        pytest.param(contested(PATIENCE_MIN_S), side(0.0), side(0.0, first_row=7), 1, (7,), id="patience is over"),
        pytest.param(contested(PATIENCE_MIN_S), side(0.0), side(), 0, (0,), id="nobody is left to be patient with"),
        pytest.param(contested(NO_SHOW_S, entered=False), side(0.0), side(0.0, first_row=7), 1, (7,), id="nobody entered"),
        pytest.param(OURS, side(19.0), side(*[0.0] * 9, first_row=7), 1, tuple(range(7, 16)), id="one is not waited for while many wait"),
        pytest.param(OURS, side(19.0), side(0.0, first_row=7), 0, (0,), id="one is waited for while one waits"),
        pytest.param(Turn(side=0), side(19.0), side(*[0.0] * 9, first_row=7), 0, (0,), id="the first of a turn is waited for"),
        pytest.param(OURS, side(0.0, 0.0, 0.0, room=2), side(), 0, (0, 1), id="no more than find room beyond"),
        pytest.param(OURS, side(0.0, room=0), side(0.0, first_row=7), 1, (7,), id="no room beyond, so the other side goes"),
        pytest.param(OURS, side(0.0), side(0.0, first_row=7, room=0), 0, (0,), id="the other side has no room"),
        pytest.param(contested(PATIENCE_MIN_S), side(0.0), side(0.0, first_row=7, room=0), 0, (0,), id="no room for those waited with"),
        pytest.param(OURS, side(inf, 3.0), side(0.0, first_row=7), 0, (1,), id="who cannot come is passed over"),
        pytest.param(OURS, side(inf), side(0.0, first_row=7), 1, (7,), id="nobody of ours can come"),
        pytest.param(OURS, side(0.0, room=0), side(0.0, first_row=7, room=0), 0, (), id="room on neither side"),
    ],
)
def test_who_may_go_next(turn: Turn, ours: Side, theirs: Side, whose: int, tokens: tuple[int, ...]) -> None:
    """The rules one by one."""
    verdict = decide(turn, (ours, theirs), 1000 * NS_PER_S)

    assert (verdict.turn.side, verdict.tokens) == (whose, tokens)


def test_sides_are_treated_alike() -> None:
    """Exchanging the sides exchanges the answer."""
    ours, theirs = side(0.0, 30.0, 31.0), side(2.0, 4.0, first_row=7)

    one = decide(Turn(side=0, entered=True), (ours, theirs), 0)
    other = decide(Turn(side=1, entered=True), (theirs, ours), 0)

    assert one.tokens == other.tokens
    assert one.turn.side == 1 - other.turn.side


def test_a_contest_begins_when_the_section_is_the_turns_own() -> None:
    """Clearing the other side's trucks out of a long section must not use up the patience of those who wait to enter."""
    clearing = decide(Turn(side=0), (side(0.0), side(0.0, first_row=7, inside=1, clear_s=9.0)), 5 * NS_PER_S)
    cleared = decide(clearing.turn, (side(0.0), side(0.0, first_row=7)), 14 * NS_PER_S)

    assert clearing.turn.contested_ns == UNCONTESTED
    assert cleared.turn.contested_ns == 14 * NS_PER_S


@dataclass
class Truck:
    """A truck of the model; times in seconds, inf for not yet."""

    side: int
    arrives_s: float
    stands_s: float = 0.0
    ahead_count: int = 0
    entered_s: float = inf
    out_s: float = inf


@dataclass
class Model:
    """
    One section, looked at once a second: trucks in their order, `FOLLOW_S` or more apart, out after their run and stand.

    Nobody overtakes; who holds a token enters as soon as the section holds nobody of the other side.
    """

    run_s: float
    follow_s: float
    trucks: list[Truck]
    down_s: tuple[float, float] = (inf, inf)  # no server: no tokens
    turn: Turn = field(default_factory=Turn)
    now_s: float = 0.0
    broken: list[str] = field(default_factory=list)

    def inside(self, which: int) -> list[Truck]:
        """Those in the section."""
        return [each for each in self.trucks if each.side == which and each.entered_s <= self.now_s < each.out_s]

    def before(self, which: int) -> list[Truck]:
        """Those that have not entered, in order."""
        left = [each for each in self.trucks if each.side == which and each.entered_s == inf]
        return sorted(left, key=lambda each: each.arrives_s)

    def look(self) -> tuple[int, ...]:
        """Tokens, as rows of *trucks*."""
        if self.down_s[0] <= self.now_s < self.down_s[1]:
            return ()
        sides = []
        for which in (0, 1):
            inside = self.inside(which)
            comers = [
                Comer(row=self.trucks.index(each), arrive_s=max(0.0, each.arrives_s - self.now_s))
                for each in self.before(which)
                if each.arrives_s < self.now_s + 300.0
            ]
            # What is estimated knows nothing of trucks that stand.
            clear_s = max((each.entered_s + self.run_s - self.now_s for each in inside), default=0.0)
            sides.append(Side(comers=tuple(comers), inside_count=len(inside), clear_s=clear_s, room_count=100, run_s=self.run_s))
        verdict = decide(self.turn, (sides[0], sides[1]), round(self.now_s * NS_PER_S))
        self.turn = verdict.turn
        return verdict.tokens

    def step(self) -> None:
        """One second."""
        tokens = self.look()
        for which in (0, 1):
            for each in self.before(which):
                last = max((other.entered_s for other in self.trucks if other.side == which and other.entered_s < inf), default=-inf)
                held = self.trucks.index(each) not in tokens or self.inside(1 - which) or self.now_s < last + self.follow_s
                if each.arrives_s > self.now_s or held:
                    break
                each.entered_s = self.now_s
                ahead = max((other.out_s for other in self.inside(which) if other is not each), default=0.0)
                each.out_s = max(self.now_s + self.run_s + each.stands_s, ahead + 1.0)
        if self.inside(0) and self.inside(1):
            self.broken.append(f"head-on at {self.now_s}")
        self.now_s += 1.0

    def run(self, hours: float = 10.0) -> None:
        """Until everybody is through, or far longer than that can take."""
        arrived: set[int] = set()
        while self.now_s < hours * 3600.0 and any(each.out_s > self.now_s for each in self.trucks):
            for row, each in enumerate(self.trucks):
                if row not in arrived and each.arrives_s <= self.now_s:
                    arrived.add(row)
                    each.ahead_count = sum(other.arrives_s <= each.arrives_s for other in self.before(each.side)) - 1
            self.step()


ARRIVALS = st.lists(st.tuples(st.integers(0, 1), st.floats(0.0, 900.0)), min_size=1, max_size=60)


def model_of(
    arrivals: list[tuple[int, float]], run_s: float, follow_s: float, stands: dict[int, float], down: tuple[float, float]
) -> Model:
    """A day of *arrivals* (side, seconds); *stands*: seconds that a truck stands still in the section, by its place in the list."""
    trucks = [Truck(side=which, arrives_s=at_s, stands_s=stands.get(row, 0.0)) for row, (which, at_s) in enumerate(arrivals)]
    return Model(run_s=run_s, follow_s=follow_s, trucks=trucks, down_s=down)


@settings(max_examples=50, deadline=None)
@given(
    arrivals=ARRIVALS,
    run_s=st.floats(10.0, 250.0),
    follow_s=st.floats(FOLLOW_S, 15.0),
    stands=st.dictionaries(st.integers(0, 59), st.floats(1.0, 900.0), max_size=2),
    down=st.tuples(st.floats(0.0, 900.0), st.floats(0.0, 300.0)),
)
def test_nobody_waits_beyond_the_bound(
    arrivals: list[tuple[int, float]], run_s: float, follow_s: float, stands: dict[int, float], down: tuple[float, float]
) -> None:
    """Whoever comes when, with trucks that stand in the section and a server that is away: no starvation, and never head on."""
    model = model_of(arrivals, run_s, follow_s, stands, (down[0], down[0] + down[1]))
    sides = (side(run_s=run_s), side(run_s=run_s))

    model.run()

    assert model.broken == []
    extra_s = sum(stands.values()) + down[1]
    for each in model.trucks:
        assert each.entered_s - each.arrives_s <= wait_max_s(sides, each.ahead_count, follow_s) + extra_s


def test_queues_at_both_ends_pass_in_batches() -> None:
    """Turning round for each truck would carry half as many: 20 a side need far less than 40 changes of direction."""
    model = model_of([(which, 0.0) for which in (0, 1) for _ in range(20)], RUN_S, FOLLOW_S, {}, (inf, inf))

    model.run()

    order = [each.side for each in sorted(model.trucks, key=lambda each: each.entered_s)]
    turns = 1 + sum(one != other for one, other in pairwise(order))
    assert turns <= 4
    assert max(each.out_s for each in model.trucks) < 40 * FOLLOW_S + turns * (RUN_S + 3.0)


def test_the_longer_queue_gets_the_longer_batch() -> None:
    """Thirty against three: the three go together, and the thirty lose one change of direction each way."""
    model = model_of([(0, 0.0)] * 30 + [(1, 30.0)] * 3, RUN_S, FOLLOW_S, {}, (inf, inf))

    model.run()

    few = sorted(each.entered_s for each in model.trucks[30:])
    assert few[-1] - few[0] == 2 * FOLLOW_S
    assert few[0] - 30.0 <= patience_s((side(), side())) + RUN_S + LOOK_MIN_S
    assert max(each.out_s for each in model.trucks) < 33 * FOLLOW_S + 3 * (RUN_S + 3.0)


def test_an_endless_stream_on_one_side_does_not_starve_the_other() -> None:
    """An hour of trucks, one behind the other, against one that comes in the middle of it."""
    stream = [(0, FOLLOW_S * k) for k in range(400)]
    model = model_of([*stream, (1, 600.0)], RUN_S, FOLLOW_S, {}, (inf, inf))

    model.run()

    assert model.trucks[-1].entered_s - 600.0 <= PATIENCE_MIN_S + RUN_S + 2.0


def test_a_restart_begins_no_patience_anew() -> None:
    """A server that dies every minute must not starve a side: it goes on with the turn of its journal."""
    stream = [(0, FOLLOW_S * k) for k in range(400)]
    model = model_of([*stream, (1, 600.0)], RUN_S, FOLLOW_S, {}, (inf, inf))

    while model.trucks[-1].entered_s == inf and model.now_s < 3600.0:
        # Everything but the turn is forgotten: nothing but the turn is kept.
        model = Model(run_s=RUN_S, follow_s=FOLLOW_S, trucks=model.trucks, turn=model.turn, now_s=model.now_s)
        for _ in range(60):
            model.step()

    assert model.trucks[-1].entered_s - 600.0 <= PATIENCE_MIN_S + RUN_S + 2.0


@dataclass
class Passers:
    """
    Two sections with a passing place between them that holds *room* trucks of each direction; beyond either end there is room.

    A truck's *stage* counts what it has entered of: first section, passing place, second section, out.
    """

    room: int
    run_s: tuple[float, float]
    comes_s: list[list[float]]  # by side, ascending
    stage: list[list[int]] = field(init=False)
    since_s: list[list[float]] = field(init=False)
    turns: list[Turn] = field(default_factory=lambda: [Turn(), Turn()])
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self.stage = [[0] * len(each) for each in self.comes_s]
        self.since_s = [list(each) for each in self.comes_s]

    def _section(self, which: int, stage: int) -> int:
        """The section that trucks of a side pass at a stage: side 1 meets them the other way round."""
        first = stage == 1
        return which if first else 1 - which

    def _rows(self, which: int, stage: int) -> list[int]:
        return [row for row, at in enumerate(self.stage[which]) if at == stage]

    def _side(self, section: int, which: int) -> Side:
        stage = 1 if self._section(which, 1) == section else 3
        waiting = [row for row in self._rows(which, stage - 1) if self.comes_s[which][row] <= self.now_s + 100.0]
        inside, run_s = self._rows(which, stage), self.run_s[section]
        room = self.room - len(self._rows(which, 1)) - len(self._rows(which, 2)) if stage == 1 else 1_000
        comers = tuple(Comer(row=row, arrive_s=max(0.0, self.since_s[which][row] - self.now_s)) for row in waiting)
        clear_s = max((self.since_s[which][row] + run_s - self.now_s for row in inside), default=0.0)
        return Side(comers=comers, inside_count=len(inside), clear_s=clear_s, room_count=room, run_s=run_s)

    def step(self) -> None:
        """One second."""
        for section in (0, 1):
            sides = self._side(section, 0), self._side(section, 1)
            verdict = decide(self.turns[section], sides, round(self.now_s * NS_PER_S))
            self.turns[section], which = verdict.turn, verdict.turn.side
            entering = [row for row in verdict.tokens if self.since_s[which][row] <= self.now_s]
            if entering and not sides[1 - which].inside_count:
                self._move(which, entering[0])
        for which in (0, 1):
            for stage in (1, 3):
                for row in self._rows(which, stage):
                    if self.now_s - self.since_s[which][row] >= self.run_s[self._section(which, stage)]:
                        self._move(which, row)
            assert len(self._rows(which, 2)) <= self.room
        self.now_s += 1.0

    def _move(self, which: int, row: int) -> None:
        self.stage[which][row] += 1
        self.since_s[which][row] = self.now_s


@settings(max_examples=30, deadline=None)
@given(
    room=st.integers(1, 4),
    runs=st.tuples(st.floats(10.0, 100.0), st.floats(10.0, 100.0)),
    comes=st.tuples(*[st.lists(st.floats(0.0, 400.0), max_size=25)] * 2),
)
def test_sections_in_a_row_never_wait_for_each_other(room: int, runs: tuple[float, float], comes: tuple[list[float], list[float]]) -> None:
    """Trucks fill the passing place from both ends: none is let in that could not stand there, so all of them get through."""
    road = Passers(room=room, run_s=runs, comes_s=[sorted(each) for each in comes])

    for _ in range(20_000):
        if all(at == 4 for each in road.stage for at in each):
            break
        road.step()

    assert all(at == 4 for each in road.stage for at in each)
