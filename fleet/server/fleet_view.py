"""The fleet at one tick, for readers: copies that nobody changes any more."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.server.columns import CodeColumn, FlagColumn, FloatColumn, IntColumn, RowColumn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetView:
    """
    Columns (n,) by row, and *lane_friction* (m,), the lowest believed on each lane.

    *session* is the wire's number. *lane_ix*, *chainage_m* are the nose's. *end_lane_ix* -1 where no authority is held, *rear_lane_ix*
    -1 where there is no path to have a confirmed rear on.
    *report_age_ns* -1 before the first report. *standing*, *cause*, *cause_ref*, *cause_since_ns* say why a truck stands:
    `planner.authority.Cause`, the row of what it refers to (-1 for none), and since when.
    """

    tick: int
    now_ns: int
    epoch: int
    truck_ids: tuple[str, ...]
    truck_type_ids: tuple[str, ...]
    session: CodeColumn
    lane_ix: RowColumn
    chainage_m: FloatColumn
    speed_mps: FloatColumn
    laden: FlagColumn
    end_lane_ix: RowColumn
    end_chainage_m: FloatColumn
    rear_lane_ix: RowColumn
    rear_chainage_m: FloatColumn
    battery_wh: FloatColumn
    brake_health: FloatColumn
    report_age_ns: IntColumn
    standing: FlagColumn
    cause: RowColumn
    cause_ref: RowColumn
    cause_since_ns: IntColumn
    lane_friction: FloatColumn
