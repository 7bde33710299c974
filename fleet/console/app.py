"""
The page and its data over HTTP, on this machine or for whoever the address is opened to.

What changes something comes only as JSON by POST with a header that no foreign page can send along, to a host name that is ours, and only
where the console was started to steer. All else is reading. Whatever the server refuses comes back with its reason and its hint.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fleet.client import NoServer, Refused, asks
from fleet.client.operator import NoLine
from fleet.console.drawing import plain
from fleet.console.feed import Feed
from fleet.console.player import OnlyARecording, Player
from fleet.console.requests import COMMANDS, READS, counted, text
from fleet.console.source import Source
from fleet.errors import Code, FleetError, InvalidField, NotFound
from fleet.texts import LANGUAGES, texts

STATIC: Final = Path(__file__).parent / "static"
STEERING: Final = "x-khulan-console"
BODY_BYTES_MAX: Final = 65_536
# A page is told no oftener than this, and is told that it is not forgotten at least so often.
UPDATE_S: Final = 0.5
SIGN_OF_LIFE_S: Final = 5.0
# Lists come oldest first, and the server keeps more crossings that are over than this: what is under way stands at the end.
ROWS_MAX: Final = 2_000
# A page may load nothing from elsewhere, run nothing but our modules and MapLibre's workers, and stand in nobody's frame.
POLICY: Final = (
    "default-src 'self'; script-src 'self'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# What the server refuses for a reason of its own is a conflict with how things are.
REFUSED: Final = 409
HTTP_BY_REASON: Final = {NotFound.__name__: 404, NoServer.__name__: 502, NoLine.__name__: 502}
HTTP_BY_CODE: Final = {Code.INVALID: 400, Code.PRECONDITION: 409, Code.STALE: 409, Code.BUG: 500}


@dataclass(eq=False)
class OnlyLooks(FleetError):
    """This console only looks."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Start it with --steer to give commands from it; stopping everything is always allowed."

    command: str


