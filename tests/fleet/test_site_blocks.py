"""What forbids to switch to another site: whoever is not seen, not ready or not off what changes, and whatever is in doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleet.server.dispatch.sites import SwitchBlocked
from fleet.server.inputs import OBSTACLE_SEEN, JournalChanged, LanePlace, TruckEventHeard
from fleet.server.journal.records import facts_of, records_of
from fleet.server.loop.truck_session import State
from fleet.server.site_facts import SiteProposed
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d
from tests.fleet.map_change import SIDING, SITE, STEEP, drained, propose, switch, under_way
from tests.fleet.shuttle import Shuttle


def test_an_unseen_truck_blocks_the_switch(steep: str) -> None:
    """It may be anywhere on what it holds, and it has not heard of any of this."""
    shuttle = under_way()
    after = propose(shuttle, steep)
    drained(shuttle)
    shuttle.trucks["T3"].mute = True
    shuttle.run(3)

    blocks = shuttle.blocks()
    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)
    shuttle.trucks["T3"].mute = False
    drained(shuttle)

    assert blocks == {"T3": {"UNSEEN"}}
    assert (refused.value.blocks, refused.value.count) == ("T3: unseen", 1)
    assert switch(shuttle, after).state == d.SITE_PROPOSAL_STATE_SWITCHED


def test_a_truck_on_a_changed_lane_blocks_the_switch(steep: str) -> None:
    """By its body, and by the road it may hold."""
    shuttle = under_way()
    after = propose(shuttle, steep)
    shuttle.run(1)

    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)

    assert refused.value.blocks == "T0: on changed lane sb_2"
    assert shuttle.server.switched_to is None


def test_a_truck_that_changed_its_word_blocks_the_switch(steep: str) -> None:
    """It lost what it had loaded."""
    shuttle = under_way(carry=True)
    after = propose(shuttle, steep)
    for truck in shuttle.trucks.values():
        truck.loaded = after.digest
    drained(shuttle)
    shuttle.trucks["T2"].loaded = ""
    shuttle.run(1)

    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)

    assert refused.value.blocks == "T2: not acknowledged"


def test_a_truck_that_calls_in_the_very_tick_of_the_switch_blocks_it(steep: str) -> None:
    """The answer is given last: it holds for all that the tick decided."""
    shuttle = Shuttle(SITE, ["mn_park_01"])
    shuttle.run(3)
    after = propose(shuttle, steep)
    drained(shuttle)
    shuttle.join("T9", "mn_park_05")

    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)

    assert refused.value.blocks == "T9: unseen, not acknowledged"


def test_a_quarantined_truck_and_one_whose_answer_is_out_block_the_switch(variant: Callable[..., str]) -> None:
    """Where the one is nobody knows; what the other holds depends on its answer."""
    shuttle = Shuttle(SITE, ["mn_park_01", "mn_park_02"])
    shuttle.run(3)
    after = propose(shuttle, variant(STEEP))
    drained(shuttle)
    shuttle.trucks["T0"].boot("", instance_id="another")
    shuttle.trucks["T0"].sense(shuttle.now_ns, 0.0, parked=True)
    shuttle.trucks["T1"].mute = True
    shuttle.loop.ledger.shorten(shuttle.row("T1"), float(shuttle.loop.trucks.end_m[1]), "test")
    shuttle.run(1)

    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)

    assert "T0: quarantined" in refused.value.blocks
    assert "T1: shortening unanswered" in refused.value.blocks


def test_somebody_on_the_road_blocks_the_switch_until_he_is_seen_to_be_gone(variant: Callable[..., str]) -> None:
    """How far around him the road is closed was measured out on the map in force; far from everything that changes as well."""
    shuttle = Shuttle(SITE, ["mn_park_01"])
    shuttle.run(3)
    after = propose(shuttle, variant(STEEP))
    drained(shuttle)
    place = common_pb2.LanePoint(lane_id="nb_3", chainage_m=100.0)
    person = d.ReportIntrusionRequest(intrusion_id="I1", kind=d.INTRUSION_KIND_PERSON, place=place, radius_m=5.0)
    shuttle.ask("ReportIntrusion", person)

    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)
    shuttle.ask("ReleaseIntrusion", d.ReleaseIntrusionRequest(intrusion_id="I1"))
    answer = switch(shuttle, after)

    assert refused.value.blocks == "intrusion I1"
    assert answer.state == d.SITE_PROPOSAL_STATE_SWITCHED


def test_a_truck_that_sees_somebody_in_the_very_tick_of_the_switch_blocks_it(variant: Callable[..., str]) -> None:
    """What it saw would be forgotten with the server that heard it."""
    shuttle = Shuttle(SITE, ["mn_park_01"])
    shuttle.run(3)
    after = propose(shuttle, variant(STEEP))
    drained(shuttle)
    place = LanePlace(lane_ix=SITE.lane_ix["nb_3"], chainage_m=100.0)
    seen = TruckEventHeard(row=0, kind=OBSTACLE_SEEN, detail="", stamp_ns=shuttle.now_ns, place=place)
    shuttle.server.engine.inbox.put("T0", seen)

    with pytest.raises(SwitchBlocked, match="intrusion sighting-1"):
        switch(shuttle, after)


def test_a_truck_of_a_type_that_changes_blocks_until_it_is_removed(variant: Callable[..., str]) -> None:
    """Its length and brakes are in every metre it was given."""
    shuttle = Shuttle(SITE, ["mn_park_01", "mn_park_02"])
    shuttle.run(3)
    after = propose(shuttle, variant("truck_types: {coal_truck_70t: {brake_guaranteed_mps2: 2.0}}"))
    shuttle.run(1)
    blocks = shuttle.blocks()
    for truck_id in ("T0", "T1"):
        gone = d.RemoveTruckRequest(truck_id=truck_id, taken_to="depot", second_person="bold", powered_off=True)
        shuttle.ask("RemoveTruck", gone)
        shuttle.trucks[truck_id].mute = True
    gone_blocks = shuttle.blocks()
    for truck_id in ("T0", "T1"):
        shuttle.ask("ReleaseIntrusion", d.ReleaseIntrusionRequest(intrusion_id=f"removed:{truck_id}"))

    answer = switch(shuttle, after)
    shuttle.start(after)

    assert blocks == {"T0": {"TYPE_CHANGED"}, "T1": {"TYPE_CHANGED"}}
    assert gone_blocks == {"": {"INTRUSION"}}
    assert answer.state == d.SITE_PROPOSAL_STATE_SWITCHED
    assert shuttle.loop.ledger.removed[:2].all()
    assert not shuttle.loop.trucks.path_count[:2].any()


def test_while_the_ledger_is_in_doubt_nothing_is_switched(variant: Callable[..., str]) -> None:
    """A truck that knows more than the journal stopped everything: others may hold road that nobody remembers."""
    shuttle = Shuttle(SITE, ["mn_park_01"])
    shuttle.run(3)
    after = propose(shuttle, variant(STEEP))
    stranger = shuttle.join("T9", "mn_park_05")
    stranger._store.remember(shuttle.seen("T0")._replace(epoch=9))
    shuttle.run(1)

    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)

    assert stranger.refused == ["JournalBehind"]
    assert refused.value.blocks == "ledger in doubt journal_behind"


def test_a_held_truck_that_answers_does_not_block(variant: Callable[..., str]) -> None:
    """A fleet that stands by order is the best one to change the map under; the order outlives the switch."""
    shuttle = Shuttle(SITE, ["mn_park_01"], carry=True)
    shuttle.run(3)
    shuttle.ask("StopAll", d.StopAllRequest(stop_id="change", reason="new map"))
    after = propose(shuttle, variant(STEEP))
    shuttle.trucks["T0"].loaded = after.digest
    drained(shuttle)

    switch(shuttle, after)
    shuttle.start(after)
    shuttle.run(3)

    assert shuttle.loop.stops.has("change")
    assert shuttle.loop.sessions.state[0] == State.HALTED


def test_while_nothing_can_be_made_durable_nothing_is_switched(variant: Callable[..., str]) -> None:
    """The switch is one record of the journal, or it is not."""
    shuttle = Shuttle(SITE, ["mn_park_01"])
    shuttle.run(3)
    after = propose(shuttle, variant(STEEP))
    drained(shuttle)
    shuttle.server.engine.inbox.put("disk", JournalChanged(writable=False, reason="full"))

    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)
    shuttle.server.engine.inbox.put("disk", JournalChanged(writable=True, reason=""))
    shuttle.run(1)

    assert refused.value.blocks == "journal"
    assert switch(shuttle, after).state == d.SITE_PROPOSAL_STATE_SWITCHED


@pytest.mark.parametrize("changes", [{"digest": "read otherwise"}, {"text": "site: nothing"}])
def test_a_proposal_that_reads_otherwise_than_it_did_is_not_switched_to(steep: str, changes: dict[str, str]) -> None:
    """Another version of the server may read the same file as another road; what the trucks acknowledged is the first."""
    shuttle = Shuttle(SITE, ["mn_park_01"])
    propose(shuttle, steep)
    proposed = next(fact for fact in facts_of(shuttle.journal.recover().records) if isinstance(fact, SiteProposed))
    shuttle.journal.append(shuttle.server.epoch, records_of([replace(proposed, **changes)]))

    shuttle.start(SITE)
    shuttle.until(lambda: "T0" not in shuttle.blocks(), 10)

    assert shuttle.blocks() == {"": {"SITE_UNREADABLE"}}


def test_a_truck_with_a_stand_that_the_new_site_lacks_blocks_the_switch(variant: Callable[..., str]) -> None:
    """The new site could not say where it stands; it leaves as soon as it can."""
    shuttle = Shuttle(SITE, ["siding_02"])
    shuttle.run(3)
    propose(shuttle, variant(SIDING))
    shuttle.run(1)
    leaving = shuttle.blocks()
    drained(shuttle)

    assert leaving == {"T0": {"ON_CHANGED_LANE", "STAND_GONE"}}
