"""
The plant and its people: gate controllers, loaders, chargers, and a customs officer, all seeded.

They hear the server's calls and answer through one function, *call*, so that the same plant works in memory and over a
network. Whatever takes time waits in one agenda of (due time, turn), which makes a day replay exactly.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from planner.corridor import BAY_PROCESS, Corridor, GateRole, Process, StandKind
from sim_harness import link
from sim_harness.clock import Streams
from sim_harness.link import BayState, Cargo, Decision, Work
from sim_harness.loaders import Chance, Keeper, Loader, aboard_after
from sim_harness.parts import LevelCrossingPart, process_of
from sim_harness.traffic import NO_TRAFFIC, Agenda, Cranes, LevelCrossing, MannedQueues, Traffic, crossing_name, crossings_of, gates_named

Call = Callable[[str, link.Request], None]
Notice = Callable[..., None]

SHUT_S: Final = 1.0
DECLARE_S: Final = 3.0
REACH_S: Final = 1.0
COAL_PER_CONTAINER_KG: Final = 32_500.0
CONTAINERS_A_TRIP: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantRules:
    """
    What the plant does beyond the site's own processes; shares are probabilities a trip.

    *loader_mtbf_h* 0: loaders never break.
    """

    inspect_share: float = 0.05
    refuse_share: float = 0.003
    portal_alarm_share: float = 0.002
    manual_share: float = 0.003
    manual_mean_s: float = 2700.0
    loader_mtbf_h: float = 40.0
    loader_mttr_min: float = 45.0


def draw_s(process: Process, rng: np.random.Generator) -> float:
    """
    One duration of *process* in seconds.

    Raises:
        ValueError: its shape has no meaning here.
    """
    match process.shape:
        case "triangular":
            return float(rng.triangular(process.a, process.b, process.c))
        case "lognormal":
            sigma = math.sqrt(math.log(1.0 + process.b * process.b))
            mu = math.log(process.a) - 0.5 * sigma * sigma
            return max(process.c, float(rng.lognormal(mu, sigma)))
        case "fixed":
            return process.a
        case shape:
            raise ValueError(f"process {process.process_id}: unknown shape {shape!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a plant stands, its ways, its chances, and who else uses it."""

    corridor: Corridor
    rules: PlantRules
    streams: Streams
    traffic: Traffic = NO_TRAFFIC


class Handled(Protocol):
    """The trucks, as loaders and chargers handle them."""

    def load(self, truck_id: str, mass_kg: float) -> None:
        """Put *mass_kg* aboard; 0 takes it off."""

    def battery_lack(self, truck_id: str) -> float:
        """Share of the battery that is missing."""
        ...

    def plug_in(self, truck_id: str, seconds: float) -> None:
        """Let what is missing flow in within so many seconds."""

    def recharge(self, truck_id: str) -> float:
        """Fill the battery; return the watt-hours it took."""
        ...


