"""
Stopping everything, lifting that, and who has control.

Stopping is never refused. Whether two persons must agree to a lift is decided before it comes here.
"""

from __future__ import annotations

from dataclasses import replace

from fleet.clock import NS_PER_S
from fleet.errors import NotFound
from fleet.server.commands import AcquireControl, ControlAnswer, LiftStop, RenewControl, StopAll, StopAnswer, TakeOverControl
from fleet.server.dispatch.agreements import AgreementEnded, stop_subject
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.control import ControlHeld, ControlNotHeld, ControlTaken
from fleet.server.facts import AllStopLifted, AllStopSet


class Helm:
    """All-stops and the control lease of one desk."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def stop_all(self, command: StopAll, actor: str, now_ns: int) -> StopAnswer:
        """
        Stops every truck, under an id that was lifted as under a new one; again while it is in force, it changes nothing.

        But whoever asked to lift it has not seen what somebody stops for now.
        """
        books = self._books
        if command.stop_id not in books.controls.stops:
            books.record(AllStopSet(stop_id=command.stop_id, reason=command.reason, actor=actor, at_ns=now_ns))
        elif stop_subject(command.stop_id) in books.agreements.asked:
            books.record(AgreementEnded(subject=stop_subject(command.stop_id), cause="stopped again"))
        return self._known_stop(command.stop_id)

    def lift_stop(self, command: LiftStop, actor: str, now_ns: int) -> StopAnswer:
        """
        Lifts the all-stop of this id; everyone who must has agreed.

        Raises:
            NotFound: no such stop in force.
        """
        self.require_stop(command.stop_id)
        self._books.record(AllStopLifted(stop_id=command.stop_id, actor=actor, at_ns=now_ns))
        return self._known_stop(command.stop_id)

    def require_stop(self, stop_id: str) -> None:
        """
        Refuses whoever speaks of an all-stop that is not in force.

        Raises:
            NotFound: it is not.
        """
        if stop_id not in self._books.controls.stops:
            raise NotFound(kind="stop", name=stop_id)

    def acquire_control(self, command: AcquireControl, now_ns: int) -> ControlAnswer:
        """
        Takes control when nobody has it.

        Raises:
            ControlHeld: somebody has.
        """
        lease = self._books.controls.lease
        if lease is not None and lease.expires_ns > now_ns and lease.holder != command.holder:
            raise ControlHeld(holder=lease.holder)
        return self._take_control(command.holder, "", "", now_ns)

    def renew_control(self, command: RenewControl, now_ns: int) -> ControlAnswer:
        """
        Keeps control.

        Raises:
            ControlNotHeld: it ran out, or somebody took it.
        """
        lease = self._books.controls.lease
        if lease is None or lease.holder != command.holder or lease.expires_ns <= now_ns:
            raise ControlNotHeld(holder=lease.holder if lease is not None else "", actor=command.holder)
        expires_ns = now_ns + self._lease_ns()
        self._books.record(replace(lease, expires_ns=expires_ns))
        return ControlAnswer(holder=lease.holder, epoch=lease.epoch, sequence=lease.sequence, expires_ns=expires_ns)

    def take_over_control(self, command: TakeOverControl, now_ns: int) -> ControlAnswer:
        """Takes control from whoever has it; both are on record."""
        lease = self._books.controls.lease
        return self._take_control(command.holder, lease.holder if lease is not None else "", command.reason, now_ns)

    def _take_control(self, holder: str, taken_from: str, reason: str, now_ns: int) -> ControlAnswer:
        lease = self._books.controls.lease
        sequence = lease.sequence + 1 if lease is not None else 1
        taken = ControlTaken(
            holder=holder,
            epoch=lease.epoch if lease is not None else 1,
            sequence=sequence,
            expires_ns=now_ns + self._lease_ns(),
            taken_from=taken_from,
            reason=reason,
        )
        self._books.record(taken)
        return ControlAnswer(holder=holder, epoch=taken.epoch, sequence=sequence, expires_ns=taken.expires_ns)

    def _lease_ns(self) -> int:
        return int(self._books.options.control_lease_s * NS_PER_S)

    def stop(self, stop_id: str) -> StopAnswer | None:
        """An all-stop as told to whoever asks; None for one that never was."""
        books = self._books
        stop = books.controls.stops.get(stop_id) or books.controls.lifted.get(stop_id)
        if stop is None:
            return None
        asked = books.agreements.about(stop_subject(stop_id))
        return StopAnswer(
            stop_id=stop_id,
            active=stop_id in books.controls.stops,
            reason=stop.reason,
            since_ns=stop.at_ns,
            needs_second_person=bool(asked),
            asked=asked,
        )

    def _known_stop(self, stop_id: str) -> StopAnswer:
        known = self.stop(stop_id)
        assert known is not None, "it was stopped or lifted just now"
        return known

    def control(self) -> ControlAnswer | None:
        """The control lease; None before anybody had it."""
        lease = self._books.controls.lease
        if lease is None:
            return None
        return ControlAnswer(holder=lease.holder, epoch=lease.epoch, sequence=lease.sequence, expires_ns=lease.expires_ns)
