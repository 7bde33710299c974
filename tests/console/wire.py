"""HTTP as it goes over the wire, so that nothing between a test and the console makes it politer than it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

WITHIN_S: Final = 30.0
OURS: Final = {"content-type": "application/json", "x-khulan-console": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers in lower case, and what came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    status = int((await reader.readline()).split()[1])
    headers: dict[str, str] = {}
    while line := (await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return status, headers


@asynccontextmanager
async def _asked(
    port: int, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, int, dict[str, str]]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        said = {"host": f"127.0.0.1:{port}", "connection": "close", "content-length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        async with asyncio.timeout(WITHIN_S):
            await writer.drain()
            status, answered = await _head(reader)
        yield reader, status, answered
    finally:
        writer.close()


async def ask(port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    """One request and its whole answer."""
    async with _asked(port, method, path, headers or {}, body) as (reader, status, answered), asyncio.timeout(WITHIN_S):
        return Answer(status=status, headers=answered, body=await reader.read())


async def command(port: int, name: str, **fields: Any) -> Answer:
    """A command, as the page gives it."""
    return await ask(port, "POST", f"/api/do/{name}", OURS, json.dumps(fields).encode())


class Feed:
    """The page's stream of updates, event by event."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.last_id = ""

    async def event(self) -> tuple[str, Any]:
        """The next event's name and data; signs of life are passed over."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(WITHIN_S):
            while True:
                line = (await self._reader.readline()).decode().rstrip("\r\n")
                name, found, value = line.partition(": ")
                if found and name in {"event", "data", "id"}:
                    fields[name] = value
                elif not line and "data" in fields:
                    self.last_id = fields.get("id", self.last_id)
                    return fields.get("event", "message"), json.loads(fields["data"])

    async def update(self) -> Any:
        """The next update."""
        while True:
            name, data = await self.event()
            if name == "message":
                return data


@asynccontextmanager
async def feed(port: int, last_id: str = "") -> AsyncIterator[Feed]:
    """A stream, from the beginning or after the event of that id."""
    headers = {"last-event-id": last_id} if last_id else {}
    async with _asked(port, "GET", "/api/feed", headers, b"") as (reader, status, answered):
        assert (status, answered["content-type"].partition(";")[0]) == (200, "text/event-stream")
        yield Feed(reader)
