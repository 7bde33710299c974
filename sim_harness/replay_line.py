"""
The one line that repeats a run: `fleet sim run SCENARIO --seed N …`, to be pasted into a shell.

Whatever deviates from the scenario's file is said with `--set`, in YAML's flow style, which is what `--set` reads.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# Words that YAML, old or new, takes for something else.
_TAKEN: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"})


def _quoted(text: str) -> str:
    """*text* between double quotes, as JSON has it but for characters that YAML wants by their numbers."""
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in json.dumps(text, ensure_ascii=False))


def flow(value: Any) -> str:
    """*value* (mappings, sequences, text, numbers, truth values, None) as one line of YAML that reads back equal."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _TAKEN else _quoted(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value, allow_nan=False)


def replay_line(scenario: str, settings: Sequence[str], *, seed: int, hours: float | None = None, trucks: int | None = None) -> str:
    """The command that runs *scenario* (a name, or a file as seen from where it is typed) so again."""
    words = ["fleet", "sim", "run", scenario, "--seed", str(seed)]
    if hours is not None:
        words += ["--hours", f"{hours!r}"]
    if trucks is not None:
        words += ["--trucks", str(trucks)]
    return with_settings(shlex.join(words), settings)


def with_settings(line: str, settings: Sequence[str]) -> str:
    """*line* with more of them; a later one lies over an earlier one."""
    return " ".join([line, *(f"--set {shlex.quote(setting)}" for setting in settings)])
