"""
A truck in real time: sensors in, actuators out, and the line to the server, until told to end.

A whole truck, with hardware that only pretends (it does what it is told at once):

    import asyncio
    from pathlib import Path
    from fleet.clock import SystemClock
    from fleet.onboard import Command, FileStore, Identity, LanePoint, Sensors, TruckClient, TruckType

    class Pretender:
        def __init__(self, clock):
            self.clock, self.chainage_m, self.speed_mps, self.demand_mps2 = clock, 40.0, 0.0, 0.0

        def sensors(self):
            self.speed_mps = max(0.0, self.speed_mps + 0.1 * self.demand_mps2)
            self.chainage_m += 0.1 * self.speed_mps
            return Sensors(
                stamp_ns=self.clock.now_ns(), nose=LanePoint("loading_lane_1", self.chainage_m), speed_mps=self.speed_mps,
                acceleration_mps2=self.demand_mps2, bound_m=0.3, laden=False, immobilised=self.speed_mps == 0.0,
            )

        def actuate(self, command: Command):
            self.demand_mps2 = command.acceleration_demand_mps2

    kind = TruckType(truck_type_id="coal_truck_70t", length_m=16.5, width_m=3.2, ...)  # as the site declares it
    me = Identity(truck_id="T001", instance_id="onboard-1", boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
                  truck_type_id=kind.truck_type_id)
    clock = SystemClock()
    truck = TruckClient(me, kind, Pretender(clock), server="127.0.0.1:50051", store=FileStore(Path("terms")), clock=clock)
    asyncio.run(truck.run())
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import grpc

from fleet.clock import Clock, SystemClock
from fleet.log import Event, Log
from fleet.onboard.hardware import Identity, TruckHardware
from fleet.onboard.link import Interpreter, Line
from fleet.onboard.store import TermStore
from fleet.onboard.truck import Supervisor
from planner.corridor import TruckType
from planner.limits import TICK_PERIOD_NS

_NS_PER_S: Final = 1e9

_log = Log("onboard")


class TruckClient:
    """
    Runs one truck's supervisor at 10 Hz and keeps its line up.

    A store that fails ends the run with its error: the hardware then misses its commands and brakes. So does any bug of ours.
    The store is written between two steps; a disk that stalls delays the next command, which the hardware notices in the same way.
    A certificate that changes in its folder is shown to the server on a second line, before the first one ends.
    """

    def __init__(
        self,
        identity: Identity,
        kind: TruckType,
        hardware: TruckHardware,
        *,
        server: str = "127.0.0.1:50051",
        store: TermStore,
        clock: Clock | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        tls: Path | None = None,
    ) -> None:
        """
        *tls* is the folder that `fleet tls issue truck ID` made, *credentials* are for who keeps his key elsewhere; without either the
        line is plain.

        Raises:
            PapersUnusable: something is wrong with *tls*.
        """
        self.supervisor = Supervisor(identity, kind, store)
        self._hardware = hardware
        self._clock = clock if clock is not None else SystemClock()
        self._interpreter = Interpreter(self.supervisor)
        self._line = Line(self._interpreter, server, self._clock, credentials, tls=tls)
        self._report_ns = 0
        self._leaving: asyncio.Event | None = None

    async def run(self) -> None:
        """Runs until `leave` is called or something breaks; the last command leaves the truck braking."""
        self._leaving = asyncio.Event()
        self._beat(self._clock.now_ns())
        async with asyncio.TaskGroup() as group:
            line = group.create_task(self._line.run())
            control = group.create_task(self._control())
            await self._leaving.wait()
            line.cancel()
            control.cancel()

    def leave(self, reason: str) -> None:
        """Says goodbye and ends `run`. It frees no road; the truck must stand."""
        self._line.outbox.put([self._interpreter.goodbye(reason)])
        if self._leaving is not None:
            asyncio.get_running_loop().call_later(TICK_PERIOD_NS / _NS_PER_S, self._leaving.set)

    async def _control(self) -> None:
        due_ns = self._clock.now_ns()
        while True:
            now_ns = self._clock.now_ns()
            self._beat(now_ns)
            # A late step is not made up for: two steps at once tell the brakes nothing new.
            due_ns = max(due_ns + TICK_PERIOD_NS, now_ns)
            await asyncio.sleep((due_ns - now_ns) / _NS_PER_S)

    def _beat(self, now_ns: int) -> None:
        """One step: sense, decide, act; then say what there is to say."""
        supervisor = self.supervisor
        supervisor.sense(self._hardware.sensors())
        self._hardware.actuate(supervisor.step(now_ns))
        self._line.outbox.put(self._interpreter.drain())
        if supervisor.hello_due(now_ns):
            self._line.renew()
        if now_ns - self._report_ns >= supervisor.report_period_ns:
            self._report_ns = now_ns
            self._line.outbox.put_report(self._interpreter.report(now_ns))
        if supervisor.refusal is not None:
            refusal, supervisor.refusal = supervisor.refusal, None
            _log.alarm(Event.TRUCK_REFUSED, reason=refusal.reason, detail=refusal.detail, hint=refusal.hint)
