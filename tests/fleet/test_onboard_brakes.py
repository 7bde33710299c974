"""A truck that finds out what its brakes and the road really give, and drives by that."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from fleet.onboard import EventKind, Mode
from fleet.onboard.hardware import Command
from fleet.onboard.senses import (
    GRIP_KEPT_M,
    GRIP_SAID_M,
    Brakes,
    brakes_alone,
    brakes_trusted,
    grade_under,
    grip_unknown,
    said_friction,
    watch_brakes,
    watch_grip,
)
from fleet.onboard.supervisor import EMERGENCY_BRAKE, SERVICE_BRAKE, Build, Held, Road, Sensed, at_start, supervise
from planner.braking import stopping_distance_m
from planner.limits import BRAKE_FAILED, GRAVITY_MPS2, GRIP_SHARE
from tests.fleet.cab import Cab

LAGS_S, STEP_S = (0.5, 0.5), 0.1
SERVICE_MPS2, GUARANTEED_MPS2, RETARDER_MPS2 = 1.5, 2.2, 1.0


def applied(brakes: Brakes, mode: int, shares: Iterable[float], grade: float = 0.0, motors_mps2: float = 0.0) -> Brakes:
    """One application that asks for as much as *mode* does, delivers these *shares* step by step, and is released."""
    for share in shares:
        wanted_mps2 = GUARANTEED_MPS2 if mode == EMERGENCY_BRAKE else SERVICE_MPS2 - GRAVITY_MPS2 * grade - motors_mps2
        slowing_mps2 = share * wanted_mps2 + motors_mps2 + GRAVITY_MPS2 * grade
        demand_mps2 = -GUARANTEED_MPS2 if mode == EMERGENCY_BRAKE else -SERVICE_MPS2
        forces = brakes_alone(mode, demand_mps2, slowing_mps2, grade, motors_mps2, GUARANTEED_MPS2)
        brakes = watch_brakes(brakes, *forces, LAGS_S, STEP_S, slipping=False)
    return watch_brakes(brakes, 0.0, 0.0, LAGS_S, STEP_S, slipping=False)


@pytest.mark.parametrize("mode", [SERVICE_BRAKE, EMERGENCY_BRAKE])
@pytest.mark.parametrize("grade", [-0.05, 0.0, 0.05])
@pytest.mark.parametrize("motors_mps2", [0.0, 0.5])
@pytest.mark.parametrize("share", [0.4, 0.8, 1.0])
def test_brakes_are_measured_by_themselves(mode: int, grade: float, motors_mps2: float, share: float) -> None:
    """A climb must not flatter weak brakes, a descent not slander sound ones, and a strong retarder hide nothing."""
    brakes = brakes_trusted()

    for _ in range(3):
        brakes = applied(brakes, mode, [share] * 30, grade, motors_mps2)

    assert brakes.health == pytest.approx(share)


def test_readings_that_scatter_do_not_make_sound_brakes_weak() -> None:
    """An accelerometer shakes with the road; its mean does not."""
    brakes = brakes_trusted()

    for _ in range(6):
        brakes = applied(brakes, SERVICE_BRAKE, [0.8, 1.2] * 15)

    assert brakes.health == 1.0


def test_an_application_too_short_to_judge_says_nothing_either_way() -> None:
    """It is neither a weak one nor a strong one in between."""
    brakes = brakes_trusted()

    for length in (30, 30, 14, 14, 14, 30):
        brakes = applied(brakes, SERVICE_BRAKE, [0.8] * length)

    assert brakes.health == pytest.approx(0.8)


def test_a_strong_emergency_brake_does_not_excuse_the_service_brake_before_it() -> None:
    """The emergency was called because the service brake gave too little: that is what is remembered."""
    brakes = brakes_trusted()

    for _ in range(3):
        for asked_mps2, given_mps2 in [(1.5, 0.3)] * 25 + [(2.2, 3.0)] * 25:
            brakes = watch_brakes(brakes, asked_mps2, given_mps2, LAGS_S, STEP_S, slipping=False)
        brakes = watch_brakes(brakes, 0.0, 0.0, LAGS_S, STEP_S, slipping=False)

    assert brakes.health == pytest.approx(0.2)


def test_on_ice_the_road_is_to_blame_and_not_the_brakes() -> None:
    """Wheels that slip get what the road gives, whatever the brakes could do."""
    brakes, grip = brakes_trusted(), grip_unknown()

    for application in range(4):
        for _ in range(30):
            brakes = watch_brakes(brakes, 2.2, 1.0, LAGS_S, STEP_S, slipping=True)
            grip = watch_grip(grip, 0.0, slipping=True, wheels_mps2=1.0, nose_m=10.0 * application)
        brakes = watch_brakes(brakes, 0.0, 0.0, LAGS_S, STEP_S, slipping=False)

    assert brakes.health == 1.0
    assert grip.friction == pytest.approx(1.0 / (GRIP_SHARE * GRAVITY_MPS2))


def test_the_lowest_grip_is_kept_for_a_while_of_road() -> None:
    """Ice ends in metres, but not where a truck has just stopped slipping; and a better patch on it is still on it."""
    grip = watch_grip(grip_unknown(), 0.0, slipping=True, wheels_mps2=1.0, nose_m=50.0)
    met = grip.friction
    better = watch_grip(grip, 0.0, slipping=True, wheels_mps2=2.0, nose_m=60.0)
    kept = watch_grip(better, 0.0, slipping=False, wheels_mps2=0.0, nose_m=60.0 + GRIP_KEPT_M)
    over = watch_grip(kept, 0.0, slipping=False, wheels_mps2=0.0, nose_m=60.1 + GRIP_KEPT_M)

    assert (better.friction, kept.friction, over.friction) == (met, met, 0.0)


def test_grip_is_said_of_the_road_it_was_met_on() -> None:
    """The truck brakes by it for longer; whoever comes after is not to be slowed where nobody slipped."""
    grip = watch_grip(grip_unknown(), 0.0, slipping=True, wheels_mps2=1.0, nose_m=50.0)

    assert [said_friction(grip, 50.0 + m) for m in (0.0, GRIP_SAID_M, GRIP_SAID_M + 0.1)] == [grip.friction, grip.friction, 0.0]


def test_another_sensors_opinion_of_the_road_counts_when_it_is_the_lower() -> None:
    """A camera may see ice before the wheels find it, and may be wrong when they do."""
    assert watch_grip(grip_unknown(), 0.3, slipping=False, wheels_mps2=0.0, nose_m=0.0).friction == 0.3
    assert watch_grip(grip_unknown(), 0.3, slipping=True, wheels_mps2=1.0, nose_m=0.0).friction < 0.15


def test_the_grade_under_a_body_across_a_crest_is_its_mean() -> None:
    """Tractor on the descent, trailer still on the climb."""
    road = Road((100.0, 200.0), (7.0, 7.0), (0.04, -0.02), (False, False), 0, 2)

    assert grade_under(road, 90.0, 105.0) == pytest.approx((10.0 * 0.04 - 5.0 * 0.02) / 15.0)


def on_the_road(obeys: Callable[[Command], float] = lambda command: command.acceleration_demand_mps2) -> Cab:
    """A truck that knows its road and makes *obeys* of its commands."""
    made = Cab(obeys=obeys)
    made.greet()
    made.route()
    return made


def legs(cab: Cab, ends_m: Iterable[float]) -> None:
    """Drives to one end after the other, braking for each."""
    for end_m in ends_m:
        cab.hear(cab.authority(end_m))
        cab.run(40)


def weak(share: float) -> Callable[[Command], float]:
    """Brakes that give *share* of what they are asked for."""
    return lambda command: command.acceleration_demand_mps2 * (share if command.acceleration_demand_mps2 < 0.0 else 1.0)


def test_a_truck_finds_its_weak_brakes_says_so_and_drives_slower() -> None:
    """Its stop from the new speed takes no more road than a sound one's took from top speed."""
    cab = on_the_road(weak(0.8))
    legs(cab, (120.0, 190.0, 260.0))
    told, report = cab.events(EventKind.DERATED), cab.supervisor.report(cab.now_ns)

    cab.hear(cab.authority(300.0, "b"))
    speeds = []
    for _ in range(30):
        cab.run(1)
        speeds.append(cab.speed_mps)

    assert len(told) == 1
    assert report.brake_health == pytest.approx(0.8, abs=0.03)
    assert stopping_distance_m(max(speeds), report.brake_health * 2.2, 0.5, 0.5) <= stopping_distance_m(6.944, 2.2, 0.5, 0.5) + 0.3
    assert 5.5 < max(speeds) < 6.5


