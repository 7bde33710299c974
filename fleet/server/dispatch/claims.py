"""What a request claims of its sender, held against his certificate; on loopback there is none, and everybody is taken at his word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fleet.principal import Role
from fleet.server import commands as c
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.control import ControlNotHeld
from fleet.server.dispatch.persons import ClaimsAnother, NotYours, person_of, principal_of, require_own
from planner.corridor import GateRole

YARD_GATES: Final = frozenset({GateRole.EXIT, GateRole.ENTRY})
# Their word moves the bubble around a manned truck, and what is behind it opens.
TRANSPONDERS: Final = frozenset({Role.GATEWAY, Role.DISPATCHER, Role.SUPERVISOR})


class Claims:
    """Of one desk's callers."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def checked(self, command: Any, actor: str) -> Any:
        """
        The command, its sender called by his certificate's name.

        Raises:
            ClaimsAnother: it names somebody else as its sender.
            NotYours: it proves what its sender does not keep.
        """
        if not self._books.options.identities_proven:
            return command
        match command:
            case c.AcquireControl() | c.RenewControl() | c.TakeOverControl():
                require_own(actor, command.holder)
                return replace(command, holder=actor)
            case c.DecideCrossing() if command.officer:
                require_own(actor, command.officer)
            case c.ReportIntrusion() if command.tracked:
                self._require_transponder(actor)
            case c.ReportBay():
                self._require_bay(command, actor)
            case c.ReportBarrier():
                self._require_gate(command, actor)
        return command

    def require_control(self, actor: str, now_ns: int) -> None:
        """
        Refuses whoever stands in the way of a live control lease, and, where one is required, whoever has none.

        Raises:
            ControlNotHeld: somebody else has control; or nobody, where somebody must.
        """
        options, lease = self._books.options, self._books.controls.lease
        live = lease is not None and lease.expires_ns > now_ns
        if options.control_required:
            if lease is None or not live or lease.holder != actor:
                raise ControlNotHeld(holder=lease.holder if lease is not None and live else "", actor=actor)
        elif options.identities_proven and lease is not None and live and person_of(lease.holder) != person_of(actor):
            raise ControlNotHeld(holder=lease.holder, actor=actor)

    def _require_transponder(self, actor: str) -> None:
        principal = principal_of(actor)
        if principal is None or principal.role not in TRANSPONDERS:
            raise ClaimsAnother(claimed="transponder", proven=actor)

    def _require_bay(self, command: c.ReportBay, actor: str) -> None:
        principal, stand_ix = principal_of(actor), self._books.corridor.stand_ix.get(command.bay_id)
        if stand_ix is None:
            return  # there is no such bay, which its handler says
        yard_id = self._books.corridor.stands[stand_ix].yard_id
        if principal is None or principal.name != yard_id:
            raise NotYours(subject=command.bay_id, keeper=yard_id, proven=actor)

    def _require_gate(self, command: c.ReportBarrier, actor: str) -> None:
        principal, gate_ix = principal_of(actor), self._books.corridor.gate_ix.get(command.gate_id)
        if gate_ix is None:
            return
        role = self._books.corridor.gates[gate_ix].role
        if principal is None or (principal.role is Role.YARD and role not in YARD_GATES):
            raise NotYours(subject=command.gate_id, keeper=f"whoever keeps {role.value} gates", proven=actor)
