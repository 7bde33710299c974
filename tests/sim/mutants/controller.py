"""
Unsafe controllers, each wrong in one decision.

Every mutant is a context manager: while it lasts, the server makes that decision wrongly and everything else as always. The watches of
the simulator are not touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

import planner.tables
from fleet.server.dispatch.passage import Passage
from fleet.server.inputs import HelloHeard
from fleet.server.loop import granting, telemetry
from fleet.server.loop.admission import Admission
from fleet.server.loop.control_loop import ControlLoop
from fleet.server.loop.doubts import Doubts
from fleet.server.loop.granting import Granting
from fleet.server.loop.judging import Judging
from fleet.server.loop.ledger import NONE_PENDING, Ledger
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.telemetry import Telemetry
from planner.authority import Verdict
from planner.corridor import Corridor, GradePiece
from planner.integrity import Findings
from planner.limits import FRICTION_DRY
from planner.tables import LaneTable, TruckTable
from tests.sim.mutants.patching import Function, Mutant, patched, together, wrapped

TIMEOUT_S: Final = 5.0
OVERLOOKED_TICKS: Final = 20
REMEMBERED_M: Final = 25.0
OVER_DECLARED_MPS2: Final = 4.5
TRUSTED: Final = (Verdict.JUMPED_AHEAD, Verdict.ODOMETRY_DISAGREES, Verdict.BEYOND_AUTHORITY)


def unjudged() -> Mutant:
    """The judge says nothing, whatever it is shown. Alone it is no mutant: it is what planners' mutants are seen without."""
    return patched(Judging, "require_sound", lambda *_, **__: None)


# -- whose ground is where ---------------------------------------------------------------------------------------------


def _with_rears(move: Callable[[ControlLoop], None]) -> Mutant:
    """Before ends are found, *move* changes what the whole server holds for the confirmed rears."""

    def make(give: Function) -> Function:
        def wrongly(loop: ControlLoop) -> Any:
            move(loop)
            return give(loop)

        return wrongly

    return wrapped(ControlLoop, "_give", make)


def extrapolated_leader() -> Mutant:
    """A truck that was not heard for a while is taken to have driven on as fast as it last said."""

    def move(loop: ControlLoop) -> None:
        trucks, count = loop.trucks, loop.trucks.count
        since_s = np.maximum(loop.telemetry.age_ns(loop.now_ns), 0) / 1e9
        nose_m = trucks.nose_m[:count] + trucks.speed_mps[:count] * since_s
        rear_m = nose_m - trucks.length_m[:count] - trucks.bound_m[:count] - trucks.roll_back_m[:count]
        trucks.rear_m[:count] = np.maximum(trucks.rear_m[:count], np.minimum(rear_m, trucks.end_m[:count]))

    return _with_rears(move)


def release_by_timeout() -> Mutant:
    """The road of a truck that is silent for some seconds is free."""

    def move(loop: ControlLoop) -> None:
        trucks, count = loop.trucks, loop.trucks.count
        silent = loop.telemetry.age_ns(loop.now_ns) > TIMEOUT_S * 1e9
        trucks.rear_m[:count] = np.where(silent, trucks.end_m[:count], trucks.rear_m[:count])

    return _with_rears(move)


def _spacing(make: Callable[[Function], Function]) -> Mutant:
    return wrapped(granting, "extend", make)


def rss_spacing() -> Mutant:
    """The truck ahead is no wall: it is counted on to need the way that its declared brakes need."""

    def make(extend: Function) -> Function:
        def relative(lanes: LaneTable, trucks: TruckTable, request: object) -> Any:
            count = trucks.count
            confirmed_m = trucks.rear_m[:count].copy()
            braking_m = trucks.speed_mps[:count] ** 2 / (2.0 * trucks.brake_guaranteed_mps2[:count])
            trucks.rear_m[:count] = np.minimum(confirmed_m + braking_m, trucks.end_m[:count])
            try:
                return extend(lanes, trucks, request)
            finally:
                trucks.rear_m[:count] = confirmed_m

        return relative

    return _spacing(make)


def leader_overlooked() -> Mutant:
    """Every two seconds spacing sees one truck fewer than there are."""
    calls = iter(range(1 << 60))

    def make(extend: Function) -> Function:
        def blind(lanes: LaneTable, trucks: TruckTable, request: object) -> Any:
            call = next(calls)
            row = call // OVERLOOKED_TICKS % max(trucks.count, 1)
            lanes_count = int(trucks.path_count[row])
            if call % OVERLOOKED_TICKS == 0:
                trucks.path_count[row] = 0
            try:
                return extend(lanes, trucks, request)
            finally:
                trucks.path_count[row] = lanes_count

        return blind

    return _spacing(make)


# -- zones and places where none may stand -----------------------------------------------------------------------------


def zone_freed_at_nose() -> Mutant:
    """A zone is free when the nose has left it; the tail still blocks it."""
    zone_parts, no_stops = vars(planner.tables)["zone_parts"], vars(planner.tables)["no_stops"]

    def cut(corridor: Corridor) -> Any:
        length_m = max(kind.length_m for kind in corridor.truck_types)
        return [[(low, max(low + 0.1, high - length_m), *rest) for low, high, *rest in row] for row in zone_parts(corridor)]

    def uncut(corridor: Corridor, _: object) -> Any:
        return no_stops(corridor, zone_parts(corridor))

    return together(patched(planner.tables, "zone_parts", cut), patched(planner.tables, "no_stops", uncut))


