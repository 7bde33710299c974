"""
Trucks of the onboard SDK in a process of their own: `python -m tests.fleet.trucks_apart SITE HOST:PORT STAND...`.

A line of JSON says whenever a truck's contact lapsed or came back, when (the machine's monotonic clock), and how long the truck had
then been without proof of its server. SIGUSR1 blocks the event loop for six seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys

from fleet import log
from fleet.onboard import Command, Identity, MemoryStore, TruckClient
from fleet.site import load_site
from planner.corridor import Corridor, Stand
from tests.fleet.blockable import block_when_told
from tests.fleet.parked import Parked


class Telling(Parked):
    """Tells of its truck's contact each time it is told what to do and that has changed."""

    client: TruckClient | None = None
    _lapsed: bool | None = None

    def actuate(self, command: Command) -> None:
        """Stands, and says what has changed."""
        del command
        if self.client is None:
            return
        supervisor, now_ns = self.client.supervisor, self.clock.now_ns()
        contact = supervisor.contact
        if contact.lapsed != self._lapsed:
            self._lapsed = contact.lapsed
            silence_s = contact.silence_s(now_ns)
            said = {"truck": supervisor.identity.truck_id, "lapsed": contact.lapsed, "at_ns": now_ns, "silence_s": silence_s}
            sys.stdout.write(f"{json.dumps(said)}\n")
            sys.stdout.flush()


def parked(corridor: Corridor, server: str, stand: Stand) -> TruckClient:
    """The truck of that stand, named for it."""
    kind = corridor.truck_types[0]
    hardware = Telling(stand)
    me = Identity(
        truck_id=stand.stand_id, instance_id="onboard", boot_id="boot", truck_type_id=kind.truck_type_id, map_digest=corridor.digest
    )
    hardware.client = TruckClient(me, kind, hardware, server=server, store=MemoryStore())
    return hardware.client


async def main(site: str, server: str, stands: list[str]) -> None:
    """Runs until killed."""
    block_when_told()
    log.configure()
    corridor = load_site(site)
    await asyncio.gather(*(parked(corridor, server, stand).run() for stand in corridor.stands if stand.stand_id in stands))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