class Plant:
    """Everything at the roadside that answers the server."""

    def __init__(self, site: Site, trucks: Handled, call: Call, notice: Notice) -> None:
        self._corridor = site.corridor
        self._rules = site.rules
        self._streams = site.streams
        self._trucks = trucks
        self._call = call
        self._notice = notice
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._turn = 0
        self._asked = 0
        self._now_ns = 0
        self._generators: dict[tuple[str, str], np.random.Generator] = {}
        self._ready_ns: dict[str, int] = {}
        self._called_ns: dict[tuple[str, str], int] = {}
        self._containers = 0
        self._load_kg: dict[str, float] = {}
        self._open_for: dict[str, str] = {}
        # The barriers that are up, each with the truck it is up for.
        self.raised: dict[str, str] = {}
        # What is out of order, and what waits until it is mended.
        self._stopped: dict[str, list[Callable[[], None]]] = {}
        self.held_trucks: set[str] = set()
        self._crossings_at = crossings_of(site.traffic.level_crossings)
        agenda = Agenda(after=self._after, now_s=lambda: self._now_ns / 1e9)
        self._manned = [
            MannedQueues(
                gates_named(self._corridor, part.gates), part.trucks_per_h, self._manned_s, self._rng(part.gates, "manned"), agenda
            )
            for part in site.traffic.manned
        ]
        for number, part in enumerate(site.traffic.level_crossings):
            self._lay_rails(part, crossing_name(number), agenda)
        self._cranes = {part.yard: Cranes(part.count, agenda) for part in site.traffic.cranes}
        self._lifts = {part.yard: process_of("lift", part.lift) for part in site.traffic.cranes}
        keeper = Keeper(say=self._say_bay, end=self._end_visit, notice=notice)
        self._loaders = {
            stand.stand_id: Loader(stand.stand_id, self._chance(stand.stand_id), agenda, keeper)
            for stand in self._corridor.stands
            if stand.kind is StandKind.BAY and stand.yard_id not in self._cranes
        }

    def _lay_rails(self, part: LevelCrossingPart, name: str, agenda: Agenda) -> None:
        def on_rails() -> str | None:
            return next((self._open_for[gate_id] for gate_id in part.gates if gate_id in self._open_for), None)

        LevelCrossing(part, agenda, lambda: self.halt(name), lambda: self.goes_on(name), on_rails, self._notice)

    # -- chance and time -----------------------------------------------------------------------------------------------

    def _rng(self, entity: str, purpose: str) -> np.random.Generator:
        key = (entity, purpose)
        if key not in self._generators:
            self._generators[key] = self._streams.stream(entity, purpose)
        return self._generators[key]

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._turn += 1
        heapq.heappush(self._agenda, (self._now_ns + round(seconds * 1e9), self._turn, action))

    def step(self, now_ns: int) -> None:
        """Do what is due by *now_ns*."""
        self._now_ns = now_ns
        while self._agenda and self._agenda[0][0] <= now_ns:
            _, _, action = heapq.heappop(self._agenda)
            action()

    def called(self) -> tuple[tuple[str, str], ...]:
        """Gates that were called and not passed yet, each with the truck it was called for."""
        return tuple(self._called_ns)

    def halt(self, name: str) -> None:
        """A gate, or a bay's machine, does nothing more until it `goes_on`."""
        if name in self._loaders:
            self._loaders[name].breaks()
        else:
            self._stopped.setdefault(name, [])

    def goes_on(self, name: str) -> None:
        """What was halted works again: a machine goes on or is ready, anything else does at once what it should have done."""
        if name in self._loaders:
            self._loaders[name].mended()
        for action in self._stopped.pop(name, []):
            action()

    def _unless_halted(self, name: str, action: Callable[[], None]) -> None:
        if name in self._stopped:
            self._stopped[name].append(action)
        else:
            action()

    def shut_barrier(self, gate_id: str) -> str | None:
        """The gate's barrier falls shut, and its interlock says so; the truck it had been open for, if any."""
        truck_id = self._open_for.get(gate_id)
        if truck_id is not None:
            self.raised.pop(gate_id, None)
            self._call(*link.barrier(self._request_id(), gate_id, None))
            self._notice("gate_shut", gate_id=gate_id)
        return truck_id

    def reopen_barrier(self, gate_id: str, truck_id: str) -> None:
        """The barrier opens again for a truck that has not passed yet."""
        if self._open_for.get(gate_id) == truck_id:
            self.raised[gate_id] = truck_id
            self._call(*link.barrier(self._request_id(), gate_id, truck_id))
            self._notice("gate_opened", truck_id=truck_id, gate_id=gate_id)

    def release(self, truck_id: str) -> None:
        """Customs lets a truck go that it held."""
        self.held_trucks.discard(truck_id)
        self.goes_on(f"customs {truck_id}")

    def _request_id(self) -> str:
        self._asked += 1
        return f"plant-{self._asked}"

    # -- what the server says ------------------------------------------------------------------------------------------

    def hear(self, heard: link.Heard) -> None:
        """Take one call of the server's."""
        match heard:
            case link.ManifestDeclared():
                self._notice("crossing_declared", truck_id=heard.truck_id, crossing_id=heard.crossing_id)
                if not heard.homeward:
                    self._after(DECLARE_S, lambda: self._decide(heard))
            case link.GateCalled():
                self._gate(heard)
            case link.GatePassed():
                self._passed(heard)
            case link.BayCalled():
                self._bay(heard)
            case link.BayLeft():
                self._after(self._swings_s(heard.bay_id), lambda: self._ready(heard.bay_id))

    # -- customs -------------------------------------------------------------------------------------------------------

    def _decide(self, declared: link.ManifestDeclared) -> None:
        if declared.truck_id in self.held_trucks:
            self._say_decision(declared.crossing_id, declared.truck_id, Decision.HOLD)
            self.halt(f"customs {declared.truck_id}")
            self._stopped[f"customs {declared.truck_id}"].append(lambda: self._decide(declared))
            return
        drawn = float(self._rng("customs", "decision").random())
        answer = Decision.CLEAR
        if drawn < self._rules.refuse_share:
            answer = Decision.REFUSE
        elif drawn < self._rules.refuse_share + self._rules.inspect_share and self._has(GateRole.XRAY):
            answer = Decision.INSPECT
        self._say_decision(declared.crossing_id, declared.truck_id, answer)

    def _say_decision(self, crossing_id: str, truck_id: str, answer: Decision) -> None:
        self._call(*link.decision(self._request_id(), crossing_id, answer, "officer-1"))
        self._notice("crossing_decided", truck_id=truck_id, crossing_id=crossing_id, decision=answer.name.lower())

    def _has(self, role: GateRole) -> bool:
        return any(gate.role is role for gate in self._corridor.gates)

    # -- gates ---------------------------------------------------------------------------------------------------------

    def _gate(self, called: link.GateCalled) -> None:
        gate = self._corridor.gates[self._corridor.gate_ix[called.gate_id]]
        self._called_ns[(gate.gate_id, called.truck_id)] = self._now_ns
        self._notice("gate_called", truck_id=called.truck_id, gate_id=gate.gate_id)
        seconds = draw_s(self._corridor.processes[gate.process], self._rng(gate.gate_id, "process"))
        if gate.role is GateRole.XRAY and float(self._rng(gate.gate_id, "manual").random()) < self._rules.manual_share:
            manual = Process(process_id="manual_exam", shape="lognormal", a=self._rules.manual_mean_s, b=0.5, c=600.0)
            seconds += draw_s(manual, self._rng(gate.gate_id, "manual"))
        if (
            gate.role is GateRole.PORTAL
            and called.crossing_id
            and float(self._rng(gate.gate_id, "alarm").random()) < self._rules.portal_alarm_share
        ):
            self._say_decision(called.crossing_id, called.truck_id, Decision.INSPECT)
        queue = next((queue for queue in self._manned if called.gate_id in queue), None)
        if queue is not None:
            seconds = queue.done_in_s(called.gate_id, seconds)
        self._after(seconds, lambda: self._open_unless_halted(called))

    def _manned_s(self, gate_id: str) -> float:
        gate = self._corridor.gates[self._corridor.gate_ix[gate_id]]
        return draw_s(self._corridor.processes[gate.process], self._rng(gate_id, "manned"))

    def _open_unless_halted(self, called: link.GateCalled) -> None:
        """Open as soon as the gate works and no train is due; whatever was waited for, the other may have begun meanwhile."""
        names = (called.gate_id, *self._crossings_at.get(called.gate_id, ()))
        halted = next((name for name in names if name in self._stopped), None)
        if halted is None:
            self._open(called)
        else:
            self._stopped[halted].append(lambda: self._open_unless_halted(called))

    def _open(self, called: link.GateCalled) -> None:
        if (called.gate_id, called.truck_id) not in self._called_ns:
            # Called twice for it, by a server and by the next one: it is through, and the gate may be open for somebody else by now.
            return
        self._open_for[called.gate_id] = self.raised[called.gate_id] = called.truck_id
        self._call(*link.barrier(self._request_id(), called.gate_id, called.truck_id))
        self._notice("gate_opened", truck_id=called.truck_id, gate_id=called.gate_id)

    def _passed(self, passed: link.GatePassed) -> None:
        self._open_for.pop(passed.gate_id, None)
        called_ns = self._called_ns.pop((passed.gate_id, passed.truck_id), self._now_ns)
        self._notice("gate_passed", truck_id=passed.truck_id, gate_id=passed.gate_id, wait_s=(self._now_ns - called_ns) / 1e9)
        self._after(SHUT_S, lambda: self._unless_halted(passed.gate_id, lambda: self._shut(passed.gate_id)))

    def _shut(self, gate_id: str) -> None:
        self.raised.pop(gate_id, None)
        self._call(*link.barrier(self._request_id(), gate_id, None))
        self._notice("gate_shut", gate_id=gate_id)

    # -- bays and chargers ---------------------------------------------------------------------------------------------

    def _kind(self, stand_id: str) -> StandKind:
        return self._corridor.stands[self._corridor.stand_ix[stand_id]].kind

    def _draw_s(self, process_id: str, entity: str) -> float:
        return draw_s(self._corridor.processes[process_id], self._rng(entity, process_id))

    def _changeover_s(self, bay_id: str) -> float:
        """A bay's own machine swings back; a crane is with the next truck by then, which its lifts include."""
        under_crane = self._corridor.stands[self._corridor.stand_ix[bay_id]].yard_id in self._cranes
        return self._draw_s("bay_changeover", bay_id) if self._kind(bay_id) is StandKind.BAY and not under_crane else 0.0

    def _swings_s(self, bay_id: str) -> float:
        """Seconds until the machine is back where it can begin; it sets out the moment its work is done, and no truck waits for it."""
        return max(0.0, (self._ready_ns.get(bay_id, 0) - self._now_ns) / 1e9)

    def _say_bay(self, bay_id: str, state: BayState, truck_id: str, cargo: tuple[Cargo, ...] = ()) -> None:
        self._call(*link.bay(self._request_id(), bay_id, state, truck_id, cargo))

    def _bay(self, called: link.BayCalled) -> None:
        self._after(max(REACH_S, self._swings_s(called.bay_id)), lambda: self._begin(called))

    def _ready(self, bay_id: str) -> None:
        """For the next truck; a broken machine says so when it is mended."""
        if bay_id not in self._loaders or not self._loaders[bay_id].broken:
            self._say_bay(bay_id, BayState.READY, "")

    def _begin(self, called: link.BayCalled) -> None:
        loader = self._loaders.get(called.bay_id)
        if loader is not None and not loader.takes(called):
            return
        self._say_bay(called.bay_id, BayState.WORKING, called.truck_id)
        if called.work is Work.CHARGE:
            self._notice("charging_started", truck_id=called.truck_id, bay_id=called.bay_id)
            seconds = self._charge_s(called)
            if self._kind(called.bay_id) is StandKind.PLUG:
                self._trucks.plug_in(called.truck_id, seconds)
            self._after(seconds, lambda: self._charged(called))
            return
        self._notice(f"{called.work.name.lower()}ing_started", truck_id=called.truck_id, bay_id=called.bay_id)
        if loader is not None:
            loader.work(called, self._draw_s(BAY_PROCESS, called.bay_id))
            return
        yard_id = self._corridor.stands[self._corridor.stand_ix[called.bay_id]].yard_id
        lifts = len(called.cargo) or CONTAINERS_A_TRIP
        seconds = sum(draw_s(self._lifts[yard_id], self._rng(yard_id, "lift")) for _ in range(lifts))
        self._cranes[yard_id].work(seconds, lambda: self._unless_halted(called.bay_id, lambda: self._end_visit(called, 1.0)))

    def _chance(self, bay_id: str) -> Chance:
        return Chance(rng=self._rng(bay_id, "failure"), mtbf_h=self._rules.loader_mtbf_h, mttr_min=self._rules.loader_mttr_min)

    def _end_visit(self, called: link.BayCalled, share: float) -> None:
        """The truck is free, with what is aboard when so much of its visit is done."""
        aboard = self._load(called, share) if called.work is Work.LOAD else self._unload(called, share)
        self._ready_ns[called.bay_id] = self._now_ns + round(self._changeover_s(called.bay_id) * 1e9)
        self._say_bay(called.bay_id, BayState.CLEAR, called.truck_id, aboard)

    def _load(self, called: link.BayCalled, share: float) -> tuple[Cargo, ...]:
        wanted = tuple(
            Cargo(container_id=item.container_id, mass_kg=item.mass_kg or COAL_PER_CONTAINER_KG) for item in called.cargo
        ) or tuple(self._new_container() for _ in range(CONTAINERS_A_TRIP))
        aboard = wanted[: aboard_after(Work.LOAD, share, len(wanted))]
        if not aboard:
            self._notice("work_broke_off", truck_id=called.truck_id, bay_id=called.bay_id)
            return ()
        mass_kg = sum(item.mass_kg for item in aboard)
        self._load_kg[called.truck_id] = mass_kg
        self._trucks.load(called.truck_id, mass_kg)
        self._notice("loaded", truck_id=called.truck_id, bay_id=called.bay_id, mass_kg=mass_kg)
        return aboard

    def _unload(self, called: link.BayCalled, share: float) -> tuple[Cargo, ...]:
        """What is still aboard; of a load of which nothing is known all comes off in the end."""
        off = len(called.cargo) - aboard_after(Work.UNLOAD, share, len(called.cargo))
        left = called.cargo[off:]
        if called.cargo and not off:
            self._notice("work_broke_off", truck_id=called.truck_id, bay_id=called.bay_id)
            return left
        left_kg = sum(item.mass_kg for item in left)
        mass_kg = self._load_kg.pop(called.truck_id, left_kg) - left_kg
        if left:
            self._load_kg[called.truck_id] = left_kg
        self._trucks.load(called.truck_id, left_kg)
        self._notice("unloaded", truck_id=called.truck_id, bay_id=called.bay_id, mass_kg=mass_kg, containers=off)
        return left

    def _new_container(self) -> Cargo:
        self._containers += 1
        return Cargo(container_id=f"KHLU{self._containers:07d}", mass_kg=COAL_PER_CONTAINER_KG)

    def _charge_s(self, called: link.BayCalled) -> float:
        if self._kind(called.bay_id) is StandKind.SWAP:
            return self._draw_s("swap", called.bay_id)
        return self._draw_s("plug", called.bay_id) * self._trucks.battery_lack(called.truck_id)

    def _charged(self, called: link.BayCalled) -> None:
        energy_wh = self._trucks.recharge(called.truck_id)
        self._notice("charged", truck_id=called.truck_id, bay_id=called.bay_id, energy_wh=energy_wh)
        self._say_bay(called.bay_id, BayState.CLEAR, called.truck_id)
