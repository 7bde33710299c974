"""The onboard supervisor, step by step and in closed loop with brakes that lag."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fleet.onboard.supervisor import (
    COMPILABLE,
    DRIVE,
    EMERGENCY_BRAKE,
    EMERGENCY_STOP,
    HOLD,
    NO_ACCELERATION,
    SERVICE_STOP,
    Build,
    Demand,
    Held,
    Memory,
    Road,
    Sensed,
    at_start,
    braking_friction,
    clear_stop_m,
    earliest_end_m,
    first_under,
    supervise,
    worst_grade,
)
from planner._jit import adopt, kernel

BUILD = Build(16.5, 6.944, 0.35, 1.5, 2.2, 0.5, 0.5, 0.3, 1.0, 0.6, 0.1)
FLAT = Road((2000.0,), (6.944,), (0.0,), (False,), 0, 1)
CLEARING_MPS = 10 / 3.6
BOUND_M = 0.5
FINE_S = 0.01


@dataclass(slots=True)
class Drive:
    """A point-like truck on *road*: full dead time and build-up on the brakes, the worst grade there is."""

    road: Road = FLAT
    nose_m: float = 30.0
    speed_mps: float = 0.0
    friction: float = 0.7
    end_m: float = 250.0
    acceleration_mps2: float = 0.0
    reaction: Callable[[float], int] = lambda _: 0
    memory: Memory = field(init=False)
    demands: list[Demand] = field(default_factory=list)
    margin_m: float = math.inf
    speed_seen: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory = at_start(self.nose_m)

    def run(self, seconds: float) -> Drive:
        """Drives on."""
        asked: deque[float] = deque([0.0] * 5)
        for _ in range(round(seconds / BUILD.step_s)):
            sensed = Sensed(self.nose_m, self.speed_mps, self.acceleration_mps2, BOUND_M, self.friction, 1.0, sound=True)
            held = Held(self.end_m, self.friction, 0.0, CLEARING_MPS, self.reaction(self.nose_m))
            demand, self.memory = supervise(BUILD, sensed, held, self.memory, self.road)
            self.demands.append(demand)
            asked.append(-BUILD.brake_service_mps2 if demand.mode == HOLD else demand.acceleration_mps2)
            self._move(min(0.0, asked.popleft()), demand)
            self.margin_m = min(self.margin_m, self.end_m - self.nose_m - BOUND_M)
            self.speed_seen[int(self.nose_m)] = max(self.speed_mps, self.speed_seen.get(int(self.nose_m), 0.0))
        return self

    def _move(self, brakes_mps2: float, demand: Demand) -> None:
        ramp = BUILD.brake_guaranteed_mps2 / BUILD.brake_build_up_s * FINE_S
        for _ in range(round(BUILD.step_s / FINE_S)):
            wanted = brakes_mps2 if brakes_mps2 < 0.0 else max(0.0, demand.acceleration_mps2)
            self.acceleration_mps2 += max(-ramp, min(ramp, wanted - self.acceleration_mps2))
            if self.speed_mps <= 0.0 and self.acceleration_mps2 < 0.0:
                self.acceleration_mps2 = 0.0
            self.speed_mps = max(0.0, self.speed_mps + self.acceleration_mps2 * FINE_S)
            self.nose_m += self.speed_mps * FINE_S

    @property
    def emergencies(self) -> int:
        """Steps of emergency braking."""
        return sum(demand.mode == EMERGENCY_BRAKE for demand in self.demands)


def test_a_truck_rests_two_metres_and_its_bound_before_the_end() -> None:
    """Gates and bays are laid out for trucks that rest at the mark, neither beyond it nor far short."""
    drive = Drive(end_m=250.0).run(80)

    assert drive.speed_mps == 0.0
    assert 2.0 <= drive.margin_m <= 2.5
    assert drive.emergencies == 0


def test_a_lower_limit_is_met_before_it_begins() -> None:
    """A limit protects what lies beyond its start; braking for it there is too late. Nor does the truck crawl up to it."""
    road = Road((100.0, 150.0, 2000.0), (6.944, 2.78, 6.944), (0.0,) * 3, (False,) * 3, 0, 3)

    drive = Drive(road=road, end_m=900.0).run(60)

    assert max(speed for at_m, speed in drive.speed_seen.items() if 100 <= at_m < 166) <= 2.79
    assert drive.speed_seen[95] > 2.9
    assert min(drive.speed_seen[at_m] for at_m in range(96, 160)) > 2.4
    assert drive.speed_seen[175] > 3.5


def test_a_limit_holds_until_the_tail_has_left() -> None:
    """The trailer is part of the truck."""
    road = Road((100.0, 2000.0), (2.78, 6.944), (0.0,) * 2, (False,) * 2, 0, 2)
    sensed = Sensed(116.0, 2.78, 0.0, BOUND_M, 0.7, 1.0, sound=True)

    still, _ = supervise(BUILD, sensed, Held(900.0, 0.7, 0.0, CLEARING_MPS, 0), at_start(116.0), road)
    left, _ = supervise(BUILD, sensed._replace(nose_m=117.1), Held(900.0, 0.7, 0.0, CLEARING_MPS, 0), at_start(117.1), road)

    assert still.speed_target_mps == 2.78
    assert left.speed_target_mps == 6.944


def test_normal_driving_never_needs_the_emergency_brake_on_ice_downhill() -> None:
    """Service braking is taken from what friction and grade leave, so the two curves do not meet on any road."""
    road = Road((2000.0,), (2.78,), (-0.02,), (False,), 0, 1)

    drive = Drive(road=road, end_m=150.0, friction=0.12).run(80)

    assert drive.emergencies == 0
    assert drive.margin_m >= 2.0
    assert drive.speed_mps == 0.0


def test_without_contact_the_truck_stops_at_once_on_plain_road() -> None:
    """Nothing is gained by rolling on blind."""
    drive = Drive(end_m=900.0, reaction=lambda nose_m: SERVICE_STOP if nose_m > 90.0 else 0).run(60)

    assert drive.speed_mps == 0.0
    assert drive.nose_m < 90.0 + 25.0
    assert drive.emergencies == 0


def test_without_contact_the_truck_clears_a_no_stop_stretch_first() -> None:
    """A server's death must never strand a truck inside a gate or a crossing, nor let it hurry through."""
    road = Road((100.0, 150.0, 2000.0), (6.944,) * 3, (0.0,) * 3, (False, True, False), 0, 3)

    drive = Drive(road=road, end_m=190.0, reaction=lambda nose_m: SERVICE_STOP if nose_m > 90.0 else 0).run(60)

    assert drive.speed_mps == 0.0
    assert drive.nose_m - BUILD.length_m - BOUND_M - BUILD.roll_back_m >= 150.0
    assert drive.nose_m <= 175.0
    assert max(speed for at_m, speed in drive.speed_seen.items() if at_m >= 110) <= CLEARING_MPS + 0.3


