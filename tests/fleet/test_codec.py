from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import Code, InvalidField
from fleet.server.commands import CreateOrder, ReportIntrusion, StretchAnswer
from fleet.server.inputs import OBSTACLE_SEEN, LanePlace, ReportFlag
from fleet.server.wire.codec import Codec, FrameRead
from fleet.server.wire.codec_requests import RequestReader
from fleet.v1 import border_pb2, common_pb2, dispatch_pb2, gateway_pb2, truck_pb2

CODEC = Codec(["a", "b"])


def report(**changes: Any) -> truck_pb2.Report:
    """A sound report."""
    fields: dict[str, Any] = {"stamp_ns": 1, "lane_id": "b", "chainage_m": 2.0, "speed_mps": 3.0, "bound_m": 0.5, "intact": True}
    return truck_pb2.Report(**{**fields, **changes})


def hello(**changes: Any) -> truck_pb2.Hello:
    """A sound hello."""
    fields: dict[str, Any] = {
        "truck_id": "t1",
        "instance_id": "i",
        "boot_id": "b",
        "truck_type_id": "type",
        "wire_version": 1,
        "body_lane_ids": ["a", "b"],
        "report": report(),
    }
    return truck_pb2.Hello(**{**fields, **changes})


def frame(count: int, **changes: list[Any]) -> gateway_pb2.ReportFrame:
    """A sound frame of that many trucks."""
    columns: dict[str, list[Any]] = {
        "handle": list(range(count)),
        "stamp_ns": [1] * count,
        "lane_ix": [0] * count,
        "chainage_m": [1.0] * count,
        "speed_mps": [0.0] * count,
        "acceleration_mps2": [0.0] * count,
        "bound_m": [0.5] * count,
        "flags": [2] * count,
        "accepted_epoch": [1] * count,
        "accepted_sequence": [1] * count,
        "challenge": [1] * count,
        "challenge_echo": [1] * count,
        "battery_wh": [1.0] * count,
        "friction": [0.0] * count,
    }
    return gateway_pb2.ReportFrame(**{**columns, **changes})


def everyone(rows: Any) -> Any:
    """The sender may speak for every row."""
    return np.ones(len(rows), np.bool_)


def test_a_report_keeps_its_meaning() -> None:
    """Lanes become rows, flags become bits; nothing else changes."""
    row = CODEC.report(report(laden=True, accepted=common_pb2.Term(epoch=4, sequence=7)))

    assert (row.lane_ix, row.chainage_m, row.speed_mps) == (1, 2.0, 3.0)
    assert row.flags == ReportFlag.LADEN | ReportFlag.INTACT
    assert (row.accepted_epoch, row.accepted_sequence) == (4, 7)


def test_an_unknown_lane_is_a_value_the_integrity_rules_can_judge() -> None:
    """A truck off the map must be dealt with, not ignored."""
    assert CODEC.report(report(lane_id="elsewhere")).lane_ix == -1


@pytest.mark.parametrize("name", ["chainage_m", "speed_mps", "acceleration_mps2", "bound_m", "battery_wh", "friction", "brake_health"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_no_number_beyond_all_physics_passes(name: str, value: float) -> None:
    """The wire carries NaN and infinity; one of them in a column would poison every comparison after it."""
    with pytest.raises(InvalidField) as refused:
        CODEC.report(report(**{name: value}))

    assert refused.value.name == name
    assert refused.value.code is Code.INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"truck_id": ""},
        {"truck_id": "x" * 65},
        {"truck_id": "with space"},
        {"truck_id": "bell\a"},
        {"software": "x" * 300},
        {"wire_version": -1},
        {"seen": common_pb2.Term(epoch=-1)},
        {"body_lane_ids": ["a"] * 65},
        {"end_held": common_pb2.LanePoint(lane_id="a", chainage_m=math.nan)},
        {"report": None},
    ],
)
def test_a_hello_that_cannot_be_used_is_refused(changes: dict[str, Any]) -> None:
    """Whoever introduces himself is kept in the journal for good: nothing unbounded, nothing unreadable."""
    with pytest.raises(InvalidField):
        CODEC.hello(1, hello(**changes))


def test_a_hello_keeps_what_the_truck_may_still_drive_on() -> None:
    """The end held is what keeps its road its own across a restart."""
    heard = CODEC.hello(7, hello(end_held=common_pb2.LanePoint(lane_id="b", chainage_m=9.0)))

    assert heard.link == 7
    assert heard.end_held is not None
    assert (heard.end_held.lane_ix, heard.end_held.chainage_m) == (1, 9.0)
    assert heard.body_lanes == (0, 1)


def test_a_sound_frame_becomes_columns() -> None:
    """Thousands of trucks cost one pass."""
    read = CODEC.frame(frame(3, lane_ix=[0, 1, 9]), everyone)

    assert read.reports is not None
    assert read.reports.rows.tolist() == [0, 1, 2]
    assert read.reports.lane_ix.tolist() == [0, 1, -1]


