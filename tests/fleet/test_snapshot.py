"""A server that starts from a snapshot knows what one knows that never stopped."""

from __future__ import annotations

from fleet.onboard import LanePoint
from fleet.site import load_site
from fleet.v1 import dispatch_pb2 as d
from tests.fleet.shuttle import Shuttle

SITE = load_site("mandula")


def test_a_removed_truck_is_not_on_the_road_again_after_a_restart() -> None:
    """Somebody saw that its road is empty: it opened, and must not close again because a snapshot still has its way."""
    shuttle = Shuttle(SITE, [LanePoint("nb_3", 300.0), LanePoint("nb_3", 100.0)])
    shuttle.run(3)
    shuttle.trucks["T0"].mute = True
    shuttle.until(lambda: shuttle.trucks["T1"].speed_mps == 0.0, 60)
    shuttle.run(2)
    waits_behind = shuttle.server.causes()["T1"]
    gone = shuttle.trucks.pop("T0")
    removal = d.RemoveTruckRequest(truck_id=gone.truck_id, taken_to="depot", second_person="bold", powered_off=True)
    shuttle.ask("RemoveTruck", removal)
    shuttle.ask("ReleaseIntrusion", d.ReleaseIntrusionRequest(intrusion_id="removed:T0"))

    shuttle.server.snapshot()
    shuttle.start(SITE)
    shuttle.until(lambda: shuttle.trucks["T1"].on_lane({"nb_4"}), 150)

    assert waits_behind == ("leader", "T0")
    assert not shuttle.loop.trucks.path_count[0]
