"""
One worker process: it loads a site once, compiles the kernels once, and then runs what it is handed until nobody hands it more.

It says that it is ready, then how far each run has come, then the run's outcome; see `crew` for the other end of the pipe.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from sim_harness.campaign.outcome import Outcome, of_exception, of_report
from sim_harness.campaign.trial import Trial
from sim_harness.day import Wish, run_day
from sim_harness.scenario import Scenario, load_scenario

READY: Final = "ready"
SITES_KEPT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run to make; *out* is where its recording goes, None for none; *mutant* as in the plan."""

    trial: Trial
    out: Path | None = None
    mutant: str | None = None


@lru_cache(maxsize=SITES_KEPT)
def _loaded(scenario: str, settings: tuple[str, ...], trucks: int) -> Scenario:
    return load_scenario(scenario, settings, trucks=trucks)


def scenario_of(trial: Trial) -> Scenario:
    """The scenario that *trial* runs: the same that its line loads."""
    base = _loaded(trial.scenario, trial.settings, trial.trucks)
    stated = {"scheduled_faults": trial.faults, "seed": trial.seed, "hours": trial.hours}
    spec = base.spec.model_copy(update=stated if trial.weather is None else {**stated, "weather": trial.weather})
    return replace(base, spec=spec, seed=trial.seed, hours=trial.hours)


def mutated(mutant: str | None) -> AbstractContextManager[object]:
    """What *mutant* (`module:function`) does to the code under test, while the context lasts; nothing for None."""
    if mutant is None:
        return nullcontext()
    module, _, name = mutant.partition(":")
    made: Callable[[], AbstractContextManager[object]] = getattr(import_module(module), name)
    return made()


def perform(job: Job, progress: Callable[[float], None]) -> Outcome:
    """Make the run; whatever is raised in it is its outcome."""
    try:
        with mutated(job.mutant):
            return of_report(run_day(scenario_of(job.trial), Wish(out=job.out), progress), job.trial.hours)
    except Exception as error:  # noqa: BLE001 - the code under test may raise anything, and that is what a campaign is for
        return of_exception(error)


def serve(connection: Connection) -> None:
    """Run what *connection* brings until it is closed at the other end."""
    # Ctrl-C reaches every process of a terminal; only the campaign itself answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):  # whoever handed out the work is gone, and so is the need for it
        connection.send(READY)
        while True:
            connection.send(perform(connection.recv(), connection.send))
