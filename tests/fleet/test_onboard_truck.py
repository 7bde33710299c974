"""One truck and what it is told: terms, routes, authorities, shortenings, stops, silence."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from fleet.onboard import EventKind, LanePoint, MemoryStore, Mode, Term
from fleet.onboard.words import (
    Acknowledgement,
    Heartbeat,
    Mission,
    Resume,
    Route,
    Stop,
    Welcome,
)
from tests.fleet.cab import NS, SEGMENTS, TICK_NS, Cab


@pytest.fixture
def cab() -> Cab:
    """A truck that knows its road and holds an authority to 300 m."""
    made = Cab()
    made.greet()
    made.route()
    made.hear(made.authority(300.0))
    return made


def test_a_truck_drives_to_its_end_and_rests_before_it(cab: Cab) -> None:
    """The whole purpose."""
    cab.run(90)

    assert cab.speed_mps == 0.0
    assert 296.5 < cab.chainage_m < 297.6
    assert cab.command.mode == Mode.HOLD


def test_a_new_truck_stays_until_it_was_welcomed_and_granted() -> None:
    """Neither a socket nor a welcome is permission."""
    cab = Cab()
    cab.run(1)
    cab.greet()
    cab.route()
    cab.run(1)

    assert cab.chainage_m == 50.0


def test_only_a_higher_term_is_taken(cab: Cab) -> None:
    """Radio repeats and reorders: an older end that comes late must not replace a newer one."""
    first, second = cab.authority(310.0), cab.authority(320.0)
    cab.hear(second)
    cab.hear(first)
    cab.hear(second)

    assert cab.supervisor.permission.end == LanePoint("a", 320.0)
    assert cab.supervisor.permission.seen == second.term


def test_a_stray_message_brings_no_new_epoch(cab: Cab) -> None:
    """A second server that nobody said hello to may be an old one with a wrong idea of the road."""
    stray = replace(cab.authority(390.0), term=Term(9, 1))
    cab.hear(stray)

    assert cab.supervisor.permission.end == LanePoint("a", 300.0)
    assert cab.events(EventKind.MESSAGE_REFUSED)[0].facts["reason"] == "EpochNotAgreed"


def test_before_any_welcome_no_epoch_is_agreed() -> None:
    """Not even the one that an empty field stands for."""
    cab = Cab(epoch=0)
    cab.route()
    cab.hear(cab.authority(300.0))

    assert cab.supervisor.permission.path is None
    assert cab.supervisor.permission.end is None


def test_a_welcome_of_an_older_epoch_is_refused(cab: Cab) -> None:
    """A server restored from a copy comes back with a term the truck has left behind."""
    cab.epoch = 3
    cab.greet()

    assert cab.supervisor.permission.agreed_epoch == 4
    assert cab.events(EventKind.MESSAGE_REFUSED)[0].facts["reason"] == "EpochFell"


def test_a_welcome_that_answers_no_hello_is_ignored(cab: Cab) -> None:
    """Only the answer to the newest hello counts, and only while it is young."""
    stamp_ns = cab.supervisor.hello(cab.now_ns).report.stamp_ns
    cab.now_ns += 4 * NS
    late = Welcome(
        epoch=5, hello_stamp_ns=stamp_ns, map_digest="", report_period_ns=0, ladder=(), clearing_speed_mps=2.0, handle=1
    )  # fmt: skip
    cab.hear(late)
    cab.hear(replace(late, hello_stamp_ns=stamp_ns - 1))

    assert cab.supervisor.permission.agreed_epoch == 4


def test_a_term_is_remembered_before_it_is_acted_upon() -> None:
    """If the disk fails, the truck must not hold what it may forget."""

    class Broken(MemoryStore):
        def remember(self, term: Term) -> None:
            if term.sequence > 1:
                raise OSError("disk")
            super().remember(term)

    cab = Cab(store=Broken())
    cab.greet()
    cab.route()
    with pytest.raises(OSError, match="disk"):
        cab.hear(cab.authority(300.0))

    assert cab.supervisor.permission.end is None


def test_a_restarted_truck_says_what_it_had_accepted(cab: Cab) -> None:
    """That is how a server with a lost journal learns that it must not grant."""
    hello = Cab(store=cab.store).supervisor.hello(NS)

    assert hello.seen == Term(4, 2)
    assert hello.end_held is None


def test_an_authority_must_quote_the_route_held_and_end_on_it(cab: Cab) -> None:
    """The same lane and chainage mean nothing along another road."""
    cab.hear(replace(cab.authority(310.0), route_sequence=77))
    cab.hear(cab.authority(10.0, "elsewhere"))

    assert cab.supervisor.permission.end == LanePoint("a", 300.0)
    assert {event.facts["reason"] for event in cab.events(EventKind.MESSAGE_REFUSED)} == {"RouteNotHeld", "EndOffRoute"}


def test_a_route_that_leaves_held_road_is_refused(cab: Cab) -> None:
    """The truck may still be driving on it."""
    cut = (replace(SEGMENTS[0], end_m=250.0), SEGMENTS[1])
    cab.hear(Route(term=cab.next_term(), segments=cut))

    assert cab.events(EventKind.MESSAGE_REFUSED)[0].facts["reason"] == "RouteDisagrees"
    assert cab.supervisor.permission.end == LanePoint("a", 300.0)


def test_a_shortening_that_can_be_honoured_is_acknowledged(cab: Cab) -> None:
    """The acknowledgement is what frees the road behind the old end."""
    cab.run(5)
    shortening = cab.shortening(200.0)
    said = cab.hear(shortening)
    cab.run(90)

    assert said == [Acknowledgement(term=shortening.term, honoured=True, end=LanePoint("a", 200.0))]
    assert cab.speed_mps == 0.0
    assert cab.chainage_m <= 199.5


def test_a_shortening_too_near_is_answered_with_the_earliest_end(cab: Cab) -> None:
    """Promising what brakes cannot keep would free road that the truck is about to enter."""
    cab.run(12)
    before_m = cab.chainage_m
    (said,) = cab.hear(cab.shortening(before_m + 2.0))
    cab.run(30)

    assert isinstance(said, Acknowledgement)
    assert not said.honoured
    assert before_m + 2.0 < said.end.chainage_m < before_m + 40.0
    assert cab.speed_mps == 0.0
    assert cab.chainage_m + 0.5 <= said.end.chainage_m


def test_the_same_shortening_again_gets_the_same_answer(cab: Cab) -> None:
    """The first answer may have been lost, and the road would stay blocked for ever."""
    shortening = cab.shortening(250.0)
    first = cab.hear(shortening)
    cab.run(5)

    assert cab.hear(shortening) == first


def test_silence_stops_the_truck_and_only_hello_and_a_new_grant_move_it_again(cab: Cab) -> None:
    """Driverless trucks have collided when communications came back; coming back is not permission."""
    cab.run(8)
    cab.silent = True
    cab.run(12)
    rested_m = cab.chainage_m
    cab.silent = False
    cab.run(5)
    heartbeats_alone_m = cab.chainage_m
    cab.greet()
    cab.run(5)
    welcome_alone_m = cab.chainage_m
    cab.hear(cab.authority(300.0))
    cab.run(5)

    assert rested_m < 150.0
    assert heartbeats_alone_m == welcome_alone_m == rested_m
    assert cab.chainage_m > rested_m
    assert len(cab.events(EventKind.CONTACT_LOST)) == 1


def test_contact_that_lapsed_asks_for_a_new_hello(cab: Cab) -> None:
    """The stream may still look alive; the truck introduces itself again, and not on every step."""
    cab.silent = True
    cab.run(3)
    due = cab.supervisor.hello_due(cab.now_ns)
    cab.supervisor.hello(cab.now_ns)

    assert due
    assert not cab.supervisor.hello_due(cab.now_ns)
    assert cab.supervisor.hello_due(cab.now_ns + 4 * NS)


def test_old_heartbeats_are_no_contact(cab: Cab) -> None:
    """A buffer that empties itself after the server died would keep the truck driving."""
    cab.run(6)
    stale = cab.supervisor.report(cab.now_ns).challenge
    cab.silent = True
    for _ in range(40):
        cab.run(0.1)
        cab.tick += 2
        cab.hear(Heartbeat(tick=cab.tick, challenge_echo=stale, challenge=1, epoch=cab.epoch))

    assert cab.supervisor.contact.lapsed


def test_heartbeats_of_a_hung_loop_are_no_contact(cab: Cab) -> None:
    """A socket thread may answer for ever; only a tick that rises comes from the loop that decides."""
    cab.run(6)
    cab.silent = True
    for _ in range(40):
        cab.run(0.1)
        challenge = cab.supervisor.report(cab.now_ns).challenge
        cab.hear(Heartbeat(tick=cab.tick - 1000, challenge_echo=challenge, challenge=1, epoch=cab.epoch))

    assert cab.supervisor.contact.lapsed


def test_a_stop_is_taken_in_every_state() -> None:
    """The operator's stop must never be refused for being untimely."""
    cab = Cab()
    cab.hear(Stop(stop_id="dust", reaction=2, cause="visibility"))
    cab.greet()
    cab.route()
    cab.hear(cab.authority(300.0))
    cab.run(3)

    assert cab.chainage_m == 50.0


