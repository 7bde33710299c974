"""Ports for servers that go away and come back."""

from __future__ import annotations

import socket
from random import SystemRandom
from typing import Final

# The kernel gives out those from 32768 on to whoever asks for any: a client has it then, and the server that comes back finds it taken.
OURS: Final = range(20_000, 32_000)
_chance: Final = SystemRandom()  # tests run in several processes: none may know what another one takes


def address_to_keep() -> str:
    """A free address on this machine that nobody is given by chance while its server is away."""
    while True:
        port = _chance.choice(OURS)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return f"127.0.0.1:{port}"
