"""
Every error raised on purpose descends from `FleetError`.

The class docstring is the message, the fields are the facts, and the code says what the peer should do about it. No control
flow reads a string. On the wire: the gRPC code comes from `Code`, the class name is the machine-readable reason, the fields are
its metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """What to do about an error."""

    INVALID = "invalid"  # fix the request
    PRECONDITION = "precondition"  # wait, then ask again
    STALE = "stale"  # refresh what you know and retry
    BUG = "bug"  # stop the trucks and wake a human


@dataclass(eq=False)
class FleetError(Exception):
    """Something went wrong that we foresaw."""

    code: ClassVar[Code] = Code.INVALID
    hint: ClassVar[str] = ""

    def facts(self) -> dict[str, str]:
        """The fields as text, for logs and for the wire's metadata."""
        return {entry.name: str(getattr(self, entry.name)) for entry in fields(self)}

    @property
    def reason(self) -> str:
        """Machine-readable: the class name."""
        return type(self).__name__

    def __str__(self) -> str:
        first_line = (type(self).__doc__ or self.reason).strip().splitlines()[0]
        facts = ", ".join(f"{name} {value}" for name, value in self.facts().items())
        sentence = f"{first_line} ({facts})" if facts else first_line
        return f"{sentence} {self.hint}".strip()


@dataclass(eq=False)
class NotFound(FleetError):
    """There is no such thing."""

    kind: str
    name: str


@dataclass(eq=False)
class AlreadyExists(FleetError):
    """The same request id came before with another body."""

    request_id: str

    hint: ClassVar[str] = "Use a new request_id for a new request."


@dataclass(eq=False)
class InvalidField(FleetError):
    """A field of the request cannot be used."""

    name: str
    problem: str
