"""A fleet that is under way while its site's CA is replaced: twenty trucks in `make test`, a hundred in `make soak`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fleet.onboard import Command, Identity, MemoryStore, TruckClient
from fleet.principal import Principal, Role
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from planner.corridor import Corridor
from tests.fleet.parked import Parked
from tests.fleet.secured import CORRIDOR, Served, serving, somebody

WITHIN_S = 90.0


class Standing(Parked):
    """Notes how long its server was silent at most."""

    silence_max_s = 0.0
    silence_s: Callable[[int], float] = staticmethod(lambda _: 0.0)  # of the truck, once there is one

    def actuate(self, command: Command) -> None:
        """It goes on standing."""
        del command
        self.silence_max_s = max(self.silence_max_s, self.silence_s(self.clock.now_ns()))


@dataclass
class Fleet:
    """A server and trucks of its site, each with what it carries in a folder of its own."""

    served: Served
    trucks: dict[str, TruckClient]
    home: Path
    hardware: list[Standing] = field(default_factory=list)

    def principal(self, role: Role, name: str) -> Principal:
        """Somebody of this site."""
        return somebody(role, name, self.served.ca.site_id)

    def folder(self, truck_id: str) -> Path:
        """What a truck carries."""
        return self.home / truck_id

    def issue_to_all(self) -> None:
        """A new certificate for every truck, and for whoever watches."""
        ca = self.served.ca
        for truck_id in self.trucks:
            ca.issue(self.principal(Role.TRUCK, truck_id), out=self.folder(truck_id))
        ca.issue(self.principal(Role.SUPERVISOR, "first"))

    def links_lost(self) -> int:
        """How many streams ended without another in their place, of all trucks together."""
        return sum(truck._line.lost_count for truck in self.trucks.values())

    def shown(self) -> dict[str, set[bytes]]:
        """Digests of the CAs by which each truck is known just now; none for one that is between two lines."""
        found: dict[str, set[bytes]] = {truck_id: set() for truck_id in self.trucks}
        for each in self.served.certificates.identities._streams:
            if each.bearer.principal.role is Role.TRUCK:
                found[each.bearer.principal.name].add(each.bearer.issuer)
        return found

    async def until(self, is_so: Callable[[d.FleetUpdate], bool]) -> None:
        """Waits until *is_so* of what a watcher hears ten times a second."""
        async with asyncio.timeout(WITHIN_S):
            async for update in self.watch():
                if is_so(update):
                    return
        raise AssertionError("the watcher was cut off")

    def watch(self) -> AsyncIterator[d.FleetUpdate]:
        """What a supervisor hears, with the certificate he has just now."""
        request = d.WatchFleetRequest()
        request.period.nanos = 100_000_000
        watched = self.served.line(self.served.ca.folder.issued / "supervisor-first")
        heard: AsyncIterator[d.FleetUpdate] = dispatch_grpc.DispatchServiceStub(watched).WatchFleet(request)
        return heard


@asynccontextmanager
async def under_way(path: Path, count: int, corridor: Corridor = CORRIDOR) -> AsyncIterator[Fleet]:
    """*count* trucks, live, on stands of the site."""
    kind = corridor.truck_types[0]
    async with serving(path, corridor) as served:
        fleet = Fleet(served=served, trucks={}, home=path / "trucks")
        runs = []
        for number, stand in enumerate(corridor.stands[:count]):
            truck_id = f"t{number}"
            folder = served.ca.issue(fleet.principal(Role.TRUCK, truck_id), out=fleet.folder(truck_id))
            me = Identity(truck_id=truck_id, instance_id="computer", boot_id="boot", truck_type_id=kind.truck_type_id)
            hardware = Standing(stand)
            truck = TruckClient(me, kind, hardware, server=served.address, store=MemoryStore(), tls=folder)
            hardware.silence_s = truck.supervisor.contact.silence_s
            fleet.trucks[truck_id] = truck
            fleet.hardware.append(hardware)
            runs.append(asyncio.create_task(truck.run()))
        assert len(runs) == count, "the site has too few stands"
        try:
            await fleet.until(lambda update: update.totals.trucks_live == count)
            yield fleet
        finally:
            for truck in fleet.trucks.values():
                truck.leave("done")
            await asyncio.gather(*runs)


async def rotate_under(fleet: Fleet) -> int:
    """Replaces the CA while the fleet is under way; how many links were lost."""
    identities = fleet.served.certificates.identities
    (old,) = identities.trust.cas
    lost = fleet.links_lost()
    for each in fleet.hardware:
        each.silence_max_s = 0.0
    fleet.served.ca.rotate()
    await fleet.until(lambda _: len(identities.trust.cas) == 2)
    # On a thread: a hundred keys and their files take longer than a truck bears its server's silence.
    await asyncio.to_thread(fleet.issue_to_all)
    (new,) = set(identities.trust.cas) - {old}
    # A truck that is between two lines may come back with what it had.
    await fleet.until(lambda _: all(shown == {new} for shown in fleet.shown().values()))
    watching = fleet.watch()
    await anext(aiter(watching))
    fleet.served.ca.finish()
    async with asyncio.timeout(WITHIN_S):
        async for _ in watching:
            if old not in identities.trust.cas:
                break
    looks = identities.checks
    await fleet.until(lambda _: identities.checks > looks + 1)
    await fleet.until(lambda update: update.totals.trucks_live == len(fleet.trucks))
    assert old not in identities.trust.cas
    return fleet.links_lost() - lost
