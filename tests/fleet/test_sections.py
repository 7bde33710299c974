"""One-lane sections at the desk: who waits before one, what is remembered of its turns, and who is let in."""

from __future__ import annotations

from fleet.server.dispatch.reins import Rein
from fleet.server.dispatch.section_turns import SectionTurned, SectionTurns, turned
from fleet.server.dispatch.sections import Sections
from fleet.server.facts import TruckHeld
from fleet.site import load_site
from planner.authority import Cause
from planner.corridor import NO_ZONE
from planner.one_lane import NO_SECTION, ROOM_OPEN, sections_of
from planner.sections import Turn
from planner.tables import LaneTable
from tests.fleet.desk_road import DeskRoad

ONE_LANE = load_site("one_lane")
STRIP_1, STRIP_2 = 0, 1


def test_the_strip_is_two_sections_with_a_passing_place_between() -> None:
    """Trucks that come out of one find room before the other; beyond both ends the road forks, and they depend on no section."""
    first, second = sections_of(ONE_LANE, LaneTable.of(ONE_LANE))

    assert [ONE_LANE.zones[each.zone_ix].zone_id for each in (first, second)] == ["strip_1", "strip_2"]
    assert (first.ways[0].leads_to, first.ways[0].room_count) == ((STRIP_2, 0), 8)
    assert (second.ways[1].leads_to, second.ways[1].room_count) == ((STRIP_1, 1), 8)
    assert [each.leads_to[0] for each in (first.ways[1], second.ways[0])] == [NO_SECTION, NO_SECTION]
    assert [each.room_count for each in (first.ways[1], second.ways[0])] == [ROOM_OPEN, ROOM_OPEN]


def test_zones_derived_within_a_section_are_part_of_it() -> None:
    """Where both directions lie on the same ground, what is derived there keeps nobody from following; elsewhere it does."""
    of = {zone.zone_id: section for zone, section in zip(ONE_LANE.zones, ONE_LANE.section_of_zone, strict=True)}
    lanes = LaneTable.of(ONE_LANE)
    stops = range(int(lanes.stop_start[ONE_LANE.lane_ix["sb_1790"]]), int(lanes.stop_start[ONE_LANE.lane_ix["sb_1790"] + 1]))

    assert of["strip_1"] == STRIP_1
    assert of["crossing sb_1790/nb_1890"] == STRIP_1
    assert [section for name, section in of.items() if name.startswith(("merge", "diverge")) and section != NO_ZONE] == []
    assert [int(lanes.stop_section[stop]) for stop in stops] == [STRIP_1]


def strip_road(*noses_m: tuple[tuple[str, ...], float]) -> DeskRoad:
    """Trucks on lanes of the strip, each with its nose so far along them, bound for the end of the last."""
    road = DeskRoad(ONE_LANE, [f"mn_bay_{row + 1:02d}" for row in range(len(noses_m))])
    for row, (names, nose_m) in enumerate(noses_m):
        path = [ONE_LANE.lane_ix[name] for name in names]
        road.desk.books.trips.lay(row, path, 0.0, 1e6)
        road.trucks.set_path(row, path, 0.0)
        road.trucks.rear_m[row], road.trucks.nose_m[row], road.trucks.end_m[row] = nose_m - 18.0, nose_m, nose_m + 2.0
    return road


def looked(road: DeskRoad) -> list[int]:
    """Every truck's token after one look of a desk that has just come up."""
    sections = Sections(road.desk.books)
    for row in range(road.trucks.count):
        sections.bound(row, FREE)
    sections.look(road.view(), road.now_ns)
    return road.desk.books.reins.token_ix[: road.trucks.count].tolist()


FREE = Rein(limit_m=1e6, cause=Cause.GOAL)
SOUTH = ("sb_1680", "sb_1740", "sb_1790", "sb_1890", "sb_1940")
NORTH = ("nb_2090", "nb_1940", "nb_1890", "nb_1790", "nb_1740")
ENTRY_M = ONE_LANE.lanes[ONE_LANE.lane_ix["sb_1680"]].length_m + 24.0


def test_a_truck_without_the_token_waits_before_the_section() -> None:
    """What it waits for is named: the section, and not whoever happens to be in it."""
    road = strip_road((SOUTH, 20.0))
    sections = Sections(road.desk.books)

    without = sections.bound(0, FREE)
    road.desk.books.reins.token_ix[0] = STRIP_1
    with_token = sections.bound(0, FREE)

    assert without == Rein(limit_m=ENTRY_M, cause=Cause.ZONE, ref=STRIP_1)
    assert with_token == FREE


def test_what_keeps_a_truck_short_of_the_section_stays_its_cause() -> None:
    """A gate before the section is the gate's wait."""
    gate = Rein(limit_m=30.0, cause=Cause.GATE, ref=4)

    assert Sections(strip_road((SOUTH, 20.0)).desk.books).bound(0, gate) == gate


def test_one_side_gets_the_token_and_the_turn_is_kept() -> None:
    """Two trucks near the section from either end: one goes; a server that comes back knows whose turn it was."""
    road = strip_road((NORTH, 160.0), (SOUTH, 10.0))

    tokens = looked(road)

    assert sorted(tokens) == [-1, STRIP_1]
    kept = [fact for fact in road.desk.books.facts() if isinstance(fact, SectionTurned)]
    assert [each.zone_id for each in kept] == ["strip_1"]


def test_a_truck_that_is_held_gets_no_token() -> None:
    """It does not come: the section is not kept for it."""
    road = strip_road((SOUTH, 10.0))
    road.desk.books.holds[0] = TruckHeld(row=0, stop_id="s", reason="r", actor="op", at_ns=0)

    assert looked(road) == [-1]


def test_a_truck_in_a_section_has_its_token_after_a_restart() -> None:
    """The token is forgotten with the server; whoever is inside must be able to go on behind the one ahead."""
    road = strip_road((SOUTH, ENTRY_M + 40.0))

    assert looked(road) == [STRIP_1]


def test_no_more_are_let_in_than_can_stand_beyond() -> None:
    """Eight trucks stand between the sections: a ninth would come to rest in the first section."""
    between = [(("sb_1940", "sb_2090", "sb_2140", "sb_2220"), 160.0 - 20.0 * k) for k in range(7)]
    road = strip_road(*between, (SOUTH, 58.0), (SOUTH, 30.0))

    tokens = looked(road)

    assert tokens[7:] == [STRIP_1, -1]


def test_turns_survive_a_restart() -> None:
    """A side that has been patient for long is not to begin anew because the server died."""
    before, after = SectionTurns(), SectionTurns()
    before.apply(SectionTurned(zone_id="strip_1", side=1, entered=True, contested_ns=77))

    for fact in before.facts():
        assert isinstance(fact, SectionTurned)
        after.apply(fact)

    assert after.of("strip_1") == Turn(side=1, entered=True, contested_ns=77)
    assert after.of("strip_2") == Turn()
    assert before.facts() == [turned("strip_1", Turn(side=1, entered=True, contested_ns=77))]
