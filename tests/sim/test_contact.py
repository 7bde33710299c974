"""The rules of contact, held against what the radio brought: who drives on in silence is found, and who goes on too soon."""

from __future__ import annotations

import pytest

from fleet.v1 import gateway_pb2, truck_pb2
from planner.limits import CLEARING_SPEED_MPS
from sim_harness.faults.contact import ContactWatch
from tests.sim.listening import Listening

EPOCH = 3
FAST_MPS = 6.9


class Greeted(Listening[ContactWatch]):
    """The truck, which was welcomed, and the watch over its contact."""

    def __init__(self) -> None:
        super().__init__(ContactWatch)
        self.welcome()

    def welcome(self) -> None:
        """The radio brings a welcome."""
        message = truck_pb2.ControlMessage(welcome=truck_pb2.Welcome(epoch=EPOCH))
        relayed = gateway_pb2.RelayedControlMessage(truck_id="T0", message=message)
        self.watch.hear(gateway_pb2.GatewayControl(relayed=[relayed]))

    def beat(self, epoch: int = EPOCH, only: int | None = None) -> None:
        """The radio brings a heartbeat."""
        frame = gateway_pb2.HeartbeatFrame(tick=1, epoch=epoch, handle=[0], challenge_echo=[1], challenge=[1])
        self.watch.hear(gateway_pb2.GatewayControl(heartbeats=frame), only)

    def grant(self) -> None:
        """The radio brings an authority."""
        frame = gateway_pb2.AuthorityFrame(epoch=EPOCH, handle=[0], sequence=[1])
        self.watch.hear(gateway_pb2.GatewayControl(authorities=frame))


def test_a_truck_that_drives_on_in_silence_is_found() -> None:
    """Whatever it believes: no heartbeat reached it for longer than the ladder allows."""
    truck = Greeted()

    assert truck.drive(FAST_MPS, 2.0) == []
    (found,) = truck.drive(FAST_MPS, 10.0)
    assert "T0 drove on without contact" in found


def test_a_truck_that_stops_in_time_and_stays_there_keeps_the_rules() -> None:
    """It may take its time to brake gently."""
    truck = Greeted()

    truck.drive(FAST_MPS, 2.5)

    assert truck.drive(FAST_MPS, 30.0, slowing_mps2=0.8) == []


def test_a_truck_may_creep_out_of_where_none_may_stand() -> None:
    """At walking pace it clears a crossing although nobody speaks to it."""
    truck = Greeted()

    truck.drive(FAST_MPS, 3.0, slowing_mps2=1.4)

    assert truck.drive(CLEARING_SPEED_MPS, 30.0) == []


@pytest.mark.parametrize("epoch", [EPOCH - 1, EPOCH + 1])
def test_heartbeats_of_another_term_are_silence(epoch: int) -> None:
    """The server it agreed to is gone, however loudly another one speaks."""
    truck = Greeted()

    for _ in range(60):
        truck.beat(epoch)
        truck.drive(FAST_MPS, 0.2)

    assert len(truck.watch.found) == 1


@pytest.mark.parametrize("heard", [(), ("welcome",), ("grant",), ("grant", "welcome")])
def test_a_truck_that_goes_on_before_it_was_greeted_and_then_granted_is_found(heard: tuple[str, ...]) -> None:
    """Driverless trucks have collided when communications came back: neither a welcome nor an old authority is leave to go."""
    truck = Greeted()
    truck.drive(0.0, 10.0)

    for name in heard:
        getattr(truck, name)()
        truck.beat()
        truck.drive(0.0, 0.1)

    (found,) = truck.drive(1.0, 1.0)
    assert "T0 moved off without contact" in found


def test_a_truck_that_was_greeted_and_then_granted_may_go_on() -> None:
    """That is how it goes on by itself."""
    truck = Greeted()
    truck.drive(0.0, 10.0)

    for step in (truck.welcome, truck.grant):
        step()
        truck.beat()
        truck.drive(0.0, 0.1)

    assert truck.drive(FAST_MPS, 1.0) == []


@pytest.mark.parametrize(("said", "found"), [(("welcome", "grant"), 0), (("grant", "welcome"), 1)])
def test_what_comes_in_one_breath_counts_in_its_order(said: tuple[str, ...], found: int) -> None:
    """A slow server's words arrive together, in the very moment in which the silence has become too long."""
    truck = Greeted()
    truck.drive(0.0, 2.3)

    for name in said:
        getattr(truck, name)()
    for _ in range(10):
        truck.beat()
        truck.drive(0.5, 0.1)

    assert len(truck.watch.found) == found


def test_what_reaches_a_truck_apart_is_not_what_reaches_the_others() -> None:
    """A truck whose radio is in trouble hears its own way only."""
    truck = Greeted()
    truck.fleet.apart[0] = True

    for _ in range(60):
        truck.beat()
        truck.drive(FAST_MPS, 0.2)
    assert len(truck.watch.found) == 1

    for _ in range(60):
        truck.beat(only=0)
        truck.drive(FAST_MPS, 0.2)
    assert len(truck.watch.found) == 1


def test_a_truck_with_a_wrong_clock_cannot_be_held_to_seconds() -> None:
    """It knows no other clock than its own; what the others do about it is looked at elsewhere."""
    truck = Greeted()
    truck.fleet.clocks[0] = lambda now_ns: now_ns // 10

    assert truck.drive(FAST_MPS, 10.0) == []