def test_an_emergency_stop_is_not_put_off_by_a_no_stop_stretch() -> None:
    """When somebody lies on the road, where the truck comes to rest does not matter."""
    road = Road((100.0, 150.0, 2000.0), (6.944,) * 3, (0.0,) * 3, (False, True, False), 0, 3)

    drive = Drive(road=road, end_m=190.0, reaction=lambda nose_m: EMERGENCY_STOP if nose_m > 105.0 else 0).run(60)

    assert drive.speed_mps == 0.0
    assert drive.nose_m < 125.0


def test_a_stop_in_an_emergency_is_not_followed_by_a_crawl_out_of_the_stretch() -> None:
    """Whoever made the truck stop hard is the one to let it go again."""
    road = Road((2000.0,), (6.944,), (0.0,), (True,), 0, 1)
    sensed = Sensed(100.0, 3.0, 0.0, BOUND_M, 0.7, 1.0, sound=True)
    held = Held(900.0, 0.7, 0.0, CLEARING_MPS, EMERGENCY_STOP)

    _, memory = supervise(BUILD, sensed, held, at_start(100.0), road)
    standing, _ = supervise(BUILD, sensed._replace(speed_mps=0.0), held._replace(reaction=SERVICE_STOP), memory, road)

    assert standing.mode == HOLD


def test_an_order_to_stop_sets_no_standing_truck_in_motion() -> None:
    """Whoever presses the stop button does not expect a truck to drive off, not even out of a no-stop stretch."""
    road = Road((2000.0,), (6.944,), (0.0,), (True,), 0, 1)
    sensed = Sensed(100.0, 0.0, 0.0, BOUND_M, 0.7, 1.0, sound=True)

    demand, _ = supervise(BUILD, sensed, Held(900.0, 0.7, 0.0, CLEARING_MPS, SERVICE_STOP), at_start(100.0), road)

    assert demand.mode == HOLD


