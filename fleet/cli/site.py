"""`fleet site`: is a site file sound, what does it look like, and how does a running server come to drive by it?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli import site_change

if TYPE_CHECKING:
    from planner.corridor import Corridor

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Check and draw site files, and change the site of a running server. Example: fleet site check ganqimaodu",
)

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="a site that comes with the package, or a YAML file")]
JsonOption = Annotated[bool, typer.Option("--json", help="print data instead of text")]


@app.command()
def check(file: FileArgument, *, as_json: JsonOption = False) -> None:
    """
    Proves that a site can be driven: one line for each thing that is wrong. Exit 0 sound, 1 not.

    Example: fleet site check ganqimaodu
    """
    # shapely, scipy and pydantic cost most of a second; other commands do not wait for them.
    from fleet.site.load import examine  # noqa: PLC0415

    corridor, found = examine(file)
    if as_json:
        problems = [{"file": one.file, "line": one.line, "problem": one.problem, "advice": one.advice} for one in found]
        typer.echo(json.dumps({"sound": not found, "digest": corridor.digest if corridor else None, "problems": problems}, indent=2))
    else:
        for one in found:
            typer.echo(str(one), err=True)
        if corridor is not None and not found:
            typer.echo(_sound(corridor))
    raise typer.Exit(1 if found else 0)


def _sound(corridor: Corridor) -> str:
    length_km = sum(lane.length_m for lane in corridor.lanes) / 1000.0
    return (
        f"{corridor.site_id}: sound. {len(corridor.lanes)} lanes ({length_km:.1f} km), {len(corridor.stands)} stands, "
        f"{len(corridor.gates)} gates, {len(corridor.zones)} conflict zones. Map digest {corridor.digest[:16]}."
    )


@app.command()
def show(
    file: FileArgument,
    out: Annotated[Path | None, typer.Option(help="write a picture there: .png, .svg or .pdf")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """
    What a site holds and what its figures rest on; with --out also a picture of it.

    Example: fleet site show ganqimaodu --out ganqimaodu.png
    """
    from fleet.site.load import examine  # noqa: PLC0415

    corridor, found = examine(file)
    if corridor is None:
        typer.echo(str(found[0]), err=True)
        raise typer.Exit(1)
    typer.echo(json.dumps(_summary(corridor), indent=2) if as_json else _text(corridor))
    for one in found:
        typer.echo(str(one), err=True)
    if out is not None:
        _draw(corridor, out)
    raise typer.Exit(1 if found else 0)


def _draw(corridor: Corridor, out: Path) -> None:
    if out.suffix not in {".png", ".svg", ".pdf"}:
        typer.echo(f"fleet site show: {out} does not end in .png, .svg or .pdf", err=True)
        raise typer.Exit(2)
    try:
        from fleet.site.draw import draw_site  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        typer.echo(f"fleet site show: pictures need {missing.name}; run `pip install 'khulan[sim]'`", err=True)
        raise typer.Exit(2) from missing
    try:
        draw_site(corridor, out)
    except OSError as error:
        typer.echo(f"fleet site show: cannot write {out}: {error.strerror or error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"Wrote {out}.")


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"


def _summary(corridor: Corridor) -> dict[str, object]:
    stands = Counter((stand.yard_id, stand.kind.value) for stand in corridor.stands)
    return {
        "site": corridor.site_id,
        "digest": corridor.digest,
        "origin": {"latitude_deg": corridor.origin_latitude_deg, "longitude_deg": corridor.origin_longitude_deg},
        "lanes": len(corridor.lanes),
        "lane_km": round(sum(lane.length_m for lane in corridor.lanes) / 1000.0, 3),
        "zones": len(corridor.zones),
        "yards": [
            {
                "yard": yard.yard_id,
                "role": yard.role.value,
                "timezone": yard.timezone,
                "stands": {kind: count for (yard_id, kind), count in stands.items() if yard_id == yard.yard_id},
            }
            for yard in corridor.yards
        ],
        "gates": [
            {"gate": gate.gate_id, "role": gate.role.value, "lane": gate.lane_id, "process": gate.process} for gate in corridor.gates
        ],
        "windows": [{"open": _clock(window.open_s), "close": _clock(window.close_s)} for window in corridor.windows],
        "processes": {name: {"shape": one.shape, "a": one.a, "b": one.b, "c": one.c} for name, one in corridor.processes.items()},
        "truck_types": [kind.truck_type_id for kind in corridor.truck_types],
        "standings": dict(corridor.assumed),
    }


def _text(corridor: Corridor) -> str:
    lines = [_sound(corridor).replace(": sound.", ":"), ""]
    for yard in corridor.yards:
        kinds = Counter(stand.kind.value for stand in corridor.stands if stand.yard_id == yard.yard_id)
        held = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no stands"
        lines.append(f"  yard {yard.yard_id:<12} {yard.role.value:<11} {held}")
    for gate in corridor.gates:
        process = corridor.processes[gate.process]
        figures = ", ".join(f"{value:g}" for value in (process.a, process.b, process.c)[: 1 if process.shape == "fixed" else 3])
        lines.append(f"  gate {gate.gate_id:<12} {gate.role.value:<11} {process.shape}({figures}) on lane {gate.lane_id}")
    windows = ", ".join(f"{_clock(window.open_s)}-{_clock(window.close_s)}" for window in corridor.windows)
    lines += [f"  open {windows}", "", "What the figures rest on (the longest path that fits counts):"]
    width = max((len(path) for path in corridor.assumed), default=0)
    lines += [f"  {path:<{width}}  {standing}" for path, standing in sorted(corridor.assumed.items())]
    return "\n".join(lines)


for _command in (site_change.propose, site_change.proposal, site_change.switch, site_change.withdraw):
    app.command()(_command)
