"""What the server asks of the system for its own process."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

from fleet.server.limits import CONNECTIONS_MAX, FILES_SPARE

_M_ARENA_MAX: Final = -8  # of mallopt(3) in glibc
_ARENAS_MAX: Final = 2


def raise_file_limit() -> int:
    """Lets this process open the files it needs, sockets included, as far as the system allows; the answer is how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + FILES_SPARE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def keep_heap_small() -> None:
    """
    Lets all threads share two heaps, where the C library is glibc.

    It would give each of the transport's threads one of its own, and what one short flood fills in all of them it never gives back.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS_MAX)
