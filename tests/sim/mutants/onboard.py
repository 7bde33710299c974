"""
Unsafe trucks, each wrong in one decision of the onboard supervisor.

The supervisor runs compiled, over columns: a mutant changes what goes into a step or comes out of it, or the plain code that judges
messages. What the simulator holds for the truth, and what trucks report, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from types import SimpleNamespace
from typing import Any

import numpy as np

from fleet.onboard.ladder import Ladder
from fleet.onboard.permission import Permission
from fleet.onboard.store import Term
from fleet.onboard.supervisor import EMERGENCY_BRAKE, EMERGENCY_STOP, SERVICE_BRAKE
from sim_harness import columns, onboard_state
from sim_harness.observation import Roster
from sim_harness.truck_ears import Ears
from tests.sim.mutants.controller import OVER_DECLARED_MPS2, trucks_as
from tests.sim.mutants.patching import Function, Mutant, patched, together, wrapped


def column(table: Any, name: str) -> Any:
    """One column of what kernels take: records where they are compiled, named tuples where they are not."""
    return table[name] if isinstance(table, np.ndarray) else getattr(table, name)


@contextmanager
def _seen_as(table: Any, name: str, value: float) -> Iterator[None]:
    """A column holds *value* for every truck, for as long as the context lasts."""
    kept = column(table, name).copy()
    column(table, name)[:] = value
    yield
    column(table, name)[:] = kept


def _believing(name: str, value: float, *kernels: str) -> Mutant:
    """In *kernels* every truck believes *value* of *name*; what it reports stays as it is."""

    def make(kernel: Function) -> Function:
        def wrongly(fitted: Any, belief: Any, *rest: Any) -> Any:
            with _seen_as(belief, name, value):
                return kernel(fitted, belief, *rest)

        return wrongly

    return together(*(wrapped(columns, kernel, make) for kernel in kernels))


def _built_as(name: str, value: float) -> Mutant:
    """Every truck's computer is told that it is built differently."""

    def make(fitted: Function) -> Function:
        def wrongly(roster: Roster) -> onboard_state.Fitted:
            built: onboard_state.Fitted = fitted(roster)
            getattr(built, name)[:] = value
            return built

        return wrongly

    return wrapped(onboard_state, "fitted", make)


# -- the curves --------------------------------------------------------------------------------------------------------


def place_taken_for_exact() -> Mutant:
    """The truck drives up to its end as if it knew to the millimetre where it is."""
    return _believing("bound_m", 0.0, "step", "earliest_m")


def intruder_ignored() -> Mutant:
    """Whatever stands on the road, the truck drives on."""
    return _believing("obstacle_m", inf, "step", "earliest_m", "take_reading")


def roll_back_ignored() -> Mutant:
    """A truck that rolls back lets itself roll."""
    return _built_as("roll_back_m", inf)


def brake_over_declared() -> Mutant:
    """Brakes are declared to do what they do on a good day; server and truck count on it."""

    def change(table: Any, row: int) -> None:
        table.brake_guaranteed_mps2[row] = OVER_DECLARED_MPS2

    return together(trucks_as(change), _built_as("brake_guaranteed_mps2", OVER_DECLARED_MPS2))


def no_emergency_curve() -> Mutant:
    """The truck brakes as hard as it may in service and never harder, unless somebody tells it to."""

    def make(step: Function) -> Function:
        def gently(fitted: Any, belief: Any, state: Any, roads: Any, demand: Any, step_s: float) -> None:
            step(fitted, belief, state, roads, demand, step_s)
            own = (column(demand, "mode") == EMERGENCY_BRAKE) & (column(state, "stop_reaction") < EMERGENCY_STOP)
            for table in (demand, state):
                column(table, "mode")[own] = SERVICE_BRAKE
            column(demand, "acceleration_mps2")[own] = -column(fitted, "brake_service_mps2")[own]

        return gently

    return wrapped(columns, "step", make)


def shortening_always_honoured() -> Mutant:
    """The truck agrees to any end, whether it can still stop before it or not."""

    def at_its_nose(_: Any, belief: Any, __: Any, ___: Any, row: int, ____: float) -> float:
        return float(column(belief, "nose_m")[row])

    return patched(columns, "earliest_m", at_its_nose)


# -- terms and contact -------------------------------------------------------------------------------------------------


def epoch_ignored() -> Mutant:
    """A message counts by its sequence alone, whoever's term it is of."""

    def is_new(permission: Permission, term: Term) -> bool:
        return term.sequence > permission.seen.sequence

    def end_on_route(permission: Permission, _: Term, __: int, end: Any) -> float | None:
        return None if permission.path is None else permission.path.locate(end)

    return together(patched(Permission, "_is_new", is_new), patched(Permission, "_end_on_route", end_on_route))


def sequence_ignored() -> Mutant:
    """An old message of the server's counts as a new one."""

    def is_new(permission: Permission, term: Term) -> bool:
        return term.epoch == permission.agreed_epoch

    return patched(Permission, "_is_new", is_new)


def ladder_ignored() -> Mutant:
    """The truck drives on to its end although nobody speaks to it any more."""
    endless = SimpleNamespace(ease_s=inf, stop_s=inf, emergency_s=inf)
    return patched(Ladder, "of_rungs", classmethod(lambda *_: endless))


def goes_on_by_itself() -> Mutant:
    """Greeted anew after a silence, the truck goes on with what it held before."""

    def make(welcomed: Callable[..., None]) -> Function:
        def at_once(ears: Ears, row: int, welcome: Any) -> None:
            welcomed(ears, row, welcome)
            ears._fleet.onboard.waiting[row] = False

        return at_once

    return wrapped(Ears, "_welcomed", make)


def stops_ignored() -> Mutant:
    """The truck does not stop when it is told to."""
    return patched(Ears, "_apply_stops", lambda *_: None)
