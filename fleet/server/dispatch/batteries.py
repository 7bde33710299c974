"""
What is left in the batteries, and what missions will take: no truck sets out for where it cannot get to.

A mission is counted from where the truck stands: to a loading bay, laden to the other yard, empty to a charger. It takes what driving
takes, by load and grade, and for as long as it lasts the power that a truck draws standing or not. That power is seen in the
batteries of trucks that stand; until one has stood for long enough, it is believed to be what heating takes in hard frost. On top
comes a reserve: an hour's standing and a share of the battery.

Missions are counted to the loading yard's chargers: the far yard's are for who must have one there, or would wait longer at home. Only
where a full battery does not last for the way there and back, a mission ends at the far yard's. The forecast is no fact of the journal:
a server that starts anew counts on frost until it has seen batteries for two minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleet.clock import NS_PER_S
from fleet.server.columns import FloatColumn, IntColumn
from fleet.server.desk import DeskView
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.stands import BAYS, CHARGERS, PARKING
from planner.corridor import BAY_PROCESS, StandKind, TruckType
from planner.energy import drive_wh

FROST_W: Final = 32_000.0  # assumed: 25 kW of heating, and what computers and cooling take
_POWER_MARGIN: Final = 1.2  # the mean of the fleet is told, and one truck may draw more
# Who loses more while it stands has a battery that fails; a gauge that falls by hundredths shows a third of it.
_FAILING_W: Final = 300_000.0
_SLOWER: Final = 1.3  # than unhindered: queues at gates, trucks ahead, trains
_MEASURED_NS: Final = 120 * NS_PER_S
_RESERVE_S: Final = 3600.0
_WHOLE_USE: Final = 0.95  # of a full battery; who is charged waits a little before it sets out
_S_PER_H: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leg:
    """A way from stand to stand: what driving it takes, the lanes on it, and seconds of service at gates and at its end."""

    drive_wh: float
    lanes: NDArray[np.int64]
    served_s: float


_NOTHING: Final = _Leg(drive_wh=0.0, lanes=np.zeros(0, np.int64), served_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Legs:
    """Of one truck type: to a bay inside the loading yard, laden across, empty home to a charger, to the far yard's (None: it has none)."""

    inside: _Leg
    out: _Leg
    home: _Leg
    near: _Leg | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """
    Watt-hours for one truck type as things are now, reserve included; *trip_s* is a round trip's seconds.

    *mission*: from the loading yard and on to a charger; *fetched*: the same from elsewhere; *across*: the laden part and on to the
    nearest charger; *home*: from the far yard to the loading yard's chargers. The last two with half the reserve: who is under way
    may use of it what the day took.
    """

    whole_wh: float
    mission_wh: float
    fetched_wh: float
    across_wh: float
    home_wh: float
    trip_wh: float
    trip_s: float


