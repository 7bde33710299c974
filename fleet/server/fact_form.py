"""
The written form of facts: everything that must outlive the process, as frozen values.

A fact is journalled under its class name. Its body is a small JSON header (the fields that are plain values) followed by its
columns as raw little-endian arrays, so that one tick's grants cost one record. Writing and reading follow the declared types
to the letter: a body that lacks a field, has one too many, or holds a value of another type is refused, never guessed at.

Plain fields may be: bool, int, float (finite), str, an enum, None in a union, `tuple[T, ...]`, `tuple[A, B]`,
`Mapping[str, T]` and frozen dataclasses of these. Columns are top-level fields typed as one of `fleet.server.columns`.

A component that makes a new kind of fact declares it next to itself with `@fact`.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from struct import Struct
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from fleet.errors import Code, FleetError
from fleet.server.columns import CodeColumn, FlagColumn, FloatColumn, IntColumn, RowColumn

_LENGTH: Final = Struct("<I")
_WRITER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_COLUMNS: Final[Mapping[Any, str]] = {FloatColumn: "<f8", IntColumn: "<i8", RowColumn: "<i4", CodeColumn: "|i1", FlagColumn: "|b1"}
Split: TypeAlias = tuple[tuple[tuple[str, Any], ...], tuple[tuple[str, str], ...]]
_REGISTRY: Final[dict[str, type[Fact]]] = {}
# What each declaration says, looked up once: the walk below runs for every record.
_HINTS: Final[dict[type[Any], Mapping[str, Any]]] = {}
_SPLITS: Final[dict[type[Any], Split]] = {}


class Fact:
    """Base of every journalled fact; the class name is its kind."""

    __slots__ = ()
    is_fact: ClassVar[bool] = True


@dataclass(eq=False)
class FactMalformed(FleetError):
    """A fact's written form does not match its declaration: the journal was written by another version, or is damaged."""

    code: ClassVar[Code] = Code.BUG

    kind: str
    problem: str


FactT = TypeVar("FactT", bound=Fact)


def fact(declared: type[FactT]) -> type[FactT]:
    """Registers a frozen dataclass as a kind of fact; two of one name are our own mistake."""
    name = declared.__name__
    assert is_dataclass(declared), f"{name} must be a dataclass"
    assert name not in _REGISTRY, f"two facts are called {name}"
    _REGISTRY[name] = declared
    return declared


def hints_of(declared: type[Any]) -> Mapping[str, Any]:
    """The fields of a dataclass with their types."""
    known = _HINTS.get(declared)
    if known is None:
        hints = get_type_hints(declared)
        known = _HINTS[declared] = {entry.name: hints[entry.name] for entry in fields(declared)}
    return known


def split(declared: type[Any]) -> Split:
    """Plain fields with their types, and columns with their dtypes, both in declared order."""
    known = _SPLITS.get(declared)
    if known is None:
        hints = hints_of(declared).items()
        plain = tuple((name, hint) for name, hint in hints if hint not in _COLUMNS)
        columns = tuple((name, _COLUMNS[hint]) for name, hint in hints if hint in _COLUMNS)
        known = _SPLITS[declared] = (plain, columns)
    return known


def encode(value: Fact) -> tuple[str, bytes]:
    """
    The kind and body of *value*.

    Raises:
        FactMalformed: a field holds something its type does not allow.
    """
    kind = type(value).__name__
    try:
        plain, columns = split(type(value))
        header: dict[str, Any] = {name: _pack(hint, getattr(value, name)) for name, hint in plain}
        arrays = [_column(getattr(value, name), dtype) for name, dtype in columns]
    except (TypeError, ValueError) as error:
        raise FactMalformed(kind=kind, problem=str(error)) from error
    if columns:
        header["#"] = [int(array.shape[0]) for array in arrays]
    text = _WRITER.encode(header).encode()
    return kind, b"".join([_LENGTH.pack(len(text)), text, *(array.tobytes() for array in arrays)])


def _column(values: Any, dtype: str) -> np.ndarray[Any, np.dtype[Any]]:
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.ndim != 1:
        raise ValueError("a column has one dimension")
    return array


