"""
Hypothesis draws faults and whole scenarios, and shrinks what fails to the least that still does.

    @SEARCH
    @given(day=scenarios("mandula", trucks=(2, 5), faults=3))
    def test_nobody_touches_anybody(fleet_sim, day):
        fleet_sim(**day)

Shrinking goes where a person would look first: fewer faults, fewer trucks, earlier and rounder moments, the first truck, gate or
lane, and every shape, value and span as usual. Two faults that need each other stay two.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from fleet.site import load_site
from planner.corridor import Corridor, StandKind
from sim_harness.faults.kind import Span, Target
from sim_harness.faults.kinds import KINDS
from sim_harness.faults.spec import FaultSpec
from sim_harness.scenario import load_scenario, truck_id

try:
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis import strategies as st
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("sim_harness.strategies needs hypothesis: pip install hypothesis", name="hypothesis") from missing

# How to search with runs that take seconds each: few examples, no deadline, and no hundred runs more of each failure only to
# say which of its parts do not matter. Varied as `@settings(SEARCH, max_examples=100)`.
SEARCH: Final = settings(
    deadline=None,
    max_examples=20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
# Between the limits of a kind's number so many steps are tried.
STEPS: Final = 20
# Whom a fault hits and where, as numbers that every kind takes the remainder of: a kind changes and the rest need not.
AIMS: Final = 2520
THOUSANDTHS: Final = 1000
STRETCH_MAX_M: Final = 200
SHAPES_MAX: Final = max(len(kind.shapes) for kind in KINDS.values())
SEEDS_MAX: Final = 10_000
LOSS_MAX_PERCENT: Final = 50

Drawn = st.SearchStrategy[dict[str, Any]]


@cache
def _corridor(site: str) -> Corridor:
    return load_site(site)


@cache
def _site_of(scenario: str) -> str:
    return load_scenario(scenario).site


def _within(span: Span, step: int) -> float | None:
    """The number of *span* at *step*; the first is the usual, which need not be said."""
    return None if step == 0 else round(span.low + (step - 1) * (span.high - span.low) / STEPS, 2)


def _aim(corridor: Corridor, target: Target, trucks: int, at: tuple[int, int, int]) -> dict[str, Any]:
    """Whom a fault of *target* hits, by three numbers: which one, how far along in thousandths, how many metres."""
    which, along, long_m = at
    match target:
        case Target.TRUCK:
            return {"truck": truck_id(which % trucks + 1)}
        case Target.STRETCH:
            # Long lanes first: trucks are met there.
            lanes = sorted((lane for lane in corridor.lanes if lane.length_m >= 1.0), key=lambda lane: -lane.length_m)
            lane = lanes[which % len(lanes)]
            from_m = int(lane.length_m - 1.0) * along // THOUSANDTHS
            return {"lane": lane.lane_id, "from_m": float(from_m), "to_m": float(min(from_m + long_m, int(lane.length_m)))}
        case Target.GATE:
            return {"gate": corridor.gates[which % len(corridor.gates)].gate_id}
        case Target.BAY:
            bays = [stand.stand_id for stand in corridor.stands if stand.kind is StandKind.BAY]
            return {"bay": bays[which % len(bays)]}
        case Target.SERVER:
            return {}


def fault_specs(site: str = "mandula", *, trucks: int = 5, hours: float = 0.2, kinds: Sequence[str] = ()) -> st.SearchStrategy[FaultSpec]:
    """
    Faults at *site* with *trucks* trucks that begin within *hours*; of *kinds*, or of all that the site has something for.

    Raises:
        KeyError: there is no such kind.
    """
    for name in kinds:
        KINDS[name]

    def stated(name: str, tenths: int, steps: tuple[int, int, int], at: tuple[int, int, int]) -> FaultSpec:
        kind = KINDS[name]
        shape, value, lasts = steps
        return FaultSpec(
            fault=name,
            at_s=tenths / 10.0,
            for_s=_within(kind.lasts_s, lasts),
            shape=kind.shapes[(shape - 1) % len(kind.shapes)] if shape and kind.shapes else None,
            value=None if kind.value is None else _within(kind.value, value),
            **_aim(_corridor(site), kind.target, trucks, at),
        )

    def at_site() -> st.SearchStrategy[FaultSpec]:
        gated = bool(_corridor(site).gates)
        return st.builds(
            stated,
            st.sampled_from([name for name in kinds or KINDS if gated or KINDS[name].target is not Target.GATE]),
            st.integers(0, int(hours * 36_000.0)),
            st.tuples(st.integers(0, SHAPES_MAX), st.integers(0, STEPS + 1), st.integers(0, STEPS + 1)),
            st.tuples(st.integers(0, AIMS - 1), st.integers(0, THOUSANDTHS), st.integers(1, STRETCH_MAX_M)),
        )

    return st.deferred(at_site)


def _truck_number(fault: FaultSpec) -> int:
    return 0 if fault.truck is None else int(fault.truck.lstrip("t"))


def scenarios(
    scenario: str = "mandula",
    *,
    trucks: tuple[int, int] = (1, 5),
    hours: float = 0.2,
    faults: int = 3,
    kinds: Sequence[str] = (),
    radio: bool = False,
) -> Drawn:
    """
    What `fleet_sim` takes: *scenario* (a name or a file) for *hours* with up to *faults* faults, a seed, and so many *trucks*.

    With *radio* the link of all trucks is drawn too: its delay, its jitter, and how much of it is lost.
    """
    least, most = trucks

    @st.composite
    def day(draw: st.DrawFn) -> dict[str, Any]:
        found = draw(st.lists(fault_specs(_site_of(scenario), trucks=most, hours=hours, kinds=kinds), max_size=faults))
        # As many trucks as the faults name: so both shrink by themselves.
        count = max([draw(st.integers(least, most)), *map(_truck_number, found)])
        drawn = {"scenario": scenario, "hours": hours, "trucks": count, "seed": draw(st.integers(1, SEEDS_MAX))}
        drawn["faults"] = [fault.stated() for fault in sorted(found, key=lambda fault: (fault.at_s, fault.fault, fault.aimed_at))]
        if radio:
            delay, jitter, loss = draw(st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(0, LOSS_MAX_PERCENT)))
            drawn["settings"] = [f"link.delay_ticks={delay}", f"link.jitter_ticks={jitter}", f"link.loss={loss / 100.0}"]
        return drawn

    return day()
