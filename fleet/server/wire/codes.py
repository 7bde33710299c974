"""
The server's side of the codes that run end to end behind gateways (`fleet.mac`): made for what leaves, asked of what comes.

A tick's rows are laid out as the codes cover them in one go, all columns at once; what is left per row is one keyed digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from fleet.mac import AUTHORITY, HEARTBEAT, REPORT, CodeWrong, Kind, Session, hello_code, lane_digest, right
from fleet.server.columns import FlagColumn
from fleet.server.inputs import ReportsHeard
from fleet.server.outgoing import GrantsOut, HeartbeatColumns
from fleet.server.wire.links import Link
from fleet.v1 import gateway_pb2

SessionOf = Callable[[int], Session | None]  # of a row; None where the truck has no key

_INT, _REAL, _LANE = "<i8", "<f8", "<u8"
_REPORT_ROW: Final = np.dtype([
    ("kind", "u1"), ("stamp_ns", _INT), ("lane", _LANE), ("chainage_m", _REAL), ("speed_mps", _REAL), ("acceleration_mps2", _REAL),
    ("bound_m", _REAL), ("flags", "<u4"), ("accepted_epoch", _INT), ("accepted_sequence", _INT), ("challenge", _INT),
    ("challenge_echo", _INT), ("battery_wh", _REAL), ("friction", _REAL), ("brake_health", _REAL),
])  # fmt: skip
_AUTHORITY_ROW: Final = np.dtype([
    ("kind", "u1"), ("epoch", _INT), ("sequence", _INT), ("route_sequence", _INT), ("lane", _LANE), ("end_chainage_m", _REAL),
    ("advised_speed_mps", _REAL), ("friction", _REAL),
])  # fmt: skip
_BEAT_ROW: Final = np.dtype([("kind", "u1"), ("tick", _INT), ("epoch", _INT), ("challenge_echo", _INT), ("challenge", _INT)])
assert (_REPORT_ROW.itemsize, _AUTHORITY_ROW.itemsize, _BEAT_ROW.itemsize) == (REPORT.size, AUTHORITY.size, HEARTBEAT.size)


class Codes:
    """Knows the trucks' keys. Without any, nothing is asked and nothing is made."""

    def __init__(self, keys: Mapping[str, bytes], lane_ids: Sequence[str]) -> None:
        self._keys = dict(keys)
        # One more for -1: a lane that this site does not have, whose code cannot be right.
        self._lanes = np.array([*map(lane_digest, lane_ids), 0], np.uint64)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def require(self, truck_id: str, link: Link | None, relayed: gateway_pb2.RelayedTruckMessage) -> None:
        """
        What a gateway carries as the word of a truck that has a key is that truck's, and is new; *link* is the truck's.

        Raises:
            CodeWrong: it is not.
        """
        if relayed.message.HasField("hello"):
            key = self._keys.get(truck_id)
            if key is not None and not right(hello_code(key, relayed.message.hello), relayed.mac):
                raise CodeWrong(truck_id=truck_id, what="hello")
        elif link is not None and link.session is not None:
            _require_word(link, link.session, relayed)

    def session(self, link: Link, epoch: int, version: int) -> Session | None:
        """The session that a welcome on *link* begins; None where the truck has no key or a line of its own."""
        key = self._keys.get(link.called)
        if key is None or link.hello is None:
            return None
        return Session(key, link.hello, epoch=epoch, number=link.number, version=version)

    def reports_right(self, reports: ReportsHeard, given: Sequence[bytes], session_of: SessionOf) -> FlagColumn:
        """Which of *reports* (k,) are their trucks' own words, by the codes *given* for each, or need no code."""
        made = np.empty(len(reports.rows), _REPORT_ROW)
        made["kind"], made["lane"] = Kind.REPORT, self._lanes[reports.lane_ix]
        for name in _REPORT_ROW.names or ():
            if name not in {"kind", "lane"}:
                made[name] = getattr(reports, name) + 0
        codes = _codes(made, reports.rows.tolist(), session_of)
        return np.array([code is None or right(code, mac) for code, mac in zip(codes, given, strict=True)], np.bool_)

    def of_grants(self, grants: GrantsOut, session_of: SessionOf) -> list[bytes]:
        """A code a row; empty where the truck has no key."""
        made = np.empty(len(grants.rows), _AUTHORITY_ROW)
        made["kind"], made["epoch"], made["lane"] = Kind.AUTHORITY, grants.epoch, self._lanes[grants.end_lane_ix]
        for name in ("sequence", "route_sequence", "end_chainage_m", "advised_speed_mps", "friction"):
            made[name] = getattr(grants, name) + 0
        return [code or b"" for code in _codes(made, grants.rows.tolist(), session_of)]

    def of_heartbeats(self, beats: HeartbeatColumns, session_of: SessionOf, frame: gateway_pb2.HeartbeatFrame) -> list[bytes]:
        """A code a row of *frame*; empty where the truck has no key."""
        made = np.empty(len(beats.rows), _BEAT_ROW)
        made["kind"], made["tick"], made["epoch"] = Kind.HEARTBEAT, beats.tick, beats.epoch
        made["challenge_echo"], made["challenge"] = beats.challenge_echo, beats.challenge
        return [code or b"" for code in _codes(made, beats.rows.tolist(), session_of, frame)]


def _require_word(link: Link, session: Session, relayed: gateway_pb2.RelayedTruckMessage) -> None:
    message = relayed.message
    if message.HasField("report"):
        genuine = right(session.report(message.report), relayed.mac)
    else:
        expected = session.word(Kind.TO_SERVER, relayed.counter, message)
        genuine = relayed.counter > link.counter_heard and right(expected, relayed.mac)
        link.counter_heard = relayed.counter if genuine else link.counter_heard
    if not genuine:
        raise CodeWrong(truck_id=link.called, what=message.WhichOneof("content") or "message")


def seal(link: Link, relayed: gateway_pb2.RelayedControlMessage) -> None:
    """Puts its code on a word for the truck of *link*."""
    session, message = link.session, relayed.message
    if session is None:
        return
    if message.HasField("welcome"):
        relayed.mac = session.welcome(message.welcome)
    elif message.HasField("authority"):
        relayed.mac = session.authority(message.authority)
    elif message.HasField("heartbeat"):
        relayed.mac = session.heartbeat(message.heartbeat)
    else:
        link.counter_said += 1
        relayed.counter = link.counter_said
        relayed.mac = session.word(Kind.TO_TRUCK, relayed.counter, message)


def codes_of_rows(frame: gateway_pb2.ReportFrame, at: Sequence[int] | None) -> list[bytes]:
    """The codes of a frame's rows, of those *at* alone where it is given; a column that does not fit is none at all."""
    given = list(frame.mac)
    if len(given) != len(frame.handle):
        given = [b""] * len(frame.handle)
    return given if at is None else [given[row] for row in at]


def _codes(made: Any, rows: Sequence[int], session_of: SessionOf, frame: gateway_pb2.HeartbeatFrame | None = None) -> list[bytes | None]:
    """The code of each row of *made* and of what its *frame* says once for all; None where there is no session."""
    raw, size = made.tobytes(), made.itemsize
    common: dict[int, bytes] = {}  # by version of the wire
    codes: list[bytes | None] = []
    for at, row in enumerate(rows):
        session = session_of(row)
        if session is None:
            codes.append(None)
            continue
        if session.version not in common:
            common[session.version] = b"" if frame is None else session.shared(frame)
        code = session.base.copy()
        code.update(raw[at * size : at * size + size] + common[session.version])
        codes.append(code.digest())
    return codes
