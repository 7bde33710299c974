"""What a server may do next: begin, be killed, make durable what it decided, hear, decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sim_harness.model.design import Bounds, Design
from sim_harness.model.state import (
    BOTH,
    EMPTY,
    GRANT,
    NAMES,
    OLD_EPOCH,
    SHORTENING,
    WELCOME,
    Answer,
    Journal,
    Move,
    Row,
    Server,
    State,
    Step,
    Word,
    with_item,
)

_BEGINS: Final = "server {} takes charge of the journal and reads it"
_READS: Final = "a server reads the journal before it takes charge"
_ACQUIRES: Final = "that server takes charge as server {}"
_KILLED: Final = "server {} is killed"
_DEPOSED: Final = "server {} finds that it is deposed, and ends"
_HELLO: Final = "server {} hears the hello of truck {} and welcomes it"
_OLD_HELLO: Final = "server {} hears the hello of truck {} from when it had made {} passes, and welcomes it"
_BEHIND: Final = "server {} hears of truck {} that the journal is an old copy, and stops all"
_REPORT: Final = "server {} hears the report of truck {} from when it had made {} passes"
_ANSWER: Final = "server {} hears truck {} answer shortening ({}, {}): its end is pass {}"
_GRANTS: Final = "server {} decides to give truck {} pass {} by grant ({}, {})"
_SHORTENS: Final = "server {} decides to ask truck {} back to pass {} by shortening ({}, {})"
_APPENDS: Final = "server {} makes durable what it decided about truck {}"


def beginnings(design: Design, bounds: Bounds, state: State) -> Iterator[Move]:
    """One more server may be started at any time, whether or not another seems alive."""
    journal = state.journal
    if len(state.servers) == bounds.servers or journal.epoch == bounds.epochs:
        return
    read = journal.rows if design.journal_recovery else EMPTY
    # Asked in an older epoch: no answer to it counts any more (`Ledger.acknowledge`), but it waits for one all the same.
    rows = tuple(row._replace(pending=OLD_EPOCH) if row.pending else row for row in read)
    if design.fence_before_read:
        epoch = journal.epoch + 1
        begun = state._replace(servers=(*state.servers, Server(epoch, rows)), journal=journal._replace(epoch=epoch))
        yield Step(_BEGINS, (epoch,)), begun
    elif all(server.epoch for server in state.servers):
        yield Step(_READS, ()), state._replace(servers=(*state.servers, Server(0, rows)))


def server_moves(design: Design, bounds: Bounds, state: State, at: int) -> Iterator[Move]:
    """All that server *at* may do next."""
    server, journal = state.servers[at], state.journal
    if server.epoch == 0:
        charged = server._replace(epoch=journal.epoch + 1)
        journal = journal._replace(epoch=charged.epoch)
        yield Step(_ACQUIRES, (charged.epoch,)), state._replace(servers=with_item(state.servers, at, charged), journal=journal)
        return
    gone = state._replace(servers=state.servers[:at] + state.servers[at + 1 :])
    yield Step(_KILLED, (server.epoch,)), gone
    in_charge = server.epoch == journal.epoch or not design.fenced_append
    if server.waiting is not None:
        yield _append(design, state, at, server.waiting) if in_charge else (Step(_DEPOSED, (server.epoch,)), gone)
        return
    for truck in BOTH:
        if in_charge:
            yield from _hear(design, bounds, state, at, truck)
        if not journal.behind and (server.met[truck] or not design.handshake):
            yield from _decide(design, bounds, state, at, truck)


def _append(design: Design, state: State, at: int, word: Word) -> Move:
    """`JournalWriter`: what was decided becomes durable, and then its words are said; without the rule they were said before."""
    server = state.servers[at]
    said = (*state.words, word) if design.journal_before_send else state.words
    durable = _durable(state, at, server._replace(waiting=None), word.truck)
    return Step(_APPENDS, (server.epoch, NAMES[word.truck])), durable._replace(words=said)


def _durable(state: State, at: int, server: Server, truck: int) -> State:
    """The journal has the row of *truck* as *server* has it; others' facts about other trucks stay."""
    epoch, rows, behind = state.journal
    journal = Journal(epoch, with_item(rows, truck, server.rows[truck]), behind)
    return State(state.trucks, with_item(state.servers, at, server), journal, state.words, state.answers)


def _hear(design: Design, bounds: Bounds, state: State, at: int, truck: int) -> Iterator[Move]:
    """Whatever *truck* may have said, ever."""
    server = state.servers[at]
    if server.met[truck] or not design.handshake:
        yield from _hear_reports(state, at, truck)
    for answer in state.answers:
        # `Ledger.acknowledge`: of this epoch, and to the shortening that waits.
        if answer.truck == truck and answer.epoch == server.epoch and answer.sequence == server.rows[truck].pending:
            yield _settle(state, at, answer)
    there, row = state.trucks[truck], server.rows[truck]
    welcomed = there.agreed >= server.epoch or any(_answers_hello(word, truck, server) for word in state.words)
    # A truck known to have made its last pass is out of the story, and one that obeyed a later server refuses an older one's welcome.
    if not welcomed and there.epoch <= server.epoch and row.rear < bounds.passes:
        yield from _greet(design, state, at, truck)


