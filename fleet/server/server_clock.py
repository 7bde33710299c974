"""
What time it is for control, and what that means for people.

A real server counts Unix nanoseconds at its start and the monotonic clock from then on: times in the journal stay comparable over
restarts and reboots, and no step of the wall's clock reaches the loop. Simulated time starts at zero on a date of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from fleet.clock import NS_PER_S, SystemClock
from fleet.keys import KEYS_FILE, read_keys
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.engine import EngineOptions
from fleet.server.loop.control_loop import LoopOptions
from fleet.server.planning_thread import PlanningThread
from fleet.server.settings import ServerSettings
from fleet.server.traces import NO_TRACES, Traces
from planner.corridor import Corridor

DAY_S: Final = 86_400
# The same for every simulated run, so that runs can be compared byte by byte.
SIMULATED_DAY_UTC_S: Final = 1_767_225_600


class EpochClock:
    """Control time of a real server."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._offset_ns = int(self._system.utc().timestamp() * NS_PER_S) - self._system.now_ns()

    def now_ns(self) -> int:
        """Nanoseconds that never fall while the process lives."""
        return self._system.now_ns() + self._offset_ns

    def utc(self) -> datetime:
        """The wall's time."""
        return self._system.utc()


def engine_options(corridor: Corridor, settings: ServerSettings, clock: EpochClock, traces: Traces = NO_TRACES) -> EngineOptions:
    """
    What the clock of *settings* means for the desk: local midnight, and the Unix time of control time 0; and the trucks' keys.

    *traces* see each plan.

    Raises:
        KeysUnusable: the file of keys beside the journal cannot be used.
    """
    keys = read_keys(settings.data / KEYS_FILE)
    local = clock.utc().astimezone(ZoneInfo(corridor.yards[0].timezone))
    offset_s = int((local.utcoffset() or timedelta()).total_seconds())
    loop = LoopOptions(policy=settings.policy)
    proven = settings.tls is not None
    if settings.lockstep:
        day_start_s = settings.day_start_s or 0
        utc_at_zero_ns = (SIMULATED_DAY_UTC_S + day_start_s - offset_s) * NS_PER_S
        return EngineOptions(
            loop=loop,
            dispatch=DispatchOptions(day_start_s=day_start_s, identities_proven=proven),
            utc_at_zero_ns=utc_at_zero_ns,
            ordered=True,
            keys=keys,
        )
    planning = partial(PlanningThread, traces=traces)
    if settings.day_start_s is None:
        return EngineOptions(
            loop=loop, dispatch=DispatchOptions(day_start_s=offset_s, identities_proven=proven), planning=planning, keys=keys
        )
    day_start_s = (settings.day_start_s - clock.now_ns() // NS_PER_S) % DAY_S
    return EngineOptions(
        loop=loop, dispatch=DispatchOptions(day_start_s=day_start_s, identities_proven=proven), planning=planning, keys=keys
    )
