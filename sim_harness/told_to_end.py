"""A command that takes hours ends with what it has found, whoever ends it: Ctrl-C, or whoever bounds the night's job with a SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told_to_end() -> Iterator[None]:
    """Inside, a SIGTERM is a KeyboardInterrupt as Ctrl-C is. Only on the main thread."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
