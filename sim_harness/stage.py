"""What every run has, whoever carries its messages: the world, the plant and its people, the books and the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

import numpy as np

from sim_harness import link
from sim_harness.barrier_check import BarrierCheck
from sim_harness.books import UNEXPLAINED, Books, Causes
from sim_harness.clock import Streams, VirtualClock
from sim_harness.ground_check import GroundCheck
from sim_harness.no_stops import EndCheck
from sim_harness.observation import SAMPLE_TICKS, TICK_S, Checker, Recorder, Sample, Totals
from sim_harness.operator import Operator
from sim_harness.plant import Plant, PlantRules, Site
from sim_harness.progress import ProgressWatch
from sim_harness.scenario import Scenario
from sim_harness.traffic import Traffic
from sim_harness.truck_agent import World
from sim_harness.weather_watch import Weather

PROGRESS_TICKS: Final = 600
Fleet = TypeVar("Fleet", bound=World)


class Stage(Generic[Fleet]):
    """One scenario set up at time 0; *call* is how its people reach the server."""

    def __init__(
        self, scenario: Scenario, fleet: type[Fleet], call: Callable[[str, link.Request], None], watchers: tuple[Recorder, Checker]
    ) -> None:
        self.scenario = scenario
        self._recorder, self._checker = watchers
        self.streams = Streams(scenario.seed)
        corridor = scenario.corridor
        self.clock = VirtualClock()
        self.books = Books(scenario.roster, self._recorder)
        self.grounds = GroundCheck(scenario.roster)
        self.barriers = BarrierCheck(scenario.roster)
        self.ends = EndCheck(scenario.roster)
        lane_ix = np.array([corridor.lane_ix[stand.lane_id] for stand in scenario.stands], dtype=np.int32)
        stop_m = np.array([stand.stop_m for stand in scenario.stands], dtype=np.float64)
        self.trucks = fleet(scenario.roster, self.streams, lane_ix, stop_m)
        self.progress = ProgressWatch(scenario.roster, self.trucks.columns, self.books)
        self.trucks.charge(self.streams, scenario.spec.truck.charge_least, scenario.spec.truck.charge_most)
        spec = scenario.spec
        traffic = Traffic(manned=spec.manned, level_crossings=spec.level_crossings, cranes=spec.cranes)
        site = Site(corridor=corridor, rules=PlantRules(**spec.plant.model_dump()), streams=self.streams, traffic=traffic)
        self.plant = Plant(site, self.trucks, call, self.books.notice)
        self.operator = Operator(spec.orders, scenario.hours, call, self.books)
        self._weather = Weather(spec.weather, scenario.hours, self.trucks.columns, call, self.books.notice) if spec.weather else None
        self.call = call
        self._start_m = self.trucks.travelled_m()
        self.books.notice("run_started", scenario=scenario.spec.scenario, seed=scenario.seed, trucks=scenario.spec.trucks)

    @property
    def tick_count(self) -> int:
        """How many ticks the scenario lasts."""
        return round(self.scenario.hours * 3600.0 / TICK_S)

    def advance(self) -> int:
        """Begin the next tick; its time in nanoseconds."""
        now_ns = self.clock.advance()
        self.books.now_s = self.clock.now_s
        return now_ns

    def people(self, now_ns: int) -> None:
        """Let operator, officers and machines do what is due."""
        if self._weather is not None:
            self._weather.step(self.clock.now_s)
        self.operator.step(now_ns)
        self.plant.step(now_ns)

    def heard(self, calls: Sequence[link.Heard], refusals: Sequence[tuple[str, str]]) -> None:
        """Give the server's calls to the plant, and its refusals to the books."""
        for call in calls:
            self.plant.hear(call)
        for method, reason in refusals:
            self.books.notice("command_refused", method=method, reason=reason)
            if method.endswith("CreateTransportOrder"):
                self.books.refused["order_refused"] += 1

    @property
    def samples(self) -> bool:
        """Whether this tick is one to keep."""
        return self.clock.tick % SAMPLE_TICKS == 0

    def observe(self, causes: Callable[[], Causes]) -> None:
        """End the tick: books, checks and, twice a second, the record; *causes* is asked only then."""
        books = self.books
        if self.trucks.happened:
            for row, event, detail in self.trucks.happened:
                truck_id = self.scenario.roster.truck_ids[row]
                books.notice(event, truck_id=truck_id, **{"cause" if event == "emergency_braked" else "reason": detail})
            self.trucks.happened.clear()
        view = self.trucks.view(self.clock.now_s)
        books.tick(view)
        self._checker.tick(view)
        if self.samples:
            self.grounds.look(self.trucks.columns.paths, view)
            self.barriers.look(view, self.plant.raised)
            self.ends.look(self.trucks.columns.paths, view)
            named = books.sample(view, causes())
            end_lane_ix, end_chainage_m = self.trucks.ends()
            self._recorder.sample(Sample(view=view, end_lane_ix=end_lane_ix, end_chainage_m=end_chainage_m, standing_cause=named))

    def failures(self) -> tuple[str, ...]:
        """What went wrong that no figure shows."""
        refused = self.books.refused
        found = [*self._seen()]
        if refused["truck_refused"] and not self.scenario.troubled:
            found.append(f"the server refused to take on a truck {refused['truck_refused']} times")
        if self.books.batteries_empty and not self.scenario.troubled:
            found.append(f"{self.books.batteries_empty} trucks are stranded: their batteries are empty")
        if refused["order_refused"]:
            found.append("a transport order was refused")
        return tuple(found)

    def _seen(self) -> Iterator[str]:
        """What the watches saw that look twice a second."""
        for shared in self.grounds.found[:1]:
            yield (
                f"trucks held the same ground {len(self.grounds.found)} times; the first at {shared.time_s:.1f} s: "
                f"{shared.truck_id} and {shared.other_truck_id} at {shared.place_id}"
            )
        for hit in self.barriers.found[:1]:
            yield (
                f"{len(self.barriers.found)} shut barriers were driven through; the first at {hit.time_s:.1f} s: "
                f"{hit.truck_id} at {hit.gate_id}"
            )
        for end in self.ends.bad[:1]:
            yield (
                f"{len(self.ends.bad)} ends of authority would leave a truck where none may stand; the first at {end.time_s:.1f} s: "
                f"{end.truck_id}"
            )
        for standstill in self.progress.found[:1]:
            yield (
                f"trucks came to a standstill {len(self.progress.found)} times; the first seen at {standstill.time_s:.1f} s: "
                f"{standstill.told}"
            )
        if (since_s := self.progress.standstill_since_s) is not None:
            yield f"nobody has moved since {since_s:.1f} s, and nobody will: the run was ended before its {self.scenario.hours:g} h were over"

    def totals(self, wall_s: float, fault: str = "") -> Totals:
        """The books as they stand; *fault* is what ended the run before its time."""
        books = self.books
        return Totals(
            scenario=self.scenario.spec.scenario,
            seed=self.scenario.seed,
            trace_hash=books.trace_hash,
            sim_seconds=self.clock.now_s,
            wall_seconds=wall_s,
            truck_km=float(np.sum(self.trucks.travelled_m() - self._start_m)) / 1000.0,
            round_trips=books.round_trips,
            round_trip_s=tuple(books.round_trip_s),
            tonnes=books.tonnes,
            gate_wait_s=tuple(books.gate_wait_s),
            weather=tuple(spell.model_dump(mode="json", exclude_none=True) for spell in self.scenario.spec.weather),
            containers_due=books.due,
            containers_late=books.late,
            waiting_s_by_cause={cause: seconds for cause, seconds in books.waiting_s.items() if cause != UNEXPLAINED},
            unexplained_wait_s=books.waiting_s[UNEXPLAINED],
            emergency_brakes=books.emergency_brakes,
            energy_wh=float(np.sum(self.trucks.motion.energy_wh)),
            shared_grounds=len(self.grounds.found),
            barriers_driven_through=len(self.barriers.found),
            stranding_ends=len(self.ends.bad),
            standstills=len(self.progress.found),
            standstill_since_s=self.progress.standstill_since_s,
            longest_wait_s=self.progress.longest_wait_s,
            failures=((fault,) if fault else ()) + self.failures(),
        )
