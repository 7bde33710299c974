"""What waits to be sent, and which stream may send it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from fleet.v1 import truck_pb2

SAID_MAX: Final = 256
NOBODY: Final = -1


class Outbox:
    """
    What waits to be sent: everything but reports in order, and of the reports only the newest.

    Two streams may be open for a moment, while one takes the other's place; *turn* is the number of the one that sends.
    """

    def __init__(self) -> None:
        self.turn = 0
        self._said: deque[truck_pb2.TruckMessage] = deque(maxlen=SAID_MAX)
        self._report: truck_pb2.TruckMessage | None = None
        self._waiting = asyncio.Event()

    def give(self, turn: int) -> None:
        """From now on the stream of that number sends, and no other; none does for `NOBODY`."""
        self.turn = turn
        self._waiting.set()

    def put(self, messages: list[truck_pb2.TruckMessage]) -> None:
        """Queues messages that must not replace each other."""
        self._said.extend(messages)
        if messages:
            self._waiting.set()

    def put_report(self, report: truck_pb2.TruckMessage) -> None:
        """Replaces the report that waits, if one does: nobody wants to know where the truck was."""
        self._report = report
        self._waiting.set()

    def forget_report(self) -> None:
        """Drops the report that waits: the hello of a new stream carries a newer one."""
        self._report = None

    async def take(self, turn: int = 0) -> truck_pb2.TruckMessage:
        """Waits for the next message to send, and for the *turn* of the stream that sends it."""
        while True:
            if turn == self.turn:
                if self._said:
                    return self._said.popleft()
                if self._report is not None:
                    report, self._report = self._report, None
                    return report
            self._waiting.clear()
            await self._waiting.wait()
