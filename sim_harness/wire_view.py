"""
A server's picture of its fleet, put together from what its own services list: what the watches of a run on the wire look at.

Where a truck's rear is confirmed no service tells: of its ground only the end is in the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from fleet.server.fleet_view import FleetView
from fleet.v1 import dispatch_pb2
from planner.authority import Cause
from planner.corridor import Corridor

# A term that nobody asked for.
NO_EPOCH: Final = 0
_NOTHING: Final = -1
# What the subject of a cause is the name of: of all others the watches ask no more than the cause.
_OF_GATES: Final = (Cause.GATE, Cause.CUSTOMS, Cause.OPENING, Cause.INSPECTION)
_OF_STANDS: Final = (Cause.GOAL, Cause.BAY, Cause.STAND, Cause.CHARGING, Cause.SLOT, Cause.NO_ORDER)


class WireView:
    """Reads the lists of a server of one site."""

    def __init__(self, corridor: Corridor) -> None:
        self._corridor = corridor
        self._named: dict[Cause, Mapping[str, int]] = {
            Cause.ZONE: {zone.zone_id: ix for ix, zone in enumerate(corridor.zones)},
            **dict.fromkeys(_OF_GATES, corridor.gate_ix),
            **dict.fromkeys(_OF_STANDS, corridor.stand_ix),
        }

    def of(
        self, trucks: Sequence[dispatch_pb2.Truck], frictions: Mapping[str, float], *, tick: int, now_ns: int, epoch: int = NO_EPOCH
    ) -> FleetView:
        """*trucks* and the friction by lane as columns, after *tick* at *now_ns*."""
        count = len(trucks)
        lane_ix = {lane_id: np.int32(ix) for lane_id, ix in self._corridor.lane_ix.items()}
        rows = {truck.truck_id: row for row, truck in enumerate(trucks)}
        causes = [self._cause(truck, rows) for truck in trucks]
        return FleetView(
            tick=tick,
            now_ns=now_ns,
            epoch=epoch,
            truck_ids=tuple(rows),
            truck_type_ids=tuple(truck.truck_type_id for truck in trucks),
            session=np.array([truck.session for truck in trucks], dtype=np.int8),
            lane_ix=np.array([lane_ix.get(truck.nose.lane_id, -1) for truck in trucks], dtype=np.int32),
            chainage_m=np.array([truck.nose.chainage_m for truck in trucks]),
            speed_mps=np.array([truck.speed_mps for truck in trucks]),
            laden=np.array([truck.laden for truck in trucks], dtype=np.bool_),
            end_lane_ix=np.array([lane_ix.get(truck.end.lane_id, -1) for truck in trucks], dtype=np.int32),
            end_chainage_m=np.array([truck.end.chainage_m for truck in trucks]),
            rear_lane_ix=np.full(count, -1, dtype=np.int32),
            rear_chainage_m=np.zeros(count),
            battery_wh=np.array([truck.battery_wh for truck in trucks]),
            brake_health=np.array([truck.brake_health for truck in trucks]),
            report_age_ns=np.array([_age_ns(truck) for truck in trucks], np.int64),
            standing=np.array([truck.HasField("standing_for") for truck in trucks], dtype=np.bool_),
            cause=np.array([cause for cause, _ in causes], dtype=np.int32),
            cause_ref=np.array([ref for _, ref in causes], dtype=np.int32),
            cause_since_ns=np.zeros(count, dtype=np.int64),
            lane_friction=np.array([frictions[lane.lane_id] for lane in self._corridor.lanes]),
        )

    def _cause(self, truck: dispatch_pb2.Truck, rows: Mapping[str, int]) -> tuple[Cause, int]:
        """What a truck stands for and the row of what that points to; nothing for one that moves."""
        if not truck.HasField("standing_for"):
            return Cause.NONE, _NOTHING
        cause = Cause[truck.standing_for.kind.upper()]
        named = rows if cause is Cause.LEADER else self._named.get(cause, {})
        return cause, named.get(truck.standing_for.subject_id, _NOTHING)


def _age_ns(truck: dispatch_pb2.Truck) -> int:
    return truck.report_age.ToNanoseconds() if truck.HasField("report_age") else _NOTHING
