"""
`report.html`: one self-contained page a run, nothing loaded from anywhere.

Long runs draw one window of the stringline: a day of a hundred trucks as lines is a wall, two hours of it are readable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final

from sim_harness.expectations import in_words
from sim_harness.figures import Marks, Scene, clock_text, corridor_picture, margins, save, stringline, svg, throughput
from sim_harness.instant import instant_picture, read_instant
from sim_harness.observation import Roster
from sim_harness.recording import EVENTS
from sim_harness.report import Percentiles, Report, opening_s
from sim_harness.stringline import AxisTable, read_motion

WINDOW_MAX_S: Final = 3.0 * 3600.0
WINDOW_S: Final = 2.0 * 3600.0
ROUND_TRIP_EVENT: Final = "round_trip_done"
# More reasons than these are folded away.
REASONS_MAX: Final = 8
FAULT_KEYS: Final = (
    '<span><b class="cross">&times;</b>fault hits a truck</span><span><b>◆</b>somebody was told</span>'
    '<span><i style="background:#18794e"></i>safe state reached</span><span><i style="background:#d0342c;opacity:.5"></i>not reached</span>'
    '<span><i style="background:#8a93a3;opacity:.5"></i>not called for</span>'
)


def window_of(sim_seconds: float, look_s: float | None = None) -> tuple[float, float]:
    """The seconds to draw: all of a short run, else two hours around *look_s*, else two hours once the fleet has spread out."""
    if sim_seconds <= WINDOW_MAX_S:
        return 0.0, sim_seconds
    start_s = 2.0 * 3600.0 if look_s is None else max(0.0, look_s - 0.5 * WINDOW_S)
    start_s = min(start_s, sim_seconds - WINDOW_S)
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
            ("where something is worse than declared", _figure(report.undeclared_margin_m_min, "m", 2)),
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


def _why(report: Report) -> str:
    """What went wrong, and the line that shows it again."""
    if not report.failures:
        return ""
    shown, more = report.failures[:REASONS_MAX], report.failures[REASONS_MAX:]
    reasons, others = ("".join(f"<li>{escape(reason)}</li>" for reason in part) for part in (shown, more))
    folded = f'<details><summary>{len(more)} more</summary><ul class="failures">{others}</ul></details>' if more else ""
    again = f'<p class="note">Run exactly this again:</p><pre>{escape(report.replay)}</pre>' if report.replay else ""
    return f'<section class="why"><h2>Why it failed</h2><ul class="failures">{reasons}</ul>{folded}{again}</section>'


def _expected(report: Report) -> str:
    if not report.expected:
        return ""
    rows = "".join(
        f'<tr><td class="{"good" if entry.met else "bad"}">{"met" if entry.met else "missed"}</td>'
        f"<td>{escape(in_words(entry.figure, entry.condition))}</td>"
        f"<td>{escape('null' if entry.value is None else str(entry.value))}</td></tr>"
        for entry in sorted(report.expected, key=lambda entry: entry.met)
    )
    return f"<section><h2>Expected</h2><table><tr><th></th><th>expected</th><th>was</th></tr>{rows}</table></section>"


def _moment(seconds: float) -> str:
    """Seconds after local midnight as HH:MM:SS."""
    return f"{clock_text(seconds - seconds % 60.0)}:{int(seconds % 60.0):02d}"


def _after(fault: Mapping[str, Any], moment: str) -> str:
    """How long after its beginning a fault's *moment* came."""
    return "" if fault.get(moment) is None else f"after {float(fault[moment]) - float(fault['at_s']):.1f} s"


