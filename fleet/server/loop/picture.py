"""The fleet drawn for readers and for the desk, from the columns of the loop."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn, RowColumn
from fleet.server.desk import DeskView
from fleet.server.fleet_view import FleetView
from fleet.server.inputs import ReportFlag
from fleet.server.loop.causes import Causes
from fleet.server.loop.derating import Derating
from fleet.server.loop.ledger import Ledger
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.telemetry import Telemetry
from planner.tables import TruckTable


class Drawn(Protocol):
    """What is drawn."""

    trucks: TruckTable
    ledger: Ledger
    sessions: Sessions
    telemetry: Telemetry
    causes: Causes
    derating: Derating
    tick_count: int
    now_ns: int


def view_of(loop: Drawn) -> FleetView:
    """Copies of the fleet as it stands between two ticks."""
    trucks, count = loop.trucks, loop.trucks.count
    nose_lane, nose_m = _places(trucks, trucks.nose_m[:count])
    end_lane, end_m = _places(trucks, trucks.end_m[:count])
    rear_lane, rear_m = _places(trucks, trucks.rear_m[:count])
    held = loop.ledger.issued_sequence[:count] > 0
    return FleetView(
        tick=loop.tick_count,
        now_ns=loop.now_ns,
        epoch=loop.ledger.epoch,
        truck_ids=tuple(loop.sessions.truck_ids),
        truck_type_ids=tuple(loop.sessions.truck_type_ids),
        session=loop.sessions.state[:count].copy(),
        lane_ix=nose_lane,
        chainage_m=nose_m,
        speed_mps=trucks.speed_mps[:count].copy(),
        laden=trucks.laden[:count].copy(),
        end_lane_ix=np.where(held, end_lane, -1).astype(np.int32),
        end_chainage_m=end_m,
        rear_lane_ix=rear_lane,
        rear_chainage_m=rear_m,
        battery_wh=loop.telemetry.battery_wh[:count].copy(),
        brake_health=trucks.brake_health[:count].copy(),
        report_age_ns=loop.telemetry.age_ns(loop.now_ns),
        standing=loop.causes.standing[:count].copy(),
        cause=loop.causes.code[:count].copy(),
        cause_ref=loop.causes.ref[:count].copy(),
        cause_since_ns=loop.causes.since_ns[:count].copy(),
        lane_friction=np.minimum.reduceat(loop.derating.grip.friction, loop.derating.grip.cell_start[:-1]),
    )


def desk_view_of(loop: Drawn, standing: FlagColumn) -> DeskView:
    """The columns themselves, for the desk's step alone; *standing* (n,)."""
    trucks, count = loop.trucks, loop.trucks.count
    return DeskView(
        tick=loop.tick_count,
        now_ns=loop.now_ns,
        live=loop.sessions.live(count),
        synced=loop.ledger.greeted[:count],
        standing=standing,
        immobilised=loop.telemetry.flag(ReportFlag.IMMOBILISED),
        laden=trucks.laden[:count],
        nose_m=trucks.nose_m[:count],
        rear_m=trucks.rear_m[:count],
        end_m=trucks.end_m[:count],
        speed_mps=trucks.speed_mps[:count],
        battery_wh=loop.telemetry.battery_wh[:count],
    )


def _places(trucks: TruckTable, path_m: FloatColumn) -> tuple[RowColumn, FloatColumn]:
    """Lane rows and chainages of path coordinates, (n,) each; lane -1 for a truck without a path."""
    count = len(path_m)
    deepest = max(int(trucks.path_count[:count].max(initial=0)), 1)
    begun = trucks.path_start_m[:count, :deepest] <= path_m[:, None]
    k = np.clip(np.minimum(begun.sum(axis=1), trucks.path_count[:count]) - 1, 0, None)
    rows = np.arange(count)
    lane_ix = np.where(trucks.path_count[:count] > 0, trucks.path_lane[rows, k], -1).astype(np.int32)
    return lane_ix, path_m - trucks.path_start_m[rows, k]
