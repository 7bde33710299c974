"""
Every truck's session: its state in the table of `fleet.server.loop.truck_session`, its link, and the contact that keeps it live.

Silence is seen by columns; only rows that change go through the table.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleet.server.columns import CodeColumn, FlagColumn, IntColumn, RowColumn
from fleet.server.facts import Fact, TruckGreeted, TruckRegistered, TruckRemoved
from fleet.server.loop.telemetry import Telemetry
from fleet.server.loop.truck_session import Event, State, advance
from fleet.server.outgoing import HeartbeatColumns
from planner.limits import BOOTS_MAX, SILENCE_FAULT_MS, SILENCE_WARN_MS, TICK_PERIOD_NS

NO_LINK: Final = -1
_SILENCE_NS: Final = SILENCE_FAULT_MS * 1_000_000
_WARN_NS: Final = SILENCE_WARN_MS * 1_000_000
# Plain numbers: an enum compared with a column costs more than the comparison.
_LIVE, _SYNCING, _SILENT = int(State.LIVE), int(State.SYNCING), int(State.SILENT)
_NOBODY: Final[RowColumn] = np.empty(0, np.int32)
_ANSWER_TICKS: Final = SILENCE_FAULT_MS * 1_000_000 // TICK_PERIOD_NS


class Sessions:
    """
    Sessions by row, (capacity,) each; a row's names are in lists as long as rows are in use.

    link          the conversation the truck is heard on, `NO_LINK` for none
    since_tick    tick of the last hello or regained report: an older answer to a challenge proves nothing
    boots         by (instance, boot) the stamp of its last hello, the newest last: what came before it is stale
    owed          becomes true when a truck turns live: it needs a grant of a new term even where its end stays
    """

    def __init__(self, capacity: int) -> None:
        self.state: CodeColumn = np.full(capacity, int(State.ABSENT), np.int8)
        self.link: IntColumn = np.full(capacity, NO_LINK, np.int64)
        self.since_tick: IntColumn = np.zeros(capacity, np.int64)
        self.owed: FlagColumn = np.zeros(capacity, np.bool_)
        self.truck_ids: list[str] = []
        self.truck_type_ids: list[str] = []
        self.instance_ids: list[str] = []
        self.boot_ids: list[str] = []
        self.boots: list[dict[tuple[str, str], int]] = []
        self.row_of: dict[str, int] = {}
        self._row_of_link: dict[int, int] = {}

    def apply(self, fact: Fact) -> None:
        """Takes note of trucks that come and that are gone; facts of others pass by."""
        if isinstance(fact, TruckRegistered):
            assert fact.row == len(self.truck_ids), f"rows are given in order: {fact.row} after {len(self.truck_ids)}"
            self.truck_ids.append(fact.truck_id)
            self.truck_type_ids.append(fact.truck_type_id)
            self.instance_ids.append(fact.instance_id)
            self.boot_ids.append("")
            self.boots.append({})
            self.row_of[fact.truck_id] = fact.row
        elif isinstance(fact, TruckGreeted):
            self.instance_ids[fact.row], self.boot_ids[fact.row] = fact.instance_id, fact.boot_id
            boots, boot = self.boots[fact.row], (fact.instance_id, fact.boot_id)
            boots.pop(boot, None)
            boots[boot] = fact.stamp_ns
            if len(boots) > BOOTS_MAX:
                del boots[next(iter(boots))]
        elif isinstance(fact, TruckRemoved):
            self._row_of_link.pop(int(self.link[fact.row]), None)
            self.link[fact.row] = NO_LINK
            self.state[fact.row] = State.ABSENT

    def fire(self, row: int, event: Event) -> State:
        """The state of *row* after *event*."""
        after = advance(State(int(self.state[row])), event)
        self.state[row] = after
        return after

    def greet(self, row: int, link: int, *, tick: int) -> int | None:
        """The truck is heard on *link* from now on; the answer is the link it leaves, if any."""
        left = int(self.link[row])
        self._row_of_link.pop(left, None)
        self.link[row] = link
        self._row_of_link[link] = row
        self.since_tick[row] = tick
        self.fire(row, Event.HELLO)
        return left if left not in {NO_LINK, link} else None

    def drop(self, link: int, event: Event) -> int | None:
        """The conversation is over; the row it was about, or None when it was superseded before."""
        row = self._row_of_link.pop(link, None)
        if row is not None:
            self.link[row] = NO_LINK
            self.fire(row, event)
        return row

    def answering(self, row: int, telemetry: Telemetry, *, tick: int, now_ns: int) -> bool:
        """Whether the truck on this row's link still reports and answers challenges."""
        heard = telemetry.heard_ns[row] >= now_ns - _SILENCE_NS
        answers = telemetry.answered_tick[row] >= max(int(self.since_tick[row]), tick - _ANSWER_TICKS)
        return bool(self.link[row] != NO_LINK and heard and answers)

    def watch(self, telemetry: Telemetry, *, tick: int, now_ns: int) -> RowColumn:
        """
        Moves sessions on by contact alone; the answer is the rows that fell silent.

        Live needs a believed report and an answer to a challenge, both younger than the silence bound.
        """
        count = telemetry.trucks.count
        state = self.state[:count]
        late = telemetry.heard_ns[:count] < now_ns - _SILENCE_NS
        late |= self.link[:count] == NO_LINK
        unanswered = telemetry.answered_tick[:count] < np.maximum(self.since_tick[:count], tick - _ANSWER_TICKS)
        gone = (state == _LIVE) & (late | unanswered)
        syncing = state == _SYNCING
        if np.count_nonzero(syncing):
            for row in (syncing & ~late & ~unanswered).nonzero()[0].tolist():
                self.fire(row, Event.SYNCED)
                self.owed[row] = True
            gone |= syncing & (late | (unanswered & (tick - self.since_tick[:count] > _ANSWER_TICKS)))
        silent = state == _SILENT
        if np.count_nonzero(silent):
            for row in (silent & ~late & (telemetry.heard_ns[:count] == now_ns)).nonzero()[0].tolist():
                self.fire(row, Event.HEARD)
                self.since_tick[row] = tick
        if not np.count_nonzero(gone):
            return _NOBODY
        fell: RowColumn = gone.nonzero()[0].astype(np.int32)
        for row in fell.tolist():
            self.fire(row, Event.SILENCE_EXCEEDED)
        return fell

    def heartbeats(self, telemetry: Telemetry, *, tick: int, epoch: int) -> HeartbeatColumns | None:
        """One for every truck on a link; None when nobody is."""
        rows = (self.link[: telemetry.trucks.count] != NO_LINK).nonzero()[0].astype(np.int32)
        if not len(rows):
            return None
        challenge = np.full(len(rows), tick, np.int64)
        return HeartbeatColumns(tick=tick, epoch=epoch, rows=rows, challenge_echo=telemetry.challenge[rows], challenge=challenge)

    def live(self, count: int) -> FlagColumn:
        """Which trucks may be given road as far as contact goes, (n,)."""
        live: FlagColumn = self.state[:count] == _LIVE
        return live

    def fresh(self, telemetry: Telemetry, now_ns: int) -> FlagColumn:
        """Whose newest report is young enough to extend on, (n,)."""
        fresh: FlagColumn = telemetry.heard_ns[: telemetry.trucks.count] >= now_ns - _WARN_NS
        return fresh
