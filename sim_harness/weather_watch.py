"""
The weather of a run under way: what is true of the road from when on, and what the server is told of it before.

See `weather` for what each kind means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from sim_harness import link
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import TICK_S
from sim_harness.weather import FAIR, KMH, Conditions, Spell, is_cold, timeline, told

HEATING_W: Final = 25_000.0
# How long before a spell begins, or after it is over, the server hears of it (assumed): limits, then grip.
LIMITS_AHEAD_S: Final = 180.0
GRIP_AHEAD_S: Final = 60.0
# Of so many lanes at a time: a tick takes only so many commands.
LANES_A_TICK: Final = 100


class Weather:
    """
    The weather of one run: what is true of the road, and the words of those who watch it.

    Nothing of it exists in a run without weather.
    """

    def __init__(
        self,
        spells: Sequence[Spell],
        hours: float,
        fleet: FleetColumns,
        call: Callable[[str, link.Request], None],
        notice: Callable[..., None],
    ) -> None:
        self._fleet = fleet
        self._lanes = fleet.roster.corridor.lanes
        self._call = call
        self._notice = notice
        self._asked = 0
        self._stops = 0
        self._words: list[Callable[[], None]] = []
        self._agenda: list[tuple[float, Callable[[], None]]] = []
        changes = timeline(spells, hours)
        for at_s, now in changes:
            self._agenda.append((at_s, partial(self._change, now)))
        before = FAIR
        for at_s, now in told(changes, LIMITS_AHEAD_S):
            if now.speed_max_mps != before.speed_max_mps:
                self._agenda.append((at_s, partial(self._limit, now.speed_max_mps)))
            if now.stopped != before.stopped:
                self._agenda.append((at_s, self._stop if now.stopped else self._lift))
            before = now
        friction = FAIR.friction
        for at_s, now in told(changes, GRIP_AHEAD_S):
            if now.friction != friction:
                self._agenda.append((at_s, partial(self._grip, now.friction)))
            friction = now.friction
        self._agenda.sort(key=lambda entry: entry[0])
        if is_cold(spells):
            fleet.surroundings.append(self._heat)

    def step(self, now_s: float) -> None:
        """Do and say what is due."""
        while self._agenda and self._agenda[0][0] <= now_s:
            self._agenda.pop(0)[1]()
        for say in self._words[:LANES_A_TICK]:
            say()
        del self._words[:LANES_A_TICK]

    def _change(self, now: Conditions) -> None:
        self._fleet.set_road(now.friction)
        seen = None if math.isinf(now.speed_max_mps) else round(now.speed_max_mps * KMH, 1)
        self._notice("weather_changed", friction=now.friction, speed_max_kmh=seen, stopped=now.stopped)

    def _limit(self, speed_max_mps: float) -> None:
        limit_mps = 0.0 if math.isinf(speed_max_mps) else speed_max_mps
        for lane in self._lanes:
            self._say(link.lane_limit, lane.lane_id, limit_mps)

    def _grip(self, friction: float) -> None:
        for lane in self._lanes:
            self._say(link.road_grip, lane.lane_id, friction)

    def _say(self, request: Callable[[str, str, float], tuple[str, link.Request]], lane_id: str, figure: float) -> None:
        self._asked += 1
        self._words.append(partial(self._call, *request(f"weather-{self._asked}", lane_id, figure)))

    def _stop(self) -> None:
        self._stops += 1
        self._call(*link.stop_all(f"weather-stop-{self._stops}"))

    def _lift(self) -> None:
        self._asked += 1
        self._call(*link.lift(f"weather-{self._asked}", f"weather-stop-{self._stops}"))

    def _heat(self) -> None:
        """Cabins, batteries and brakes are kept warm, standing or not."""
        energy_wh = self._fleet.motion.energy_wh
        np.add(energy_wh, HEATING_W * TICK_S / 3600.0, out=energy_wh)
