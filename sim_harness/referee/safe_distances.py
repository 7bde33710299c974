"""RSS as we compute it beside RSS as its authors' library computes it, over random followers and leaders."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from platform import machine
from sys import platform, version_info
from typing import Any, Final

import numpy as np

from sim_harness.referee.finding import Finding
from sim_harness.rss import Rule, safe_gap_m

REFEREE: Final = "ad-rss"
COMPARED: Final = "safe distances by RSS"
BOUND_M: Final = 1e-9
CASES: Final = 10_000
SEED: Final = 1
# Of these it publishes wheels.
WHEELS: Final = ((3, 10), (3, 11), (3, 12), (3, 13))

Case = tuple[float, float, Rule]


def random_cases(count: int, seed: int) -> list[Case]:
    """Speeds of follower and leader, and a rule; a tenth stand, some cannot gain speed, some are faster than they may be."""
    random = np.random.default_rng(seed)
    speeds_mps = random.uniform(0.0, 25.0, (count, 2)) * (random.uniform(size=(count, 2)) > 0.1)
    response_s = random.uniform(0.1, 3.0, count)
    gain_mps2 = random.uniform(0.0, 2.0, count) * (random.uniform(size=count) > 0.05)
    limit_mps = random.uniform(1.0, 25.0, count)
    least_mps2 = random.uniform(0.3, 4.0, count)
    most_mps2 = least_mps2 + random.uniform(0.0, 5.0, count)
    margin_m = random.uniform(0.0, 5.0, count)
    rules = zip(response_s, gain_mps2, limit_mps, least_mps2, most_mps2, margin_m, strict=True)
    return [(float(speed), float(leader), Rule(*map(float, rule))) for (speed, leader), rule in zip(speeds_mps, rules, strict=True)]


def wheel_expected() -> bool:
    """Whether ad-rss can be installed here from its wheels: only then is its absence anybody's fault."""
    return platform == "linux" and machine() == "x86_64" and version_info[:2] in WHEELS


def _road_user(library: Any) -> Any:
    """One of their objects, complete; the library refuses those of which it does not know everything, also what it does not use."""
    physics, world = library.physics, library.rss.world
    user = library.rss.core.RelativeObjectState()
    user.object_type = world.ObjectType.OtherVehicle
    body, place, dynamics = user.unstructured_object_state, user.structured_object_state, user.dynamics
    body.yaw, body.steering_angle, body.yaw_rate = physics.Angle(0.0), physics.Angle(0.0), physics.AngularVelocity(0.0)
    body.dimension.length, body.dimension.width = physics.Distance(18.0), physics.Distance(3.2)
    body.center_point.x, body.center_point.y = physics.Distance(0.0), physics.Distance(0.0)
    body.speed_range.minimum, body.speed_range.maximum = physics.Speed(0.0), physics.Speed(25.0)
    place.velocity.speed_lat_min, place.velocity.speed_lat_max = physics.Speed(0.0), physics.Speed(0.0)
    place.distance_to_enter_intersection, place.distance_to_leave_intersection = physics.Distance(10.0), physics.Distance(20.0)
    dynamics.alpha_lat.accel_max, dynamics.alpha_lat.brake_min = physics.Acceleration(0.1), physics.Acceleration(-0.1)
    dynamics.lateral_fluctuation_margin = physics.Distance(0.0)
    free = dynamics.unstructured_settings
    for name in dir(free):
        if not name.startswith("_") and name != "assign":
            setattr(free, name, type(getattr(free, name))(1))
    return user


def _drives(library: Any, user: Any, speed_mps: float, rule: Rule) -> None:
    """Lets one of their objects drive."""
    physics, dynamics = library.physics, user.dynamics
    user.structured_object_state.velocity.speed_lon_min = physics.Speed(speed_mps)
    user.structured_object_state.velocity.speed_lon_max = physics.Speed(speed_mps)
    dynamics.response_time = physics.Duration(rule.response_s)
    dynamics.max_speed_on_acceleration = physics.Speed(rule.speed_max_mps)
    dynamics.min_longitudinal_safety_distance = physics.Distance(rule.margin_m)
    dynamics.alpha_lon.accel_max = physics.Acceleration(rule.acceleration_mps2)
    dynamics.alpha_lon.brake_min = dynamics.alpha_lon.brake_min_correct = physics.Acceleration(-rule.brake_least_mps2)
    dynamics.alpha_lon.brake_max = physics.Acceleration(-rule.brake_leader_mps2)


def theirs() -> Callable[[float, float, Rule], float]:
    """Their formula, called as ours is; not a number where they refuse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their binding registers a converter twice
        import ad_rss as library  # noqa: PLC0415 - only the referees' environment has it

    leader, follower = _road_user(library), _road_user(library)

    def asked(speed_mps: float, leader_mps: float, rule: Rule) -> float:
        _drives(library, leader, leader_mps, rule)
        _drives(library, follower, speed_mps, rule)
        distance = library.physics.Distance()
        accepted = library.rss.structured.calculateSafeLongitudinalDistanceSameDirection(leader, follower, distance)
        return float(distance.mDistance) if accepted else float("nan")

    return asked


def differences_m(their_gap_m: Callable[[float, float, Rule], float], cases: list[Case]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n,) how far ours is from theirs."""
    return np.array([abs(safe_gap_m(*case) - their_gap_m(*case)) for case in cases])


def compare() -> list[Finding]:
    """Ours beside theirs, where the library can be had."""
    if find_spec("ad_rss") is None:
        excused = not wheel_expected()
        remark = "ad-rss has no wheel for this platform and Python" if excused else "ad-rss is not installed"
        return [Finding(referee=REFEREE, compared=COMPARED, worst=None, bound=BOUND_M, unit="m", remark=remark, excused=excused)]
    apart_m = differences_m(theirs(), random_cases(CASES, SEED))
    return [Finding(referee=REFEREE, compared=COMPARED, worst=float(apart_m.max()), bound=BOUND_M, unit="m", cases=len(apart_m))]
