"""Weather: what it does to the road, what the server is told of it and when, and that trucks drive as it wants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim_harness import link
from sim_harness.clock import Streams
from sim_harness.day import Wish, run_day
from sim_harness.day_bound import bound_of
from sim_harness.fleet_columns import FleetColumns
from sim_harness.scenario import ScenarioError, load_scenario
from sim_harness.tiny import tiny_roster
from sim_harness.weather import FAIR, Conditions, Spell, timeline, told
from sim_harness.weather_watch import GRIP_AHEAD_S, HEATING_W, LIMITS_AHEAD_S, Weather

QUICK = ["processes.bay={shape: fixed, fixed_s: 40}", "plant.inspect_share=0", "plant.refuse_share=0", "plant.loader_mtbf_h=0"]
HOUR_S = 3600.0
ICE = Conditions(friction=0.12, speed_max_mps=10 / 3.6)


class Sky:
    """Some hours of weather over the tiny road, and what was said of it when."""

    def __init__(self, *spells: Spell, hours: float = 4.0) -> None:
        """Two trucks stand on the road."""
        zeros = np.zeros(2)
        self.fleet = FleetColumns(tiny_roster(2), Streams(1), zeros.astype(np.int32), zeros + 100.0)
        self.said: list[tuple[float, str, Any]] = []
        self.now_s = 0.0
        self._weather = Weather(spells, hours, self.fleet, self._call, lambda *_, **__: None)

    def _call(self, method: str, request: link.Request) -> None:
        self.said.append((self.now_s, method.rpartition("/")[2], request))

    def until(self, now_s: float) -> None:
        """Let time pass, a second at a time."""
        while self.now_s < now_s:
            self.now_s += 1.0
            self._weather.step(self.now_s)

    def times_s(self, method: str) -> list[float]:
        """When something was said, each moment once."""
        return sorted({at_s for at_s, said, _ in self.said if said == method})


def test_the_worst_of_each_thing_counts_where_spells_meet() -> None:
    """Ice under dust is slippery and dark; the road must not get better because it also gets worse."""
    spells = [Spell(kind="ice", from_h=1.0, to_h=3.0), Spell(kind="dust", from_h=2.0, visibility_m=80.0)]

    changes = timeline(spells, 4.0)

    assert [at_s / HOUR_S for at_s, _ in changes] == [0.0, 1.0, 2.0, 3.0]
    assert [now.friction for _, now in changes] == [0.7, 0.12, 0.12, 0.7]
    assert [now.stopped for _, now in changes] == [False, False, True, True]


def test_rain_may_be_as_slippery_as_ice_and_slows_nobody_down() -> None:
    """What brakes can do on a slippery road shows best at full speed."""
    assert timeline([Spell(kind="rain", friction=0.15)], 1.0) == [(0.0, Conditions(friction=0.15))]


def test_nothing_beyond_the_run_happens() -> None:
    """A short run of a long scenario has the weather of its first hours."""
    assert timeline([Spell(kind="ice", from_h=16.0)], 1.0) == [(0.0, FAIR)]


def test_the_server_hears_of_ice_before_it_is_there() -> None:
    """A server that is told late is a fault, not weather: limits first, then grip, then the ice."""
    sky = Sky(Spell(kind="ice", from_h=1.0, to_h=2.0))

    sky.until(HOUR_S - 1.0)
    before = (sky.times_s("LimitLane"), sky.times_s("SetLaneFriction"), float(sky.fleet.around.friction[0]))
    sky.until(HOUR_S)

    assert before == ([HOUR_S - LIMITS_AHEAD_S], [HOUR_S - GRIP_AHEAD_S], 0.7)
    assert sky.fleet.around.friction.tolist() == [0.12, 0.12]
    limits = [request for _, method, request in sky.said if method == "LimitLane"]
    assert {request.lane_id for request in limits} == {lane.lane_id for lane in sky.fleet.roster.corridor.lanes}
    assert {request.speed_limit_mps for request in limits} == {10 / 3.6}


def test_the_server_hears_that_ice_is_gone_after_it_is() -> None:
    """The other way round: what it holds is never better than the road."""
    sky = Sky(Spell(kind="ice", to_h=1.0))

    sky.until(2 * HOUR_S)

    assert sky.times_s("SetLaneFriction") == [1.0, HOUR_S + GRIP_AHEAD_S]
    assert sky.times_s("LimitLane") == [1.0, HOUR_S + LIMITS_AHEAD_S]
    assert [request.speed_limit_mps for _, method, request in sky.said if method == "LimitLane"][-1] == 0.0


def test_weather_that_comes_back_at_once_is_not_told_to_be_gone() -> None:
    """The word that it is over would come after the word that it begins, and undo it."""
    changes = timeline([Spell(kind="ice", to_h=1.0), Spell(kind="ice", from_h=1.01)], 4.0)

    assert [now for _, now in changes] == [ICE, FAIR, ICE]
    assert told(changes, 60.0) == [(0.0, ICE)]


def test_in_a_storm_everybody_stops_until_it_is_over() -> None:
    """Below 100 m of sight, or in wind above 25 m/s, nobody drives at all."""
    sky = Sky(Spell(kind="dust", from_h=1.0, to_h=2.0, wind_mps=28.0))

    sky.until(3 * HOUR_S)

    assert sky.times_s("StopAll") == [HOUR_S - LIMITS_AHEAD_S]
    assert sky.times_s("LiftStop") == [2 * HOUR_S + LIMITS_AHEAD_S]
    assert len({request.stop_id for _, method, request in sky.said if method in {"StopAll", "LiftStop"}}) == 1


def test_in_the_cold_trucks_brake_later_have_less_battery_and_heat() -> None:
    """Server, onboard computers and checks must all know it: it is of the truck's type, and so of the digest."""
    fair, cold = load_scenario("mandula"), load_scenario("mandula", ["weather=cold"])
    sky = Sky(Spell(kind="cold"))

    sky.fleet.surroundings[0]()

    (before,), (after,) = fair.corridor.truck_types, cold.corridor.truck_types
    assert after.brake_dead_s == pytest.approx(before.brake_dead_s + 0.3)
    assert after.battery_wh == 0.75 * before.battery_wh
    assert cold.roster.truck_types[0] == after
    assert cold.corridor.digest != fair.corridor.digest
    assert sky.fleet.motion.energy_wh[0] == pytest.approx(HEATING_W * 0.1 / HOUR_S)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("weather=icy", "weather.0: there is no weather 'icy'; did you mean 'ice'?"),
        ("weather=[{kind: ice, frm_h: 3}]", "unknown key 'frm_h'; did you mean 'from_h'?"),
        ("weather=[{kind: ice, from_h: 3, to_h: 2}]", "ice is over at 2 h, before it begins"),
        ("weather=[{kind: fog, friction: 0.3}]", "friction does not matter in fog"),
        ("weather=[{kind: rain, friction: 0.8}]", "less than or equal to 0.7"),
        ("weather=[{kind: ice, visibility_m: 50}]", "visibility_m does not matter in ice"),
        ("weather=[{kind: fog, wind_mps: 50}]", "wind_mps does not matter in fog"),
        ("weather=[{kind: cold, from_h: 3}]", "cold lasts for a whole run"),
        ("weather=[{kind: ice, from_h: -3}]", "greater than or equal to 0"),
    ],
)
def test_weather_that_cannot_be_is_named_with_what_was_meant(setting: str, said: str) -> None:
    """Somebody mistypes it at night; a run in the sun would be taken for one on ice."""
    with pytest.raises(ScenarioError) as refused:
        load_scenario("mandula", [setting])

    assert said in str(refused.value)


