"""Words held against what the radio brought: who takes an old one is found, and who does not heed a stop."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from planner.limits import CLEARING_SPEED_MPS
from sim_harness.faults.words import WordsWatch
from tests.sim.listening import Listening

EPOCH = 3
FAST_MPS = 6.9


class Agreed(Listening[WordsWatch]):
    """The truck, of an agreed term, and the watch over the words it takes."""

    def __init__(self) -> None:
        super().__init__(WordsWatch)
        self.fleet.onboard.agreed_epoch[0] = EPOCH

    def take(self, end_m: float, sequence: int, epoch: int = EPOCH) -> None:
        """The truck takes the word it hears next: its end is another, and it remembers the newest it took."""
        state = self.fleet.onboard
        state.end_m[0] = end_m
        seen = max((int(state.seen_epoch[0]), int(state.seen_sequence[0])), (epoch, sequence))
        state.seen_epoch[0], state.seen_sequence[0] = seen

    def hear(self, **content: Message) -> None:
        """The radio brings a message of its own."""
        message = truck_pb2.ControlMessage(**content)  # type: ignore[arg-type]
        relayed = gateway_pb2.RelayedControlMessage(truck_id="T0", message=message)
        self.watch.hear(gateway_pb2.GatewayControl(relayed=[relayed]))

    def grant(self, sequence: int, epoch: int = EPOCH, only: int | None = None) -> None:
        """The radio brings an authority in a frame."""
        frame = gateway_pb2.AuthorityFrame(epoch=epoch, handle=[0], sequence=[sequence])
        self.watch.hear(gateway_pb2.GatewayControl(authorities=frame), only)

    def granted(self, end_m: float, sequence: int, epoch: int = EPOCH) -> list[str]:
        """The truck takes an authority that the radio brings; what has been found a tick later."""
        self.take(end_m, sequence, epoch)
        self.grant(sequence, epoch)
        return self.drive(0.0, 0.1)


def test_authorities_that_are_newer_and_newer_move_an_end() -> None:
    """That is what they are for."""
    truck = Agreed()

    assert truck.granted(150.0, 1) == []
    assert truck.granted(190.0, 2) == []


@pytest.mark.parametrize(("sequence", "epoch"), [(4, EPOCH), (5, EPOCH), (99, EPOCH - 1), (1, EPOCH + 1)])
def test_a_truck_that_takes_an_old_word_or_one_of_another_term_is_found(sequence: int, epoch: int) -> None:
    """Networks repeat and reorder, and two servers may speak: only the newest word of the agreed term counts."""
    truck = Agreed()
    truck.granted(150.0, 5)

    (found,) = truck.granted(190.0, sequence, epoch)

    assert "T0 took an old word" in found


def test_an_end_that_moves_without_a_word_is_found() -> None:
    """Whoever whispered it was not the server."""
    truck = Agreed()
    truck.granted(150.0, 5)
    truck.take(190.0, 6)

    assert len(truck.drive(0.0, 0.1)) == 1


def test_words_to_others_are_no_words_to_a_truck_that_is_apart() -> None:
    """Its own radio brought nothing."""
    truck = Agreed()
    truck.fleet.apart[0] = True

    assert len(truck.granted(150.0, 1)) == 1


def test_a_word_that_the_truck_refused_may_be_followed_by_an_earlier_one() -> None:
    """A refused authority was not taken: the one before it, come late, is still news."""
    truck = Agreed()
    truck.granted(150.0, 5)
    truck.grant(7)
    truck.drive(0.0, 0.1)

    assert truck.granted(160.0, 6) == []


def test_a_truck_that_drives_on_in_spite_of_a_stop_is_found() -> None:
    """Stops are accepted in every state."""
    truck = Agreed()
    truck.drive(FAST_MPS, 1.0)

    truck.hear(stop=truck_pb2.Stop(stop_id="all"))

    (found,) = truck.drive(FAST_MPS, 10.0)
    assert "T0 drove on in spite of a stop" in found


def test_a_truck_that_stops_or_creeps_out_of_where_none_may_stand_heeds_a_stop() -> None:
    """Braking takes a while, and a crossing is cleared at walking pace."""
    truck = Agreed()

    truck.hear(stop=truck_pb2.Stop(stop_id="all"))
    truck.drive(FAST_MPS, 6.0, slowing_mps2=0.8)

    assert truck.drive(CLEARING_SPEED_MPS, 30.0) == []


@pytest.mark.parametrize("heard", [(), ("other",), ("resume",), ("grant", "resume")])
def test_a_truck_that_goes_on_before_it_was_released_and_then_granted_is_found(heard: tuple[str, ...]) -> None:
    """A release is no authority, and what was granted before it was taken away by the stop."""
    truck = Agreed()
    truck.hear(stop=truck_pb2.Stop(stop_id="all"))
    truck.drive(0.0, 5.0)

    for name in heard:
        if name == "grant":
            truck.granted(150.0, 1)
        else:
            truck.hear(resume=truck_pb2.Resume(stop_id="all" if name == "resume" else "hold:T0"))
            truck.drive(0.0, 0.1)

    (found,) = truck.drive(1.0, 1.0)
    assert "T0 moved off in spite of a stop" in found


def test_a_truck_that_was_released_and_then_granted_may_go_on() -> None:
    """That is how a person lets it."""
    truck = Agreed()
    truck.hear(stop=truck_pb2.Stop(stop_id="all"))
    truck.drive(0.0, 5.0)
    truck.hear(resume=truck_pb2.Resume(stop_id="all"))
    truck.granted(150.0, 1)

    assert truck.drive(FAST_MPS, 5.0) == []


def test_a_shortening_moves_an_end_back() -> None:
    """It is a word of the server's like any other."""
    truck = Agreed()
    truck.granted(150.0, 1)
    truck.take(120.0, 2)

    truck.hear(shortening=truck_pb2.Shortening(term=common_pb2.Term(epoch=EPOCH, sequence=2)))

    assert truck.drive(0.0, 0.1) == []
