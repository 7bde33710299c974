"""A truck that drives through a barrier is found; one that the barrier was up for, or that could not stop any more, is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from fleet.onboard import Mode
from sim_harness.barrier_check import BarrierCheck, DrivenThrough
from sim_harness.tiny import Place, tiny_roster, tiny_view

# The tiny corridor's gate G1 stands on `out` with its barrier at 303 m.
BEFORE, BEYOND = Place(lane_id="out", chainage_m=300.0, speed_mps=5.0), Place(lane_id="out", chainage_m=304.0, speed_mps=5.0)
UP: Mapping[str, str] = {"G1": "T0"}
DOWN: Mapping[str, str] = {}


def looked_at(*moments: tuple[Place, Mapping[str, str]]) -> list[DrivenThrough]:
    """What is found of one truck, half a second after half a second."""
    roster = tiny_roster(1)
    check = BarrierCheck(roster)
    for tick, (place, raised) in enumerate(moments):
        check.look(tiny_view(roster, tick / 2.0, [place]), raised)
    return check.found


def test_a_truck_that_passes_a_shut_barrier_is_found() -> None:
    """A proof that nobody waited for is no proof."""
    (found,) = looked_at((BEFORE, DOWN), (BEYOND, DOWN))

    assert (found.truck_id, found.gate_id, found.time_s) == ("T0", "G1", 0.5)


def test_a_truck_that_leaves_the_lane_between_two_looks_is_found_too() -> None:
    """The next lane may begin just behind the barrier."""
    assert len(looked_at((BEFORE, DOWN), (Place(lane_id="unload", chainage_m=17.0), DOWN))) == 1


@pytest.mark.parametrize(("then", "now"), [(UP, UP), (DOWN, UP), (UP, DOWN)])
def test_a_barrier_that_is_up_for_the_truck_may_be_passed(then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Also if it rises or falls between two looks: nobody can tell which came first."""
    assert looked_at((BEFORE, then), (BEYOND, now)) == []


def test_a_barrier_that_is_up_for_another_truck_is_shut() -> None:
    """The proof names its truck."""
    assert len(looked_at((BEFORE, {"G1": "T9"}), (BEYOND, {"G1": "T9"}))) == 1


def test_a_truck_that_cannot_stop_any_more_is_excused_once() -> None:
    """The barrier fell before its bumper; the next time it passes a shut one it could have known."""
    near = Place(lane_id="out", chainage_m=301.0, speed_mps=5.0)

    assert looked_at((BEFORE, UP), (near, DOWN), (BEYOND, DOWN)) == []
    assert len(looked_at((BEFORE, UP), (near, DOWN), (BEYOND, DOWN), (BEFORE, DOWN), (BEYOND, DOWN))) == 1


def test_a_truck_that_could_have_stopped_is_not_excused() -> None:
    """A barrier that falls far ahead is a barrier like any other."""
    far = Place(lane_id="out", chainage_m=250.0, speed_mps=5.0)

    assert len(looked_at((far, UP), (far, DOWN), (BEFORE, DOWN), (BEYOND, DOWN))) == 1


@pytest.mark.parametrize(
    ("mode", "undeclared", "found"), [(Mode.EMERGENCY_BRAKE, True, 0), (Mode.DRIVE, True, 1), (Mode.EMERGENCY_BRAKE, False, 1)]
)
def test_a_truck_that_slides_through_on_ice_is_excused(mode: Mode, undeclared: bool, found: int) -> None:
    """Ice that nobody knew of; but who does not even brake, or brakes as well as declared, has no excuse."""
    sliding = replace(BEYOND, mode=mode, undeclared=undeclared)

    assert len(looked_at((BEFORE, DOWN), (sliding, DOWN))) == found
