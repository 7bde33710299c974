"""What a run writes must be readable by anyone, and be the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

from sim_harness.dynamics import EMERGENCY_BRAKE
from sim_harness.observation import Roster, Sample
from sim_harness.recording import EVENTS, MCAP, ROWS_IN_GROUP, SCHEMA, TRAJECTORY, Recorder
from sim_harness.tiny import Place, tiny_roster, tiny_view


def _sample(roster: Roster, time_s: float, places: list[Place]) -> Sample:
    view = tiny_view(roster, time_s, places)
    held = np.array([place.ahead_m is not None for place in places])
    return Sample(
        view=view,
        end_lane_ix=np.where(held, view.lane_ix, -1).astype(np.int32),
        end_chainage_m=np.array([np.nan if place.ahead_m is None else place.chainage_m + place.ahead_m for place in places]),
        standing_cause=["" for _ in places],
    )


def test_a_row_of_the_trajectory_is_where_the_body_was(tmp_path: Path) -> None:
    """Others judge us by this file: nose and rear must lie on the road, a body length apart along it."""
    roster = tiny_roster(2)
    places = [
        Place(lane_id="turn_east", chainage_m=5.0, speed_mps=1.5, laden=True, mode=EMERGENCY_BRAKE),
        Place(lane_id="out", chainage_m=40.0, ahead_m=None),
    ]

    with Recorder(tmp_path, roster) as recorder:
        recorder.sample(_sample(roster, 0.5, places))

    first, second = pq.read_table(tmp_path / TRAJECTORY).to_pylist()
    assert first == {
        "time_s": 0.5,
        "truck_id": "T0",
        "lane_id": "turn_east",
        "chainage_m": 5.0,
        "x_m": 1200.0,
        "y_m": 5.0,
        "rear_x_m": 1188.5,
        "rear_y_m": 0.0,
        "speed_mps": 1.5,
        "acceleration_mps2": 0.0,
        "laden": True,
        "mode": "emergency_brake",
        "end_lane_id": "turn_east",
        "end_chainage_m": 55.0,
    }
    assert (second["end_lane_id"], second["end_chainage_m"]) == (None, None)


def test_samples_are_kept_as_they_were_when_taken(tmp_path: Path) -> None:
    """The simulator moves its arrays on; the record must not move with them."""
    roster = tiny_roster(1)
    sample = _sample(roster, 0.0, [Place(lane_id="out", chainage_m=40.0)])

    with Recorder(tmp_path, roster) as recorder:
        recorder.sample(sample)
        sample.view.chainage_m[0] = 41.0
        sample.view.speed_mps[0] = 3.0
        sample.view.laden[0] = True
        sample.end_chainage_m[0] = 99.0
        recorder.sample(sample)

    table = pq.read_table(tmp_path / TRAJECTORY)
    assert {name: table[name].to_pylist() for name in ("x_m", "chainage_m", "speed_mps", "laden", "end_chainage_m")} == {
        "x_m": [40.0, 41.0],
        "chainage_m": [40.0, 41.0],
        "speed_mps": [0.0, 3.0],
        "laden": [False, True],
        "end_chainage_m": [90.0, 99.0],
    }


def test_a_long_run_is_written_in_row_groups(tmp_path: Path) -> None:
    """A day of a hundred trucks does not fit in memory, and must not have to."""
    roster = tiny_roster(40)
    places = [Place(lane_id="out", chainage_m=20.0 * (row + 1)) for row in range(40)]
    sample = _sample(roster, 0.0, places)

    with Recorder(tmp_path, roster) as recorder:
        for _ in range(ROWS_IN_GROUP // 40 + 10):
            recorder.sample(sample)

    file = pq.ParquetFile(tmp_path / TRAJECTORY)
    assert file.metadata.num_row_groups == 2
    assert file.metadata.num_rows == ROWS_IN_GROUP + 400
    assert file.schema_arrow.names == SCHEMA.names


def test_events_are_lines_of_json(tmp_path: Path) -> None:
    """One line, one fact; numbers of numpy are numbers."""
    with Recorder(tmp_path, tiny_roster(1)) as recorder:
        recorder.event(12.3456, "gate_passed", truck_id="T0", wait_s=np.float64(3.5))

    line = (tmp_path / EVENTS).read_text(encoding="utf-8")
    assert json.loads(line) == {"time_s": 12.346, "event": "gate_passed", "truck_id": "T0", "wait_s": 3.5}


def test_an_event_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    """NaN is no JSON: better to fail here than in a reader."""
    with Recorder(tmp_path, tiny_roster(1)) as recorder, pytest.raises(ValueError, match="JSON"):
        recorder.event(0.0, "gate_passed", wait_s=float("nan"))


def test_the_scene_shows_every_truck_where_it_is(tmp_path: Path) -> None:
    """Foxglove draws the box around the middle of the body, heading as the truck does."""
    roster = tiny_roster(1)
    with Recorder(tmp_path, roster) as recorder:
        recorder.sample(_sample(roster, 0.0, [Place(lane_id="back", chainage_m=100.0)]))
        recorder.event(0.0, "run_started", scenario="tiny")

    with (tmp_path / MCAP).open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        heard = {channel.topic: (schema and schema.name, message) for schema, channel, _, message in reader.iter_decoded_messages()}

    name, scene = heard["/trucks"]
    cube = scene.entities[0].cubes[0]
    assert name == "foxglove.SceneUpdate"
    assert (cube.pose.position.x, cube.pose.position.y) == (1100.0 + 0.5 * 16.5, 20.0)
    assert cube.pose.orientation.z == pytest.approx(1.0)
    assert heard["/events"][0] == "foxglove.Log"


def test_faults_have_a_log_of_their_own(tmp_path: Path) -> None:
    """Foxglove's log panel shows what went wrong without a thousand gates that opened."""
    with Recorder(tmp_path, tiny_roster(1)) as recorder:
        recorder.event(1.0, "gate_opened", truck_id="T0", gate_id="G1")
        recorder.event(2.0, "fault_injected", fault="link", target="T0")
        recorder.event(3.5, "alarm_raised", alarm="truck_fell_silent", truck_id="T0")
        recorder.event(4.0, "fault_ended", fault="link", target="T0")

    with (tmp_path / MCAP).open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        logged = {
            topic: [(m.level, m.name, message.log_time / 1e9) for _, _, message, m in reader.iter_decoded_messages(topics=[topic])]
            for topic in ("/events", "/faults")
        }

    assert logged["/faults"] == [(3, "fault_injected", 2.0), (4, "alarm_raised", 3.5), (2, "fault_ended", 4.0)]
    assert logged["/events"] == [(2, "gate_opened", 1.0), *logged["/faults"]]


def test_without_a_directory_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most runs only want the figures."""
    monkeypatch.chdir(tmp_path)
    roster = tiny_roster(1)

    with Recorder(None, roster) as recorder:
        recorder.sample(_sample(roster, 0.0, [Place(lane_id="out", chainage_m=40.0)]))
        recorder.event(0.0, "run_started")

    assert list(tmp_path.iterdir()) == []