def zone_claimed_by_two() -> Mutant:
    """Branches of a zone do not exclude each other: two trucks may cross at a time."""

    def make(zone_parts: Function) -> Function:
        return lambda corridor: [[(*part[:3], 0.0) for part in row] for row in zone_parts(corridor)]

    return wrapped(planner.tables, "zone_parts", make)


def no_stops_ignored() -> Mutant:
    """An end may lie at a gate, or wherever else the site says that none may stand."""

    def make(no_stops: Function) -> Function:
        return lambda corridor, parts: no_stops(replace(corridor, no_stops=(), gates=()), parts)

    return wrapped(planner.tables, "no_stops", make)


def trucks_as(change: Callable[[TruckTable, int], None]) -> Mutant:
    """The server holds something else for true of every truck it meets."""

    def make(add: Function) -> Function:
        def wrongly(table: TruckTable, truck_type: object) -> int:
            row: int = add(table, truck_type)
            change(table, row)
            return row

        return wrongly

    return wrapped(TruckTable, "add", make)


def tail_left_in_no_stop() -> Mutant:
    """An end may lie just past a no-stop stretch, and the truck in it."""

    def change(table: TruckTable, row: int) -> None:
        table.beyond_m[row] = 0.1

    return trucks_as(change)


# -- what is believed --------------------------------------------------------------------------------------------------


def forward_jump_trusted() -> Mutant:
    """A report is believed although the truck cannot have come so far."""

    def make(inspect: Function) -> Function:
        def trusting(*asked: Any) -> Findings:
            findings: Findings = inspect(*asked)
            findings.verdict[np.isin(findings.verdict, [int(verdict) for verdict in TRUSTED])] = 0
            return findings

        return trusting

    return wrapped(telemetry, "inspect", make)


def stale_report_trusted() -> Mutant:
    """Grants go on although the truck was not heard for a while."""

    def fresh(_: Sessions, pictured: Telemetry, __: int) -> Any:
        return np.ones(pictured.trucks.count, np.bool_)

    return patched(Sessions, "fresh", fresh)


def rear_without_bound() -> Mutant:
    """A rear is confirmed where the truck says it is, however uncertain it is of that."""

    def make(believe: Function) -> Function:
        def certain(trucks: TruckTable, reports: Any, *rest: Any) -> None:
            bound_m = trucks.bound_m[reports.rows].copy()
            believe(trucks, replace(reports, bound_m=np.zeros_like(reports.bound_m)), *rest)
            trucks.bound_m[reports.rows] = bound_m

        return certain

    return wrapped(telemetry, "believe", make)


def doubt_not_road() -> Mutant:
    """A truck that may be somewhere else keeps its road, but nothing is kept clear where it may be instead."""
    return patched(Doubts, "raise_over", lambda *_: [])


# -- road given and taken back -----------------------------------------------------------------------------------------


def shortening_unacknowledged() -> Mutant:
    """Road asked back is free at once."""

    def make(shortened: Function) -> Function:
        def at_once(ledger: Ledger, fact: Any) -> None:
            shortened(ledger, fact)
            ledger.trucks.end_m[fact.row] = fact.end_m
            ledger.pending[fact.row] = NONE_PENDING

        return at_once

    return wrapped(Ledger, "_shortened", make)


def handshake_skipped() -> Mutant:
    """A server in a new term does not compare what a truck holds and has seen with what it remembers."""

    def known(_: Admission, __: int, ___: HelloHeard) -> bool:
        return True

    return together(patched(Ledger, "knows_of", lambda *_: True), patched(Admission, "_held_is_known", known))


def recovery_forgets_authorities() -> Mutant:
    """After a restart trucks hold the ground under them, what they may have driven on since, and no more."""

    def make(begin: Function) -> Function:
        def forgetful(loop: ControlLoop, epoch: int) -> None:
            trucks, count = loop.trucks, loop.trucks.count
            trucks.end_m[:count] = np.minimum(trucks.end_m[:count], trucks.rear_m[:count] + trucks.length_m[:count] + REMEMBERED_M)
            trucks.sent_m[:count] = trucks.end_m[:count]
            begin(loop, epoch)

        return forgetful

    return wrapped(ControlLoop, "begin", make)


def barrier_not_awaited() -> Mutant:
    """A truck may pass a gate that nobody has proven open."""
    return patched(Passage, "_hindrance", lambda *_: None)


# -- brakes and the road -----------------------------------------------------------------------------------------------


def grade_ignored() -> Mutant:
    """Every road is level: to the planner, and in the routes that trucks are told."""
    of = vars(LaneTable)["of"].__func__

    def level(table: type[LaneTable], corridor: Corridor) -> LaneTable:
        lanes = tuple(replace(lane, grades=(GradePiece(from_m=0.0, grade=0.0),)) for lane in corridor.lanes)
        made: LaneTable = of(table, replace(corridor, lanes=lanes))
        return made

    return patched(LaneTable, "of", classmethod(level))


def friction_ignored() -> Mutant:
    """Trucks are told that every road is dry."""

    def make(spoken: Function) -> Function:
        def dry(*asked: Any) -> Any:
            said = spoken(*asked)
            return replace(said, friction=np.full_like(said.friction, FRICTION_DRY))

        return dry

    return wrapped(Granting, "spoken", make)
