"""
The truck SDK: connect, report, receive, and stay inside the authority held. Runs without numpy and numba.

`TruckClient` runs a truck in real time and shows in its docstring how little that takes. `Supervisor` is the same truck without
clock and sockets. `fleet.onboard.supervisor` and `fleet.onboard.ladder` are its arithmetic, for those who compile it.
"""

from fleet.onboard.client import TruckClient
from fleet.onboard.hardware import Command, Identity, Sensors, TruckHardware, build_of
from fleet.onboard.ladder import Ladder, LadderUnsound
from fleet.onboard.link import Interpreter
from fleet.onboard.store import FileStore, MemoryStore, StoreUnreadable, Term, TermStore
from fleet.onboard.supervisor import Mode
from fleet.onboard.truck import Supervisor
from fleet.onboard.words import EventKind, LanePoint
from planner.corridor import TruckType

__all__ = [
    "Command",
    "EventKind",
    "FileStore",
    "Identity",
    "Interpreter",
    "Ladder",
    "LadderUnsound",
    "LanePoint",
    "MemoryStore",
    "Mode",
    "Sensors",
    "StoreUnreadable",
    "Supervisor",
    "Term",
    "TermStore",
    "TruckClient",
    "TruckHardware",
    "TruckType",
    "build_of",
]
