"""
One state of everything: trucks, servers, the journal, and what is on the wire.

Road is counted in passes through the zone. A truck's *place* is twice the passes it has made, and one more while any part of it is
in the zone; an *end* of authority is the number of passes it allows. So the zone is held while the rear is short of the end, and no
end lies inside it.

States are tuples all the way down: equal states are equal values.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias, TypeVar

from sim_harness.model.design import Design

_T = TypeVar("_T")


class Truck(NamedTuple):
    """
    What is true of a truck: where it is, and what `fleet.onboard.permission` remembers.

    *epoch* and *sequence* are the highest term it took; *agreed* is the epoch of its welcome, 0 for none.
    """

    place: int = 0
    end: int = 0
    epoch: int = 0
    sequence: int = 0
    agreed: int = 0

    @property
    def holds(self) -> bool:
        """Whether it is in the zone or may enter."""
        return self.place < 2 * self.end


class Row(NamedTuple):
    """
    What a ledger remembers of a truck (`fleet.server.loop.ledger`).

    *rear* counts the passes proven made; *end* is the furthest the truck may hold; *epoch* and *sequence* are the last term said;
    *pending* is the sequence of the shortening that waits, 0 for none, `OLD_EPOCH` for one that no answer can settle.
    """

    rear: int = 0
    end: int = 0
    epoch: int = 0
    sequence: int = 0
    pending: int = 0

    @property
    def holds(self) -> bool:
        """Whether the truck may be in the zone, as far as is proven."""
        return self.rear < self.end


class Word(NamedTuple):
    """Said to *truck*: a welcome, or a grant or shortening to *end*."""

    kind: int
    truck: int
    epoch: int
    sequence: int
    end: int


class Answer(NamedTuple):
    """Said by *truck* to the shortening of this term: now it supervises *end*."""

    truck: int
    epoch: int
    sequence: int
    end: int


Rows: TypeAlias = tuple[Row, ...]


class Server(NamedTuple):
    """
    One that is alive, paused or not, deposed or not.

    *epoch* is 0 until it takes charge. *rows* run ahead of the journal by the one decision whose word is *waiting*. *met*: whom it
    heard of in this epoch, by a hello, so that it can tell which reports are older.
    """

    epoch: int
    rows: Rows
    met: tuple[bool, ...] = (False, False)
    waiting: Word | None = None


class Journal(NamedTuple):
    """
    The shared journal, as the ledger that reading it yields.

    *behind*: a truck proved that it is an old copy, and an all-stop is in force.
    """

    epoch: int
    rows: Rows
    behind: bool = False


class State(NamedTuple):
    """*words* and *answers* are on the wire, each once and sorted; `canonical` says what is taken off it."""

    trucks: tuple[Truck, ...]
    servers: tuple[Server, ...]
    journal: Journal
    words: tuple[Word, ...] = ()
    answers: tuple[Answer, ...] = ()


class Step(NamedTuple):
    """What happened, as a sentence to be filled in: of a million steps, a dozen are read."""

    sentence: str
    facts: tuple[int | str, ...]

    def __str__(self) -> str:
        """The sentence."""
        return self.sentence.format(*self.facts)


Move: TypeAlias = tuple[Step, State]

WELCOME, GRANT, SHORTENING = range(3)
OLD_EPOCH: Final = -1
NAMES: Final = "AB"
BOTH: Final = (0, 1)
EMPTY: Final[Rows] = (Row(), Row())
START: Final = State(trucks=(Truck(), Truck()), servers=(), journal=Journal(epoch=0, rows=EMPTY))


def with_item(items: tuple[_T, ...], at: int, item: _T) -> tuple[_T, ...]:
    """*items* but for one."""
    return (*items[:at], item, *items[at + 1 :])


def may_count(design: Design, truck: Truck, word: Word) -> bool:
    """Whether *truck* may take *word* now or at any later time."""
    if word.kind == WELCOME or not design.durable_terms:
        return True
    if word.epoch < truck.epoch:
        return False
    return not design.sequence_check or (word.epoch, word.sequence) > (truck.epoch, truck.sequence)


def settled(design: Design, state: State, *, forget: bool = True) -> State:
    """
    *state* without what cannot matter any more, so that states that can lead to the same are the same.

    Words that no truck and answers that no server can take are off the wire. With *forget*, a deposed server is gone as well where
    nothing leaves it but through a fenced journal.
    """
    trucks, servers, journal, words, answers = state
    if words:
        words = tuple(sorted({word for word in words if may_count(design, trucks[word.truck], word)}))
    if answers:
        asked = {(server.epoch, at, server.rows[at].pending) for server in servers for at in BOTH}
        answers = tuple(sorted({said for said in answers if (said.epoch, said.truck, said.sequence) in asked}))
    if forget and design.fenced_append and design.journal_before_send:
        servers = tuple(server for server in servers if server.epoch in {0, journal.epoch})
    return State(trucks, servers, journal, words, answers)


def canonical(design: Design, state: State) -> State:
    """Of two settled states that differ in the trucks' names alone, the one that stands for both."""
    named = settled(design, state)
    # States are compared by their trucks first: most need not be renamed to know which is kept.
    return named if named.trucks[0] < named.trucks[1] else min(named, renamed(named))


def renamed(state: State) -> State:
    """The same with the trucks' names exchanged."""
    trucks, servers, journal, words, answers = state
    return State(
        trucks[::-1],
        tuple(Server(epoch, rows[::-1], met[::-1], waiting and _of_other(waiting)) for epoch, rows, met, waiting in servers),
        Journal(journal.epoch, journal.rows[::-1], journal.behind),
        tuple(sorted(_of_other(word) for word in words)),
        tuple(sorted(Answer(1 - truck, epoch, sequence, end) for truck, epoch, sequence, end in answers)),
    )


def _of_other(word: Word) -> Word:
    return Word(word.kind, 1 - word.truck, word.epoch, word.sequence, word.end)
