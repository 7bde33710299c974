"""The desk's side of intruders: who may say what, and that it is said once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.errors import AlreadyExists, FleetError, InvalidField, NotFound
from fleet.server import commands as c
from fleet.server.dispatch.answers import IntrusionAnswered
from fleet.server.dispatch.books import DispatchOptions
from fleet.server.dispatch.control import ControlNotHeld
from fleet.server.dispatch.intruders import TooManyIntrusions
from fleet.server.fact_form import decode, encode
from fleet.server.inputs import OBSTACLE_SEEN, CommandGiven, TruckEventHeard
from fleet.server.intrusions import IntrusionKept, IntrusionMet, TransponderStale
from fleet.server.wire.inbox import INPUTS_MAX, Inbox, Overloaded
from fleet.site import load_site
from planner.limits import INTRUSIONS_MAX
from tests.fleet.desk_road import DeskRoad

MANDULA = load_site("mandula")
STAND = MANDULA.stands[MANDULA.stand_ix["mn_park_01"]]
PLACE = c.StretchAnswer(lane_id=STAND.lane_id, start_m=5.0, end_m=5.0)
PERSON = c.ReportIntrusion(request_id="r1", intrusion_id="man-1", kind=1, places=(PLACE,), radius_m=2.0)
PICKUP = c.ReportIntrusion(
    request_id="w1", intrusion_id="pickup", kind=3, places=(PLACE,), radius_m=6.0, tracked=True, speed_mps=0.0, stamp_ns=1
)  # fmt: skip


def desk_road(**options: bool) -> DeskRoad:
    """One parked truck."""
    return DeskRoad(MANDULA, ["mn_park_01"], options=DispatchOptions(day_start_s=10 * 3600, **options))  # type: ignore[arg-type]


def answered(value: object) -> c.IntrusionAnswer:
    """The desk's answer as what it is."""
    assert isinstance(value, c.IntrusionAnswer)
    return value


def test_a_report_is_answered_with_the_road_that_is_closed() -> None:
    """Whoever reports sees at once whether the right place was understood."""
    road = desk_road()

    answer = answered(road.give(PERSON, "bat"))

    assert (answer.intrusion_id, answer.kind, answer.state, answer.reporter) == ("man-1", 1, 1, "bat")
    assert any(at.lane_id == STAND.lane_id and at.start_m <= 5.0 <= at.end_m for at in answer.stretches)
    assert road.desk.intrusions() == [answer]


def test_the_same_report_twice_takes_effect_once() -> None:
    """A retry through a broken line is no second person."""
    road = desk_road()
    first = road.give(PERSON)
    count = len(road.facts)

    again = road.give(PERSON)

    assert again == first
    assert len(road.facts) == count
    with pytest.raises(AlreadyExists):
        road.give(replace(PERSON, radius_m=3.0))


def test_a_transponders_last_word_is_remembered_with_its_truck_alone() -> None:
    """One a second, all day: among the answered requests it would push out everybody else's."""
    road = desk_road()
    road.give(PICKUP)
    second = replace(PICKUP, request_id="w2", stamp_ns=10**9)
    first_answer = road.give(second)

    again = road.give(second)

    assert again == first_answer
    assert not any(isinstance(fact, IntrusionAnswered) for fact in road.facts)
    with pytest.raises(AlreadyExists):
        road.give(replace(second, stamp_ns=2 * 10**9))
    with pytest.raises(TransponderStale):
        road.give(PICKUP)


@pytest.mark.parametrize(
    ("report", "refusal"),
    [
        (replace(PERSON, places=(replace(PLACE, lane_id="nowhere"),)), NotFound),
        (replace(PERSON, places=(replace(PLACE, end_m=1e5),)), InvalidField),
        (replace(PERSON, request_id="r2", intrusion_id="pickup"), InvalidField),
    ],
    ids=["no such lane", "no such metre", "another kind"],
)
def test_a_report_that_cannot_be_meant_is_refused_and_closes_nothing(report: c.ReportIntrusion, refusal: type[FleetError]) -> None:
    """A place that is none would leave the real one open and the person believing it closed."""
    road = desk_road()
    road.give(PICKUP)
    before = road.desk.intrusions()

    with pytest.raises(refusal):
        road.give(report)

    assert road.desk.intrusions() == before


def test_only_who_has_control_may_release_and_anyone_may_report() -> None:
    """Closing road only makes things safer; opening it does not."""
    road = desk_road(control_required=True)
    road.give(PERSON, "guard")
    release = c.ReleaseIntrusion(request_id="x", intrusion_id="man-1")

    with pytest.raises(ControlNotHeld):
        road.give(release, "guard")

    road.give(c.AcquireControl(request_id="a", holder="bat"), "bat")
    assert answered(road.give(release, "bat")).state == 4
    assert road.desk.intrusions() == []
    with pytest.raises(NotFound):
        road.give(replace(release, request_id="y"), "bat")


def test_the_trucks_it_stopped_are_on_the_answer_until_they_are_let_go() -> None:
    """Whoever releases it must know what will move."""
    road = desk_road()
    road.give(PERSON)
    road.desk.apply(IntrusionMet(row=0, intrusion_id="man-1", at_ns=0))
    stopped = road.desk.intrusions()[0].stopped_truck_ids
    road.give(c.ResumeTruck(request_id="x", truck_id="T00"))

    assert stopped == ("T00",)
    assert road.desk.intrusions()[0].stopped_truck_ids == ()


def test_one_too_many_is_refused_and_a_known_one_is_not() -> None:
    """What is open must stay up to date even then."""
    road = desk_road()
    for number in range(INTRUSIONS_MAX):
        road.give(replace(PERSON, request_id=f"r{number}", intrusion_id=f"man-{number}"))

    with pytest.raises(TooManyIntrusions):
        road.give(replace(PERSON, request_id="more", intrusion_id="one-more"))

    assert answered(road.give(replace(PERSON, request_id="known", intrusion_id="man-3", radius_m=9.0))).intrusion_id == "man-3"


def test_what_is_known_of_an_intruder_survives_being_written_down() -> None:
    """A stretch read back a metre shorter is a person on open road."""
    road = desk_road()
    road.give(PERSON)
    road.give(PICKUP)

    for fact in (fact for fact in road.facts if isinstance(fact, IntrusionKept | IntrusionAnswered)):
        assert decode(*encode(fact)) == fact


def test_in_a_flood_there_is_room_for_whatever_closes_road() -> None:
    """A transponder's word may open some, and comes again; a person's and a truck's do not."""
    inbox = Inbox()
    for _ in range(INPUTS_MAX):
        inbox.put("op", CommandGiven(ticket=1, command=c.LiftStop(request_id="l", stop_id="s"), actor="op"))
    seen = TruckEventHeard(row=0, stamp_ns=1, kind=OBSTACLE_SEEN, detail="", place=None)

    inbox.put("op", CommandGiven(ticket=2, command=PERSON, actor="op"))
    inbox.put("T00", seen)
    for given in (CommandGiven(ticket=3, command=PICKUP, actor="op"), replace(seen, kind=OBSTACLE_SEEN + 1)):
        with pytest.raises(Overloaded):
            inbox.put("op", given)

    assert len(inbox.freeze()) == INPUTS_MAX + 2