def test_only_the_same_id_lifts_a_stop_and_then_a_new_grant_is_needed(cab: Cab) -> None:
    """Two people may have stopped the truck for two reasons; each lifts his own, and the server still has a say."""
    cab.run(5)
    cab.hear(Stop(stop_id="dust", reaction=2, cause="visibility"))
    cab.hear(cab.authority(310.0))
    cab.hear(Resume(stop_id="livestock"))
    cab.run(15)
    stopped_m = cab.chainage_m
    cab.hear(Resume(stop_id="dust"))
    cab.run(3)
    lifted_m = cab.chainage_m
    cab.hear(cab.authority(320.0))
    cab.run(3)

    assert cab.chainage_m > stopped_m == lifted_m


def test_an_emergency_stop_order_brakes_with_everything(cab: Cab) -> None:
    """And says so."""
    cab.run(10)
    cab.hear(Stop(stop_id="person", reaction=3, cause="person on the lane"))
    cab.run(0.1)

    assert cab.command.mode == Mode.EMERGENCY_BRAKE
    assert cab.events(EventKind.EMERGENCY_BRAKED)


def test_an_obstacle_stops_the_truck_before_it_and_needs_a_person(cab: Cab) -> None:
    """A truck that drives on when the cow has left the picture drives on when it only hid."""
    cab.run(10)
    cab.sense(obstacle_m=60.0)
    cab.run(20)
    rested_m = cab.chainage_m
    cab.hear(cab.authority(320.0))
    cab.run(5)

    assert cab.speed_mps == 0.0
    assert cab.chainage_m == rested_m


