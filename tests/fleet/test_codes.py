"""Codes end to end: a gateway relays, and whatever it makes, changes, swaps or says again moves nobody and is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from fleet.mac import CODE_BYTES, KEY_BYTES, Kind
from fleet.server.journal.journal import DIGEST_BYTES, Head
from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from tests.fleet.relay import CORRIDOR, Meddle, Yard, add_row, honest

LIVE_TICKS: Final = 30
DRIVE_TICKS: Final = 900
DRIVEN_M: Final = 60.0
MOVING_MPS: Final = 1.0


def driving(count: int = 1) -> Yard:
    """Trucks that have been welcomed and are on their way."""
    yard = Yard(count)
    assert yard.run(DRIVE_TICKS, lambda: all(truck.speed_mps > MOVING_MPS for truck in yard.trucks.values()))
    return yard


def test_a_truck_with_a_right_key_drives_behind_a_gateway_and_nothing_is_refused() -> None:
    """Codes that a sound truck or server now and then got wrong would be turned off by the first night shift."""
    yard = Yard(3)

    assert yard.run(DRIVE_TICKS, lambda: all(truck.driven_m > DRIVEN_M for truck in yard.trucks.values()))

    assert yard.forged == 0
    assert [truck.sealed.refused_count for truck in yard.trucks.values()] == [0, 0, 0]


def test_without_keys_nothing_is_asked_and_nothing_is_made() -> None:
    """Plaintext on loopback goes on as it did."""
    yard = Yard(keys={})
    hellos: list[bytes] = []
    yard.gateway.meddle = lambda message: hellos.extend(relayed.mac for relayed in message.relayed)
    words: list[bytes] = []
    yard.gateway.mislead = lambda word: words.append(word.mac)

    yard.run(LIVE_TICKS)

    assert hellos
    assert set(words) == {b""}
    assert yard.forged == 0


def test_a_truck_with_another_key_is_not_heard() -> None:
    """Whoever calls himself T1 and has not its key is somebody else."""
    yard = Yard(truck_keys={"T1": b"x" * KEY_BYTES})

    yard.run(LIVE_TICKS)

    assert yard.forged > 0
    assert yard.gateway.handles == {}


def cut(message: gateway_pb2.GatewayMessage) -> None:
    """A code that is shorter."""
    for at, mac in enumerate(message.reports.mac):
        message.reports.mac[at] = mac[:-1]


def left_out(message: gateway_pb2.GatewayMessage) -> None:
    """No codes at all."""
    del message.reports.mac[:]


def swapped(message: gateway_pb2.GatewayMessage) -> None:
    """Each truck's code with the other's report."""
    macs = list(reversed(message.reports.mac))
    del message.reports.mac[:]
    message.reports.mac.extend(macs)


def ahead(message: gateway_pb2.GatewayMessage) -> None:
    """The report of a truck a metre further on than it is: road behind it would be freed."""
    for at in range(len(message.reports.handle)):
        message.reports.chainage_m[at] += 1.0


def flagged(message: gateway_pb2.GatewayMessage) -> None:
    """A truck that stands immobilised, so that a loader may lift."""
    for at in range(len(message.reports.handle)):
        message.reports.flags[at] ^= 4


@pytest.mark.parametrize("meddle", [cut, left_out, swapped, ahead, flagged])
def test_a_report_that_was_meddled_with_moves_nobody_and_is_counted(meddle: Meddle) -> None:
    """Reports free the road behind a truck: one that a gateway can change is a collision it can make."""
    yard = driving(2)
    before = {truck_id: yard.believed(truck_id) for truck_id in yard.trucks}
    reported = 0

    def counting(message: gateway_pb2.GatewayMessage) -> None:
        nonlocal reported
        reported += len(message.reports.handle)
        meddle(message)

    yard.gateway.meddle = counting
    yard.run(10)

    assert yard.forged == reported > 0
    assert {truck_id: yard.believed(truck_id) for truck_id in yard.trucks} == before


def test_a_gateway_that_originates_a_report_is_found_out() -> None:
    """It relays and never originates; a row it makes of its own has no code that it could know."""
    yard = driving()
    lane_ix, chainage_m = yard.believed("T1")
    report = truck_pb2.Report(
        stamp_ns=yard.now_ns + 1, lane_id=CORRIDOR.lanes[lane_ix].lane_id, chainage_m=chainage_m + 1.0, bound_m=0.3, intact=True
    )
    message = gateway_pb2.GatewayMessage(gateway_id="g")
    add_row(message.reports, next(iter(yard.gateway.handles)), report, b"\0" * CODE_BYTES)
    message.relayed.add(truck_id="T1", message=truck_pb2.TruckMessage(report=report))
    message.relayed.add(truck_id="T1", message=truck_pb2.TruckMessage(goodbye=truck_pb2.Goodbye(reason="gone")), counter=10_000)

    yard.server.say(message.SerializeToString())
    yard.server.tick(yard.now_ns + 1)

    assert yard.forged == 3
    assert yard.believed("T1") == (lane_ix, chainage_m)


def test_one_trucks_forged_row_does_not_silence_the_other() -> None:
    """A gateway that lies about one of its trucks still carries the rest."""
    yard = driving(2)
    victim = next(handle for handle, name in yard.gateway.handles.items() if name == "T1")

    def one(message: gateway_pb2.GatewayMessage) -> None:
        for at, handle in enumerate(message.reports.handle):
            if handle == victim:
                message.reports.speed_mps[at] += 0.5

    yard.gateway.meddle = one
    first, second = yard.believed("T1"), yard.believed("T2")
    yard.run(10)

    assert yard.believed("T1") == first
    assert yard.believed("T2") != second


@pytest.mark.parametrize("kind", ["acknowledgement", "event", "goodbye", "hello"])
def test_a_word_said_again_or_in_anothers_name_is_not_heard(kind: str) -> None:
    """A stop that was lifted, a goodbye, an acknowledgement: each was right once, and once only."""
    yard = driving(2)
    content = {
        "acknowledgement": truck_pb2.TruckMessage(
            acknowledgement=truck_pb2.Acknowledgement(term=common_pb2.Term(epoch=1, sequence=1), honoured=True, end=common_pb2.LanePoint())
        ),
        "event": truck_pb2.TruckMessage(event=truck_pb2.TruckEvent(kind=truck_pb2.TRUCK_EVENT_KIND_DERATED)),
        "goodbye": truck_pb2.TruckMessage(goodbye=truck_pb2.Goodbye(reason="over")),
    }
    sealed = yard.trucks["T1"].sealed
    said = sealed.hello(yard.now_ns) if kind == "hello" else sealed.say([content[kind]])[0]
    elsewhere = gateway_pb2.RelayedTruckMessage()
    elsewhere.CopyFrom(said)
    elsewhere.truck_id = "T2"

    yard.server.say(gateway_pb2.GatewayMessage(gateway_id="g", relayed=[elsewhere]).SerializeToString())
    yard.server.tick(yard.now_ns + 1)
    in_anothers_name = yard.forged
    yard.server.say(gateway_pb2.GatewayMessage(gateway_id="g", relayed=[said, said]).SerializeToString())

    assert in_anothers_name == 1
    # A hello is told from an older one by its stamp, where all hellos are; a goodbye has ended the session it was said in.
    assert yard.forged == in_anothers_name + (kind in {"acknowledgement", "event"})


def test_codes_of_one_session_are_wrong_in_the_next() -> None:
    """Whoever kept a night's frames must not be able to say them tomorrow."""
    yard = driving()
    kept: list[bytes] = []
    yard.gateway.meddle = lambda message: kept.append(message.SerializeToString())
    yard.run(10)
    yard.gateway.meddle = honest
    yard.trucks["T1"].supervisor.contact.lapsed = True
    yard.run(LIVE_TICKS)
    assert yard.forged == 0
    before = yard.believed("T1")

    for raw in kept:
        yard.server.say(raw)
    yard.server.tick(yard.now_ns + 1)

    assert yard.forged > 0
    assert yard.believed("T1") == before


