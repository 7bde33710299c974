"""
What a run leaves behind while it runs: `trajectory.parquet`, `events.jsonl` and `run.mcap`.

Samples are kept as columns and written in row groups, so a day of a hundred trucks never has to fit in memory. The recorder
takes the simulator's arrays as they are and copies what it keeps. With no directory nothing is written and nothing is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fleet.console import recorded
from fleet.onboard import Mode
from sim_harness.foxglove import FoxgloveWriter
from sim_harness.geometry import Bodies, LaneLines
from sim_harness.observation import Roster, Sample
from sim_harness.show import Show

# In the order of their numbers, which are the onboard supervisor's.
MODES: Final = tuple(mode.name.lower() for mode in sorted(Mode))
ROWS_IN_GROUP: Final = 120_000
TRAJECTORY: Final = "trajectory.parquet"
EVENTS: Final = "events.jsonl"
MCAP: Final = recorded.FILE

SCHEMA: Final = pa.schema(
    [
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("truck_id", pa.string(), nullable=False),
        pa.field("lane_id", pa.string(), nullable=False),
        pa.field("chainage_m", pa.float64(), nullable=False),
        pa.field("x_m", pa.float64(), nullable=False),
        pa.field("y_m", pa.float64(), nullable=False),
        pa.field("rear_x_m", pa.float64(), nullable=False),
        pa.field("rear_y_m", pa.float64(), nullable=False),
        pa.field("speed_mps", pa.float64(), nullable=False),
        pa.field("acceleration_mps2", pa.float64(), nullable=False),
        pa.field("laden", pa.bool_(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("end_lane_id", pa.string()),
        pa.field("end_chainage_m", pa.float64()),
    ]
)


def _plain(value: object) -> object:
    """A numpy scalar as the Python number it stands for; anything else JSON does not know is a mistake of ours."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"an event field may not be a {type(value).__name__}")


def event_line(time_s: float, event: str, fields: Mapping[str, object]) -> str:
    """One line of `events.jsonl`, without its end."""
    return json.dumps({"time_s": round(float(time_s), 3), "event": event, **fields}, default=_plain, allow_nan=False)


def _kept(column: npt.NDArray[Any]) -> pa.Array:
    """A copy as an Arrow array: Arrow would share the memory, and the simulator writes on in it."""
    return pa.array(column.copy())


class Columns:
    """Turns samples into record batches."""

    def __init__(self, roster: Roster) -> None:
        self._bodies = Bodies(LaneLines.of(roster.corridor), roster.column("length_m"))
        self._truck_ids = pa.array(roster.truck_ids, pa.string())
        self._lane_ids = pa.array([lane.lane_id for lane in roster.corridor.lanes], pa.string())
        self._modes = pa.array(MODES, pa.string())

    def batch(self, sample: Sample) -> pa.RecordBatch:
        """One row per truck, in the roster's order."""
        view = sample.view
        self._bodies.move(view.body_lanes, view.chainage_m)
        unheld = sample.end_lane_ix < 0
        columns: list[Any] = [
            pa.array(np.full(len(view.lane_ix), view.time_s)),
            self._truck_ids,
            self._lane_ids.take(pa.array(view.lane_ix)),
            _kept(view.chainage_m),
            _kept(self._bodies.x_m[:, 0]),
            _kept(self._bodies.y_m[:, 0]),
            _kept(self._bodies.x_m[:, -1]),
            _kept(self._bodies.y_m[:, -1]),
            _kept(view.speed_mps),
            _kept(view.acceleration_mps2),
            _kept(view.laden),
            self._modes.take(pa.array(view.mode)),
            self._lane_ids.take(pa.array(sample.end_lane_ix, mask=unheld)),
            pa.array(sample.end_chainage_m.copy(), mask=unheld),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

    def points(self) -> Bodies:
        """The bodies as of the last batch."""
        return self._bodies


class Recorder:
    """Writes samples and events as they come; `close` completes the files."""

    def __init__(self, out_dir: Path | None, roster: Roster) -> None:
        self._out_dir = out_dir
        if out_dir is None:
            return
        out_dir.mkdir(parents=True, exist_ok=True)
        self._columns = Columns(roster)
        self._rows = 0
        self._batches: list[pa.RecordBatch] = []
        # Names repeat, numbers do not: dictionaries for numbers would cost time and room.
        names = [field.name for field in SCHEMA if pa.types.is_string(field.type)]
        self._trajectory = pq.ParquetWriter(out_dir / TRAJECTORY, SCHEMA, compression="zstd", compression_level=1, use_dictionary=names)
        self._events = (out_dir / EVENTS).open("w", encoding="utf-8")
        self._mcap = FoxgloveWriter(out_dir / MCAP, roster)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def sample(self, sample: Sample) -> None:
        """Keeps one sample."""
        if self._out_dir is None:
            return
        batch = self._columns.batch(sample)
        self._batches.append(batch)
        self._rows += batch.num_rows
        if self._rows >= ROWS_IN_GROUP:
            self._flush()
        self._mcap.sample(sample, self._columns.points())

    def event(self, time_s: float, event: str, **fields: object) -> None:
        """Keeps one event."""
        if self._out_dir is None:
            return
        self._events.write(event_line(time_s, event, fields) + "\n")
        self._mcap.event(time_s, event, fields)

    def show(self) -> Show | None:
        """What writes down what a server shows; None where nothing is kept."""
        return None if self._out_dir is None else Show(self._mcap.show)

    def close(self) -> None:
        """Completes the files; again does nothing."""
        if self._out_dir is None:
            return
        self._flush()
        self._trajectory.close()
        self._events.close()
        self._mcap.close()
        self._out_dir = None

    def _flush(self) -> None:
        if self._batches:
            self._trajectory.write_table(pa.Table.from_batches(self._batches, SCHEMA), row_group_size=self._rows)
        self._batches = []
        self._rows = 0
