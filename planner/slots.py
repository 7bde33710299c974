"""
Booked windows at gates and bays: when a server that takes one truck at a time will be free, and who still fits before closing.

Everything is a forecast from counts and mean service times; the order of service is decided elsewhere, the forecast only
says whether it is worth leaving now. Times are seconds from now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A booked window: *server* is busy with *taker* over [start_s, end_s)."""

    server: int
    taker: int
    start_s: float
    end_s: float


def book(arrivals_s: Sequence[float], free_s: Sequence[float], service_s: float) -> list[Slot]:
    """
    Windows for takers in the order of *arrivals_s*, each at the server that is free first; *free_s* is when each becomes free.

    Takers keep their order: nobody overtakes in a queue on a lane. Of servers free at once the lowest is taken.
    """
    if not free_s:
        return []
    servers = [(at_s, ix) for ix, at_s in enumerate(free_s)]
    heapify(servers)
    slots: list[Slot] = []
    for taker, arrival_s in enumerate(arrivals_s):
        at_s, server = servers[0]
        start_s = max(at_s, arrival_s)
        slots.append(Slot(server=server, taker=taker, start_s=start_s, end_s=start_s + service_s))
        heapreplace(servers, (start_s + service_s, server))
    return slots


def queue_wait_s(ahead_count: int, server_count: int, service_s: float) -> float:
    """Seconds until a newcomer's own service begins, behind *ahead_count* others at equal servers."""
    if server_count <= 0:
        return float("inf")
    return (ahead_count // server_count) * service_s


def queue_room(lengths_m: Sequence[float], truck_length_m: float, gap_m: float) -> int:
    """Trucks that fit one behind another into stretches of these lengths; none reaches over a stretch's end."""
    return sum(int((length_m + gap_m) // (truck_length_m + gap_m)) for length_m in lengths_m)


def fits_before(travel_s: FloatArray, wait_s: FloatArray, left_s: float) -> NDArray[np.bool_]:
    """Who still gets through: (n,) travel and waits, *left_s* seconds until closing, the margin taken off."""
    return np.asarray(travel_s + wait_s <= left_s, np.bool_)
