"""Trucks and server need not change on the same day: the wire of the release before is served, and older ones are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from fleet.errors import Code
from fleet.onboard import Identity, Interpreter, LanePoint, Sensors, Supervisor
from fleet.server.headless import HeadlessServer
from fleet.site import load_site
from fleet.v1 import dispatch_pb2, gateway_pb2, truck_pb2
from fleet.wire_version import CURRENT, SERVED, WireVersionUnsupported, agreed
from sim_harness.tiny import TRUCK
from tests.fleet.previous_wire import PreviousTruck, PreviousWire, previous_files

CORRIDOR: Final = load_site("mandula")
STAND: Final = next(stand for stand in CORRIDOR.stands if stand.stand_id == "mn_park_01")
LANE_IDS: Final = [lane.lane_id for lane in CORRIDOR.lanes]
TICK_NS: Final = 100_000_000
DRIVEN_M: Final = 60.0
TICKS_MAX: Final = 1_200


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> PreviousWire:
    """The previous release's messages."""
    return PreviousWire(previous_files(tmp_path_factory.mktemp("wire")))


@pytest.fixture
def truck(wire: PreviousWire) -> Callable[..., PreviousTruck]:
    """A truck of the previous release on a stand."""

    def made(**changes: Any) -> PreviousTruck:
        place = {"lane_id": STAND.lane_id, "chainage_m": STAND.stop_m, "lane_ids": LANE_IDS}
        return PreviousTruck(wire=wire, truck_id="old", **{**place, **changes})

    return made


def run(server: HeadlessServer, truck: PreviousTruck, until: Callable[[], bool]) -> None:
    """Ticks of both until that holds."""
    server.say(truck.hello())
    for tick in range(1, TICKS_MAX):
        truck.hear(server.tick(tick * TICK_NS).control)
        if until():
            return
        truck.drive()
        for answer in truck.answers:
            server.say(answer)
        truck.answers.clear()
        if tick % 2 == 0 and truck.welcome is not None:
            server.say(truck.says(report=truck.report()))
    raise AssertionError(f"nothing came of it: {truck}")


def test_a_truck_of_the_previous_release_is_welcomed_gets_road_and_drives(truck: Any) -> None:
    """A fleet is updated truck by truck, over weeks; nobody parks fifty trucks for a server."""
    server, old = HeadlessServer(CORRIDOR), truck()
    order = dispatch_pb2.CreateTransportOrderRequest(request_id="o", from_yard_id="mn", to_yard_id="cn", container_count=4)
    server.call("DispatchService/CreateTransportOrder", order)

    run(server, old, lambda: old.driven_m > DRIVEN_M)

    assert old.welcome.wire_version == 1
    assert old.refusal is None
    assert server.fleet().lane_ix[0] >= 0


@pytest.mark.parametrize("version", [CURRENT + 1, 99, 1000])
def test_a_version_that_is_not_served_is_refused_by_name_with_those_that_are(truck: Any, version: int) -> None:
    """Whoever stands beside a truck that does not move must read which side is too old."""
    server, other = HeadlessServer(CORRIDOR), truck(wire_version=version)

    run(server, other, lambda: other.refusal is not None)

    assert other.refusal.reason == "WireVersionUnsupported"
    assert ", ".join(map(str, SERVED)) in other.refusal.detail
    assert other.welcome is None


@pytest.mark.parametrize(("theirs", "ours"), [(0, 1), (1, 1), (2, 2)])
def test_the_version_agreed_is_the_lower_of_the_two(theirs: int, ours: int) -> None:
    """And who names none is older than naming them."""
    assert agreed(theirs) == ours


def test_a_present_truck_hears_the_present_version_and_what_the_server_runs(truck: Any) -> None:
    """Both are in the log of a truck that misbehaves."""
    server = HeadlessServer(CORRIDOR)
    server.say(truck(wire_version=CURRENT).hello())

    control = gateway_pb2.GatewayControl.FromString(server.tick(TICK_NS).control)

    welcome = next(relayed.message.welcome for relayed in control.relayed if relayed.message.HasField("welcome"))
    assert welcome.wire_version == CURRENT
    assert welcome.software.startswith("khulan ")


def test_a_truck_takes_no_welcome_in_a_version_it_does_not_speak() -> None:
    """It would misread what permits it to move."""
    identity = Identity(truck_id="t1", instance_id="i", boot_id="b", truck_type_id=TRUCK.truck_type_id)
    truck = Interpreter(Supervisor(identity, TRUCK))
    truck.supervisor.sense(Sensors(stamp_ns=1, nose=LanePoint("a", 40.0), speed_mps=0.0, acceleration_mps2=0.0, bound_m=0.3, laden=False))
    stamp_ns = truck.hello(1).hello.report.stamp_ns

    said = truck.receive(truck_pb2.ControlMessage(welcome=truck_pb2.Welcome(epoch=1, hello_stamp_ns=stamp_ns, wire_version=99)), 2)

    assert truck.supervisor.contact.lapsed
    assert [message.event.kind for message in said] == [truck_pb2.TRUCK_EVENT_KIND_MESSAGE_REFUSED]
    assert WireVersionUnsupported(wire_version=99, served="1, 2").code is Code.INVALID


def test_nothing_of_the_previous_wire_was_taken_away_or_given_another_meaning(tmp_path: Path) -> None:
    """Adding is all that a wire in service bears."""
    now = {
        message.full_name: message for module in (truck_pb2, gateway_pb2) for message in module.DESCRIPTOR.message_types_by_name.values()
    }
    changed = [
        f"{message.name}.{field.name}"
        for file in previous_files(tmp_path).file
        if file.name in {"fleet/v1/truck.proto", "fleet/v1/gateway.proto"}
        for message in file.message_type
        for field in message.field
        if (kept := now[f"fleet.v1.{message.name}"].fields_by_number.get(field.number)) is None
        or (kept.name, kept.type, kept.is_repeated) != (field.name, field.type, field.label == field.LABEL_REPEATED)
    ]

    assert changed == []
