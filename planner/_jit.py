"""
The only importer of numba.

numba's cache looks at a kernel's own file and not at what the kernel calls: an edit in another file would run old machine
code. So every kernel gets a cache directory named by a digest of each source file it can reach, of the plain constants it
reads, and of the settings that change the code. With NUMBA_DISABLE_JIT=1 numba is not even imported and kernels are the plain
functions they look like.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

COMPILED: Final = os.environ.get("NUMBA_DISABLE_JIT", "0") in {"", "0"}
BOUNDSCHECK: Final = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in {"", "0"}

if COMPILED:
    import numba
    from numba.extending import register_jitable

_adopted: set[FunctionType] = set()


@cache
def _root() -> Path:
    """Where caches may live: the named place, else the user's cache, else a temporary directory."""
    named = os.environ.get("KHULAN_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    wish = Path(named) if named else Path.home() / ".cache"
    try:
        (wish / "khulan").mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir()) / f"khulan-{os.getuid()}"
    return wish / "khulan"


def _plain(value: object) -> FunctionType | None:
    """The Python function behind *value*, if it is one or a compiled one."""
    value = getattr(value, "py_func", value)
    return value if isinstance(value, FunctionType) else None


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _reach(fn: FunctionType) -> tuple[set[str], set[str]]:
    """Source files *fn* can reach through its globals, and the constants read on the way as text."""
    files: set[str] = set()
    constants: set[str] = set()
    seen: set[FunctionType] = set()
    waiting = [fn]
    while waiting:
        now = waiting.pop()
        if now in seen:
            continue
        seen.add(now)
        files.add(now.__code__.co_filename)
        for name in _names(now.__code__):
            value = now.__globals__.get(name)
            callee = _plain(value)
            if callee is not None:
                waiting.append(callee)
            elif isinstance(value, ModuleType) and value.__name__.startswith("planner."):
                files.add(str(value.__file__))
            elif isinstance(value, int | float | str | bool):
                constants.add(f"{name}={value!r}")
    return files, constants


@cache
def _file_digest(path: str) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()


def source_digest(fn: Callable[..., object]) -> str:
    """Digest of everything that decides the machine code of *fn*, compiled or not."""
    plain = _plain(fn)
    assert plain is not None, f"{fn!r} is not a function"
    files, constants = _reach(plain)
    whole = hashlib.sha256(f"{numba.__version__ if COMPILED else ''} boundscheck={BOUNDSCHECK}".encode())
    for path in sorted({*files, __file__}):  # the options are here
        whole.update(Path(path).name.encode())
        whole.update(_file_digest(path))
    for constant in sorted(constants):
        whole.update(constant.encode())
    return whole.hexdigest()[:16]


def _in_turn(compiled: Any) -> None:
    """
    Lets one of several processes that want *compiled* at the same moment compile it; the others wait, and load what it made.

    Tests on many processes, campaigns and servers that start together would each spend the same minute.
    """
    compile_now, cache = compiled.compile, compiled._cache  # noqa: SLF001 - numba's, which has no other way in
    load = cache.load_overload
    turn: list[int] = []

    def load_or_wait(signature: object, target: object) -> object:
        found = load(signature, target)
        if found is None and not turn:
            folder = Path(cache.cache_path)
            folder.mkdir(parents=True, exist_ok=True)
            turn.append(os.open(folder / f"{compiled.py_func.__name__}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            fcntl.flock(turn[0], fcntl.LOCK_EX)
            found = load(signature, target)
        return found

    def compile_in_turn(signature: object) -> object:
        try:
            return compile_now(signature)
        finally:
            while turn:
                os.close(turn.pop())

    cache.load_overload, compiled.compile = load_or_wait, compile_in_turn


def _compile(fn: Callable[P, R], *, inner: bool) -> Callable[P, R]:
    if not COMPILED:
        return fn
    settings = vars(numba.config)  # numba reads the directory when it decorates, and only then
    before = settings["CACHE_DIR"]
    settings["CACHE_DIR"] = str(_root() / "kernels" / source_digest(fn))
    try:
        jit: Any = numba.njit  # its stubs do not know every option
        compiled: Callable[P, R] = jit(
            nogil=True, cache=not inner, boundscheck=BOUNDSCHECK, error_model="numpy", forceinline=inner, _nrt=False
        )(fn)
    finally:
        settings["CACHE_DIR"] = before
    if not inner:
        _in_turn(compiled)
    return compiled


def kernel(fn: Callable[P, R]) -> Callable[P, R]:
    """
    Compile *fn*, which takes arrays, owns no memory and raises nothing.

    It is believed because something slow and plain agrees with it: kernels of `planner.kernels` have a twin each in
    `planner.oracle` that gives the same values; the timetable's are judged by the plans that they make, those outside the planner
    by the tests of what is built on them.

    That it owns no memory is enforced: without numba's reference counts nothing can be allocated, and nothing is counted,
    which makes kernels that pass many arrays about eighteen times faster.
    """
    return _compile(fn, inner=False)


def piece(fn: Callable[P, R]) -> Callable[P, R]:
    """Compile a part of a kernel: inlined wherever it is called, by kernels only, and covered by what covers them."""
    return _compile(fn, inner=True)


def adopt(fn: Callable[P, R]) -> Callable[P, R]:
    """Let kernels call the plain function *fn*; everybody else goes on calling it uncompiled. Again does nothing."""
    plain = _plain(fn)
    if COMPILED and plain is not None and plain not in _adopted:
        register_jitable(fn)
        _adopted.add(plain)
    return fn
