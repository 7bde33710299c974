"""
The README's pictures, from a recording: `python -m sim_harness.picture RECORDING SCENARIO FOLDER`.

Draws the second and third hour of the run, or all of a shorter one: `stringline.svg` and `corridor.svg`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from sim_harness.figures import corridor_picture, save, stringline
from sim_harness.observation import Roster
from sim_harness.recording import TRAJECTORY
from sim_harness.report_html import scene_of
from sim_harness.scenario import load_scenario

HOUR_S: Final = 3600.0


def draw(recording: Path, roster: Roster, folder: Path) -> None:
    """Writes both pictures into *folder*."""
    times = pq.ParquetFile(recording / TRAJECTORY)
    last = times.read_row_group(times.num_row_groups - 1, columns=["time_s"])["time_s"][-1].as_py()
    scene = scene_of(recording, roster, (HOUR_S, 3.0 * HOUR_S) if last > 2.0 * HOUR_S else (0.0, last))
    save(stringline(scene), folder / "stringline.svg")
    save(corridor_picture(scene), folder / "corridor.svg")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), load_scenario(sys.argv[2]).roster, Path(sys.argv[3]))
