"""
`fleet sim cab`: one simulated truck in real time, whose onboard computer is somebody else's process.

The motion is the simulator's own, with brakes that take their time, motors that slew and a position that is wrong by a fixed error. The
computer names the lanes it steers along, for it is told its road by the control server; the truck itself knows no map and no authority.
So whoever watches the truth here shares nothing with what the computer believes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import grpc
import grpc.aio
from grpc_status import rpc_status

from fleet.clock import NS_PER_S, SystemClock
from fleet.errors import Code, FleetError
from fleet.server.wire.interceptors import status_of
from fleet.v1 import cab_pb2, cab_pb2_grpc
from planner.corridor import Corridor, Lane, TruckType
from sim_harness import dynamics
from sim_harness.clock import Streams
from sim_harness.observation import TICK_S, Roster

# The hardware's own rule: a computer that says nothing for so long has hung or died.
PEDALS_AGE_MAX_S: Final = 0.5
BOUND_M: Final = 0.3
# Of the bound, either way: a bound that is always just met would hide one that is not kept.
ERROR_SHARE: Final = 0.9
CHARGED: Final = 0.95
_MODES: Final = {
    cab_pb2.CAB_MODE_HOLD: dynamics.HOLD,
    cab_pb2.CAB_MODE_DRIVE: dynamics.DRIVE,
    cab_pb2.CAB_MODE_SERVICE_BRAKE: dynamics.SERVICE_BRAKE,
}

_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(eq=False)
class CabTaken(FleetError):
    """Another computer drives this truck."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "A truck has one computer; end the other drive first."

    truck_type_id: str


