"""
Values of many ticks as bytes, and back: a JSON head, then every column of every kind of value, one after another.

    u32 length of the head   the head, JSON   columns, little-endian, in the order in which the head names them

The head: *counts*, how many values each tick has; *order*, which table each value is in, tick after tick; *tables*, one a kind: its
*kind*, the *count* of its values, its *plain* fields as lists, its *columns* as [field, dtype, step, lengths].

The columns of one kind lie end to end, tick after tick, since reports of the same trucks in the next tick are nearly the same. A
*step* above zero says more: every tick had that many rows, and from the second tick on the difference from the row one step earlier is
written instead of the row, as whole numbers and bit for bit, for floats too. What does not change becomes zeros, and a compressor does
the rest. The same values always become the same bytes, so that two runs are compared without being read.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Final, TypeAlias, get_args, get_origin

import numpy as np

from fleet.errors import FleetError
from fleet.server import commands
from fleet.server.fact_form import hints_of, split
from fleet.server.inputs import Input

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

KIND: Final = "kind"
INPUTS: Final[Mapping[str, type[Any]]] = {kind.__name__: kind for kind in get_args(Input)}
COMMANDS: Final[Mapping[str, type[Any]]] = {kind.__name__: kind for kind in get_args(commands.Command)}

_LENGTH: Final = struct.Struct("<I")
_WHOLE: Final[Mapping[int, str]] = {8: "<i8", 4: "<i4"}  # whole numbers of a column's width, to take differences in


class FormBroken(ValueError):
    """Bytes that `encode` never wrote: of another version, or made up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A value as it was written: its class name, and its fields as plain values, columns as arrays."""

    kind: str
    plain: Mapping[str, Any]
    columns: Mapping[str, Array]


def plain_of(value: Any) -> Any:
    """What the JSON writer does not know, as what it knows."""
    if isinstance(value, FleetError):
        return {"error": value.reason, **value.facts()}
    if is_dataclass(value) and not isinstance(value, type):
        return {KIND: type(value).__name__, **{entry.name: getattr(value, entry.name) for entry in fields(value)}}
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no written form")


_WRITER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=plain_of)


def text_of(value: Any) -> str:
    """*value* as JSON; equal values give equal texts."""
    return _WRITER.encode(value)


def encode(ticks: Sequence[Sequence[object]]) -> bytes:
    """The values of each tick, in their order."""
    numbers: dict[type[Any], int] = {}
    tables: list[list[Any]] = []
    order: list[int] = []
    for values in ticks:
        for value in values:
            number = numbers.setdefault(type(value), len(tables))
            if number == len(tables):
                tables.append([])
            tables[number].append(value)
            order.append(number)
    written = [_table(kind, tables[number]) for kind, number in numbers.items()]
    head = {"counts": [len(values) for values in ticks], "order": order, "tables": [table for table, _ in written]}
    text = text_of(head).encode()
    return b"".join([_LENGTH.pack(len(text)), text, *(column.tobytes() for _, columns in written for column in columns)])


def _table(kind: type[Any], values: Sequence[Any]) -> tuple[dict[str, Any], list[Array]]:
    plain, columns = split(kind)
    names = [name for name, _ in (*plain, *columns)]
    # One look at each value for all its fields: there are thousands a second.
    fields_of = attrgetter(*names) if len(names) > 1 else lambda value: [getattr(value, name) for name in names]
    by_name = dict(zip(names, zip(*map(fields_of, values), strict=True), strict=True))
    table: dict[str, Any] = {KIND: kind.__name__, "count": len(values), "plain": {name: by_name[name] for name, _ in plain}}
    if not columns:
        return table, []
    named, arrays = [], []
    for name, dtype in columns:
        parts = by_name[name]
        lengths = list(map(len, parts))
        step = lengths[0] if len(lengths) > 1 and min(lengths) == max(lengths) and int(dtype[-1]) in _WHOLE else 0
        array = np.ascontiguousarray(np.concatenate(parts), dtype=dtype)
        arrays.append(_differences(array, step) if step else array)
        named.append((name, dtype, step, lengths))
    table["columns"] = named
    return table, arrays


def _differences(array: Array, step: int) -> Array:
    whole = array.view(_WHOLE[array.itemsize])
    differences = whole.copy()
    differences[step:] -= whole[:-step]
    return differences


def _sums(array: Array, step: int) -> Array:
    whole = array.view(_WHOLE[array.itemsize]).reshape(-1, step)
    sums: Array = np.cumsum(whole, axis=0, dtype=whole.dtype).reshape(-1).view(array.dtype)
    return sums


def items(raw: bytes) -> list[list[Item]]:
    """
    What `encode` wrote, value by value, a list a tick.

    Raises:
        FormBroken: it never wrote this.
    """
    try:
        (length,) = _LENGTH.unpack_from(raw)
        start = _LENGTH.size + length
        head = json.loads(raw[_LENGTH.size : start])
        tables = []
        for table in head["tables"]:
            values, start = _items(table, raw, start)
            tables.append(iter(values))
        if start != len(raw):
            raise FormBroken("bytes are left over")  # noqa: TRY301 - the same end as every other fault here
        order = iter(head["order"])
        return [[next(tables[next(order)]) for _ in range(count)] for count in head["counts"]]
    except FormBroken:
        raise
    except (ValueError, KeyError, TypeError, IndexError, StopIteration, struct.error) as fault:
        raise FormBroken(f"{type(fault).__name__}: {fault}") from fault


def _items(table: Mapping[str, Any], raw: bytes, start: int) -> tuple[list[Item], int]:
    columns: dict[str, Iterator[Array]] = {}
    for name, dtype, step, lengths in table.get("columns", ()):
        whole = np.frombuffer(raw, dtype=dtype, count=sum(lengths), offset=start)
        start += whole.nbytes
        # A copy: the core may be given only what it may also write to, as when it heard it.
        columns[name] = iter(np.split(_sums(whole, step) if step else whole.copy(), np.cumsum(lengths[:-1], dtype=np.int64)))
    made = [
        Item(
            kind=table[KIND],
            plain={name: values[at] for name, values in table["plain"].items()},
            columns={name: next(parts) for name, parts in columns.items()},
        )
        for at in range(table["count"])
    ]
    return made, start


def inputs(raw: bytes) -> list[list[Input]]:
    """
    What `encode` wrote of inputs, as the core heard them.

    Raises:
        FormBroken: it never wrote this, or they are no inputs.
    """
    try:
        return [[_input(item) for item in tick] for tick in items(raw)]
    except (ValueError, KeyError, TypeError) as fault:
        raise FormBroken(f"{type(fault).__name__}: {fault}") from fault


def _input(item: Item) -> Input:
    declared = INPUTS[item.kind]
    plain, columns = split(declared)
    given = {name: built(hint, item.plain[name]) for name, hint in plain}
    heard: Input = declared(**given, **{name: item.columns[name] for name, _ in columns})
    return heard


def built(hint: Any, value: Any) -> Any:
    """
    The value of type *hint* that was written as *value*.

    Raises:
        ValueError, KeyError, TypeError: *value* was written for another type.
    """
    if hint is object:  # a command
        return built(COMMANDS[value[KIND]], value)
    if hint in {int, float, str, bool}:
        if type(value) is not hint:
            raise TypeError(f"{value!r} is not {hint.__name__}")
        return value
    if isinstance(hint, type) and is_dataclass(hint):
        if value[KIND] != hint.__name__:
            raise TypeError(f"a {value[KIND]} is no {hint.__name__}")
        return hint(**{name: built(of, value[name]) for name, of in hints_of(hint).items()})
    parts = get_args(hint)
    if get_origin(hint) is tuple:
        ends = (parts[0],) * len(value) if parts[1:] == (Ellipsis,) else parts
        return tuple(built(of, each) for of, each in zip(ends, value, strict=True))
    if type(None) in parts:
        return None if value is None else built(next(part for part in parts if part is not type(None)), value)
    raise TypeError(f"{hint} has no written form")
