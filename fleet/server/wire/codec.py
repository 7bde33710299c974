"""
The wire to values: total, so that nothing a peer sends can reach the control loop unread.

protobuf lets NaN, infinity and any integer through. Here every number is checked to be finite and within what the physics of a
truck allows, every text is bounded, columns are equally long, and lanes become rows of the corridor (-1 for a lane this site does
not have). What cannot be used raises `InvalidField`, or, inside a frame of many trucks, is left out and named, so that one bad
row does not silence its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import numpy as np

from fleet.errors import InvalidField
from fleet.server.columns import FlagColumn
from fleet.server.inputs import (
    AcknowledgementHeard,
    GoodbyeHeard,
    HelloHeard,
    LanePlace,
    ReportFlag,
    ReportRow,
    ReportsHeard,
    SiteAcknowledgementHeard,
    TruckEventHeard,
)
from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from planner.kernels.ranges import check_ranges

ID_CHARS_MAX: Final = 64
TEXT_CHARS_MAX: Final = 256
BODY_LANES_MAX: Final = 64
FRAME_ROWS_MAX: Final = 20_000
COUNT_MAX: Final = 2**62
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
FLAGS_MAX: Final = sum(ReportFlag)

# What a number of a report may be at all; whether it can be believed is for the integrity rules.
RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "stamp_ns": (0, COUNT_MAX),
    "chainage_m": (-1e3, 1e6),
    "speed_mps": (-50.0, 50.0),
    "acceleration_mps2": (-50.0, 50.0),
    "bound_m": (0.0, 1e4),
    "flags": (0, FLAGS_MAX),
    "accepted_epoch": (0, COUNT_MAX),
    "accepted_sequence": (0, COUNT_MAX),
    "challenge": (INT64_MIN, INT64_MAX),
    "challenge_echo": (INT64_MIN, INT64_MAX),
    "battery_wh": (0.0, 1e8),
    "friction": (0.0, 2.0),
    "brake_health": (0.0, 1.0),
}
# The columns of a frame by their form on the wire; each block is read in one pass.
FLOAT_COLUMNS: Final = ("chainage_m", "speed_mps", "acceleration_mps2", "bound_m", "battery_wh", "friction", "brake_health")
# The last of them is left out of a frame while all brakes are sound: nearly always.
_USUAL_COLUMNS: Final = FLOAT_COLUMNS[:-1]
INT_COLUMNS: Final = ("stamp_ns", "flags", "accepted_epoch", "accepted_sequence", "challenge", "challenge_echo")
_FLOAT_RANGES: Final = np.array([RANGES[name] for name in FLOAT_COLUMNS])
_INT_RANGES: Final = np.array([RANGES[name] for name in INT_COLUMNS], np.int64)
_USUAL_RANGES: Final = _FLOAT_RANGES[:-1]
_FLOATS: Final = (FLOAT_COLUMNS, attrgetter(*FLOAT_COLUMNS))
_USUAL: Final = (_USUAL_COLUMNS, attrgetter(*_USUAL_COLUMNS))
_INTS: Final = (("handle", "lane_ix", *INT_COLUMNS), attrgetter("handle", "lane_ix", *INT_COLUMNS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameRead:
    """What a frame of reports came to: the usable rows (None when there are none), and the others with the reason."""

    reports: ReportsHeard | None
    refused: tuple[tuple[int, int, InvalidField], ...] = ()  # (row, stamp_ns, why), rows that the sender may speak for
    foreign_count: int = 0  # rows of trucks the sender may not speak for
    at: Sequence[int] | None = None  # which rows of the frame the reports are; None for all, in order


def finite(name: str, value: float, low: float, high: float) -> float:
    """
    *value* when it lies in [low, high].

    Raises:
        InvalidField: it does not, or is no number.
    """
    if not low <= value <= high:  # false for NaN too
        problem = f"is {value}, must lie in [{low:g}, {high:g}]" if math.isfinite(value) else "must be a finite number"
        raise InvalidField(name=name, problem=problem)
    return value


def whole(name: str, value: int, low: int, high: int) -> int:
    """
    *value* when it lies in [low, high].

    Raises:
        InvalidField: it does not.
    """
    if not low <= value <= high:
        raise InvalidField(name=name, problem=f"is {value}, must lie in [{low}, {high}]")
    return value


def identifier(name: str, value: str) -> str:
    """
    *value* when it can name something: 1 to 64 printable characters, none of them a space.

    Raises:
        InvalidField: it cannot.
    """
    if not value:
        raise InvalidField(name=name, problem="is required")
    if len(value) > ID_CHARS_MAX or not value.isprintable() or " " in value:
        raise InvalidField(name=name, problem=f"must be at most {ID_CHARS_MAX} printable characters without spaces")
    return value


def text(name: str, value: str) -> str:
    """
    *value* when it is short enough to keep.

    Raises:
        InvalidField: it is longer than 256 characters.
    """
    if len(value) > TEXT_CHARS_MAX:
        raise InvalidField(name=name, problem=f"must be at most {TEXT_CHARS_MAX} characters")
    return value


class Codec:
    """Reads messages of trucks and gateways against one site's lanes."""

    def __init__(self, lane_ids: Sequence[str]) -> None:
        self._lane_ix: Mapping[str, int] = {lane_id: ix for ix, lane_id in enumerate(lane_ids)}
        self._lane_count = len(lane_ids)

    def hello(self, link: int, hello: truck_pb2.Hello) -> HelloHeard:
        """
        A hello said on *link*.

        Raises:
            InvalidField: something in it cannot be used.
        """
        if not hello.HasField("report"):
            raise InvalidField(name="report", problem="is required: where does the truck stand?")
        if len(hello.body_lane_ids) > BODY_LANES_MAX:
            raise InvalidField(name="body_lane_ids", problem=f"must be at most {BODY_LANES_MAX}")
        return HelloHeard(
            link=link,
            truck_id=identifier("truck_id", hello.truck_id),
            instance_id=identifier("instance_id", hello.instance_id),
            boot_id=identifier("boot_id", hello.boot_id),
            truck_type_id=identifier("truck_type_id", hello.truck_type_id),
            map_digest=text("map_digest", hello.map_digest),
            software=text("software", hello.software),
            wire_version=whole("wire_version", hello.wire_version, 0, 1000),
            seen_epoch=whole("seen.epoch", hello.seen.epoch, 0, COUNT_MAX),
            seen_sequence=whole("seen.sequence", hello.seen.sequence, 0, COUNT_MAX),
            end_held=self._place("end_held", hello.end_held) if hello.HasField("end_held") else None,
            body_lanes=tuple(self._lane_ix.get(lane_id, -1) for lane_id in hello.body_lane_ids),
            report=self.report(hello.report),
            ready_digest=text("ready_digest", hello.ready_digest),
        )

    def report(self, report: truck_pb2.Report) -> ReportRow:
        """
        One report.

        Raises:
            InvalidField: a number in it is out of all bounds.
        """
        return ReportRow(
            stamp_ns=whole("stamp_ns", report.stamp_ns, 0, COUNT_MAX),
            lane_ix=self._lane_ix.get(report.lane_id, -1),
            chainage_m=_ranged("chainage_m", report.chainage_m),
            speed_mps=_ranged("speed_mps", report.speed_mps),
            acceleration_mps2=_ranged("acceleration_mps2", report.acceleration_mps2),
            bound_m=_ranged("bound_m", report.bound_m),
            flags=report.laden * ReportFlag.LADEN
            | report.intact * ReportFlag.INTACT
            | report.immobilised * ReportFlag.IMMOBILISED
            | report.emergency_braking * ReportFlag.EMERGENCY_BRAKING,
            accepted_epoch=whole("accepted.epoch", report.accepted.epoch, 0, COUNT_MAX),
            accepted_sequence=whole("accepted.sequence", report.accepted.sequence, 0, COUNT_MAX),
            challenge=report.challenge,
            challenge_echo=report.challenge_echo,
            battery_wh=_ranged("battery_wh", report.battery_wh),
            friction=_ranged("friction", report.friction),
            brake_health=_ranged("brake_health", report.brake_health) or 1.0,
        )

    def acknowledgement(self, row: int, message: truck_pb2.Acknowledgement) -> AcknowledgementHeard:
        """
        An answer to a shortening.

        Raises:
            InvalidField: something in it cannot be used.
        """
        if not message.HasField("end"):
            raise InvalidField(name="end", problem="is required")
        return AcknowledgementHeard(
            row=row,
            epoch=whole("term.epoch", message.term.epoch, 0, COUNT_MAX),
            sequence=whole("term.sequence", message.term.sequence, 0, COUNT_MAX),
            honoured=message.honoured,
            end=self._place("end", message.end),
        )

    def truck_event(self, row: int, message: truck_pb2.TruckEvent) -> TruckEventHeard:
        """
        Something the truck did or met; a kind that this version does not know is kept as its number.

        Raises:
            InvalidField: something in it cannot be used.
        """
        return TruckEventHeard(
            row=row,
            stamp_ns=whole("stamp_ns", message.stamp_ns, 0, COUNT_MAX),
            kind=whole("kind", message.kind, 0, 1000),
            detail=text("detail", message.detail),
            place=self._place("place", message.place) if message.HasField("place") else None,
        )

    def site_acknowledged(self, row: int, message: truck_pb2.SiteAcknowledged) -> SiteAcknowledgementHeard:
        """
        The truck can serve under another site as well.

        Raises:
            InvalidField: the digest is too long to be one.
        """
        return SiteAcknowledgementHeard(row=row, digest=text("digest", message.digest))

    def goodbye(self, row: int, message: truck_pb2.Goodbye) -> GoodbyeHeard:
        """
        The truck leaves.

        Raises:
            InvalidField: the reason is too long.
        """
        return GoodbyeHeard(row=row, reason=text("reason", message.reason))

    def frame(self, frame: gateway_pb2.ReportFrame, owned: Callable[[Any], FlagColumn]) -> FrameRead:
        """
        Reports of many trucks; *owned* says for which handles (k,) the sender may speak, and whether they exist at all.

        Raises:
            InvalidField: the columns are not equally long, or too long.
        """
        count = len(frame.handle)
        if count == 0:
            return FrameRead(reports=None)
        whole("reports", count, 0, FRAME_ROWS_MAX)
        wanted, ranges = (_FLOATS, _FLOAT_RANGES) if frame.brake_health else (_USUAL, _USUAL_RANGES)
        floats = _block(frame, wanted, np.float64, count)
        ints = _block(frame, _INTS, np.int64, count)
        rows, lanes = ints[:2].astype(np.int32)
        # Seen as unsigned, a negative row is beyond every lane.
        lanes[lanes.view(np.uint32) >= self._lane_count] = -1
        numbers = ints[2:]
        sound = np.empty(count, np.bool_)
        sound_count = check_ranges(floats, ranges, numbers, _INT_RANGES, sound)
        mine = owned(rows)
        if sound_count == count == np.count_nonzero(mine):
            return FrameRead(reports=_reports(rows, lanes, floats, numbers))
        kept = sound & mine
        refused = tuple(
            (int(rows[at]), int(numbers[0, at]), _fault_of(floats[:, at], numbers[:, at])) for at in np.flatnonzero(mine & ~sound).tolist()
        )
        reports = _reports(rows[kept], lanes[kept], floats[:, kept], numbers[:, kept]) if kept.any() else None
        return FrameRead(reports=reports, refused=refused, foreign_count=int(count - mine.sum()), at=np.flatnonzero(kept).tolist())

    def _place(self, name: str, point: common_pb2.LanePoint) -> LanePlace:
        low, high = RANGES["chainage_m"]
        return LanePlace(lane_ix=self._lane_ix.get(point.lane_id, -1), chainage_m=finite(f"{name}.chainage_m", point.chainage_m, low, high))


