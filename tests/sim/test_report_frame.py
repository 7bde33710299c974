"""The kernel writes what the protobuf library would write, or the server hears something nobody said."""

from __future__ import annotations

import numpy as np
import pytest

from fleet.v1 import gateway_pb2
from sim_harness.report_frame import ReportFrames
from sim_harness.truck_agent import REPORTS_TAG, length_prefix

INTS = ("handle", "stamp_ns", "lane_ix", "flags", "accepted_epoch", "accepted_sequence", "challenge", "challenge_echo")
FLOATS = ("chainage_m", "speed_mps", "acceleration_mps2", "bound_m", "battery_wh", "friction", "brake_health")


@pytest.mark.parametrize("count", [1, 7, 300])
def test_a_frame_reads_back_as_it_was_filled(count: int) -> None:
    """Varints of every length, and floats to the last bit."""
    rng = np.random.default_rng(count)
    frames = ReportFrames(count)
    frames.ints[:] = rng.integers(0, 1 << rng.integers(1, 62, (len(INTS), 1)), (len(INTS), count))
    frames.ints[[0, 2, 3]] %= 1 << 20
    frames.floats[:] = rng.standard_normal((len(FLOATS), count)) * 1e3

    read = gateway_pb2.ReportFrame.FromString(frames.encode(count))

    for row, name in enumerate(INTS):
        assert list(getattr(read, name)) == frames.ints[row].tolist()
    for row, name in enumerate(FLOATS):
        assert list(getattr(read, name)) == frames.floats[row].tolist()


def test_brake_health_is_left_out_while_all_brakes_are_sound() -> None:
    """Nearly every frame of nearly every day: eight bytes a truck for nothing."""
    frames = ReportFrames(5)
    frames.floats[6] = 0.8

    sound, weak = (gateway_pb2.ReportFrame.FromString(frames.encode(5, weak=weak)) for weak in (False, True))

    assert list(sound.brake_health) == []
    assert list(sound.friction) == [0.0] * 5
    assert list(weak.brake_health) == [0.8] * 5


def test_a_frame_joins_what_the_library_wrote() -> None:
    """Rare messages and reports travel as one message."""
    frames = ReportFrames(200)
    frames.ints[0] = np.arange(200)
    reports = frames.encode(200)

    whole = gateway_pb2.GatewayMessage(gateway_id="g").SerializeToString() + REPORTS_TAG + length_prefix(len(reports)) + reports

    read = gateway_pb2.GatewayMessage.FromString(whole)
    assert read.gateway_id == "g"
    assert list(read.reports.handle) == list(range(200))
