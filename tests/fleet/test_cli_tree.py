"""Every command there is: data for programs, an example for people, and completion in the shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from fleet.cli.completion import candidates, install, obey, script
from fleet.cli.main import GROUP, SUMMARIES, commands

ROOT = Path(__file__).parents[2]
# What has no --json, and why.
NO_DATA = {
    "console": "serves until it is ended",
    "serve": "serves until it is ended; its log is JSON",
    "schema": "prints JSON",
    "journal export": "prints JSON",
    "journal site": "prints a site file",
    "sim cab": "lends a truck until it is ended",
    "sim inject": "prints JSON",
}


def declared() -> dict[str, EntryPoint]:
    """The commands as this tree declares them, whatever is installed."""
    lines = (ROOT / "pyproject.toml").read_text("utf-8").partition(f'[project.entry-points."{GROUP}"]\n')[2].partition("\n\n")[0]
    pairs = (line.split(" = ") for line in lines.splitlines())
    return {name: EntryPoint(name=name, value=value.strip('"'), group=GROUP) for name, value in pairs}


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for each, sub in below.items():
        yield from leaves(f"{name} {each}", sub)


ALL = dict(leaf for name, point in declared().items() for leaf in leaves(name, get_command(point.load())))


def test_every_command_is_summed_up() -> None:
    """`fleet --help` names them all."""
    assert set(declared()) == set(SUMMARIES)


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_that_tells_something_tells_it_as_data_too(name: str) -> None:
    """Whoever writes a script should not have to read tables."""
    options = {option for parameter in ALL[name].params for option in parameter.opts}

    assert ("--json" in options) is (name not in NO_DATA)


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_shows_an_example(name: str) -> None:
    """`--help` is the manual."""
    assert f"Example: fleet {name.split(maxsplit=1)[0]}" in (ALL[name].help or "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fleet", "co"], {"console", "control"}),
        (["fleet", "--v"], {"--version"}),
        (["fleet", "control", ""], {"show", "acquire", "renew", "take-over"}),
        (["fleet", "control", "take"], {"take-over"}),
        (["fleet", "stop", "--l"], {"--lift"}),
        (["fleet", "truck", "why", "T1", "--lan"], {"--language", "--lang"}),
        (["fleet", "order", "create", "--csv", ""], set()),
        (["fleet", "nothing", ""], set()),
        (["fleet", "site", "check", ""], set()),
    ],
)
def test_the_shell_is_told_what_may_come_next(words: list[str], expected: set[str]) -> None:
    """Nothing where a file or a name of one's own is wanted: the shell completes files by itself."""
    assert set(candidates(words, len(words) - 1, declared())) == expected


def test_an_option_given_is_not_offered_again() -> None:
    """It would be refused."""
    assert "--reason" not in candidates(["fleet", "stop", "--reason", "dust", "--"], 4, declared())


def test_completion_is_installed_once_however_often_it_is_asked(tmp_path: Path) -> None:
    """And what stood in the shell's file stays."""
    (tmp_path / ".bashrc").write_text("alias ll='ls -l'")

    for _ in range(2):
        install("bash", tmp_path)

    assert (tmp_path / ".bashrc").read_text().splitlines() == ["alias ll='ls -l'", f"source '{tmp_path / '.bash_completions/fleet.sh'}'"]


def test_another_shell_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2: the question was wrong."""
    assert obey(["--install-completion", "fish"], {}, print) == 2
    assert "bash and zsh" in capsys.readouterr().err


@pytest.mark.processes
def test_bash_completes_the_command(tmp_path: Path) -> None:
    """The real shell with the real script."""
    bash = shutil.which("bash")
    assert bash is not None
    fleet = tmp_path / "fleet"
    fleet.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fleet.cli.main "$@"\n')
    fleet.chmod(0o755)
    (tmp_path / "script.sh").write_text(script("bash"))
    words = f'source {tmp_path}/script.sh; COMP_WORDS=({fleet} truck wh); COMP_CWORD=2; _fleet_completion; echo "${{COMPREPLY[*]}}"; complete -p fleet'

    answer = subprocess.run([bash, "-c", words], capture_output=True, text=True, cwd=ROOT, check=True)

    assert answer.stdout.splitlines() == ["why", "complete -o default -F _fleet_completion fleet"]


@pytest.mark.parametrize("words", [["sim", "run", "mandula", "--hours", "0.01"], ["site", "show", "mandula"]])
def test_whoever_installed_too_little_is_told_what_is_missing(words: list[str]) -> None:
    """A truck's computer has no numpy: that is said in a line, and not in a page of somebody's source."""
    without = "import sys; sys.modules['numpy'] = None; from fleet.cli.main import main; main(sys.argv[1:])"

    ended = subprocess.run([sys.executable, "-c", without, *words], capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 2
    assert ended.stderr == f"fleet {words[0]}: needs the package 'numpy', which is not installed. Run `pip install 'khulan[sim]'`.\n"


def test_what_is_installed_is_found() -> None:
    """The tests above read the declaration; this is what a user has."""
    assert {"truck", "watch", "sim"} <= set(commands())
