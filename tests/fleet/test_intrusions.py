"""Persons and animals on the ring: nobody is given their road, and whoever holds some of it stops."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from fleet.log import Event
from fleet.server.commands import LiftStop, RemoveTruck, ResumeTruck, StopAll
from fleet.server.facts import AllStopSet
from fleet.server.inputs import AcknowledgementHeard, JournalChanged, LanePlace
from fleet.server.intrusions import IntrusionKind, IntrusionMet, IntrusionState, stop_id_of
from fleet.server.loop.roots import Roots
from fleet.server.loop.truck_session import State
from fleet.server.outgoing import Reaction
from planner.authority import Cause
from planner.limits import INTRUDER_MARGIN_M, INTRUSIONS_MAX, NO_STOP_BEFORE_M
from tests.fleet.ring_intruders import MakeWorld, closed, given, meets, released, running, seen, sighting, stops_of, tracked


def test_a_truck_stops_before_a_person_far_ahead_without_being_stopped(make_world: MakeWorld) -> None:
    """Nobody is given the road around the person; the rest is ordinary driving, and its cause is named."""
    world = running(make_world)
    world.inputs.append(seen(700.0, 720.0))

    said = world.run(900)

    low_m, high_m = closed(world, "out")
    assert (low_m, high_m) == (pytest.approx(700.0 - INTRUDER_MARGIN_M, abs=4.0), pytest.approx(720.0 + INTRUDER_MARGIN_M, abs=4.0))
    assert low_m <= 700.0 - INTRUDER_MARGIN_M
    assert stops_of(said) == set()
    assert not any(out.shortenings for out in said)
    assert world.trucks[0].v_mps == 0.0
    assert low_m - 25.0 < world.trucks[0].s_m < low_m
    assert Cause(int(world.loop.causes.code[0])) is Cause.INTRUSION
    roots = Roots(world.corridor).of(world.loop.causes, world.loop.sessions.truck_ids, world.loop.intrusions.book.names())
    assert roots == {"T0": ("intrusion", "man")}


def test_a_truck_that_holds_the_road_and_can_still_stop_gives_it_back(make_world: MakeWorld) -> None:
    """With its service brake, by agreement: the road is free of it only once it has said so."""
    world = running(make_world)
    end_m = world.trucks[0].end_m
    world.trucks[0].deaf = True
    world.inputs.append(seen(end_m + 5.0, end_m + 6.0))
    first = world.tick()
    low_m = closed(world, "out")[0]
    unanswered_m = float(world.table.end_m[0])
    world.trucks[0].deaf = False
    short = first.shortenings[0]
    world._shorten(world.trucks[0], short.epoch, short.sequence, short.end)

    said = world.run(300)

    assert stops_of([first, *said]) == set()
    assert unanswered_m == pytest.approx(end_m)
    assert world.table.end_m[0] <= low_m < unanswered_m
    assert world.trucks[0].v_mps == 0.0
    assert world.trucks[0].s_m < low_m


def test_a_truck_that_cannot_stop_with_its_service_brake_gets_an_emergency_stop(make_world: MakeWorld) -> None:
    """Distance decides: what is left is the hardest brake there is."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs.append(seen(s_m + 30.0, s_m + 31.0))

    out = world.tick()

    assert stops_of([out]) == {("intrusion:man", Reaction.EMERGENCY_STOP)}
    assert out.shortenings == ()
    assert world.loop.sessions.state[0] == State.HALTED


def test_a_truck_that_is_there_already_is_stopped_and_others_are_not(make_world: MakeWorld) -> None:
    """A person beside a truck; the truck ahead drives on."""
    world = running(make_world, count=2)
    s_m = world.trucks[0].s_m
    world.inputs.append(seen(s_m - 5.0, s_m - 4.0))

    said = world.run(150)

    assert stops_of(said, 0) == {("intrusion:man", Reaction.EMERGENCY_STOP)}
    assert stops_of(said, 1) == set()
    assert (world.trucks[0].v_mps, world.trucks[1].v_mps > 1.0) == (0.0, True)


def test_a_truck_that_answers_it_cannot_stop_there_gets_an_emergency_stop(make_world: MakeWorld) -> None:
    """Its brakes are its own to judge; asking again would not shorten its way."""
    world = running(make_world)
    truck = world.trucks[0]
    truck.deaf = True
    world.inputs.append(seen(truck.end_m + 5.0, truck.end_m + 6.0))
    short = world.tick().shortenings[0]
    world._accept(truck, short.epoch, short.sequence)
    held = world.place(truck.end_m)
    world.inputs.append(AcknowledgementHeard(row=0, epoch=short.epoch, sequence=short.sequence, honoured=False, end=held))
    truck.deaf = False

    said = world.run(3)

    assert stops_of(said) == {("intrusion:man", Reaction.EMERGENCY_STOP)}