def test_one_bad_row_does_not_silence_its_neighbours() -> None:
    """A gateway has many trucks; each answers for itself."""
    read = CODEC.frame(frame(3, speed_mps=[0.0, math.nan, 0.0]), everyone)

    assert read.reports is not None
    assert read.reports.rows.tolist() == [0, 2]
    assert [(row, fault.name) for row, _, fault in read.refused] == [(1, "speed_mps")]


def test_brakes_that_nobody_speaks_of_are_as_declared() -> None:
    """Frames leave the column out while all is well, and old trucks do not know it; a truck that says nothing is not brakeless."""
    left_out, said = CODEC.frame(frame(3), everyone), CODEC.frame(frame(3, brake_health=[0.0, 0.8, 1.0]), everyone)

    assert left_out.reports is not None
    assert said.reports is not None
    assert left_out.reports.brake_health.tolist() == [1.0, 1.0, 1.0]
    assert said.reports.brake_health.tolist() == [1.0, 0.8, 1.0]
    assert [CODEC.report(report(brake_health=health)).brake_health for health in (0.0, 0.8)] == [1.0, 0.8]


@pytest.mark.parametrize("health", [math.nan, -0.1, 1.01, math.inf])
def test_brakes_that_cannot_be_are_refused_by_name(health: float) -> None:
    """Stronger than declared would add road that a truck cannot stop in."""
    read = CODEC.frame(frame(2, brake_health=[1.0, health]), everyone)

    assert read.reports is not None
    assert read.reports.rows.tolist() == [0]
    assert [(row, fault.name) for row, _, fault in read.refused] == [(1, "brake_health")]


def test_rows_of_foreign_trucks_are_left_out() -> None:
    """A gateway relays; it speaks for nobody else's trucks."""
    read = CODEC.frame(frame(3), lambda rows: rows == 1)

    assert read.reports is not None
    assert read.reports.rows.tolist() == [1]
    assert read.foreign_count == 2


def test_columns_of_unequal_length_are_refused() -> None:
    """Rows that slide against each other are other trucks' positions."""
    with pytest.raises(InvalidField):
        CODEC.frame(frame(3, speed_mps=[0.0]), everyone)


@given(st.binary(max_size=200))
def test_whatever_parses_is_read_or_refused(raw: bytes) -> None:
    """Nothing a peer can send may raise anything but a refusal."""
    readers: list[tuple[Any, Callable[[Any], object]]] = [
        (truck_pb2.Hello(), lambda message: CODEC.hello(1, message)),
        (truck_pb2.Report(), CODEC.report),
        (truck_pb2.TruckEvent(), lambda message: CODEC.truck_event(0, message)),
        (dispatch_pb2.ReportIntrusionRequest(), RequestReader(0).command),
        (gateway_pb2.ReportFrame(), lambda message: CODEC.frame(message, everyone)),
    ]
    for message, read in readers:
        try:
            message.ParseFromString(raw)
        except Exception:  # noqa: BLE001, S112 - not a message at all: refused by the interceptor
            continue
        try:
            found = read(message)
        except InvalidField:
            continue
        assert not isinstance(found, FrameRead) or found.reports is None or len(found.reports.rows)


def test_an_order_is_read_with_its_due_time_in_control_time() -> None:
    """People write UTC; control counts from its own zero."""
    reader = RequestReader(utc_at_zero_ns=1_000_000_000_000)
    request = dispatch_pb2.CreateTransportOrderRequest(request_id="r", from_yard_id="mn", to_yard_id="cn", container_count=2)
    request.due_time.FromSeconds(1060)

    command = reader.command(request)

    assert command == CreateOrder(request_id="r", from_yard_id="mn", to_yard_id="cn", container_count=2, due_ns=60_000_000_000, priority=0)


def intrusion(**changes: Any) -> dispatch_pb2.ReportIntrusionRequest:
    """A person at a place, with *changes*."""
    fields: dict[str, Any] = {
        "request_id": "r",
        "intrusion_id": "man-1",
        "kind": dispatch_pb2.INTRUSION_KIND_PERSON,
        "place": common_pb2.LanePoint(lane_id="a", chainage_m=5.0),
        "radius_m": 3.0,
    }
    return dispatch_pb2.ReportIntrusionRequest(**{**fields, **changes})


