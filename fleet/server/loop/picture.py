"""The fleet drawn for readers, for the desk and for planning, from the columns of the loop."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from fleet.server.columns import FlagColumn
from fleet.server.desk import Desk, DeskView
from fleet.server.fleet_view import FleetView
from fleet.server.inputs import ReportFlag
from fleet.server.loop.causes import Causes
from fleet.server.loop.derating import Derating
from fleet.server.loop.ledger import Ledger
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.telemetry import Telemetry
from planner.authority import Cause
from planner.foresight.seen import Seen
from planner.kernels.places import END, NOSE, REAR, find_places
from planner.tables import TruckTable

# What a truck is let past sooner or later without anybody's deciding on it: its way goes on there.
_ON_THE_WAY: Final = np.array([Cause.GATE, Cause.INSPECTION, Cause.ZONE], np.int8)


class Drawn(Protocol):
    """What is drawn."""

    trucks: TruckTable
    desk: Desk
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
    lane_ix, chainage_m = np.empty((3, count), np.int32), np.empty((3, count))
    find_places(trucks.columns, lane_ix, chainage_m)
    lane_ix[END, loop.ledger.issued_sequence[:count] <= 0] = -1
    return FleetView(
        tick=loop.tick_count,
        now_ns=loop.now_ns,
        epoch=loop.ledger.epoch,
        truck_ids=tuple(loop.sessions.truck_ids),
        truck_type_ids=tuple(loop.sessions.truck_type_ids),
        session=loop.sessions.state[:count].copy(),
        lane_ix=lane_ix[NOSE],
        chainage_m=chainage_m[NOSE],
        speed_mps=trucks.speed_mps[:count].copy(),
        laden=trucks.laden[:count].copy(),
        end_lane_ix=lane_ix[END],
        end_chainage_m=chainage_m[END],
        rear_lane_ix=lane_ix[REAR],
        rear_chainage_m=chainage_m[REAR],
        battery_wh=loop.telemetry.battery_wh[:count].copy(),
        brake_health=trucks.brake_health[:count].copy(),
        report_age_ns=loop.telemetry.age_ns(loop.now_ns),
        standing=loop.causes.standing[:count].copy(),
        cause=loop.causes.code[:count].copy(),
        cause_ref=loop.causes.ref[:count].copy(),
        cause_since_ns=loop.causes.since_ns[:count].copy(),
        lane_friction=loop.derating.lane_friction,
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
        cause=loop.causes.code[:count],
        cause_ref=loop.causes.ref[:count],
    )


def seen_of(loop: Drawn) -> Seen:
    """Copies of what planning needs, between two ticks."""
    trucks, count = loop.trucks, loop.trucks.count
    comes = loop.sessions.live(count) & loop.ledger.greeted[:count] & (loop.ledger.route_sequence[:count] > 0)
    goes_on = np.isin(loop.desk.limit_cause[:count], _ON_THE_WAY)
    return Seen.of(trucks, comes, np.where(goes_on, np.inf, loop.desk.limit_m[:count]), loop.now_ns)
