"""
Where requests of people and yards wait for their answer.

A command goes through the inbox and is answered once what it changed is in the journal. A read runs between two ticks, on the
thread of the control loop, so that it sees one moment whole; nobody reads while the loop writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import ClassVar, Protocol, TypeVar

from google.protobuf.message import Message

from fleet.errors import Code, FleetError
from fleet.server.commands import Command
from fleet.server.dispatch.persons import ClaimsAnother, NotYours
from fleet.server.inputs import CommandGiven
from fleet.server.limits import ANSWER_WITHIN_S
from fleet.server.outgoing import Reply
from fleet.server.wire.codec_answers import AnswerWriter
from fleet.server.wire.codec_requests import RequestReader
from fleet.server.wire.inbox import Inbox

_T = TypeVar("_T")
MessageT = TypeVar("MessageT", bound=Message)


@dataclass(eq=False)
class NotAnswered(FleetError):
    """The server did not come to answering this in time; it may still take effect."""

    code: ClassVar[Code] = Code.STALE
    hint: ClassVar[str] = "Send the same request again with the same request_id: it takes effect once."

    within_s: float


class BetweenTicks(Protocol):
    """Runs reads while the control loop rests."""

    async def read(self, reading: Callable[[], _T]) -> _T:
        """What *reading* returns; it must be quick, and must not change anything."""
        ...


class Counter:
    """Takes requests in, and hands answers out. Belongs to the thread of the streams."""

    def __init__(self, inbox: Inbox, reader: RequestReader, writer: AnswerWriter, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._inbox = inbox
        self._reader = reader
        self._writer = writer
        self._within_s = answer_within_s
        self._tickets = count(1)
        self._open: dict[int, asyncio.Future[object]] = {}
        self.commands_heard = 0
        self.counts: Callable[[], bool] = _always  # whether the command being heard is one that `commands_heard` is to count
        self.noted: Callable[[], None] = _nothing  # called whenever a command was heard
        # Called when somebody spoke for another: who, what he asked for, the refusal, and that the core has it on record.
        self.claimed: Callable[[str, str, FleetError, bool], None] = _nobody

    @property
    def waiting_count(self) -> int:
        """Requests that wait for their answer."""
        return len(self._open)

    async def ask(self, request: Message, actor: str, form: type[MessageT]) -> MessageT:
        """
        The answer to *request*, which asks for a change, from *actor*, as a message of *form*.

        Raises:
            FleetError: it cannot be read, was refused, or found no room; nothing changed.
            NotAnswered: it waits too long for the journal.
        """
        return await self._answer(self._reader.command(request), actor, form)

    async def ask_slowly(self, request: Message, actor: str, form: type[MessageT]) -> MessageT:
        """As `ask`, for a request that takes long to read: streams are served meanwhile."""
        return await self._answer(await asyncio.to_thread(self._reader.command, request), actor, form)

    async def _answer(self, command: Command, actor: str, form: type[MessageT]) -> MessageT:
        ticket = next(self._tickets)
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._open[ticket] = answer
        try:
            self._inbox.put(
                f"{type(command).__name__}/{getattr(command, 'request_id', '')}", CommandGiven(ticket=ticket, command=command, actor=actor)
            )
            self.commands_heard += self.counts()
            self.noted()
            async with asyncio.timeout(self._within_s):
                value = await answer
        except TimeoutError as late:
            raise NotAnswered(within_s=self._within_s) from late
        finally:
            del self._open[ticket]
        if isinstance(value, ClaimsAnother | NotYours):
            self.claimed(actor, type(command).__name__, value, True)
        if isinstance(value, FleetError):
            raise value
        message = self._writer.message(value)
        assert isinstance(message, form), f"{type(command).__name__} was answered with {type(message).__name__}"
        return message

    def answered(self, reply: Reply) -> None:
        """The loop's answer; whoever asked may be gone."""
        waiting = self._open.get(reply.ticket)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply.value)


def _always() -> bool:
    """Every command counts."""
    return True


def _nothing() -> None:
    """Nobody needs to know."""


def _nobody(_actor: str, _what: str, _error: FleetError, _known: bool) -> None:
    """Nobody minds."""
