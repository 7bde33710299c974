"""
Whether trucks do what they are told by whoever may tell them, and nothing else, by what the radio really brought them.

The end a truck holds may become another only in a tick in which the server that it agreed with said something newer to it than
anything before: a word of another term, or one that was said before, moves nothing, however it got there. And a truck that was told
to stop must stop, and may go on only when it was told that it may and, after that, was given a new authority.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from sim_harness.faults.must_stop import MustStop, can_brake
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import FlagArray, FloatArray

SAME_END_M: Final = 1e-6
# What may change the end a truck holds.
ABOUT_ENDS: Final = frozenset({"authority", "shortening", "route"})


class WordsWatch:
    """
    Watches every truck of a fleet.

    By row: *newest*: the highest sequence of the term agreed with that the truck took; *fresh*: something newer came since the last
    tick; *ends_m*: what it held then; *stops*: who told it to stop; *released*: nobody any more, and no new authority has come yet.
    """

    def __init__(self, fleet: FleetColumns) -> None:
        count = len(fleet.roster.truck_ids)
        self._fleet = fleet
        self._epoch = np.zeros(count, dtype=np.int64)
        self._newest = np.zeros(count, dtype=np.int64)
        self._fresh: FlagArray = np.zeros(count, dtype=np.bool_)
        self._ends_m: FloatArray = fleet.onboard.end_m.copy()
        self._stops: list[set[str]] = [set() for _ in range(count)]
        self._released: FlagArray = np.zeros(count, dtype=np.bool_)
        self._told: FlagArray = np.zeros(count, dtype=np.bool_)
        self._stopped = MustStop(fleet)
        self.found: list[str] = []

    def hear(self, control: gateway_pb2.GatewayControl, only: int | None = None) -> None:
        """The radio brought *control*, to everybody whose words travel together or to the truck of row *only*, and they took it in."""
        for relayed in control.relayed:
            row = self._fleet.row.get(relayed.truck_id)
            if row is not None and self._fleet.reaches(row, only):
                self._hear_one(row, relayed.message)
        if control.HasField("authorities"):
            frame = control.authorities
            rows, heard = self._fleet.reached(np.asarray(frame.handle, dtype=np.int32), only)
            sequence = np.asarray(frame.sequence, dtype=np.int64)
            if heard is not None:
                rows, sequence = rows[heard], sequence[heard]
            self._count(rows, frame.epoch, sequence, grants=True)

    def _hear_one(self, row: int, message: truck_pb2.ControlMessage) -> None:
        content = message.WhichOneof("content")
        if content in ABOUT_ENDS:
            term: common_pb2.Term = getattr(message, content).term
            self._count(np.array([row]), term.epoch, np.array([term.sequence]), grants=content == "authority")
        elif content == "stop":
            self._stops[row].add(message.stop.stop_id)
            self._told[row], self._released[row] = True, False
        elif content == "resume":
            self._stops[row].discard(message.resume.stop_id)
            self._released[row] = self._told[row] and not self._stops[row]

    def _count(self, rows: npt.NDArray[np.integer], epoch: int, sequence: npt.NDArray[np.int64], *, grants: bool) -> None:
        """Words that came for *rows*: those that are news to a truck may change what it holds."""
        state = self._fleet.onboard
        agreed = state.agreed_epoch[rows]
        self._newest[rows] = np.where(agreed == self._epoch[rows], self._newest[rows], 0)
        self._epoch[rows] = agreed
        news = (agreed == epoch) & (sequence > self._newest[rows])
        rows, sequence = rows[news], sequence[news]
        self._fresh[rows] = True
        # A truck that refused it (another route, too near) keeps waiting for whatever comes next.
        took = (state.seen_epoch[rows] == epoch) & (state.seen_sequence[rows] >= sequence)
        self._newest[rows[took]] = sequence[took]
        if grants:
            self._told[rows[took & self._released[rows]]] = False

    def tick(self, now_s: float) -> None:
        """After the trucks moved."""
        ends_m = self._fleet.onboard.end_m
        moved = (ends_m != self._ends_m) & ~self._fresh
        if np.count_nonzero(moved):
            for row in np.flatnonzero(moved).tolist():
                if not abs(ends_m[row] - self._ends_m[row]) <= SAME_END_M:  # also where one of them is none at all
                    self.found.append(f"{self._fleet.roster.truck_ids[row]} took an old word, or one of another term, at {now_s:.1f} s")
        self._ends_m[:] = ends_m
        self._fresh[:] = False
        if not np.count_nonzero(self._told) and not self._stopped.anybody:
            return
        self._stopped.end(~self._told)
        self._stopped.begin(self._told, now_s)
        for row, what in self._stopped.broken(can_brake(self._fleet), now_s):
            self._told[row] = self._released[row] = False  # once for each stop
            self.found.append(f"{self._fleet.roster.truck_ids[row]} {what} in spite of a stop at {now_s:.1f} s")
