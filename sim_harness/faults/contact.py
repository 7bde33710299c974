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
from planner.limits import CLEARING_SPEED_MPS, CONTACT_STOP_MS, FRICTION_DRY
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import TICK_S, FlagArray, FloatArray

# The rung that stops a truck, and the ticks in which heartbeats and supervisor miss each other.
LAPSED_S: Final = CONTACT_STOP_MS / 1000.0 + 0.25
# A second to react and the brakes' build-up; then it must slow down, if no more than this.
SETTLED_S: Final = 1.5
SLOWING_MPS2: Final = 0.3
SLACK_MPS: Final = 0.2
STANDING_MPS: Final = 0.05
MOVED_OFF_MPS: Final = 0.15
NEVER_S: Final = -np.inf


class ContactWatch:
    """
    Watches every truck of a fleet whose clock and service brakes are sound and whose road is no ice: the others cannot do better.

    By row: *beat_s*, *welcome_s*, *authority_s*: when the radio last brought one that counts; *lapsed_s*: since when it is without
    contact, infinite while it has contact; *ceiling_mps*: how fast it may be at most, while it is without.
    """

    def __init__(self, fleet: FleetColumns) -> None:
        count = len(fleet.roster.truck_ids)
        self._fleet = fleet
        self._beat_s: FloatArray = np.full(count, np.inf)
        self._welcome_s: FloatArray = np.full(count, NEVER_S)
        self._authority_s: FloatArray = np.full(count, NEVER_S)
        self._lapsed_s: FloatArray = np.full(count, np.inf)
        self._ceiling_mps: FloatArray = np.full(count, np.inf)
        self._stood: FlagArray = np.zeros(count, dtype=np.bool_)
        self._epoch = np.zeros(count, dtype=np.int64)
        self._now_s = 0.0
        self.found: list[str] = []

    def hear(self, frame: bytes, only: int | None = None) -> None:
        """The radio brought *frame*, to everybody whose words travel together or to the truck of row *only*."""
        control = gateway_pb2.GatewayControl.FromString(frame)
        for relayed in control.relayed:
            row = self._fleet.row.get(relayed.truck_id)
            if row is not None and self._reached(row, only):
                self._hear_one(row, relayed.message)
        if control.HasField("authorities"):
            self._stamp(self._authority_s, control.authorities.epoch, control.authorities.handle, only)
        if control.HasField("heartbeats"):
            self._stamp(self._beat_s, control.heartbeats.epoch, control.heartbeats.handle, only)

    def _reached(self, row: int, only: int | None) -> bool:
        return not self._fleet.apart[row] if only is None else row == only

    def _hear_one(self, row: int, message: truck_pb2.ControlMessage) -> None:
        if message.HasField("welcome"):
            self._epoch[row] = message.welcome.epoch
            self._welcome_s[row] = self._beat_s[row] = self._now_s
        elif message.HasField("authority") and message.authority.term.epoch == self._epoch[row]:
            self._authority_s[row] = self._now_s

    def _stamp(self, column: FloatArray, epoch: int, handles: object, only: int | None) -> None:
        """Note now in *column* for the trucks of a frame that agreed to its epoch."""
        rows = self._fleet.row_of_handle[np.asarray(handles, dtype=np.int64)]
        rows = rows[(rows == only) if only is not None else ~self._fleet.apart[rows]]
        column[rows[self._epoch[rows] == epoch]] = self._now_s

    def tick(self, now_s: float) -> None:
        """After the trucks moved."""
        self._now_s = now_s
        fleet = self._fleet
        without = now_s - self._beat_s > LAPSED_S
        has_lapsed = self._lapsed_s < np.inf
        if not without.any() and not has_lapsed.any():
            return
        speed_mps = fleet.motion.speed_mps
        fresh = without & ~has_lapsed
        self._lapsed_s[fresh] = now_s
        self._ceiling_mps[fresh] = np.inf
        self._stood[fresh] = False
        # A new authority counts only when it came after the welcome that ended the silence.
        regained = has_lapsed & (self._welcome_s > self._lapsed_s) & (self._authority_s > self._welcome_s)
        self._lapsed_s[regained] = np.inf
        bound = (self._lapsed_s < np.inf) & self._sound()
        self._stood |= bound & (speed_mps <= STANDING_MPS)
        for row in np.flatnonzero(bound & self._stood & (speed_mps > MOVED_OFF_MPS)).tolist():
            self._breach(row, "moved off without contact")
        settled = bound & (now_s - self._lapsed_s >= SETTLED_S)
        begins = settled & (self._ceiling_mps == np.inf)
        self._ceiling_mps[begins] = speed_mps[begins]
        falling = np.maximum(CLEARING_SPEED_MPS, self._ceiling_mps - SLOWING_MPS2 * TICK_S)
        self._ceiling_mps[settled] = falling[settled]
        for row in np.flatnonzero(settled & (speed_mps > self._ceiling_mps + SLACK_MPS)).tolist():
            self._breach(row, "drove on without contact")

    def _sound(self) -> FlagArray:
        """Who can be held to the rules."""
        fleet = self._fleet
        sound: FlagArray = (fleet.around.service >= 1.0) & (fleet.around.friction >= FRICTION_DRY)
        sound[list(fleet.clocks)] = False
        return sound

    def _breach(self, row: int, what: str) -> None:
        """Once for each silence."""
        self._lapsed_s[row] = np.inf
        self._beat_s[row] = np.inf
        self.found.append(f"{self._fleet.roster.truck_ids[row]} {what} at {self._now_s:.1f} s")
