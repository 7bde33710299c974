"""The map on the wire is the map the server drives by."""

from __future__ import annotations

import pytest

from fleet.client import asks
from fleet.server.wire.site_map import site_map
from fleet.site import load_site


@pytest.mark.parametrize("name", ["mandula", "one_lane"])
def test_the_map_is_served_as_the_server_drives_by_it(name: str) -> None:
    """A console draws what the server knows, not what somebody has as a file; the operators' SDK reads all of it."""
    corridor = load_site(name)
    site = asks.site().read(site_map(corridor))

    assert (site.site_id, site.digest) == (corridor.site_id, corridor.digest)
    assert [lane.lane_id for lane in site.lanes] == [lane.lane_id for lane in corridor.lanes]
    assert [tuple(zip(lane.east_m, lane.north_m, strict=True)) for lane in site.lanes] == [lane.points for lane in corridor.lanes]
    assert {gate.gate_id: (gate.role, gate.stop_line_m) for gate in site.gates} == {
        gate.gate_id: (gate.role.value, gate.stop_line_m) for gate in corridor.gates
    }
    assert {stand.stand_id: stand.stop_m for stand in site.stands} == {stand.stand_id: stand.stop_m for stand in corridor.stands}
    assert [zone.one_lane for zone in site.zones] == [zone.one_lane for zone in corridor.zones]
    assert any(zone.one_lane for zone in site.zones) is (name == "one_lane")
    assert {kind.truck_type_id: kind.length_m for kind in site.truck_types} == {
        kind.truck_type_id: kind.length_m for kind in corridor.truck_types
    }
