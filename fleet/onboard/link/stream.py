"""
The truck's line to its server: a stream that is made anew after every break, and replaced before one is due. Never a lock-step.

Keepalive notices a dead peer; that a peer's socket lives while its control loop hangs only the heartbeat shows, and that is the
supervisor's business: it asks for a new hello, and the stream is made anew. The receive window is kept small (no bandwidth
probing), so that a stalled truck finds the newest authority and not minutes of old ones.

A certificate that changes on the disk is shown on a second stream, which takes the first one's place once the server has welcomed the
truck there, and it goes on driving. A connection that grows old is replaced in the same way before the server ends it. Between hello
and welcome neither stream reports, since a report that is later than the hello would make the hello old news; that is a fraction of
what the contact ladder allows.
"""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

import grpc
import grpc.aio

from fleet.clock import Clock
from fleet.log import Event, Log
from fleet.onboard.link.channels import CONNECT_WITHIN_S, Channel, Channels
from fleet.onboard.link.conversation import Conversation
from fleet.onboard.link.outbox import NOBODY, Outbox
from fleet.onboard.link.translation import Interpreter

PAUSE_S: Final = 0.2
PAUSE_JITTER_S: Final = 0.2
REFUSED_PAUSE_S: Final = 5.0  # the reason will not have gone away at once
RENEW_AFTER_S: Final = 3000.0  # a server ends connections that are an hour old, give or take a tenth
RENEW_JITTER_S: Final = 200.0
LOOK_PERIOD_S: Final = 1.0  # how often the certificate's files are looked at
SETTLE_S: Final = 0.1  # a report that was just sent arrives before the hello that follows on another line
WELCOME_WITHIN_S: Final = 0.6  # in place of a stream that works; a truck that is silent for a second stops accelerating

_log = Log("onboard.link")


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
        self._clock = clock
        self._channels = Channels(server, clock, credentials, tls)
        self._present: Conversation | None = None
        self._handing_over = False
        self._numbers = count(1)
        # Fleets reconnect at the same moment; each truck waits a little differently, and the same way every time.
        self._jitter = Random(interpreter.supervisor.identity.truck_id)  # noqa: S311 - spreads load, keeps no secret
        self.renew_after_s = RENEW_AFTER_S + self._jitter.uniform(0.0, RENEW_JITTER_S)

    async def run(self) -> None:
        """Connects, talks until the stream ends, and connects again; ends only when cancelled."""
        channel = self._channels.opened()
        try:
            while True:
                if self._channels.outdated(channel):
                    await channel.close()
                    channel = self._channels.opened()
                try:
                    await channel.connected()
                except TimeoutError:
                    continue
                refused = False
                self._present = self._begin(channel)
                try:
                    await self._talk()
                except grpc.aio.AioRpcError as broken:
                    _log.fact(Event.LINK_LOST, server=self._channels.server, code=broken.code().name)
                finally:
                    self._interpreter.supervisor.link_lost()
                    present, self._present = self._present, None
                    refused, channel = present.refused, present.channel
                    await present.close()
                self.lost_count += 1
                await asyncio.sleep((REFUSED_PAUSE_S if refused else PAUSE_S) + self._jitter.uniform(0.0, PAUSE_JITTER_S))
        finally:
            await channel.close()

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
            await before.close()
            await before.channel.close()

    async def _successor_of(self, present: Conversation) -> Conversation | None:
        """The stream that took the place of *present*; None when *present* ended without one."""
        waiting = asyncio.create_task(self._newcomer(present.channel))
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
            if successor is None and not waiting.cancelled():
                too_late = waiting.result()  # or the bug of ours that ended it
                await too_late.close()
                await too_late.channel.close()

    async def _newcomer(self, present: Channel) -> Conversation:
        """Waits until what *present* shows is outdated, or its connection old, and until the server takes another in its place."""
        while True:
            await asyncio.sleep(LOOK_PERIOD_S)
            outdated = self._channels.outdated(present)
            if not outdated and present.age_s < self.renew_after_s:
                continue
            channel = self._channels.opened()
            newcomer: Conversation | None = None
            try:
                await channel.connected()
                newcomer = await self._hand_over(channel)
            except TimeoutError:
                pass
            finally:
                if newcomer is None:
                    await channel.close()
            if newcomer is not None:
                _log.fact(Event.LINK_RENEWED, server=self._channels.server)
                return newcomer
            if outdated:
                _log.alarm(Event.CERTIFICATES_UNUSABLE, server=self._channels.server, folder=str(self._channels.tls))
            await asyncio.sleep(REFUSED_PAUSE_S)

    async def _hand_over(self, channel: Channel) -> Conversation | None:
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

    def _begin(self, channel: Channel) -> Conversation:
        self.outbox.forget_report()
        _log.fact(Event.LINK_CONNECTED, server=self._channels.server)
        return Conversation(self._interpreter, self.outbox, self._clock, channel, next(self._numbers))
