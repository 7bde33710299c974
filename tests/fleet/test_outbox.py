from __future__ import annotations

from typing import Any

import numpy as np

from fleet.errors import InvalidField
from fleet.server.inputs import HelloHeard, LanePlace, LinkLost, ReportsHeard
from fleet.server.outgoing import (
    GrantsOut,
    HeartbeatColumns,
    Outgoing,
    Reaction,
    RefusalOut,
    ResumeOut,
    RouteOut,
    ShorteningOut,
    StopOut,
    WelcomeOut,
)
from fleet.server.wire.codec import Codec
from fleet.server.wire.codec_out import Speech, Terms
from fleet.server.wire.inbox import Inbox
from fleet.server.wire.links import Connection
from fleet.server.wire.outbox import ROUTES_WAITING_MAX, Slots
from fleet.server.wire.switchboard import Switchboard
from fleet.v1 import common_pb2, gateway_pb2, truck_pb2

LANES = ["a", "b"]


class Board:
    """A switchboard with nothing behind it but its inbox."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.switchboard = Switchboard(Codec(LANES), Speech(LANES, Terms(map_digest="m")), self.inbox)
        self.woken = 0

    def connect(self, *, relays: bool = False) -> Connection:
        """A stream."""
        return self.switchboard.connect(relays=relays, wake=self._wake)

    def hello(self, connection: Connection, truck_id: str) -> int:
        """A hello over *connection*; the answer is its link."""
        message = truck_message(truck_id)
        if connection.relays:
            relayed = gateway_pb2.RelayedTruckMessage(truck_id=truck_id, message=message)
            self.switchboard.hear_gateway(connection, gateway_pb2.GatewayMessage(relayed=[relayed]))
        else:
            self.switchboard.hear_truck(connection, message)
        heard = self.inbox.freeze()[-1]
        assert isinstance(heard, HelloHeard)
        return heard.link

    def welcomed(self, connection: Connection, truck_id: str, row: int, supersedes: int | None = None) -> int:
        """A hello that the loop answers at once."""
        link = self.hello(connection, truck_id)
        self.say(welcomes=(WelcomeOut(link=link, row=row, epoch=1, hello_stamp_ns=5, supersedes=supersedes),))
        return link

    def say(self, **words: Any) -> None:
        """One tick's words, early and durable."""
        outgoing = Outgoing(tick=1, now_ns=0, **words)
        self.switchboard.say_early(outgoing)
        self.switchboard.say_durable(outgoing)

    def said(self, connection: Connection) -> list[str]:
        """The kinds of words that wait for a truck."""
        return [str(message.WhichOneof("content")) for message in self.switchboard.take_truck(connection)]

    def _wake(self) -> None:
        self.woken += 1


def truck_message(truck_id: str, **report: Any) -> truck_pb2.TruckMessage:
    """A hello."""
    hello = truck_pb2.Hello(truck_id=truck_id, instance_id="i", boot_id="b", truck_type_id="k", report=truck_pb2.Report(**report))
    return truck_pb2.TruckMessage(hello=hello)


def stop(row: int, stop_id: str = "s") -> StopOut:
    """A stop for one row."""
    return StopOut(row=row, stop_id=stop_id, reaction=Reaction.EMERGENCY_STOP, cause="test")


def route(row: int, sequence: int) -> RouteOut:
    """A short route for one row."""
    one = np.zeros(1)
    return RouteOut(
        row=row,
        epoch=1,
        sequence=sequence,
        lane_ix=np.zeros(1, np.int32),
        start_m=one,
        end_m=one + 5.0,
        speed_max_mps=one + 8.0,
        grade=one,
        no_stop=np.zeros(1, np.bool_),
    )