def test_an_obstacle_is_told_with_its_place_and_told_again(cab: Cab) -> None:
    """The server keeps everyone else out of that place; one lost message may not cost that."""
    cab.run(10)
    at_m = cab.chainage_m + 60.0
    cab.sense(obstacle_m=60.0)
    cab.run(20)
    told = cab.events(EventKind.OBSTACLE_SEEN)

    assert [event.place for event in told] == [LanePoint("a", pytest.approx(at_m))] * 3
    assert [after.stamp_ns - event.stamp_ns for event, after in pairwise(told)] == [10 * TICK_NS] * 2


def test_after_a_lost_link_an_obstacle_is_told_to_the_server_that_answers(cab: Cab) -> None:
    """It was told into the void, and the truck stands on its word alone."""
    cab.run(10)
    cab.sense(obstacle_m=60.0)
    cab.run(10)
    before = len(cab.events(EventKind.OBSTACLE_SEEN))
    cab.greet()
    cab.run(1)

    assert len(cab.events(EventKind.OBSTACLE_SEEN)) > before


def test_a_released_obstacle_is_told_no_more_unless_it_is_seen_again(cab: Cab) -> None:
    """A word that was still to be repeated would close the place a person has just opened."""
    cab.run(10)
    cab.sense(obstacle_m=60.0)
    cab.run(0.5)
    cab.hear(Stop(stop_id="intrusion:1", reaction=3, cause="intrusion"))
    cab.hear(Resume(stop_id="intrusion:1"))
    cab.run(5)
    before = len(cab.events(EventKind.OBSTACLE_SEEN))
    cab.sense(obstacle_m=30.0)
    cab.run(0.5)

    assert before == 1
    assert len(cab.events(EventKind.OBSTACLE_SEEN)) == 2


