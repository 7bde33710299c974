"""
How a request becomes a change: who may ask for it now, whether another must agree, what it changes, and what is remembered of it.

The order is always the same. A request answered before hears its answer again. Then whoever asks must be whom he claims to be, must not
stand in the way of somebody who has control, and there must be room to remember his request. Where two persons are needed the first one's
word, if it could be done at all, is kept and changes nothing. Whatever comes of it, refusals too, is on the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from fleet.errors import Code, FleetError, InvalidField, NotFound
from fleet.server import commands as c
from fleet.server.dispatch.agreements import (
    AgreementAsked,
    AgreementEnded,
    Matter,
    brakes_subject,
    grip_subject,
    limit_subject,
    removal_subject,
    stop_subject,
)
from fleet.server.dispatch.answers import kept_answer
from fleet.server.dispatch.audit import ASKED, DONE, Audited, RefusalBound, entry_of, noted
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.claims import Claims
from fleet.server.dispatch.helm import Helm
from fleet.server.dispatch.intruders import Intruders
from fleet.server.dispatch.opening import OpeningSet
from fleet.server.dispatch.operators import Operators
from fleet.server.dispatch.passage import Passage
from fleet.server.dispatch.sites import Sites
from fleet.server.dispatch.trips import NOWHERE
from fleet.server.dispatch.yard import Yard
from fleet.server.site_commands import ProposeSite, SwitchSite, WithdrawSite

LEASED: Final = (
    c.CreateOrder,
    c.CancelOrder,
    c.ResumeTruck,
    c.DecommissionTruck,
    c.RecommissionTruck,
    c.RemoveTruck,
    c.CloseLane,
    c.OpenLane,
    c.LimitLane,
    c.SetLaneFriction,
    c.LiftStop,
    c.ReleaseIntrusion,
    ProposeSite,
    SwitchSite,
    WithdrawSite,
)
"""What somebody else's control lease forbids, and where one is required only its holder may do. Anyone may stop."""

_QUIET: Final = (c.RenewControl,)


class Road(Protocol):
    """Whoever knows what grip is believed."""

    def loosens(self, lane_ix: int, friction: float) -> bool:
        """Whether *friction* is more than is believed anywhere on the lane now."""
        ...