def test_a_server_of_its_own_does_not_go_out_into_the_cold() -> None:
    """It loads the site by its name, and would brake with the brakes of summer."""
    with pytest.raises(ScenarioError, match="leave out --wire"):
        run_day(load_scenario("mandula", ["weather=cold"], hours=0.01), Wish(wire=True), lambda _: None)


def test_a_day_on_ice_is_bound_to_less_and_one_that_is_half_fair_lies_between() -> None:
    """A bound of fair weather would call every dispatcher bad in winter."""
    fair, icy, mixed, stormy = (
        bound_of(load_scenario("mandula", settings, trucks=2))
        for settings in ([], ["weather=ice"], ["weather=[{kind: ice, from_h: 6}]"], ["weather=[{kind: dust, visibility_m: 50}]"])
    )

    assert fair is not None
    assert icy is not None
    assert mixed is not None
    assert stormy is not None
    assert icy.round_trips < 0.7 * fair.round_trips
    assert mixed.round_trips == pytest.approx(0.5 * (fair.round_trips + icy.round_trips), rel=0.02)
    assert stormy.round_trips == 0.0


def test_trucks_that_meet_ice_on_the_road_drive_slowly_on_it_and_nobody_slips() -> None:
    """Through the whole product: station to server, server to truck, and the true road under both."""
    settings = [*QUICK, "weather=[{kind: ice, from_h: 0.15}]"]

    report = run_day(load_scenario("mandula", settings, hours=0.3, trucks=3), Wish(), lambda _: None)

    assert report.verdict == "pass", report.failures
    assert (report.overlaps, report.overruns, report.emergency_brakes) == (0, 0, 0)
    assert report.authority_margin_m_min is not None
    assert report.authority_margin_m_min > 0.0
    assert report.weather == ({"kind": "ice", "from_h": 0.15},)


def test_a_cleared_road_has_its_speed_back() -> None:
    """Limits that stay for ever would slow every day after a cold night."""
    sky = Sky(Spell(kind="snow", from_h=0.5, to_h=1.0))

    sky.until(2 * HOUR_S)

    assert sky.fleet.road_friction == FAIR.friction
    assert math.isinf(FAIR.speed_max_mps)
    assert sky.fleet.around.friction.tolist() == [0.7, 0.7]