def test_an_intrusion_is_read_as_the_places_where_it_may_be() -> None:
    """A place is metres without length; a transponder's word keeps its clock."""
    reader = RequestReader(0)

    person = reader.command(intrusion())
    pickup = reader.command(
        intrusion(kind=dispatch_pb2.INTRUSION_KIND_MANNED_TRUCK, tracked=True, stamp_ns=7, speed_mps=4.0, detail="pickup 3")
    )

    place = StretchAnswer(lane_id="a", start_m=5.0, end_m=5.0)
    assert person == ReportIntrusion(request_id="r", intrusion_id="man-1", kind=1, places=(place,), radius_m=3.0)
    assert pickup == ReportIntrusion(
        request_id="r", intrusion_id="man-1", kind=3, places=(place,), radius_m=3.0, tracked=True, speed_mps=4.0, stamp_ns=7,
        detail="pickup 3",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (None, None),
        (common_pb2.LanePoint(lane_id="b", chainage_m=9.0), LanePlace(lane_ix=1, chainage_m=9.0)),
        (common_pb2.LanePoint(lane_id="x", chainage_m=9.0), LanePlace(lane_ix=-1, chainage_m=9.0)),
    ],
)
def test_an_event_keeps_its_place(said: common_pb2.LanePoint | None, read: LanePlace | None) -> None:
    """An obstacle that a truck saw closes road: there, and not somewhere."""
    heard = CODEC.truck_event(3, truck_pb2.TruckEvent(stamp_ns=1, kind=truck_pb2.TRUCK_EVENT_KIND_OBSTACLE_SEEN, place=said))

    assert (heard.row, heard.kind, heard.place) == (3, OBSTACLE_SEEN, read)


def test_an_event_at_no_metre_is_refused() -> None:
    """NaN is no place."""
    with pytest.raises(InvalidField):
        CODEC.truck_event(3, truck_pb2.TruckEvent(place=common_pb2.LanePoint(lane_id="a", chainage_m=math.nan)))


@pytest.mark.parametrize(
    "request_",
    [
        dispatch_pb2.CreateTransportOrderRequest(request_id="", from_yard_id="a", to_yard_id="b", container_count=1),
        dispatch_pb2.CreateTransportOrderRequest(request_id="r", from_yard_id="a", to_yard_id="b", container_count=0),
        dispatch_pb2.LimitLaneRequest(request_id="r", lane_id="a", speed_limit_mps=math.nan),
        dispatch_pb2.LimitLaneRequest(request_id="r", lane_id="a", speed_limit_mps=5e-324),
        dispatch_pb2.LimitLaneRequest(request_id="r", lane_id="a", speed_limit_mps=0.09),
        dispatch_pb2.SetLaneFrictionRequest(request_id="r", lane_id="a", friction=math.inf, reason="frost"),
        dispatch_pb2.SetLaneFrictionRequest(request_id="r", lane_id="a", friction=0.3, reason=" "),
        dispatch_pb2.RecommissionTruckRequest(request_id="r", truck_id="t", reason=""),
        dispatch_pb2.RemoveTruckRequest(request_id="r", truck_id="t", taken_to="depot", second_person="", powered_off=True),
        dispatch_pb2.RemoveTruckRequest(request_id="r", truck_id="t", taken_to="depot", second_person="Bat", powered_off=False),
        intrusion(kind=0),
        intrusion(kind=99),
        intrusion(intrusion_id="two words"),
        intrusion(place=None),
        intrusion(stretches=[common_pb2.Stretch(lane_id="a", start_m=1.0, end_m=2.0)]),
        intrusion(place=None, stretches=[common_pb2.Stretch(lane_id="a", start_m=2.0, end_m=1.0)]),
        intrusion(place=None, stretches=[common_pb2.Stretch(lane_id="a", start_m=1.0, end_m=math.inf)]),
        intrusion(place=None, stretches=[common_pb2.Stretch(lane_id="a", end_m=1.0)] * 65),
        intrusion(place=common_pb2.LanePoint(lane_id="a", chainage_m=math.nan)),
        intrusion(place=common_pb2.LanePoint(lane_id="a", chainage_m=-1.0)),
        intrusion(place=common_pb2.LanePoint(lane_id="", chainage_m=1.0)),
        intrusion(radius_m=0.0),
        intrusion(radius_m=-1.0),
        intrusion(radius_m=1e9),
        intrusion(speed_mps=math.nan),
        intrusion(detail="x" * 300),
        intrusion(tracked=True, stamp_ns=1),
        intrusion(tracked=True, kind=dispatch_pb2.INTRUSION_KIND_MANNED_TRUCK),
        dispatch_pb2.ReleaseIntrusionRequest(request_id="r"),
        border_pb2.ReportBarrierRequest(request_id="r", gate_id="g", state=border_pb2.BARRIER_STATE_OPEN),
        border_pb2.ReportBarrierRequest(request_id="r", gate_id="g"),
        border_pb2.DecideCrossingRequest(request_id="r", crossing_id="c"),
    ],
)
def test_a_request_that_cannot_be_used_names_its_field(request_: Any) -> None:
    """Whoever asks must learn what to mend."""
    with pytest.raises(InvalidField) as refused:
        RequestReader(0).command(request_)

    assert refused.value.name
