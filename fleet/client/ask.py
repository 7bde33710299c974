"""One request to the server as a value, and how its parts are written and read."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from fleet.client.values import value_of

_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Ask(Generic[_V]):
    """One request to one method; *read* turns the answer (or each answer of a stream) into a value."""

    service: str
    method: str
    request: Message
    read: Callable[[Any], _V]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[_V]):
    """One page of a list; an empty *next_page_token* ends it."""

    rows: tuple[_V, ...]
    next_page_token: str


def fresh() -> str:
    """A request id that nobody else has."""
    return str(uuid.uuid4())


def to_value(kind: type[_V]) -> Callable[[Any], _V]:
    """Reads an answer that is one value."""
    return lambda message: value_of(kind, message)


def to_page(kind: type[_V], rows: str) -> Callable[[Any], Page[_V]]:
    """Reads an answer that has a page of them in its field *rows*."""

    def read(message: Any) -> Page[_V]:
        found = tuple(value_of(kind, row) for row in getattr(message, rows))
        return Page(rows=found, next_page_token=getattr(message, "next_page_token", ""))

    return read


def to_stamp(when: datetime | None) -> Timestamp | None:
    """A time as the wire has it."""
    if when is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(when.astimezone(UTC))
    return stamp
