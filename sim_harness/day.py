"""One scenario, run and judged: where server, runner, record, checks and report meet."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from fleet.server.replay.input_log import RUN_FILE, InputLog
from sim_harness.checkers import Checkers
from sim_harness.day_bound import bound_of
from sim_harness.expectations import judged
from sim_harness.fault_service import FaultDesk
from sim_harness.faults.servers import IN_MEMORY
from sim_harness.in_memory import InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.replay_line import flow, with_settings
from sim_harness.report import Report, build_report, opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, ScenarioError
from sim_harness.weather import is_cold
from sim_harness.wire_runner import run_on_wire
from sim_harness.wire_server import serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    How to run: *out* is where files go, None for none; *wire* sends everything over real gRPC.

    *desk* takes faults while the run is under way, and *pace* bounds how many times real time it goes, so that somebody can.
    Without *pages* the recording alone is left in *out*: `write_report` adds the report when somebody wants it.
    """

    out: Path | None = None
    wire: bool = False
    desk: FaultDesk | None = None
    pace: float = math.inf
    pages: bool = True


def input_log(out: Path | None, scenario: Scenario) -> AbstractContextManager[InputLog | None]:
    """What the server's core hears and says, for `fleet sim replay`; None, and no cost, without a directory."""
    return nullcontext() if out is None else InputLog(out / RUN_FILE, scenario.corridor, scenario.site, scenario.site_digest)


def run_day(scenario: Scenario, wish: Wish, progress: Callable[[float], None]) -> Report:
    """
    Run *scenario* to its end and judge it; *progress* hears simulated seconds.

    Raises:
        ScenarioError: a run on the wire, whose server is a process of its own, cannot have these faults or this weather.
    """
    if wish.wire:
        _require_possible_on_wire(scenario, wish)
    day_start_s = int(opening_s(scenario.roster))
    replay = scenario.replay + (" --wire" if wish.wire else "")
    checkers = Checkers(scenario.roster)
    with Recorder(wish.out, scenario.roster) as recorder:
        if wish.wire and scenario.troubled:
            with serving(scenario, day_start_s, wish.out, recorder.show()) as process:
                totals = Runner(scenario, process, recorder, checkers).run(progress)
        elif wish.wire:
            totals = run_on_wire(scenario, day_start_s, (recorder, checkers), progress, wish.out, recorder.show())
        else:
            mortal = scenario.troubled or wish.desk is not None
            with input_log(wish.out, scenario) as ear:
                policy = scenario.spec.policy
                server = InMemoryServer(scenario.corridor, day_start_s, mortal=mortal, policy=policy, ear=ear, show=recorder.show())
                runner = Runner(scenario, server, recorder, checkers, wish.desk)
                runner.pace = wish.pace
                totals = runner.run(progress)
            if wish.desk is not None and runner.begun:
                # What was asked for on the way is no part of the scenario: the whole run is said as a schedule.
                replay = with_settings(replay, ["faults=off", f"scheduled_faults={flow([fault.stated() for fault in runner.begun])}"])
    report = build_report(scenario.roster, totals, checkers.figures(), bound_of(scenario, faults=totals.faults))
    report = judged(report.model_copy(update={"replay": replay}), scenario.spec.expect)
    if wish.out is not None and wish.pages:
        from sim_harness.report_files import write_report  # noqa: PLC0415 - drawing is slow to import and most runs draw nothing

        write_report(wish.out, report, scenario.roster)
    return report


def _require_possible_on_wire(scenario: Scenario, wish: Wish) -> None:
    """
    Refuse what a server in a process of its own cannot be told, or cannot suffer.

    Raises:
        ScenarioError: what it is.
    """

    def refused(problem: str, advice: str) -> ScenarioError:
        return ScenarioError(scenario.spec.scenario, 1, problem, advice)

    kinds = sorted({fault.fault for fault in scenario.spec.scheduled_faults} & IN_MEMORY)
    if kinds:
        raise refused(f"{', '.join(kinds)}: happens to a server in memory only", "leave out --wire, or these faults")
    if scenario.spec.faults == "on" or wish.desk is not None:
        raise refused("faults that nobody scheduled happen in virtual time only", "leave out --wire, or give them as scheduled_faults")
    if is_cold(scenario.spec.weather):
        raise refused("a server of its own does not know that its site is in the cold", "leave out --wire")


def summary(report: Report) -> str:
    """A run in a few lines for people."""
    trip = report.round_trip_s
    median = "none" if trip.p50 is None else f"{trip.p50 / 60.0:.1f} min"
    slowest = "none" if trip.p95 is None else f"{trip.p95 / 60.0:.1f} min"
    due = f"; {report.containers_late} of {report.containers_due} containers late" if report.containers_due else ""
    waits = sorted(report.waiting_s_by_cause.items(), key=lambda item: -item[1])
    lines = [
        f"{report.scenario}, seed {report.seed}: {report.sim_seconds / 3600.0:.2f} h simulated in {report.wall_seconds:.1f} s",
        f"  {report.round_trips} round trips, median {median}, p95 {slowest}; {report.tonnes:.0f} t; {report.truck_km:.0f} truck km{due}",
        f"  overlaps {report.overlaps}, overruns {report.overruns}, least authority margin {_metres(report.authority_margin_m_min)}",
        f"  emergency brakes {report.emergency_brakes}, unexplained waiting {report.unexplained_wait_s:.1f} s",
        "  waiting, truck hours: " + (", ".join(f"{cause} {seconds / 3600.0:.1f}" for cause, seconds in waits) or "none"),
    ]
    if report.bound_round_trips is not None and report.bottleneck is not None:
        lines.append(f"  bound {report.bound_round_trips:.0f} round trips; {report.bottleneck.name} binds")
    lines += [f"  {failure}" for failure in report.failures]
    lines.append(f"verdict: {report.verdict}   trace {report.trace_hash}")
    return "\n".join(lines)


def _metres(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} m"