def test_a_truck_with_hardly_any_brakes_stays_where_it_is() -> None:
    """It may not even try whether they have recovered."""
    cab = on_the_road(weak(0.5))
    legs(cab, (120.0, 190.0, 260.0))
    at_m = cab.chainage_m

    legs(cab, (390.0,))

    assert cab.supervisor.report(cab.now_ns).brake_health < BRAKE_FAILED
    assert cab.chainage_m == at_m


def test_when_the_service_brake_is_dead_the_emergency_brake_keeps_the_truck_inside() -> None:
    """The emergency curve does not trust that the service brake works."""
    cab = on_the_road(lambda command: 0.0 if command.mode == Mode.SERVICE_BRAKE else command.acceleration_demand_mps2)

    legs(cab, (200.0, 290.0, 380.0))

    assert len(cab.events(EventKind.EMERGENCY_BRAKED)) >= 3
    assert cab.speed_mps == 0.0
    assert cab.chainage_m + 0.5 <= 380.0
    assert cab.supervisor.report(cab.now_ns).brake_health < BRAKE_FAILED


def test_a_truck_that_slips_tells_the_friction_and_slows_down() -> None:
    """Whoever comes after it is told by the server; it needs nobody to tell it."""
    cab = on_the_road()

    def slip(command: Command) -> float:
        """As on a road of friction 0.15, which the truck was told nothing of."""
        grip_mps2 = 0.15 * GRIP_SHARE * GRAVITY_MPS2
        cab.changes = {"slipping": command.acceleration_demand_mps2 < -grip_mps2}
        return max(command.acceleration_demand_mps2, -grip_mps2)

    cab.obeys = slip
    legs(cab, (150.0,))

    assert cab.supervisor.report(cab.now_ns).friction == pytest.approx(0.15, abs=0.01)
    assert cab.supervisor.report(cab.now_ns).brake_health == 1.0
    assert len(cab.events(EventKind.DERATED)) == 1


@pytest.mark.parametrize(("health", "friction"), [(1.0, 0.7), (0.7, 0.7), (1.0, 0.2), (0.7, 0.15)])
def test_speed_is_given_up_for_what_brakes_or_grip_lack(health: float, friction: float) -> None:
    """In free flow, with road enough for any speed: sound trucks on dry roads lose nothing."""
    road = Road((5000.0,), (6.944,), (0.0,), (False,), 0, 1)
    build = Build(16.5, 6.944, 0.35, 1.5, 2.2, 0.5, 0.5, 0.3, 1.0, 0.6, 0.1)
    sensed = Sensed(1000.0, 6.944, 0.0, 0.5, 0.0, health, sound=True)

    demand, _ = supervise(build, sensed, Held(2000.0, friction, 0.0, 2.8, 0), at_start(1000.0), road)

    a_mps2 = min(health * 2.2, 0.7 * friction * GRAVITY_MPS2)
    assert stopping_distance_m(demand.speed_target_mps, a_mps2, 0.5, 0.5) == pytest.approx(stopping_distance_m(6.944, 2.2, 0.5, 0.5))
