"""Whatever a server says, in whatever order, the truck answers or refuses, and its next command makes sense."""

from __future__ import annotations

import math

from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.onboard import Identity, Interpreter, LanePoint, Mode, Sensors, Supervisor, TruckType
from fleet.v1 import common_pb2, truck_pb2

KIND = TruckType(
    truck_type_id="coal_truck_70t", length_m=16.5, width_m=3.2, wheelbase_m=10.0, lateral_error_m=0.2, tare_kg=30e3, load_max_kg=70e3,
    speed_max_mps=6.944, acceleration_laden_mps2=0.35, acceleration_empty_mps2=0.7, brake_service_mps2=1.5, brake_guaranteed_mps2=2.2,
    brake_dead_s=0.5, brake_build_up_s=0.5, traction_cutoff_s=0.3, jerk_mps3=0.6, roll_back_m=1.0, bound_max_m=5.0, battery_wh=350e3,
)  # fmt: skip
ME = Identity(truck_id="T001", instance_id="onboard-1", boot_id="boot-1", truck_type_id=KIND.truck_type_id)

metres = st.sampled_from([0.0, 1.0, 40.0, 100.0, 400.0, -1.0, 1e308, -1e308, math.inf, -math.inf, math.nan])
small = st.sampled_from([0, 1, 2, 3, 4, -1, 2**62])
texts = st.sampled_from(["", "a", "b", "长" * 100])
terms = st.builds(common_pb2.Term, epoch=st.sampled_from([0, 1, 1, 1, 2, -1]), sequence=small)
points = st.builds(common_pb2.LanePoint, lane_id=texts, chainage_m=metres)
segments = st.builds(
    truck_pb2.Segment,
    stretch=st.builds(common_pb2.Stretch, lane_id=texts, start_m=metres, end_m=metres),
    speed_max_mps=metres,
    grade=metres,
    no_stop=st.booleans(),
)
durations = st.builds(Duration, seconds=st.sampled_from([0, 1, 2, -5, 10**9]), nanos=st.sampled_from([0, 500_000_000]))
rungs = st.builds(truck_pb2.LadderRung, silence=durations, reaction=st.sampled_from([0, 1, 2, 3]))
messages = st.one_of(
    st.builds(
        truck_pb2.Welcome,
        epoch=st.sampled_from([-1, 0, 1, 1, 2]),
        hello_stamp_ns=st.sampled_from([0, 1]),
        report_period=durations,
        ladder=st.lists(rungs, max_size=3),
        clearing_speed_max_mps=metres,
    ).map(lambda m: truck_pb2.ControlMessage(welcome=m)),
    st.builds(truck_pb2.Route, term=terms, segments=st.lists(segments, max_size=3)).map(lambda m: truck_pb2.ControlMessage(route=m)),
    st.builds(truck_pb2.MovementAuthority, term=terms, route_sequence=small, end=points, advised_speed_mps=metres, friction=metres).map(
        lambda m: truck_pb2.ControlMessage(authority=m)
    ),
    st.builds(truck_pb2.Shortening, term=terms, route_sequence=small, end=points).map(lambda m: truck_pb2.ControlMessage(shortening=m)),
    st.builds(truck_pb2.Heartbeat, tick=small, challenge_echo=small, challenge=small, epoch=small).map(
        lambda m: truck_pb2.ControlMessage(heartbeat=m)
    ),
    st.builds(truck_pb2.Stop, stop_id=texts, reaction=st.sampled_from([0, 1, 2, 3])).map(lambda m: truck_pb2.ControlMessage(stop=m)),
    st.builds(truck_pb2.Resume, stop_id=texts).map(lambda m: truck_pb2.ControlMessage(resume=m)),
    st.builds(truck_pb2.Mission, goal=points, immobilise=st.booleans()).map(lambda m: truck_pb2.ControlMessage(mission=m)),
    st.just(truck_pb2.ControlMessage()),
)
good_route = truck_pb2.ControlMessage(
    route=truck_pb2.Route(
        term=common_pb2.Term(epoch=1, sequence=1),
        segments=[truck_pb2.Segment(stretch=common_pb2.Stretch(lane_id="a", start_m=0.0, end_m=400.0), speed_max_mps=6.9)],
    )
)


@settings(max_examples=300, deadline=None)
@given(said=st.lists(messages, max_size=12), welcomed=st.booleans(), speed_mps=st.sampled_from([0.0, 3.0]))
def test_nothing_a_server_says_breaks_the_truck(said: list[truck_pb2.ControlMessage], speed_mps: float, *, welcomed: bool) -> None:
    """A truck that crashes on a message is a truck that a message can crash into something."""
    interpreter = Interpreter(Supervisor(ME, KIND))
    truck = interpreter.supervisor
    reading = {"nose": LanePoint("a", 50.0), "acceleration_mps2": 0.0, "bound_m": 0.5, "laden": False}
    truck.sense(Sensors(stamp_ns=1, speed_mps=0.0, **reading))  # type: ignore[arg-type]
    hello = interpreter.hello(1).hello
    if welcomed:
        welcome = truck_pb2.Welcome(epoch=1, hello_stamp_ns=hello.report.stamp_ns)
        interpreter.receive(truck_pb2.ControlMessage(welcome=welcome), 2)
        interpreter.receive(good_route, 2)

    for step, message in enumerate(said):
        now_ns = 3 + step * 100_000_000
        interpreter.receive(message, now_ns)
        truck.sense(Sensors(stamp_ns=now_ns, speed_mps=speed_mps, **reading))  # type: ignore[arg-type]
        command = truck.step(now_ns)

        assert math.isfinite(command.acceleration_demand_mps2)
        assert -2.2 <= command.acceleration_demand_mps2 <= 0.7
        assert 0.0 <= command.speed_target_mps <= 6.944
        assert 100_000_000 <= truck.report_period_ns <= 1_000_000_000
        if truck.permission.end is None and speed_mps > 0.0:
            assert command.mode == Mode.EMERGENCY_BRAKE
        interpreter.report(now_ns)
