"""What loosens takes two persons where callers have certificates: the first word is kept, and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.clock import NS_PER_S
from fleet.errors import FleetError, InvalidField, NotFound
from fleet.server import commands as c
from fleet.server.dispatch.agreements import AGREE_WITHIN_NS, SecondPersonOther
from fleet.server.dispatch.control import ControlNotHeld
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.dispatch.operators import SecondPersonMissing, TruckUnderPower
from fleet.server.engine import EngineOptions
from fleet.server.facts import BrakesDerated, LaneFrictionSet, StretchDerated, TruckGreeted, TruckRemoved
from fleet.server.headless import HeadlessServer
from fleet.server.inputs import CommandGiven
from fleet.site import load_site
from tests.fleet.desk_road import DeskRoad

MANDULA = load_site("mandula")
PROVEN = DispatchOptions(identities_proven=True)
BAT = "spiffe://mandula/operator/bat/dispatcher"
BAT_PROMOTED = "spiffe://mandula/operator/bat/supervisor"
OD = "spiffe://mandula/operator/od/supervisor"
LI = "spiffe://mandula/operator/li/dispatcher"
STOP = c.StopAll(stop_id="s1", reason="fire")
REMOVE = c.RemoveTruck(request_id="rm1", truck_id="T00", taken_to="workshop", second_person="od", powered_off=True)
LIMIT = c.LimitLane(request_id="l1", lane_id="sb_2", speed_limit_mps=3.0, reason="dust")


@pytest.fixture
def road() -> DeskRoad:
    """Two trucks, and callers with certificates."""
    return DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"], options=PROVEN)


def lift(request_id: str) -> c.LiftStop:
    """Lifts the stop of these tests."""
    return c.LiftStop(request_id=request_id, stop_id="s1")


def stopped(road: DeskRoad) -> bool:
    """Whether the stop of these tests is in force."""
    return [stop.stop_id for stop in road.desk.stops()] == ["s1"]


def limit_of(road: DeskRoad) -> float:
    """The temporary limit of the lane of these tests."""
    return next(lane.speed_limit_mps for lane in road.desk.lanes() if lane.lane_id == "sb_2")


@pytest.mark.parametrize("same", [BAT, BAT_PROMOTED])
def test_one_person_lifts_nothing_however_often_he_asks(road: DeskRoad, same: str) -> None:
    """Nor does he with a second certificate: two pairs of eyes are wanted, not two pieces of paper."""
    road.give(STOP, LI)

    first = road.give(lift("1"), BAT)
    again = road.give(lift("2"), same)

    assert isinstance(first, c.StopAnswer)
    assert first.needs_second_person
    assert BAT in first.asked
    assert isinstance(again, c.StopAnswer)
    assert again.needs_second_person
    assert stopped(road)


def test_the_second_person_lifts_even_after_a_restart(road: DeskRoad) -> None:
    """The first one's word is as durable as everything else, and both are on the record."""
    road.give(STOP, LI)
    road.give(lift("1"), BAT)

    answer = road.recover().give(lift("2"), OD)

    assert isinstance(answer, c.StopAnswer)
    assert not answer.active
    assert answer.asked == ""


def test_a_word_is_worth_ten_minutes(road: DeskRoad) -> None:
    """What the first person saw is old by then; he is told so on everybody's screen, where it stands no more."""
    road.give(STOP, LI)
    road.give(lift("1"), BAT)
    road.now_ns += AGREE_WITHIN_NS + NS_PER_S

    late = road.give(lift("2"), OD)

    assert isinstance(late, c.StopAnswer)
    assert late.needs_second_person
    assert OD in late.asked
    road.now_ns += AGREE_WITHIN_NS + NS_PER_S
    road.step(20)
    assert [stop.asked for stop in road.desk.stops()] == [""]


def test_whoever_stops_again_takes_back_what_was_asked(road: DeskRoad) -> None:
    """He saw something; the one who wanted to go on has not seen it."""
    road.give(STOP, LI)
    road.give(lift("1"), BAT)
    road.give(replace(STOP, reason="smoke"), LI)

    answer = road.give(lift("2"), OD)

    assert isinstance(answer, c.StopAnswer)
    assert answer.active