def further(word: gateway_pb2.RelayedControlMessage) -> None:
    """An authority that ends fifty metres further on than it was given."""
    if word.message.HasField("authority"):
        word.message.authority.end.chainage_m += 50.0


def newer(word: gateway_pb2.RelayedControlMessage) -> None:
    """An authority of a term that was never given."""
    if word.message.HasField("authority"):
        word.message.authority.term.sequence += 100


def uncoded(word: gateway_pb2.RelayedControlMessage) -> None:
    """Codes are gone."""
    word.mac = b""


def kept_alive(word: gateway_pb2.RelayedControlMessage) -> None:
    """Heartbeats of a server that is no more."""
    if word.message.HasField("heartbeat"):
        word.message.heartbeat.tick += 1000


@pytest.mark.parametrize("mislead", [further, newer, uncoded, kept_alive])
def test_a_truck_takes_no_word_that_was_meddled_with(mislead: Callable[[gateway_pb2.RelayedControlMessage], None]) -> None:
    """A gateway that could lengthen an authority, or keep a dead server's heart beating, could drive the truck."""
    yard = driving()
    truck = yard.trucks["T1"]
    yard.gateway.mislead = mislead
    refused = truck.sealed.refused_count

    assert yard.run(DRIVE_TICKS, lambda: truck.sealed.refused_count > refused)

    path, end = truck.supervisor.permission.path, truck.supervisor.permission.end
    assert path is not None
    assert end is not None
    row = next(iter(yard.gateway.handles))
    trucks = yard.server.engine.loop.trucks
    assert trucks.locate(row, CORRIDOR.lane_ix[end.lane_id], end.chainage_m) <= float(trucks.end_m[row]) + 0.01


