"""
`report.html`: one self-contained page a run, nothing loaded from anywhere.

Long runs draw one window of the stringline: a day of a hundred trucks as lines is a wall, two hours of it are readable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from sim_harness.figures import Scene, clock_text, corridor_picture, save, stringline, svg, throughput
from sim_harness.observation import Roster
from sim_harness.recording import EVENTS
from sim_harness.report import Percentiles, Report, opening_s
from sim_harness.stringline import AxisTable, read_motion

WINDOW_MAX_S: Final = 3.0 * 3600.0
WINDOW_S: Final = 2.0 * 3600.0
ROUND_TRIP_EVENT: Final = "round_trip_done"


def window_of(sim_seconds: float) -> tuple[float, float]:
    """The seconds to draw: all of a short run, else two hours once the fleet has spread out."""
    if sim_seconds <= WINDOW_MAX_S:
        return 0.0, sim_seconds
    start_s = min(2.0 * 3600.0, sim_seconds - WINDOW_S)
    return start_s, start_s + WINDOW_S


def scene_of(out_dir: Path, roster: Roster, window_s: tuple[float, float]) -> Scene:
    """What the pictures of the recording under *out_dir* are drawn from."""
    axis = AxisTable.of(roster.corridor)
    return Scene(
        corridor=roster.corridor,
        axis=axis,
        motion=read_motion(out_dir, roster.corridor, axis, window_s),
        window_s=window_s,
        start_s=opening_s(roster),
    )


def save_stringline(out_dir: Path, roster: Roster, window_s: tuple[float, float], path: Path) -> None:
    """Writes the stringline of a recording as the SVG or PNG *path*, for a README."""
    save(stringline(scene_of(out_dir, roster, window_s)), path)


def _done_s(out_dir: Path) -> list[float]:
    """When round trips were completed."""
    found: list[float] = []
    with (out_dir / EVENTS).open(encoding="utf-8") as lines:
        for line in lines:
            if ROUND_TRIP_EVENT in line:
                event = json.loads(line)
                if event["event"] == ROUND_TRIP_EVENT:
                    found.append(float(event["time_s"]))
    return found


def _card(value: str, label: str, tone: str = "") -> str:
    return f'<div class="card {tone}"><b>{escape(value)}</b><span>{escape(label)}</span></div>'


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs)


def _figure(value: float | None, unit: str, digits: int = 1) -> str:
    return "none" if value is None else f"{value:,.{digits}f} {unit}".rstrip()


def _minutes(spread: Percentiles) -> str:
    if spread.p50 is None or spread.p95 is None:
        return "none"
    return f"{spread.p50 / 60.0:.1f} / {spread.p95 / 60.0:.1f} min"


def _cards(report: Report) -> str:
    share = report.round_trips / report.bound_round_trips if report.bound_round_trips else None
    clean = "good" if report.overlaps == 0 and report.overruns == 0 else "bad"
    return "".join(
        [
            _card(f"{report.round_trips:,}", "round trips" if share is None else f"round trips, {share:.0%} of the bound"),
            _card(f"{report.tonnes_per_day:,.0f}", "tonnes a day"),
            _card(_figure(None if report.round_trip_s.p50 is None else report.round_trip_s.p50 / 60.0, "min"), "round trip, median"),
            _card(_figure(report.gate_wait_s.p95, "s", 0), "gate wait, 95 %"),
            _card(f"{report.overlaps} / {report.overruns}", "overlaps / overruns", clean),
            _card(_figure(report.authority_margin_m_min, "m", 2), "least authority margin"),
            _card(f"{report.emergency_brakes:,}", "emergency brakes", "" if report.emergency_brakes == 0 else "bad"),
        ]
    )


def _waiting(report: Report) -> str:
    causes = sorted(report.waiting_s_by_cause.items(), key=lambda entry: -entry[1])
    if report.unexplained_wait_s > 0.0 and "unexplained" not in report.waiting_s_by_cause:
        causes.append(("unexplained", report.unexplained_wait_s))
    most = max((seconds for _, seconds in causes), default=0.0)
    if most <= 0.0:
        return "<p>No truck stood.</p>"
    bars = [
        f'<span>{escape(cause.replace("_", " "))}</span><span><i class="{"bad" if cause == "unexplained" else ""}" '
        f'style="width:{100.0 * seconds / most:.1f}%"></i></span><em>{seconds / 3600.0:,.2f} h</em>'
        for cause, seconds in causes
    ]
    return f'<div class="bars">{"".join(bars)}</div>'


def _safety(report: Report) -> str:
    return _rows(
        [
            ("overlaps of true bodies", str(report.overlaps)),
            ("overruns of the end of authority", str(report.overruns)),
            ("least authority margin", _figure(report.authority_margin_m_min, "m", 2)),
            ("least time to collision", _figure(report.ttc_s_min, "s")),
            ("least headway, nose to nose", _figure(report.headway_s_min, "s")),
            ("greatest deceleration needed (DRAC)", _figure(report.drac_mps2_max, "m/s²", 2)),
            ("least gap beyond RSS", _figure(report.rss_margin_m_min, "m", 2)),
            ("emergency brakes per 1,000 truck-km", _figure(report.emergency_brakes_per_1000_km, "")),
            ("standing without a named cause", _figure(report.unexplained_wait_s, "s")),
        ]
    )


def _operation(report: Report) -> str:
    neck = report.bottleneck
    return _rows(
        [
            ("trucks", str(len(report.trucks))),
            ("driven", _figure(report.truck_km, "truck-km", 0)),
            ("unloaded", _figure(report.tonnes, "t", 0)),
            ("round trip", _minutes(report.round_trip_s)),
            ("gate wait", _minutes(report.gate_wait_s)),
            ("energy", _figure(report.energy_kwh_per_tonne, "kWh/t", 2)),
            ("what binds", "none" if neck is None else f"{neck.name}: {neck.capacity_per_h:.1f} an hour, used {neck.utilisation:.0%}"),
            ("bound on round trips", _figure(report.bound_round_trips, "")),
        ]
    )


def _faults(report: Report) -> str:
    if not report.faults:
        return ""
    rows = "".join(
        f"<tr><td>{escape(clock_text(float(fault.get('time_s', 0.0))))}</td><td>{escape(str(fault.get('fault', '')))}</td>"
        f"<td>{escape(', '.join(f'{name} {value}' for name, value in fault.items() if name not in {'time_s', 'fault'}))}</td></tr>"
        for fault in report.faults
    )
    return f"<section><h2>Faults injected</h2><table><tr><th>after</th><th>fault</th><th></th></tr>{rows}</table></section>"


def page(out_dir: Path, report: Report, roster: Roster) -> str:
    """The whole page, from *report* and the recording under *out_dir*."""
    window_s = window_of(report.sim_seconds)
    scene = scene_of(out_dir, roster, window_s)
    whole = window_s == (0.0, report.sim_seconds)
    clock = f"{clock_text(scene.start_s + window_s[0])} to {clock_text(scene.start_s + window_s[1])}"
    hours = report.sim_seconds / 3600.0
    failures = "".join(f"<li>{escape(reason)}</li>" for reason in report.failures)
    bound_note = "" if report.bound_round_trips is None else " The dashed line is the most the corridor and fleet could carry."
    template = Template(Path(__file__).with_name("report_page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"{report.scenario}, seed {report.seed}"),
        scenario=escape(report.scenario),
        verdict=report.verdict,
        subtitle=escape(
            f"{len(report.trucks)} trucks, {hours:g} simulated hours in {report.wall_seconds:.1f} s, trace {report.trace_hash[:12]}"
        ),
        replay=escape(f"fleet sim run {report.scenario} --seed {report.seed} --hours {hours:g} --trucks {len(report.trucks)}"),
        failures=f'<section><h2>Why it failed</h2><ul class="failures">{failures}</ul></section>' if failures else "",
        cards=_cards(report),
        window_note=escape(f"Time against distance, {clock}" + ("." if whole else ", a window of the run.")),
        stringline=svg(stringline(scene)),
        waiting=_waiting(report),
        throughput_note=escape(f"Round trips completed.{bound_note}"),
        throughput=svg(throughput(_done_s(out_dir), report.sim_seconds, report.bound_round_trips, scene.start_s)),
        corridor=svg(corridor_picture(scene)),
        safety=_safety(report),
        operation=_operation(report),
        faults=_faults(report),
    )
