"""`fleet` whose event loop SIGUSR1 blocks for six seconds, while all its other threads go on."""

from __future__ import annotations

import signal
import threading
from typing import Final

from fleet.cli.main import main

BLOCKED_S: Final = 6.0


def block_when_told() -> None:
    """Lets the signal block the event loop: signals of Python run on the main thread, which is the loop's."""
    signal.signal(signal.SIGUSR1, lambda *_: threading.Event().wait(BLOCKED_S))


if __name__ == "__main__":
    block_when_told()
    main()