@dataclass(eq=False)
class LeftTheRoad(FleetError):
    """The truck came to the end of its lane, and its computer had named none to go on along."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Name the lanes of the route in the pedals, from the one under the nose on."

    lane_id: str


class SimulatedCab:
    """
    One truck, and what its computer does with it.

    *lane_id*, *chainage_m*: the true nose at the start, where the truck stands empty. *seed* draws the error of its position.
    """

    def __init__(self, corridor: Corridor, lane_id: str, chainage_m: float, *, seed: int = 1) -> None:
        self.kind: TruckType = corridor.truck_types[0]
        self._lanes = {lane.lane_id: lane for lane in corridor.lanes}
        body = lanes_under(corridor, lane_id, chainage_m, self.kind.length_m)
        self._way = [lane.lane_id for lane in body]
        self._starts_m = [0.0]
        for lane in body:
            self._starts_m.append(self._starts_m[-1] + lane.length_m)
        roster = Roster(corridor=corridor, truck_ids=("cab",), truck_types=(self.kind,))
        self._motion = dynamics.at_rest(roster.column("length_m"))
        self._motion.nose_m[0] = self._starts_m[-2] + chainage_m
        self._build, self._demand, self._around = dynamics.build_of(roster), dynamics.no_demand(1), dynamics.calm(1)
        self._error_m = ERROR_SHARE * BOUND_M * float(Streams(seed).stream("cab", "position error").uniform(-1.0, 1.0))
        self._ahead: list[str] = []
        self._parked = True
        self._untold_s = 0.0
        # Compiles, where nobody has before: that takes seconds, and nobody's truck shall stand still for them on the road.
        dynamics.move(self._motion, self._build, self._demand, self._around, dynamics.SUB_STEP_S, 0)

    @property
    def nose(self) -> tuple[str, float]:
        """Lane and chainage of the true nose."""
        return self._place(float(self._motion.nose_m[0]))

    @property
    def travelled_m(self) -> float:
        """The true nose on the truck's own way, which begins with the lane under its tail."""
        return float(self._motion.nose_m[0])

    @property
    def speed_mps(self) -> float:
        """The true speed."""
        return float(self._motion.speed_mps[0])

    def along_m(self, lane_id: str, chainage_m: float) -> float | None:
        """Where a place lies on the truck's own way, in the frame of `travelled_m`; None off it."""
        way = [*self._way, *self._ahead]
        if lane_id not in way:
            return None
        at = way.index(lane_id)
        return sum(self._lanes[each].length_m for each in way[:at]) + chainage_m

    def load(self, mass_kg: float) -> None:
        """Put so much coal aboard, or take it off with 0."""
        self._around.load_kg[0], self._around.laden[0] = mass_kg, mass_kg > 0.0

    def obey(self, pedals: cab_pb2.Pedals) -> None:
        """Take what the computer wants until it says something else."""
        self._untold_s = 0.0
        # What is no number is what a fault sends, as an empty message is.
        sound = math.isfinite(pedals.acceleration_mps2)
        self._demand.mode[0] = _MODES.get(pedals.mode, dynamics.EMERGENCY_BRAKE) if sound else dynamics.EMERGENCY_BRAKE
        self._demand.acceleration_mps2[0] = pedals.acceleration_mps2 if sound else 0.0
        self._parked = pedals.park and self.speed_mps == 0.0
        lane_ids, here = list(pedals.lane_ids), self._way[-1]
        if here in lane_ids:
            self._ahead = lane_ids[lane_ids.index(here) + 1 :]

    def step(self) -> None:
        """
        Move on by a tenth of a second.

        Raises:
            LeftTheRoad: there is no lane to go on along.
        """
        self._untold_s += TICK_S
        if self._untold_s > PEDALS_AGE_MAX_S:
            self._demand.mode[0] = dynamics.EMERGENCY_BRAKE
        if self._parked:
            self._demand.mode[0] = dynamics.HOLD
        dynamics.move(self._motion, self._build, self._demand, self._around, dynamics.SUB_STEP_S, dynamics.SUB_STEPS)
        while self._motion.nose_m[0] >= self._starts_m[-1]:
            before = self._lanes[self._way[-1]]
            after = self._lanes.get(self._ahead.pop(0)) if self._ahead else None
            if after is None or after.from_node_id != before.to_node_id:
                raise LeftTheRoad(lane_id=before.lane_id)
            self._way.append(after.lane_id)
            self._starts_m.append(self._starts_m[-1] + after.length_m)
        self._around.grade[0] = _grade(self._lanes[self._way[-1]], self.nose[1])

    def reading(self) -> cab_pb2.Reading:
        """What the sensors show now."""
        believed_m = max(0.0, self.travelled_m + self._error_m)
        lane_id, chainage_m = self._place(believed_m)
        tail_m = believed_m - self.kind.length_m
        return cab_pb2.Reading(
            lane_id=lane_id,
            chainage_m=chainage_m,
            bound_m=BOUND_M,
            speed_mps=self.speed_mps,
            acceleration_mps2=float(self._motion.acceleration_mps2[0]),
            laden=bool(self._around.laden[0]),
            parked=self._parked,
            battery_wh=max(0.0, CHARGED * self.kind.battery_wh - float(self._motion.energy_wh[0])),
            body_lane_ids=[lane for lane, (start_m, end_m) in self._spans() if end_m > tail_m and start_m <= believed_m],
        )

    def _spans(self) -> list[tuple[str, tuple[float, float]]]:
        return list(zip(self._way, zip(self._starts_m, self._starts_m[1:], strict=False), strict=True))

    def _place(self, at_m: float) -> tuple[str, float]:
        for lane_id, (start_m, end_m) in self._spans():
            if at_m < end_m:
                return lane_id, at_m - start_m
        return self._way[-1], at_m - self._starts_m[-2]


def lanes_under(corridor: Corridor, lane_id: str, nose_m: float, length_m: float) -> list[Lane]:
    """The lanes under a body whose nose is at *nose_m* of a lane, tail first: at a node, the first that leads there."""
    lanes = [corridor.lanes[corridor.lane_ix[lane_id]]]
    behind_m = length_m - nose_m
    while behind_m > 0.0:
        before = next((lane for lane in corridor.lanes if lane.to_node_id == lanes[0].from_node_id), None)
        if before is None:
            break
        lanes.insert(0, before)
        behind_m -= before.length_m
    return lanes


