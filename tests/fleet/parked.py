"""Hardware of a truck that stands on a stand, whatever it is told."""

from __future__ import annotations

from fleet.clock import SystemClock
from fleet.onboard import Command, LanePoint, Sensors
from planner.corridor import Stand


class Parked:
    """At *stand*, brakes on, battery full."""

    def __init__(self, stand: Stand) -> None:
        self.clock = SystemClock()
        self._nose = LanePoint(stand.lane_id, stand.stop_m)

    def sensors(self) -> Sensors:
        """It stands."""
        return Sensors(
            stamp_ns=self.clock.now_ns(), nose=self._nose, speed_mps=0.0, acceleration_mps2=0.0, bound_m=0.3, laden=False,
            immobilised=True, battery_wh=3.3e5,
        )  # fmt: skip

    def actuate(self, command: Command) -> None:
        """It goes on standing."""