def test_a_stop_under_an_id_that_was_lifted_stops_again() -> None:
    """Whoever presses the button twice means it twice: an answer from memory would say stopped while everything drives."""
    road = DeskRoad(MANDULA, [])
    road.give(STOP)
    road.give(lift("1"))

    answer = road.give(STOP)

    assert isinstance(answer, c.StopAnswer)
    assert answer.active
    assert stopped(road)


def test_a_truck_is_removed_by_two_who_name_each_other(road: DeskRoad) -> None:
    """A wrong word here opens occupied road; the record says who gave each."""
    first = road.give(REMOVE, BAT)
    with pytest.raises(SecondPersonMissing):
        road.give(replace(REMOVE, request_id="rm2"), OD)
    with pytest.raises(SecondPersonOther):
        road.give(replace(REMOVE, request_id="rm3", second_person="bat"), LI)
    between = road.desk.books.trips.known(0).removed
    road.give(replace(REMOVE, request_id="rm4", second_person="bat"), OD)

    assert isinstance(first, c.TruckAnswer)
    assert "workshop" in first.asked
    assert not between
    removed = next(fact for fact in road.facts if isinstance(fact, TruckRemoved))
    assert (removed.second_person, removed.actor) == (BAT, OD)


def test_two_who_name_other_places_have_not_said_the_same(road: DeskRoad) -> None:
    """One of them did not see where it went."""
    road.give(REMOVE, BAT)

    road.give(replace(REMOVE, request_id="rm2", second_person="bat", taken_to="depot"), OD)

    assert not road.desk.books.trips.known(0).removed


def test_a_truck_that_speaks_is_not_gone(road: DeskRoad) -> None:
    """It said hello since the first person saw it without power: it is not the one he saw."""
    road.give(REMOVE, BAT)
    road.desk.apply(
        TruckGreeted(row=0, epoch=1, instance_id="i", boot_id="b", stamp_ns=1, seen_epoch=1, seen_sequence=0, end_m=0.0, at_ns=1)
    )

    road.give(replace(REMOVE, request_id="rm2", second_person="bat"), OD)

    assert not road.desk.books.trips.known(0).removed


@pytest.mark.parametrize(("mps", "takes_two"), [(2.0, False), (3.0, False), (4.0, True), (0.0, True)])
def test_a_limit_goes_down_by_one_word_and_up_by_two(road: DeskRoad, mps: float, takes_two: bool) -> None:
    """Slower is always safe; 0 is no limit at all."""
    road.give(LIMIT, LI)

    first = road.give(replace(LIMIT, request_id="l2", speed_limit_mps=mps), BAT)
    between = limit_of(road)
    road.give(replace(LIMIT, request_id="l3", speed_limit_mps=mps), OD)

    assert isinstance(first, c.LaneAnswer)
    assert bool(first.asked) == takes_two
    assert first.needs_second_person == takes_two
    assert between == (3.0 if takes_two else mps)
    assert limit_of(road) == mps


def test_what_changed_meanwhile_voids_the_first_word(road: DeskRoad) -> None:
    """Somebody made it slower since: the first one spoke of what was before."""
    road.give(LIMIT, LI)
    road.give(replace(LIMIT, request_id="l2", speed_limit_mps=8.0), BAT)
    road.give(replace(LIMIT, request_id="l3", speed_limit_mps=1.0), LI)

    road.give(replace(LIMIT, request_id="l4", speed_limit_mps=8.0), OD)

    assert limit_of(road) == 1.0


def test_weak_brakes_are_believed_again_by_two(road: DeskRoad) -> None:
    """The braking distance of that truck becomes shorter in the books; one that was only parked comes back by one word."""
    road.desk.apply(BrakesDerated(row=0, brake_health=0.7, at_ns=0))
    words = [c.RecommissionTruck(request_id=f"b{at}", truck_id=f"T0{at}", reason="new pads") for at in range(2)]

    first, other = (road.give(word, BAT) for word in words)
    road.give(replace(words[0], request_id="b2"), OD)

    assert isinstance(first, c.TruckAnswer)
    assert first.asked
    assert isinstance(other, c.TruckAnswer)
    assert other.asked == ""
    assert road.desk.books.weak == set()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (lift("1"), NotFound),
        (replace(REMOVE, powered_off=False), TruckUnderPower),
        (replace(REMOVE, taken_to=" "), InvalidField),
        (c.RecommissionTruck(request_id="b", truck_id="T00", reason=""), InvalidField),
        (replace(LIMIT, request_id="l2", speed_limit_mps=-1.0), InvalidField),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type) else value.__name__,
)
def test_what_cannot_be_done_is_refused_to_the_first(road: DeskRoad, command: c.Command, why: type[FleetError]) -> None:
    """Nobody fetches a colleague to hear that; and who never said that the power was off must not count as one of two who did."""
    road.desk.apply(BrakesDerated(row=0, brake_health=0.7, at_ns=0))
    road.give(LIMIT, LI)

    with pytest.raises(why):
        road.give(command, BAT)

    assert road.desk.books.agreements.asked == {}


