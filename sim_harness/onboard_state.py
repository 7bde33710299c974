"""
The state of many trucks at once, as columns: what is built into them, what they believe, what their onboard computers hold.

Named tuples of arrays, because kernels read them as they are.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.onboard import supervisor
from sim_harness.clock import Streams
from sim_harness.observation import FlagArray, FloatArray, IndexArray, Roster, SmallArray

StampArray = npt.NDArray[np.int64]

SEGMENTS_MAX: Final = 512
BOUND_BASE_M: Final = 0.4
FIXES: Final = 4096


class Fitted(NamedTuple):
    """What is built into the trucks, columns (n,); the pull is by load."""

    length_m: FloatArray
    speed_max_mps: FloatArray
    pull_laden_mps2: FloatArray
    pull_empty_mps2: FloatArray
    brake_service_mps2: FloatArray
    brake_guaranteed_mps2: FloatArray
    brake_dead_s: FloatArray
    brake_build_up_s: FloatArray
    traction_cutoff_s: FloatArray
    roll_back_m: FloatArray
    jerk_mps3: FloatArray


class Belief(NamedTuple):
    """
    What the trucks believe of themselves, (n,).

    nose_m on the path coordinate, bound_m its guaranteed error; speed_mps and acceleration_mps2 as sensed;
    retarder_mps2: what the motors retard; slipping: wheels do, under the brakes; friction: what another sensor makes of the road, 0
    for nothing; obstacle_m: metres from the nose to something on the road, infinite when it is free. stamp_ns: when all this was sensed, clock_ns: what time it
    is, both by the truck's own clock. fix_m: true place of the last nail read; offset_m and drift: the error drawn there.
    drawn: how many of its numbers are used.
    """

    nose_m: FloatArray
    bound_m: FloatArray
    speed_mps: FloatArray
    acceleration_mps2: FloatArray
    retarder_mps2: FloatArray
    slipping: FlagArray
    obstacle_m: FloatArray
    stamp_ns: StampArray
    clock_ns: StampArray
    friction: FloatArray
    intact: FlagArray
    laden: FlagArray
    fix_m: FloatArray
    offset_m: FloatArray
    drift: FloatArray
    drawn: IndexArray


class Segments(NamedTuple):
    """All trucks' roads (n * SEGMENTS_MAX,): segments as `supervisor.Road` has them, each truck in its own stretch of rows."""

    end_m: FloatArray
    speed_mps: FloatArray
    grade: FloatArray
    no_stop: FlagArray


class Onboard(NamedTuple):
    """
    The state of the onboard computers, (n,).

    mode … turn_m: `supervisor.Memory`. read_ns: stamp of the last reading. read_nose_m … apart_m: `senses.Senses`. asked_mps2 …
    health: `senses.Brakes`. grip, grip_met_m: `senses.Grip`.
    end_m … clearing_mps: `supervisor.Held`. stop_reaction: the hardest stop in force. waiting: a new authority is needed before
    the truck may go on. agreed_epoch, seen_*: terms. last_tick, asked_ns, proof_ns: contact; echo: the server's challenge to
    carry back. hello_ns: stamp of the hello that waits for its answer, 0 none. said_ns: stamp of the last report. intruded: something
    was seen on the road, at sighted_m, and nobody has said since that it is gone; untold: how often that is still to be said. ease_s … emergency_s: rungs. lost: contact has
    lapsed, or never was; only a welcome ends it. same … asked_advised_mps: the question last put to the supervisor, and whether
    its answer changed nothing. first, last: rows of the truck's `Segments`, the first holds the tail.
    """

    mode: SmallArray
    demand_mps2: FloatArray
    halt_m: FloatArray
    clearing: FlagArray
    turn_m: FloatArray
    read_ns: StampArray
    read_nose_m: FloatArray
    read_speed_mps: FloatArray
    stuck_s: FloatArray
    doubt_m: FloatArray
    apart_m: FloatArray
    asked_mps2: FloatArray
    least_mps2: FloatArray
    pressed_s: FloatArray
    owed_mps: FloatArray
    shed_mps: FloatArray
    share: FloatArray
    ratio: FloatArray
    weak_count: StampArray
    health: FloatArray
    grip: FloatArray
    grip_met_m: FloatArray
    immobilise: FlagArray
    goal_m: FloatArray
    parked: FlagArray
    end_m: FloatArray
    held_friction: FloatArray
    advised_mps: FloatArray
    clearing_mps: FloatArray
    stop_reaction: SmallArray
    waiting: FlagArray
    agreed_epoch: StampArray
    seen_epoch: StampArray
    seen_sequence: StampArray
    route_epoch: StampArray
    route_sequence: StampArray
    last_tick: StampArray
    asked_ns: StampArray
    proof_ns: StampArray
    echo: StampArray
    hello_ns: StampArray
    said_ns: StampArray
    intruded: FlagArray
    sighted_m: FloatArray
    untold: StampArray
    ease_s: FloatArray
    stop_s: FloatArray
    emergency_s: FloatArray
    lost: FlagArray
    same: FlagArray
    asked_end_m: FloatArray
    asked_friction: FloatArray
    asked_reaction: StampArray
    asked_advised_mps: FloatArray
    first: IndexArray
    last: IndexArray


