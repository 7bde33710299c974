"""What the README shows must work when typed as it stands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"<!-- runs: (?P<name>[\w-]+) -->\n```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
TIME_LIMIT_S = 240


def examples() -> dict[str, tuple[str, str]]:
    """The README's marked examples by name: language and text."""
    text = (HOUSE / "README.md").read_text(encoding="utf-8")
    return {match["name"]: (match["language"], match["text"]) for match in FENCE.finditer(text)}


def test_each_door_has_an_example() -> None:
    """Three kinds of reader, three ways in."""
    assert set(examples()) == {"operate", "onboard", "test"}


@contextmanager
def server(folder: Path) -> Iterator[None]:
    """The server of the Operate door, in the morning, on the port that clients use when told no other."""
    command = [Path(sys.executable).with_name("fleet").as_posix(), "serve", "--site", "mandula", "--data", "data", "--day-start", "08:00"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "serves mandula" in process.stdout.readline()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


@pytest.mark.processes
# One port for everybody's examples; with those who open hundreds of connections, one of which might take it for its own end.
@pytest.mark.xdist_group("hostile")
@pytest.mark.timeout(TIME_LIMIT_S + 30)
@pytest.mark.parametrize("name", ["operate", "onboard", "test"])
def test_an_example_runs_as_it_stands(name: str, tmp_path: Path) -> None:
    """A stranger's first minute decides whether there is a second."""
    language, text = examples()[name]
    script = tmp_path / ("example.py" if language == "python" else "example.sh")
    script.write_text(text, encoding="utf-8")
    tools = Path(sys.executable).parent.as_posix()

    command = [sys.executable, script.name] if language == "python" else ["bash", "-euo", "pipefail", script.name]
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    with nullcontext() if name == "test" else server(tmp_path):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
