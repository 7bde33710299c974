from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog.testing

from fleet.server.app import Running, Server
from fleet.server.settings import ServerSettings
from fleet.site import load_site
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc

WITHIN_S = 20.0
CORRIDOR = load_site("mandula")
STAND = next(stand for stand in CORRIDOR.stands if stand.stand_id.startswith("mn_park"))


@pytest.fixture
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A server of its own: the truck of these tests ends up quarantined."""
    server = Server(CORRIDOR, ServerSettings(data=tmp_path_factory.mktemp("serve"), listen="127.0.0.1:0", day_start_s=36_000))
    yield await server.start()
    server.ask_to_end()
    await server.stop()


async def test_a_second_computer_under_a_live_name_freezes_both_and_is_said(
    running: Running, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """Over the wire, while the first one answers its challenges: nobody may guess which of the two is the truck."""
    first, second = (standing_truck(connect(running.address), "t1", STAND.stand_id, STAND.stop_m) for _ in range(2))
    await first.say_hello(instance_id="computer-1")
    await first.hear_until("authority")

    with structlog.testing.capture_logs() as said:
        await second.say_hello(instance_id="computer-2")
        stop = await first.hear_until("stop")
        refused = await second.hear_end()
        desk = dispatch_grpc.DispatchServiceStub(connect(running.address))
        found = await desk.GetTruck(d.GetTruckRequest(truck_id="t1"), timeout=WITHIN_S)

    assert refused == ["refusal"]
    assert second.heard[-1].refusal.reason == "TruckDuplicated"
    assert stop.stop_id
    assert found.session == common_pb2.SESSION_STATE_QUARANTINED
    assert {"event": "truck_refused", "truck": "t1", "reason": "TruckDuplicated", "log_level": "error"} in said


async def test_the_same_computer_takes_its_own_place_while_the_older_stream_is_open(
    running: Running, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """Each over a connection of its own, as after an outage that the server has not noticed yet: no duplicate, and no stop."""
    old, new = (standing_truck(connect(running.address), "t1", STAND.stand_id, STAND.stop_m) for _ in range(2))
    await old.say_hello()
    await old.hear_until("authority")
    new.stamp_ns = old.stamp_ns + 10**10

    await new.say_hello(seen=old.accepted)
    await new.hear_until("authority")
    ended = await old.hear_end()
    found = await dispatch_grpc.DispatchServiceStub(connect(running.address)).GetTruck(d.GetTruckRequest(truck_id="t1"), timeout=WITHIN_S)

    assert "refusal" not in ended
    assert not any(message.HasField("stop") for message in new.heard)
    assert found.session == common_pb2.SESSION_STATE_LIVE
