"""
Road that a truck stood on while a fault kept it from going on: what the day's bound is not held to.

A truck without motors, or whose load customs holds, is in nobody's way until it stands, and where that is nobody knows before the day is
run. So it is noted as it happens. One that customs holds counts only where it is held: with its nose at a gate's line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np

from sim_harness.books import STANDING_MPS
from sim_harness.faults.incident import Blockage, Incident
from sim_harness.faults.scene import Scene

AT_THE_LINE_M: Final = 5.0


class Blockages:
    """Notes where the trucks of faults at work stand in the way."""

    def __init__(self, scene: Scene) -> None:
        self._fleet = scene.fleet
        self._scene = scene
        self._lines_m = {scene.corridor.lane_ix[gate.lane_id]: gate.stop_line_m for gate in scene.corridor.gates}
        # By kind of fault: whether a truck that stands would go on without it.
        self._kept: Mapping[str, Callable[[int], bool]] = {
            "breakdown": self._has_no_motors,
            "battery": self._has_no_motors,
            "wall": lambda _: True,
            "customs": self._is_at_a_line,
        }

    def note(self, at_work: Iterable[Incident], now_s: float) -> None:
        """The newest tick ended at *now_s*."""
        for incident in at_work:
            kept = self._kept.get(incident.spec.fault)
            if kept is None:
                continue
            row = self._scene.row(incident.spec)
            if self._fleet.motion.speed_mps[row] < STANDING_MPS and kept(row):
                self._stood(incident, row, now_s)

    def _stood(self, incident: Incident, row: int, now_s: float) -> None:
        lanes = self._fleet.places.body_lanes[row]
        lane_ids = tuple(sorted(self._fleet.lane_id(int(lane)) for lane in np.unique(lanes[lanes >= 0])))
        known = incident.blockages
        if known and known[-1].lane_ids == lane_ids:
            known[-1] = Blockage(lane_ids=lane_ids, from_s=known[-1].from_s, to_s=now_s)
        else:
            known.append(Blockage(lane_ids=lane_ids, from_s=now_s, to_s=now_s))

    def _has_no_motors(self, row: int) -> bool:
        return float(self._fleet.build.pull_empty_mps2[row]) == 0.0

    def _is_at_a_line(self, row: int) -> bool:
        places = self._fleet.places
        line_m = self._lines_m.get(int(places.lane_ix[row]))
        return line_m is not None and abs(line_m - float(places.chainage_m[row])) < AT_THE_LINE_M
