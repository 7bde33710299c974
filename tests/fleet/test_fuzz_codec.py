"""Whatever bytes a peer sends, reading them ends in a value within all bounds or in an error of ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Final

import numpy as np
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import FleetError
from fleet.onboard import Identity, Interpreter, LanePoint, Sensors, Supervisor
from fleet.server.wire.codec import Codec
from fleet.server.wire.codec_requests import RequestReader
from fleet.server.wire.interceptors import REQUEST_BYTES_MAX, Unreadable, _total
from fleet.v1 import border_pb2, dispatch_pb2, gateway_pb2, truck_pb2
from sim_harness.tiny import TRUCK
from tests.fleet.any_message import examples, messages, raw_messages

LANES: Final = ("a", "b")
NAMES: Final = {
    "lane_id": LANES,
    "body_lane_ids": LANES,
    "truck_id": ("t1", "t2"),
    "name": ("crossing", "nowhere"),
    "text": ("site: x", "{", "a: ["),
}
BOUND: Final = 2.0**63
TEXT_MAX: Final = 256
THOROUGH: Final = examples(100)
# A site's file is long on purpose, and a second's work to read.
LONG_TEXTS: Final = frozenset({"text"})
CODEC: Final = Codec(list(LANES))
READER: Final = RequestReader(utc_at_zero_ns=0)
SERVICES: Final = (dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"], border_pb2.DESCRIPTOR.services_by_name["BorderService"])
COMMANDS: Final = [
    method.input_type
    for service in SERVICES
    for method in service.methods
    if message_factory.GetMessageClass(method.input_type) in READER._readers
]


def everyone(rows: Any) -> Any:
    """The sender may speak for every row."""
    return np.ones(len(rows), np.bool_)


def frame_read(frame: gateway_pb2.ReportFrame) -> object:
    """What of a frame is passed on."""
    return CODEC.frame(frame, everyone).reports


# How each thing a truck or gateway says is read.
WORDS: Final[dict[type[Message], Callable[[Any], object]]] = {
    truck_pb2.Hello: lambda said: CODEC.hello(1, said),
    truck_pb2.Report: CODEC.report,
    truck_pb2.Acknowledgement: lambda said: CODEC.acknowledgement(0, said),
    truck_pb2.TruckEvent: lambda said: CODEC.truck_event(0, said),
    truck_pb2.Goodbye: lambda said: CODEC.goodbye(0, said),
    truck_pb2.SiteAcknowledged: lambda said: CODEC.site_acknowledged(0, said),
    gateway_pb2.ReportFrame: frame_read,
}


def within_all_bounds(value: Any, name: str = "") -> None:
    """Every number finite, every text short: nothing that passes may poison a comparison or fill a disk."""
    if is_dataclass(value) and not isinstance(value, type):
        for entry in fields(value):
            within_all_bounds(getattr(value, entry.name), entry.name)
    elif isinstance(value, float):
        assert math.isfinite(value), name
    elif isinstance(value, int):
        assert -BOUND <= value < BOUND, name
    elif isinstance(value, str):
        assert len(value) <= TEXT_MAX or name in LONG_TEXTS, name
    elif isinstance(value, np.ndarray):
        assert np.isfinite(value).all(), name
    elif isinstance(value, tuple | list):
        for entry in value:
            within_all_bounds(entry, name)


def read_within_bounds(read: Callable[[Any], object], message: Message) -> None:
    """A value within all bounds, or an error of ours."""
    try:
        value = read(message)
    except FleetError:
        return
    within_all_bounds(value)


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.DESCRIPTOR.name)
def test_a_truck_can_say_nothing_that_is_not_read_or_refused(kind: type[Message]) -> None:
    """An exception of Python's in here is the end of a stream, or of the control loop."""

    @THOROUGH
    @given(message=messages(kind.DESCRIPTOR, NAMES))
    def every(message: Message) -> None:
        read_within_bounds(WORDS[kind], message)

    every()


def test_every_kind_of_word_is_tried() -> None:
    """A message added to the wire is added here, or this fails."""
    said = {field.message_type.full_name for field in truck_pb2.TruckMessage.DESCRIPTOR.fields}

    assert said | {gateway_pb2.ReportFrame.DESCRIPTOR.full_name} == {kind.DESCRIPTOR.full_name for kind in WORDS}


@pytest.mark.parametrize("descriptor", COMMANDS, ids=lambda descriptor: descriptor.name)
def test_no_request_passes_that_is_out_of_bounds(descriptor: Descriptor) -> None:
    """What a person or a program asks for ends up in the journal for good."""

    @THOROUGH
    @given(message=messages(descriptor, NAMES))
    def every(message: Message) -> None:
        read_within_bounds(READER.command, message)

    every()


@pytest.mark.parametrize("kind", [truck_pb2.TruckMessage, gateway_pb2.GatewayMessage], ids=lambda kind: kind.DESCRIPTOR.name)
def test_no_bytes_make_the_parser_fail_aloud(kind: type[Message]) -> None:
    """Bytes are a message, or are unreadable by name; what Python says of them is nobody's business."""
    parse = _total(kind.FromString, REQUEST_BYTES_MAX)

    @THOROUGH
    @given(raw=raw_messages(kind.DESCRIPTOR, NAMES) | st.binary(max_size=300))
    def every(raw: bytes) -> None:
        assert isinstance(parse(raw), kind | Unreadable)

    every()


@examples(200)
@given(raw=st.lists(messages(truck_pb2.ControlMessage.DESCRIPTOR, NAMES), min_size=1, max_size=4))
def test_a_truck_reads_or_refuses_whatever_its_server_says(raw: list[truck_pb2.ControlMessage]) -> None:
    """An onboard computer that dies of a message brakes, and takes the road with it."""
    identity = Identity(truck_id="t1", instance_id="i", boot_id="b", truck_type_id=TRUCK.truck_type_id)
    supervisor = Supervisor(identity, TRUCK)
    supervisor.sense(Sensors(stamp_ns=1, nose=LanePoint("a", 40.0), speed_mps=0.0, acceleration_mps2=0.0, bound_m=0.3, laden=False))
    truck = Interpreter(supervisor)
    truck.hello(1)

    for said in raw:
        truck.receive(said, 2)
    command, report = supervisor.step(2), truck.report(2).report

    assert math.isfinite(command.acceleration_demand_mps2)
    assert math.isfinite(command.speed_target_mps)
    assert command.acceleration_demand_mps2 <= 0.0
    read_within_bounds(CODEC.report, report)
