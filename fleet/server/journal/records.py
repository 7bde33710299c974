"""Facts as the journal keeps them, and back."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.server.facts import Fact, decode, encode
from fleet.server.journal.journal import Record


def records_of(facts: Iterable[Fact]) -> list[Record]:
    """The written form of *facts*, in order."""
    records = []
    for fact in facts:
        kind, body = encode(fact)
        records.append(Record(kind=kind, key="", body=body))
    return records


def facts_of(records: Iterable[Record]) -> Iterable[Fact]:
    """
    The facts of *records*, in order.

    Raises:
        FactMalformed: a record was written by another version, or is damaged.
    """
    return (decode(record.kind, record.body) for record in records)
