"""What a truck may do next: drive, hear a word of those on the wire, or lose its onboard computer for a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sim_harness.model.design import Bounds, Design
from sim_harness.model.state import GRANT, NAMES, WELCOME, Answer, Move, State, Step, Truck, Word, with_item

_DRIVES: Final = ("truck {} drives into the zone, pass {}", "truck {} drives out of the zone, pass {}")
_RESTARTS: Final = "truck {}'s onboard computer restarts"
_WELCOMED: Final = "truck {} takes the welcome of epoch {}"
_TAKES_GRANT: Final = "truck {} takes grant ({}, {}): its end is pass {}"
_TAKES_SHORTENING: Final = "truck {} takes shortening ({}, {}) to pass {}: its end is pass {}"


def truck_moves(design: Design, bounds: Bounds, state: State, at: int) -> Iterator[Move]:
    """All that truck *at* may do next."""
    truck, name = state.trucks[at], NAMES[at]
    if truck.holds:
        place = truck.place + 1
        yield Step(_DRIVES[truck.place % 2], (name, truck.place // 2 + 1)), _with_truck(state, at, truck._replace(place=place))
    if bounds.restarts and truck.agreed:
        yield Step(_RESTARTS, (name,)), _with_truck(state, at, _restarted(design, truck))
    for word in state.words:
        if word.truck == at:
            if word.kind == WELCOME:
                yield from _take_welcome(state, truck, word)
            elif _is_new(design, truck, word):
                yield from _take_grant(state, truck, word) if word.kind == GRANT else _take_shortening(state, truck, word)


def _restarted(design: Design, truck: Truck) -> Truck:
    """Route, authority and welcome are gone; it still comes out of the zone if it is inside, and that only."""
    epoch, sequence = (truck.epoch, truck.sequence) if design.durable_terms else (0, 0)
    return Truck(truck.place, (truck.place + 1) // 2, epoch, sequence, 0)


def _take_welcome(state: State, truck: Truck, word: Word) -> Iterator[Move]:
    """`Permission.agree`; an epoch that fell is refused."""
    if word.epoch < truck.epoch:
        return
    epoch, sequence = max((truck.epoch, truck.sequence), (word.epoch, 0))
    rest = tuple(other for other in state.words if other is not word)
    welcomed = Truck(truck.place, truck.end, epoch, sequence, word.epoch)
    yield Step(_WELCOMED, (NAMES[word.truck], word.epoch)), _with_truck(state._replace(words=rest), word.truck, welcomed)


def _is_new(design: Design, truck: Truck, word: Word) -> bool:
    """`Permission._is_new`: of the epoch agreed to, and above all taken before."""
    if word.epoch != truck.agreed if design.agreed_epoch else word.epoch < truck.epoch:
        return False
    return not design.sequence_check or (word.epoch, word.sequence) > (truck.epoch, truck.sequence)


def _take_grant(state: State, truck: Truck, word: Word) -> Iterator[Move]:
    """`Permission.take_authority`; an end that is nearer than the truck can stop is refused."""
    if word.end < truck.end and word.end < (truck.place + 1) // 2:
        return
    taken = _taken(truck, word, word.end)
    yield Step(_TAKES_GRANT, (NAMES[word.truck], word.epoch, word.sequence, word.end)), _with_truck(state, word.truck, taken)


def _take_shortening(state: State, truck: Truck, word: Word) -> Iterator[Move]:
    """
    `Permission.take_shortening`: the truck honours what is asked, or offers the earliest end it can honour, and answers either way.

    Before the zone it may be able to stop or be too fast; in the zone it goes on until it is out.
    """
    for earliest in range((truck.place + 1) // 2, truck.place // 2 + 2):
        honoured = word.end >= min(earliest, truck.end)
        end = min(truck.end, word.end if honoured else earliest)
        answer = Answer(word.truck, word.epoch, word.sequence, word.end if honoured else end)
        step = Step(_TAKES_SHORTENING, (NAMES[word.truck], word.epoch, word.sequence, word.end, end))
        yield step, _with_truck(state._replace(answers=(*state.answers, answer)), word.truck, _taken(truck, word, end))


def _taken(truck: Truck, word: Word, end: int) -> Truck:
    """The term is stored before anything follows from it; a store never goes back (`TermStore.remember`)."""
    epoch, sequence = max((truck.epoch, truck.sequence), (word.epoch, word.sequence))
    return Truck(truck.place, end, epoch, sequence, truck.agreed)


def _with_truck(state: State, at: int, truck: Truck) -> State:
    return State(with_item(state.trucks, at, truck), *state[1:])
