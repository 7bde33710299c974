"""
Frames of HTTP/2 written by hand, and sockets that say nothing: what no sound library would send.

It needs the standard library only, so that it is under way at once.
"""

from __future__ import annotations

import random
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final

CONNECT: Final = "/fleet.v1.TruckService/Connect"
WATCH: Final = "/fleet.v1.DispatchService/WatchFleet"
CREATE: Final = "/fleet.v1.DispatchService/CreateTransportOrder"
SILENT_COUNT: Final = 2000
SILENT_WITHIN_S: Final = 30.0
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW_SIZE: Final = 4
CANCEL: Final = (8).to_bytes(4, "big")
_MIB: Final = 1 << 20


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def literal(name: str, value: str) -> bytes:
    """One header field, neither indexed nor compressed."""
    parts = name.encode(), value.encode()
    return b"\x00" + b"".join(bytes((len(part),)) + part for part in parts)


def call(path: str) -> bytes:
    """The header block of a call."""
    fields = (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"), ("te", "trailers")
    return b"".join(literal(*field) for field in (*fields, ("content-type", "application/grpc")))


def message(raw: bytes) -> bytes:
    """One message of a stream, not compressed."""
    return b"\x00" + len(raw).to_bytes(4, "big") + raw


def opened(address: str, settings: bytes = b"") -> socket.socket:
    """A connection that has said which protocol it speaks, and waits for nothing."""
    host, _, port = address.rpartition(":")
    line = socket.create_connection((host, int(port)), timeout=10)
    line.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
    return line


def drained(line: socket.socket) -> bool:
    """Reads what came; False when the other side has hung up."""
    line.setblocking(False)
    try:
        while line.recv(_MIB):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        line.setblocking(True)
    return False


def until(seconds: float) -> Iterator[int]:
    """Rounds, for so long."""
    end_s = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end_s:
        yield number
        number += 1


def storm(address: str, seconds: float, chunk: Callable[[int], bytes]) -> dict[str, int]:
    """Sends *chunk* after *chunk* over one connection, and over a new one whenever it is hung up on."""
    line = opened(address)
    sent, cut, since_open = 0, 0, 0
    for _ in until(seconds):
        try:
            line.sendall(chunk(since_open))
            sent, since_open = sent + 1, since_open + 1
            alive = drained(line)
        except OSError:
            alive = False
        if not alive:
            line.close()
            line, cut, since_open = opened(address), cut + 1, 0
    return {"sent": sent, "cut": cut}


def rapid_reset(address: str, seconds: float) -> dict[str, int]:
    """Calls that are begun and given up in the same breath, fifty to a chunk."""
    block = call(CREATE)

    def chunk(number: int) -> bytes:
        streams = range(100 * number + 1, 100 * number + 101, 2)
        return b"".join(frame(HEADERS, END_HEADERS, at, block) + frame(RST_STREAM, 0, at, CANCEL) for at in streams)

    return storm(address, seconds, chunk)


def pings(address: str, seconds: float) -> dict[str, int]:
    """Pings, each of which wants an answer."""
    chunk = frame(PING, 0, 0, b"pingpong") * 200
    return storm(address, seconds, lambda _: chunk)


def endless_headers(address: str, seconds: float) -> dict[str, int]:
    """A header block that never ends."""
    begin = frame(HEADERS, 0, 1, call(CREATE))
    more = frame(CONTINUATION, 0, 1, literal("x", "y" * 100) * 100)
    return storm(address, seconds, lambda number: begin if number == 0 else more)


def garbage_bytes(address: str, seconds: float) -> dict[str, int]:
    """Connections on which noise comes, with and without a beginning that makes sense."""
    noise = random.Random(1)  # noqa: S311 - noise that is the same every time
    host, _, port = address.rpartition(":")
    cut = 0
    for number in until(seconds):
        with socket.create_connection((host, int(port)), timeout=10) as line:
            try:
                line.sendall((PREFACE if number % 2 else b"") + noise.randbytes(4096))
                while line.recv(_MIB):
                    pass
                cut += 1
            except ConnectionError:
                cut += 1
            except TimeoutError:
                continue
    return {"sent": number + 1, "cut": cut}


def silent(address: str, seconds: float) -> dict[str, int]:
    """Two thousand connections, or as many as there are files for, that never say anything."""
    host, _, port = address.rpartition(":")
    count = min(SILENT_COUNT, _files() - 100)
    lines: list[socket.socket] = []
    for number in until(seconds):
        if number < count:
            lines.append(socket.create_connection((host, int(port)), timeout=10))
        else:
            break
    opened_count, patience_s = len(lines), time.monotonic() + SILENT_WITHIN_S
    while lines and time.monotonic() < patience_s:
        select.select([], [], [], 0.2)
        lines = [line for line in lines if drained(line)]
    return {"sent": opened_count, "cut": opened_count - len(lines)}


def slow_reader(address: str, seconds: float) -> dict[str, int]:
    """A watcher, and a truck that is refused, who never take a byte: the window of every stream is shut from the start."""
    line = opened(address, INITIAL_WINDOW_SIZE.to_bytes(2, "big") + bytes(4))
    empty = message(b"")
    for at in range(1, 41, 2):
        line.sendall(frame(HEADERS, END_HEADERS, at, call(CONNECT if at % 4 == 1 else WATCH)))
        line.sendall(frame(DATA, END_STREAM if at % 4 == 3 else 0, at, empty))
    for _ in until(seconds):
        received = line.recv(_MIB) if select.select([line], [], [], 0.1)[0] else b""
        # Alive as far as its pings go: the connection shall not be what is cut.
        for at in range(len(received) - 16):
            if received[at : at + 4] == b"\x00\x00\x08\x06" and received[at + 4] == 0:
                line.sendall(frame(PING, 1, 0, received[at + 9 : at + 17]))
    return {"sent": 20, "cut": int(not drained(line))}


def _files() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


# What the transport below us lets pass: it reads a header block that never ends for as long as it comes, at the cost of a core, and
# has no option against it. With certificates only whoever has one gets so far.
UNBOUNDED: Final = {"endless_headers": endless_headers}
RAW: Final[dict[str, Callable[[str, float], dict[str, int]]]] = {
    "rapid_reset": rapid_reset,
    "pings": pings,
    "garbage_bytes": garbage_bytes,
    "silent": silent,
    "slow_reader": slow_reader,
}
