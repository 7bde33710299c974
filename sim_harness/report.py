"""
`report.json`: one run in figures, with a verdict.

The fields are a contract: others read them, so they only ever grow. Their meaning stands in the field descriptions and is
published as a JSON Schema (`fleet schema report`). A figure that could not be measured is null, never nan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from planner.bound import Bound
from sim_harness.checkers import CheckFigures
from sim_harness.observation import Roster, Totals

SECONDS_PER_HOUR: Final = 3600.0
SECONDS_PER_DAY: Final = 86_400.0
# Figures are published to a tenth of a millimetre or millisecond at best; more digits would be noise.
DIGITS: Final = 4
# What a report says as the run counted it.
COUNTED: Final = (
    "containers_due",
    "containers_late",
    "shared_grounds",
    "barriers_driven_through",
    "stranding_ends",
    "standstills",
    "contact_breaches",
    "word_breaches",
    "false_books",
    "containment_breaches",
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Percentiles(_Part):
    """Median and 95th percentile, seconds; null where nothing happened."""

    p50: float | None
    p95: float | None


class ReportTruck(_Part):
    """One truck that took part."""

    truck_id: str
    type: str
    length_m: float
    width_m: float


class Bottleneck(_Part):
    """What binds the corridor."""

    name: str = Field(description="The resource with the greatest price in the bound: bays, gates, a lane, or `fleet`.")
    capacity_per_h: float = Field(description="Round trips an hour that it allows.")
    utilisation: float = Field(description="Round trips achieved per hour of the run, divided by capacity_per_h.")


class Expected(_Part):
    """One figure that the scenario expected something of."""

    figure: str = Field(description="A field of the report, nested as `round_trip_s.p50`, or one counted from its faults.")
    condition: int | float | str | None = Field(description="As the scenario states it.")
    value: int | float | str | None = Field(description="What it was; null where it could not be measured.")
    met: bool


class Instant(_Part):
    """The moment of a run to look at first: where the first wrong began, else where it came nearest to one."""

    time_s: float
    what: Literal["overlap", "overrun", "fault", "margin"]
    truck_ids: tuple[str, ...] = Field(description="The trucks concerned; empty for a fault of the roadside or the server.")
    sentence: str


class Report(_Part):
    """One simulated run in figures. Seconds are simulated unless the name says wall."""

    scenario: str
    seed: int
    replay: str = Field(default="", description="The command that repeats this run exactly, from the folder it ran in; empty when unknown.")
    trace_hash: str = Field(description="Digest of true motion and decisions: equal for equal commit, scenario, seed and settings.")
    sim_seconds: float
    wall_seconds: float
    trucks: tuple[ReportTruck, ...]
    truck_km: float
    round_trips: int = Field(description="Trucks that unloaded and re-entered the loading yard.")
    tonnes: float = Field(description="Coal and boxes unloaded, in tonnes.")
    tonnes_per_day: float = Field(
        description="tonnes, scaled from the open hours of the run to those of a day; after a standstill for good, what was made."
    )
    containers_due: int = Field(default=0, description="Containers of orders whose due time came within the run.")
    containers_late: int = Field(
        default=0, description="Of those, the ones that were not there by then; orders are served oldest first, and counted so."
    )
    weather: tuple[Mapping[str, Any], ...] = Field(default=(), description="Spells of weather as the scenario states them; none is fair.")
    round_trip_s: Percentiles = Field(description="From one entry of the loading yard to the next.")
    gate_wait_s: Percentiles = Field(
        description="Seconds a truck stood for a gate, at its stop line or in the queue before it, until the gate was proven open for it."
    )
    waiting_s_by_cause: Mapping[str, float] = Field(description="Standing seconds (below 0.05 m/s) of all trucks, by named cause.")
    unexplained_wait_s: float = Field(description="Standing seconds without a named cause.")
    overlaps: int = Field(description="Episodes in which the true bodies of two trucks intersect.")
    overruns: int = Field(description="Episodes of a true nose beyond the end of authority held onboard.")
    undeclared_overruns: int = Field(
        default=0, description="Of them: of trucks whose brakes, grip, place or speed were worse than declared. Those fail no run."
    )
    shared_grounds: int = Field(
        default=0, description="Episodes in which two trucks held the same ground: true tail to end held onboard, and zones under it."
    )
    barriers_driven_through: int = Field(
        default=0, description="Times a truck passed a barrier that was not up for it, and could have stopped."
    )
    stranding_ends: int = Field(default=0, description="Ends of authority that moved on to where a truck may not be left standing.")
    standstills: int = Field(
        default=0,
        description="Times trucks made no progress: waited for each other, were passed over for good, or drove about in vain.",
    )
    standstill_since_s: float | None = Field(
        default=None,
        description="Since when nobody moved any more, because trucks kept one another for good: that ended the run. null where it did not.",
    )
    longest_wait_s: float = Field(
        default=0.0, description="The longest that one truck stood in one place for what other trucks had: road, a zone, a gate, a stand."
    )
    contact_breaches: int = Field(
        default=0,
        description="Times a truck drove on without contact, or moved off before it was greeted anew and given road; with faults.",
    )
    word_breaches: int = Field(
        default=0,
        description="Times a truck took an old word or one of another term, or went on in spite of a stop; with faults.",
    )
    false_books: int = Field(
        default=0,
        description="Trucks that held more road than the server knew of, or whose confirmed rear lay ahead of their true tail; with faults.",
    )
    containment_breaches: int = Field(
        default=0,
        description="Times a truck could not stop before its end from where it may have been, or rolled back further than it may; with faults.",
    )
    authority_margin_m_min: float | None = Field(
        description="Least of end - true nose - worst-case stopping distance, of trucks about which all is as declared."
    )
    authority_margin_m_by_minute: tuple[float | None, ...] = Field(
        default=(), description="The least of each simulated minute; null where nobody held an end."
    )
    undeclared_margin_m_min: float | None = Field(
        default=None, description="The same of trucks whose brakes, grip, place or speed are worse than declared; may be negative."
    )
    ttc_s_min: float | None = Field(description="Least time to collision with the truck ahead; null if none ever closed in.")
    headway_s_min: float | None = Field(description="Least time, nose to nose, behind the truck ahead at 1 m/s or more.")
    drac_mps2_max: float = Field(description="Greatest steady deceleration any follower needed to avoid the truck ahead.")
    rss_margin_m_min: float | None = Field(
        description="Least gap to the truck ahead beyond the one RSS calls safe; a figure, nothing is spaced by it. Null if none followed."
    )
    emergency_brakes: int
    emergency_brakes_per_1000_km: float | None = Field(description="emergency_brakes over truck_km, times 1000; null at rest.")
    energy_kwh_per_tonne: float | None = Field(description="Traction energy of all trucks over tonnes; null before the first.")
    bottleneck: Bottleneck | None
    bound_round_trips: float | None = Field(description="At most so many round trips, by a flow bound; see planner.bound.")
    faults: tuple[Mapping[str, Any], ...] = Field(
        description="Faults that happened: what, at whom and when; what was noticed; which safe state it called for, and when that was reached."
    )
    worst: Instant | None = Field(default=None, description="Null where nothing was measured.")
    expected: tuple[Expected, ...] = Field(default=(), description="What the scenario's `expect` asked of the figures.")
    verdict: Literal["pass", "fail"]
    failures: tuple[str, ...] = Field(description="Why the verdict is fail, one sentence each.")

    def text(self) -> str:
        """The file's content."""
        return self.model_dump_json(indent=2) + "\n"


