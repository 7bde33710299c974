"""
What one run of a campaign came to, and in which way it failed.

A run fails when its verdict does, or when the code under test raises. The ways to fail are ordered, the worst first: what a
failure is called, and what must stay the same while it is made smaller, is the worst that happened in it.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from sim_harness.observation import TICK_S
from sim_harness.report import Report

HOUSE: Final = Path(__file__).resolve().parents[2]


class Part(BaseModel):
    """What is published of a campaign."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Failing(StrEnum):
    """A way to fail, the worst first."""

    OVERLAP = "overlap"
    OVERRUN = "overrun"
    SHARED = "shared ground"
    BARRIER = "barrier driven through"
    MARGIN = "negative margin"
    STOPPED = "server stopped itself"
    CRASH = "crash"
    DIED = "process died"
    STRANDED = "end in a no-stop stretch"
    BOOKS = "server's books false"
    CONTAINMENT = "not contained"
    CONTACT = "contact rules broken"
    WORDS = "words not heeded"
    MISSED = "safe state missed"
    STANDSTILL = "no progress"
    UNEXPLAINED = "unexplained wait"
    UNMET = "expectation not met"
    REFUSED = "truck or order refused"


class Crash(Part):
    """An exception that nobody foresaw."""

    error: str = Field(description="Its class.")
    place: str = Field(description="Where it was raised: file and function.")
    said: str
    trace: str


class Outcome(Part):
    """One run in figures; they are those of `report.json`, and zero or null where the run did not get that far."""

    trace_hash: str | None = None
    sim_seconds: float = 0.0
    truck_km: float = 0.0
    overlaps: int = 0
    overruns: int = 0
    undeclared_overruns: int = 0
    shared_grounds: int = 0
    barriers_driven_through: int = 0
    stranding_ends: int = 0
    standstills: int = 0
    standstill_since_s: float | None = None
    longest_wait_s: float = 0.0
    contact_breaches: int = 0
    word_breaches: int = 0
    false_books: int = 0
    containment_breaches: int = 0
    unexplained_wait_s: float = 0.0
    authority_margin_m_min: float | None = None
    undeclared_margin_m_min: float | None = None
    ttc_s_min: float | None = None
    headway_s_min: float | None = None
    drac_mps2_max: float = 0.0
    emergency_brakes: int = 0
    faults: tuple[Mapping[str, Any], ...] = Field(default=(), description="What came of each fault; see the report's schema.")
    failing: tuple[Failing, ...] = Field(default=(), description="The ways in which it failed, the worst first; empty when all was well.")
    said: tuple[str, ...] = Field(default=(), description="Why it failed, one sentence each.")
    crash: Crash | None = None

    @property
    def signature(self) -> str:
        """How it failed, in a word; "" when it did not. Two crashes are alike when they were raised in the same place."""
        if not self.failing:
            return ""
        worst = self.failing[0]
        return f"{worst}: {self.crash.error} in {self.crash.place}" if worst is Failing.CRASH and self.crash is not None else worst.value


# Figures that a report and an outcome share.
SHARED: Final = tuple(name for name in Outcome.model_fields if name in Report.model_fields)


def of_report(report: Report, hours: float) -> Outcome:
    """What a finished run of *hours* came to."""
    failing = ways(report, hours) if report.verdict == "fail" else ()
    return Outcome(failing=failing, said=report.failures, **{name: getattr(report, name) for name in SHARED})


def ways(report: Report, hours: float) -> tuple[Failing, ...]:
    """In which ways a run whose verdict is fail did so."""
    margin_m = report.authority_margin_m_min
    happened = {
        Failing.OVERLAP: report.overlaps > 0,
        Failing.OVERRUN: report.overruns > report.undeclared_overruns,
        Failing.SHARED: report.shared_grounds > 0,
        Failing.BARRIER: report.barriers_driven_through > 0,
        Failing.MARGIN: margin_m is not None and margin_m < 0.0,
        # The judge objected, or the loop refused its input: the rest of the day did not take place.
        Failing.STOPPED: report.standstill_since_s is None and report.sim_seconds < hours * 3600.0 - TICK_S,
        Failing.STRANDED: report.stranding_ends > 0,
        Failing.BOOKS: report.false_books > 0,
        Failing.CONTAINMENT: report.containment_breaches > 0,
        Failing.CONTACT: report.contact_breaches > 0,
        Failing.WORDS: report.word_breaches > 0,
        Failing.MISSED: any(fault["reached"] is False for fault in report.faults),
        Failing.STANDSTILL: report.standstills > 0,
        Failing.UNEXPLAINED: report.unexplained_wait_s > 0.0,
        Failing.UNMET: any(not expected.met for expected in report.expected),
    }
    return tuple(way for way in Failing if happened.get(way)) or (Failing.REFUSED,)


def of_exception(error: Exception) -> Outcome:
    """What a run came to that ended in *error*."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if HOUSE in Path(frame.filename).parents] or frames
    last = ours[-1]
    path = Path(last.filename)
    place = f"{path.relative_to(HOUSE) if HOUSE in path.parents else path.name}:{last.name}"
    crash = Crash(error=type(error).__name__, place=place, said=str(error), trace="".join(traceback.format_exception(error)))
    return Outcome(failing=(Failing.CRASH,), said=(f"{crash.error} in {place}: {crash.said}",), crash=crash)


def of_death(how: str) -> Outcome:
    """What a run came to whose process is no more."""
    return Outcome(failing=(Failing.DIED,), said=(how,))