class Console:
    """
    The routes of one console.

    *feed*: somebody else runs it. *steers*: it may give commands. *player*: plays the recording that it shows; None with a server.
    """

    def __init__(self, operator: Source, feed: Feed, *, steers: bool, player: Player | None = None) -> None:
        self._operator = operator
        self._feed = feed
        self._steers = steers
        self._player = player

    def app(self, hosts: Sequence[str]) -> Starlette:
        """The application, which answers to the names *hosts* only."""
        routes = [
            Route("/", self._page),
            Route("/healthz", self._health),
            Route("/api/feed", self._stream),
            Route("/api/site", self._site),
            Route("/api/history", self._history),
            Route("/api/plan", self._plan),
            Route("/api/why/{truck_id}", self._why),
            Route("/api/texts/{language}", self._texts),
            Route("/api/acknowledge", self._acknowledge, methods=["POST"]),
            Route("/api/health", self._server_health),
            Route("/api/day", self._day),
            Route("/api/replay", self._replay, methods=["POST"]),
            Route("/api/do/{command}", self._do, methods=["POST"]),
            Route("/api/{what}", self._read),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(GZipMiddleware, minimum_size=1000)]
        return Starlette(routes=routes, middleware=middleware, exception_handlers={FleetError: _refused})

    async def _page(self, _: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"content-security-policy": POLICY, "x-content-type-options": "nosniff"})

    async def _health(self, _: Request) -> Response:
        live = self._feed.lost_since_ms is None
        return JSONResponse({"live": live, "number": self._feed.number}, status_code=200 if live else 503)

    async def _server_health(self, _: Request) -> Response:
        return JSONResponse(plain(await self._operator.ask(asks.health())))

    async def _stream(self, request: Request) -> Response:
        seen = request.headers.get("last-event-id", "")
        return EventSourceResponse(self._updates(seen), ping=int(SIGN_OF_LIFE_S))

    async def _updates(self, seen: str) -> AsyncIterator[dict[str, str]]:
        generation, _, said = seen.partition(" ")
        found = counted(said)
        number = -1 if found is None else found
        yield {"event": "hello", "data": json.dumps({"steers": self._steers, "replay": self._replayed()})}
        while True:
            update = self._feed.since(generation, number)
            generation, number = update["generation"], update["number"]
            update["replay"] = self._replayed()
            yield {"id": f"{generation} {number}", "data": json.dumps(update, separators=(",", ":"))}
            await asyncio.sleep(UPDATE_S)
            while not await self._feed.newer_than(number, SIGN_OF_LIFE_S):
                pass

    def _replayed(self) -> dict[str, Any] | None:
        """Of the slider; None where a server's fleet is shown."""
        return None if self._player is None else self._player.state()

    async def _site(self, _: Request) -> Response:
        if self._feed.site is None:
            raise NotFound(kind="site", name="in force")
        return JSONResponse(self._feed.site)

    async def _history(self, request: Request) -> Response:
        since_ms = counted(request.query_params.get("since_ms", "0"))
        if since_ms is None:
            raise InvalidField(name="since_ms", problem="must be a whole number")
        if self._player is not None:
            return JSONResponse(await self._player.past(since_ms))
        history = self._feed.history
        return JSONResponse({"time_ms": [], "trucks": {}} if history is None else history.data(since_ms))

    async def _plan(self, _: Request) -> Response:
        """What lies ahead, along the axis; nothing of a recording, which holds what was and not what was meant to be."""
        history = self._feed.history
        if self._player is not None or history is None:
            return JSONResponse({"trucks": {}})
        return JSONResponse({"trucks": history.ahead(await self._operator.ask(asks.plan()))})

    async def _why(self, request: Request) -> Response:
        language = request.query_params.get("language", "en")
        return JSONResponse(plain(await self._operator.ask(asks.explain(request.path_params["truck_id"], language))))

    async def _texts(self, request: Request) -> Response:
        language = request.path_params["language"]
        if language not in LANGUAGES:
            raise NotFound(kind="language", name=language)
        return JSONResponse(dict(texts(language)))

    async def _read(self, request: Request) -> Response:
        what = request.path_params["what"]
        if what not in READS:
            raise NotFound(kind="list", name=what)
        rows: list[Any] = []
        token = ""
        while True:
            page = await self._operator.ask(READS[what](token))
            # A list that comes whole, such as that of the lanes, is told whole.
            rows = [*rows, *page.rows][-max(ROWS_MAX, len(page.rows)) :]
            token = page.next_page_token
            if not token:
                return JSONResponse({"rows": plain(rows)})

    async def _acknowledge(self, request: Request) -> Response:
        _require_ours(request)
        self._require_permitted("acknowledge")
        body = await _body(request)
        await self._feed.acknowledge(text(body, "alarm"), text(body, "who"))
        return JSONResponse({})

    async def _day(self, request: Request) -> Response:
        return JSONResponse(plain(await self._operator.ask(asks.day(request.query_params.get("date", "")))))

    async def _replay(self, request: Request) -> Response:
        if self._player is None:
            raise NotFound(kind="recording", name="shown")
        _require_ours(request)
        return JSONResponse(self._player.steer(await _body(request)))

    async def _do(self, request: Request) -> Response:
        name = request.path_params["command"]
        command = COMMANDS.get(name)
        if command is None:
            raise NotFound(kind="command", name=name)
        _require_ours(request)
        self._require_permitted(name, always=command.always)
        answer = await self._operator.ask(command.make(await _body(request)))
        return JSONResponse(plain(answer))

    def _require_permitted(self, command: str, *, always: bool = False) -> None:
        """
        Where a server's fleet is shown, a command that is *always* permitted passes, any other only where the console steers.

        Raises:
            OnlyARecording, OnlyLooks: the command may not be given here.
        """
        if self._player is not None:
            raise OnlyARecording(command=command)
        if not self._steers and not always:
            raise OnlyLooks(command=command)


def _require_ours(request: Request) -> None:
    """
    A foreign page may send nothing that changes anything.

    Raises:
        InvalidField: it does not come from our page.
    """
    if request.headers.get(STEERING) != "1" or not request.headers.get("content-type", "").startswith("application/json"):
        raise InvalidField(name="headers", problem=f"a command is JSON, and carries {STEERING}: 1")


async def _body(request: Request) -> dict[str, Any]:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY_BYTES_MAX:
            raise InvalidField(name="body", problem=f"may have {BODY_BYTES_MAX} bytes")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as wrong:
        raise InvalidField(name="body", problem="is not JSON") from wrong
    if not isinstance(body, dict):
        raise InvalidField(name="body", problem="must be an object")
    return body


async def _refused(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, FleetError)
    status = HTTP_BY_REASON.get(fault.reason, REFUSED if isinstance(fault, Refused) else HTTP_BY_CODE[fault.code])
    details = fault.details if isinstance(fault, Refused) else fault.facts()
    message = fault.message if isinstance(fault, Refused) else str(fault)
    hint = fault.advice if isinstance(fault, Refused) else fault.hint
    return JSONResponse({"reason": fault.reason, "message": message, "hint": hint, "details": details}, status_code=status)