def report_schema() -> dict[str, Any]:
    """The published JSON Schema."""
    schema = Report.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:khulan:report", **schema}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), DIGITS)


def _exact(value: float) -> float:
    assert np.isfinite(value), "totals are finite"
    return round(float(value), DIGITS)


def _percentiles(values: Sequence[float]) -> Percentiles:
    if not len(values):
        return Percentiles(p50=None, p95=None)
    p50, p95 = np.percentile(np.asarray(values, dtype=np.float64), [50.0, 95.0])
    return Percentiles(p50=_rounded(p50), p95=_rounded(p95))


def failures_of(totals: Totals, checks: CheckFigures) -> tuple[str, ...]:
    """What makes the verdict fail, the scenario's own reasons last."""
    found: list[str] = []
    if checks.overlaps:
        first = checks.overlaps[0]
        found.append(
            f"{len(checks.overlaps)} overlaps; the first at {first.time_s:.1f} s: {first.truck_id} and {first.other_truck_id} "
            f"on {first.lane_id} at {first.chainage_m:.1f} m"
        )
    overruns = [past for past in checks.overruns if not past.undeclared]
    if overruns:
        past = overruns[0]
        found.append(
            f"{len(overruns)} overruns; the first at {past.time_s:.1f} s: {past.truck_id} on {past.lane_id} "
            f"at {past.chainage_m:.1f} m, {past.beyond_m:.2f} m beyond its end"
        )
    margin_m = checks.authority_margin_m_min
    if margin_m is not None and margin_m < 0.0 and not overruns:
        found.append(
            f"the authority margin of {checks.authority_margin_truck_id} was {margin_m:.2f} m at {checks.authority_margin_time_s:.1f} s"
        )
    if totals.unexplained_wait_s > 0.0:
        found.append(f"trucks stood {totals.unexplained_wait_s:.1f} s without a named cause")
    return (*found, *totals.failures)


