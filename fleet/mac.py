"""
Codes between one truck and its server, whoever carries their words.

A gateway is trusted to relay, not to speak. A truck and its server share 32 bytes that the gateway does not have; every word between them
carries a code that only those two can make: keyed BLAKE2b, 16 bytes.

What a code covers is written field by field in one form, not as protobuf has it: the same message may have many protobuf forms. Fields at
their default are left out, those of a later wire version too, so that both sides of two versions write the same.

Nothing said once can be said again. A session's own key is made of the truck's, of the boot and the stamp of its hello, and of the
server's term and its number for the conversation, so that no word of one session has a right code in another. Within a session a report's
stamp, an authority's term and a heartbeat's tick rise by themselves; these three are what travels ten times a second, in columns, and
their codes are of fixed layout. Every other word carries a counter that rises. A hello is coded with the truck's own key, and told from
older ones by its boot and stamp, as on any line.

Lanes are covered by a digest of their name, so that the code stays right when a gateway writes a lane's row for its name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, ClassVar, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from fleet.errors import Code, FleetError
from fleet.v1 import truck_pb2

CODE_BYTES: Final = 16
KEY_BYTES: Final = 32
LANES_KNOWN_MAX: Final = 8192
# Fields that came after version 2 of the wire, by full name, and with which version: a peer of an older one does not know them.
ADDED: Final[Mapping[str, int]] = {}

# stamp, lane, chainage, speed, acceleration, bound, flags, accepted epoch and sequence, challenge, its echo, battery, friction, brakes
REPORT: Final = struct.Struct("<BqQddddIqqqqddd")
# epoch, sequence, sequence of the route, lane and chainage of the end, advised speed, friction
AUTHORITY: Final = struct.Struct("<BqqqQddd")
# tick, epoch, challenge echo, challenge
HEARTBEAT: Final = struct.Struct("<Bqqqq")
_WORD: Final = struct.Struct("<Bq")
_FIELD: Final = struct.Struct("<II")
_LENGTH: Final = struct.Struct("<I")
_SESSION: Final = struct.Struct("<qqq")
# With a sign or without: within one field no two numbers have the same 64 bits.
_WHOLE: Final = struct.Struct("<Q")
_WHOLE_MASK: Final = 2**64 - 1
_REAL: Final = struct.Struct("<d")


class Kind(IntEnum):
    """What a code is of; nothing of one kind passes for another."""

    HELLO = 1
    WELCOME = 2
    REPORT = 3
    AUTHORITY = 4
    HEARTBEAT = 5
    TO_SERVER = 6
    TO_TRUCK = 7


@dataclass(eq=False)
class CodeWrong(FleetError):
    """A word's code is missing or wrong: it was made up, changed or repeated on the way."""

    code: ClassVar[Code] = Code.INVALID

    truck_id: str
    what: str


@lru_cache(maxsize=LANES_KNOWN_MAX)
def lane_digest(lane_id: str) -> int:
    """Eight bytes for a lane's name; 0 for none."""
    return int.from_bytes(blake2b(lane_id.encode(), digest_size=8).digest(), "little") if lane_id else 0


def hello_code(key: bytes, hello: truck_pb2.Hello) -> bytes:
    """The code of a hello, by the truck's own key."""
    return _of(_keyed(key), bytes((Kind.HELLO,)) + canonical(hello, hello.wire_version))


def right(code: bytes, given: bytes) -> bool:
    """Whether the code *given* is *code*; takes as long either way."""
    return compare_digest(code, given)


