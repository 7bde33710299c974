"""
What the model says a truck or a ledger does, the product's own code does, in every state of the model and with every word.

Passes become metres of one lane, and a term's sequence is one higher in the product, whose route takes the first of each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

import numpy as np
import pytest

from fleet.errors import FleetError
from fleet.onboard.permission import Permission
from fleet.onboard.route import Path
from fleet.onboard.store import MemoryStore, Term
from fleet.onboard.words import LanePoint, MovementAuthority, Segment, Shortening
from fleet.server.facts import LedgerKept, TruckRegistered
from fleet.server.loop.ledger import NONE_PENDING, GrantUnlawful, Ledger
from planner.tables import LaneTable, TruckTable
from sim_harness.model.design import Bounds, Design
from sim_harness.model.servers import server_moves
from sim_harness.model.state import (
    EMPTY,
    GRANT,
    OLD_EPOCH,
    SHORTENING,
    WELCOME,
    Answer,
    Journal,
    Row,
    Server,
    State,
    Truck,
    Word,
)
from sim_harness.model.trucks import truck_moves
from sim_harness.tiny import tiny_corridor

DESIGN: Final = Design()
WITHIN: Final = Bounds(sequences=3)
EPOCHS: Final = (1, 2)
PASSES: Final = (0, 1, 2)
LANE: Final = "out"
ROAD: Final = Path((Segment(lane_id=LANE, start_m=0.0, end_m=1000.0, speed_max_mps=7.0, grade=0.0, no_stop=False),), 0.0)


def end_m(passes: int) -> float:
    """The end of authority that allows *passes*."""
    return 100.0 * passes + 60.0


def term_of(epoch: int, sequence: int) -> Term:
    """The product's term for the model's."""
    return Term(epoch, sequence + 1) if epoch else Term(0, 0)


TERMS: Final = ((0, 0), *product(EPOCHS, (0, 1, 2)))
TRUCKS: Final = [
    Truck(place, end, epoch, sequence, agreed)
    for place, end, (epoch, sequence) in product(range(5), PASSES, TERMS)
    for agreed in {0, epoch}
    if place <= 2 * end
]
WORDS: Final = [
    Word(kind, 0, epoch, sequence, end) for kind, epoch, sequence, end in product((GRANT, SHORTENING), EPOCHS, (1, 2, 3), PASSES)
]


# What a truck takes of a word: its end, its highest term, the epoch agreed to, and the end it answers with.
Taken = tuple[float, Term, int, float | None]


def taken_in_model(truck: Truck, word: Word) -> set[Taken]:
    """All that may come of it; unchanged where the word is refused."""
    lonely = State((truck, Truck()), (), Journal(2, EMPTY), (word,))
    driven = {reached for _, reached in truck_moves(DESIGN, WITHIN, lonely._replace(words=()), 0)}
    reached = [state for _, state in truck_moves(DESIGN, WITHIN, lonely, 0) if state._replace(words=()) not in driven] or [lonely]
    return {
        (
            end_m(state.trucks[0].end),
            term_of(state.trucks[0].epoch, state.trucks[0].sequence),
            state.trucks[0].agreed,
            end_m(state.answers[0].end) if state.answers else None,
        )
        for state in reached
    }


def taken_by_product(truck: Truck, word: Word, earliest: int) -> Taken:
    """What `Permission` makes of it, when *earliest* is the nearest end the truck can honour."""
    permission = Permission(MemoryStore(term_of(truck.epoch, truck.sequence)))
    permission.agreed_epoch = permission._route_epoch = truck.agreed
    permission.path, permission.route_sequence, permission.end_m = ROAD, 1, end_m(truck.end)
    term, point = term_of(word.epoch, word.sequence), LanePoint(LANE, end_m(word.end))
    answer = None
    try:
        if word.kind == WELCOME:
            permission.agree(word.epoch)
        elif word.kind == GRANT:
            authority = MovementAuthority(term=term, route_sequence=1, end=point, advised_speed_mps=0.0, friction=0.0)
            permission.take_authority(authority, end_m(earliest))
        else:
            answer = permission.take_shortening(Shortening(term=term, route_sequence=1, end=point), end_m(earliest))
    except FleetError:
        assert permission.end_m == end_m(truck.end)
    return permission.end_m, permission.seen, permission.agreed_epoch, None if answer is None else answer.end.chainage_m


@pytest.mark.parametrize("kind", [GRANT, SHORTENING], ids=["grants", "shortenings"])
def test_a_truck_takes_grants_and_shortenings_as_in_the_model(kind: int) -> None:
    """Order of terms, epoch agreed to, ends too near, offers: a truck that took more than the model's would be outside the proof."""
    for truck, word in product(TRUCKS, [word for word in WORDS if word.kind == kind]):
        can_stop, too_fast = (truck.place + 1) // 2, truck.place // 2 + 1
        earliest = {can_stop} if kind == GRANT else {can_stop, too_fast}

        assert {taken_by_product(truck, word, end) for end in earliest} == taken_in_model(truck, word), (truck, word)


