"""What a code covers: every field in one form, of its own kind, direction, session and version, whatever the message holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pytest
from google.protobuf import message_factory
from google.protobuf.message import Message
from hypothesis import given

from fleet.mac import AUTHORITY, CODE_BYTES, HEARTBEAT, REPORT, Kind, Session, canonical, hello_code, shared
from fleet.server.outgoing import HeartbeatColumns
from fleet.server.wire.codes import Codes
from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from fleet.wire_version import CURRENT, SERVED
from tests.fleet.any_message import examples, messages
from tests.fleet.relay import KEYS

THOROUGH: Final = examples(200)


def test_the_same_message_has_one_form_and_other_messages_have_others() -> None:
    """Two messages of one form would have one code: then one could be said for the other."""
    end = common_pb2.LanePoint(lane_id="a", chainage_m=1.0)
    shortening = truck_pb2.Shortening(term=common_pb2.Term(epoch=1, sequence=2), route_sequence=3, end=end)
    read_again = truck_pb2.Shortening.FromString(shortening.SerializeToString() + b"\xc0\x3e\x96\x01")
    forms = {
        canonical(message, 2)
        for message in (
            shortening,
            truck_pb2.Shortening(term=common_pb2.Term(epoch=2, sequence=1), route_sequence=3, end=end),
            truck_pb2.Shortening(term=common_pb2.Term(epoch=1, sequence=2), end=common_pb2.LanePoint(lane_id="a", chainage_m=3.0)),
            truck_pb2.Shortening(route_sequence=3, end=end),
            truck_pb2.Shortening(term=common_pb2.Term(), route_sequence=3, end=end),
            truck_pb2.Hello(body_lane_ids=["a", "b"]),
            truck_pb2.Hello(body_lane_ids=["ab"]),
            truck_pb2.Hello(body_lane_ids=["a"], ready_digest="b"),
        )
    }

    assert len(forms) == 8
    assert canonical(read_again, 2) == canonical(shortening, 2)


def test_keys_directions_and_sessions_have_codes_of_their_own() -> None:
    """What is right from the truck is wrong to it, and the other way round."""
    hello = truck_pb2.Hello(truck_id="T1", instance_id="i", boot_id="b", report=truck_pb2.Report(stamp_ns=5))
    said = truck_pb2.Stop(stop_id="a")

    def session(key: bytes = KEYS["T1"], *, epoch: int = 1, number: int = 1) -> Session:
        return Session(key, hello, epoch=epoch, number=number, version=CURRENT)

    codes = {
        session().word(Kind.TO_TRUCK, 1, said),
        session().word(Kind.TO_SERVER, 1, said),
        session().word(Kind.TO_TRUCK, 2, said),
        session(KEYS["T2"]).word(Kind.TO_TRUCK, 1, said),
        session(epoch=2).word(Kind.TO_TRUCK, 1, said),
        session(number=2).word(Kind.TO_TRUCK, 1, said),
        hello_code(KEYS["T1"], hello),
        hello_code(KEYS["T2"], hello),
    }

    assert len(codes) == 8
    assert {len(code) for code in codes} == {CODE_BYTES}


@pytest.mark.parametrize(
    "kind", [truck_pb2.Report, truck_pb2.MovementAuthority, truck_pb2.Heartbeat], ids=lambda kind: kind.DESCRIPTOR.name
)
def test_no_field_of_what_travels_in_columns_is_left_without_a_code(kind: type[Message]) -> None:
    """A field that is added to the wire and forgotten in its code is one that a gateway may write as it likes."""
    session = Session(KEYS["T1"], truck_pb2.Hello(truck_id="T1"), epoch=1, number=1, version=CURRENT)
    code: Callable[[Message], bytes] = getattr(session, {"MovementAuthority": "authority"}.get(kind.__name__, kind.__name__.lower()))
    open_fields = []
    for name, message in changed_fields(kind):
        if code(message) == code(kind()):
            open_fields.append(name)

    assert open_fields == []


def changed_fields(kind: type[Message], path: str = "") -> Iterator[tuple[str, Message]]:
    """A message for each field, in which that field alone is set; of a message within, each field of that."""
    for field in kind.DESCRIPTOR.fields:
        message = kind()
        if field.message_type is not None:
            for name, within in changed_fields(message_factory.GetMessageClass(field.message_type), f"{path}{field.name}."):
                message = kind()
                getattr(message, field.name).CopyFrom(within)
                yield name, message
        else:
            setattr(message, field.name, "a" if field.cpp_type == field.CPPTYPE_STRING else 2)
            yield f"{path}{field.name}", message


def test_what_a_frame_says_for_all_its_rows_is_covered() -> None:
    """Else it would be the one thing that a gateway could change for everybody at once."""
    term = common_pb2.Term(epoch=1, sequence=2)

    assert shared(truck_pb2.Heartbeat(tick=1), 2) == b""
    assert shared(truck_pb2.Shortening(term=term), 2) != shared(truck_pb2.Shortening(), 2)


@THOROUGH
@given(said=messages(truck_pb2.TruckMessage.DESCRIPTOR, {}))
def test_whatever_is_said_in_a_trucks_name_has_a_code(said: truck_pb2.TruckMessage) -> None:
    """Codes are made before anything else is asked of a word: an error of Python's here ends the stream of forty trucks."""
    session = Session(KEYS["T1"], said.hello, epoch=1, number=1, version=CURRENT)

    codes = {hello_code(KEYS["T1"], said.hello), session.report(said.report), session.word(Kind.TO_SERVER, 1, said)}

    assert {len(code) for code in codes} == {CODE_BYTES}


