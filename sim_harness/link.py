"""
The simulator's mouth and ears: what plant and people say and hear as messages, and an in-memory wire for frames.

Everything that crosses to the server is protobuf, made and read here or in `truck_agent`; the rest of the simulator
speaks in the small values below.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np

from fleet.v1 import border_pb2, common_pb2, dispatch_pb2
from sim_harness.parts import OrderPart

# Half the length of a pickup, and how well its transponder knows its place (assumed).
MANNED_RADIUS_M: Final = 8.0

Request: TypeAlias = (
    dispatch_pb2.CreateTransportOrderRequest
    | dispatch_pb2.ResumeTruckRequest
    | dispatch_pb2.HoldTruckRequest
    | dispatch_pb2.CloseLaneRequest
    | dispatch_pb2.OpenLaneRequest
    | dispatch_pb2.AcquireControlRequest
    | dispatch_pb2.LiftStopRequest
    | dispatch_pb2.ReportIntrusionRequest
    | dispatch_pb2.ReleaseIntrusionRequest
    | dispatch_pb2.RemoveTruckRequest
    | dispatch_pb2.RecommissionTruckRequest
    | dispatch_pb2.SetLaneFrictionRequest
    | dispatch_pb2.LimitLaneRequest
    | dispatch_pb2.StopAllRequest
    | border_pb2.DecideCrossingRequest
    | border_pb2.ReportBarrierRequest
    | border_pb2.ReportBayRequest
)
"""A unary request that a person or a machine of the plant makes."""


class Work(IntEnum):
    """What is done at a bay; numbers as on the wire."""

    LOAD = 1
    UNLOAD = 2
    CHARGE = 3


class Decision(IntEnum):
    """What customs may answer; numbers as on the wire."""

    CLEAR = 1
    INSPECT = 2
    REFUSE = 3
    HOLD = 4


class BayState(IntEnum):
    """What a loader may prove of its bay; numbers as on the wire."""

    READY = 1
    BLOCKED = 2
    WORKING = 3
    CLEAR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """One container."""

    container_id: str
    mass_kg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDeclared:
    """Customs may look at a crossing from now on."""

    crossing_id: str
    truck_id: str
    homeward: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCalled:
    """A truck asks to be processed at a gate."""

    gate_id: str
    truck_id: str
    crossing_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePassed:
    """The truck's tail has cleared the gate."""

    gate_id: str
    truck_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BayCalled:
    """A truck stands immobilised at a bay."""

    bay_id: str
    truck_id: str
    work: Work
    cargo: tuple[Cargo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BayLeft:
    """The truck's tail has cleared the bay."""

    bay_id: str
    truck_id: str


Heard: TypeAlias = ManifestDeclared | GateCalled | GatePassed | BayCalled | BayLeft


def _cargo(containers: Iterable[common_pb2.Container]) -> tuple[Cargo, ...]:
    return tuple(Cargo(container_id=item.container_id, mass_kg=item.mass_kg) for item in containers)


def read_call(call: border_pb2.BorderCall) -> Heard | None:
    """What the server asks of somebody; None for a call that this plant does not know."""
    match call.WhichOneof("content"):
        case "manifest_declared":
            crossing = call.manifest_declared.crossing
            return ManifestDeclared(crossing_id=crossing.crossing_id, truck_id=crossing.truck_id, homeward=crossing.homeward)
        case "gate_call":
            asked = call.gate_call
            return GateCalled(gate_id=asked.gate_id, truck_id=asked.truck_id, crossing_id=asked.crossing_id)
        case "gate_passed":
            return GatePassed(gate_id=call.gate_passed.gate_id, truck_id=call.gate_passed.truck_id)
        case "bay_call":
            bay = call.bay_call
            return BayCalled(bay_id=bay.bay_id, truck_id=bay.truck_id, work=Work(bay.work), cargo=_cargo(bay.containers))
        case "bay_left":
            return BayLeft(bay_id=call.bay_left.bay_id, truck_id=call.bay_left.truck_id)
        case _:
            return None


def barrier(request_id: str, gate_id: str, truck_id: str | None) -> tuple[str, Request]:
    """The interlock proves its barrier open for *truck_id*, or shut when None."""
    state = border_pb2.BARRIER_STATE_SHUT if truck_id is None else border_pb2.BARRIER_STATE_OPEN
    return "BorderService/ReportBarrier", border_pb2.ReportBarrierRequest(
        request_id=request_id, gate_id=gate_id, state=state, truck_id=truck_id or ""
    )


def bay(request_id: str, bay_id: str, state: BayState, truck_id: str, cargo: Iterable[Cargo] = ()) -> tuple[str, Request]:
    """The loader proves what it does; with CLEAR, *cargo* is aboard."""
    containers = [common_pb2.Container(container_id=item.container_id, mass_kg=item.mass_kg) for item in cargo]
    return "BorderService/ReportBay", border_pb2.ReportBayRequest(
        request_id=request_id, bay_id=bay_id, state=border_pb2.BayState.ValueType(int(state)), truck_id=truck_id, containers=containers
    )


def decision(request_id: str, crossing_id: str, answer: Decision, officer: str) -> tuple[str, Request]:
    """Customs answers a manifest."""
    return "BorderService/DecideCrossing", border_pb2.DecideCrossingRequest(
        request_id=request_id,
        crossing_id=crossing_id,
        decision=border_pb2.CrossingDecision.ValueType(int(answer)),
        officer=officer,
    )


def order(request_id: str, part: OrderPart, due_s: float | None = None) -> tuple[str, Request]:
    """An operator puts in a transport order, due *due_s* after time 0."""
    request = dispatch_pb2.CreateTransportOrderRequest(
        request_id=request_id, from_yard_id=part.from_, to_yard_id=part.to, container_count=part.containers, priority=part.priority
    )
    if due_s is not None:
        request.due_time.FromNanoseconds(round(due_s * 1e9))
    return "DispatchService/CreateTransportOrder", request


def acquire_control(request_id: str, holder: str) -> tuple[str, Request]:
    """An operator takes control."""
    return "DispatchService/AcquireControl", dispatch_pb2.AcquireControlRequest(request_id=request_id, holder=holder)


def resume(request_id: str, truck_id: str) -> tuple[str, Request]:
    """An operator lifts a hold or a quarantine."""
    return "DispatchService/ResumeTruck", dispatch_pb2.ResumeTruckRequest(request_id=request_id, truck_id=truck_id)


def hold(request_id: str, truck_id: str, reason: str) -> tuple[str, Request]:
    """An operator holds a truck."""
    return "DispatchService/HoldTruck", dispatch_pb2.HoldTruckRequest(request_id=request_id, truck_id=truck_id, reason=reason)


def close_lane(request_id: str, lane_id: str, reason: str) -> tuple[str, Request]:
    """An operator closes a lane."""
    return "DispatchService/CloseLane", dispatch_pb2.CloseLaneRequest(request_id=request_id, lane_id=lane_id, reason=reason)


def open_lane(request_id: str, lane_id: str) -> tuple[str, Request]:
    """An operator opens a lane again."""
    return "DispatchService/OpenLane", dispatch_pb2.OpenLaneRequest(request_id=request_id, lane_id=lane_id)


def lift(request_id: str, stop_id: str) -> tuple[str, Request]:
    """An operator lifts an all-stop."""
    return "DispatchService/LiftStop", dispatch_pb2.LiftStopRequest(request_id=request_id, stop_id=stop_id)


def transponder(request_id: str, intrusion_id: str, place: tuple[str, float], speed_mps: float, stamp_ns: int) -> tuple[str, Request]:
    """A manned truck's transponder says where its nose is."""
    lane_id, chainage_m = place
    return "DispatchService/ReportIntrusion", dispatch_pb2.ReportIntrusionRequest(
        request_id=request_id,
        intrusion_id=intrusion_id,
        kind=dispatch_pb2.INTRUSION_KIND_MANNED_TRUCK,
        tracked=True,
        place=common_pb2.LanePoint(lane_id=lane_id, chainage_m=chainage_m),
        radius_m=MANNED_RADIUS_M,
        speed_mps=speed_mps,
        stamp_ns=stamp_ns,
    )


def release_intrusion(request_id: str, intrusion_id: str) -> tuple[str, Request]:
    """A person says that a place is clear."""
    return "DispatchService/ReleaseIntrusion", dispatch_pb2.ReleaseIntrusionRequest(request_id=request_id, intrusion_id=intrusion_id)


def recommission(request_id: str, truck_id: str) -> tuple[str, Request]:
    """The workshop says that a truck's brakes are as declared again."""
    return "DispatchService/RecommissionTruck", dispatch_pb2.RecommissionTruckRequest(
        request_id=request_id, truck_id=truck_id, reason="brakes mended and tested"
    )


def grip(request_id: str, lane_id: str, friction: float) -> tuple[str, Request]:
    """Somebody has measured a lane's friction."""
    return "DispatchService/SetLaneFriction", dispatch_pb2.SetLaneFrictionRequest(
        request_id=request_id, lane_id=lane_id, friction=friction, reason="gritted and measured"
    )


def road_grip(request_id: str, lane_id: str, friction: float) -> tuple[str, Request]:
    """The road weather station tells a lane's friction."""
    return "DispatchService/SetLaneFriction", dispatch_pb2.SetLaneFrictionRequest(
        request_id=request_id, lane_id=lane_id, friction=friction, reason="road weather station"
    )


def lane_limit(request_id: str, lane_id: str, speed_limit_mps: float) -> tuple[str, Request]:
    """An operator limits the speed on a lane for the weather; 0 lifts it."""
    return "DispatchService/LimitLane", dispatch_pb2.LimitLaneRequest(
        request_id=request_id, lane_id=lane_id, speed_limit_mps=speed_limit_mps, reason="weather"
    )


def stop_all(stop_id: str) -> tuple[str, Request]:
    """An operator stops every truck because of the weather."""
    return "DispatchService/StopAll", dispatch_pb2.StopAllRequest(stop_id=stop_id, reason="weather")


def remove(request_id: str, truck_id: str) -> tuple[str, Request]:
    """Two persons declare a truck gone."""
    return "DispatchService/RemoveTruck", dispatch_pb2.RemoveTruckRequest(
        request_id=request_id, truck_id=truck_id, taken_to="workshop", second_person="operator-2", powered_off=True
    )


def term(epoch: int, sequence: int) -> common_pb2.Term:
    """A term on the wire."""
    return common_pb2.Term(epoch=epoch, sequence=sequence)


NEXT_TICK: Final = 1


class Wire:
    """
    An in-memory wire for whole frames, one way: each takes some ticks, and may be lost.

    Frames stay in order, as on a stream: one that is late holds up those behind it.
    """

    def __init__(self, rng: np.random.Generator, *, delay_ticks: int = NEXT_TICK, jitter_ticks: int = 0, loss: float = 0.0) -> None:
        self._rng = rng
        self._delay_ticks = delay_ticks
        self._jitter_ticks = jitter_ticks
        self._loss = loss
        self._flying: deque[tuple[int, bytes]] = deque()

    def send(self, tick: int, frame: bytes) -> None:
        """Put *frame* on the wire at *tick*."""
        if self._loss > 0.0 and self._rng.random() < self._loss:
            return
        jitter = int(self._rng.integers(0, self._jitter_ticks + 1)) if self._jitter_ticks else 0
        self._flying.append((tick + self._delay_ticks + jitter, frame))

    def arrived(self, tick: int) -> list[bytes]:
        """Take off the wire what has arrived by *tick*, in the order it was sent."""
        frames: list[bytes] = []
        while self._flying and self._flying[0][0] <= tick:
            frames.append(self._flying.popleft()[1])
        return frames
