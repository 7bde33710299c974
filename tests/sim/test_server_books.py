"""The server's books held against the truth: what they leave out is found, before anybody drives into it."""

from __future__ import annotations

import numpy as np
import pytest

from fleet.server.fleet_view import FleetView
from sim_harness.clock import Streams
from sim_harness.faults.server_books import BooksWatch
from sim_harness.fleet_columns import FleetColumns
from sim_harness.tiny import TRUCK, tiny_roster

NOSE_M = 100.0
TAIL_M = NOSE_M - TRUCK.length_m
REAR_M = TAIL_M - TRUCK.roll_back_m


def booked(end_m: float, rear_m: float, lane_ix: int = 0) -> FleetView:
    """The server's picture of one truck on the first lane; *lane_ix* is that of its end."""
    one = np.zeros(1)
    return FleetView(
        tick=1,
        now_ns=1,
        epoch=1,
        truck_ids=("T0",),
        truck_type_ids=(TRUCK.truck_type_id,),
        session=np.full(1, 3, np.int8),
        lane_ix=np.zeros(1, np.int32),
        chainage_m=one,
        speed_mps=one,
        laden=np.zeros(1, np.bool_),
        end_lane_ix=np.full(1, lane_ix, np.int32),
        end_chainage_m=np.array([end_m]),
        rear_lane_ix=np.zeros(1, np.int32),
        rear_chainage_m=np.array([rear_m]),
        battery_wh=one,
        brake_health=np.ones(1),
        report_age_ns=np.zeros(1, np.int64),
        standing=np.zeros(1, np.bool_),
        cause=np.zeros(1, np.int32),
        cause_ref=np.zeros(1, np.int32),
        cause_since_ns=np.zeros(1, np.int64),
        lane_friction=np.full(1, 0.7),
    )


class Booking:
    """One truck that holds road to 150 m, and the watch over the books; the server has met it with its rear at 50 m."""

    def __init__(self) -> None:
        self.fleet = FleetColumns(tiny_roster(1), Streams(1), np.zeros(1, dtype=np.int32), np.array([NOSE_M]))
        self.fleet.onboard.end_m[0] = 150.0
        self.watch = BooksWatch(self.fleet)
        self.now_s = 0.0
        self.look(150.0, 50.0)

    def look(self, end_m: float, rear_m: float, lane_ix: int = 0) -> list[str]:
        """A tick later the books say *end_m* and *rear_m*; what has been found by then."""
        self.now_s += 0.1
        self.watch.tick()
        self.watch.look(booked(end_m, rear_m, lane_ix), self.now_s)
        return self.watch.found


def test_books_that_know_of_all_that_is_held_are_true() -> None:
    """A grant is in the books before it is said: they may know of more."""
    assert Booking().look(190.0, REAR_M) == []


def test_books_that_leave_out_road_that_a_truck_holds_are_found() -> None:
    """Somebody else could be given it: that is a collision without the second truck."""
    books = Booking()

    (found,) = books.look(149.0, REAR_M)

    assert "T0 holds more road than the server knows of" in found


def test_the_same_wrong_is_told_once() -> None:
    """A report names what is wrong, and does not count ticks."""
    books = Booking()

    books.look(149.0, REAR_M)

    assert len(books.look(148.0, REAR_M)) == 1


def test_a_lane_that_the_truck_has_not_heard_of_lies_beyond_all_it_holds() -> None:
    """The route is under way, and so is the grant on it."""
    assert Booking().look(5.0, REAR_M, lane_ix=1) == []


def test_a_confirmed_rear_ahead_of_where_the_tail_may_be_is_found() -> None:
    """A tail may roll back by what is allowed for, and the rear must still be behind it."""
    books = Booking()

    (found,) = books.look(150.0, REAR_M + 0.1)

    assert "T0 has a confirmed rear ahead" in found


def test_a_truck_that_rolled_back_proves_no_book_false() -> None:
    """Its rear was confirmed where its tail has truly been, less what it may roll back."""
    books = Booking()
    books.watch.tick()
    books.fleet.motion.nose_m[0] = books.fleet.belief.nose_m[0] = NOSE_M - TRUCK.roll_back_m

    assert books.look(150.0, REAR_M) == []


@pytest.mark.parametrize(("error_m", "count"), [(0.3, 1), (3.0, 0)])
def test_who_took_itself_for_somewhere_else_than_its_bound_allows_is_no_fault_of_the_books(error_m: float, count: int) -> None:
    """A guaranteed bound that does not hold is another wrong, and looked for elsewhere; inside its bound an error excuses nothing."""
    books = Booking()
    books.fleet.belief.bound_m[0] = 0.4
    books.fleet.belief.nose_m[0] = NOSE_M + error_m

    assert len(books.look(150.0, REAR_M + 0.2)) == count


def test_a_rear_that_never_moved_lies_where_the_truck_was_met() -> None:
    """At the beginning of its lane there is nobody behind it, however short the way back is."""
    fleet = FleetColumns(tiny_roster(1), Streams(1), np.zeros(1, dtype=np.int32), np.array([TRUCK.length_m + 0.2]))
    watch = BooksWatch(fleet)

    for now_s in (0.1, 0.2):
        watch.tick()
        watch.look(booked(TRUCK.length_m + 1.0, 0.0), now_s)

    assert watch.found == []
