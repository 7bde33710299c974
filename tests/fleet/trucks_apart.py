"""
Trucks of the onboard SDK in a process of their own: `python -m tests.fleet.trucks_apart SITE HOST:PORT STAND...`.

A line of JSON says whenever a truck's contact lapsed or came back, when (the machine's monotonic clock), and how long the truck had
then been without proof of its server. SIGUSR1 blocks the event loop for six seconds.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from typing import Final

from fleet import log
from fleet.clock import SystemClock
from fleet.onboard import Command, Identity, LanePoint, MemoryStore, Sensors, TruckClient
from fleet.site import load_site
from planner.corridor import Corridor

BLOCKED_S: Final = 6.0


class Parked:
    """Hardware of a truck that stands, and tells of its contact each time it is told what to do."""

    def __init__(self, stand_id: str, stop_m: float) -> None:
        self._place = LanePoint(stand_id, stop_m)
        self._clock = SystemClock()
        self._lapsed: bool | None = None
        self.client: TruckClient | None = None

    def sensors(self) -> Sensors:
        """At its stand, brakes on."""
        return Sensors(
            stamp_ns=self._clock.now_ns(),
            nose=self._place,
            speed_mps=0.0,
            acceleration_mps2=0.0,
            bound_m=0.3,
            laden=False,
            immobilised=True,
        )

    def actuate(self, command: Command) -> None:
        """Stands, and says what has changed."""
        del command
        if self.client is None:
            return
        contact, now_ns = self.client.supervisor.contact, self._clock.now_ns()
        if contact.lapsed != self._lapsed:
            self._lapsed = contact.lapsed
            said = {"truck": self._place.lane_id, "lapsed": contact.lapsed, "at_ns": now_ns, "silence_s": contact.silence_s(now_ns)}
            sys.stdout.write(f"{json.dumps(said)}\n")
            sys.stdout.flush()


def parked(corridor: Corridor, server: str, stand_id: str) -> TruckClient:
    """The truck of that stand, named for it."""
    kind = corridor.truck_types[0]
    stop_m = next(stand.stop_m for stand in corridor.stands if stand.stand_id == stand_id)
    hardware = Parked(stand_id, stop_m)
    me = Identity(truck_id=stand_id, instance_id="onboard", boot_id="boot", truck_type_id=kind.truck_type_id, map_digest=corridor.digest)
    hardware.client = TruckClient(me, kind, hardware, server=server, store=MemoryStore())
    return hardware.client


async def main(site: str, server: str, stands: list[str]) -> None:
    """Runs until killed."""
    signal.signal(signal.SIGUSR1, lambda *_: threading.Event().wait(BLOCKED_S))
    log.configure()
    corridor = load_site(site)
    await asyncio.gather(*(parked(corridor, server, stand).run() for stand in stands))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