def test_a_truck_agrees_to_epochs_as_in_the_model() -> None:
    """An epoch it has outgrown is refused, and a welcome never takes a higher term away."""
    for truck, epoch in product(TRUCKS, EPOCHS):
        took = taken_by_product(truck, Word(WELCOME, 0, epoch, 0, 0), 0)
        in_model = taken_in_model(truck, Word(WELCOME, 0, epoch, 0, 0))

        # The route that follows every welcome has the epoch's first term.
        assert {(end, max(seen, term_of(agreed, 0)), agreed, answer) for end, seen, agreed, answer in (took,)} == in_model, (truck, epoch)


# Rows of a ledger in the last epoch. Once met, a truck was told its route there: its last term is of that epoch.
ROWS: Final = [
    Row(rear, end, epoch, sequence, pending)
    for rear, end, (epoch, sequence) in product(PASSES, PASSES, TERMS)
    for pending in sorted({0, OLD_EPOCH, sequence if epoch == EPOCHS[-1] else 0})
    if rear <= end <= rear + 1
]
MET_ROWS: Final = [row for row in ROWS if row.epoch == EPOCHS[-1]]
OLD_SEQUENCE: Final = 7


def ledger_of(row: Row, *, met: bool) -> Ledger:
    """A ledger in the last epoch that remembers *row*; met, its truck has said hello and was told its route."""
    corridor = tiny_corridor()
    ledger = Ledger(corridor, TruckTable(LaneTable.of(corridor), capacity=2))
    rear_m, held_m = end_m(row.rear) - 40.0, end_m(row.end)
    ledger.apply(
        TruckRegistered(
            row=0,
            truck_id="T0",
            truck_type_id="coal_truck_70t",
            instance_id="i",
            lanes=(corridor.lane_ix[LANE],),
            start_m=0.0,
            rear_m=rear_m,
            end_m=held_m,
            at_ns=0,
        )
    )
    term = term_of(row.epoch, row.sequence)
    asked_m = end_m(row.rear) if row.pending else held_m
    pending = {0: NONE_PENDING, OLD_EPOCH: OLD_SEQUENCE}.get(row.pending, row.pending + 1)
    ledger.apply(
        LedgerKept(
            epoch=np.array([term.epoch]),
            sequence=np.array([term.sequence]),
            rear_m=np.array([rear_m]),
            end_m=np.array([held_m]),
            sent_m=np.array([asked_m]),
            pending=np.array([pending]),
        )
    )
    ledger.begin(EPOCHS[-1])
    if met:
        ledger.greeted[0], ledger.route_sequence[0] = True, 1
    return ledger


def remembered(ledger: Ledger) -> tuple[float, Term, int]:
    """End, last term said, sequence of the shortening that waits."""
    return float(ledger.trucks.end_m[0]), Term(int(ledger.issued_epoch[0]), int(ledger.issued_sequence[0])), int(ledger.pending[0])


