"""How a mutant is made: one attribute of the product's code is another while a context lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeAlias

Mutant: TypeAlias = AbstractContextManager[None]
Function: TypeAlias = Callable[..., Any]


@contextmanager
def patched(owner: Any, name: str, value: object) -> Iterator[None]:
    """Let *name* of a module or class be *value* while the context lasts."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def wrapped(owner: Any, name: str, make: Callable[[Function], Function]) -> Iterator[None]:
    """Let function *name* of a module or class be what *make* makes of it while the context lasts."""
    with patched(owner, name, make(vars(owner)[name])):
        yield


@contextmanager
def together(*mutants: Mutant) -> Iterator[None]:
    """One decision that is made in several places."""
    with ExitStack() as entered:
        for mutant in mutants:
            entered.enter_context(mutant)
        yield