def test_a_stop_from_nobody_is_not_obeyed_and_a_right_one_said_twice_is_obeyed_once() -> None:
    """Nor is a resume: whoever may lift stops by forging may start trucks."""
    yard = driving()
    truck = yard.trucks["T1"]
    resume = truck_pb2.ControlMessage(resume=truck_pb2.Resume(stop_id="a"))
    forged = gateway_pb2.RelayedControlMessage(truck_id="T1", message=resume, counter=10_000, mac=b"\1" * CODE_BYTES)
    session = truck.sealed._session
    assert session is not None
    counter = truck.sealed._heard + 1
    genuine = gateway_pb2.RelayedControlMessage(
        truck_id="T1", message=resume, counter=counter, mac=session.word(Kind.TO_TRUCK, counter, resume)
    )

    truck.sealed.receive(forged, yard.now_ns)
    truck.sealed.receive(genuine, yard.now_ns)
    truck.sealed.receive(genuine, yard.now_ns)

    assert truck.sealed.refused_count == 2


def test_a_welcome_of_another_server_begins_no_session() -> None:
    """Only whoever has the truck's key can take it on."""
    yard = Yard()
    yard.gateway.mislead = lambda word: setattr(word.message.welcome, "epoch", 9) if word.message.HasField("welcome") else None

    yard.run(LIVE_TICKS)

    assert yard.trucks["T1"].sealed._session is None
    assert yard.trucks["T1"].supervisor.contact.lapsed


@dataclass(frozen=True)
class Chronicle:
    """A journal that reached as far as that."""

    head: Head

    def has(self, sequence: int, mark: int) -> bool:
        """That record alone is in it."""
        return sequence == 0 or (sequence, mark) == (self.head.sequence, self.head.mark)


@pytest.mark.parametrize("first", [b"\0", b"\xff"])
def test_trucks_drive_whatever_the_digest_of_the_journal(first: bytes) -> None:
    """A digest is any eight bytes: every second one is a number too great for a sign, in heartbeats and in the next hello."""
    yard = Yard(2)
    yard.server.engine.switchboard.journal = Chronicle(Head(sequence=5, digest=first * DIGEST_BYTES))
    assert yard.run(DRIVE_TICKS, lambda: all(truck.speed_mps > MOVING_MPS for truck in yard.trucks.values()))
    truck = yard.trucks["T1"]
    truck.supervisor.contact.lapsed = True
    driven_m = truck.driven_m

    assert yard.run(DRIVE_TICKS, lambda: truck.driven_m > driven_m + DRIVEN_M)

    assert yard.forged == truck.sealed.refused_count == 0
    assert truck.supervisor.permission.journal_seen == (5, int.from_bytes(first * 8, "little"))
