"""The commands `fleet site check` and `fleet site show`."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from fleet.cli.site import app


def test_check_says_sound_and_exits_0() -> None:
    """Scripts read the exit code, people the sentence."""
    told = CliRunner().invoke(app, ["check", "mandula"])

    assert told.exit_code == 0
    assert told.output.startswith("mandula: sound. 67 lanes")


def test_check_lists_every_fault_and_exits_1(tmp_path: Path) -> None:
    """One run shows all there is to mend, each fault in its own line."""
    path = tmp_path / "bad.yaml"
    path.write_text("extends: mandula\nsite: bad\nnodes:\n  lost: {x_m: 0, y_m: 0}\n  mn_bay_b: {station_m: 525}\n", encoding="utf-8")

    told = CliRunner().invoke(app, ["check", str(path)])

    assert told.exit_code == 1
    lines = told.output.strip().splitlines()
    assert f"{path}:4: no lane touches node 'lost'; remove it, or lead a lane to it" in lines
    assert sum("is too short" in line for line in lines) == 2


def test_check_prints_data_when_asked() -> None:
    """An editor plug-in wants fields, not sentences."""
    told = CliRunner().invoke(app, ["check", "mandula", "--json"])

    assert json.loads(told.output)["problems"] == []


def test_show_tells_what_figures_rest_on(tmp_path: Path) -> None:
    """Whoever reads a figure must see whether it was published or assumed by us."""
    out = tmp_path / "mandula.svg"

    told = CliRunner().invoke(app, ["show", "mandula", "--out", str(out)])

    assert told.exit_code == 0
    assert "published: UN R13 secondary braking" in told.output
    assert "yard mn" in told.output
    drawn = out.read_text(encoding="utf-8")
    assert drawn.lstrip().startswith("<?xml")
    assert len(drawn) > 100_000


def test_show_refuses_a_picture_it_cannot_draw() -> None:
    """A wrong suffix is a slip of usage, told before the work."""
    told = CliRunner().invoke(app, ["show", "mandula", "--out", "mandula.docx"])

    assert told.exit_code == 2
    assert "does not end in .png, .svg or .pdf" in told.output