class Session:
    """
    One conversation of one truck with one server: makes the codes of both sides.

    *number* is the server's for it, *version* the wire's that was agreed; *added*: which fields a peer of that may not know.
    """

    def __init__(
        self, key: bytes, hello: truck_pb2.Hello, *, epoch: int, number: int, version: int, added: Mapping[str, int] = ADDED
    ) -> None:
        named = b"".join(_text(name) for name in (hello.truck_id, hello.instance_id, hello.boot_id))
        told = _SESSION.pack(hello.report.stamp_ns, epoch, number)
        secret = blake2b(named + told, key=key, person=b"khulan session", digest_size=KEY_BYTES).digest()
        self.base = _keyed(secret)
        self.version = version
        self._added = added

    def report(self, said: truck_pb2.Report) -> bytes:
        """Of a report, alone or in a frame."""
        flags = said.laden | said.intact << 1 | said.immobilised << 2 | said.emergency_braking << 3
        # Minus nought is nought: not every encoder keeps the sign. No brake health is full brake health.
        packed = REPORT.pack(
            Kind.REPORT, said.stamp_ns, lane_digest(said.lane_id), said.chainage_m + 0.0, said.speed_mps + 0.0,
            said.acceleration_mps2 + 0.0, said.bound_m + 0.0, flags, said.accepted.epoch, said.accepted.sequence, said.challenge,
            said.challenge_echo, said.battery_wh + 0.0, said.friction + 0.0, said.brake_health or 1.0,
        )  # fmt: skip
        return _of(self.base, packed)

    def authority(self, said: truck_pb2.MovementAuthority) -> bytes:
        """Of an authority, alone or in a frame."""
        packed = AUTHORITY.pack(
            Kind.AUTHORITY, said.term.epoch, said.term.sequence, said.route_sequence, lane_digest(said.end.lane_id),
            said.end.chainage_m + 0.0, said.advised_speed_mps + 0.0, said.friction + 0.0,
        )  # fmt: skip
        return _of(self.base, packed)

    def heartbeat(self, said: truck_pb2.Heartbeat) -> bytes:
        """Of a heartbeat, alone or in a frame."""
        packed = HEARTBEAT.pack(Kind.HEARTBEAT, said.tick, said.epoch, said.challenge_echo, said.challenge)
        return _of(self.base, packed + self.shared(said))

    def shared(self, said: Message) -> bytes:
        """What a frame says once for all its rows, and a single heartbeat for itself, as this conversation's truck knows it."""
        return shared(said, self.version, self._added)

    def welcome(self, said: truck_pb2.Welcome) -> bytes:
        """Of the welcome that begins the session."""
        return _of(self.base, bytes((Kind.WELCOME,)) + canonical(said, self.version, self._added))

    def word(self, kind: Kind, counter: int, said: Message) -> bytes:
        """Of any other word."""
        return _of(self.base, _WORD.pack(kind, counter) + canonical(said, self.version, self._added))


def shared(message: Message, version: int, added: Mapping[str, int] = ADDED) -> bytes:
    """The messages within *message*, as of *version*."""
    within = [field for field in _known(message, version, added) if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE]
    return b"".join(_value(field, value, version, added) for field in within for value in _values(message, field))


def canonical(message: Message, version: int, added: Mapping[str, int] = ADDED) -> bytes:
    """*message* in the one form that codes cover: set fields by number, each with its count and its values, as of *version*."""
    parts = []
    for field in _known(message, version, added):
        values = list(_values(message, field))
        if values:
            parts.append(_FIELD.pack(field.number, len(values)))
            parts += [_value(field, value, version, added) for value in values]
    return b"".join(parts)


def _known(message: Message, version: int, added: Mapping[str, int]) -> Iterator[FieldDescriptor]:
    """The fields of *message* that a peer of *version* knows, by number."""
    return (field for field in _fields(message.DESCRIPTOR) if added.get(field.full_name, 0) <= version)


@cache
def _fields(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """By number."""
    by_number: Mapping[int, FieldDescriptor] = descriptor.fields_by_number
    return tuple(by_number[number] for number in sorted(by_number))


def _values(message: Message, field: FieldDescriptor) -> Iterator[Any]:
    value = getattr(message, field.name)
    if field.is_repeated:
        yield from value
    elif message.HasField(field.name) if field.has_presence else value:
        yield value


def _value(field: FieldDescriptor, value: Any, version: int, added: Mapping[str, int]) -> bytes:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_MESSAGE:
            raw = canonical(value, version, added)
            return _LENGTH.pack(len(raw)) + raw
        case FieldDescriptor.CPPTYPE_STRING:
            return _text(value)
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return _REAL.pack(value + 0.0)
        case _:
            return _WHOLE.pack(value & _WHOLE_MASK)


def _text(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return _LENGTH.pack(len(raw)) + raw


def _keyed(key: bytes) -> blake2b:
    return blake2b(key=key, person=b"khulan code", digest_size=CODE_BYTES)


def _of(base: blake2b, covered: bytes) -> bytes:
    made = base.copy()
    made.update(covered)
    return made.digest()
