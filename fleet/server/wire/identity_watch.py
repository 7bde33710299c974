"""
Every call is somebody's, and stays his only as long as he is believed.

TLS asks for a certificate when a line is made; a stream then outlives the certificate's end, its revocation and the removal of its CA.
So each call is asked again when it begins, and each stream once a second for as long as it lasts. A stream that is cut is a lost link:
its truck keeps its road, and stops on it by itself.

Everything here belongs to one thread: that of the streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from fleet.clock import Clock
from fleet.errors import FleetError
from fleet.log import Event, Log
from fleet.pki.bearers import Bearer, CertificateMissing
from fleet.pki.trust import Trust
from fleet.server.wire.handlers import Context, Handler, Surrounding
from fleet.server.wire.interceptors import refuse

KNOWN_MAX: Final = 4096  # certificates whose reading is kept; more than a site has bearers
_PEM: Final = "x509_pem_cert"

_LOG: Final = Log("identity")


@dataclass(eq=False, slots=True, kw_only=True)
class _Stream:
    """One that is open: whose it is, the task that serves it, and why that was cancelled."""

    bearer: Bearer
    task: asyncio.Task[Any]
    fault: FleetError | None = None


class IdentityWatch:
    """Whom the server believes just now, and which streams are whose."""

    def __init__(self, trust: Trust, clock: Clock) -> None:
        self.trust = trust
        self.checks = 0  # how often the open streams were asked
        self._clock = clock
        self._known: dict[bytes, Bearer] = {}
        self._streams: set[_Stream] = set()

    def believe(self, trust: Trust) -> None:
        """From now on *trust* says who is somebody."""
        self.trust = trust
        self.check()

    def bearer_of(self, context: Context) -> Bearer:
        """
        Who calls.

        Raises:
            FleetError: one of `fleet.pki.bearers.DISBELIEVED`.
        """
        shown = next(iter(context.auth_context().get(_PEM, ())), None)
        if shown is None:
            raise CertificateMissing
        pem = bytes(shown)
        bearer = self._known.get(pem)
        if bearer is None:
            bearer = self.trust.identify(pem)
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[pem] = bearer
        fault = self.trust.refusal(bearer, self._clock.utc())
        if fault is not None:
            raise fault
        return bearer

    @contextmanager
    def watched(self, bearer: Bearer) -> Iterator[_Stream]:
        """The present task serves a stream of *bearer*; should he become nobody, it is cancelled, with the reason as its fault."""
        task = asyncio.current_task()
        assert task is not None, "handlers run in tasks"
        stream = _Stream(bearer=bearer, task=task)
        self._streams.add(stream)
        try:
            yield stream
        except asyncio.CancelledError:
            # Whoever else cancelled it, its caller say, still has his way.
            if stream.fault is not None and task.uncancel() == 0:
                raise stream.fault from None
            raise
        finally:
            self._streams.discard(stream)

    def check(self) -> None:
        """Cuts every stream whose bearer has become nobody."""
        self.checks += 1
        now = self._clock.utc()
        for stream in list(self._streams):
            fault = self.trust.refusal(stream.bearer, now)
            if fault is not None:
                self._streams.discard(stream)
                stream.fault = fault
                stream.task.cancel()
                _LOG.alarm(Event.IDENTITY_CUT, reason=fault.reason, **fault.facts())


class IdentityInterceptor(Surrounding):
    """Asks who calls, for every method served, health and all; only the limiter stands further out."""

    def __init__(self, watch: IdentityWatch) -> None:
        self._watch = watch

    def around(self, handler: Handler) -> Handler:
        """*handler*, behind the question."""

        async def answer(request: Any, context: Context) -> Any:
            try:
                self._watch.bearer_of(context)
            except FleetError as disbelieved:
                return await refuse(context, disbelieved)
            return await handler.behaviour(request, context)

        async def stream(request: Any, context: Context) -> None:
            try:
                with self._watch.watched(self._watch.bearer_of(context)):
                    await handler.behaviour(request, context)
            except FleetError as disbelieved:
                await refuse(context, disbelieved)

        return replace(handler, behaviour=answer if handler.answered_once else stream)
