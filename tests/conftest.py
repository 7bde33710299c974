"""Trucks that only stand: enough of a peer to test whoever serves it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio
import pytest

from fleet.v1 import common_pb2, truck_pb2, truck_pb2_grpc
from sim_harness.bench.page import chromium
from tests.fleet.small_disk import can_mount
from tests.soak.disk_log import compiler

WITHIN_S = 20.0
# What needs something that a machine may not have: what is written to a disk is watched by a small library, which must be compiled.
NEEDS = {
    "no C compiler here": [] if compiler() else ["fleet/test_disk.py", "fleet/test_full_disk.py"],
    "no chromium here (Debian's package of that name)": []
    if chromium()
    else ["console/test_pages.py", "console/test_replay_page.py", "sim/test_bench_page.py"],
    "no small disk can be mounted here": [] if can_mount() else ["fleet/test_small_disk.py"],
    "no Node.js with npm here": [] if shutil.which("node") and shutil.which("npm") else ["fleet/test_node_truck.py"],
}
collect_ignore = [file for files in NEEDS.values() for file in files]


def pytest_report_header() -> list[str]:
    """Says what is not tested here, and why."""
    return [f"{lacking}, so these do not run: {', '.join(files)}" for lacking, files in NEEDS.items() if files]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Lets tests of one `xdist_group` run in one process.

    pytest-xdist 3.8 writes the group into a name that pytest 9.2 does not read any more, and every test goes wherever there is room.
    """
    for item in items:
        grouped = vars(item).get("_nodeid")
        if grouped is not None and grouped != item.nodeid:
            item._id = type(item._id).parse(grouped)


class StandingTruck:
    """A truck on its own stream that stands where it stands and says so."""

    def __init__(self, channel: grpc.aio.Channel, truck_id: str, lane_id: str, chainage_m: float) -> None:
        self.truck_id = truck_id
        self.lane_id = lane_id
        self.chainage_m = chainage_m
        self.stamp_ns = 0
        self.echo = 0
        self.accepted = common_pb2.Term()
        self.heard: list[truck_pb2.ControlMessage] = []
        self.call = truck_pb2_grpc.TruckServiceStub(channel).Connect()

    def report(self) -> truck_pb2.Report:
        """Where it stands, with a stamp that rises."""
        self.stamp_ns += 200_000_000
        return truck_pb2.Report(
            stamp_ns=self.stamp_ns,
            lane_id=self.lane_id,
            chainage_m=self.chainage_m,
            bound_m=0.3,
            intact=True,
            immobilised=True,
            challenge=self.stamp_ns,
            challenge_echo=self.echo,
            battery_wh=3.3e5,
            accepted=self.accepted,
        )

    async def say_hello(self, **changes: Any) -> None:
        """The first word."""
        fields: dict[str, Any] = {
            "truck_id": self.truck_id,
            "instance_id": "computer",
            "boot_id": "boot",
            "truck_type_id": "coal_truck_70t",
            "software": "test",
            "wire_version": 1,
            "body_lane_ids": [self.lane_id],
            "report": self.report(),
        }
        await self.call.write(truck_pb2.TruckMessage(hello=truck_pb2.Hello(**{**fields, **changes})))

    async def say_report(self) -> None:
        """A report."""
        await self.call.write(truck_pb2.TruckMessage(report=self.report()))

    async def hear(self) -> truck_pb2.ControlMessage | None:
        """The next word, None when the server ended the stream."""
        async with asyncio.timeout(WITHIN_S):
            message = await self.call.read()
        if message is grpc.aio.EOF:
            return None
        if message.HasField("heartbeat"):
            self.echo = message.heartbeat.challenge
        for name in ("route", "authority", "shortening"):
            if message.HasField(name):
                self.accepted = getattr(message, name).term
        self.heard.append(message)
        return message

    async def hear_until(self, name: str) -> Any:
        """The next word of that kind; reports after each heartbeat meanwhile, as a truck does."""
        async with asyncio.timeout(WITHIN_S):
            while (message := await self.hear()) is not None:
                if message.WhichOneof("content") == name:
                    return getattr(message, name)
                if message.HasField("heartbeat"):
                    await self.say_report()
        raise AssertionError(f"the stream ended before a {name}")

    async def hear_end(self) -> list[str]:
        """The kinds of words that came until the server ended the stream."""
        kinds = []
        while (message := await self.hear()) is not None:
            kinds.append(str(message.WhichOneof("content")))
        return kinds


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[str], grpc.aio.Channel]]:
    """Channels to a server's address, closed afterwards."""
    channels: list[grpc.aio.Channel] = []
    # Fixtures that do not wait open channels too; a test that ran a loop of its own left none behind for them.
    asyncio.set_event_loop(asyncio.get_running_loop())

    def opened(address: str) -> grpc.aio.Channel:
        channels.append(grpc.aio.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),)))
        return channels[-1]

    yield opened
    for channel in channels:
        await channel.close()


@pytest.fixture
def standing_truck() -> type[StandingTruck]:
    """The class of standing trucks."""
    return StandingTruck
