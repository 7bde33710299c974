"""
Between streams and the control loop: hears messages into the inbox, and says what the loop decided.

What leaves when is decided here and nowhere else. `say_early` speaks stops and heartbeats, which only reduce or only prove that
the loop is alive. `say_durable` speaks the rest, and is called once the tick's facts are in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Protocol

import numpy as np

from fleet.errors import Code, FleetError, InvalidField
from fleet.log import Event, Log
from fleet.mac import CodeWrong
from fleet.server.columns import FlagColumn, RowColumn
from fleet.server.dispatch.persons import ClaimsAnother
from fleet.server.inputs import LinkLost, ReportsHeard
from fleet.server.journal.journal import Head
from fleet.server.outgoing import GrantsOut, HeartbeatColumns, Outgoing, ReportRefusedOut, RouteOut, StopOut, WelcomeOut
from fleet.server.wire import codec_out
from fleet.server.wire.callers import HERE, Caller
from fleet.server.wire.codec import ID_CHARS_MAX, Codec, FrameRead, identifier, select_reports
from fleet.server.wire.codec_out import Speech
from fleet.server.wire.codes import Codes, codes_of_rows, seal
from fleet.server.wire.inbox import Inbox
from fleet.server.wire.links import NOBODY, Connection, Link, Links
from fleet.server.wire.outbox import select_grants, select_heartbeats
from fleet.v1 import gateway_pb2, truck_pb2
from fleet.wire_version import agreed

# A truck's own stream has one truck, so it needs no name there.
OWN_NAME: Final = ""

_LOG: Final = Log("switchboard")


@dataclass(eq=False)
class HelloMissing(FleetError):
    """The first message of a stream must be a Hello."""

    code: ClassVar[Code] = Code.PRECONDITION


class Chronicle(Protocol):
    """A journal, as far as trucks bear witness of it. Read on the thread of the streams."""

    @property
    def head(self) -> Head:
        """The newest record that is durable."""
        ...

    def has(self, sequence: int, mark: int) -> bool:
        """Whether record *sequence* is there and has that mark."""
        ...


@dataclass(slots=True, kw_only=True)
class Counts:
    """What passed, since the server started."""

    heard: int = 0  # messages taken from truck and gateway streams, refused ones too
    said: int = 0  # messages put on truck and gateway streams
    refused: int = 0  # messages and rows that could not be used
    forged: int = 0  # words and rows that gateways brought without their trucks' codes
    lost: int = 0  # lines to trucks that ended without a goodbye


class Switchboard:
    """One site's conversations. Belongs to the thread of the streams."""

    def __init__(self, codec: Codec, speech: Speech, inbox: Inbox, codes: Codes | None = None) -> None:
        """*codes*: of the trucks that have keys; what gateways bring in their names counts with a right code only."""
        self._codes = codes or Codes({}, ())
        self._codec = codec
        self._speech = speech
        self._inbox = inbox
        self._links = Links()
        self.counts = Counts()
        self.closed: FleetError | None = None  # why no truck is heard at all
        self.journal: Chronicle | None = None  # how far it reaches is said in heartbeats, and asked back in hellos
        self.noted: Callable[[], None] = _nothing  # called whenever something was heard
        self.claimed: Callable[[str, str, FleetError], None] = _nobody  # called when somebody spoke for another

    def connect(self, *, relays: bool, wake: Callable[[], None], caller: Caller = HERE) -> Connection:
        """A stream begins, on which nobody but *caller* may be named."""
        return self._links.connect(relays=relays, wake=wake, caller=caller)

    def hear_truck(self, connection: Connection, message: truck_pb2.TruckMessage) -> None:
        """
        A message on a truck's own stream.

        Raises:
            HelloMissing: nobody introduced himself on this stream yet.
            ClaimsAnother: it is another truck's hello.
            InvalidField: it cannot be used and is no report, or it is a Hello.
            Overloaded: there is no room for it.
        """
        try:
            if connection.named.get(OWN_NAME) is None and message.WhichOneof("content") != "hello":
                raise HelloMissing
            self._hear(connection, OWN_NAME, message)
        finally:
            self._count_heard()

    def hear_gateway(self, connection: Connection, message: gateway_pb2.GatewayMessage) -> None:
        """
        A gateway's frame. What one truck gets wrong is refused to that truck; what has not its truck's code is not heard.

        Raises:
            ClaimsAnother: it is another gateway's.
            InvalidField: the columns do not fit each other, or a truck id cannot be one.
            Overloaded: there is no room for it.
        """
        try:
            self._require_own(connection, message.gateway_id)
            for relayed in message.relayed:
                truck_id = identifier("truck_id", relayed.truck_id)
                try:
                    if self._codes:
                        self._codes.require(truck_id, connection.named.get(truck_id), relayed)
                    self._hear(connection, truck_id, relayed.message)
                except CodeWrong as wrong:
                    self._accuse(connection, wrong)
                except FleetError as fault:
                    if fault is not self.closed and not isinstance(fault, InvalidField):
                        raise
                    self._refuse_hello(connection, truck_id, fault)
            self._hear_frame(connection, message.reports)
        finally:
            self._count_heard()

    def disconnected(self, connection: Connection) -> None:
        """The stream ended: every truck on it that did not say goodbye has lost its link."""
        for link in list(connection.links.values()):
            self._lose(link)
        self._links.disconnect(connection)

    def refuse(self, connection: Connection, error: FleetError) -> None:
        """Tells the truck of a stream why it is not heard, and ends the stream."""
        link = connection.named.get(OWN_NAME) or self._links.open(connection, OWN_NAME)
        link.slots.refusal = codec_out.refusal(error)
        connection.touched(link)
        connection.end()

    def say_early(self, outgoing: Outgoing) -> None:
        """What may leave before the journal has the tick."""
        for stop in outgoing.stops:
            self._stop(stop)
        if outgoing.heartbeats is not None:
            self._heartbeats(outgoing.heartbeats)

    def say_durable(self, outgoing: Outgoing) -> None:
        """Everything else; the tick's facts are in the journal."""
        for welcome in outgoing.welcomes:
            self._welcome(welcome, outgoing)
        for refusal in outgoing.refusals:
            self._refusal(refusal.link, refusal.error)
        self._unsequenced(outgoing)
        for route in outgoing.routes:
            self._route(route)
        for shortening in outgoing.shortenings:
            if (link := self._touched(shortening.row)) is not None:
                link.slots.shortening = self._speech.shortening(shortening)
        if outgoing.grants is not None:
            self._grants(outgoing.grants)
        for refused in outgoing.report_refusals:
            if (link := self._touched(refused.row)) is not None:
                link.slots.report_refused = codec_out.report_refused(refused)

    def take_truck(self, connection: Connection) -> list[truck_pb2.ControlMessage]:
        """What waits for a truck's own stream, in the order it must be sent."""
        taken: list[truck_pb2.ControlMessage] = []
        for link in list(connection.dirty.values()):
            taken.extend(link.slots.take())
        connection.dirty.clear()
        self.counts.said += len(taken)
        return taken

    def take_gateway(self, connection: Connection) -> gateway_pb2.GatewayControl | None:
        """What waits for a gateway's stream, as one message; None when nothing does."""
        if not connection.dirty and connection.columns.empty:
            return None
        control = gateway_pb2.GatewayControl()
        overtaken = self._overtaken(connection) if connection.dirty else frozenset()
        for link in list(connection.dirty.values()):
            for message in link.slots.take():
                seal(link, control.relayed.add(truck_id=link.name, message=message))
        connection.dirty.clear()
        grants, beats = connection.columns.take(control, leave_out=overtaken)
        if self._codes and grants is not None:
            control.authorities.mac.extend(self._codes.of_grants(grants, self._links.session_of))
        if self._codes and beats is not None:
            control.heartbeats.mac.extend(self._codes.of_heartbeats(beats, self._links.session_of, control.heartbeats))
        self.counts.said += 1
        return control

    def _count_heard(self) -> None:
        # Counted once it is in the inbox: whoever waits for the count may tick at once.
        self.counts.heard += 1
        self.noted()

    def _hear(self, connection: Connection, name: str, message: truck_pb2.TruckMessage) -> None:
        if self.closed is not None:
            raise self.closed
        content = message.WhichOneof("content")
        link = connection.named.get(name)
        if content == "hello":
            self._hear_hello(connection, name, message.hello)
        elif link is None or link.row == NOBODY:
            self.counts.refused += 1  # not welcomed yet: there is nobody to move
        elif content == "report":
            self._hear_report(link, message.report)
        elif content == "acknowledgement":
            self._inbox.put(link.called, self._codec.acknowledgement(link.row, message.acknowledgement))
        elif content == "event":
            self._inbox.put(link.called, self._codec.truck_event(link.row, message.event))
        elif content == "site_acknowledged":
            self._inbox.put(link.called, self._codec.site_acknowledged(link.row, message.site_acknowledged))
        elif content == "goodbye":
            self._inbox.put(link.called, self._codec.goodbye(link.row, message.goodbye))
            self._links.drop(link)
        else:
            self.counts.refused += 1  # of a later wire version, or empty

    def _hear_hello(self, connection: Connection, name: str, hello: truck_pb2.Hello) -> None:
        if connection.relays and hello.truck_id != name:
            raise InvalidField(name="truck_id", problem="is not the one the gateway names")
        if not connection.relays:
            self._require_own(connection, hello.truck_id)
        heard = self._codec.hello(NOBODY, hello)
        before = connection.named.get(name)
        if before is not None and before.row == NOBODY:
            self._lose(before)  # said hello twice before any answer: only the newer one counts
        link = self._links.open(connection, name)
        link.called, link.wire_version = heard.truck_id, heard.wire_version
        link.hello = hello if self._codes and connection.relays else None
        seen = hello.journal_seen
        known = self.journal is None or self.journal.has(seen.sequence, seen.digest)
        self._inbox.put(heard.truck_id, replace(heard, link=link.number, journal_known=known))

    def _require_own(self, connection: Connection, name: str) -> None:
        caller = connection.caller
        if caller.proven and name != caller.name:
            another = ClaimsAnother(claimed=name[:ID_CHARS_MAX], proven=caller.actor)
            self.claimed(caller.actor, "Relay" if connection.relays else "Connect", another)
            raise another

    def _hear_report(self, link: Link, report: truck_pb2.Report) -> None:
        try:
            self._inbox.put_report(link.row, self._codec.report(report))
        except InvalidField as fault:
            self._refuse_report(link, report.stamp_ns, fault)

    def _hear_frame(self, connection: Connection, frame: gateway_pb2.ReportFrame) -> None:
        read = self._codec.frame(frame, lambda rows: self._links.owned_by(connection, rows))
        reports = self._coded(connection, frame, read) if self._codes else read.reports
        if reports is not None:
            self._inbox.put_frame(reports)
        self.counts.refused += read.foreign_count
        for row, stamp_ns, fault in read.refused:
            if (link := self._links.of_row(row)) is not None:
                self._refuse_report(link, stamp_ns, fault)

    def _coded(self, connection: Connection, frame: gateway_pb2.ReportFrame, read: FrameRead) -> ReportsHeard | None:
        """The reports that are their trucks' own."""
        if read.reports is None:
            return None
        genuine = self._codes.reports_right(read.reports, codes_of_rows(frame, read.at), self._links.session_of)
        if genuine.all():
            return read.reports
        for row in read.reports.rows[~genuine].tolist():
            link = self._links.of_row(row)
            assert link is not None, "a report without a link needs no code"
            self._accuse(connection, CodeWrong(truck_id=link.called, what="report"))
        return select_reports(read.reports, genuine)

    def _accuse(self, connection: Connection, wrong: CodeWrong) -> None:
        """Somebody on the way made, changed or repeated a word: nobody hears it, and a person must look, once a truck and stream."""
        self.counts.forged += 1
        if wrong.truck_id not in connection.accused:
            connection.accused.add(wrong.truck_id)
            _LOG.alarm(Event.CODE_REFUSED, connection=connection.number, **wrong.facts())

    def _refuse_report(self, link: Link, stamp_ns: int, fault: InvalidField) -> None:
        self.counts.refused += 1
        refused = ReportRefusedOut(row=link.row, stamp_ns=stamp_ns, reason=fault.reason, detail=str(fault))
        link.slots.report_refused = codec_out.report_refused(refused)
        link.connection.touched(link)

    def _refuse_hello(self, connection: Connection, truck_id: str, fault: FleetError) -> None:
        self.counts.refused += 1
        link = connection.named.get(truck_id) or self._links.open(connection, truck_id)
        link.slots.refusal = codec_out.refusal(fault)
        connection.touched(link)

    def _lose(self, link: Link) -> None:
        self.counts.lost += 1
        self._links.drop(link)
        self._inbox.put(link.called, LinkLost(link=link.number))

    def _touched(self, row: int) -> Link | None:
        link = self._links.of_row(row)
        if link is not None:
            link.connection.touched(link)
        return link

    def _stop(self, stop: StopOut) -> None:
        if (link := self._touched(stop.row)) is not None:
            link.slots.put_stop(codec_out.stop(stop))

    def _welcome(self, welcome: WelcomeOut, outgoing: Outgoing) -> None:
        if welcome.supersedes is not None and (old := self._links.numbered(welcome.supersedes)) is not None:
            self._links.drop(old)
            if not old.connection.relays and not old.connection.links:
                old.connection.end()
        link = self._links.bind(welcome.link, welcome.row)
        if link is None:
            return
        version = agreed(link.wire_version)
        link.slots.welcome = self._speech.welcome(welcome, version)
        if link.connection.relays:
            link.session = self._codes.session(link, welcome.epoch, version)
        if link.session is not None:
            # Told only where codes are made with it: it follows the order of arrival, and a run over the wire must not.
            link.slots.welcome.session = link.number
        # Stops of this very tick went to the old link, if to any.
        for stop in outgoing.stops:
            if stop.row == welcome.row:
                link.slots.put_stop(codec_out.stop(stop))
        link.connection.touched(link)

    def _refusal(self, number: int, error: FleetError) -> None:
        link = self._links.numbered(number)
        if link is None:
            return
        link.slots.refusal = codec_out.refusal(error)
        link.connection.touched(link)
        if link.connection.relays:
            self._links.refuse(link)
        else:
            link.connection.end()

    def _unsequenced(self, outgoing: Outgoing) -> None:
        """What may overtake routes and authorities."""
        for resume in outgoing.resumes:
            if (link := self._touched(resume.row)) is not None:
                link.slots.put_resume(codec_out.resume(resume))
        for site in outgoing.sites:
            if (link := self._touched(site.row)) is not None:
                link.slots.site = codec_out.site(site)
        for mission in outgoing.missions:
            if (link := self._touched(mission.row)) is not None:
                link.slots.mission = self._speech.mission(mission)

    def _route(self, route: RouteOut) -> None:
        link = self._touched(route.row)
        if link is None:
            return
        link.slots.routes.append(self._speech.route(route))
        if link.slots.overfull:
            link.connection.end()

    def _grants(self, grants: GrantsOut) -> None:
        for connection, kept in self._shares(grants.rows):
            connection.columns.put_grants(grants if kept is None else select_grants(grants, kept))
            connection.wake()
        for at, link in self._on_own_streams(grants.rows):
            link.slots.authority = self._speech.authority(grants, at)

    def _heartbeats(self, beats: HeartbeatColumns) -> None:
        if self.journal is not None:
            head = self.journal.head
            beats = replace(beats, journal_sequence=head.sequence, journal_digest=head.mark)
        for connection, kept in self._shares(beats.rows):
            connection.columns.put_heartbeats(beats if kept is None else select_heartbeats(beats, kept))
            connection.wake()
        for at, link in self._on_own_streams(beats.rows):
            link.slots.heartbeat = codec_out.heartbeat(beats, at)

    def _shares(self, rows: RowColumn) -> Iterator[tuple[Connection, FlagColumn | None]]:
        """Each gateway's share of *rows* (k,): which of them, None for all."""
        if not self._links.relays:
            return
        speakers = self._links.speakers(rows)
        for connection in self._links.relays.values():
            kept = speakers == connection.number
            count = np.count_nonzero(kept)
            if count:
                yield connection, None if count == len(rows) else kept

    def _on_own_streams(self, rows: RowColumn) -> Iterator[tuple[int, Link]]:
        if not self._links.own_streams:
            return
        for at, row in enumerate(rows.tolist()):
            link = self._links.of_row(row)
            if link is not None and not link.connection.relays:
                link.connection.touched(link)
                yield at, link

    def _overtaken(self, connection: Connection) -> frozenset[int]:
        """
        Rows whose waiting grant is older than a route or shortening that waits: the truck would ignore it after those.

        Such a grant leaves as the truck's own message, in its place among the others.
        """
        grants = connection.columns.waiting_grants()
        if grants is None:
            return frozenset()
        routing = {link.row: link for link in connection.dirty.values() if link.slots.highest_routing >= 0}
        overtaken = set()
        for at in np.flatnonzero(np.isin(grants.rows, np.fromiter(routing, np.int32, len(routing)))).tolist():
            link = routing[int(grants.rows[at])]
            if grants.sequence[at] < link.slots.highest_routing:
                link.slots.authority = self._speech.authority(grants, at)
                overtaken.add(link.row)
        return frozenset(overtaken)


def _nothing() -> None:
    """Nobody needs to know."""


def _nobody(_actor: str, _what: str, _error: FleetError) -> None:
    """Nobody minds."""