def grants(rows: list[int], sequence: int, end_m: float = 10.0) -> GrantsOut:
    """The same grant for every row."""
    count = len(rows)
    return GrantsOut(
        epoch=1,
        rows=np.array(rows, np.int32),
        sequence=np.full(count, sequence, np.int64),
        route_sequence=np.ones(count, np.int64),
        end_m=np.full(count, end_m),
        end_lane_ix=np.zeros(count, np.int32),
        end_chainage_m=np.full(count, end_m),
        advised_speed_mps=np.zeros(count),
        friction=np.full(count, 0.7),
    )


def shortening(row: int, sequence: int) -> ShorteningOut:
    """A shortening for one row."""
    return ShorteningOut(row=row, epoch=1, sequence=sequence, route_sequence=1, end=LanePlace(lane_ix=0, chainage_m=1.0))


def beats(rows: list[int], tick: int = 1) -> HeartbeatColumns:
    """Heartbeats for the rows."""
    count = len(rows)
    return HeartbeatColumns(tick=tick, epoch=1, rows=np.array(rows, np.int32), challenge_echo=np.arange(count), challenge=np.arange(count))


def test_a_slow_reader_gets_the_present_and_nothing_else() -> None:
    """Minutes of old authorities once queued behind one stalled reader; now there is nowhere to queue."""
    board = Board()
    stream = board.connect()
    board.welcomed(stream, "t1", 0)
    board.said(stream)

    for at in range(1000):
        board.say(grants=grants([0], at + 1, end_m=float(at)), heartbeats=beats([0], tick=at))

    taken = board.switchboard.take_truck(stream)
    assert [message.WhichOneof("content") for message in taken] == ["authority", "heartbeat"]
    assert taken[0].authority.end.chainage_m == 999.0
    assert taken[1].heartbeat.tick == 999


def test_words_with_a_sequence_leave_in_its_order() -> None:
    """A truck ignores whatever is lower than what it has, so a newer route must not overtake an older authority."""
    board = Board()
    stream = board.connect()
    board.welcomed(stream, "t1", 0)

    board.say(routes=(route(0, 1),), grants=grants([0], 2))
    board.say(routes=(route(0, 3),), shortenings=(shortening(0, 4),))

    assert board.said(stream) == ["welcome", "route", "authority", "route", "shortening"]


def test_a_resume_undoes_the_stop_that_still_waits() -> None:
    """Sending both would leave the order to chance."""
    slots = Slots()

    slots.put_stop(truck_pb2.Stop(stop_id="x"))
    slots.put_stop(truck_pb2.Stop(stop_id="y"))
    slots.put_resume(truck_pb2.Resume(stop_id="x"))

    assert [message.WhichOneof("content") for message in slots.take()] == ["stop", "resume"]
    assert slots.take() == []


def test_a_stop_of_the_hellos_own_tick_reaches_the_new_link() -> None:
    """Stops leave before the welcome that binds the link: the truck on it must hear them all the same."""
    board = Board()
    stream = board.connect()
    link = board.hello(stream, "t1")

    board.say(stops=(stop(0),), welcomes=(WelcomeOut(link=link, row=0, epoch=1, hello_stamp_ns=0, supersedes=None),))

    assert board.said(stream) == ["welcome", "stop"]


def test_nothing_but_stops_and_heartbeats_leaves_early() -> None:
    """Journal before send: whatever permits must wait until it is durable."""
    board = Board()
    stream = board.connect()
    board.welcomed(stream, "t1", 0)
    board.said(stream)

    early = Outgoing(
        tick=1,
        now_ns=0,
        stops=(stop(0),),
        heartbeats=beats([0]),
        resumes=(ResumeOut(row=0, stop_id="z"),),
        routes=(route(0, 1),),
        grants=grants([0], 2),
        shortenings=(shortening(0, 3),),
    )
    board.switchboard.say_early(early)

    assert board.said(stream) == ["stop", "heartbeat"]


