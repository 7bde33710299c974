"""
Clients that mean harm, each a process of its own: `python -m tests.fleet.attackers KIND HOST:PORT SECONDS`.

It prints a line when it has begun and one of figures, as JSON, when it has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from tests.fleet.raw_attackers import RAW, UNBOUNDED

BEGUN = "begun"
POLITE = ("flood_calls", "flood_reports", "garbage_messages", "bombs", "oversize")
KINDS = (*RAW, *POLITE)


def main(kind: str, address: str, seconds: float) -> None:
    """Attacks, and says how it went."""
    os.nice(10)  # a hostile peer has a machine of his own; on this one the sound ones come first
    raw = {**RAW, **UNBOUNDED}.get(kind)
    if raw is not None:
        _begin()
        counts = raw(address, seconds)
    else:
        from tests.fleet.polite_attackers import attack  # noqa: PLC0415 - gRPC takes its time to load

        counts = asyncio.run(attack(kind, address, seconds, _begin))
    sys.stdout.write(f"{json.dumps(counts)}\n")


def _begin() -> None:
    sys.stdout.write(f"{BEGUN}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