def test_a_shortening_that_is_never_answered_ends_in_an_emergency_stop(make_world: MakeWorld) -> None:
    """A truck that does not hear may still be driving towards the person."""
    world = running(make_world)
    truck = world.trucks[0]
    listen = world._shorten
    world._shorten = lambda *_: None
    world.inputs.append(seen(truck.end_m + 5.0, truck.end_m + 6.0))

    said = world.run(90)

    world._shorten = listen
    assert ("intrusion:man", Reaction.EMERGENCY_STOP) in stops_of(said)
    assert truck.v_mps == 0.0


def test_a_truck_that_gives_road_back_rests_where_it_blocks_nobody(make_world: MakeWorld) -> None:
    """Before the crossing, and not on it: others may have to pass while the person is looked for."""
    world = running(make_world)
    while world.table.end_m[0] < 561.0:
        world.tick()
    world.inputs.append(seen(577.0, 577.0))

    said = world.run(200)

    assert stops_of(said) == set()
    assert world.table.end_m[0] == pytest.approx(500.0 - NO_STOP_BEFORE_M)
    assert world.trucks[0].s_m < 500.0


def test_a_second_intruder_in_the_same_place_is_asked_about_anew(make_world: MakeWorld) -> None:
    """That the truck gave the road back for the first one does not mean that it refuses now."""
    world = running(make_world)
    at_m = world.trucks[0].end_m + 5.0
    world.inputs.append(seen(at_m, at_m))
    world.run(150)
    world.inputs.append(released())
    world.run(2)
    assert world.table.end_m[0] > at_m
    world.inputs.append(seen(at_m, at_m, "dog"))

    said = world.run(30)

    assert stops_of(said) == set()
    assert world.table.end_m[0] < at_m


def test_a_truck_whose_place_is_not_believed_is_stopped_and_not_asked(make_world: MakeWorld) -> None:
    """How far it is from the person is the very thing that is in doubt."""
    world = running(make_world)
    world.trucks[0].lie_m = 45.0
    world.run(4)
    end_m = world.trucks[0].end_m
    world.inputs.append(seen(end_m + 5.0, end_m + 6.0))

    said = world.run(2)

    assert world.loop.sessions.state[0] == State.QUARANTINED
    assert ("intrusion:man", Reaction.EMERGENCY_STOP) in stops_of(said)
    assert not any(out.shortenings for out in said)


def test_a_halted_truck_that_still_rolls_is_stopped_harder(make_world: MakeWorld) -> None:
    """An all-stop brakes with comfort; a person in front of the truck does not wait for that."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs += [given(StopAll(stop_id="red", reason="fog")), seen(s_m + 30.0, s_m + 31.0)]

    out = world.tick()

    assert stops_of([out]) == {("red", Reaction.SERVICE_STOP), ("intrusion:man", Reaction.EMERGENCY_STOP)}


def test_released_it_goes_on_with_a_new_grant_only(make_world: MakeWorld) -> None:
    """Never by itself: driverless trucks have collided when they were let go without being looked at."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs.append(seen(s_m + 25.0, s_m + 26.0))
    world.run(150)
    stood_m = world.trucks[0].s_m
    world.inputs += [released(), JournalChanged(writable=False, reason="full")]
    ungranted = world.run(100)
    still_m = world.trucks[0].s_m
    world.inputs.append(JournalChanged(writable=True, reason="space"))

    said = world.run(100)

    assert [resume.stop_id for out in ungranted for resume in out.resumes][:1] == ["intrusion:man"]
    assert world.trucks[0].stops == set()
    assert still_m == stood_m
    assert any(out.grants is not None and 0 in out.grants.rows for out in said)
    assert world.trucks[0].s_m > stood_m + 20.0


def test_resuming_the_truck_alone_does_not_let_it_into_the_person(make_world: MakeWorld) -> None:
    """Its stop is lifted and given again in one breath, and the release that leaves later may not undo it."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs.append(seen(s_m + 25.0, s_m + 26.0))
    world.run(150)
    world.inputs.append(given(ResumeTruck(request_id="x", truck_id="T0")))

    said = world.run(100)

    assert not any(resume.row == 0 for out in said for resume in out.resumes)
    assert world.trucks[0].stops == {"intrusion:man"}
    assert world.loop.sessions.state[0] == State.HALTED


def test_a_release_leaves_other_stops_in_force(make_world: MakeWorld) -> None:
    """Two people stopped it for two reasons."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs += [seen(s_m + 25.0, s_m + 26.0), given(StopAll(stop_id="red", reason="fog"))]
    world.run(150)
    world.inputs.append(released())
    world.run(100)
    stood_m = world.trucks[0].v_mps
    world.inputs.append(given(LiftStop(request_id="l", stop_id="red")))

    world.run(100)

    assert stood_m == 0.0
    assert world.trucks[0].v_mps > 1.0