def test_a_newer_stream_takes_the_row_and_ends_the_older() -> None:
    """Make before break: from the welcome on, only the new link moves the truck."""
    board = Board()
    old, new = board.connect(), board.connect()
    first = board.welcomed(old, "t1", 0)

    board.welcomed(new, "t1", 0, supersedes=first)
    board.say(grants=grants([0], 1))

    assert old.ending
    assert board.said(new) == ["welcome", "authority"]
    board.switchboard.hear_truck(new, truck_pb2.TruckMessage(report=truck_pb2.Report(stamp_ns=1)))
    assert [type(given) for given in board.inbox.freeze()] == [ReportsHeard]
    board.switchboard.disconnected(old)
    assert board.inbox.freeze() == []


def test_a_stream_that_ends_without_goodbye_is_a_lost_link() -> None:
    """The transport may call it a normal end; a truck on its own has nobody to listen to."""
    board = Board()
    stream = board.connect()
    link = board.welcomed(stream, "t1", 0)

    board.switchboard.disconnected(stream)

    assert board.inbox.freeze() == [LinkLost(link=link)]


def test_after_a_goodbye_no_link_is_lost() -> None:
    """The truck left on purpose; nobody needs to be alarmed."""
    board = Board()
    stream = board.connect()
    board.welcomed(stream, "t1", 0)

    board.switchboard.hear_truck(stream, truck_pb2.TruckMessage(goodbye=truck_pb2.Goodbye(reason="end of shift")))
    board.switchboard.disconnected(stream)

    assert [type(given).__name__ for given in board.inbox.freeze()] == ["GoodbyeHeard"]


def test_every_truck_behind_a_lost_gateway_has_lost_its_link() -> None:
    """The gateway's stream was the only way to any of them."""
    board = Board()
    relay = board.connect(relays=True)
    links = {board.welcomed(relay, name, row) for row, name in enumerate(["t1", "t2"])}

    board.switchboard.disconnected(relay)

    lost = board.inbox.freeze()
    assert {given.link for given in lost if isinstance(given, LinkLost)} == links


def test_a_gateway_hears_columns_for_its_own_trucks_only() -> None:
    """One frame for all its trucks, and none of anybody else's."""
    board = Board()
    here, there = board.connect(relays=True), board.connect(relays=True)
    board.welcomed(here, "t0", 0)
    board.welcomed(there, "t1", 1)
    board.switchboard.take_gateway(here)

    board.say(grants=grants([0, 1], 2), heartbeats=beats([0, 1]))

    control = board.switchboard.take_gateway(here)
    assert control is not None
    assert list(control.authorities.handle) == [0]
    assert list(control.heartbeats.handle) == [0]
    assert board.switchboard.take_gateway(here) is None


def test_a_gateways_waiting_grants_merge_to_the_newest() -> None:
    """Columns are slots too."""
    board = Board()
    relay = board.connect(relays=True)
    for row in range(2):
        board.welcomed(relay, f"t{row}", row)
    board.switchboard.take_gateway(relay)

    board.say(grants=grants([0, 1], 2, end_m=1.0))
    board.say(grants=grants([1], 3, end_m=2.0))

    control = board.switchboard.take_gateway(relay)
    assert control is not None
    assert dict(zip(control.authorities.handle, control.authorities.end_chainage_m, strict=True)) == {0: 1.0, 1: 2.0}


def test_a_grant_older_than_a_waiting_route_leaves_in_its_place() -> None:
    """In a gateway's message the columns come last; a grant that must come earlier travels as the truck's own message."""
    board = Board()
    relay = board.connect(relays=True)
    board.welcomed(relay, "t0", 0)
    board.switchboard.take_gateway(relay)

    board.say(routes=(route(0, 1),), grants=grants([0], 2))
    board.say(routes=(route(0, 3),))

    control = board.switchboard.take_gateway(relay)
    assert control is not None
    assert [relayed.message.WhichOneof("content") for relayed in control.relayed] == ["route", "authority", "route"]
    assert not control.HasField("authorities")