def _grade(lane: Lane, chainage_m: float) -> float:
    return next(piece.grade for piece in reversed(lane.grades) if piece.from_m <= chainage_m)


class CabDesk(cab_pb2_grpc.CabServiceServicer):
    """Serves one cab; time passes in it from `run` on, whether anybody drives or not."""

    def __init__(self, cab: SimulatedCab, watch: Callable[[SimulatedCab], None]) -> None:
        self._cab = cab
        self._watch = watch
        self._moved = asyncio.Condition()
        self._driven = False
        self._ended: LeftTheRoad | None = None

    async def run(self) -> None:
        """Move the truck ten times a second, until it leaves the road."""
        clock = SystemClock()
        due_ns = clock.now_ns()
        while self._ended is None:
            try:
                self._cab.step()
            except LeftTheRoad as left:
                self._ended = left
            self._watch(self._cab)
            async with self._moved:
                self._moved.notify_all()
            # Simulated time keeps up with the wall's: the control server and the computer live by theirs.
            due_ns += round(TICK_S * NS_PER_S)
            await asyncio.sleep(max(0, due_ns - clock.now_ns()) / NS_PER_S)

    async def Drive(  # type: ignore[override]  # noqa: N802 - the wire's name; the stub knows only generators
        self, request_iterator: AsyncIterator[cab_pb2.Pedals], context: _Context
    ) -> None:
        """One computer, for as long as it stays."""
        if self._driven:
            await context.abort_with_status(rpc_status.to_status(status_of(CabTaken(truck_type_id=self._cab.kind.truck_type_id))))
        self._driven = True
        listening = asyncio.create_task(self._listen(request_iterator))
        try:
            while self._ended is None and not listening.done():
                await context.write(self._cab.reading())
                async with self._moved:
                    await self._moved.wait()
        finally:
            listening.cancel()
            self._driven = False
        if self._ended is not None:
            await context.abort_with_status(rpc_status.to_status(status_of(self._ended)))

    async def _listen(self, pedals: AsyncIterator[cab_pb2.Pedals]) -> None:
        async for each in pedals:
            self._cab.obey(each)


def _nobody(_: SimulatedCab) -> None:
    """Watches nothing."""


@asynccontextmanager
async def served(cab: SimulatedCab, address: str = "127.0.0.1:0", watch: Callable[[SimulatedCab], None] = _nobody) -> AsyncIterator[str]:
    """
    Serve *cab* on *address* (port 0: any) while the block runs; the address it is found at. *watch* sees the truth after each step.

    Raises:
        OSError: the address cannot be listened on.
    """
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    desk = CabDesk(cab, watch)
    cab_pb2_grpc.add_CabServiceServicer_to_server(desk, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as failed:
        raise OSError(f"cannot listen on {address}: {failed}") from None
    await server.start()
    moving = asyncio.create_task(desk.run())
    try:
        yield f"{address.rpartition(':')[0]}:{port}"
    finally:
        moving.cancel()
        await server.stop(None)
        with suppress(asyncio.CancelledError):
            await moving


def place_of(corridor: Corridor, text: str) -> tuple[str, float]:
    """
    A place of the *corridor* said as a stand's name, or as LANE:CHAINAGE.

    Raises:
        ValueError: there is no such place.
    """
    for stand in corridor.stands:
        if stand.stand_id == text:
            return stand.lane_id, stand.stop_m
    lane_id, _, chainage = text.rpartition(":")
    at_m = float(chainage) if chainage.replace(".", "", 1).isdecimal() else math.nan
    if not any(lane.lane_id == lane_id and 0.0 <= at_m < lane.length_m for lane in corridor.lanes):
        raise ValueError(f"{text} is neither a stand nor a place on a lane")
    return lane_id, at_m
