"""
Who speaks for which truck.

A *connection* is one gRPC stream: a truck's own, or a gateway's with many trucks behind it. A *link* is one conversation with
one truck over a connection; its number is never used again. The control loop answers a hello with a welcome that binds the
link to the truck's row: from then on only that link moves the truck, and a newer link of the same truck takes the row over.

Everything here belongs to one thread: that of the streams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import numpy as np

from fleet.errors import FleetError
from fleet.mac import Session
from fleet.server.columns import FlagColumn, RowColumn
from fleet.server.wire.callers import HERE, Caller
from fleet.server.wire.outbox import Columns, Slots
from fleet.v1 import truck_pb2
from fleet.wire_version import CURRENT

NOBODY: Final = -1


@dataclass(eq=False, slots=True, kw_only=True)
class Link:
    """
    One conversation with one truck.

    *name* is the truck's among its connection's trucks, empty on its own stream; *called* is the id of its hello, *wire_version* the
    newest version of the wire it says it speaks. *session* makes the codes of a truck with a key that a gateway relays, begun by its
    *hello*; the counters are of the words with codes either way.
    """

    number: int
    connection: Connection
    name: str
    called: str = ""
    wire_version: int = CURRENT
    hello: truck_pb2.Hello | None = None
    session: Session | None = None
    counter_heard: int = 0
    counter_said: int = 0
    row: int = NOBODY
    slots: Slots = field(default_factory=Slots)


@dataclass(eq=False, slots=True, kw_only=True)
class Connection:
    """
    One stream. *wake* tells its writer that something waits; *ending* that nothing more will. Only *caller* may be named on it.

    *named* holds the newest link of each name: one under the empty name on a truck's stream, one for each truck id behind a
    gateway. *links* holds older ones too, until their truck's newer hello is answered. *accused* are the trucks in whose name a word
    came without a right code.
    """

    number: int
    relays: bool
    wake: Callable[[], None]
    caller: Caller = HERE
    named: dict[str, Link] = field(default_factory=dict)
    links: dict[int, Link] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    dirty: dict[int, Link] = field(default_factory=dict)
    accused: set[str] = field(default_factory=set)
    ending: bool = False
    fault: FleetError | None = None

    def touched(self, link: Link) -> None:
        """Something waits for *link*'s truck."""
        if not self.dirty:
            self.wake()
        self.dirty[link.number] = link

    def end(self, fault: FleetError | None = None) -> None:
        """What waits is still sent, then the stream ends; *fault* is why, where the caller is to hear of it."""
        self.ending = True
        self.fault = fault
        self.wake()


class Links:
    """All conversations of one server."""

    def __init__(self) -> None:
        self._connection_numbers = count(1)
        self._link_numbers = count(1)
        self._by_number: dict[int, Link] = {}
        self._by_row: dict[int, Link] = {}
        self.relays: dict[int, Connection] = {}
        self.own_streams = 0  # rows whose truck has a stream of its own
        self._speaker: RowColumn = np.full(64, NOBODY, np.int32)  # connection that speaks for each row

    def connect(self, *, relays: bool, wake: Callable[[], None], caller: Caller = HERE) -> Connection:
        """A stream begins."""
        connection = Connection(number=next(self._connection_numbers), relays=relays, wake=wake, caller=caller)
        if relays:
            self.relays[connection.number] = connection
        return connection

    def disconnect(self, connection: Connection) -> None:
        """The stream is over; its links must have been dropped."""
        self.relays.pop(connection.number, None)

    def open(self, connection: Connection, name: str) -> Link:
        """A truck says hello over *connection*: a new conversation, not yet bound to a row."""
        link = Link(number=next(self._link_numbers), connection=connection, name=name)
        connection.named[name] = connection.links[link.number] = link
        self._by_number[link.number] = link
        return link

    def bind(self, number: int, row: int) -> Link | None:
        """The loop took the truck on *number* on as *row*; None when the link is gone already."""
        link = self._by_number.get(number)
        if link is None:
            return None
        older = self._by_row.get(row)
        if older is link:
            return link
        if older is not None:
            self.drop(older)
        link.row = row
        self._by_row[row] = link
        self.own_streams += not link.connection.relays
        if row >= len(self._speaker):
            longer = np.full(max(row + 1, 2 * len(self._speaker)), NOBODY, np.int32)
            longer[: len(self._speaker)] = self._speaker
            self._speaker = longer
        self._speaker[row] = link.connection.number
        return link

    def drop(self, link: Link) -> None:
        """The conversation is over; its row, if it still has it, is nobody's."""
        self._by_number.pop(link.number, None)
        connection = link.connection
        connection.dirty.pop(link.number, None)
        connection.links.pop(link.number, None)
        if connection.named.get(link.name) is link:
            del connection.named[link.name]
        if self._by_row.get(link.row) is link:
            del self._by_row[link.row]
            self.own_streams -= not connection.relays
            self._speaker[link.row] = NOBODY

    def refuse(self, link: Link) -> None:
        """A hello was not accepted: whoever spoke by its name before on the same connection speaks on."""
        self._by_number.pop(link.number, None)
        connection = link.connection
        connection.links.pop(link.number, None)
        if connection.named.get(link.name) is link:
            del connection.named[link.name]
            for older in connection.links.values():
                if older.name == link.name and older.row != NOBODY:
                    connection.named[link.name] = older

    def numbered(self, number: int) -> Link | None:
        """The link of that number, while it lives."""
        return self._by_number.get(number)

    def of_row(self, row: int) -> Link | None:
        """The link that speaks for *row*."""
        return self._by_row.get(row)

    def session_of(self, row: int) -> Session | None:
        """What makes the codes of *row*'s truck; None where it needs none."""
        link = self._by_row.get(row)
        return None if link is None else link.session

    def owned_by(self, connection: Connection, rows: Any) -> FlagColumn:
        """Which of *rows* (k,) the connection may speak for; rows that do not exist are nobody's."""
        mine: FlagColumn = self.speakers(rows) == connection.number
        return mine

    def speakers(self, rows: Any) -> RowColumn:
        """The connection that speaks for each of *rows* (k,), -1 for nobody."""
        # Seen as unsigned, a negative row is beyond every array.
        known = rows.view(np.uint32) < len(self._speaker)
        speakers: RowColumn
        if np.count_nonzero(known) == len(known):
            speakers = self._speaker[rows]
            return speakers
        speakers = np.where(known, self._speaker[np.where(known, rows, 0)], np.int32(NOBODY))
        return speakers