def columns_of(reports: Sequence[tuple[int, ReportRow]]) -> ReportsHeard:
    """Single reports, each with its truck's row, as columns; at least one."""
    count = len(reports)
    rows = np.fromiter((row for row, _ in reports), np.int32, count)
    lanes = np.fromiter((report.lane_ix for _, report in reports), np.int32, count)
    floats = np.array([[getattr(report, name) for _, report in reports] for name in FLOAT_COLUMNS], np.float64)
    numbers = np.array([[getattr(report, name) for _, report in reports] for name in INT_COLUMNS], np.int64)
    return _reports(rows, lanes, floats, numbers)


def select_reports(reports: ReportsHeard, kept: FlagColumn) -> ReportsHeard | None:
    """The rows of *reports* that are *kept* (k,); None when there are none."""
    if not kept.any():
        return None
    return ReportsHeard(**{entry.name: getattr(reports, entry.name)[kept] for entry in fields(ReportsHeard)})


def _reports(rows: Any, lanes: Any, floats: Any, numbers: Any) -> ReportsHeard:
    usual, rest = floats[: len(_USUAL_COLUMNS)], floats[len(_USUAL_COLUMNS) :]
    # A health of 0 says nothing, and so does a column that is not there.
    health = np.where(rest[0] > 0.0, rest[0], 1.0) if len(rest) else np.ones(len(rows))
    columns = dict(zip((*_USUAL_COLUMNS, *INT_COLUMNS), (*usual, *numbers), strict=True))
    return ReportsHeard(rows=rows, lane_ix=lanes, brake_health=health, **columns)


def _ranged(name: str, value: float) -> float:
    low, high = RANGES[name]
    return finite(name, value, low, high)


def _block(frame: gateway_pb2.ReportFrame, wanted: tuple[Sequence[str], Callable[[Any], Any]], dtype: Any, count: int) -> Any:
    """The *wanted* columns, by name and how to get them, as one array (columns, k)."""
    names, columns_of_frame = wanted
    columns = columns_of_frame(frame)
    if any(map(count.__ne__, map(len, columns))):
        name, column = next((name, column) for name, column in zip(names, columns, strict=True) if len(column) != count)
        raise InvalidField(name=name, problem=f"has {len(column)} rows, handle has {count}")
    return np.fromiter(chain.from_iterable(columns), dtype, len(names) * count).reshape(len(names), count)


def _fault_of(floats: Any, numbers: Any) -> InvalidField:
    """What is wrong with one row."""
    for name, value in (*zip(FLOAT_COLUMNS, floats.tolist(), strict=False), *zip(INT_COLUMNS, numbers.tolist(), strict=True)):
        low, high = RANGES[name]
        if not low <= value <= high:
            return InvalidField(name=name, problem=f"is {value}, must lie in [{low:g}, {high:g}]")
    raise AssertionError("a refused row has a field out of range")
