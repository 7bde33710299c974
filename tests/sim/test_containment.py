"""Trucks held to what they know of themselves: who may be beyond its end is found, and who rolls back too far."""

from __future__ import annotations

import numpy as np
import pytest

from sim_harness.clock import Streams
from sim_harness.dynamics import DRIVE, EMERGENCY_BRAKE
from sim_harness.faults.containment import ContainmentWatch
from sim_harness.fleet_columns import FleetColumns
from sim_harness.tiny import TRUCK, Place, tiny_roster, tiny_view

NOSE_M = 100.0
FAST_MPS = 6.9


class Driving:
    """One truck at 100 m of the first lane, and the watch over it."""

    def __init__(self, bound_m: float = 0.5) -> None:
        self.roster = tiny_roster(1)
        self.fleet = FleetColumns(self.roster, Streams(1), np.zeros(1, dtype=np.int32), np.array([NOSE_M]))
        self.fleet.belief.bound_m[0] = bound_m
        self.watch = ContainmentWatch(self.fleet)
        self.now_s = 0.0

    def at(self, nose_m: float = NOSE_M, **stated: object) -> list[str]:
        """A tick later it is there; what has been found by then."""
        self.now_s += 0.1
        self.fleet.belief.nose_m[0] = nose_m
        place = Place(lane_id=self.roster.corridor.lanes[0].lane_id, chainage_m=nose_m, **stated)  # type: ignore[arg-type]
        self.watch.tick(tiny_view(self.roster, self.now_s, (place,)))
        return self.watch.found


@pytest.mark.parametrize(("bound_m", "count"), [(0.5, 0), (2.5, 1)])
def test_a_truck_that_may_be_beyond_its_end_is_found_though_it_is_not(bound_m: float, count: int) -> None:
    """Front and bound lie within the end, always: that the error pointed the other way was luck."""
    truck = Driving(bound_m)

    found = truck.at(ahead_m=2.0)

    assert len(found) == count
    assert all("T0 may be beyond the end it holds" in said for said in found)


@pytest.mark.parametrize(("ahead_m", "count"), [(40.0, 0), (10.0, 1)])
def test_a_truck_that_cannot_stop_before_its_end_is_found(ahead_m: float, count: int) -> None:
    """An end that was moved too near was not one that the truck could honour."""
    assert len(Driving().at(ahead_m=ahead_m, speed_mps=FAST_MPS, mode=DRIVE)) == count


def test_an_episode_counts_once() -> None:
    """A truck that brakes in emergency is outside for a while."""
    truck = Driving()

    truck.at(ahead_m=10.0, speed_mps=FAST_MPS, mode=DRIVE)

    assert len(truck.at(ahead_m=9.4, speed_mps=FAST_MPS, mode=EMERGENCY_BRAKE)) == 1


def test_a_truck_that_braked_in_time_and_is_set_forward_by_a_fix_is_not_found() -> None:
    """It did what it could when it had to; one whose end was moved towards it brakes too, but only from then on."""
    braked, moved = Driving(), Driving()

    braked.at(ahead_m=2.0, speed_mps=0.8, mode=EMERGENCY_BRAKE)

    assert braked.at(ahead_m=0.4, speed_mps=0.8, mode=EMERGENCY_BRAKE) == []
    assert len(moved.at(ahead_m=0.4, speed_mps=0.8, mode=EMERGENCY_BRAKE)) == 1


def test_a_truck_that_is_worse_than_declared_cannot_be_held_to_it() -> None:
    """Weak brakes are found out about while driving."""
    assert Driving().at(ahead_m=10.0, speed_mps=FAST_MPS, mode=DRIVE, undeclared=True) == []


@pytest.mark.parametrize(("back_m", "count"), [(0.9, 0), (1.1, 1)])
def test_a_truck_that_rolls_back_further_than_it_may_is_found(back_m: float, count: int) -> None:
    """The confirmed rear behind it allows for so much, and the next truck stands there."""
    truck = Driving()
    truck.at()

    found = truck.at(NOSE_M - back_m * TRUCK.roll_back_m)

    assert len(found) == count
    assert all("T0 rolled back further than it may" in said for said in found)
