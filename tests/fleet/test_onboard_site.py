"""The truck's side of a map change: it answers for what it has loaded, and changes its map at a welcome and at nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.onboard import EventKind, Interpreter, LanePoint, Sensors, Supervisor, Term
from fleet.onboard.hardware import Command
from fleet.onboard.words import (
    Heartbeat,
    MovementAuthority,
    Route,
    Said,
    SiteAcknowledged,
    SiteProposed,
    SiteWithdrawn,
    TruckEvent,
    Welcome,
)
from fleet.v1 import truck_pb2
from tests.fleet.cab import KIND, ME, NS, SEGMENTS

OLD, NEW = "digest-old", "digest-new"


def truck(digest: str = OLD) -> Supervisor:
    """A truck that stands, with a reading, and carries the site of *digest*."""
    made = Supervisor(replace(ME, map_digest=digest), KIND)
    sense(made)
    return made


def sense(on: Supervisor, loaded: str = "") -> list[Said]:
    """One reading; *loaded* is what the hardware says it has beside its map."""
    nose = LanePoint("a", 50.0)
    on.sense(Sensors(stamp_ns=NS, nose=nose, speed_mps=0.0, acceleration_mps2=0.0, bound_m=0.5, laden=False, loaded_digest=loaded))
    return on.drain()


def welcome(on: Supervisor, digest: str, epoch: int = 4) -> list[Said]:
    """A welcome from a server whose site has *digest*."""
    stamp_ns = on.hello(NS).report.stamp_ns
    said = Welcome(
        epoch=epoch, hello_stamp_ns=stamp_ns, map_digest=digest, report_period_ns=0, ladder=((1.0, 1), (2.0, 2)), clearing_speed_mps=2.0, handle=1
    )  # fmt: skip
    return on.receive(said, NS)


def refusals(said: list[Said]) -> list[str]:
    """Reasons of the messages that the truck refused."""
    return [one.facts["reason"] for one in said if isinstance(one, TruckEvent) and one.kind is EventKind.MESSAGE_REFUSED]


def test_a_truck_without_a_map_is_ready_at_once() -> None:
    """It takes its road from routes alone, whatever they are drawn from."""
    on = truck("")

    assert on.receive(SiteProposed(digest=NEW), NS) == [SiteAcknowledged(digest=NEW)]
    assert on.step(NS).load_digest == ""


def test_a_truck_with_a_map_is_ready_when_its_hardware_has_loaded_the_other() -> None:
    """An answer given too early would switch the server under a truck that cannot follow."""
    on = truck()

    early = on.receive(SiteProposed(digest=NEW), NS)
    wanted = on.step(NS)
    other, loaded = sense(on, "digest-else"), sense(on, NEW)

    assert early == []
    assert (wanted.map_digest, wanted.load_digest) == (OLD, NEW)
    assert other == []
    assert loaded == [SiteAcknowledged(digest=NEW)]
    assert on.step(NS).load_digest == ""


def test_what_is_loaded_before_it_is_proposed_is_answered_at_once_and_again() -> None:
    """The server repeats what nobody answered; an answer may have been lost."""
    on = truck()
    sense(on, NEW)

    answers = [on.receive(SiteProposed(digest=NEW), NS) for _ in range(2)]

    assert answers == [[SiteAcknowledged(digest=NEW)]] * 2


def test_a_truck_that_lost_what_it_loaded_says_so() -> None:
    """Its word was given for something it does not have any more."""
    on = truck()
    on.receive(SiteProposed(digest=NEW), NS)
    sense(on, NEW)

    assert sense(on, "") == [SiteAcknowledged(digest="")]
    assert on.step(NS).load_digest == NEW


def test_a_withdrawn_site_is_wanted_no_more() -> None:
    """Nothing is loaded for it, and nothing said."""
    on = truck()
    on.receive(SiteProposed(digest=NEW), NS)

    on.receive(SiteWithdrawn(digest=NEW), NS)

    assert on.step(NS).load_digest == ""
    assert sense(on, NEW) == []


def test_the_withdrawal_of_another_site_changes_nothing() -> None:
    """It came late: a newer proposal stands."""
    on = truck()
    on.receive(SiteProposed(digest=NEW), NS)

    on.receive(SiteWithdrawn(digest="digest-else"), NS)

    assert on.step(NS).load_digest == NEW


def test_a_proposal_does_not_change_the_map() -> None:
    """Between the phases the truck drives by what it drove by; only a welcome says which of the two counts."""
    on = truck()
    on.receive(SiteProposed(digest=NEW), NS)
    sense(on, NEW)

    before = on.hello(NS)
    welcome(on, NEW)
    after = on.hello(NS)

    assert (before.map_digest, before.ready_digest) == (OLD, NEW)
    assert (after.map_digest, after.ready_digest) == (NEW, "")
    assert on.step(NS).map_digest == NEW


def test_a_welcome_under_the_old_site_keeps_it() -> None:
    """The server came back without having switched."""
    on = truck()
    sense(on, NEW)

    welcome(on, OLD)

    assert (on.hello(NS).map_digest, on.hello(NS).ready_digest) == (OLD, NEW)


@pytest.mark.parametrize("loaded", ["", "digest-else"])
def test_a_server_on_a_site_the_truck_has_not_loaded_is_not_obeyed(loaded: str) -> None:
    """The truck refuses its term, so it takes neither route nor authority, and without contact it stands."""
    on = truck()
    sense(on, loaded)

    said = welcome(on, NEW)
    on.receive(Route(term=Term(4, 1), segments=SEGMENTS), NS)
    on.receive(MovementAuthority(term=Term(4, 2), route_sequence=1, end=LanePoint("a", 300.0), advised_speed_mps=0.0, friction=0.7), NS)
    on.receive(Heartbeat(tick=2, challenge_echo=NS, challenge=2, epoch=4), NS)
    command: Command = on.step(NS)

    assert refusals(said) == ["MapDiffers"]
    assert on.permission.end is None
    assert (command.acceleration_demand_mps2, on.hello(NS).map_digest) == (0.0, OLD)


def test_a_map_is_not_changed_by_a_server_of_an_older_term() -> None:
    """A stranger from the past must not move the truck to his map before he is turned away."""
    on = truck()
    sense(on, NEW)
    welcome(on, OLD, epoch=9)

    said = welcome(on, NEW, epoch=8)

    assert refusals(said) == ["EpochFell"]
    assert on.hello(NS).map_digest == OLD


def test_the_words_of_a_map_change_cross_the_wire() -> None:
    """Proposal, answer and withdrawal as protobuf, both ways."""
    on = Interpreter(truck(""))

    answers = on.receive(truck_pb2.ControlMessage(site_proposed=truck_pb2.SiteProposed(digest=NEW)), NS)
    quiet = on.receive(truck_pb2.ControlMessage(site_withdrawn=truck_pb2.SiteWithdrawn(digest=NEW)), NS)
    sense(on.supervisor, NEW)

    assert answers == [truck_pb2.TruckMessage(site_acknowledged=truck_pb2.SiteAcknowledged(digest=NEW))]
    assert quiet == []
    assert on.hello(NS).hello.ready_digest == NEW
