"""
Who loads for which order, every few seconds.

Nearest to the loading bays first. Whoever is not at hand, in the other yard or kept from moving, has a mission only as long as nobody at
home is free for it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fleet.server.desk import DeskView
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.charging import Charging
from fleet.server.dispatch.mission import MissionEvent, MissionKept, MissionState
from fleet.server.dispatch.orders import containers_for
from fleet.server.dispatch.stands import BAYS
from fleet.server.dispatch.trips import NOWHERE
from fleet.server.dispatch.wayfinding import Wayfinding
from planner.assignment import assign


class Assignments:
    """Missions for trucks that have none."""

    def __init__(self, books: Books, ways: Wayfinding, charging: Charging) -> None:
        self._books = books
        self._ways = ways
        self._charging = charging

    def look(self, view: DeskView, now_ns: int) -> None:
        """Which idle truck takes which part of which order: nearest to the loading bays, orders as `orders` says."""
        self._look_at_batteries(view, now_ns)
        self._promise_again()
        jobs, lent = self._jobs(), self._lent(view)
        self._charging.jobless = not jobs
        idle = [row for row in range(len(view.nose_m)) if self._is_idle(row, view)] if jobs or lent else []
        at_home = sum(self._is_at_home(row) for row in idle)
        given_up = lent[: max(0, at_home - len(jobs))]
        for mission in given_up:
            self._books.record(mission.after(MissionEvent.ABANDONED, now_ns))
        jobs = self._jobs() if given_up else jobs
        if idle and jobs:
            self._assign(idle, jobs[: len(idle)], now_ns)

    def _assign(self, idle: list[int], jobs: list[tuple[str, int]], now_ns: int) -> None:
        books = self._books
        bays = books.stands.all_of(books.loading.yard_id, BAYS)
        near = [float(self._ways.near_s(row)[bays].min()) for row in idle]
        cost = np.array([[seconds + 1e-3 * place for place in range(len(jobs))] for seconds in near])
        for taker, job in sorted(assign(cost), key=lambda pair: pair[1]):
            order_id, count = jobs[job]
            number = books.missions.newest_number + 1
            books.record(
                MissionKept(
                    mission_id=f"mission-{number:06d}",
                    number=number,
                    row=idle[taker],
                    order_id=order_id,
                    state=MissionState.ASSIGNED,
                    containers=containers_for(number, count),
                    turned_back=False,
                    since_ns=now_ns,
                )
            )

    def _is_at_home(self, row: int) -> bool:
        return self._books.trips.goal_yard_id(row) == self._books.loading.yard_id

    def _jobs(self) -> list[tuple[str, int]]:
        """What nobody is promised to load, at most one for each truck."""
        books = self._books
        first = books.missions.newest_number + 1
        return books.orders.jobs(books.missions.promised(), range(first, first + len(books.trips.row_of)))

    def _lent(self, view: DeskView) -> list[MissionKept]:
        """
        Missions of trucks that are not at hand, the newest first: whoever is at home with nothing to do has them instead.

        Else the last containers of an order would wait for a truck that is held, that nobody hears of, or that still stands in the other
        yard, because those that came home empty leave no stand for it.
        """
        books = self._books
        return [mission for mission in reversed(books.missions.without_bay()) if not self._is_at_hand(mission.row, view)]

    def _is_at_hand(self, row: int, view: DeskView) -> bool:
        afar = self._books.trips.settled[row] and not self._is_at_home(row)
        return bool(view.live[row]) and row not in self._books.holds and not afar

    def _look_at_batteries(self, view: DeskView, now_ns: int) -> None:
        self._charging.batteries.look(view, now_ns)
        live = [(row, self._books.trips.truck[row]) for row in view.live.nonzero()[0].tolist()]
        in_service = [row for row, truck in live if truck is not None and not (truck.removed or truck.decommissioned or truck.charging)]
        self._charging.plan_ahead(in_service, now_ns)

    def _promise_again(self) -> None:
        """
        Who has no bay yet loads for what is urgent now.

        Trucks wait for bays for as long as an hour, each with a mission: an order that comes in meanwhile does not wait behind them.
        """
        books = self._books
        if len(books.orders.waiting()) < 2:
            return
        missions = books.missions.without_bay()
        jobs = books.orders.jobs(books.missions.promised(at_bays=True), [mission.number for mission in missions])
        if len(jobs) < len(missions):
            return
        for mission, (order_id, count) in zip(missions, jobs, strict=True):
            if (mission.order_id, len(mission.containers)) != (order_id, count):
                books.record(replace(mission, order_id=order_id, containers=containers_for(mission.number, count)))

    def _is_idle(self, row: int, view: DeskView) -> bool:
        truck = self._books.trips.truck[row]
        if truck is None or truck.removed or truck.decommissioned or truck.charging:
            return False
        if truck.goal_ix == NOWHERE and not truck.staged:
            return False
        free = row not in self._books.holds and row not in self._books.weak and row not in self._books.missions.of_row
        return bool(view.live[row]) and free and self._charging.may_work(row)