def test_where_two_intrusions_overlap_each_must_be_released(make_world: MakeWorld) -> None:
    """One person is gone; the other is not."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs += [seen(s_m + 25.0, s_m + 26.0, "man"), seen(s_m + 28.0, s_m + 29.0, "dog", kind=int(IntrusionKind.ANIMAL))]
    world.run(150)
    stopped = set(world.trucks[0].stops)
    world.inputs.append(released("man"))
    world.run(100)
    still = (set(world.trucks[0].stops), world.trucks[0].v_mps, world.loop.sessions.state[0])
    world.inputs.append(released("dog"))

    world.run(100)

    assert stopped == {"intrusion:man", "intrusion:dog"}
    assert still == ({"intrusion:dog"}, 0.0, State.HALTED)
    assert world.trucks[0].v_mps > 1.0


def test_a_person_seen_elsewhere_closes_more_and_opens_nothing(make_world: MakeWorld) -> None:
    """There may be two of them."""
    world = running(make_world)
    world.inputs.append(seen(800.0, 801.0))
    world.tick()
    world.inputs.append(seen(700.0, 701.0))

    world.tick()

    low_m, high_m = closed(world, "out")
    assert low_m <= 700.0 - INTRUDER_MARGIN_M
    assert high_m >= 801.0 + INTRUDER_MARGIN_M


def test_a_zone_with_a_person_in_it_is_closed_on_every_branch(make_world: MakeWorld) -> None:
    """Whoever sweeps one branch of a crossing sweeps the others."""
    world = running(make_world)
    world.inputs.append(seen(510.0, 511.0))

    world.run(900)

    assert closed(world, "back") == (650.0, 690.0)
    assert world.trucks[0].s_m < 500.0
    assert Cause(int(world.loop.causes.code[0])) is Cause.INTRUSION


def test_a_trucks_own_sighting_closes_the_place_and_keeps_the_truck(make_world: MakeWorld) -> None:
    """Whoever comes behind, or the other way, must not learn of the person by seeing him."""
    world = running(make_world)
    at_m = world.trucks[0].s_m + 300.0
    world.inputs.append(sighting(world.place(at_m)))

    said = world.run(100)

    kept = next(iter(world.loop.intrusions.book.open.values()))
    assert (kept.kind, kept.reporter) == (IntrusionKind.OTHER, "T0")
    assert closed(world, "out", kept.intrusion_id)[0] <= at_m - INTRUDER_MARGIN_M
    assert stops_of(said) == {(stop_id_of(kept.intrusion_id), Reaction.EMERGENCY_STOP)}
    assert {Event(alarm.name) for out in said for alarm in out.alarms} >= {Event.INTRUSION_SEEN, Event.TRUCK_EVENT_HEARD}
    assert world.trucks[0].v_mps == 0.0


def test_a_sighting_told_again_is_the_same_and_a_second_truck_joins_it(make_world: MakeWorld) -> None:
    """Trucks repeat themselves because radios lose words."""
    world = running(make_world, count=2)
    place = world.place(world.trucks[1].s_m + 200.0)
    world.inputs += [sighting(place), sighting(place)]
    world.tick()
    world.inputs += [sighting(place), sighting(place, row=1)]

    world.tick()

    assert len(world.loop.intrusions.book.open) == 1
    assert {fact.row for fact in world.journal if isinstance(fact, IntrusionMet)} == {0, 1}


@pytest.mark.parametrize("place", [None, LanePlace(lane_ix=-1, chainage_m=5.0)], ids=["none", "unknown lane"])
def test_a_sighting_without_a_place_closes_all_the_road_ahead(make_world: MakeWorld, place: LanePlace | None) -> None:
    """Something is there, and the truck that saw it cannot say where."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs.append(sighting(place))

    world.tick()

    low_m, high_m = closed(world, "out", next(iter(world.loop.intrusions.book.open)))
    assert low_m < s_m
    assert high_m > s_m + 80.0


def test_a_removed_trucks_last_sighting_changes_nothing(make_world: MakeWorld) -> None:
    """It arrives in the tick in which two persons declare the truck gone; a server must not die of it."""
    world = running(make_world)
    gone = RemoveTruck(request_id="x", truck_id="T0", taken_to="depot", second_person="Bat", powered_off=True)
    world.inputs += [given(gone), sighting(None)]

    world.run(2)

    assert list(world.loop.intrusions.book.open) == ["removed:T0"]