@pytest.mark.parametrize("changes", [{"intact": False}, {"nose": LanePoint("elsewhere", 3.0)}], ids=["trailer parted", "off its path"])
def test_a_truck_that_cannot_trust_itself_brakes_with_everything(cab: Cab, changes: dict[str, object]) -> None:
    """A parted trailer or a position off the path leaves nothing to reason with."""
    cab.run(10)
    cab.sense(**changes)

    assert cab.supervisor.step(cab.now_ns).mode == Mode.EMERGENCY_BRAKE


def test_a_frozen_position_stops_the_truck(cab: Cab) -> None:
    """Wheels that turn while the position stands still: one of the two lies."""
    cab.run(10)
    modes = []
    for _ in range(8):
        cab.now_ns += TICK_NS
        cab.sense()
        modes.append(cab.supervisor.step(cab.now_ns).mode)

    assert modes[0] != Mode.EMERGENCY_BRAKE
    assert modes[-1] == Mode.EMERGENCY_BRAKE


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_garbage_is_no_reading_and_sensors_that_fall_silent_stop_the_truck(cab: Cab, bad: float) -> None:
    """The last good reading grows old, and half a second is as old as it may get."""
    cab.run(10)
    cab.now_ns += 6 * TICK_NS
    cab.sense(speed_mps=bad)

    assert cab.supervisor.step(cab.now_ns).mode == Mode.EMERGENCY_BRAKE


def test_a_position_that_breaks_its_guarantee_widens_the_bound_until_the_truck_stops(cab: Cab) -> None:
    """A jump nobody can explain adds road that the truck may be on, and says so in every report."""
    cab.run(10)
    cab.chainage_m += 8.0
    cab.run(0.2)
    bound_m = cab.supervisor.report(cab.now_ns).bound_m
    cab.run(20)

    assert bound_m > 5.0
    assert cab.speed_mps == 0.0


def test_the_parking_brake_is_set_at_the_goal_until_the_road_beyond_is_given(cab: Cab) -> None:
    """A loader may work only at a truck that cannot move, and a truck may leave only when the loader is proven clear."""
    cab.hear(Mission(mission_id="M1", goal_id="bay_1", goal=LanePoint("a", 297.5), immobilise=True))
    cab.run(90)
    parked = cab.command.immobilise
    cab.hear(cab.authority(298.0))
    cab.run(5)
    still = cab.command.immobilise
    cab.hear(cab.authority(380.0))
    cab.run(5)

    assert parked
    assert still
    assert not cab.command.immobilise
    assert cab.chainage_m > 299.0


def test_reports_rise_and_carry_back_the_newest_challenge(cab: Cab) -> None:
    """Both sides prove their loops alive by answering the other's challenge."""
    cab.run(1)
    first = cab.supervisor.report(cab.now_ns)
    second = cab.supervisor.report(cab.now_ns)

    assert second.stamp_ns > first.stamp_ns
    assert second.challenge > first.challenge
    assert second.challenge_echo == cab.tick