def fitted(roster: Roster) -> Fitted:
    """What the roster's types declare."""
    names = {"pull_laden_mps2": "acceleration_laden_mps2", "pull_empty_mps2": "acceleration_empty_mps2"}
    return Fitted(*(roster.column(names.get(name, name)) for name in Fitted._fields))


def nail_errors(streams: Streams, truck_ids: tuple[str, ...]) -> FloatArray:
    """Standard normal numbers (n, FIXES), each truck's own stream."""
    return np.stack([streams.stream(truck_id, "nails").standard_normal(FIXES) for truck_id in truck_ids])


def belief(nose_m: FloatArray) -> Belief:
    """Trucks that have just read a nail at *nose_m* (n,)."""
    count = len(nose_m)
    return Belief(
        nose_m=nose_m.copy(),
        bound_m=np.full(count, BOUND_BASE_M),
        speed_mps=np.zeros(count),
        acceleration_mps2=np.zeros(count),
        retarder_mps2=np.zeros(count),
        slipping=np.zeros(count, dtype=np.bool_),
        obstacle_m=np.full(count, np.inf),
        stamp_ns=np.zeros(count, dtype=np.int64),
        clock_ns=np.zeros(count, dtype=np.int64),
        friction=np.zeros(count),
        intact=np.ones(count, dtype=np.bool_),
        laden=np.zeros(count, dtype=np.bool_),
        fix_m=nose_m.copy(),
        offset_m=np.zeros(count),
        drift=np.zeros(count),
        drawn=np.zeros(count, dtype=np.int32),
    )


def no_roads(count: int) -> Segments:
    """Room for the roads of *count* trucks."""
    rows = count * SEGMENTS_MAX
    return Segments(np.zeros(rows), np.zeros(rows), np.zeros(rows), np.zeros(rows, dtype=np.bool_))


def onboard(count: int, nose_m: FloatArray) -> Onboard:
    """*count* computers just switched on, believing their noses at *nose_m* (n,)."""
    small = {"mode": supervisor.HOLD, "stop_reaction": 0}
    flags = {"clearing", "waiting", "lost", "immobilise", "parked", "same", "intruded"}
    stamps = {
        "agreed_epoch",
        "seen_epoch",
        "seen_sequence",
        "route_epoch",
        "route_sequence",
        "last_tick",
        "asked_ns",
        "proof_ns",
        "echo",
        "hello_ns",
        "weak_count",
    }
    columns: dict[str, npt.NDArray[np.generic]] = {}
    for name in Onboard._fields:
        if name in small:
            columns[name] = np.full(count, small[name], dtype=np.int8)
        elif name in flags:
            columns[name] = np.zeros(count, dtype=np.bool_)
        elif name in stamps:
            columns[name] = np.zeros(count, dtype=np.int64)
        elif name in {"first", "last"}:
            columns[name] = np.arange(count, dtype=np.int32) * np.int32(SEGMENTS_MAX)
        else:
            columns[name] = np.zeros(count, dtype=np.float64)
    state = Onboard(**columns)  # type: ignore[arg-type]
    state.end_m[:] = -math.inf
    state.halt_m[:] = math.inf
    state.share[:], state.ratio[:] = math.inf, math.inf
    state.health[:] = 1.0
    state.goal_m[:] = math.nan
    state.read_nose_m[:] = nose_m
    state.turn_m[:] = nose_m
    state.ease_s[:], state.stop_s[:], state.emergency_s[:] = math.inf, math.inf, math.inf
    state.last_tick[:] = -1
    state.lost[:] = True
    state.waiting[:] = True
    return state


class Authorities(NamedTuple):
    """Authorities of one frame, columns (k,): meanings as on the wire."""

    sequence: StampArray
    route_sequence: StampArray
    end_lane_ix: IndexArray
    end_chainage_m: FloatArray
    advised_mps: FloatArray
    friction: FloatArray
