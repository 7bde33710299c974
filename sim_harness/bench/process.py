"""
Processes that a benchmark starts: each prints where it listens, and some answer each line of input with a line of figures.

What is measured, what it is measured beside, and those who load it are processes of their own, so that none takes the interpreter's lock
from another, and the CPU time of each can be read from the system.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

# Which of a process's CPU clocks: the one that counts every nanosecond its threads were scheduled.
SCHEDULED: Final = 2
ADDRESS: Final = re.compile(r"127\.0\.0\.1:\d+")


def cpu_s(pid: int) -> float:
    """
    CPU seconds of a process and all its threads, user and system, in nanosecond steps.

    Read from the process's own CPU clock, whose number the kernel derives from its id (clock_getcpuclockid(3) on Linux): the
    counters of /proc step by a hundredth of a second, more than a short round costs.
    """
    return time.clock_gettime_ns(~pid << 3 | SCHEDULED) / 1e9


class Process:
    """One of them; *address* is the first that it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """
        Waits for its address.

        Raises:
            ConnectionError: it ended without one.
        """
        self.pid = process.pid
        self._process = process
        self.address = self.next_address()

    def next_address(self) -> str:
        """
        The next address that it prints.

        Raises:
            ConnectionError: it ended without one.
        """
        address = next((found[0] for line in _there(self._process.stdout) if (found := ADDRESS.search(line))), None)
        if address is None:
            raise ConnectionError(f"{self._process.args!r} ended without an address")
        return address

    def take(self) -> dict[str, Any]:
        """Its figures since they were last taken."""
        asked = _there(self._process.stdin)
        asked.write("\n")
        asked.flush()
        found: dict[str, Any] = json.loads(_there(self._process.stdout).readline())
        return found

    @property
    def cpu_s(self) -> float:
        """CPU seconds that it has worked."""
        return cpu_s(self.pid)

    def kill(self) -> None:
        """Ends it without a word."""
        self._process.kill()
        self._process.wait()


@contextmanager
def process(*command: str) -> Iterator[Process]:
    """A process that runs *command* while it is needed, as soon as it listens."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **pipes) as started:
        try:
            yield Process(started)
        finally:
            started.terminate()


def _there(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "every process is started with pipes"
    return pipe
