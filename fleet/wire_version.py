"""
Which versions of the wire are spoken: the present one, and the one before, so that trucks and server need not change on the same day.

A truck says its version in the hello, and the server's welcome says which one counts: the lower of the two. What is new in a version is
optional for a peer of the one before.

1  everything but what is named below
2  the welcome names the server's software; words that a gateway relays carry codes, where trucks have keys
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from fleet.errors import FleetError

CURRENT: Final = 2
SERVED: Final = (CURRENT - 1, CURRENT)
# Whoever names no version is older than the custom of naming it.
UNNAMED: Final = 1


@dataclass(eq=False)
class WireVersionUnsupported(FleetError):
    """The peer speaks a version of the wire that is not served here."""

    hint: ClassVar[str] = "Bring the older side to one of the versions served; each version is served beside the one after it."

    wire_version: int
    served: str


def agreed(theirs: int) -> int:
    """
    The version that counts with a peer whose newest is *theirs*; 0 for one that names none.

    Raises:
        WireVersionUnsupported: it is none of those served.
    """
    version = theirs or UNNAMED
    if version not in SERVED:
        raise WireVersionUnsupported(wire_version=theirs, served=", ".join(map(str, SERVED)))
    return version