def _faults(report: Report, start_s: float) -> str:
    if not report.faults:
        return ""
    words = {True: ("good", "reached"), False: ("bad", "not reached"), None: ("", "not called for")}
    rows = []
    for fault in sorted(report.faults, key=lambda fault: fault.get("reached") is not False):
        tone, outcome = words[fault.get("reached")]
        lasted = "to the end" if fault.get("ended_s") is None else f"{float(fault['ended_s']) - float(fault['at_s']):.1f} s"
        value = "" if fault.get("value") is None else f" {fault['value']:g}"
        broken = f": {fault['broken']}" if fault.get("broken") else ""
        cells = (
            _moment(start_s + float(fault["at_s"])),
            str(fault.get("fault", "")).replace("_", " "),
            str(fault.get("target", "")),
            f"{fault.get('shape') or ''}{value}".replace("_", " "),
            lasted,
            f"{str(fault.get('alarm') or '').replace('_', ' ')} {_after(fault, 'seen_s')}",
            str(fault.get("state", "")).replace("_", " "),
        )
        row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        came_of_it = escape(f"{outcome} {_after(fault, 'safe_s')}{broken}")
        rows.append(f'<tr>{row}<td class="{tone}">{came_of_it}</td></tr>')
    heads = "".join(f"<th>{head}</th>" for head in ("at", "fault", "of", "how", "lasted", "noticed", "safe state", ""))
    table = f"<table><tr>{heads}</tr>{''.join(rows)}</table>"
    return f'<section><h2>Faults</h2><div class="tall">{table}</div></section>'


def _worst(out_dir: Path, report: Report, roster: Roster, start_s: float) -> str:
    """The moment to look at first, drawn."""
    if report.worst is None:
        return ""
    time_s, trucks = read_instant(out_dir, roster, report.worst.time_s)
    if not trucks:
        return ""
    picture = svg(instant_picture(roster.corridor, trucks, report.worst.truck_ids))
    title = "The nearest miss" if report.worst.what == "margin" else "The moment to look at"
    when = f"{_moment(start_s + report.worst.time_s)}, {report.worst.time_s:.1f} s after the start"
    note = f"{when}: {report.worst.sentence}. Drawn as recorded at {time_s:.1f} s."
    return (
        f'<section><h2>{title}</h2><p class="note">{escape(note)} Boxes are the true bodies, white their fronts; a strip in a '
        f"truck's colour is the road it may still use, the stroke across is its end.</p>{picture}</section>"
    )


def page(out_dir: Path, report: Report, roster: Roster) -> str:
    """The whole page, from *report* and the recording under *out_dir*."""
    failed = report.verdict == "fail"
    look = report.worst if report.worst is not None and report.worst.what != "margin" else None
    look_s = None if look is None else look.time_s
    window_s = window_of(report.sim_seconds, look_s)
    scene = scene_of(out_dir, roster, window_s)
    marks = Marks(faults=report.faults, look_s=look_s, look_truck_ids=() if look is None else look.truck_ids)
    whole = window_s == (0.0, report.sim_seconds)
    clock = f"{clock_text(scene.start_s + window_s[0])} to {clock_text(scene.start_s + window_s[1])}"
    hours = report.sim_seconds / 3600.0
    bound_note = "" if report.bound_round_trips is None else " The dashed line is the most the corridor and fleet could carry."
    template = Template(Path(__file__).with_name("report_page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"{report.scenario}, seed {report.seed}"),
        scenario=escape(report.scenario),
        verdict=report.verdict,
        subtitle=escape(
            f"seed {report.seed}, {len(report.trucks)} trucks, {hours:.4g} simulated hours in {report.wall_seconds:.1f} s, "
            f"trace {report.trace_hash[:12]}"
        ),
        replay="" if failed or not report.replay else f"<br><code>{escape(report.replay)}</code>",
        why=_why(report),
        expected=_expected(report),
        cards=_cards(report),
        worst=_worst(out_dir, report, roster, scene.start_s),
        window_note=escape(f"Time against distance, {clock}" + ("." if whole else ", a window of the run.")),
        fault_keys=FAULT_KEYS if report.faults else "",
        stringline=svg(stringline(scene, marks)),
        faults=_faults(report, scene.start_s),
        waiting=_waiting(report),
        throughput_note=escape(f"Round trips completed.{bound_note}"),
        throughput=svg(throughput(_done_s(out_dir), report.sim_seconds, report.bound_round_trips, scene.start_s)),
        margins=svg(margins(report.authority_margin_m_by_minute, report.sim_seconds, scene.start_s)),
        corridor=svg(corridor_picture(scene)),
        safety=_safety(report),
        operation=_operation(report),
    )
