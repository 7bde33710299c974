"""
A run on the wire whose server may die: the fleet drives on by itself, the plant keeps its answers, and both come back.

While there is no server, simulated time goes on for trucks and plant. Nothing a truck says is heard, and a request that was not
answered is made again, with the same id, once there is a server again: as every client of ours has to.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
import grpc.aio
import numpy as np

from fleet.onboard.link import CHANNEL_OPTIONS
from fleet.v1 import border_pb2, dispatch_pb2, truck_pb2
from planner.corridor import Corridor
from sim_harness import link
from sim_harness.checkers import Checkers
from sim_harness.lines import ASK_WITHIN_S, PAGE_SIZE, Lines
from sim_harness.no_stops import TOUCH_M, EndWatch, NoStops
from sim_harness.observation import Recorder, TickView
from sim_harness.scenario import Scenario
from sim_harness.spawn import ServerProcess
from sim_harness.truck_objects import TruckObjects
from sim_harness.wire_runner import WireRunner

MOVING_MPS: Final = 0.01
# Silence stops a truck after two seconds, at ten km/h where it clears a no-stop stretch; getting that slow takes some more.
SILENT_S: Final = 2.0
SETTLED_S: Final = 8.0

Whisper = Callable[[int, int], Sequence[truck_pb2.ControlMessage]]
"""What somebody who is not the server tells one truck (row) at a time in nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What must survive a server, by id, as its own services list it."""

    orders: dict[str, dispatch_pb2.TransportOrder]
    missions: dict[str, dispatch_pb2.Truck]
    crossings: dict[str, border_pb2.Crossing]
    gates: dict[str, border_pb2.Gate]


@dataclass(slots=True)
class Silence:
    """What the trucks did without a server, row by row; seconds count from its death."""

    stopped_s: list[float]
    rolled_m: list[float]
    fastest_late_mps: float = 0.0
    moved_again: set[str] = field(default_factory=set)


class LostLines(Lines):
    """Lines that may break: what was not answered is kept, and a call heard before is not heard again."""

    def __init__(self, address: str, truck_count: int, newest_call_id: int) -> None:
        super().__init__(address, CHANNEL_OPTIONS, truck_count)
        self.newest_call_id = newest_call_id
        self.unanswered: list[tuple[str, link.Request]] = []
        self.greeted: set[int] = set()
        self._stepped: asyncio.Future[object] | None = None

    async def close(self) -> None:
        """Hang up."""
        if self._stepped is not None:
            self._stepped.cancel()
            await asyncio.gather(self._stepped, return_exceptions=True)
        await super().close()

    async def say(self, said: Sequence[Sequence[truck_pb2.TruckMessage]]) -> None:
        """Send what the trucks say, and note who said hello."""
        self.greeted |= {row for row, messages in enumerate(said) for message in messages if message.HasField("hello")}
        await super().say(said)

    async def ask(self, method: str, request: link.Request) -> tuple[str, str] | None:
        """Make a unary request; method and reason when the server refused it, else None."""
        self._sent += 1
        service, _, name = method.partition("/")
        stub = self._dispatch if service == "DispatchService" else self._border_desk
        try:
            await getattr(stub, name)(request, timeout=ASK_WITHIN_S)
        except grpc.aio.AioRpcError as failed:
            if failed.code() is not grpc.StatusCode.UNAVAILABLE:
                return method, str(failed.details())
            self.unanswered.append((method, request))
        return None

    def take_calls(self) -> list[link.Heard]:
        """What the server asked of the border since last taken, each call once whoever is asked by how many servers."""
        self._border = [call for call in self._border if call.call_id > self.newest_call_id]
        self.newest_call_id = max([self.newest_call_id, *(call.call_id for call in self._border)])
        return super().take_calls()

    async def first_word(self) -> None:
        """Returns when the server has begun to speak about the tick under way, or has ended it without a word."""
        before = self._received
        self._stepped = stepped = asyncio.ensure_future(self._drive.read())
        while self._received == before and not stepped.done():
            self._more.clear()
            more = asyncio.ensure_future(self._more.wait())
            await asyncio.wait([more, stepped], return_when=asyncio.FIRST_COMPLETED)
            more.cancel()

    async def ledger(self) -> Ledger:
        """What the server has on its books between two ticks."""
        orders = await self._looks.ListTransportOrders(dispatch_pb2.ListTransportOrdersRequest(page_size=PAGE_SIZE))
        trucks = await self._looks.ListTrucks(dispatch_pb2.ListTrucksRequest(page_size=PAGE_SIZE))
        crossings = await self._border_desk.ListCrossings(border_pb2.ListCrossingsRequest(page_size=PAGE_SIZE))
        gates = await self._border_desk.ListGates(border_pb2.ListGatesRequest())
        return Ledger(
            orders={order.order_id: order for order in orders.orders},
            missions={truck.truck_id: _lasting(truck) for truck in trucks.trucks},
            crossings={crossing.crossing_id: crossing for crossing in crossings.crossings},
            gates={gate.gate_id: gate for gate in gates.gates},
        )


def _lasting(truck: dispatch_pb2.Truck) -> dispatch_pb2.Truck:
    """What of a truck is the server's to remember; the rest the truck tells it anew."""
    return dispatch_pb2.Truck(
        truck_id=truck.truck_id,
        truck_type_id=truck.truck_type_id,
        mission_id=truck.mission_id,
        mission=truck.mission,
        end=truck.end,
        goal_id=truck.goal_id,
        containers=truck.containers,
        round_trips=truck.round_trips,
        held=truck.held,
        decommissioned=truck.decommissioned,
    )


