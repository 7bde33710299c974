"""
The desk, as the control loop sees it: who wants to go where, and how far each truck may go for its sake.

The desk knows orders, missions, gates and bays; the loop knows authorities. They meet here. Facts that the desk returns are
already applied to the desk itself; the loop applies them to the rest (paths, stops, removals) and journals them. Facts that
the loop makes are handed to `Desk.apply`. At recovery every fact goes through `apply`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fleet.server.columns import CodeColumn, FlagColumn, FloatColumn, RowColumn
from fleet.server.facts import Fact
from fleet.server.outgoing import Alarm, BorderCall, MissionOut


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeskView:
    """
    The fleet at one tick, columns (n,) that are valid during the call only.

    *live*: session live and in contact. *standing*: believed to be at rest for 0.5 s. *immobilised*: parking brake on,
    traction off. *nose_m*, *rear_m* (confirmed), *end_m* are path coordinates. *synced*: greeted in this epoch. *cause*, *cause_ref*:
    what each that stands stands for, as of the last tick: `planner.authority.Cause`, and the row of what it refers to (-1 for none).
    """

    tick: int
    now_ns: int
    live: FlagColumn
    synced: FlagColumn
    standing: FlagColumn
    immobilised: FlagColumn
    laden: FlagColumn
    nose_m: FloatColumn
    rear_m: FloatColumn
    end_m: FloatColumn
    speed_mps: FloatColumn
    battery_wh: FloatColumn
    cause: RowColumn
    cause_ref: RowColumn


class Desk(Protocol):
    """
    Orders, missions, crossings, gates, stands.

    limit_m       (capacity,) path coordinate that the truck's end may not pass; -inf: no extension at all
    limit_cause   (capacity,) why: a `planner.authority.Cause`
    limit_ref     (capacity,) whom: row of a gate, stand, lane or zone, by the cause; -1 none
    token_ix      (capacity,) zone row of the one-lane section the truck may enter behind another; -1 none
    revoked       (capacity,) the limit moved back because a barrier's proof was lost: the end held must come back to it
    pressed       (capacity,) the tail is still on a stand for which somebody waits behind it: it should leave at once
    """

    @property
    def limit_m(self) -> FloatColumn:
        """See above."""
        ...

    @property
    def limit_cause(self) -> CodeColumn:
        """See above."""
        ...

    @property
    def limit_ref(self) -> RowColumn:
        """See above."""
        ...

    @property
    def token_ix(self) -> RowColumn:
        """See above."""
        ...

    @property
    def revoked(self) -> FlagColumn:
        """See above."""
        ...

    @property
    def pressed(self) -> FlagColumn:
        """See above."""
        ...

    def register(self, row: int, truck_id: str, truck_type_id: str, now_ns: int) -> list[Fact]:
        """A new truck stands in the corridor; its path covers its body."""
        ...

    def command(self, command: object, actor: str, now_ns: int) -> tuple[object, list[Fact]]:
        """
        The answer to a command, and what it changed.

        Raises:
            FleetError: refused; nothing changed.
        """
        ...

    def step(self, view: DeskView, now_ns: int) -> list[Fact]:
        """Once per tick, after reports and before authorities."""
        ...

    def apply(self, fact: Fact) -> None:
        """A fact of anybody's: live those the loop made, at recovery all."""
        ...

    def facts(self) -> list[Fact]:
        """What recreates the desk; part of a snapshot."""
        ...

    def border_calls(self) -> Sequence[BorderCall]:
        """Calls made since last asked."""
        ...

    def missions(self) -> Sequence[MissionOut]:
        """Missions that changed since last asked."""
        ...

    def alarms(self) -> Sequence[Alarm]:
        """What a person should look at, found since last asked."""
        ...

    def mission_of(self, row: int) -> MissionOut | None:
        """The present mission, to be told again after a hello."""
        ...
