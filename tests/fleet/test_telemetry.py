"""What a report is allowed to move, and what it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fleet.server.facts import TruckResumed
from fleet.server.inputs import ReportFlag, ReportsHeard
from fleet.server.loop.telemetry import STANDING_NS, Telemetry
from planner.authority import Verdict
from planner.limits import FRICTION_DRY
from planner.tables import LaneTable, TruckTable
from sim_harness.tiny import tiny_corridor

TICK_NS = 100_000_000
OUT, BACK = 0, 3


def picture(count: int = 3) -> Telemetry:
    """Trucks on `out`, noses at 100 m, 200 m, …, each holding 50 m ahead; nothing heard yet."""
    corridor = tiny_corridor()
    trucks = TruckTable(LaneTable.of(corridor), capacity=count)
    for row in range(count):
        trucks.add(corridor.truck_types[0])
        trucks.set_path(row, [OUT], 0.0)
        trucks.nose_m[row] = 100.0 * (row + 1)
        trucks.rear_m[row] = trucks.nose_m[row] - 18.0
        trucks.end_m[row] = trucks.nose_m[row] + 50.0
        trucks.sent_m[row] = trucks.end_m[row]
        trucks.speed_mps[row] = 5.0
        trucks.stamp_ns[row] = 0
    return Telemetry(trucks)


def reports(rows: list[int], **changes: list[Any]) -> ReportsHeard:
    """Sound reports a tenth of a second and half a metre on, but for *changes*."""
    count = len(rows)
    said: dict[str, list[Any]] = {
        "stamp_ns": [TICK_NS] * count,
        "lane_ix": [OUT] * count,
        "chainage_m": [100.0 * (row + 1) + 0.5 for row in rows],
        "speed_mps": [5.0] * count,
        "acceleration_mps2": [0.0] * count,
        "bound_m": [0.5] * count,
        "flags": [int(ReportFlag.INTACT)] * count,
        "accepted_epoch": [1] * count,
        "accepted_sequence": [1] * count,
        "challenge": [77] * count,
        "challenge_echo": [3] * count,
        "battery_wh": [1000.0] * count,
        "friction": [0.0] * count,
        "brake_health": [1.0] * count,
    }
    whole = {"stamp_ns", "flags", "accepted_epoch", "accepted_sequence", "challenge", "challenge_echo"}
    columns: dict[str, Any] = {
        name: np.array(values, np.int64 if name in whole else np.int32 if name == "lane_ix" else np.float64)
        for name, values in {**said, **changes}.items()
    }
    return ReportsHeard(rows=np.array(rows, np.int32), **columns)


def take(telemetry: Telemetry, *batches: ReportsHeard, welcome: list[bool] | None = None, now_ns: int = TICK_NS) -> list[Verdict]:
    """Verdicts on what was not believed."""
    heeded = np.array(welcome or [True] * telemetry.trucks.count)
    return [claim.verdict for claim in telemetry.take(batches, heeded, tick=10, now_ns=now_ns)]


def test_a_sound_report_moves_nose_and_rear() -> None:
    """The rear is the worst case: length, bound and roll-back behind the nose."""
    telemetry = picture()

    refused = take(telemetry, reports([1]))

    assert refused == []
    assert telemetry.trucks.nose_m[1] == 200.5
    assert telemetry.trucks.rear_m[1] == 200.5 - 16.5 - 0.5 - 1.0


@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 0], [1], [2, 1, 0]])
def test_reports_land_on_their_own_rows_in_any_order(rows: list[int]) -> None:
    """Gateways send frames in whatever order they heard."""
    telemetry = picture()

    take(telemetry, reports(rows))

    for row in range(3):
        assert telemetry.trucks.nose_m[row] == 100.0 * (row + 1) + (0.5 if row in rows else 0.0)


def test_a_trucks_later_report_of_one_tick_is_judged_after_its_earlier() -> None:
    """A reconnect flushes a queue: each report is held against the one before it, the newest counts."""
    telemetry = picture(1)
    both = reports([0, 0], stamp_ns=[TICK_NS, 2 * TICK_NS], chainage_m=[100.5, 101.0])

    refused = take(telemetry, both)

    assert refused == []
    assert telemetry.trucks.nose_m[0] == 101.0


def test_batches_of_one_tick_are_taken_in_order() -> None:
    """Streams and frames of the same tick are one sequence."""
    telemetry = picture(1)

    refused = take(telemetry, reports([0]), reports([0], stamp_ns=[TICK_NS], chainage_m=[100.4]))

    assert refused == [Verdict.STAMP_NOT_RISING]
    assert telemetry.trucks.nose_m[0] == 100.5


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"stamp_ns": [0]}, Verdict.STAMP_NOT_RISING),
        ({"stamp_ns": [-5]}, Verdict.STAMP_NOT_RISING),
        ({"chainage_m": [float("nan")]}, Verdict.NOT_FINITE),
        ({"speed_mps": [float("inf")]}, Verdict.NOT_FINITE),
        ({"lane_ix": [-1]}, Verdict.LANE_UNKNOWN),
        ({"lane_ix": [99]}, Verdict.LANE_UNKNOWN),
        ({"lane_ix": [BACK]}, Verdict.OFF_PATH),
        ({"chainage_m": [140.0]}, Verdict.JUMPED_AHEAD),
    ],
)
def test_what_cannot_be_believed_moves_nothing(changes: dict[str, list[Any]], verdict: Verdict) -> None:
    """Neither place, rear, contact nor clock: the next sound report is held against the last sound one."""
    telemetry = picture(1)

    refused = take(telemetry, reports([0], **changes))

    assert refused == [verdict]
    assert telemetry.trucks.nose_m[0] == 100.0
    assert telemetry.trucks.rear_m[0] == 82.0
    assert telemetry.trucks.stamp_ns[0] == 0
    assert telemetry.age_ns(TICK_NS)[0] == -1
    assert telemetry.refused[0] == 1


def test_rows_that_are_not_heeded_say_nothing() -> None:
    """A truck that has not said hello in this epoch, or is quarantined, moves no road."""
    telemetry = picture()

    refused = take(telemetry, reports([0, 1, 7]), welcome=[False, True, True])

    assert refused == []
    assert telemetry.trucks.nose_m[0] == 100.0
    assert telemetry.trucks.nose_m[1] == 200.5


def test_a_wider_bound_never_moves_the_confirmed_rear_back() -> None:
    """Road once proven empty stays so: the truck did not roll back because it became less sure."""
    telemetry = picture(1)
    take(telemetry, reports([0]))

    take(telemetry, reports([0], stamp_ns=[2 * TICK_NS], chainage_m=[101.0], bound_m=[4.0]), now_ns=2 * TICK_NS)

    assert telemetry.trucks.rear_m[0] == 82.5


def test_an_answer_from_the_future_is_no_answer() -> None:
    """An echo of a number we have not said yet was guessed."""
    telemetry = picture(2)

    take(telemetry, reports([0, 1], challenge_echo=[11, 9]))

    assert telemetry.answered_tick[0] < 0
    assert telemetry.answered_tick[1] == 9


def test_a_truck_stands_only_after_it_has_rested_a_while() -> None:
    """Brakes release and rock; a loader must not start on the first zero."""
    telemetry = picture(1)
    take(telemetry, reports([0], speed_mps=[0.0], chainage_m=[100.2]))

    standing = [bool(telemetry.standing(TICK_NS + at)[0]) for at in (0, STANDING_NS - 1, STANDING_NS)]

    assert standing == [False, False, True]


def test_an_opinion_of_the_road_lasts_as_long_as_the_truck_says_it() -> None:
    """What the wheels met is told with the place it was met at; a truck without an opinion has none."""
    telemetry = picture(2)

    take(telemetry, reports([0, 1], friction=[0.0, 0.2]))
    worse = telemetry.take_worse()
    while_met = telemetry.trucks.friction[1]
    take(telemetry, reports([0, 1], stamp_ns=[2 * TICK_NS] * 2, chainage_m=[101.0, 201.0]), now_ns=2 * TICK_NS)

    assert worse is not None
    assert worse.opinions == ((1, 0.2),)
    assert (while_met, telemetry.trucks.friction[1]) == (0.2, FRICTION_DRY)
    assert telemetry.take_worse() is None


def test_brakes_are_believed_weaker_and_never_stronger() -> None:
    """A reboot forgets what was measured, and a good stop repairs nothing."""
    telemetry = picture(1)

    for tick, health in enumerate((0.855, 1.0, 0.95), start=1):
        take(telemetry, reports([0], stamp_ns=[tick * TICK_NS], chainage_m=[100.0 + 0.5 * tick], brake_health=[health]))

    assert telemetry.trucks.brake_health[0] == 0.85


def test_a_rear_once_in_doubt_stays_frozen_when_the_sensor_recovers() -> None:
    """A coupling's contact that flickers back closed does not fetch the trailer."""
    telemetry = picture(1)
    rear_m = float(telemetry.trucks.rear_m[0])

    for tick, flags in enumerate((0, 2, 2), start=1):
        take(telemetry, reports([0], stamp_ns=[tick * TICK_NS], chainage_m=[100.0 + 0.5 * tick], flags=[flags]))
    frozen_m = float(telemetry.trucks.rear_m[0])
    telemetry.apply(TruckResumed(row=0, stop_id="", actor="operator", at_ns=0))
    take(telemetry, reports([0], stamp_ns=[4 * TICK_NS], chainage_m=[102.0]))

    assert frozen_m == rear_m
    assert telemetry.trucks.rear_m[0] == 102.0 - 18.0
