"""
Everything compiled before anybody is served.

A kernel that compiles at its first call would stop the loop for seconds with trucks on the road. Two trucks that exist nowhere say
hello to a server in memory, drive off and are forgotten.
"""

from __future__ import annotations

from typing import Final

from fleet.server.engine import EngineOptions
from fleet.server.headless import HeadlessServer
from fleet.server.loop.control_loop import LoopOptions
from fleet.server.settings import TICK_NS
from fleet.v1 import dispatch_pb2, gateway_pb2, truck_pb2
from planner.corridor import Corridor, Stand, TruckType, YardRole
from planner.policy import MOVING, PLANNED
from planner.timetable.task import Operation, Task, Use
from planner.timetable.timetable import Timetable

TRUCKS: Final = 2
# Long enough for the slowest look of the desk, the assignment of missions.
TICKS: Final = 60
WARM_UP: Final = "warm-up"


def warm_up(corridor: Corridor, policy: str = MOVING) -> None:
    """Drives every kernel once over *corridor*, under *policy*."""
    if policy == PLANNED:
        _plan()
    server = HeadlessServer(corridor, EngineOptions(loop=LoopOptions(policy=policy)))
    kind = min(corridor.truck_types, key=lambda truck_type: truck_type.length_m)
    stands = [stand for stand in corridor.stands if stand.stop_m > kind.length_m + 2.0][:TRUCKS]
    yards = corridor.yard_by_role
    if YardRole.LOADING in yards and YardRole.UNLOADING in yards:
        wanted = dispatch_pb2.CreateTransportOrderRequest(
            request_id=WARM_UP,
            from_yard_id=yards[YardRole.LOADING].yard_id,
            to_yard_id=yards[YardRole.UNLOADING].yard_id,
            container_count=1,
        )
        server.call("DispatchService/CreateTransportOrder", wanted)
    for tick in range(TICKS):
        now_ns = tick * TICK_NS
        relayed = [
            gateway_pb2.RelayedTruckMessage(truck_id=f"{WARM_UP}-{at}", message=_message(f"{WARM_UP}-{at}", kind, stand, now_ns, tick))
            for at, stand in enumerate(stands)
        ]
        server.say(gateway_pb2.GatewayMessage(gateway_id=WARM_UP, relayed=relayed).SerializeToString())
        server.tick(now_ns)


def _plan() -> None:
    """Two trucks in one place: the search's kernels, which would otherwise hold the interpreter's lock for seconds at the first plan."""
    truck = (Operation(duration=1, uses=(Use(resource=0),), successors=(1,)), Operation())
    chunks = iter(range(1))
    Timetable(Task(trucks=(truck, truck))).improve(lambda: next(chunks, None) is not None)


def _message(truck_id: str, kind: TruckType, stand: Stand, now_ns: int, tick: int) -> truck_pb2.TruckMessage:
    report = truck_pb2.Report(
        stamp_ns=now_ns + 1,
        lane_id=stand.lane_id,
        chainage_m=stand.stop_m,
        bound_m=0.3,
        intact=True,
        immobilised=True,
        challenge=now_ns + 1,
    )
    if tick:
        return truck_pb2.TruckMessage(report=report)
    hello = truck_pb2.Hello(
        truck_id=truck_id,
        instance_id=WARM_UP,
        boot_id=WARM_UP,
        truck_type_id=kind.truck_type_id,
        wire_version=1,
        body_lane_ids=[stand.lane_id],
        report=report,
    )
    return truck_pb2.TruckMessage(hello=hello)
