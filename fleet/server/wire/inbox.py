"""
What was heard and not yet decided on: bounded, filled by the streams, emptied by the control loop once a tick.

When there is too much of it, reports go first: the next one says the same better. Then what is only planned (orders, another site)
is turned away, then everything that grants rest on; what can only make things safer always finds room. But for reports nothing is
ever lost silently: whoever asks for something that finds no room is told so.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from operator import itemgetter
from typing import ClassVar, TypeVar

from fleet.errors import Code, FleetError
from fleet.server.commands import CancelOrder, CreateOrder, HoldTruck, ReportIntrusion, StopAll
from fleet.server.inputs import (
    OBSTACLE_SEEN,
    CommandGiven,
    GoodbyeHeard,
    Input,
    JournalChanged,
    LinkLost,
    ReportRow,
    ReportsHeard,
    TruckEventHeard,
)
from fleet.server.limits import BEHIND_PLANNING_TICKS, FRAMES_MAX, INPUTS_MAX, PLANNING_INPUTS_MAX, REPORTS_MAX
from fleet.server.site_commands import ProposeSite, SwitchSite, WithdrawSite
from fleet.server.wire.codec import columns_of
from fleet.server.wire.shedding import Shed

_T = TypeVar("_T")


@dataclass(eq=False)
class Overloaded(FleetError):
    """The server has more to do than it can: this was not taken on."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Wait a second and send the same request again."

    waiting: int


class Inbox:
    """
    One tick's inputs. Filled by one thread and emptied by another: each step is a single operation of a deque.

    *ordered*: inputs come out by truck and then by arrival, whatever the order in which streams were read. Simulated time
    needs that to replay. *behind_ticks*: how many ticks have lately come too late; while there are any, only the newest report of each
    truck is kept.
    """

    def __init__(self, *, ordered: bool = False) -> None:
        self.behind_ticks = 0
        self.shed = Shed()
        self._ordered = ordered
        self._inputs: deque[tuple[tuple[bool, str], Input]] = deque()
        self._reports: deque[tuple[int, ReportRow]] = deque(maxlen=REPORTS_MAX)
        self._frames: deque[ReportsHeard] = deque(maxlen=FRAMES_MAX)

    def put(self, name: str, given: Input) -> None:
        """
        An input from whoever is called *name*. What can only make things safer always finds room.

        Raises:
            Overloaded: there is no room.
        """
        waiting = len(self._inputs)
        if (waiting >= PLANNING_INPUTS_MAX or self.behind_ticks >= BEHIND_PLANNING_TICKS) and _only_plans(given):
            self.shed.plans += 1
            raise Overloaded(waiting=waiting)
        if waiting >= INPUTS_MAX and not _only_reduces(given):
            self.shed.inputs += 1
            raise Overloaded(waiting=waiting)
        self._inputs.append(((isinstance(given, CommandGiven), name), given))

    def put_report(self, row: int, report: ReportRow) -> None:
        """One report; the oldest gives way when there is no room."""
        self.shed.reports += len(self._reports) == REPORTS_MAX
        self._reports.append((row, report))

    def put_frame(self, reports: ReportsHeard) -> None:
        """A gateway's reports; the oldest frame gives way when there is no room."""
        self.shed.reports += len(reports.rows) if len(self._frames) == FRAMES_MAX else 0
        self._frames.append(reports)

    def waiting(self) -> dict[str, int]:
        """How much of each kind waits for the next tick; frames of gateways may hold the reports of many trucks."""
        return {"inputs": len(self._inputs), "reports": len(self._reports), "frames": len(self._frames)}

    def freeze(self) -> list[Input]:
        """Everything that arrived so far; what arrives meanwhile is for the next tick."""
        heard = _drain(self._inputs)
        reports = _drain(self._reports)
        frames = _drain(self._frames)
        if self.behind_ticks:
            newest = dict(reports)
            self.shed.reports += len(reports) - len(newest)
            reports = list(newest.items())
        if self._ordered:
            heard.sort(key=itemgetter(0))
            reports.sort(key=itemgetter(0))
        frozen: list[Input] = [*frames]
        if reports:
            frozen.append(columns_of(reports))
        frozen.extend(given for _, given in heard)
        return frozen


def _only_plans(given: Input) -> bool:
    planned = CreateOrder | CancelOrder | ProposeSite | SwitchSite | WithdrawSite
    return isinstance(given, CommandGiven) and isinstance(given.command, planned)


def _only_reduces(given: Input) -> bool:
    # All of these are bounded by the number of links and persons, or by how much their streams may send.
    if isinstance(given, CommandGiven):
        closes = isinstance(given.command, ReportIntrusion) and not given.command.tracked
        return closes or isinstance(given.command, StopAll | HoldTruck)
    if isinstance(given, TruckEventHeard):
        return given.kind == OBSTACLE_SEEN
    return isinstance(given, LinkLost | GoodbyeHeard | JournalChanged)


def _drain(waiting: deque[_T]) -> list[_T]:
    return [waiting.popleft() for _ in range(len(waiting))] if waiting else []