class OutageRunner(WireRunner):
    """Runs a scenario against a server process of ours that is killed and started on the way."""

    def __init__(self, scenario: Scenario, server: ServerProcess, recorder: Recorder) -> None:
        self.checkers = Checkers(scenario.roster)
        super().__init__(scenario, server.address, recorder, self.checkers)
        self._roster = scenario.roster
        self._server = server
        self._no_stops = NoStops(scenario.corridor)
        self.ends = EndWatch(scenario.roster)
        self._lines: LostLines = LostLines(server.address, self.truck_count, 0)
        self._unasked: list[tuple[str, link.Request]] = []
        self._serves = False
        self._steps = False
        self._welcomed: dict[int, int] = {}
        self._granted: dict[int, int] = {}
        self._granted_s: dict[int, float] = {}
        self.last_words: dict[int, truck_pb2.ControlMessage] = {}
        self.moved_early: set[str] = set()

    @property
    def trucks(self) -> TruckObjects:
        """The fleet."""
        return self._stage.trucks

    @property
    def view(self) -> TickView:
        """The truth now."""
        return self._stage.trucks.view(self.now_s)

    @property
    def corridor(self) -> Corridor:
        """The site's map."""
        return self._roster.corridor

    @property
    def epoch(self) -> int:
        """The server's term since it was last started."""
        return self._server.epoch

    @property
    def server_pid(self) -> int:
        """The server's process since it was last started."""
        return self._server.pid

    @property
    def truck_km(self) -> float:
        """Kilometres all trucks have come, up to a constant."""
        return float(self.trucks.travelled_m().sum()) / 1000.0

    @property
    def granted_s(self) -> list[float]:
        """Simulated seconds at which each truck was given its first authority since the last start, as far as any was."""
        return sorted(self._granted_s.values())

    async def open(self) -> None:
        """Connect to the server as it was last started; nothing is said or asked before the first tick."""
        heard = self._lines.newest_call_id
        self._lines = LostLines(self._server.address, self.truck_count, heard)
        await self._lines.open()
        self._serves = True
        self._welcomed.clear()
        self._granted.clear()
        self._granted_s.clear()

    async def _begin(self) -> None:
        """Begin the first tick after a silence, with the requests that were not answered before it."""
        self._steps = True
        unasked, self._unasked = self._unasked, []
        for method, request in unasked:
            self._call(method, request)
        await self._lines.begin_step(self._stage.clock.now_ns)

    async def close(self) -> None:
        """Hang up; nobody asks for what is still under way."""
        self._serves = self._steps = False
        await self._lines.close()

    async def drive(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> bool:
        """Drive with the server for some simulated time, or until *enough*, which is asked once a second; whether it was."""
        if not self._steps:
            await self._begin()
        for tick in range(round(seconds * 10)):
            may_move = {row for row, epoch in self._granted.items() if epoch == self._server.epoch == self._welcomed.get(row)}
            await self._tick()
            self.ends.tick(self.trucks, self.now_s)
            moving = np.flatnonzero(self.view.speed_mps > MOVING_MPS).tolist()
            self.moved_early |= {self._roster.truck_ids[row] for row in moving if row not in may_move}
            if tick % 10 == 9 and enough():
                return True
        return enough()

    async def ledger(self) -> Ledger:
        """The server's books after the tick under way, if one is."""
        if self._steps:
            await self._hear_now()
        return await self._lines.ledger()

    async def kill(self, *, mid_tick: bool = False) -> None:
        """
        Kill the server between two ticks or, *mid_tick*, when it has begun to speak about one.

        What it managed to say is heard; what it was asked and did not answer will be asked again.
        """
        if mid_tick:
            await self._lines.first_word()
        else:
            await self._hear_now()
        await self._server.kill()
        await self._lost()

    async def _lost(self) -> None:
        await asyncio.gather(*self._calls)
        self._calls.clear()
        await self.close()
        self._take_words()
        self._unasked += self._lines.unanswered
        self._stage.heard(self._lines.take_calls(), [])
        self.trucks.link_lost()

    async def restart(self) -> None:
        """Start the server again on the same journal, and connect."""
        await self._server.start()
        await self.open()

    async def freeze(self) -> None:
        """Freeze the server between two ticks: its streams stay up, and what is said to it waits there."""
        await self._hear_now()
        self._server.signal(signal.SIGSTOP)
        self._steps = False

    def thaw(self) -> None:
        """Let a frozen server go on: all that was said meanwhile comes at once."""
        self._server.signal(signal.SIGCONT)
        self._granted.clear()
        self._welcomed.clear()
        self._granted_s.clear()

    async def alone(self, seconds: float, whisper: Whisper = lambda _row, _now_ns: ()) -> Silence:
        """Let trucks and plant go on while the server is dead or frozen; *whisper* is what somebody else tells them meanwhile."""
        stage, trucks = self._stage, self.trucks
        began_s, began_m = self.now_s, trucks.travelled_m().copy()
        count = self.truck_count
        silence = Silence(stopped_s=[0.0] * count, rolled_m=[0.0] * count)
        stood = [False] * count
        for _ in range(round(seconds * 10)):
            now_ns = stage.advance()
            told, self._control = self._control, []
            for row in range(count):
                told += [(row, message) for message in whisper(row, now_ns)]
            for row, message in told:
                trucks.receive(row, message, now_ns)
            trucks.step(now_ns)
            stage.observe(self._known_causes)
            stage.people(now_ns)
            if self._serves:
                await self._lines.say(trucks.words(stage.clock.tick, now_ns))
            self.ends.tick(trucks, self.now_s)
            _note(silence, stood, self.view, self.now_s - began_s, self._roster.truck_ids)
        silence.rolled_m = (trucks.travelled_m() - began_m).tolist()
        return silence

    def forgotten(self, books: Ledger) -> list[str]:
        """Trucks that hold road which the server's *books* do not give them."""
        found = []
        for row, end_m in enumerate(self.view.end_path_m.tolist()):
            end = books.missions[self._roster.truck_ids[row]].end
            start_m = dict(self.trucks.road(row)).get(self.corridor.lane_ix[end.lane_id])
            # A lane the truck has not heard of lies beyond all it holds.
            if start_m is not None and start_m + end.chainage_m < end_m - TOUCH_M:
                found.append(self._roster.truck_ids[row])
        return found

    def stranded(self) -> list[str]:
        """Trucks any part of whose body is in a no-stop stretch."""
        view, found = self.view, []
        for row, truck_id in enumerate(self._roster.truck_ids):
            nose_m = float(view.nose_path_m[row])
            if self._no_stops.under(self.trucks.road(row), nose_m - self._roster.truck_types[row].length_m, nose_m):
                found.append(truck_id)
        return found

    def beyond_end(self) -> list[str]:
        """Trucks whose nose is past the end they hold, or that hold none."""
        inside = self.view.nose_path_m <= self.view.end_path_m
        return [truck_id for row, truck_id in enumerate(self._roster.truck_ids) if not inside[row]]

    def _call(self, method: str, request: link.Request) -> None:
        if self._serves:
            super()._call(method, request)
        else:
            self._unasked.append((method, request))

    async def _hear(self) -> None:
        await super()._hear()
        self._note_words()

    async def _hear_now(self) -> None:
        """Hear the end of the tick under way, and leave what was said to be taken by the next one."""
        told, self._control = self._control, []
        await self._hear()
        self._control = told + self._control

    def _take_words(self) -> None:
        self._control += self._lines.take_control()
        self._note_words()

    def _note_words(self) -> None:
        for row, message in self._control:
            if message.HasField("welcome"):
                self._welcomed[row] = message.welcome.epoch if row in self._lines.greeted else 0
            elif message.HasField("authority"):
                self.last_words[row] = message
                self._granted[row] = message.authority.term.epoch
                self._granted_s.setdefault(row, self.now_s)

    async def _ask_causes(self) -> None:
        """Nobody asks why trucks stand in these runs."""


def _note(silence: Silence, stood: list[bool], view: TickView, since_s: float, truck_ids: Sequence[str]) -> None:
    """Take one tick without a server into the account of it."""
    moving = view.speed_mps > MOVING_MPS
    for row, moves in enumerate(moving.tolist()):
        if not moves:
            stood[row] = since_s > SILENT_S
        elif stood[row]:
            silence.moved_again.add(truck_ids[row])
        else:
            silence.stopped_s[row] = since_s
    if since_s > SETTLED_S:
        silence.fastest_late_mps = max(silence.fastest_late_mps, float(view.speed_mps.max()))
