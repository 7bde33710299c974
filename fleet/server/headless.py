"""
The server without sockets, threads or time of its own: bytes in, bytes out, one call a tick.

A simulator in virtual time talks to it as one gateway with every truck behind it. All of it is what the real server runs: the same
codec, the same loop, the same words in the same order. Only the streams, the journal's disk and the waiting are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from google.protobuf.message import Message

from fleet.errors import FleetError, InvalidField
from fleet.server.engine import Engine, EngineOptions
from fleet.server.fleet_view import FleetView
from fleet.server.inputs import CommandGiven, JournalChanged
from fleet.server.journal.journal import Journal, MemoryJournal
from fleet.server.journal.records import records_of
from fleet.server.outgoing import Alarm, Reply
from fleet.server.replay.kept import Ear
from fleet.server.wire.reads import HoldRead, TotalsRead
from fleet.v1 import border_pb2, dispatch_pb2, gateway_pb2
from planner.corridor import Corridor

ACTOR: Final = "loopback"

METHODS: Final[Mapping[str, str]] = {
    f"{service.name}/{method.name}": method.input_type.full_name
    for service in (dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"], border_pb2.DESCRIPTOR.services_by_name["BorderService"])
    for method in service.methods
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """
    What the server said in one tick.

    *control*: bytes of the GatewayControl for the first gateway, empty when nothing was said; *elsewhere*: those for others, by
    number. *replies*: by ticket, the message of the method's answer or the error. *alarms*: what a person would be told.
    """

    tick: int
    control: bytes = b""
    elsewhere: Mapping[int, bytes] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    border_calls: tuple[border_pb2.BorderCall, ...] = ()
    replies: Mapping[int, Message | FleetError] = field(default_factory=dict)


class HeadlessServer:
    """
    One server in the caller's hands. With a *journal* of an earlier one it goes on where that one ended.

    An *ear* is told of everything the core hears and says.
    """

    def __init__(
        self, corridor: Corridor, options: EngineOptions | None = None, journal: Journal | None = None, ear: Ear | None = None
    ) -> None:
        self.engine = Engine(corridor, options or EngineOptions(), ear)
        self._journal = journal or MemoryJournal()
        self.recovered = self.engine.recover(self._journal)
        self._gateways = [self.engine.switchboard.connect(relays=True, wake=_nothing)]
        self._tickets = count(1)
        # Set by the last tick of a server whose site was switched: one on this corridor, with the same journal, goes on.
        self.switched_to: Corridor | None = None

    @property
    def epoch(self) -> int:
        """The server's term."""
        return self.recovered.epoch

    def say(self, raw: bytes, gateway: int = 0) -> None:
        """
        A gateway's message, as bytes; a *gateway* not heard before connects.

        Raises:
            FleetError: it cannot be used.
            google.protobuf.message.DecodeError: it is no GatewayMessage.
        """
        while gateway >= len(self._gateways):
            self._gateways.append(self.engine.switchboard.connect(relays=True, wake=_nothing))
        self.engine.switchboard.hear_gateway(self._gateways[gateway], gateway_pb2.GatewayMessage.FromString(raw))

    def call(self, method: str, request: Message) -> int:
        """
        Asks for a change, as `DispatchService/CreateTransportOrder`; the answer comes with a later tick under the returned ticket.

        Raises:
            InvalidField: a field of the request cannot be used, or *method* takes another request.
        """
        if METHODS.get(method) != request.DESCRIPTOR.full_name:
            raise InvalidField(name="method", problem=f"{method} does not take a {request.DESCRIPTOR.name}")
        read = type(request).FromString(request.SerializeToString())
        ticket = next(self._tickets)
        self.engine.inbox.put(ACTOR, CommandGiven(ticket=ticket, command=self.engine.reader.command(read), actor=ACTOR))
        return ticket

    def tick(self, now_ns: int) -> Heard:
        """
        One tick at *now_ns*: decided, journalled, said.

        Raises:
            JudgeObjected: the decision would break exclusivity; nothing was said.
        """
        outgoing = self.engine.tick(now_ns)
        if outgoing.switch is not None:
            self._journal.snapshot(self.epoch, records_of(outgoing.switch.facts))
            self.switched_to = outgoing.switch.corridor
        elif outgoing.facts:
            self._journal.append(self.epoch, records_of(outgoing.facts))
        switchboard = self.engine.switchboard
        switchboard.say_early(outgoing)
        switchboard.say_durable(outgoing)
        control = switchboard.take_gateway(self._gateways[0])
        elsewhere = {
            number: said.SerializeToString()
            for number, gateway in enumerate(self._gateways[1:], start=1)
            if (said := switchboard.take_gateway(gateway)) is not None
        }
        return Heard(
            tick=outgoing.tick,
            control=b"" if control is None else control.SerializeToString(),
            elsewhere=elsewhere,
            alarms=outgoing.alarms,
            border_calls=tuple(self.engine.writer.border_call(call) for call in outgoing.border_calls),
            replies={reply.ticket: self._answer(reply) for reply in outgoing.replies},
        )

    def cut(self) -> None:
        """The gateway's stream breaks and is there again: every truck has lost its link."""
        self.engine.switchboard.disconnected(self._gateways[0])
        self._gateways[0] = self.engine.switchboard.connect(relays=True, wake=_nothing)

    def set_writable(self, *, writable: bool) -> None:
        """The journal's disk takes nothing more, or does again: the loop is told as the real journal's writer tells it."""
        self.engine.inbox.put(ACTOR, JournalChanged(writable=writable, reason="" if writable else "no space left"))

    def fleet(self) -> FleetView:
        """The trucks on the map."""
        return self.engine.picture()

    def intrusions(self) -> tuple[str, ...]:
        """The open intrusions, oldest first."""
        return tuple(answer.intrusion_id for answer in self.engine.intrusions())

    def causes(self) -> dict[str, tuple[str, str]]:
        """For each truck that stands: what holds it, at the root, and what that refers to (empty for nothing)."""
        return self.engine.root_causes()

    def hold(self, truck_id: str, language: str = "en") -> HoldRead:
        """
        Why a truck stands, in full.

        Raises:
            NotFound: there is no such truck.
        """
        return self.engine.hold(truck_id, language)

    def totals(self) -> TotalsRead:
        """What was moved since the journal began, and how many trucks are live now."""
        return self.engine.totals()

    def site_proposal(self) -> Message:
        """
        The site proposed, and what blocks the switch.

        Raises:
            NotFound: nothing is proposed.
        """
        return self.engine.writer.message(self.engine.site_proposal())

    def snapshot(self) -> Sequence[object]:
        """Facts that recreate the server; also written to the journal."""
        facts = self.engine.snapshot()
        self._journal.snapshot(self.epoch, records_of(facts))
        return facts

    def _answer(self, reply: Reply) -> Message | FleetError:
        return reply.value if isinstance(reply.value, FleetError) else self.engine.writer.message(reply.value)


def _nothing() -> None:
    """Nobody waits to be woken: the caller takes what there is after every tick."""