class Batteries:
    """Looks at batteries every few seconds, and answers what is enough."""

    def __init__(self, books: Books) -> None:
        self._books = books
        capacity = books.trucks.capacity
        self.loading_chargers = len(books.stands.all_of(books.loading.yard_id, CHARGERS))
        self._legs = [self._legs_of(kind) for kind in books.corridor.truck_types]
        self._power_w: FloatColumn = np.full(capacity, np.nan)
        self._seen_wh: FloatColumn = np.zeros(capacity)
        self._seen_ns: IntColumn = np.full(capacity, -1, np.int64)
        self._left_wh: FloatColumn = np.zeros(capacity)
        self.forecasts: list[Forecast] = []
        self._tell()

    def see(self, view: DeskView) -> None:
        """What is left."""
        self._left_wh[: len(view.battery_wh)] = view.battery_wh

    def look(self, view: DeskView, now_ns: int) -> None:
        """What standing trucks drew, and what follows from it."""
        n = len(view.battery_wh)
        self.see(view)
        rests = view.standing & view.live & self._books.trips.settled[:n] & (view.battery_wh > 0.0)
        # Who was charged meanwhile, or moved, begins anew.
        rests &= ~(view.battery_wh > self._seen_wh[:n])
        begun = rests & (self._seen_ns[:n] >= 0)
        done = begun & (now_ns - self._seen_ns[:n] >= _MEASURED_NS)
        hours = (now_ns - self._seen_ns[:n][done]) / NS_PER_S / _S_PER_H
        drawn_w = (self._seen_wh[:n][done] - view.battery_wh[done]) / hours
        # What empties in a moment was not drawn: were that a power, no truck of the fleet would last for any way.
        self._power_w[:n][done] = np.where(drawn_w < _FAILING_W, drawn_w, self._power_w[:n][done])
        anew = done | ~begun
        self._seen_wh[:n][anew] = view.battery_wh[anew]
        self._seen_ns[:n][anew] = np.where(view.standing & view.live & self._books.trips.settled[:n], now_ns, -1)[anew]
        self._tell()

    def left_wh(self, row: int) -> float:
        """What is left; 0: nothing was said of it."""
        return float(self._left_wh[row])

    def forecast(self, row: int) -> Forecast:
        """What a truck's ways would take."""
        return self.forecasts[self._books.corridor.type_ix[self._books.trips.known(row).truck_type_id]]

    def lasts(self, row: int) -> bool:
        """Whether the truck may have a mission: its battery lasts to the end of it and to a charger."""
        forecast = self.forecast(row)
        at_home = self._books.trips.goal_yard_id(row) in {"", self._books.loading.yard_id}
        return self._enough(row, forecast.mission_wh if at_home else forecast.fetched_wh)

    def lasts_home(self, row: int) -> bool:
        """Whether the truck gets home from the far yard."""
        return self._enough(row, self.forecast(row).home_wh)

    def lasts_across(self, row: int) -> bool:
        """Whether the truck, laden in the loading yard, gets to the far yard and to a charger."""
        return self._enough(row, self.forecast(row).across_wh)

    def lack(self, row: int) -> float:
        """Share of the battery that is missing."""
        left_wh = self.left_wh(row)
        return 1.0 - left_wh / self.forecast(row).whole_wh if left_wh > 0.0 else 0.0

    def lasts_s(self, row: int) -> float:
        """Seconds of work, one trip after another, until the battery does not last for one more."""
        forecast = self.forecast(row)
        return (self.left_wh(row) - forecast.mission_wh) / forecast.trip_wh * forecast.trip_s

    def _enough(self, row: int, wanted_wh: float) -> bool:
        left_wh = self.left_wh(row)
        return left_wh <= 0.0 or left_wh >= wanted_wh

    def _tell(self) -> None:
        known = self._power_w[~np.isnan(self._power_w)]
        power_w = float(known.mean()) * _POWER_MARGIN if len(known) else FROST_W
        types = self._books.corridor.truck_types
        self.forecasts = [self._forecast(legs, kind.battery_wh, power_w) for legs, kind in zip(self._legs, types, strict=True)]

    def _forecast(self, legs: _Legs, whole_wh: float, power_w: float) -> Forecast:
        reserve_wh = power_w * _RESERVE_S / _S_PER_H + self._books.options.battery_reserve * whole_wh
        inside_wh, out_wh, home_wh = (self._leg_wh(leg, power_w) for leg in (legs.inside, legs.out, legs.home))
        near_wh = self._leg_wh(legs.near, power_w) if legs.near is not None else home_wh
        trip_wh = inside_wh + out_wh + home_wh
        mission_wh = trip_wh + reserve_wh
        if mission_wh > _WHOLE_USE * whole_wh:
            mission_wh = inside_wh + out_wh + near_wh + reserve_wh
        return Forecast(
            whole_wh=whole_wh,
            mission_wh=mission_wh,
            fetched_wh=home_wh + mission_wh,
            across_wh=out_wh + near_wh + 0.5 * reserve_wh,
            home_wh=home_wh + 0.5 * reserve_wh,
            trip_wh=max(1.0, trip_wh),
            trip_s=sum(self._leg_s(leg) for leg in (legs.inside, legs.out, legs.home)),
        )

    def _leg_s(self, leg: _Leg) -> float:
        return _SLOWER * (float(self._books.roads.travel_s[leg.lanes].sum()) + leg.served_s)

    def _leg_wh(self, leg: _Leg, power_w: float) -> float:
        return leg.drive_wh + power_w * self._leg_s(leg) / _S_PER_H

    def _legs_of(self, kind: TruckType) -> _Legs:
        books = self._books
        here, there = books.loading.yard_id, books.unloading.yard_id
        load, unload = (books.stands.all_of(yard_id, BAYS) for yard_id in (here, there))
        parking, far = books.stands.all_of(here, PARKING), books.stands.all_of(there, CHARGERS)
        chargers = books.stands.all_of(here, CHARGERS) or load
        laden_kg = kind.tare_kg + kind.load_max_kg
        return _Legs(
            inside=self._leg(parking, load, kind.tare_kg),
            out=self._leg(load, unload, laden_kg),
            home=self._leg(unload, chargers, kind.tare_kg),
            near=self._leg(unload, far, kind.tare_kg) if far else None,
        )

    def _leg(self, sources: Sequence[int], goals: Sequence[int], mass_kg: float) -> _Leg:
        """From the first of *sources* to the last of *goals*; nothing where no way leads."""
        books = self._books
        if not sources or not goals:
            return _NOTHING
        stand_lane = books.trips.stand_lane
        way = books.roads.way(stand_lane[sources[0]], stand_lane[goals[-1]], np.zeros(books.lanes.count), ())
        if way is None:
            return _NOTHING
        gates = [gate_ix for lane in way.lanes for gate_ix in books.gates.on_lane.get(lane, ())]
        served_s = float(books.gates.service_s[gates].sum())
        bay = books.corridor.processes.get(BAY_PROCESS)
        if bay is not None and books.corridor.stands[goals[-1]].kind is StandKind.BAY:
            served_s += bay.mean_s
        driven = [books.corridor.lanes[lane] for lane in way.lanes]
        return _Leg(drive_wh=drive_wh(driven, mass_kg), lanes=np.array(way.lanes, np.int64), served_s=served_s)