def in_product(row: Row) -> tuple[float, Term, int]:
    """The same of a model's row in the last epoch."""
    pending = {0: NONE_PENDING, OLD_EPOCH: OLD_SEQUENCE}.get(row.pending, row.pending + 1)
    return end_m(row.end), term_of(row.epoch, row.sequence), pending


def state_of(row: Row, *, met: bool) -> State:
    """One server in the last epoch, and nothing said."""
    rows = (row, Row())
    return State((Truck(), Truck()), (Server(EPOCHS[-1], rows, (met, False)),), Journal(EPOCHS[-1], rows))


def decisions(row: Row, *, met: bool) -> Iterator[tuple[Word, Row]]:
    """What the model's server may decide about *row* while the zone is free, and the row afterwards."""
    for _, state in server_moves(DESIGN, WITHIN, state_of(row, met=met), 0):
        waiting = state.servers[0].waiting if state.servers else None
        if waiting is not None and waiting.truck == 0:
            yield waiting, state.servers[0].rows[0]


@pytest.mark.parametrize("met", [False, True])
def test_a_ledger_grants_as_in_the_model(met: bool) -> None:
    """Whom, how far and under which term: the model offers the grant that the ledger would make, and none that it would not."""
    for row in MET_ROWS if met else ROWS:
        aim = row.end if row.holds else row.end + 1
        if aim > WITHIN.passes:
            continue
        ledger = ledger_of(row, met=met)
        offered = {word.end: in_product(after) for word, after in decisions(row, met=met) if word.kind == GRANT}
        try:
            ledger.grant(np.array([0], np.int32), np.array([end_m(aim)]), tick=1, now_ns=0)
        except GrantUnlawful:
            assert offered == {}, row
        else:
            assert offered == {aim: remembered(ledger)}, row


def test_a_ledger_shortens_as_in_the_model() -> None:
    """What is asked frees nothing, takes the next term, and waits."""
    for row in MET_ROWS:
        asked = [(word, after) for word, after in decisions(row, met=True) if word.kind == SHORTENING]
        for word, after in asked:
            ledger = ledger_of(row, met=True)
            ledger.shorten(0, end_m(word.end), "")

            assert remembered(ledger) == in_product(after), row
        assert len(asked) == (row.holds or row.pending != 0)


def test_a_ledger_hears_answers_as_in_the_model() -> None:
    """Only the answer to the shortening that waits, in this epoch, frees anything, and never more than the truck gave back."""
    for row, (epoch, sequence), end in product(MET_ROWS, TERMS, PASSES):
        # A truck answers what was said, and holds no more than the ledger knows.
        if sequence == 0 or (epoch, sequence) > (row.epoch, row.sequence) or end > row.end:
            continue
        answer = Answer(0, epoch, sequence, end)
        said = state_of(row, met=True)._replace(answers=(answer,))
        heard = [state.servers[0].rows[0] for step, state in server_moves(DESIGN, WITHIN, said, 0) if "answer" in step.sentence]
        ledger = ledger_of(row, met=True)

        ledger.acknowledge(0, epoch, sequence + 1, honoured=end == row.rear, end_m=end_m(end))

        assert [remembered(ledger)] == [in_product(after) for after in heard or [row]], (row, answer)


def test_a_ledger_knows_a_truck_as_in_the_model() -> None:
    """Which hello proves that the journal is an old copy."""
    for row, (epoch, sequence) in product(ROWS, TERMS):
        if row.rear == WITHIN.passes:
            continue
        there = Truck(epoch=epoch, sequence=sequence)
        hailed = state_of(row, met=False)._replace(trucks=(there, Truck()))
        stopped = any(state.journal.behind for _, state in server_moves(DESIGN, WITHIN, hailed, 0))

        assert ledger_of(row, met=False).knows_of(0, *term_of(epoch, sequence)) is not stopped, (row, there)