def test_who_has_control_keeps_others_out_but_not_the_second_person(road: DeskRoad) -> None:
    """Two hands on one desk are one too many; the second pair of eyes is not a hand. When the lease is over, whoever may commands."""
    close = c.CloseLane(request_id="c1", lane_id="sb_2", reason="coal")
    road.give(STOP, LI)
    road.give(c.AcquireControl(request_id="a", holder="bat"), BAT)
    with pytest.raises(ControlNotHeld) as refused:
        road.give(close, OD)

    road.give(lift("1"), BAT)
    lifted = road.give(lift("2"), OD)
    road.give(c.HoldTruck(request_id="h", truck_id="T00", reason="anyone may stop"), LI)
    road.now_ns += int(PROVEN.control_lease_s * NS_PER_S) + 1
    road.give(close, OD)

    assert refused.value.facts()["holder"] == BAT
    assert isinstance(lifted, c.StopAnswer)
    assert not lifted.active


class Gritted:
    """A whole server of this site, its callers known, and one lane with ice on it."""

    def __init__(self) -> None:
        self.server = HeadlessServer(MANDULA, EngineOptions(dispatch=PROVEN))
        self.now_ns = 0
        self.tick()
        self.lane_ix = MANDULA.lane_ix["sb_2"]

    def tick(self) -> list[object]:
        """One tick; what it decided."""
        self.now_ns += NS_PER_S // 10
        outgoing = self.server.engine.tick(self.now_ns)
        return [*outgoing.facts, *(reply.value for reply in outgoing.replies)]

    def say(self, friction: float, actor: str) -> list[object]:
        """*actor* says what grip the lane has."""
        command = c.SetLaneFriction(request_id=f"g{self.now_ns}", lane_id="sb_2", friction=friction, reason="gritted")
        self.server.engine.inbox.put(actor, CommandGiven(ticket=1, command=command, actor=actor))
        return self.tick()

    @property
    def grip(self) -> float:
        """What is believed of the lane."""
        return float(self.server.engine.loop.derating.lane_friction[self.lane_ix])


def test_worse_grip_takes_one_word_and_better_grip_two() -> None:
    """Every braking distance on that lane hangs on it."""
    road = Gritted()
    road.say(0.3, BAT)
    worse = road.grip
    first = road.say(0.6, BAT)
    between = road.grip
    second = road.say(0.6, OD)

    assert (worse, between, road.grip) == (0.3, 0.3, 0.6)
    assert [fact for fact in first if isinstance(fact, LaneFrictionSet | FleetError)] == []
    assert any(isinstance(fact, LaneFrictionSet) for fact in second)


def test_a_grip_that_no_road_has_is_refused_to_the_first() -> None:
    """Two persons' word makes no road of it."""
    road = Gritted()
    road.say(0.3, BAT)

    (refused,) = (fact for fact in road.say(9.0, BAT) if isinstance(fact, FleetError))

    assert isinstance(refused, InvalidField)
    assert road.server.engine.desk.books.agreements.asked == {}


def test_ice_that_a_truck_meets_meanwhile_voids_the_first_word() -> None:
    """The road is not what the first person looked at."""
    road = Gritted()
    road.say(0.3, BAT)
    road.say(0.6, BAT)
    slipped = StretchDerated(row=-1, lane_ix=road.lane_ix, from_m=0.0, to_m=20.0, friction=0.2, at_ns=road.now_ns)
    road.server.engine.loop.apply(slipped)

    road.say(0.6, OD)

    assert road.grip == 0.2