def test_a_truck_that_came_to_rest_short_of_where_it_meant_to_stop_stays_there() -> None:
    """Better grip, or a lighter load, later makes that place reachable: without contact a truck that stands stays."""
    sensed = Sensed(100.0, 0.0, 0.0, BOUND_M, 0.7, 1.0, sound=True)
    memory = Memory(HOLD, 0.0, 103.0, clearing=False, turn_m=100.0)

    demand, _ = supervise(BUILD, sensed, Held(900.0, 0.7, 0.0, CLEARING_MPS, SERVICE_STOP), memory, FLAT)

    assert demand.mode == HOLD


def test_one_second_of_silence_ends_acceleration_but_not_the_drive() -> None:
    """A short gap in the radio must not brake a fleet."""
    sensed = Sensed(100.0, 4.0, 0.3, BOUND_M, 0.7, 1.0, sound=True)

    demand, _ = supervise(BUILD, sensed, Held(900.0, 0.7, 0.0, CLEARING_MPS, NO_ACCELERATION), at_start(100.0), FLAT)

    assert demand.acceleration_mps2 <= 0.0
    assert demand.speed_target_mps == 4.0


def test_the_emergency_brake_is_held_until_standstill() -> None:
    """Letting go as soon as the sums come right again would let the truck creep through its end in bites."""
    memory = Memory(EMERGENCY_BRAKE, -2.2, -math.inf, clearing=False, turn_m=100.0)
    sensed = Sensed(100.0, 2.0, -2.0, BOUND_M, 0.7, 1.0, sound=True)

    rolling, memory = supervise(BUILD, sensed, Held(900.0, 0.7, 0.0, CLEARING_MPS, 0), memory, FLAT)
    standing, _ = supervise(BUILD, sensed._replace(speed_mps=0.0), Held(900.0, 0.7, 0.0, CLEARING_MPS, 0), memory, FLAT)

    assert rolling.mode == EMERGENCY_BRAKE
    assert standing.mode == DRIVE


def test_a_truck_without_authority_does_not_move_and_stops_if_it_does() -> None:
    """Minus infinity is the end of no authority."""
    sensed = Sensed(100.0, 0.0, 0.0, BOUND_M, 0.7, 1.0, sound=True)
    none = Held(-math.inf, 0.7, 0.0, CLEARING_MPS, 0)

    standing, _ = supervise(BUILD, sensed, none, at_start(100.0), FLAT)
    rolling, _ = supervise(BUILD, sensed._replace(speed_mps=1.0), none, at_start(100.0), FLAT)

    assert standing.mode == HOLD
    assert rolling.mode == EMERGENCY_BRAKE


def test_a_truck_that_rolls_back_whenever_it_means_to_drive_stays_on_its_brakes() -> None:
    """Dead motors on a slope: each try costs some centimetres, and the server counts on less than a metre in all."""
    nose_m, memory = 100.0, at_start(100.0)
    held = Held(900.0, 0.7, 0.0, CLEARING_MPS, 0)
    for _ in range(200):
        demand, memory = supervise(BUILD, Sensed(nose_m, 0.0, 0.0, BOUND_M, 0.7, 1.0, sound=True), held, memory, FLAT)
        if demand.mode != EMERGENCY_BRAKE:
            nose_m -= 0.1
            _, memory = supervise(BUILD, Sensed(nose_m, -1.0, 0.0, BOUND_M, 0.7, 1.0, sound=True), held, memory, FLAT)

    assert 100.0 - nose_m < 0.75 * BUILD.roll_back_m
    assert memory.mode == EMERGENCY_BRAKE


def test_rolling_back_is_caught_before_the_bound_the_server_counts_on() -> None:
    """The server frees road up to one metre behind the rear; the brakes must bite well before."""
    memory = at_start(100.0)
    modes = []
    for step in range(1, 8):
        sensed = Sensed(100.0 - 0.05 * step, -0.5, 0.0, BOUND_M, 0.7, 1.0, sound=True)
        demand, memory = supervise(BUILD, sensed, Held(900.0, 0.7, 0.0, CLEARING_MPS, 0), memory, FLAT)
        modes.append(demand.mode)

    assert modes[-1] == EMERGENCY_BRAKE
    assert modes.index(EMERGENCY_BRAKE) * 0.05 < 0.5 * BUILD.roll_back_m