class Commanding:
    """Everything that may be asked of one desk. *road* is set by whoever puts desk and loop together."""

    road: Road

    def __init__(self, books: Books, operators: Operators, intruders: Intruders, sites: Sites, passage: Passage, yard: Yard) -> None:
        self._books = books
        self._operators = operators
        self._helm = Helm(books)
        self._intruders = intruders
        self._sites = sites
        self._passage = passage
        self._yard = yard
        self._claims = Claims(books)
        self._refusals = RefusalBound()
        self._handlers: Final[Mapping[type[Any], Callable[[Any, str, int], c.Answer]]] = self._handler_table()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the table of handlers, which is code."""
        return {name: value for name, value in self.__dict__.items() if name != "_handlers"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__["_handlers"] = self._handler_table()

    def obey(self, command: object, actor: str, now_ns: int) -> c.Answer:
        """
        The answer to *command*; what it changed, and that it was asked for, is recorded in the books.

        Raises:
            FleetError: refused; nothing changed but the record of it.
        """
        if isinstance(command, c.NoteRefusals):
            self._books.record(noted(command, actor, now_ns))
            return c.OpeningAnswer()
        if type(command) not in self._handlers:
            raise InvalidField(name="command", problem=f"{type(command).__name__} is not known")
        known: Any = command
        try:
            return self._obey(known, actor, now_ns)
        except FleetError as refusal:
            if refusal.code is not Code.BUG:
                self._keep_refusals(self._refusals.refused(known, actor, refusal, now_ns))
            raise

    def look(self, now_ns: int) -> None:
        """Once a second: what nobody agreed to in time is off, and refusals only counted so far are told."""
        for ended in self._books.agreements.lapsed(now_ns):
            self._books.record(ended)
        self._keep_refusals(self._refusals.over(now_ns))

    def stops(self) -> list[c.StopAnswer]:
        """All-stops in force, oldest first."""
        return [stop for stop_id in self._books.controls.stops if (stop := self._helm.stop(stop_id)) is not None]

    def control(self) -> c.ControlAnswer | None:
        """The control lease, over or not; None before anybody had it."""
        return self._helm.control()

    def _keep_refusals(self, told: list[Audited]) -> None:
        for audited in told:
            self._books.record(audited)

    def _obey(self, command: Any, actor: str, now_ns: int) -> c.Answer:
        books = self._books
        earlier = self._intruders.repeated(command, actor) or books.answers.earlier(command, actor)
        if earlier is not None:
            return earlier
        claimed = self._claims.checked(command, actor)
        matter = self._matter(claimed, actor)
        first = books.agreements.first_of(matter, actor, now_ns) if matter is not None else None
        # Whoever agrees to what the holder of the lease asked for stands in nobody's way.
        if first is None and isinstance(claimed, LEASED):
            self._claims.require_control(actor, now_ns)
        kept = books.answers.has_room(command, actor, now_ns)
        before = self._standing(claimed)
        if matter is None or first is not None:
            answer, outcome = self._change(claimed, first, actor, now_ns), DONE
        else:
            answer, outcome = self._ask(claimed, matter, actor, now_ns), ASKED
        remembered = kept_answer(command, actor, answer, now_ns) if kept else None
        if remembered is not None:
            books.record(remembered)
        self._audit(command, actor, (before, answer), outcome, now_ns)
        return answer

    def _change(self, command: Any, first: AgreementAsked | None, actor: str, now_ns: int) -> c.Answer:
        if first is not None:
            self._books.record(AgreementEnded(subject=first.subject, cause="agreed"))
            if isinstance(command, c.RemoveTruck):
                command = replace(command, second_person=first.actor)
        return self._handlers[type(command)](command, actor, now_ns)

    def _ask(self, command: Any, matter: Matter, actor: str, now_ns: int) -> c.Answer:
        asked = AgreementAsked(subject=matter.subject, what=matter.what, actor=actor, names=matter.names, asked_ns=now_ns)
        self._books.record(asked)
        answer = self._standing(command)
        assert isinstance(answer, c.TruckAnswer | c.LaneAnswer | c.StopAnswer), "two persons speak only of what is there"
        return replace(answer, needs_second_person=True)

    def _audit(self, command: Any, actor: str, change: tuple[c.Answer | None, c.Answer], outcome: str, now_ns: int) -> None:
        followed = isinstance(command, c.ReportIntrusion) and command.tracked and change[0] is not None
        if followed or isinstance(command, _QUIET):
            return
        self._books.record(entry_of(command, actor, outcome, now_ns, change))

    def _matter(self, command: Any, actor: str) -> Matter | None:
        """
        What two persons must want; None where one suffices.

        Raises:
            FleetError: it could not be done whoever agrees.
        """
        desk = self._operators
        matter: Matter | None = None
        match command if self._books.options.identities_proven else None:
            case c.LiftStop():
                self._helm.require_stop(command.stop_id)
                matter = Matter(subject=stop_subject(command.stop_id), what="lift")
            case c.RemoveTruck():
                desk.require_removable(command, actor)
                what = f"removed, taken to {command.taken_to}"
                matter = Matter(subject=removal_subject(command.truck_id), what=what, names=command.second_person)
            case c.RecommissionTruck() if desk.require_repaired(command) in self._books.weak:
                matter = Matter(subject=brakes_subject(command.truck_id), what="brakes as declared")
            case c.LimitLane() if desk.loosens(command):
                what = f"limit {command.speed_limit_mps!r} m/s" if command.speed_limit_mps else "limit lifted"
                matter = Matter(subject=limit_subject(command.lane_id), what=what)
            case c.SetLaneFriction() if self.road.loosens(desk.require_grip(command), command.friction):
                matter = Matter(subject=grip_subject(command.lane_id), what=f"grip {command.friction!r}")
        return matter

    def _standing(self, command: Any) -> c.Answer | None:
        """What the command is about, as it stands; None for what is not there (yet)."""
        books, desk = self._books, self._operators
        found: c.Answer | None = None
        match command:
            case c.CancelOrder() if command.order_id in books.orders.by_id:
                found = books.orders.by_id[command.order_id].answer()
            case c.HoldTruck() | c.ResumeTruck() | c.DecommissionTruck() | c.RecommissionTruck() | c.RemoveTruck():
                found = desk.truck(books.trips.row_of[command.truck_id]) if command.truck_id in books.trips.row_of else None
            case c.CloseLane() | c.OpenLane() | c.LimitLane() | c.SetLaneFriction():
                lane_ix = books.corridor.lane_ix.get(command.lane_id)
                found = desk.lane(lane_ix) if lane_ix is not None else None
            case c.StopAll() | c.LiftStop():
                found = self._helm.stop(command.stop_id)
            case c.AcquireControl() | c.TakeOverControl():
                found = self._helm.control()
            case c.DecideCrossing() if command.crossing_id in books.crossings.by_id:
                found = books.crossings.by_id[command.crossing_id].answer()
            case c.ReportBarrier() if command.gate_id in books.corridor.gate_ix:
                found = self._passage.gate_answer(books.corridor.gate_ix[command.gate_id])
            case c.ReportBay() if command.bay_id in books.corridor.stand_ix:
                found = self._yard.answer(books.corridor.stand_ix[command.bay_id])
            case c.ReportIntrusion() | c.ReleaseIntrusion() if command.intrusion_id in books.intrusions.open:
                found = self._intruders.answer(books.intrusions.open[command.intrusion_id])
        return found

    def _handler_table(self) -> Mapping[type[Any], Callable[[Any, str, int], c.Answer]]:
        desk, helm = self._operators, self._helm
        return {
            c.CreateOrder: lambda command, _actor, now_ns: desk.create_order(command, now_ns),
            c.CancelOrder: lambda command, _actor, now_ns: desk.cancel_order(command, now_ns),
            c.HoldTruck: desk.hold_truck,
            c.ResumeTruck: desk.resume_truck,
            c.DecommissionTruck: lambda command, _actor, now_ns: desk.decommission_truck(command, now_ns),
            c.RecommissionTruck: desk.recommission_truck,
            c.RemoveTruck: desk.remove_truck,
            c.CloseLane: lambda command, actor, _now_ns: desk.close_lane(command, actor),
            c.OpenLane: lambda command, actor, _now_ns: desk.open_lane(command, actor),
            c.LimitLane: lambda command, actor, _now_ns: desk.limit_lane(command, actor),
            c.SetLaneFriction: lambda command, actor, _now_ns: desk.set_lane_friction(command, actor),
            c.StopAll: helm.stop_all,
            c.LiftStop: helm.lift_stop,
            c.ReportIntrusion: self._intruders.report,
            c.ReleaseIntrusion: self._intruders.release,
            c.AcquireControl: lambda command, _actor, now_ns: helm.acquire_control(command, now_ns),
            c.RenewControl: lambda command, _actor, now_ns: helm.renew_control(command, now_ns),
            c.TakeOverControl: lambda command, _actor, now_ns: helm.take_over_control(command, now_ns),
            ProposeSite: self._sites.propose,
            SwitchSite: self._sites.switch,
            WithdrawSite: self._sites.withdraw,
            c.DecideCrossing: lambda command, _actor, _now_ns: self._passage.decide(command),
            c.ReportBarrier: lambda command, _actor, _now_ns: self._passage.report_barrier(command),
            c.ReportBay: lambda command, _actor, now_ns: self._yard.report_bay(command, now_ns),
            c.SetOpening: lambda command, _actor, _now_ns: self._set_opening(command),
        }

    def _set_opening(self, command: c.SetOpening) -> c.OpeningAnswer:
        gate_ix = NOWHERE
        if command.gate_id:
            found = self._books.corridor.gate_ix.get(command.gate_id)
            if found is None:
                raise NotFound(kind="gate", name=command.gate_id)
            gate_ix = found
        self._books.record(OpeningSet(gate_ix=gate_ix, open=command.open, until_ns=command.until_ns))
        return c.OpeningAnswer()
