"""
What time it is for control, and what that means for people.

A real server counts Unix nanoseconds at its start and the monotonic clock from then on: times in the journal stay comparable over
restarts and reboots, and no step of the wall's clock reaches the loop. Simulated time starts at zero on a date of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


def simulated_utc_ns(corridor: Corridor, day_start_s: int) -> int:
    """Unix time of control time 0 in a run that begins *day_start_s* after local midnight: on the same date for every run."""
    offset_s = _offset_s(corridor, datetime.fromtimestamp(SIMULATED_DAY_UTC_S, UTC))
    return (SIMULATED_DAY_UTC_S + day_start_s - offset_s) * NS_PER_S


def _offset_s(corridor: Corridor, at: datetime) -> int:
    """By how much the site's local time is ahead of UTC."""
    local = at.astimezone(ZoneInfo(corridor.yards[0].timezone))
    return int((local.utcoffset() or timedelta()).total_seconds())


def engine_options(corridor: Corridor, settings: ServerSettings, clock: EpochClock, traces: Traces = NO_TRACES) -> EngineOptions:
    """
    What the clock of *settings* means for the desk: local midnight, and the Unix time of control time 0; and the trucks' keys.

    *traces* see each plan.

    Raises:
        KeysUnusable: the file of keys beside the journal cannot be used.
    """
    keys = read_keys(settings.data / KEYS_FILE)
    offset_s = _offset_s(corridor, clock.utc())
    loop = LoopOptions(policy=settings.policy)
    proven = settings.tls is not None
    if settings.lockstep:
        day_start_s = settings.day_start_s or 0
        return EngineOptions(
            loop=loop,
            dispatch=DispatchOptions(day_start_s=day_start_s, identities_proven=proven),
            utc_at_zero_ns=simulated_utc_ns(corridor, day_start_s),
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
