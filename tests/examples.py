"""Examples in the pages, marked as running, and a server for them: what a page shows must work when typed as it stands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HOUSE: Final = Path(__file__).resolve().parent.parent
FENCE: Final = re.compile(r"<!-- runs: (?P<name>[\w-]+) -->\n```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
TIME_LIMIT_S: Final = 240


def examples(page: str = "README.md") -> dict[str, tuple[str, str]]:
    """A page's marked examples by name: language and text."""
    text = (HOUSE / page).read_text(encoding="utf-8")
    return {match["name"]: (match["language"], match["text"]) for match in FENCE.finditer(text)}


@contextmanager
def server(folder: Path, *more: str) -> Iterator[None]:
    """A server as the README's Operate door starts it, in the morning, on the port that clients use when told no other."""
    command = [
        Path(sys.executable).with_name("fleet").as_posix(),
        "serve",
        "--site",
        "mandula",
        "--data",
        "data",
        "--day-start",
        "08:00",
        *more,
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "serves mandula" in process.stdout.readline()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def typed(language: str, text: str, folder: Path, more: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """What comes of typing *text* in *folder*, with *more* in the environment."""
    script = folder / ("example.py" if language == "python" else "example.sh")
    script.write_text(text, encoding="utf-8")
    tools = Path(sys.executable).parent.as_posix()
    command = [sys.executable, script.name] if language == "python" else ["bash", "-euo", "pipefail", script.name]
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", **more}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