def worst_of(roster: Roster, totals: Totals, checks: CheckFigures) -> Instant | None:
    """The moment to look at first: the first overlap, else overrun, else fault that did not lead to its safe state, else least margin."""
    if checks.overlaps:
        met = checks.overlaps[0]
        pair = (met.truck_id, met.other_truck_id)
        return Instant(time_s=_exact(met.time_s), what="overlap", truck_ids=pair, sentence=f"{pair[0]} and {pair[1]} touch")
    if checks.overruns:
        past = checks.overruns[0]
        sentence = f"{past.truck_id} passes the end of its authority"
        return Instant(time_s=_exact(past.time_s), what="overrun", truck_ids=(past.truck_id,), sentence=sentence)
    for fault in totals.faults:
        if fault.get("reached") is False:
            called_s = fault.get("needed_s") if fault.get("needed_s") is not None else fault.get("at_s")
            assert isinstance(called_s, float | int)
            target = str(fault.get("target", ""))
            trucks = (target,) if target in roster.truck_ids else ()
            sentence = f"{fault.get('fault')} of {target} calls for a safe state that is not reached"
            return Instant(time_s=_exact(called_s), what="fault", truck_ids=trucks, sentence=sentence)
    margin_m, truck_id, time_s = checks.authority_margin_m_min, checks.authority_margin_truck_id, checks.authority_margin_time_s
    if margin_m is None or truck_id is None or time_s is None:
        return None
    sentence = f"{truck_id} could stop {margin_m:.2f} m before the end of its authority, the least of the run"
    return Instant(time_s=_exact(time_s), what="margin", truck_ids=(truck_id,), sentence=sentence)


