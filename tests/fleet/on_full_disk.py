"""What tests of a full disk ask, and how they know that nothing was granted."""

from __future__ import annotations

from typing import Any, Final

from fleet.site import load_site
from fleet.v1 import dispatch_pb2 as d

STANDS: Final = [stand for stand in load_site("mandula").stands if stand.stand_id.startswith("mn_park")][:3]
# Words in which a grant would have been, had there been one: about four seconds of heartbeats.
WORDS: Final = 20
# How long somebody waits who cannot be answered.
IMPATIENT_S: Final = 3.0


def order(number: int) -> d.CreateTransportOrderRequest:
    """The order of that number."""
    return d.CreateTransportOrderRequest(request_id=f"r{number}", from_yard_id="mn", to_yard_id="cn", container_count=number + 1)


def granted(truck: Any, since: int) -> bool:
    """Whether an authority was heard after so many words."""
    return any(message.HasField("authority") for message in truck.heard[since:])


async def heard_on(truck: Any, words: int) -> int:
    """Hears so many words more, and answers them; the answer is how many there were before."""
    before = len(truck.heard)
    for _ in range(words):
        await truck.hear_until("heartbeat")
    return before
