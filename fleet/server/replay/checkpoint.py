"""
A core's whole state between two ticks, written down: where a log that has outlived its epoch's beginning goes on.

Facts recreate only what must outlive the process; what a core believes of reports, sessions and waits is more. It is written as Python's
own form of objects, with three differences. Site and lanes are named, not written: the reader brings its own. A view of an array stays a
view, for columns share their memory. And the reader makes nothing but the core's own values and arrays, whatever the bytes say: a log
is a file, and a file may come from anywhere.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any, Final

import numpy as np

from fleet.server.loop.control_loop import ControlLoop
from fleet.server.replay.form import FormBroken
from planner.corridor import Corridor
from planner.tables import LaneTable

_CORRIDOR: Final = "corridor"
_LANES: Final = "lanes"
# Where the core's own classes live.
_HOMES: Final = ("fleet.server.loop.", "fleet.server.dispatch.", "planner.")
_VALUES: Final = frozenset({
    "fleet.server.facts", "fleet.server.site_facts", "fleet.server.outgoing", "fleet.server.commands", "fleet.server.inputs",
    "fleet.server.site_commands", "fleet.server.succession", "fleet.server.intrusions", "fleet.server.keep_out", "fleet.server.reach",
})  # fmt: skip
_LIBRARY: Final = frozenset(
    {
        ("builtins", "set"),
        ("builtins", "frozenset"),
        ("collections", "deque"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
    }
)


def view_of(base: np.ndarray[Any, Any], start: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: str) -> Any:
    """Part of *base*'s memory, from byte *start* on."""
    return np.ndarray(shape, np.dtype(dtype), base.data.cast("B") if base.size else base, start, strides)


def method_of(owner: Any, name: str) -> Any:
    """The method *name* of one of the core's objects."""
    method = getattr(type(owner), name)
    return MethodType(method, owner)


def brought(name: str) -> Any:
    """What the reader brings along under *name*; the reader knows it, nobody else."""
    raise FormBroken(f"{name} is brought by the reader")


def _method(method: MethodType) -> tuple[Any, ...]:
    return method_of, (method.__self__, method.__name__)


def _array(array: np.ndarray[Any, Any]) -> Any:
    base = array.base
    if not isinstance(base, np.ndarray):
        return array.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return view_of, (base, start, array.shape, array.strides, array.dtype.str)


def _corridor(_: Corridor) -> tuple[Any, ...]:
    return brought, (_CORRIDOR,)


def _lanes(_: LaneTable) -> tuple[Any, ...]:
    return brought, (_LANES,)


# A table, not a method asked for every object: a core is written between two ticks, and the next one waits.
_WRITTEN: Final[Mapping[type[Any], Callable[[Any], Any]]] = {
    MethodType: _method,
    np.ndarray: _array,
    Corridor: _corridor,
    LaneTable: _lanes,
}


class _Reader(pickle.Unpickler):
    def __init__(self, raw: bytes, brought: dict[str, Any]) -> None:
        super().__init__(io.BytesIO(raw))
        self._brought = brought

    def find_class(self, module_name: str, global_name: str) -> Any:
        """
        A class of the core, or what arrays are made with; nothing else, whoever wrote it.

        Raises:
            FormBroken: it is something else.
        """
        if (module_name, global_name) == (brought.__module__, brought.__name__):
            return self._brought.__getitem__
        if (module_name, global_name) in _LIBRARY or (module_name, global_name) in _OURS:
            return super().find_class(module_name, global_name)
        if module_name.startswith(_HOMES) or module_name in _VALUES:
            found = super().find_class(module_name, global_name)
            if isinstance(found, type):
                return found
        raise FormBroken(f"names {module_name}.{global_name}, which is no part of a core")


_OURS: Final = frozenset({(view_of.__module__, view_of.__name__), (method_of.__module__, method_of.__name__)})


def checkpoint_of(loop: ControlLoop) -> bytes:
    """Everything *loop* holds, between two ticks."""
    into = io.BytesIO()
    writer = pickle.Pickler(into, protocol=pickle.HIGHEST_PROTOCOL)
    writer.dispatch_table = _WRITTEN
    writer.dump(loop)
    return into.getvalue()


def loop_of(raw: bytes, corridor: Corridor) -> ControlLoop:
    """
    The core that `checkpoint_of` wrote down, on the same site.

    Raises:
        FormBroken: another version wrote it, or it is no checkpoint.
    """
    read: Callable[[], Any] = _Reader(raw, {_CORRIDOR: corridor, _LANES: LaneTable.of(corridor)}).load
    try:
        loop = read()
    except FormBroken:
        raise
    except Exception as fault:
        raise FormBroken(f"the checkpoint cannot be read: {type(fault).__name__}: {fault}") from fault
    if not isinstance(loop, ControlLoop):
        raise FormBroken("the checkpoint holds no core")
    return loop
