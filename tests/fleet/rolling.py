"""Hardware of a truck that does at once what it is told, and only pretends to have wheels."""

from __future__ import annotations

from fleet.clock import SystemClock
from fleet.onboard import Command, Identity, LanePoint, MemoryStore, Sensors, TruckClient
from planner.corridor import Corridor, Stand

STEP_S = 0.1


class Rolling:
    """From *stand* on along its lane."""

    def __init__(self, stand: Stand) -> None:
        self.clock = SystemClock()
        self._lane_id = stand.lane_id
        self.began_m = self.chainage_m = stand.stop_m
        self._speed_mps, self._asked_mps2 = 0.0, 0.0

    def sensors(self) -> Sensors:
        """Where it has got to."""
        self._speed_mps = max(0.0, self._speed_mps + STEP_S * self._asked_mps2)
        self.chainage_m += STEP_S * self._speed_mps
        return Sensors(
            stamp_ns=self.clock.now_ns(), nose=LanePoint(self._lane_id, self.chainage_m), speed_mps=self._speed_mps,
            acceleration_mps2=self._asked_mps2, bound_m=0.3, laden=False, immobilised=self._speed_mps == 0.0, battery_wh=3.3e5,
        )  # fmt: skip

    def actuate(self, command: Command) -> None:
        """Obeys."""
        self._asked_mps2 = command.acceleration_demand_mps2

    @property
    def drove_m(self) -> float:
        """So far."""
        return self.chainage_m - self.began_m


def rolling(corridor: Corridor, stand: Stand, server: str) -> tuple[Rolling, TruckClient]:
    """The truck of that stand, named for it."""
    hardware, kind = Rolling(stand), corridor.truck_types[0]
    me = Identity(
        truck_id=stand.stand_id, instance_id="onboard", boot_id="boot", truck_type_id=kind.truck_type_id, map_digest=corridor.digest
    )
    return hardware, TruckClient(me, kind, hardware, server=server, store=MemoryStore())