def test_more_intruders_than_can_be_told_apart_stop_everything(make_world: MakeWorld) -> None:
    """Then it is not the intruders that are wrong, or the road is no corridor any more."""
    world = running(make_world)
    lanes = len(world.corridor.lanes)
    for number in range(INTRUSIONS_MAX + 1):
        world.inputs.append(sighting(LanePlace(lane_ix=number % lanes, chainage_m=(number // lanes) * 60.0)))
    while len(world.loop.intrusions.book.open) < INTRUSIONS_MAX:
        name = f"man-{len(world.loop.intrusions.book.open)}"
        world.inputs.append(seen(1.0, 2.0, name))
        world.tick()
    world.inputs.append(sighting(LanePlace(lane_ix=world.corridor.lane_ix["back"], chainage_m=1350.0)))

    said = world.run(2)

    assert [fact.stop_id for fact in world.journal if isinstance(fact, AllStopSet)] == ["intrusions"]
    assert ("intrusions", Reaction.EMERGENCY_STOP) in stops_of(said)


def test_a_newcomer_on_closed_road_is_refused(make_world: MakeWorld) -> None:
    """Its body would hold road that a person is on."""
    world = make_world(1)
    world.inputs.append(seen(50.0, 51.0))
    world.greet_all()

    world.run(2)

    assert world.trucks[0].refused == "RoadTaken"
    assert world.table.count == 0


def test_intrusions_outlive_the_server(make_world: MakeWorld) -> None:
    """A restart is not a person's word that the place is clear."""
    world = running(make_world, count=2)
    s_m = world.trucks[0].s_m
    world.inputs += [seen(s_m + 25.0, s_m + 26.0), tracked(900.0, 10**9, 4.0, "back")]
    world.run(20)
    before = dict(world.loop.intrusions.book.open)
    world.restart()
    after = dict(world.loop.intrusions.book.open)
    world.greet_all()

    said = world.run(200)

    assert after == before
    assert ("intrusion:man", Reaction.EMERGENCY_STOP) in stops_of(said)
    assert all(out.grants is None or 0 not in out.grants.rows for out in said)
    assert world.loop.intrusions.book.open["pickup"].state is IntrusionState.LOST
    assert world.trucks[0].v_mps == 0.0


def test_a_snapshot_holds_the_intrusions_and_their_stops(make_world: MakeWorld) -> None:
    """It replaces everything the journal said before it."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs += [seen(s_m + 25.0, s_m + 26.0), tracked(900.0, 10**9, 4.0, "back")]
    world.run(5)
    before = dict(world.loop.intrusions.book.open), {stop.stop_id for stop in world.loop.stops.of(0)}
    world.journal = world.loop.snapshot()

    world.restart()

    assert (dict(world.loop.intrusions.book.open), {stop.stop_id for stop in world.loop.stops.of(0)}) == before
    assert "intrusion:man" in before[1]


DEEDS = st.one_of(
    st.tuples(st.just("seen"), st.sampled_from(["a", "b"]), st.sampled_from(["out", "back", "unload"]), st.floats(0.0, 1.0)),
    st.tuples(st.just("tracked"), st.just("pickup"), st.sampled_from(["out", "back"]), st.floats(0.0, 1.0)),
    st.tuples(st.just("sighted"), st.just(""), st.sampled_from(["out", "back"]), st.floats(0.0, 1.0)),
    st.tuples(st.just("released"), st.sampled_from(["a", "b", "pickup", "sighting-1"]), st.just("out"), st.just(0.0)),
    st.tuples(st.just("resumed"), st.just(""), st.just("out"), st.just(0.0)),
)


def do(world: Any, deed: tuple[str, str, str, float]) -> None:
    """One thing that happens on the road or at the desk."""
    what, name, lane_id, share = deed
    at_m = share * world.corridor.lanes[world.corridor.lane_ix[lane_id]].length_m
    match what:
        case "seen":
            world.inputs.append(seen(at_m, at_m, name, lane_id))
        case "tracked":
            world.inputs.append(tracked(at_m, world.now_ns, 5.0, lane_id))
        case "sighted":
            world.inputs.append(sighting(LanePlace(lane_ix=world.corridor.lane_ix[lane_id], chainage_m=at_m)))
        case "released":
            world.inputs.append(released(name))
        case _:
            world.inputs.append(given(ResumeTruck(request_id="x", truck_id="T0")))


@settings(deadline=None, max_examples=40)
@drawn(deeds=st.lists(st.tuples(DEEDS, st.integers(1, 40)), max_size=12))
def test_no_grant_ever_meets_road_that_was_closed_before(make_world: MakeWorld, deeds: list[tuple[Any, int]]) -> None:
    """Whatever is seen, moves, is lost and released, in any order: no road is given where somebody may be."""
    world = make_world(3)
    world.greet_all()
    world.run(60)

    for deed, ticks in deeds:
        do(world, deed)
        for _ in range(ticks):
            out = world.tick()
            granted = [] if out.grants is None else out.grants.rows.tolist()

            assert [row for row in granted if meets(world, row)] == []
