"""
Messages nobody sane would send, of any descriptor: strategies for hypothesis.

Three kinds of wrongness, and their mixtures: numbers and texts at and beyond every edge (NaN, infinities, the ends of each integer
type, enum values of no version, texts too long or unprintable), fields that nobody declared, and bytes flipped or cut off after
everything. Much of each message is plausible, with names that the other side knows, because whoever refuses the first field never
shows what the fifth would have done.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

DEPTH_MAX: Final = 5
MANY: Final = 70  # more than most lists may hold
INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1
EDGE_FLOATS: Final = (0.0, -0.0, 1.0, 0.5, 3.5, -1.0, 40.0, 1e6, -1e6, 5e-324, 1e300, -1e300, math.inf, -math.inf, math.nan)
EDGE_TEXTS: Final = ("", " ", "with space", "bell\a", "nul\0", "../../etc/passwd", "{}", "%s%n", "\u202e", "长" * 300, "x" * 65, "x" * 5000)

Names = Mapping[str, Sequence[str]]
_Type: Final = FieldDescriptor
_WHOLE: Final[Mapping[int, tuple[int, int]]] = {
    _Type.CPPTYPE_INT32: (-INT32_MAX - 1, INT32_MAX),
    _Type.CPPTYPE_INT64: (-INT64_MAX - 1, INT64_MAX),
    _Type.CPPTYPE_UINT32: (0, 2**32 - 1),
    _Type.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def examples(count: int) -> settings:
    """So many examples, the same ones every time; `FUZZ_TIMES` multiplies them for a long run."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    times = int(os.environ.get("FUZZ_TIMES", "1"))
    return settings(max_examples=count * times, deadline=None, derandomize=True, database=None, suppress_health_check=slow)


def messages(descriptor: Descriptor, names: Names) -> st.SearchStrategy[Message]:
    """Messages of *descriptor*; *names* has texts that the other side knows, by the name of the field."""
    return _Maker(names).message(descriptor, 0)


def raw_messages(descriptor: Descriptor, names: Names) -> st.SearchStrategy[bytes]:
    """The same as bytes; some with fields nobody declared, some damaged, some no message at all."""
    sound = messages(descriptor, names).map(lambda message: message.SerializeToString())
    extended = st.tuples(sound, st.sampled_from(_UNKNOWN_FIELDS)).map(b"".join)
    damaged = st.builds(
        _damaged, sound, st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 255)), min_size=1, max_size=4), st.booleans()
    )
    return st.one_of(sound, sound, sound, extended, damaged, st.binary(max_size=64))


# Field 1000 in each of the wire's forms, then forms that no version of protobuf has.
_UNKNOWN_FIELDS: Final = (
    b"\xc0\x3e\x96\x01",
    b"\xc1\x3e" + b"\xff" * 8,
    b"\xc2\x3e\x03abc",
    b"\xc3\x3e\xc4\x3e",
    b"\xc5\x3e" + b"\x00" * 4,
    b"\xc6\x3e",
    b"\x00",
)


def _damaged(raw: bytes, flips: Sequence[tuple[float, int]], cut: bool) -> bytes:
    if not raw:
        return b"\xff"
    made = bytearray(raw)
    for share, value in flips:
        made[min(int(share * len(made)), len(made) - 1)] = value
    return bytes(made[: max(1, int(flips[0][0] * len(made)))]) if cut else bytes(made)


class _Maker:
    """Builds messages field by field. The strategies of one kind of field are made once: drawing is what takes time."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._fields: dict[str, st.SearchStrategy[Any]] = {}

    def message(self, descriptor: Descriptor, depth: int) -> st.SearchStrategy[Message]:
        """Most fields set, each now and then left out."""

        @st.composite
        def made(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Message:
            message: Message = message_factory.GetMessageClass(descriptor)()
            for field in self._chosen(draw, descriptor):
                self._set(draw, message, field, depth)
            return message

        return made()

    def _chosen(self, draw: Callable[[st.SearchStrategy[Any]], Any], descriptor: Descriptor) -> list[FieldDescriptor]:
        # Of a oneof one member, of the rest nearly all: a message of two fields in fifteen is refused at the first that is missing.
        left_out = draw(st.sets(st.integers(0, max(len(descriptor.fields) - 1, 0)), max_size=2))
        chosen = [field for at, field in enumerate(descriptor.fields) if at not in left_out and field.containing_oneof is None]
        chosen += [draw(st.sampled_from(list(oneof.fields))) for oneof in descriptor.oneofs]
        return chosen

    def _set(self, draw: Callable[[st.SearchStrategy[Any]], Any], message: Message, field: FieldDescriptor, depth: int) -> None:
        if field.cpp_type == _Type.CPPTYPE_MESSAGE:
            if depth >= DEPTH_MAX:
                return
            one = self.message(field.message_type, depth + 1)
            if field.is_repeated:
                getattr(message, field.name).extend(draw(st.lists(one, max_size=2)))
            else:
                getattr(message, field.name).CopyFrom(draw(one))
        elif field.is_repeated:
            count = draw(st.sampled_from((0, 1, 2, 2, 2, MANY)))
            value = draw(self._value(field))
            getattr(message, field.name).extend([*([value] * (count - 1)), draw(self._value(field))] if count else [])
        else:
            setattr(message, field.name, draw(self._value(field)))

    def _value(self, field: FieldDescriptor) -> st.SearchStrategy[Any]:
        made = self._fields.get(field.full_name)
        if made is None:
            made = self._fields[field.full_name] = self._values(field)
        return made

    def _values(self, field: FieldDescriptor) -> st.SearchStrategy[Any]:
        match field.cpp_type:
            case _Type.CPPTYPE_DOUBLE | _Type.CPPTYPE_FLOAT:
                return st.sampled_from(EDGE_FLOATS) | st.floats(0.0, 100.0)
            case _Type.CPPTYPE_BOOL:
                return st.booleans()
            case _Type.CPPTYPE_ENUM:
                known = [value.number for value in field.enum_type.values]
                return st.sampled_from([*known, *known, -1, 99, INT32_MAX])
            case _Type.CPPTYPE_STRING if field.type == _Type.TYPE_BYTES:
                return st.binary(max_size=40)
            case _Type.CPPTYPE_STRING:
                known_texts = self._names.get(field.name, ("a", "t1"))
                return st.one_of(*[st.sampled_from(known_texts)] * 4, st.sampled_from(EDGE_TEXTS), st.text(max_size=20))
            case _:
                low, high = _WHOLE[field.cpp_type]
                edges = [0, 1, 1, 2, 7, low, high, low + 1, high - 1, 2**31 - 1, 2**30]
                return st.sampled_from(edges) | st.integers(low, high)