def decode(kind: str, body: bytes) -> Fact:
    """
    The fact that `encode` wrote.

    Raises:
        FactMalformed: nobody declared *kind*, or *body* is not exactly what `encode` writes for it.
    """
    declared = _REGISTRY.get(kind)
    if declared is None:
        raise FactMalformed(kind=kind, problem="nobody declares this kind")
    try:
        return _decode(declared, body)
    except (TypeError, ValueError, KeyError) as error:
        raise FactMalformed(kind=kind, problem=str(error)) from error


def _decode(declared: type[Fact], body: bytes) -> Fact:
    if len(body) < _LENGTH.size:
        raise ValueError("body ends inside its header")
    (length,) = _LENGTH.unpack_from(body)
    start = _LENGTH.size + length
    header = json.loads(body[_LENGTH.size : start].decode())
    plain, columns = split(declared)
    expected = {name for name, _ in plain} | ({"#"} if columns else set())
    if not isinstance(header, dict) or set(header) != expected:
        raise ValueError("the fields are not the declared ones")
    values: dict[str, Any] = {name: _unpack(hint, header[name]) for name, hint in plain}
    counts = header.get("#", [])
    if len(counts) != len(columns):
        raise ValueError("the columns are not the declared ones")
    for (name, dtype), count in zip(columns, counts, strict=True):
        size = np.dtype(dtype).itemsize * _of(int, count)
        values[name] = np.frombuffer(body, dtype=dtype, count=count, offset=start) if count else np.empty(0, dtype=dtype)
        start += size
    if start != len(body):
        raise ValueError("the body is longer than its columns")
    return declared(**values)


def _of(wanted: type[Any], value: Any) -> Any:
    if type(value) is not wanted:
        raise TypeError(f"{value!r} is not {wanted.__name__}")
    return value


@cache
def _union_of(hint: Any) -> tuple[Any, bool] | None:
    """(the type, True) of `T | None`; None when *hint* is no union."""
    if get_origin(hint) not in {Union, types.UnionType}:
        return None
    others = [option for option in get_args(hint) if option is not type(None)]
    if len(others) != 1:
        raise TypeError(f"{hint} has no single written form")
    return others[0], True


def _pack(hint: Any, value: Any) -> Any:
    scalar = _SCALARS.get(hint)
    if scalar is not None:
        return scalar(value)
    return _walk(
        hint,
        value,
        _pack,
        lambda declared, item: {name: _pack(of, getattr(_of(declared, item), name)) for name, of in hints_of(declared).items()},
    )


def _unpack(hint: Any, value: Any) -> Any:
    if hint is float:
        return _finite(_of(float, value))
    if hint in {int, bool, str}:
        return _of(hint, value)
    return _walk(hint, value, _unpack, _unpack_nested)


def _unpack_nested(declared: type[Any], value: Any) -> Any:
    hints = hints_of(declared)
    if not isinstance(value, dict) or set(value) != set(hints):
        raise ValueError(f"the fields of {declared.__name__} are not the declared ones")
    return declared(**{name: _unpack(hint, value[name]) for name, hint in hints.items()})


def _walk(hint: Any, value: Any, go: Callable[[Any, Any], Any], nested: Callable[[type[Any], Any], Any]) -> Any:
    """Takes *value* apart as *hint* says, both ways: tuples are JSON lists, mappings JSON objects."""
    union = _union_of(hint)
    if union is not None:
        return None if value is None else go(union[0], value)
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple:
        if not isinstance(value, tuple if go is _pack else list):
            raise TypeError(f"{value!r} is not a tuple")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(go(args[0], item) for item in value)
        return tuple(go(of, item) for of, item in zip(args, value, strict=True))
    if origin in {dict, Mapping}:
        return {_of(str, key): go(args[1], item) for key, item in _mapping(value).items()}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _of(hint, value).value if go is _pack else hint(value)
    if isinstance(hint, type) and is_dataclass(hint):
        return nested(hint, value)
    raise TypeError(f"{hint} has no written form")


def _mapping(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is not a mapping")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{value!r} is not int")
    return int(value)


def _real(value: Any) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{value!r} is not float")
    return _finite(float(value))


def _truth(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{value!r} is not bool")
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not str")
    return str(value)


_SCALARS: Final[Mapping[Any, Callable[[Any], Any]]] = {bool: _truth, int: _whole, float: _real, str: _text}