def test_brakes_that_stopped_a_truck_from_rolling_back_stay_on_until_it_may_drive() -> None:
    """What held it before did not hold it: let go, it would roll on, bite by bite, past any bound."""
    memory = at_start(100.0)
    waiting = Held(900.0, 0.7, 0.0, CLEARING_MPS, SERVICE_STOP)
    rolled = Sensed(99.7, -0.5, 0.0, BOUND_M, 0.7, 1.0, sound=True)
    _, memory = supervise(BUILD, rolled, waiting, memory, FLAT)

    modes = []
    for reaction in (SERVICE_STOP, SERVICE_STOP, 0):
        demand, memory = supervise(BUILD, rolled._replace(speed_mps=0.0), waiting._replace(reaction=reaction), memory, FLAT)
        modes.append(demand.mode)

    assert modes == [EMERGENCY_BRAKE, EMERGENCY_BRAKE, DRIVE]


def test_a_truck_that_its_brakes_cannot_hold_stays_where_it_is() -> None:
    """On glare ice and a slope nothing is left to stop with, so nothing may start."""
    road = Road((2000.0,), (6.944,), (-0.08,), (False,), 0, 1)
    sensed = Sensed(100.0, 0.0, 0.0, BOUND_M, 0.1, 1.0, sound=True)

    demand, _ = supervise(BUILD, sensed, Held(900.0, 0.1, 0.0, CLEARING_MPS, 0), at_start(100.0), road)

    assert demand.mode == HOLD


def test_advice_is_a_wish_that_only_slows() -> None:
    """Advised speeds smooth the flow; they never raise what the road and the authority allow."""
    sensed = Sensed(100.0, 3.0, 0.0, BOUND_M, 0.7, 1.0, sound=True)

    slower, _ = supervise(BUILD, sensed, Held(900.0, 0.7, 4.0, CLEARING_MPS, 0), at_start(100.0), FLAT)
    faster, _ = supervise(BUILD, sensed, Held(900.0, 0.7, 40.0, CLEARING_MPS, 0), at_start(100.0), FLAT)

    assert slower.speed_target_mps == 4.0
    assert faster.speed_target_mps == BUILD.speed_max_mps


@settings(max_examples=300, deadline=None)
@given(
    nose_m=st.floats(20.0, 300.0),
    speed_mps=st.floats(0.06, 6.9),
    end_ahead_m=st.floats(-5.0, 60.0),
    friction=st.sampled_from([0.12, 0.25, 0.5, 0.7]),
    grade=st.sampled_from([-0.03, -0.02, 0.0, 0.02]),
)
def test_beyond_the_emergency_curve_the_brakes_are_on(
    nose_m: float, speed_mps: float, end_ahead_m: float, friction: float, grade: float
) -> None:
    """The rule of containment: front, bound and worst-case stop within the end, or the emergency brake."""
    road = Road((2000.0,), (6.944,), (grade,), (False,), 0, 1)
    sensed = Sensed(nose_m, speed_mps, 0.0, BOUND_M, friction, 1.0, sound=True)
    held = Held(nose_m + end_ahead_m, friction, 0.0, CLEARING_MPS, 0)

    demand, _ = supervise(BUILD, sensed, held, at_start(nose_m), road)

    a = min(2.2, 0.7 * friction * 9.81) + 9.81 * min(0.0, grade)
    pushed = speed_mps + 9.81 * max(0.0, -grade) * 1.0
    needed = pushed * 0.75 + pushed**2 / (2 * a) - a * 0.25 / 24 if pushed >= a * 0.25 else 0.0
    if end_ahead_m <= BOUND_M + needed:
        assert demand.mode == EMERGENCY_BRAKE


@settings(max_examples=40, deadline=None)
@given(
    end_m=st.floats(45.0, 220.0),
    speed_mps=st.floats(0.0, 6.9),
    friction=st.sampled_from([0.12, 0.25, 0.7]),
    grade=st.sampled_from([-0.03, 0.0, 0.02]),
)
def test_no_truck_passes_its_end_whatever_it_starts_from(end_m: float, speed_mps: float, friction: float, grade: float) -> None:
    """From any speed at which the end could be honoured at all, the nose stays inside it."""
    road = Road((2000.0,), (6.944,), (grade,), (False,), 0, 1)
    start = Sensed(30.0, speed_mps, 0.0, BOUND_M, friction, 1.0, sound=True)
    held = Held(end_m, friction, 0.0, CLEARING_MPS, 0)
    assume(earliest_end_m(BUILD, start, held, road) <= end_m)

    drive = Drive(road=road, nose_m=30.0, speed_mps=speed_mps, friction=friction, end_m=end_m).run(70)

    assert drive.margin_m >= 0.0
    assert drive.speed_mps == 0.0


