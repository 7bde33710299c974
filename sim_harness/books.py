"""
The day's books: trips, tonnes, waits and their causes, counted from the truth.

Standing is speed below 0.05 m/s, looked at twice a second. A truck that stands behind another stands for whatever that one
stands for: the named cause is the root of the chain. A truck that holds enough authority to go is pulling away, which takes
brakes and driveline a moment; a second of it has a name, more has none.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

import numpy as np

from planner.corridor import YardRole
from sim_harness.observation import SAMPLE_TICKS, TICK_S, FlagArray, IndexArray, Recorder, Roster, TickView

STANDING_MPS: Final = 0.05
SAMPLE_S: Final = SAMPLE_TICKS * TICK_S
CHAIN_MAX: Final = 64
UNEXPLAINED: Final = "unexplained"
PULLING_AWAY: Final = "pulling_away"
PULLING_AWAY_S: Final = 3.0
NO_CAUSE: Final = frozenset({"", "none", "horizon"})
# What brings a mission on.
STEPS: Final = frozenset(
    {"loading_started", "loaded", "unloading_started", "unloaded", "charging_started", "charged", "gate_passed", "crossing_decided"}
)
AT_GATES: Final = frozenset({"gate", "customs", "inspection"})

Causes = Mapping[str, tuple[str, str]]


class Books:
    """Counts what happens to each truck, and passes every event on to the record."""

    def __init__(self, roster: Roster, recorder: Recorder) -> None:
        count = len(roster.truck_ids)
        self._roster = roster
        self._recorder = recorder
        self._row = {truck_id: row for row, truck_id in enumerate(roster.truck_ids)}
        self._entry_yard: dict[int, str] = {}
        for yard in roster.corridor.yards:
            for lane_id in yard.entry_lane_ids:
                self._entry_yard[roster.corridor.lane_ix[lane_id]] = yard.yard_id
        self._is_entry = np.zeros(len(roster.corridor.lanes), dtype=np.bool_)
        self._is_entry[list(self._entry_yard)] = True
        self._loading_yard = roster.corridor.yard_by_role[YardRole.LOADING].yard_id
        self._lane_ix: IndexArray = np.full(count, -1, dtype=np.int32)
        self._lanes_before = b""
        self._unloaded = [False] * count
        self._trips = [0] * count
        self._entered_s: list[float | None] = [None] * count
        self._cause = [""] * count
        self._stood_s = [0.0] * count
        self._going_s = [0.0] * count
        self._gate_s = [0.0] * count
        self._hash = hashlib.blake2b(digest_size=16)
        # Steps of each truck's missions so far.
        self.steps: IndexArray = np.zeros(count, dtype=np.int32)
        self.now_s = 0.0
        self.round_trips = 0
        self.round_trip_s: list[float] = []
        self.gate_wait_s: list[float] = []
        self.tonnes = 0.0
        # Containers whose due time has come, and those of them that were not there by then.
        self.due = 0
        self.late = 0
        self.emergency_brakes = 0
        self.batteries_empty = 0
        self.waiting_s: defaultdict[str, float] = defaultdict(float)
        self.refused: Counter[str] = Counter()
        # Bays whose machine is out of order.
        self.broken: set[str] = set()

    # -- events --------------------------------------------------------------------------------------------------------

    def notice(self, event: str, **fields: object) -> None:
        """Something happened now."""
        self._recorder.event(self.now_s, event, **fields)
        truck_id = fields.get("truck_id")
        row = self._row.get(str(truck_id)) if truck_id is not None else None
        if row is not None and event in STEPS:
            self.steps[row] += 1
        match event:
            case "unloaded":
                mass_kg = fields["mass_kg"]
                assert isinstance(mass_kg, float)
                self.tonnes += mass_kg / 1000.0
                if row is not None:
                    self._unloaded[row] = True
            case "gate_opened" if row is not None:
                self.gate_wait_s.append(self._gate_s[row])
                self._gate_s[row] = 0.0
            case "loader_broke":
                self.broken.add(str(fields["bay_id"]))
            case "loader_mended":
                self.broken.discard(str(fields["bay_id"]))
            case "emergency_braked":
                self.emergency_brakes += 1
            case "battery_empty":
                self.batteries_empty += 1
            case "command_refused" | "message_refused" | "report_refused" | "truck_refused":
                self.refused[event] += 1
            case _:
                pass

    def hear(self, frame: bytes) -> None:
        """Take a frame of decisions into the trace."""
        self._hash.update(frame)

    @property
    def trace_hash(self) -> str:
        """Digest of true motion and of all that was said to the trucks."""
        return self._hash.hexdigest()

    @property
    def trucks_around(self) -> int:
        """How many trucks have made a round trip."""
        return sum(trips > 0 for trips in self._trips)

    # -- every tick ----------------------------------------------------------------------------------------------------

    def tick(self, view: TickView) -> None:
        """Look for trucks that enter a yard."""
        lanes = view.lane_ix.tobytes()
        if lanes == self._lanes_before:
            return
        self._lanes_before = lanes
        moved_on: FlagArray = (view.lane_ix != self._lane_ix) & self._is_entry[view.lane_ix]
        for row in np.flatnonzero(moved_on):
            if self._lane_ix[row] >= 0:
                self._entered(int(row), self._entry_yard[int(view.lane_ix[row])])
        self._lane_ix[:] = view.lane_ix

    def _entered(self, row: int, yard_id: str) -> None:
        truck_id = self._roster.truck_ids[row]
        self.notice("yard_entered", truck_id=truck_id, yard_id=yard_id)
        if yard_id != self._loading_yard:
            return
        if self._unloaded[row]:
            self._unloaded[row] = False
            self.round_trips += 1
            self._trips[row] += 1
            before_s = self._entered_s[row]
            if before_s is None:
                self.notice("round_trip_done", truck_id=truck_id)
            else:
                self.round_trip_s.append(self.now_s - before_s)
                self.notice("round_trip_done", truck_id=truck_id, duration_s=self.now_s - before_s)
        self._entered_s[row] = self.now_s

    # -- twice a second ------------------------------------------------------------------------------------------------

    def sample(self, view: TickView, causes: Causes) -> list[str]:
        """
        Count standing trucks by cause, and take true motion into the trace.

        Returns each truck's cause, "" while it moves.
        """
        for column in (view.chainage_m, view.speed_mps, view.nose_path_m):
            self._hash.update(np.rint(column * 1000.0).astype(np.int64).tobytes())
        self._hash.update(view.lane_ix.tobytes())
        standing = (view.speed_mps < STANDING_MPS).tolist()
        named = [""] * len(standing)
        for row, stands in enumerate(standing):
            if stands:
                cause = self._named(row, causes)
                named[row] = cause
                self.waiting_s[cause] += SAMPLE_S
                if cause in AT_GATES:
                    self._gate_s[row] += SAMPLE_S
            if named[row] != self._cause[row]:
                self._changed(row, named[row], view)
            self._stood_s[row] = self._stood_s[row] + SAMPLE_S if stands else 0.0
        return named

    def _named(self, row: int, causes: Causes) -> str:
        kind, subject = causes.get(self._roster.truck_ids[row], ("", ""))
        for _ in range(CHAIN_MAX):
            if kind != "leader" or subject not in causes:
                break
            below, next_subject = causes[subject]
            if below in NO_CAUSE:
                break
            kind, subject = below, next_subject
        if kind not in NO_CAUSE:
            self._going_s[row] = 0.0
            return kind
        self._going_s[row] += SAMPLE_S
        return PULLING_AWAY if self._going_s[row] <= PULLING_AWAY_S else UNEXPLAINED

    def _changed(self, row: int, cause: str, view: TickView) -> None:
        truck_id = self._roster.truck_ids[row]
        before = self._cause[row]
        self._cause[row] = cause
        if cause:
            lane_id = self._roster.corridor.lanes[int(view.lane_ix[row])].lane_id
            chainage_m = round(float(view.chainage_m[row]), 3)
            self.notice("truck_stopped", truck_id=truck_id, lane_id=lane_id, chainage_m=chainage_m, cause=cause)
        else:
            self._going_s[row] = 0.0
            self.notice("truck_moved", truck_id=truck_id, stood_s=self._stood_s[row], cause=before)
