"""
Distances between the bodies of a recorded run: by our checks' boxes and by shapely's polygons.

The run is made by the command that anyone would use, and read from the files it leaves. Which lanes a body stands on is found
anew, from the lane and chainage of the nose and the place of the rear: of all ways back along the lanes the one that ends where the
rear was recorded. From there the two sides share nothing: ours places points by our tables, shapely interpolates along the lanes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
import shapely

from planner.corridor import Corridor
from sim_harness.clearance import body_clearances
from sim_harness.geometry import BODY_POINTS, Bodies, LaneLines
from sim_harness.observation import BODY_LANES, FloatArray, IndexArray
from sim_harness.referee.finding import Finding
from sim_harness.scenario import load_scenario

REFEREE: Final = "shapely"
BOUND_M: Final = 1e-6
SCENARIO: Final = "mandula"
HOURS: Final = 0.5

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """
    True motion as recorded, (t, n) or (t, n, 2): t moments, n trucks in the report's order.

    length_m, width_m   (n,)
    """

    lane_ix: IndexArray
    chainage_m: FloatArray
    rear_m: FloatArray
    length_m: FloatArray
    width_m: FloatArray
    overlaps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """
    What two ways of measuring make of a recording.

    rear_m            (t, n) how far a recorded rear is from the lanes
    ours_m, theirs_m  (t, pairs) clearances
    """

    rear_m: FloatArray
    ours_m: FloatArray
    theirs_m: FloatArray


def read(folder: Path, corridor: Corridor) -> Recording:
    """What `fleet sim run --out` left in *folder*."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    table = pq.read_table(folder / "trajectory.parquet", columns=["truck_id", "lane_id", "chainage_m", "rear_x_m", "rear_y_m"])
    names = [truck["truck_id"] for truck in report["trucks"]]
    count = len(names)
    assert table["truck_id"].to_pylist() == names * (table.num_rows // count), "every moment shows every truck, in the report's order"
    lane_ix = np.array([corridor.lane_ix[name] for name in table["lane_id"].to_pylist()], dtype=np.int32)
    rear_m = np.column_stack([table["rear_x_m"].to_numpy(), table["rear_y_m"].to_numpy()])
    return Recording(
        lane_ix=lane_ix.reshape(-1, count),
        chainage_m=table["chainage_m"].to_numpy().reshape(-1, count),
        rear_m=rear_m.reshape(-1, count, 2),
        length_m=np.array([truck["length_m"] for truck in report["trucks"]]),
        width_m=np.array([truck["width_m"] for truck in report["trucks"]]),
        overlaps=report["overlaps"],
    )


class Roads:
    """The corridor's lanes as shapely's lines, and the ways back along them."""

    def __init__(self, corridor: Corridor) -> None:
        self._lanes = corridor.lanes
        self._lines = [shapely.LineString(lane.points) for lane in corridor.lanes]
        before: dict[str, list[int]] = {}
        for ix, lane in enumerate(corridor.lanes):
            before.setdefault(lane.to_node_id, []).append(ix)
        self._before = [before.get(lane.from_node_id, []) for lane in corridor.lanes]

    def ways_back(self, lane: int, metres: float) -> list[list[int]]:
        """Every row of lanes that leads *metres* back from the start of *lane*, which comes first."""
        if metres <= 0.0:
            return [[lane]]
        behind = self._before[lane]
        return [[lane, *way] for each in behind for way in self.ways_back(each, metres - self._lanes[each].length_m)]

    def points(self, way: list[int], chainage_m: float, length_m: float) -> list[Point]:
        """Nose, rear and what is between, equal metres apart."""
        found = []
        here_m, k = chainage_m, 0
        for point in range(BODY_POINTS):
            if point:
                here_m -= length_m / (BODY_POINTS - 1)
            while here_m < 0.0 and k + 1 < len(way):
                k += 1
                here_m += self._lanes[way[k]].length_m
            at = self._lines[way[k]].interpolate(here_m / self._lanes[way[k]].length_m, normalized=True)
            found.append((at.x, at.y))
        return found

    def body(self, place: tuple[int, float], length_m: float, rear: Point) -> tuple[list[int], list[Point]]:
        """Lanes under the body whose nose is at *place*, and its points: the way back whose end is nearest to *rear*."""
        lane, chainage_m = place
        ways = [(way, self.points(way, chainage_m, length_m)) for way in self.ways_back(lane, length_m - chainage_m)]
        return min(ways, key=lambda way: float(np.hypot(way[1][-1][0] - rear[0], way[1][-1][1] - rear[1])))


def _polygons(points: list[list[Point]], width_m: FloatArray) -> Any:
    """(n,) bodies: a strip as wide as the truck along each piece of the line through its points."""
    lines = shapely.linestrings([piece for body in points for piece in pairwise(body)])
    pieces = BODY_POINTS - 1
    strips = shapely.buffer(lines, np.repeat(0.5 * width_m, pieces), cap_style="flat")
    return shapely.multipolygons(strips, indices=np.repeat(np.arange(len(points)), pieces))


def measure(recording: Recording, corridor: Corridor) -> Measured:
    """All pairs at all moments, measured both ways."""
    roads = Roads(corridor)
    known = cache(roads.body)
    moments, count = recording.lane_ix.shape
    bodies = Bodies(LaneLines.of(corridor), recording.length_m)
    rows, others = np.triu_indices(count, 1)
    ours_m, theirs_m = np.empty((moments, len(rows))), np.empty((moments, len(rows)))
    square_m, rear_m = np.empty((count, count)), np.empty((moments, count))
    for moment in range(moments):
        body_lanes = np.full((count, BODY_LANES), -1, dtype=np.int32)
        points = []
        for row in range(count):
            place = (int(recording.lane_ix[moment, row]), float(recording.chainage_m[moment, row]))
            x_m, y_m = recording.rear_m[moment, row].tolist()
            way, line = known(place, float(recording.length_m[row]), (x_m, y_m))
            body_lanes[row, : len(way)] = way
            points.append(line)
            rear_m[moment, row] = np.hypot(line[-1][0] - x_m, line[-1][1] - y_m)
        bodies.move(body_lanes, recording.chainage_m[moment])
        body_clearances(bodies.x_m, bodies.y_m, recording.width_m, square_m)
        ours_m[moment] = square_m[rows, others]
        polygons = _polygons(points, recording.width_m)
        theirs_m[moment] = shapely.distance(polygons[rows], polygons[others])
    return Measured(rear_m=rear_m, ours_m=ours_m, theirs_m=theirs_m)


def findings(measured: Measured, overlaps: int) -> list[Finding]:
    """The recorded rears, the clearances, and whether anybody saw bodies meet; *overlaps* are the report's."""
    rear_m, ours_m, theirs_m = measured.rear_m, measured.ours_m, measured.theirs_m
    meeting = max(overlaps, int((ours_m <= 0.0).sum()), int((theirs_m <= 0.0).sum()))
    least = f"clearances of a recorded run, least {ours_m.min():.3f} m and {theirs_m.min():.3f} m"
    apart_m = float(np.abs(ours_m - theirs_m).max())
    return [
        Finding(
            referee=REFEREE, compared="recorded rears off the lanes", worst=float(rear_m.max()), bound=BOUND_M, unit="m", cases=rear_m.size
        ),
        Finding(referee=REFEREE, compared=least, worst=apart_m, bound=BOUND_M, unit="m", cases=ours_m.size),
        Finding(referee=REFEREE, compared="bodies that meet, by either", worst=float(meeting), bound=0.0, unit="", cases=ours_m.size),
    ]


def compare() -> list[Finding]:
    """Half an hour of the smallest scenario."""
    corridor = load_scenario(SCENARIO).corridor
    with TemporaryDirectory() as folder:
        run = ["sim", "run", SCENARIO, "--hours", f"{HOURS}", "--out", folder]
        subprocess.run([sys.executable, "-m", "fleet.cli.main", *run], check=True, stdout=subprocess.DEVNULL)
        recording = read(Path(folder), corridor)
    return findings(measure(recording, corridor), recording.overlaps)
