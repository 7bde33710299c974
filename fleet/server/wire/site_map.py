"""The site in force on the wire, for whoever draws it."""

from __future__ import annotations

from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d
from planner.corridor import Corridor, Stretch


def site_map(corridor: Corridor) -> d.Site:
    """*corridor* as the wire has it."""
    return d.Site(
        site_id=corridor.site_id,
        digest=corridor.digest,
        origin_latitude_deg=corridor.origin_latitude_deg,
        origin_longitude_deg=corridor.origin_longitude_deg,
        lanes=[
            d.SiteLane(
                lane_id=lane.lane_id,
                from_node_id=lane.from_node_id,
                to_node_id=lane.to_node_id,
                length_m=lane.length_m,
                width_m=lane.width_m,
                speed_max_mps=lane.speed_max_mps,
                east_m=[east_m for east_m, _ in lane.points],
                north_m=[north_m for _, north_m in lane.points],
            )
            for lane in corridor.lanes
        ],
        zones=[
            d.SiteZone(
                zone_id=zone.zone_id,
                one_lane=zone.one_lane,
                derived=zone.derived,
                stretches=[_stretch(part.stretch) for part in zone.parts],
            )
            for zone in corridor.zones
        ],
        gates=[
            d.SiteGate(gate_id=gate.gate_id, lane_id=gate.lane_id, role=gate.role.value, stop_line_m=gate.stop_line_m, clear_m=gate.clear_m)
            for gate in corridor.gates
        ],
        stands=[
            d.SiteStand(stand_id=stand.stand_id, yard_id=stand.yard_id, kind=stand.kind.value, lane_id=stand.lane_id, stop_m=stand.stop_m)
            for stand in corridor.stands
        ],
        yards=[d.SiteYard(yard_id=yard.yard_id, role=yard.role.value, time_zone=yard.timezone) for yard in corridor.yards],
        no_stops=[_stretch(part) for part in corridor.no_stops],
        truck_types=[
            d.SiteTruckType(truck_type_id=kind.truck_type_id, length_m=kind.length_m, width_m=kind.width_m, battery_wh=kind.battery_wh)
            for kind in corridor.truck_types
        ],
    )


def _stretch(part: Stretch) -> common_pb2.Stretch:
    return common_pb2.Stretch(lane_id=part.lane_id, start_m=part.start_m, end_m=part.end_m)