@THOROUGH
@given(told=messages(truck_pb2.ControlMessage.DESCRIPTOR, {}))
def test_whatever_a_truck_is_told_has_a_code(told: truck_pb2.ControlMessage) -> None:
    """A truck whose software ends over a word brakes, and takes the road with it."""
    session = Session(KEYS["T1"], truck_pb2.Hello(truck_id="T1"), epoch=1, number=1, version=CURRENT)

    codes = {
        session.welcome(told.welcome),
        session.authority(told.authority),
        session.heartbeat(told.heartbeat),
        session.word(Kind.TO_TRUCK, 1, told),
    }

    assert {len(code) for code in codes} == {CODE_BYTES}


@pytest.mark.parametrize("version", SERVED)
def test_a_row_has_the_code_of_its_trucks_version(version: int) -> None:
    """A truck of the version before leaves out what it does not know: with another's code its server would be dead to it."""
    added = {"fleet.v1.JournalHead.digest": CURRENT}
    session = Session(KEYS["T1"], truck_pb2.Hello(truck_id="T1"), epoch=1, number=1, version=version, added=added)
    frame = gateway_pb2.HeartbeatFrame(tick=7, epoch=1, journal=truck_pb2.JournalHead(sequence=5, digest=9))
    columns = HeartbeatColumns(
        tick=7, epoch=1, rows=np.array([0], np.int32), challenge_echo=np.array([3], np.int64), challenge=np.array([4], np.int64)
    )
    known = truck_pb2.JournalHead(sequence=5, digest=9 if version == CURRENT else 0)
    heard = truck_pb2.Heartbeat(tick=7, epoch=1, challenge_echo=3, challenge=4, journal=known)

    (code,) = Codes(KEYS, []).of_heartbeats(columns, lambda _row: session, frame)

    assert code == session.heartbeat(heard)


def test_rows_are_laid_out_without_gaps() -> None:
    """The columns of a tick are laid out by numpy, a truck's own row by struct: one padding byte and no code is right."""
    assert (REPORT.size, AUTHORITY.size, HEARTBEAT.size) == (109, 57, 33)


def test_minus_nought_has_the_code_of_nought() -> None:
    """Not every encoder keeps the sign, and a truck that stands may well say it."""
    session = Session(KEYS["T1"], truck_pb2.Hello(truck_id="T1"), epoch=1, number=1, version=CURRENT)

    assert session.report(truck_pb2.Report(speed_mps=-0.0)) == session.report(truck_pb2.Report())
