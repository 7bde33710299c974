"""What a campaign is asked for, and one run of it: all that decides what happens there, and the line that makes it happen again."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.site import SiteError
from fleet.site.source import parse
from sim_harness.faults.spec import FaultSpec
from sim_harness.replay_line import flow
from sim_harness.weather import Spell

HOURS_USUAL: Final = 0.25
# This many faults a run of the usual length, on average.
FAULTS_USUAL: Final = 4.0
TRIES_USUAL: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    A campaign as it is asked for.

    *faults* is how many a run, drawn where None; *kinds* are those to draw from, all when empty. *guided* is the share of runs
    that search from what earlier ones found. *tries* bounds the runs spent on making one failure smaller; after *stop_after*
    failures (0: never) no further run is begun. *mutant* is `module:function`, a context manager entered around each run.
    """

    scenario: str
    settings: tuple[str, ...] = ()
    runs: int
    first_seed: int = 1
    hours: float = HOURS_USUAL
    trucks: int | None = None
    faults: int | None = None
    kinds: tuple[str, ...] = ()
    guided: float = 0.0
    jobs: int = 1
    tries: int = TRIES_USUAL
    stop_after: int = 0
    out: Path | None = None
    mutant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run. *faults* are all that are scheduled in it, the scenario file's own among them; so is *weather*, None where that is all."""

    scenario: str
    settings: tuple[str, ...] = ()
    seed: int
    hours: float
    trucks: int
    weather: tuple[Spell, ...] | None = None
    faults: tuple[FaultSpec, ...] = ()

    @property
    def line(self) -> str:
        """The command that replays it, ready for a shell."""
        faults = ", ".join(
            "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in fault.stated().items()) + "}" for fault in self.faults
        )
        words = [
            "fleet",
            "sim",
            "run",
            self.scenario,
            "--seed",
            str(self.seed),
            "--hours",
            _number(self.hours),
            "--trucks",
            str(self.trucks),
        ]
        weather = [] if self.weather is None else [f"weather={flow([spell.stated() for spell in self.weather])}"]
        for setting in (*self.settings, *weather, f"scheduled_faults=[{faults}]"):
            words += ["--set", setting]
        return shlex.join(words)


def _number(value: float) -> str:
    """As short as it can be and still the same number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _scalar(value: object) -> str:
    """A value as YAML reads it back: words bare where they are not taken for something else."""
    if isinstance(value, int | float):
        return _number(value)
    text = str(value)
    try:
        bare = parse(f"value: [{text}]", "").tree["value"] == [text]
    except SiteError:
        bare = False
    return text if bare else json.dumps(text)