def _answers_hello(word: Word, truck: int, server: Server) -> bool:
    return word.kind == WELCOME and word.truck == truck and word.epoch == server.epoch


def _proven(made: int, row: Row) -> int:
    """
    The rear of *row* after the truck was out of the zone with *made* passes behind it.

    A report names a place, and a place knows no rounds: the side of the zone is all that is heard. It lies on the path from the
    confirmed rear on, within the end held, or it proves nothing (`inspect_reports`).
    """
    rear = row.rear + (made - row.rear) % 2
    return rear if rear <= row.end else row.rear


def _hear_reports(state: State, at: int, truck: int) -> Iterator[Move]:
    """`Telemetry.take`: believed if its stamp is later than the newest known. A server that heard no hello knows none."""
    server = state.servers[at]
    row = server.rows[truck]
    oldest = row.rear + 1 if server.met[truck] else 0
    for made in range(oldest, state.trucks[truck].place // 2 + 1):
        rear = _proven(made, row)
        if rear != row.rear:
            rows = with_item(server.rows, truck, row._replace(rear=rear))
            heard = server._replace(rows=rows, met=with_item(server.met, truck, True))
            yield Step(_REPORT, (server.epoch, NAMES[truck], made)), _durable(state, at, heard, truck)


def _settle(state: State, at: int, answer: Answer) -> Move:
    """`Ledger.acknowledge`: the end is what the truck says it supervises, never more than it was given."""
    server = state.servers[at]
    row = server.rows[answer.truck]
    settled = row._replace(end=min(max(answer.end, row.rear), row.end), pending=0)
    heard = server._replace(rows=with_item(server.rows, answer.truck, settled))
    step = Step(_ANSWER, (server.epoch, NAMES[answer.truck], answer.epoch, answer.sequence, answer.end))
    return step, _durable(state, at, heard, answer.truck)


def _greet(design: Design, state: State, at: int, truck: int) -> Iterator[Move]:
    """`Admission.hear`: the hello must know no more than the ledger, and its report is the first that is believed."""
    server, there = state.servers[at], state.trucks[truck]
    row = server.rows[truck]
    if (there.epoch, there.sequence) > (row.epoch, row.sequence):
        yield Step(_BEHIND, (server.epoch, NAMES[truck])), state._replace(journal=state.journal._replace(behind=True))
        return
    epoch, sequence = max((row.epoch, row.sequence), (server.epoch, 0))
    # Only the answer to the newest hello counts (`Contact.is_answered_by`).
    words = tuple(word for word in state.words if word.kind != WELCOME or word.truck != truck)
    said = state._replace(words=(*words, Word(WELCOME, truck, server.epoch, 0, 0)))
    met = with_item(server.met, truck, True)
    for place in range(there.place if design.fresh_hello else 0, there.place + 1):
        rear = row.rear if place % 2 else _proven(place // 2, row)
        rows = with_item(server.rows, truck, row._replace(rear=rear, epoch=epoch, sequence=sequence))
        step = Step(_HELLO, (server.epoch, NAMES[truck]))
        if place != there.place:
            step = Step(_OLD_HELLO, (server.epoch, NAMES[truck], place // 2))
        yield step, _durable(said, at, server._replace(rows=rows, met=met), truck)


def _decide(design: Design, bounds: Bounds, state: State, at: int, truck: int) -> Iterator[Move]:
    """`Granting.extend`, `Ledger.grant` and `Ledger.shorten`: a pass more, the same end again, or a pass less if the truck can."""
    server = state.servers[at]
    row = server.rows[truck]
    sequence = row.sequence + 1 if row.epoch == server.epoch else 1
    if sequence > bounds.sequences:
        return
    term = row._replace(epoch=server.epoch, sequence=sequence)
    if not (row.pending and design.answer_before_grant):
        # What a truck holds is granted again after a hello, and whenever it seems lost (`Sessions.owed`, `Repeats`).
        end = row.end if row.holds else row.end + 1
        if row.holds or (end <= bounds.passes and not server.rows[1 - truck].holds):
            yield _decided(design, state, at, term._replace(end=end), Word(GRANT, truck, server.epoch, sequence, end))
    if row.holds or row.pending:
        freed = row.end if design.acknowledged_shortening else row.rear
        asked = term._replace(pending=sequence, end=freed)
        yield _decided(design, state, at, asked, Word(SHORTENING, truck, server.epoch, sequence, row.rear))


def _decided(design: Design, state: State, at: int, row: Row, word: Word) -> Move:
    """The ledger changes at once, the journal later."""
    server = state.servers[at]
    ahead = server._replace(rows=with_item(server.rows, word.truck, row), waiting=word)
    words = state.words if design.journal_before_send else (*state.words, word)
    step = Step(_GRANTS if word.kind == GRANT else _SHORTENS, (server.epoch, NAMES[word.truck], word.end, word.epoch, word.sequence))
    return step, state._replace(servers=with_item(state.servers, at, ahead), words=words)