def open_seconds(roster: Roster, start_s: float, duration_s: float) -> float:
    """Seconds of [start_s, start_s + duration_s) after local midnight in which the border is open; no window is always open."""
    windows = roster.corridor.windows
    if not windows:
        return duration_s
    end_s = start_s + duration_s
    whole = 0.0
    for day in range(-1, int(end_s // SECONDS_PER_DAY) + 1):
        for window in windows:
            low = max(start_s, day * SECONDS_PER_DAY + window.open_s)
            high = min(end_s, day * SECONDS_PER_DAY + window.close_s)
            whole += max(0.0, high - low)
    return whole


def opening_s(roster: Roster) -> float:
    """Seconds after local midnight at which time 0 of a run lies: opening, or 06:00 where the border never closes."""
    windows = roster.corridor.windows
    always = not windows or any(window.close_s - window.open_s >= SECONDS_PER_DAY for window in windows)
    return 21_600.0 if always else float(min(window.open_s for window in windows))


def tonnes_per_day(roster: Roster, totals: Totals) -> float:
    """Tonnes, scaled from the run's open hours to a day's; after a standstill for good no more is made that day."""
    if totals.standstill_since_s is not None:
        return totals.tonnes
    start_s = opening_s(roster)
    ran_s = open_seconds(roster, start_s, totals.sim_seconds)
    return totals.tonnes * open_seconds(roster, start_s, SECONDS_PER_DAY) / ran_s if ran_s > 0.0 else 0.0


def build_report(roster: Roster, totals: Totals, checks: CheckFigures, bound: Bound | None) -> Report:
    """One run's report; *bound* is None where the corridor has no round trip to bound."""
    failures = failures_of(totals, checks)
    per_hour = totals.round_trips * SECONDS_PER_HOUR / totals.sim_seconds if totals.sim_seconds > 0.0 else 0.0
    return Report(
        scenario=totals.scenario,
        seed=totals.seed,
        trace_hash=totals.trace_hash,
        sim_seconds=_exact(totals.sim_seconds),
        wall_seconds=_exact(totals.wall_seconds),
        trucks=tuple(
            ReportTruck(truck_id=truck_id, type=kind.truck_type_id, length_m=kind.length_m, width_m=kind.width_m)
            for truck_id, kind in zip(roster.truck_ids, roster.truck_types, strict=True)
        ),
        truck_km=_exact(totals.truck_km),
        round_trips=totals.round_trips,
        tonnes=_exact(totals.tonnes),
        tonnes_per_day=_exact(tonnes_per_day(roster, totals)),
        weather=tuple(dict(spell) for spell in totals.weather),
        round_trip_s=_percentiles(totals.round_trip_s),
        gate_wait_s=_percentiles(totals.gate_wait_s),
        waiting_s_by_cause={cause: _exact(seconds) for cause, seconds in sorted(totals.waiting_s_by_cause.items())},
        unexplained_wait_s=_exact(totals.unexplained_wait_s),
        overlaps=len(checks.overlaps),
        overruns=len(checks.overruns),
        undeclared_overruns=sum(past.undeclared for past in checks.overruns),
        standstill_since_s=_rounded(totals.standstill_since_s),
        longest_wait_s=_exact(totals.longest_wait_s),
        authority_margin_m_min=_rounded(checks.authority_margin_m_min),
        authority_margin_m_by_minute=tuple(map(_rounded, checks.authority_margin_m_by_minute)),
        undeclared_margin_m_min=_rounded(checks.undeclared_margin_m_min),
        ttc_s_min=_rounded(checks.ttc_s_min),
        headway_s_min=_rounded(checks.headway_s_min),
        drac_mps2_max=_exact(checks.drac_mps2_max),
        rss_margin_m_min=_rounded(checks.rss_margin_m_min),
        emergency_brakes=totals.emergency_brakes,
        emergency_brakes_per_1000_km=_exact(1000.0 * totals.emergency_brakes / totals.truck_km) if totals.truck_km > 0.0 else None,
        energy_kwh_per_tonne=_exact(totals.energy_wh / 1000.0 / totals.tonnes) if totals.tonnes > 0.0 else None,
        bottleneck=None
        if bound is None
        else Bottleneck(name=bound.name, capacity_per_h=_exact(bound.capacity_per_h), utilisation=_exact(per_hour / bound.capacity_per_h)),
        bound_round_trips=None if bound is None else _exact(bound.round_trips),
        **{name: getattr(totals, name) for name in COUNTED},
        faults=tuple(dict(fault) for fault in totals.faults),
        worst=worst_of(roster, totals, checks),
        verdict="fail" if failures else "pass",
        failures=failures,
    )
