"""
The recording of a run, read from its file by time: `fleet sim run --out` writes it, `fleet.console.recorded` says what is in it.

Of the file its index alone stays in memory, and the few blocks that were looked at last. A moment costs the block of the last whole before
it and those of the changes since, wherever in the run it lies.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, Any, ClassVar, Final, Self

from google.protobuf.message import DecodeError, Message
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.reader import SeekingReader
from mcap.records import Chunk, ChunkIndex
from mcap.records import Message as Entry
from mcap.stream_reader import breakup_chunk
from zstandard import ZstdError

from fleet.console import recorded
from fleet.errors import FleetError
from fleet.v1 import border_pb2
from fleet.v1 import dispatch_pb2 as d

MAGIC: Final = b"\x89MCAP0\r\n"
# A block of ours has one MiB; a foreign file must not fill the memory.
RECORD_BYTES_MAX: Final = 64 << 20
BLOCKS_KEPT: Final = 8
NS_PER_S: Final = 1_000_000_000

FORMS: Final[Mapping[str, type[Message]]] = {
    recorded.SITE: d.Site,
    recorded.WHOLE: d.FleetUpdate,
    recorded.UPDATE: d.FleetUpdate,
    recorded.GATES: border_pb2.ListGatesResponse,
    recorded.ORDERS: d.ListTransportOrdersResponse,
    recorded.CROSSINGS: border_pb2.ListCrossingsResponse,
    recorded.LANES: d.ListLanesResponse,
    recorded.INTRUSIONS: d.ListIntrusionsResponse,
    recorded.DAY: d.Day,
}
# What a library of others may raise over bytes that are not what they should be.
_BROKEN: Final = (McapError, DecodeError, ZstdError, struct.error, ValueError, EOFError, KeyError, IndexError, OverflowError, MemoryError)


@dataclass(eq=False)
class NoRecording(FleetError):
    """There is no recording to show."""

    hint: ClassVar[str] = "`fleet sim run SCENARIO --out DIR` makes one; name its folder with --replay DIR."

    path: str
    problem: str


@dataclass(eq=False)
class RecordingDamaged(FleetError):
    """The recording cannot be read here."""

    hint: ClassVar[str] = "Copy it anew, or run the scenario again: the line that repeats a run is in its report.json."

    path: str
    at_byte: int
    problem: str


@dataclass(frozen=True, slots=True)
class Told:
    """One message on record: its topic, simulated nanoseconds, and its bytes; *at_byte* of the file its block begins."""

    topic: str
    time_ns: int
    raw: bytes
    at_byte: int


class Recording:
    """
    One run on file, open until closed; safe to use from several threads, one at a time.

    *begin_ns*, *end_ns*: simulated time of the first and the last that the server showed. *path*: of the file.
    """

    def __init__(self, given: Path) -> None:
        """
        Opens the file in the folder *given*, or the file itself.

        Raises:
            NoRecording: there is no file, or it is none of ours.
            RecordingDamaged: it is cut short, or its index is broken.
        """
        self.path = given / recorded.FILE if given.is_dir() else given
        self._lock = Lock()
        self._file = self._open()
        self._blocks: OrderedDict[int, list[Told]] = OrderedDict()
        try:
            self._read_index()
            self.begin_ns, self.end_ns = self._span()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    # What is asked of it.

    def newest(self, topic: str, time_ns: int) -> Message | None:
        """
        The last message of *topic* at or before a moment; None when there is none.

        Raises:
            RecordingDamaged: the file is broken where it lies.
        """
        found = self._last(topic, time_ns)
        return None if found is None else self._message(found)

    def between(self, topics: Sequence[str], from_ns: int, to_ns: int) -> Iterator[tuple[str, int, Any]]:
        """
        Topic, moment and message of everything in (*from_ns*, *to_ns*], in order.

        Raises:
            RecordingDamaged: the file is broken there.
        """
        for block in self._blocks_with(topics, from_ns + 1, to_ns):
            for told in self._block(block):
                if told.topic in topics and from_ns < told.time_ns <= to_ns:
                    yield told.topic, told.time_ns, self._message(told)

    def fleet(self, time_ns: int) -> d.FleetUpdate:
        """
        The whole fleet as it was shown at a moment; the first that was shown where that is before it.

        Raises:
            RecordingDamaged: the file is broken there.
        """
        time_ns = max(time_ns, self.begin_ns)
        whole = self._last(recorded.WHOLE, time_ns)
        if whole is None:
            raise self._damaged(0, f"nothing on {recorded.WHOLE} before second {time_ns / NS_PER_S:.1f}")
        since = (update for _, _, update in self.between((recorded.UPDATE,), whole.time_ns, time_ns))
        return merged([self._message(whole), *since])

    # The file.

    def _open(self) -> IO[bytes]:
        try:
            file = self.path.open("rb")
        except OSError as fault:
            raise NoRecording(path=str(self.path), problem=fault.strerror or str(fault)) from fault
        with file_closed_on_error(file):
            if file.read(len(MAGIC)) != MAGIC:
                raise NoRecording(path=str(self.path), problem="it is no MCAP file: it does not begin as one")
            size = file.seek(0, 2)
            file.seek(max(size - len(MAGIC), len(MAGIC)))
            if file.read(len(MAGIC)) != MAGIC:
                problem = "it is cut short: the run was killed while it wrote, or the copy is not whole"
                raise RecordingDamaged(path=str(self.path), at_byte=size, problem=problem)
            file.seek(0)
        return file

    def _read_index(self) -> None:
        with self._reading(0):
            summary = SeekingReader(self._file, record_size_limit=RECORD_BYTES_MAX).get_summary()
        if summary is None or not summary.chunk_indexes:
            raise NoRecording(path=str(self.path), problem="it has no index of its contents; one of `fleet sim run` has")
        self._topics = {channel.id: channel.topic for channel in summary.channels.values() if channel.topic in FORMS}
        for needed in (recorded.SITE, recorded.WHOLE):
            if needed not in self._topics.values():
                problem = (
                    f"it has no channel {needed}: another program made it, or an older version that did not record what the server showed"
                )
                raise NoRecording(path=str(self.path), problem=problem)
        for channel in summary.channels.values():
            schema = summary.schemas.get(channel.schema_id)
            form = FORMS.get(channel.topic)
            named = "nothing" if schema is None else schema.name
            if form is not None and (channel.message_encoding != "protobuf" or named != form.DESCRIPTOR.full_name):
                problem = f"its channel {channel.topic} carries {named} as {channel.message_encoding!r}, not {form.DESCRIPTOR.full_name}"
                raise NoRecording(path=str(self.path), problem=problem)
        self._index = sorted(summary.chunk_indexes, key=lambda block: (block.message_start_time, block.chunk_start_offset))
        self._starts_ns = [block.message_start_time for block in self._index]
        self._longest_ns = max(block.message_end_time - block.message_start_time for block in self._index)

    def _span(self) -> tuple[int, int]:
        """When the first and the last whole or change was shown."""
        topics = (recorded.WHOLE, recorded.UPDATE)
        blocks = self._blocks_with(topics, 0, self._index[-1].message_end_time)
        ends = [
            [told.time_ns for told in self._block(block) if told.topic in topics] for block in ((blocks[0], blocks[-1]) if blocks else ())
        ]
        if not ends or not all(ends):
            raise NoRecording(path=str(self.path), problem="no server showed anything in it")
        return min(ends[0]), max(ends[-1])

    def _blocks_with(self, topics: Sequence[str], from_ns: int, to_ns: int) -> list[ChunkIndex]:
        """The blocks that hold something of *topics* in [*from_ns*, *to_ns*], in order."""
        wanted = {channel for channel, topic in self._topics.items() if topic in topics}
        first = bisect_right(self._starts_ns, from_ns - self._longest_ns - 1)
        last = bisect_right(self._starts_ns, to_ns)
        return [
            block for block in self._index[first:last] if block.message_end_time >= from_ns and wanted & block.message_index_offsets.keys()
        ]

    def _last(self, topic: str, time_ns: int) -> Told | None:
        """As `newest`, with its moment."""
        found: Told | None = None
        for block in reversed(self._blocks_with((topic,), 0, time_ns)):
            if found is not None and block.message_end_time <= found.time_ns:
                break
            told = next((each for each in reversed(self._block(block)) if each.topic == topic and each.time_ns <= time_ns), None)
            if told is not None and (found is None or told.time_ns > found.time_ns):
                found = told
        return found

    def _block(self, block: ChunkIndex) -> list[Told]:
        """What one block holds of ours, in order."""
        at_byte = block.chunk_start_offset
        with self._lock:
            kept = self._blocks.get(at_byte)
            if kept is None:
                with self._reading(at_byte):
                    kept = self._blocks[at_byte] = self._unpacked(block)
            self._blocks.move_to_end(at_byte)
            while len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
            return kept

    def _unpacked(self, block: ChunkIndex) -> list[Told]:
        at_byte = block.chunk_start_offset
        if max(block.chunk_length, block.uncompressed_size) > RECORD_BYTES_MAX:
            raise self._damaged(at_byte, f"a block of {max(block.chunk_length, block.uncompressed_size)} bytes")
        self._file.seek(at_byte + 9)  # behind the record's kind and length
        chunk = Chunk.read(ReadDataStream(self._file))
        if chunk.uncompressed_size > RECORD_BYTES_MAX:
            raise self._damaged(at_byte, f"a block of {chunk.uncompressed_size} bytes")
        found = [
            Told(self._topics[entry.channel_id], entry.log_time, entry.data, at_byte)
            for entry in breakup_chunk(chunk, validate_crc=True)
            if isinstance(entry, Entry) and entry.channel_id in self._topics
        ]
        return sorted(found, key=lambda told: told.time_ns)

    def _message(self, told: Told) -> Any:
        with self._reading(told.at_byte):
            return FORMS[told.topic].FromString(told.raw)

    @contextmanager
    def _reading(self, at_byte: int) -> Iterator[None]:
        """Whatever breaks while bytes are read is told as the place where it did."""
        try:
            yield
        except FleetError:
            raise
        except (OSError, *_BROKEN) as fault:
            raise self._damaged(at_byte, f"{type(fault).__name__}: {fault}"[:200]) from fault

    def _damaged(self, at_byte: int, problem: str) -> RecordingDamaged:
        return RecordingDamaged(path=str(self.path), at_byte=at_byte, problem=problem)


@contextmanager
def file_closed_on_error(file: IO[bytes]) -> Iterator[None]:
    """*file* stays open unless something is raised."""
    try:
        yield
    except BaseException:
        file.close()
        raise


def merged(updates: Sequence[d.FleetUpdate]) -> d.FleetUpdate:
    """Several updates as the last of them, with every truck that any of them told of as it was told of last."""
    trucks = {truck.truck_id: truck for update in updates for truck in update.trucks}
    found = without_trucks(updates[-1])
    found.snapshot = any(update.snapshot for update in updates)
    found.trucks.extend(trucks.values())
    return found


def without_trucks(update: d.FleetUpdate) -> d.FleetUpdate:
    """What *update* says beside its trucks: news of none of them."""
    rest = d.FleetUpdate()
    rest.CopyFrom(update)
    rest.ClearField("trucks")
    rest.snapshot = False
    return rest