def test_a_bad_report_is_refused_to_its_truck_and_counted() -> None:
    """Garbage must not end the conversation, or the truck would lose its link for one wrong number."""
    board = Board()
    stream = board.connect()
    board.welcomed(stream, "t1", 0)
    board.said(stream)

    board.switchboard.hear_truck(stream, truck_pb2.TruckMessage(report=truck_pb2.Report(stamp_ns=3, speed_mps=float("nan"))))

    refused = board.switchboard.take_truck(stream)[0].report_refused
    assert (refused.stamp_ns, refused.reason) == (3, InvalidField.__name__)
    assert board.switchboard.counts.refused == 1
    assert board.inbox.freeze() == []


def test_a_reader_that_lets_routes_pile_up_is_cut_off() -> None:
    """It calls again and is told everything anew; until then it cannot hold memory."""
    board = Board()
    stream = board.connect()
    board.welcomed(stream, "t1", 0)

    for at in range(ROUTES_WAITING_MAX + 1):
        board.say(routes=(route(0, at + 1),))

    assert stream.ending


def test_a_refused_truck_hears_why_and_its_stream_ends() -> None:
    """The one thing worse than a refusal is a silent one."""
    board = Board()
    stream = board.connect()
    link = board.hello(stream, "t1")

    board.say(refusals=(RefusalOut(link=link, error=InvalidField(name="truck_type_id", problem="is not admitted")),))

    assert board.said(stream) == ["refusal"]
    assert stream.ending


def test_a_second_hello_on_the_same_stream_is_a_new_conversation() -> None:
    """A truck whose contact lapsed says hello again where it is."""
    board = Board()
    stream = board.connect()
    first = board.welcomed(stream, "t1", 0)

    second = board.welcomed(stream, "t1", 0, supersedes=first)

    assert second != first
    assert not stream.ending
    board.switchboard.hear_truck(stream, truck_pb2.TruckMessage(acknowledgement=acknowledgement()))
    assert len(board.inbox.freeze()) == 1


def test_a_hello_that_is_refused_leaves_the_conversation_before_it_alone() -> None:
    """Behind one gateway a stranger with a truck's name, or a hello told again, must not cost the truck its answers."""
    board = Board()
    gateway = board.connect(relays=True)
    board.welcomed(gateway, "t1", 0)
    stale = board.hello(gateway, "t1")
    board.say(refusals=(RefusalOut(link=stale, error=InvalidField(name="hello", problem="is stale")),))

    answer = truck_pb2.TruckMessage(acknowledgement=acknowledgement())
    relayed = gateway_pb2.RelayedTruckMessage(truck_id="t1", message=answer)
    board.switchboard.hear_gateway(gateway, gateway_pb2.GatewayMessage(relayed=[relayed]))

    (heard,) = board.inbox.freeze()
    assert heard.row == 0
    control = board.switchboard.take_gateway(gateway)
    assert control is not None
    assert [message.message.WhichOneof("content") for message in control.relayed][-1] == "refusal"


def acknowledgement() -> truck_pb2.Acknowledgement:
    """An answer to a shortening."""
    return truck_pb2.Acknowledgement(term=common_pb2.Term(epoch=1, sequence=1), end=common_pb2.LanePoint(lane_id="a"))


def test_inputs_of_one_tick_can_be_put_in_an_order_that_replays() -> None:
    """Over real streams arrival depends on chance; simulated time may not."""
    board = Board()
    board.inbox = Inbox(ordered=True)
    board.switchboard = Switchboard(Codec(LANES), Speech(LANES, Terms(map_digest="m")), board.inbox)
    for name in ("t2", "t0", "t1"):
        board.switchboard.hear_truck(board.connect(), truck_message(name))

    heard = board.inbox.freeze()

    assert [given.truck_id for given in heard if isinstance(given, HelloHeard)] == ["t0", "t1", "t2"]
