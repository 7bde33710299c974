"""
Whether trucks keep to the rules of contact, by what the radio really brought them.

A truck that heard no heartbeat for as long as the ladder allows must stop, or creep out of where none may stand, and it may go on
only when it was welcomed anew and, after that, was given a new authority. Nothing here asks the truck whether it thinks it has
contact: a truck that does not notice would say that all is well.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleet.v1 import gateway_pb2, truck_pb2
from planner.limits import CONTACT_STOP_MS
from sim_harness.faults.must_stop import MustStop, can_brake
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import FlagArray, FloatArray

# The rung that stops a truck, and the ticks in which heartbeats and supervisor miss each other.
LAPSED_S: Final = CONTACT_STOP_MS / 1000.0 + 0.25
NEVER_S: Final = -np.inf


class ContactWatch:
    """
    Watches every truck of a fleet whose clock and service brakes are sound and whose road is no ice: the others cannot do better.

    By row: *beat_s*, *welcome_s*, *authority_s*: when the radio last brought one that counts. A truck without contact must stop.
    """

    def __init__(self, fleet: FleetColumns) -> None:
        count = len(fleet.roster.truck_ids)
        self._fleet = fleet
        self._beat_s: FloatArray = np.full(count, np.inf)
        self._welcome_s: FloatArray = np.full(count, NEVER_S)
        self._authority_s: FloatArray = np.full(count, NEVER_S)
        self._alone = MustStop(fleet)
        self._epoch = np.zeros(count, dtype=np.int64)
        self._now_s = 0.0
        self.found: list[str] = []

    def hear(self, control: gateway_pb2.GatewayControl, only: int | None = None) -> None:
        """The radio brought *control*, to everybody whose words travel together or to the truck of row *only*."""
        for relayed in control.relayed:
            row = self._fleet.row.get(relayed.truck_id)
            if row is not None and self._fleet.reaches(row, only):
                self._hear_one(row, relayed.message)
        if control.HasField("authorities"):
            self._stamp(self._authority_s, control.authorities.epoch, control.authorities.handle, only)
        if control.HasField("heartbeats"):
            self._stamp(self._beat_s, control.heartbeats.epoch, control.heartbeats.handle, only)

    def _hear_one(self, row: int, message: truck_pb2.ControlMessage) -> None:
        if message.HasField("welcome"):
            self._epoch[row] = message.welcome.epoch
            self._welcome_s[row] = self._beat_s[row] = self._now_s
            self._authority_s[row] = -np.inf
        elif message.HasField("authority") and message.authority.term.epoch == self._epoch[row]:
            self._authority_s[row] = self._now_s

    def _stamp(self, column: FloatArray, epoch: int, handles: object, only: int | None) -> None:
        """Note now in *column* for the trucks of a frame that agreed to its epoch."""
        rows, heard = self._fleet.reached(np.asarray(handles, dtype=np.int32), only)
        rows = rows if heard is None else rows[heard]
        column[rows[self._epoch[rows] == epoch]] = self._now_s

    def tick(self, now_s: float) -> None:
        """After the trucks moved."""
        self._now_s = now_s
        without: FlagArray = now_s - self._beat_s > LAPSED_S
        if not np.count_nonzero(without) and not self._alone.anybody:
            return
        self._alone.begin(without, now_s)
        # A new authority counts only when it came after the welcome that ended the silence.
        since_s = self._alone.since_s
        self._alone.end((since_s < np.inf) & (self._welcome_s >= since_s) & (self._authority_s >= self._welcome_s))
        for row, what in self._alone.broken(self._sound(), now_s):
            self._beat_s[row] = np.inf  # once for each silence
            self.found.append(f"{self._fleet.roster.truck_ids[row]} {what} without contact at {now_s:.1f} s")

    def _sound(self) -> FlagArray:
        """Who can be held to the rules."""
        sound = can_brake(self._fleet)
        sound[list(self._fleet.clocks)] = False
        return sound
