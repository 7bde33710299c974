"""
How a server on one site makes way for one on another: what it leaves behind, tried out before anything is promised.

The server that is to come is built beside this one and told everything durable. Only when it knows of the same trucks, holding the
same metres of the same lanes under the same terms, and the judge finds nothing on them, may the site be switched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fleet.errors import Code, FleetError
from fleet.server.carry_over import carried_over
from fleet.server.dispatch.dispatch import Dispatch, DispatchOptions
from fleet.server.facts import Fact
from fleet.server.loop.control_loop import ControlLoop, LoopOptions
from fleet.server.loop.site_change import corridor_of
from fleet.server.outgoing import SiteSwitch
from fleet.server.site_commands import SiteBlock
from fleet.server.site_facts import SiteProposed
from planner.corridor import Corridor
from planner.oracle import Judge
from planner.tables import LaneTable, TruckTable


@dataclass(eq=False)
class SwitchUnsound(FleetError):
    """On the new site the ledger would not say what it says now: nothing was switched."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Withdraw the proposal, and report this."

    truck_id: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What decides: a desk, a loop, and what they leave behind."""

    desk: Dispatch
    loop: ControlLoop
    succession: Succession


def core_of(corridor: Corridor, loop: LoopOptions, dispatch: DispatchOptions) -> Core:
    """The core of a server on *corridor*, which knows nothing yet."""
    lanes = LaneTable.of(corridor)
    trucks = TruckTable(lanes)
    desk = Dispatch(corridor, lanes, trucks, dispatch)
    control = ControlLoop(corridor, trucks, desk, loop)
    desk.commanding.road = control.derating
    succession = desk.sites.readiness = Succession(corridor, control, loop, dispatch)
    return Core(desk=desk, loop=control, succession=succession)


class Succession:
    """One core's readiness to make way; implements `fleet.server.dispatch.sites.Readiness`."""

    def __init__(self, corridor: Corridor, loop: ControlLoop, loop_options: LoopOptions, dispatch_options: DispatchOptions) -> None:
        self._corridor = corridor
        self._loop = loop
        self._options = (loop_options, dispatch_options)
        self._tried: SiteProposed | None = None

    @property
    def after(self) -> Corridor | None:
        """The proposed site; None when it cannot be read any more."""
        return self._loop.site_change.after

    def ready_ids(self) -> tuple[str, ...]:
        """Trucks that acknowledged the proposal."""
        return self._loop.site_change.ready_ids()

    def blocks(self) -> list[SiteBlock]:
        """What forbids to switch now."""
        loop = self._loop
        return loop.site_change.blocks(durable=loop.durable, tick=loop.tick_count, now_ns=loop.now_ns)

    def try_out(self) -> None:
        """
        Builds the core that is to come and holds it against this one.

        Raises:
            PlaceChanged: something cannot be said in the rows of the new site.
            SwitchUnsound: it would not know the same.
        """
        assert self._loop.site_change.proposed is not None, "nothing is tried out but a proposal"
        self._tried = self._loop.site_change.proposed
        self._require_same(*self._carried_over())

    def switch(self) -> SiteSwitch:
        """Everything durable in the rows of the site tried out, which is in force now."""
        assert self._loop.site_change.switched, "only a site in force is switched to"
        corridor, facts = self._carried_over()
        return SiteSwitch(corridor=corridor, facts=tuple(facts))

    def _carried_over(self) -> tuple[Corridor, list[Fact]]:
        assert self._tried is not None, "what is in force was tried out"
        corridor = corridor_of(self._tried)
        assert corridor is not None, "what cannot be read blocks"
        return corridor, carried_over(self._loop.remembered(), self._corridor, corridor, self._tried.changed_lanes)

    def _require_same(self, corridor: Corridor, facts: Sequence[Fact]) -> None:
        successor = core_of(corridor, *self._options).loop
        try:
            for fact in facts:
                successor.apply(fact)
        except (AssertionError, LookupError, ValueError) as fault:
            # What would kill the server to come is only found out here: this one goes on.
            raise SwitchUnsound(truck_id="", problem=f"{type(fault).__name__}: {fault}") from fault
        for now, then in zip(_holdings(self._loop, self._corridor), _holdings(successor, corridor), strict=True):
            if now != then:
                raise SwitchUnsound(truck_id=now["truck_id"], problem=_difference(now, then))
        for found in Judge(corridor).sweep(successor.trucks):
            names = self._loop.sessions.truck_ids
            problem = f"{names[found.holder]} would hold the same at {found.place_id}"
            raise SwitchUnsound(truck_id=names[found.claimant], problem=problem)


def _holdings(loop: ControlLoop, corridor: Corridor) -> list[dict[str, Any]]:
    """What each truck may hold and was last told, by row, in names instead of rows."""
    trucks, ledger, sessions = loop.trucks, loop.ledger, loop.sessions
    return [
        {
            "truck_id": sessions.truck_ids[row],
            "truck_type_id": sessions.truck_type_ids[row],
            "ground": [(corridor.lanes[lane].lane_id, low_m, high_m) for lane, low_m, high_m in trucks.ground(row)],
            "rear_m": float(trucks.rear_m[row]),
            "end_m": float(trucks.end_m[row]),
            "sent_m": float(trucks.sent_m[row]),
            "term": (int(ledger.issued_epoch[row]), int(ledger.issued_sequence[row])),
            "pending": int(ledger.pending[row]),
            "removed": bool(ledger.removed[row]),
            "stops": sorted(stop.stop_id for stop in loop.stops.of(row)),
        }
        for row in range(trucks.count)
    ]


def _difference(now: dict[str, Any], then: dict[str, Any]) -> str:
    return "; ".join(f"{name} {now[name]} would be {then[name]}" for name in now if now[name] != then[name])