def test_the_earliest_end_can_be_honoured_from_where_it_was_promised() -> None:
    """A truck that acknowledges a shortening has given road away: it must stay out of it."""
    for speed_mps in (0.5, 2.0, 4.0, 6.9):
        sensed = Sensed(30.0, speed_mps, 0.0, BOUND_M, 0.25, 1.0, sound=True)
        end_m = earliest_end_m(BUILD, sensed, Held(300.0, 0.25, 0.0, CLEARING_MPS, 0), FLAT)

        drive = Drive(nose_m=30.0, speed_mps=speed_mps, friction=0.25, end_m=end_m).run(30)

        assert drive.margin_m >= 0.0


def test_a_chain_of_no_stop_stretches_is_cleared_as_one() -> None:
    """A truck longer than the gap between two zones would rest in both."""
    road = Road((10.0, 20.0, 30.0, 40.0, 200.0), (5.0,) * 5, (0.0,) * 5, (False, True, False, True, False), 0, 5)

    assert clear_stop_m(road, 9.0, 16.5, 0.5) == 9.0
    assert clear_stop_m(road, 12.0, 16.5, 0.5) == 56.5


def test_climbs_earn_no_credit_and_the_worst_descent_counts() -> None:
    """The braking window takes the lowest grade that any part of the truck will meet."""
    road = Road((10.0, 20.0, 30.0), (5.0,) * 3, (0.03, -0.02, -0.01), (False,) * 3, 0, 3)

    assert worst_grade(road, 0.0, 9.0) == 0.0
    assert worst_grade(road, 0.0, 15.0) == -0.02
    assert worst_grade(road, 20.0, 40.0) == -0.01


@pytest.mark.parametrize(("own", "told", "used"), [(0.3, 0.7, 0.3), (0.0, 0.5, 0.5), (0.6, 0.0, 0.6), (0.0, 0.0, 0.25)])
def test_the_lower_friction_is_braked_with(own: float, told: float, used: float) -> None:
    """Zero is no opinion; with none at all the road is taken for snow."""
    assert braking_friction(own, told) == used


def test_the_cursor_stops_at_the_segment_of_the_tail() -> None:
    """Skipping a segment too many would lift its limit while the trailer is still on it."""
    road = Road((10.0, 20.0, 30.0), (5.0,) * 3, (0.0,) * 3, (False,) * 3, 0, 3)

    assert [first_under(road, tail_m) for tail_m in (-5.0, 9.9, 10.0, 25.0, 99.0)] == [0, 0, 1, 2, 2]


@pytest.mark.compiled_only
def test_compiled_and_plain_agree_bit_for_bit() -> None:
    """The simulator judges trucks by their own source; a difference would make it judge another truck."""
    import random  # noqa: PLC0415 - only here

    import numpy as np  # noqa: PLC0415 - the truck itself runs without

    for function in COMPILABLE:
        adopt(function)
    compiled = kernel(_supervise)
    chance = random.Random(1)  # noqa: S311 - a seed that replays
    plain_road = Road((50.0, 80.0, 120.0, 300.0), (6.9, 5.0, 6.9, 2.8), (0.0, -0.02, 0.0, 0.01), (False, False, True, False), 0, 4)
    flat_road = Road(*(np.array(column) for column in plain_road[:4]), 0, 4)

    for _ in range(3000):
        nose_m = chance.uniform(17.0, 200.0)
        sensed = Sensed(
            nose_m,
            max(-0.1, chance.uniform(-1.0, 8.0)),
            chance.uniform(-2.0, 1.0),
            chance.choice([0.1, 0.5, 6.0]),
            chance.choice([0.0, 0.1, 0.3, 0.7]),
            chance.choice([1.0, 0.8, 0.5]),
            chance.random() < 0.97,
        )
        end_m = nose_m + chance.uniform(-5.0, 120.0) if chance.random() < 0.95 else -math.inf
        held = Held(end_m, chance.choice([0.0, 0.25, 0.7]), chance.choice([0.0, 3.0]), CLEARING_MPS, chance.choice([0, 0, 1, 2, 3]))
        halt_m = math.inf if chance.random() < 0.8 else nose_m + chance.uniform(-2.0, 30.0)
        memory = Memory(chance.choice([0, 1, 2, 3]), chance.uniform(-2.0, 0.35), halt_m, chance.random() < 0.3, nose_m + 0.1)

        plain = supervise(BUILD, sensed, held, memory, plain_road)
        fast = compiled(BUILD, sensed, held, memory, flat_road)

        assert tuple(map(tuple, fast)) == plain


def _supervise(build: Build, sensed: Sensed, held: Held, memory: Memory, road: Road) -> tuple[Demand, Memory]:
    return supervise(build, sensed, held, memory, road)
