"""
The address of metrics: plain HTTP for a scraper and for whoever starts servers again, on a thread of its own.

`/metrics` is the text of the newest health, made when that was gathered: a scrape copies it, and asks the loop nothing. `/healthz` says
whether ticks go on, `/readyz` whether trucks are given road; both in a word and with a reason, and 503 for no. All of it is reading,
and names nobody, but neither is it secret: whoever reaches the address sees how much coal goes where.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import AF_INET6, SHUT_RDWR, socket
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, ClassVar, Final

from fleet.clock import NS_PER_S, SystemClock
from fleet.errors import Code, FleetError
from fleet.log import Event, Log
from fleet.server.limits import SCRAPE_WITHIN_S, SCRAPES_MAX

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
WORDS: Final = "text/plain; charset=utf-8"
POLL_S: Final = 0.2  # until an end, or somebody who takes too long, is noticed
WITHIN_NS: Final = int(SCRAPE_WITHIN_S * NS_PER_S)

_LOG: Final = Log("metrics")


@dataclass(eq=False)
class MetricsAddressTaken(FleetError):
    """Metrics cannot be served there."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Name another address with --metrics HOST:PORT; port 0 lets the system choose."

    listen: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told at the paths: the text of metrics; whether ticks go on; whether trucks are given road; and why."""

    text: Callable[[], bytes]
    alive: Callable[[], tuple[bool, str]]
    ready: Callable[[], tuple[bool, str]]


class _Handler(BaseHTTPRequestHandler):
    server_version = "khulan"
    sys_version = ""
    timeout = SCRAPE_WITHIN_S
    told: Told

    def do_GET(self) -> None:
        """Answers one request."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._say(HTTPStatus.OK, self.told.text(), TEXT)
            return
        asked = {"/healthz": self.told.alive, "/readyz": self.told.ready}.get(path)
        if asked is None:
            self._say(HTTPStatus.NOT_FOUND, b"There are /metrics, /healthz and /readyz.\n", WORDS)
            return
        good, reason = asked()
        self._say(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, f"{reason}\n".encode(), WORDS)

    do_HEAD = do_GET  # noqa: N815 - as above

    def _say(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Nothing: a scrape is nothing to remember."""


class _Listener(ThreadingMixIn, TCPServer):
    """
    A thread for each connection, a bounded number of them, each for a bounded time.

    Not the library's HTTP server: that asks for the machine's name at once, and where no name server answers, the fleet would wait.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._free = threading.BoundedSemaphore(SCRAPES_MAX)
        self._clock = SystemClock()
        self._due_ns: dict[socket, int] = {}
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begins with one connection; one too many is closed, and whoever made it comes again."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._due_ns[request] = self._clock.now_ns() + WITHIN_NS
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._done(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, from begin to end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._done(request)

    def service_actions(self) -> None:
        """Every `POLL_S`: whoever says a letter now and then has no more time than others."""
        now_ns = self._clock.now_ns()
        for request, due_ns in list(self._due_ns.items()):
            if due_ns < now_ns:
                with suppress(OSError):  # it ended by itself
                    request.shutdown(SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes away in the middle is no news."""
        del request, client_address
        fault = sys.exception()
        if not isinstance(fault, OSError):
            _LOG.alarm(Event.REQUEST_FAILED, reason=type(fault).__name__, exc_info=fault)

    def _done(self, request: socket) -> None:
        if self._due_ns.pop(request, None) is not None:
            self._free.release()


class _Listener6(_Listener):
    address_family = AF_INET6


class MetricsEndpoint:
    """Serves from `open` to `close`."""

    def __init__(self, listen: str, told: Told) -> None:
        """*listen* is HOST:PORT."""
        self._listen = listen
        self._told = told
        self._server: _Listener | None = None

    def open(self) -> str:
        """
        Listens; the answer is the address.

        Raises:
            MetricsAddressTaken: somebody else has it, or it is none of this machine.
        """
        host, _, port = self._listen.rpartition(":")
        bare = host.strip("[]")
        handler = type("Handler", (_Handler,), {"told": self._told})
        kind = _Listener6 if ":" in bare else _Listener
        try:
            self._server = kind((bare, int(port)), handler)
        except OSError as fault:
            raise MetricsAddressTaken(listen=self._listen, problem=str(fault)) from fault
        serve = self._server.serve_forever
        threading.Thread(target=serve, kwargs={"poll_interval": POLL_S}, name="metrics", daemon=True).start()
        address = f"{host}:{self._server.server_address[1]}"
        _LOG.fact(Event.METRICS_SERVED, listen=address)
        return address

    def close(self) -> None:
        """Listens no more; a second time does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
