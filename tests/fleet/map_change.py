"""What tests of a map change share: the site, others that differ from it, and operators who change the map."""

from __future__ import annotations

from fleet.onboard import LanePoint
from fleet.site import corridor_of_text, load_site
from fleet.v1 import dispatch_pb2 as d
from planner.corridor import Corridor
from tests.fleet.shuttle import Shuttle

SITE = load_site("mandula")
# The border strip gets a slope; and one more truck finds room in the siding, which puts every later lane into another row.
STEEP = "lanes: {sb_2: {grades: [{from_m: 0, grade: 0.01}]}}"
SIDING = """
fans:
  siding:
    {yard: checkpoint, from: sb_siding_a, to: sb_siding_b, spacing_m: 4.5, lead_m: 28, speed_kmh: 15, through_speed_kmh: 25,
     rows: [{side: right, kind: siding, count: 1}]}
"""
# One on the strip, two before it, one far away.
PLACES = (LanePoint("sb_2", 700.0), LanePoint("sb_1", 560.0), LanePoint("sb_1", 500.0), LanePoint("nb_3", 100.0))
NOBODY_BLOCKS: dict[str, set[str]] = {}


def propose(shuttle: Shuttle, text: str) -> Corridor:
    """Another site is proposed; it."""
    shuttle.ask("ProposeSite", d.ProposeSiteRequest(text=text))
    return corridor_of_text(text)


def switch(shuttle: Shuttle, after: Corridor) -> d.SiteProposal:
    """The answer to whoever wants to switch; the server's last."""
    answer: d.SiteProposal = shuttle.ask("SwitchSite", d.SwitchSiteRequest(digest=after.digest))
    return answer


def under_way(*, carry: bool = False) -> Shuttle:
    """Four trucks on the road that have just begun to move."""
    shuttle = Shuttle(SITE, PLACES, carry=carry)
    shuttle.run(4)
    return shuttle


def drained(shuttle: Shuttle) -> Shuttle:
    """The same when everybody is ready and off what changes."""
    shuttle.until(lambda: shuttle.blocks() == NOBODY_BLOCKS, 150)
    return shuttle
