"""
The gRPC stream to the server: hello first, again after every break, and never a queue of old news.

Keepalive notices a dead peer; that a peer's socket lives while its control loop hangs only the heartbeat shows, and that is the
supervisor's business: it asks for a new hello, and the stream is made anew. The receive window is kept small (no bandwidth
probing), so that a stalled truck finds the newest authority and not minutes of old ones.

A certificate that changes on the disk is shown on a second stream, which takes the first one's place once the server has welcomed the
truck there, and it goes on driving. A line that grows old is replaced in the same way before the server ends it. Between hello and welcome neither stream reports, since a report that is later than the hello would
make the hello old news; that is a fraction of what the contact ladder allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import grpc
import grpc.aio

from fleet.clock import NS_PER_S, Clock
from fleet.log import Event, Log
from fleet.onboard.link.outbox import NOBODY, Outbox
from fleet.onboard.link.translation import Interpreter
from fleet.papers import Papers, PapersUnusable, read_papers, stamp_of
from fleet.v1 import truck_pb2, truck_pb2_grpc

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16_384),
    # A fifth of each pause is drawn, so that a fleet does not come back as one.
    ("grpc.initial_reconnect_backoff_ms", 200),
    # How long one attempt may take: a little longer than the kernel waits before it knocks again at a port that did not answer.
    ("grpc.min_reconnect_backoff_ms", 1200),
    # With a pause of a second, every twentieth truck would be back later than a second after its line.
    ("grpc.max_reconnect_backoff_ms", 600),
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.http2.ping_timeout_ms", 2000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", 65_536),
    ("grpc.enable_retries", 0),
)
# The second stream must not come over the first one's connection.
_OWN_CONNECTION: Final = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
CONNECT_WITHIN_S: Final = 3.0
PAUSE_S: Final = 0.2
PAUSE_JITTER_S: Final = 0.2
REFUSED_PAUSE_S: Final = 5.0  # the reason will not have gone away at once
RENEW_AFTER_S: Final = 3000.0  # a server ends connections that are an hour old, give or take a tenth
RENEW_JITTER_S: Final = 200.0
LOOK_PERIOD_S: Final = 1.0  # how often the certificate's files are looked at
SETTLE_S: Final = 0.1  # a report that was just sent arrives before the hello that follows on another line
WELCOME_WITHIN_S: Final = 0.6  # in place of a stream that works; a truck that is silent for a second stops accelerating
_DISBELIEVED: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})

_log = Log("onboard.link")


class Conversation:
    """One stream, from hello to its end; an end without an error is a lost link all the same."""

    def __init__(self, interpreter: Interpreter, outbox: Outbox, clock: Clock, channel: grpc.aio.Channel, number: int) -> None:
        self.channel = channel
        self.number = number
        self.welcomed = asyncio.Event()
        self.refused = False
        self._interpreter = interpreter
        self._outbox = outbox
        self._clock = clock
        hello = interpreter.hello(clock.now_ns())
        self._call: Any = truck_pb2_grpc.TruckServiceStub(channel).Connect(self._outgoing(hello))
        self.ended = asyncio.create_task(self._listen())

    async def first_word(self, within_s: float) -> None:
        """Returns once the server has welcomed the truck, or has ended the stream, or *within_s* have gone by."""
        welcomed = asyncio.create_task(self.welcomed.wait())
        try:
            await asyncio.wait({welcomed, self.ended}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            welcomed.cancel()

    def give_up(self) -> None:
        """Ends it from this side."""
        self._call.cancel()

    async def close(self) -> None:
        """Ends it. A bug of ours that ended it before is raised."""
        self._call.cancel()
        self.ended.cancel()
        await asyncio.wait({self.ended})
        if not self.ended.cancelled() and (fault := self.ended.exception()) is not None and not isinstance(fault, grpc.aio.AioRpcError):
            raise fault

    async def _listen(self) -> None:
        try:
            async for message in self._call:
                if message is None:  # what gRPC makes of bytes that are no message
                    self._outbox.put(self._interpreter.unreadable(self._clock.now_ns()))
                    continue
                self.refused = message.HasField("refusal")
                self._outbox.put(self._interpreter.receive(message, self._clock.now_ns()))
                if message.HasField("welcome"):
                    self.welcomed.set()
        except grpc.aio.AioRpcError as broken:
            self.refused = broken.code() in _DISBELIEVED
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # we are to end; otherwise the stream was given up, and the next one begins
        finally:
            self._call.cancel()

    async def _outgoing(self, hello: truck_pb2.TruckMessage) -> AsyncIterator[truck_pb2.TruckMessage]:
        yield hello
        while True:
            yield await self._outbox.take(self.number)


class Line:
    """One truck's line to one server, remade for as long as it runs. *tls* is the folder the truck carries, None for plaintext."""

    def __init__(
        self,
        interpreter: Interpreter,
        server: str,
        clock: Clock,
        credentials: grpc.ChannelCredentials | None = None,
        *,
        tls: Path | None = None,
    ) -> None:
        """
        Reads what it carries.

        Raises:
            PapersUnusable: something is wrong with *tls*.
        """
        self.outbox = Outbox()
        self.lost_count = 0
        self._interpreter = interpreter
        self._server = server
        self._clock = clock
        self._credentials = credentials
        self._tls = tls
        self._papers = None if tls is None else read_papers(tls)
        self._channel: grpc.aio.Channel | None = None
        self._present: Conversation | None = None
        self._handing_over = False
        self._numbers = count(1)
        # Fleets reconnect at the same moment; each truck waits a little differently, and the same way every time.
        self._jitter = Random(interpreter.supervisor.identity.truck_id)  # noqa: S311 - spreads load, keeps no secret
        self.renew_after_s = RENEW_AFTER_S + self._jitter.uniform(0.0, RENEW_JITTER_S)

    async def run(self) -> None:
        """Connects, talks until the stream ends, and connects again; ends only when cancelled."""
        try:
            while True:
                await self._renew_channel()
                assert self._channel is not None, "just renewed"
                refused = False
                try:
                    await self._connected(self._channel)
                    self._present = self._begin(self._channel)
                    await self._talk()
                except TimeoutError:
                    continue  # still no server; the channel goes on trying by itself
                except grpc.aio.AioRpcError as broken:
                    _log.fact(Event.LINK_LOST, server=self._server, code=broken.code().name)
                finally:
                    self._interpreter.supervisor.link_lost()
                    if self._present is not None:
                        refused = self._present.refused
                        present, self._present = self._present, None
                        await present.close()
                self.lost_count += 1
                await asyncio.sleep((REFUSED_PAUSE_S if refused else PAUSE_S) + self._jitter.uniform(0.0, PAUSE_JITTER_S))
        finally:
            if self._channel is not None:
                await self._channel.close()

    def renew(self) -> None:
        """Gives the present stream up: contact has lapsed on it, and only a new hello brings it back."""
        if self._present is not None:
            self._present.give_up()

    async def _talk(self) -> None:
        """Until the present stream, and every one that took its place, has ended."""
        assert self._present is not None, "somebody began"
        self.outbox.give(self._present.number)
        while (successor := await self._successor_of(self._present)) is not None:
            before, self._present = self._present, successor
            channel, self._channel = self._channel, successor.channel
            await before.close()
            if channel is not None:
                await channel.close()

    async def _successor_of(self, present: Conversation) -> Conversation | None:
        """The stream that took the place of *present*, with a newer certificate; None when *present* ended without one."""
        waiting = asyncio.create_task(self._newcomer())
        successor: Conversation | None = None
        try:
            await asyncio.wait({present.ended, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if self._handing_over:
                # The server ends the old stream as it welcomes the new one; which of the two is heard first is chance.
                await asyncio.wait({waiting}, timeout=WELCOME_WITHIN_S)
            if waiting.done():
                successor = waiting.result()
            else:
                await present.ended
            return successor
        finally:
            waiting.cancel()
            await asyncio.wait({waiting})
            if successor is None and not waiting.cancelled() and waiting.exception() is None:
                await waiting.result().close()
                await waiting.result().channel.close()

    async def _newcomer(self) -> Conversation:
        """Waits for a newer certificate, or for the line to grow old, and for the server to take another."""
        old_ns = self._clock.now_ns() + int(self.renew_after_s * NS_PER_S)
        while True:
            await asyncio.sleep(LOOK_PERIOD_S)
            papers = self._newer_papers()
            if papers is None and self._clock.now_ns() < old_ns:
                continue
            channel = self._opened(papers or self._papers)
            newcomer: Conversation | None = None
            try:
                await self._connected(channel)
                newcomer = await self._hand_over(channel)
            except TimeoutError:
                pass
            finally:
                if newcomer is None:
                    await channel.close()
            if newcomer is not None:
                self._papers = papers or self._papers
                _log.fact(Event.LINK_RENEWED, server=self._server)
                return newcomer
            if papers is not None:
                _log.alarm(Event.CERTIFICATES_UNUSABLE, server=self._server, folder=str(self._tls))
            await asyncio.sleep(REFUSED_PAUSE_S)

    async def _hand_over(self, channel: grpc.aio.Channel) -> Conversation | None:
        """Says hello on *channel* as well; None when the server does not take it, and the stream that was there goes on."""
        turn = self.outbox.turn
        self.outbox.give(NOBODY)
        newcomer: Conversation | None = None
        try:
            await asyncio.sleep(SETTLE_S)
            newcomer = self._begin(channel)
            self._handing_over = True
            await newcomer.first_word(WELCOME_WITHIN_S)
            if not newcomer.welcomed.is_set():
                # Nobody shall miss the truck's reports for longer; a welcome that comes late counts all the same.
                self.outbox.give(turn)
                await newcomer.first_word(CONNECT_WITHIN_S)
            if newcomer.welcomed.is_set():
                turn = newcomer.number
        finally:
            self._handing_over = False
            self.outbox.give(turn)
            if newcomer is not None and newcomer.number != turn:
                await newcomer.close()
        return newcomer if newcomer.number == turn else None

    def _begin(self, channel: grpc.aio.Channel) -> Conversation:
        self.outbox.forget_report()
        _log.fact(Event.LINK_CONNECTED, server=self._server)
        return Conversation(self._interpreter, self.outbox, self._clock, channel, next(self._numbers))

    def _newer_papers(self) -> Papers | None:
        """What the truck carries, if it changed and can be used."""
        if self._tls is None or self._papers is None or stamp_of(self._tls) == self._papers.stamp:
            return None
        try:
            return read_papers(self._tls)
        except PapersUnusable:
            return None  # the files are written one by one; in a moment they fit again

    @staticmethod
    async def _connected(channel: grpc.aio.Channel) -> None:
        await asyncio.wait_for(channel.channel_ready(), CONNECT_WITHIN_S)

    async def _renew_channel(self) -> None:
        """A channel that shows what the truck carries now; the one there is, if that did not change."""
        papers = self._newer_papers()
        if papers is None and self._channel is not None:
            return
        if self._channel is not None:
            await self._channel.close()
        self._papers = papers or self._papers
        self._channel = self._opened(self._papers)

    def _opened(self, papers: Papers | None) -> grpc.aio.Channel:
        credentials = self._credentials if papers is None else papers.credentials()
        if credentials is None:
            return grpc.aio.insecure_channel(self._server, options=_OWN_CONNECTION)
        return grpc.aio.secure_channel(self._server, credentials, options=_OWN_CONNECTION)
