"""The moment to look at, as it is drawn: the right sample, true bodies, and the road that each truck may still use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from sim_harness.instant import Placed, instant_picture, read_instant, road_ahead
from sim_harness.observation import Roster, Sample
from sim_harness.recording import Recorder
from sim_harness.tiny import Place, tiny_corridor, tiny_roster, tiny_view

CORRIDOR = tiny_corridor()


def placed(lane_id: str, chainage_m: float, end: tuple[str, float] | None) -> Placed:
    """A truck that drives east; where its body is does not matter here."""
    return Placed(
        truck_id="T0",
        lane_id=lane_id,
        chainage_m=chainage_m,
        nose=np.array([chainage_m, 0.0]),
        rear=np.array([chainage_m - 16.5, 0.0]),
        width_m=3.2,
        speed_mps=5.0,
        laden=True,
        mode="drive",
        end=end,
    )


def record(folder: Path, roster: Roster, times_s: list[float]) -> None:
    """A truck that moves a metre a sample, and one that holds nothing."""
    with Recorder(folder, roster) as recorder:
        for step, time_s in enumerate(times_s):
            places = [
                Place(lane_id="out", chainage_m=100.0 + step, speed_mps=2.0, ahead_m=30.0, laden=True, mode=3),
                Place(lane_id="back", chainage_m=200.0, ahead_m=None),
            ]
            view = tiny_view(roster, time_s, places)
            end_lane_ix = np.where(np.isnan(view.end_path_m), -1, view.lane_ix).astype(np.int32)
            recorder.sample(
                Sample(view=view, end_lane_ix=end_lane_ix, end_chainage_m=view.chainage_m + 30.0, standing_cause=["", "no_order"])
            )


def test_the_sample_nearest_to_the_moment_is_read(tmp_path: Path) -> None:
    """Half a second is three metres: the picture must be of the moment that the sentence speaks of."""
    roster = tiny_roster(2)
    record(tmp_path, roster, [0.5, 1.0, 1.5, 2.0])

    time_s, (first, second) = read_instant(tmp_path, roster, 1.3)

    assert time_s == 1.5
    assert (first.truck_id, first.lane_id, first.chainage_m, first.mode) == ("T0", "out", 102.0, "emergency_brake")
    assert first.nose.tolist() == [102.0, 0.0]
    assert first.rear.tolist() == pytest.approx([85.5, 0.0])
    assert first.end == ("out", 132.0)
    assert first.words == "T0 7 km/h, emergency brake"
    assert (second.end, second.words) == (None, "T1 stands")


def test_a_moment_without_a_record_has_no_trucks(tmp_path: Path) -> None:
    """A run that ended at once is reported without the picture."""
    roster = tiny_roster(2)
    record(tmp_path, roster, [0.5])

    assert read_instant(tmp_path, roster, 40.0) == (40.0, [])


def test_a_body_is_drawn_as_long_and_as_wide_as_it_is() -> None:
    """Two boxes that touch in the picture touch on the road."""
    box = placed("out", 100.0, None).box

    assert sorted(map(tuple, box.tolist())) == [(83.5, -1.6), (83.5, 1.6), (100.0, -1.6), (100.0, 1.6)]


@pytest.mark.parametrize(
    ("end", "way"),
    [
        (("out", 130.0), [[100.0, 0.0], [130.0, 0.0]]),
        (("unload", 50.0), [[100.0, 0.0], [1000.0, 0.0], [1000.0, 0.0], [1050.0, 0.0]]),
        (("turn_east", 5.0), [[100.0, 0.0], [1000.0, 0.0], [1000.0, 0.0], [1200.0, 0.0], [1200.0, 0.0], [1200.0, 5.0]]),
        (("out", 90.0), []),
        (None, []),
    ],
)
def test_the_road_ahead_goes_along_the_lanes_to_the_end(end: tuple[str, float] | None, way: list[list[float]]) -> None:
    """Straight through a corner it would cross ground that nobody was given."""
    assert road_ahead(CORRIDOR, placed("out", 100.0, end)).tolist() == way


def drawn(figure: Figure) -> list[str]:
    """What is written in a picture."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_trucks_near_by_are_named_and_those_far_away_are_not() -> None:
    """The scene is about one truck; whoever could matter to it is there too."""
    about = placed("out", 310.0, ("out", 330.0))
    others = [("T1", 285.0), ("T2", 700.0)]
    trucks = [about, *(Placed(**{**_fields(placed("out", at_m, None)), "truck_id": name}) for name, at_m in others)]

    words = drawn(instant_picture(CORRIDOR, trucks, ["T0"]))

    assert {"T0 18 km/h", "T1 18 km/h", "G1", "10 m"} == set(words)


def _fields(truck: Placed) -> dict[str, object]:
    return {name: getattr(truck, name) for name in Placed.__dataclass_fields__}


def test_a_moment_about_no_truck_shows_the_whole_corridor_alone() -> None:
    """A fault of the server is everywhere."""
    figure = instant_picture(CORRIDOR, [placed("out", 310.0, ("out", 330.0))], [])

    assert len(figure.axes) == 1
    assert drawn(figure) == []


def test_only_what_is_seen_is_drawn() -> None:
    """A site has thousands of zones; drawn whole, one page held thirteen megabytes of them."""
    figure = instant_picture(CORRIDOR, [placed("out", 310.0, ("out", 330.0))], ["T0"])

    reach = [np.abs(path.vertices).max() for axes in figure.axes[1:] for shapes in axes.collections for path in shapes.get_paths()]

    assert max(reach) < 60.0
