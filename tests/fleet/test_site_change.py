"""A map change from proposal to switch, in virtual time, with real onboard computers: nobody is on what changes when it changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet.errors import FleetError, NotFound
from fleet.onboard import LanePoint
from fleet.server.dispatch.sites import SiteAlreadyProposed, SiteSame, SiteUnfit, SwitchBlocked
from fleet.server.engine import SiteDiffers
from fleet.server.headless import HeadlessServer
from fleet.server.inputs import CommandGiven
from fleet.server.journal.journal import MemoryJournal
from fleet.server.journal.records import facts_of, records_of
from fleet.server.loop.truck_session import State
from fleet.server.replay.checkpoint import checkpoint_of, loop_of
from fleet.server.replay.form import encode
from fleet.server.replay.kept import answers_of
from fleet.server.site_commands import SiteAnswer, SiteState, SwitchSite
from fleet.server.site_facts import SiteInForce
from fleet.site import text_of
from fleet.v1 import dispatch_pb2 as d
from tests.fleet.map_change import NOBODY_BLOCKS, PLACES, SIDING, SITE, STEEP, drained, propose, switch, under_way
from tests.fleet.shuttle import OPTIONS, Shuttle


def test_a_map_is_changed_under_a_fleet_that_drives(steep: str) -> None:
    """Proposed, made ready, drained, switched, gone on: no body and no authority is ever where another is, on either map."""
    shuttle = under_way(carry=True)

    after = propose(shuttle, steep)
    unready = shuttle.blocks()
    for truck in shuttle.trucks.values():
        truck.loaded = after.digest
    shuttle.run(1)
    ready = shuttle.server.engine.site_proposal().acknowledged_truck_ids
    drained(shuttle)
    held = {truck_id: shuttle.ground(truck_id) for truck_id in shuttle.trucks}
    answer = switch(shuttle, after)
    known = {truck_id: truck.place for truck_id, truck in shuttle.trucks.items()}
    shuttle.start(after)
    taken_over = {truck_id: shuttle.ground(truck_id) for truck_id in shuttle.trucks}
    shuttle.until(lambda: shuttle.trucks["T2"].on_lane({"sb_2"}), 60)
    shuttle.run(60)

    assert unready["T0"] == {"NOT_ACKNOWLEDGED", "ON_CHANGED_LANE"}
    assert unready["T3"] == {"NOT_ACKNOWLEDGED"}
    assert ready == ("T0", "T1", "T2", "T3")
    assert answer.state == d.SITE_PROPOSAL_STATE_SWITCHED
    assert (answer.digest, answer.digest_in_force) == (after.digest, after.digest)
    assert taken_over == held
    assert shuttle.server.epoch == 2
    assert [truck.supervisor.sites.digest for truck in shuttle.trucks.values()] == [after.digest] * 4
    assert all(truck.refused == [] for truck in shuttle.trucks.values())
    assert all(truck.place != known[truck_id] for truck_id, truck in shuttle.trucks.items())
    assert not shuttle.loop.stops.all_stopped()


def test_from_the_proposal_on_nobody_is_given_road_that_changes(steep: str) -> None:
    """Who holds none of it gets none of it; who is on it is let out."""
    shuttle = under_way()
    after = propose(shuttle, steep)
    changed = set(shuttle.server.engine.site_proposal().changed_lane_ids)
    touching = {truck_id for truck_id in shuttle.trucks if shuttle.holds(truck_id, changed)}

    newly: set[str] = set()
    for _ in range(1500):
        shuttle.tick()
        now = {truck_id for truck_id in shuttle.trucks if shuttle.holds(truck_id, changed)}
        newly |= now - touching
        touching &= now

    assert "sb_2" in changed
    assert newly == touching == set()
    assert shuttle.server.causes()["T1"] == ("site_change", "sb_2")
    assert switch(shuttle, after).state == d.SITE_PROPOSAL_STATE_SWITCHED


def test_a_truck_that_holds_road_up_to_the_very_edge_gives_a_hand_back(variant: Callable[..., str]) -> None:
    """It would call that place by the name of a lane that is not there any more, and nobody would know what it holds."""
    shuttle = Shuttle(SITE, [LanePoint("sb_1", 300.0)])
    shuttle.run(2)
    shuttle.ask("CloseLane", d.CloseLaneRequest(lane_id="sb_2", reason="works"))
    shuttle.until(lambda: shuttle.ahead_m("T0") < 5.0, 90)
    table = shuttle.loop.trucks
    edge_m = float(table.path_start_m[0, table.path(0).index(SITE.lane_ix["sb_2"])])
    exact = float(table.end_m[0]) == edge_m

    after = propose(shuttle, variant(STEEP))
    drained(shuttle)
    moved_back_m = edge_m - float(shuttle.loop.trucks.end_m[0])
    switch(shuttle, after)
    shuttle.start(after)
    shuttle.run(5)

    assert exact
    assert 0.0 < moved_back_m < 0.2
    assert shuttle.loop.sessions.state[0] == State.LIVE
    assert not shuttle.loop.stops.all_stopped()


def test_a_withdrawn_site_leaves_everything_as_it_was(steep: str) -> None:
    """The lanes are driven again, by the same map."""
    shuttle = under_way(carry=True)
    after = propose(shuttle, steep)
    shuttle.until(lambda: "T1" in shuttle.server.causes(), 60)

    answer = shuttle.ask("WithdrawSite", d.WithdrawSiteRequest(digest=after.digest))
    shuttle.until(lambda: shuttle.trucks["T2"].on_lane({"sb_2"}), 60)

    assert answer.state == d.SITE_PROPOSAL_STATE_WITHDRAWN
    assert [truck.supervisor.sites.wanted for truck in shuttle.trucks.values()] == [""] * 4
    with pytest.raises(NotFound):
        switch(shuttle, after)


@pytest.mark.parametrize("step", ["proposed", "ready", "drained", "switched", "gone on"])
@pytest.mark.parametrize("snapshot", [False, True])
def test_a_server_that_restarts_between_any_two_steps_goes_on_with_the_change(
    variant: Callable[..., str], step: str, *, snapshot: bool
) -> None:
    """Kill -9 changes neither the site nor what is proposed, and trucks are asked anew whether they are ready."""
    shuttle = Shuttle(SITE, PLACES[1:], carry=True)
    shuttle.run(2)
    restarted: list[str] = []

    def restart(name: str) -> None:
        if name == step:
            if snapshot:
                shuttle.server.snapshot()
            shuttle.start(shuttle.corridor)
            restarted.append(name)
            shuttle.run(4)

    after = propose(shuttle, variant(STEEP, SIDING))
    restart("proposed")
    for truck in shuttle.trucks.values():
        truck.loaded = after.digest
    shuttle.run(1)
    restart("ready")
    drained(shuttle)
    restart("drained")
    drained(shuttle)
    switch(shuttle, after)
    shuttle.start(after)
    restart("switched")
    shuttle.until(lambda: shuttle.trucks["T0"].on_lane({"sb_2"}), 60)
    restart("gone on")
    shuttle.until(lambda: shuttle.trucks["T1"].on_lane({"sb_2"}), 60)

    assert restarted == [step]
    assert shuttle.server.epoch == 3
    assert shuttle.server.engine.corridor.digest == after.digest


def test_a_repeated_switch_is_answered_as_the_first_by_the_server_that_follows(steep: str) -> None:
    """The answer may have been lost with the line."""
    shuttle = under_way()
    after = propose(shuttle, steep)
    drained(shuttle)
    request = d.SwitchSiteRequest(request_id="once", digest=after.digest)
    first = shuttle.ask("SwitchSite", request)

    shuttle.start(after)
    again = shuttle.ask("SwitchSite", request)

    assert again == first
    assert shuttle.server.switched_to is None


@pytest.mark.parametrize(("carries", "switched"), [("old", True), ("new", False)])
def test_a_truck_with_the_other_map_is_refused_and_stands(steep: str, carries: str, *, switched: bool) -> None:
    """The old map after the switch, the new one before it: the server would speak of other metres than the truck."""
    shuttle = Shuttle(SITE, [PLACES[3]], carry=True)
    shuttle.run(8)
    after = propose(shuttle, steep)
    truck = shuttle.trucks["T0"]
    truck.loaded = after.digest
    drained(shuttle)
    if switched:
        switch(shuttle, after)
        shuttle.start(after)
    truck.loaded = ""
    truck.boot(SITE.digest if carries == "old" else after.digest)
    truck.sense(shuttle.now_ns, 0.0, parked=False)
    shuttle.run(8)
    stood_at = truck.place
    shuttle.run(5)

    assert set(truck.refused) == {"MapMismatch"}
    assert truck.speed_mps == 0.0
    assert truck.place == stood_at
    assert shuttle.loop.sessions.state[0] != State.LIVE


def test_a_truck_whose_computer_came_back_is_asked_again(steep: str) -> None:
    """What it said before was said by one that had the new map."""
    shuttle = Shuttle(SITE, ["mn_park_01"], carry=True)
    shuttle.run(3)
    after = propose(shuttle, steep)
    truck = shuttle.trucks["T0"]
    truck.loaded = after.digest
    drained(shuttle)
    truck.loaded = ""
    truck.boot(SITE.digest)
    truck.sense(shuttle.now_ns, 0.0, parked=True)
    shuttle.run(5)

    with pytest.raises(SwitchBlocked) as refused:
        switch(shuttle, after)

    assert refused.value.blocks == "T0: not acknowledged"


def test_a_proposal_that_was_not_heard_is_said_again(steep: str) -> None:
    """A radio loses a message and keeps the link."""
    shuttle = Shuttle(SITE, ["mn_park_01"])
    shuttle.run(3)
    shuttle.trucks["T0"].deaf = True
    propose(shuttle, steep)
    unheard = shuttle.blocks()
    shuttle.trucks["T0"].deaf = False

    shuttle.run(1.5)

    assert unheard == {"T0": {"NOT_ACKNOWLEDGED"}}
    assert shuttle.blocks() == NOBODY_BLOCKS


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (lambda _: text_of("mandula"), SiteSame),
        (lambda variant: variant("gates: {g1: {process: nothing}}"), FleetError),
        (lambda _: "extends: mandula\nsite: other", FleetError),
        (lambda _: text_of("mandula").replace('"mn"', '"mx"'), SiteUnfit),
    ],
)
def test_what_cannot_follow_is_not_proposed(variant: Callable[..., str], text: Callable[..., str], error: type[FleetError]) -> None:
    """The same site, an unsound one, one that leans on files, one with other yards."""
    shuttle = Shuttle(SITE, ["mn_park_01"])

    with pytest.raises(error):
        propose(shuttle, text(variant))

    with pytest.raises(NotFound):
        shuttle.server.site_proposal()


def test_one_site_is_proposed_at_a_time(variant: Callable[..., str], steep: str) -> None:
    """And the same one again is the same proposal."""
    shuttle = Shuttle(SITE, ["mn_park_01"])
    propose(shuttle, steep)
    proposed = shuttle.server.site_proposal()

    again = shuttle.ask("ProposeSite", d.ProposeSiteRequest(text=steep))
    with pytest.raises(SiteAlreadyProposed):
        propose(shuttle, variant(STEEP, site="mandula_c"))

    assert again == proposed


def test_a_server_does_not_start_on_the_journal_of_another_site(steep: str) -> None:
    """Every lane in it is a row of that site; and nothing of the journal is changed by having tried."""
    shuttle = under_way()
    after = propose(shuttle, steep)
    before = (shuttle.journal.sequence, shuttle.server.epoch)

    with pytest.raises(SiteDiffers) as early:
        HeadlessServer(after, OPTIONS, shuttle.journal)
    untouched = (shuttle.journal.sequence, shuttle.journal.recover().epoch)
    drained(shuttle)
    switch(shuttle, after)
    with pytest.raises(SiteDiffers) as late:
        HeadlessServer(SITE, OPTIONS, shuttle.journal)

    assert untouched == before
    assert (early.value.journal_digest, early.value.given_digest) == (SITE.digest, after.digest)
    assert (late.value.journal_digest, late.value.given_digest) == (after.digest, SITE.digest)


def test_a_journal_that_names_no_site_is_taken_for_this_ones() -> None:
    """It was written before sites were named; from now on it is pinned."""
    shuttle = under_way()
    journal = MemoryJournal(keep=True)
    epoch = journal.acquire()
    facts = [fact for fact in facts_of(shuttle.journal.recover().records) if not isinstance(fact, SiteInForce)]
    journal.append(epoch, records_of(facts))

    HeadlessServer(SITE, OPTIONS, journal).tick(shuttle.now_ns)
    named = [fact for fact in facts_of(journal.recover().records) if isinstance(fact, SiteInForce)]

    assert [(fact.site_id, fact.digest) for fact in named] == [("mandula", SITE.digest)]


def test_a_core_written_down_while_a_site_is_proposed_switches_like_the_one_it_was_written_from(steep: str) -> None:
    """Replay goes on from such a checkpoint; the proposed site is no part of it, only its text."""
    shuttle = under_way()
    after = propose(shuttle, steep)
    drained(shuttle)
    restored = loop_of(checkpoint_of(shuttle.loop), SITE)
    command = SwitchSite(request_id="switch", digest=after.digest)
    asked = [CommandGiven(ticket=1, command=command, actor="op")]
    now_ns = shuttle.now_ns + 100_000_000

    said, said_by_restored = shuttle.loop.tick(now_ns, asked), restored.tick(now_ns, asked)

    assert isinstance(said.replies[0].value, SiteAnswer)
    assert said.replies[0].value.state is SiteState.SWITCHED
    assert encode([answers_of(said_by_restored)]) == encode([answers_of(said)])
