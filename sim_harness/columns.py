"""
Many onboard computers at once: the real supervisor's source, compiled, over columns.

Nothing is decided here that `fleet.onboard` does not decide: `supervise`, the contact ladder and the order of terms are its
own functions; this module keeps their state for n trucks in arrays and calls them in a loop without Python in it.
Positions the trucks believe are sensed: an offset at each magnetic nail and odometer drift since, within the bound they report.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.onboard import ladder, supervisor
from fleet.onboard.ladder import contact_rung, heartbeat_counts
from fleet.onboard.supervisor import Build, Held, Memory, Road, Sensed, first_under, supervise
from planner._jit import adopt, kernel
from sim_harness.clock import Streams
from sim_harness.dynamics import Demand, Motion
from sim_harness.observation import FlagArray, FloatArray, IndexArray, Roster, SmallArray

StampArray = npt.NDArray[np.int64]

for _source in (*supervisor.COMPILABLE, *ladder.COMPILABLE):
    adopt(_source)

SEGMENTS_MAX: Final = 512
NAIL_M: Final = 10.0
NAIL_SIGMA_M: Final = 0.05
DRIFT: Final = 0.01
BOUND_BASE_M: Final = 0.4
FIXES: Final = 4096
SERVICE_STOP: Final = supervisor.SERVICE_STOP


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

    nose_m on the path coordinate, bound_m its guaranteed error. fix_m: true place of the last nail read; offset_m and drift:
    the error drawn there. draws (n, FIXES): standard normal numbers, each truck's own stream; drawn (n,): how many are used.
    """

    nose_m: FloatArray
    bound_m: FloatArray
    friction: FloatArray
    brake_health: FloatArray
    sound: FlagArray
    laden: FlagArray
    fix_m: FloatArray
    offset_m: FloatArray
    drift: FloatArray
    draws: FloatArray
    drawn: IndexArray


class Onboard(NamedTuple):
    """
    The state of the onboard computers, (n,).

    mode … turn_m: `supervisor.Memory`. end_m … clearing_mps: `supervisor.Held`. stop_reaction: the hardest stop in force.
    waiting: a new authority is needed before the truck may go on. agreed_epoch, seen_*: terms. last_tick, asked_ns,
    proof_ns: contact; echo: the server's challenge to carry back. ease_s … emergency_s: rungs. lost: contact is lost until a
    new hello. seg_* (n * SEGMENTS_MAX,): the roads; first, last (n,): rows of each truck's segments, first holds the tail.
    """

    mode: SmallArray
    demand_mps2: FloatArray
    halt_m: FloatArray
    clearing: FlagArray
    turn_m: FloatArray
    end_m: FloatArray
    held_friction: FloatArray
    advised_mps: FloatArray
    clearing_mps: FloatArray
    stop_reaction: SmallArray
    waiting: FlagArray
    agreed_epoch: StampArray
    seen_epoch: StampArray
    seen_sequence: StampArray
    route_sequence: StampArray
    last_tick: StampArray
    asked_ns: StampArray
    proof_ns: StampArray
    echo: StampArray
    ease_s: FloatArray
    stop_s: FloatArray
    emergency_s: FloatArray
    lost: FlagArray
    seg_end_m: FloatArray
    seg_speed_mps: FloatArray
    seg_grade: FloatArray
    seg_no_stop: FlagArray
    first: IndexArray
    last: IndexArray


def fitted(roster: Roster) -> Fitted:
    """What the roster's types declare."""
    names = {"pull_laden_mps2": "acceleration_laden_mps2", "pull_empty_mps2": "acceleration_empty_mps2"}
    return Fitted(*(roster.column(names.get(name, name)) for name in Fitted._fields))


def belief(streams: Streams, truck_ids: tuple[str, ...], nose_m: FloatArray) -> Belief:
    """Trucks that have just read a nail at *nose_m* (n,)."""
    count = len(truck_ids)
    draws = np.stack([streams.stream(truck_id, "nails").standard_normal(FIXES) for truck_id in truck_ids])
    return Belief(
        nose_m=nose_m.copy(),
        bound_m=np.full(count, BOUND_BASE_M),
        friction=np.zeros(count),
        brake_health=np.ones(count),
        sound=np.ones(count, dtype=np.bool_),
        laden=np.zeros(count, dtype=np.bool_),
        fix_m=nose_m.copy(),
        offset_m=np.zeros(count),
        drift=np.zeros(count),
        draws=draws,
        drawn=np.zeros(count, dtype=np.int32),
    )


def onboard(count: int, nose_m: FloatArray) -> Onboard:
    """*count* computers just switched on, believing their noses at *nose_m* (n,)."""
    small = {"mode": supervisor.HOLD, "stop_reaction": 0}
    flags = {"clearing", "waiting", "lost"}
    stamps = {"agreed_epoch", "seen_epoch", "seen_sequence", "route_sequence", "last_tick", "asked_ns", "proof_ns", "echo"}
    columns: dict[str, npt.NDArray[np.generic]] = {}
    for name in Onboard._fields:
        if name.startswith("seg_"):
            columns[name] = np.zeros(count * SEGMENTS_MAX, dtype=np.bool_ if name == "seg_no_stop" else np.float64)
        elif name in small:
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
    state.turn_m[:] = nose_m
    state.ease_s[:], state.stop_s[:], state.emergency_s[:] = math.inf, math.inf, math.inf
    state.last_tick[:] = -1
    return state


@kernel
def sense(motion: Motion, belief: Belief) -> None:
    """
    Let every truck read its nails and odometer.

    motion  the truth, (n,)
    belief  nose_m and bound_m (n,) are written; a truck that stands believes what it believed
    """
    for i in range(motion.nose_m.shape[0]):
        true_m = motion.nose_m[i]
        if math.floor(true_m / NAIL_M) != math.floor(belief.fix_m[i] / NAIL_M):
            at = belief.drawn[i] % (FIXES - 1)
            belief.fix_m[i] = true_m
            belief.offset_m[i] = min(max(NAIL_SIGMA_M * belief.draws[i, at], -0.25), 0.25)
            belief.drift[i] = DRIFT * min(max(0.5 * belief.draws[i, at + 1], -1.0), 1.0)
            belief.drawn[i] += 2
        run_m = true_m - belief.fix_m[i]
        belief.nose_m[i] = true_m + belief.offset_m[i] + belief.drift[i] * run_m
        belief.bound_m[i] = BOUND_BASE_M + DRIFT * run_m


@kernel
def step(motion: Motion, fitted: Fitted, belief: Belief, state: Onboard, demand: Demand, now_ns: int, step_s: float) -> None:
    """
    Let every onboard computer take one step of its supervisor.

    motion   speeds and accelerations (n,) are sensed as they are
    fitted, belief   columns (n,)
    state    memory, road cursor and loss of contact are written
    demand   (n,) written: what the actuators are to do until the next step

    A truck without a road yet is held.
    """
    for i in range(motion.nose_m.shape[0]):
        if state.last[i] <= state.first[i]:
            demand.mode[i] = 0
            demand.acceleration_mps2[i] = 0.0
            continue
        rung = contact_rung((now_ns - state.proof_ns[i]) * 1e-9, state.ease_s[i], state.stop_s[i], state.emergency_s[i])
        if rung >= SERVICE_STOP:
            state.lost[i] = True
            state.waiting[i] = True
        reaction = max(rung, state.stop_reaction[i])
        if state.waiting[i]:
            reaction = max(reaction, SERVICE_STOP)
        pull_mps2 = fitted.pull_laden_mps2[i] if belief.laden[i] else fitted.pull_empty_mps2[i]
        build = Build(
            fitted.length_m[i],
            fitted.speed_max_mps[i],
            pull_mps2,
            fitted.brake_service_mps2[i],
            fitted.brake_guaranteed_mps2[i],
            fitted.brake_dead_s[i],
            fitted.brake_build_up_s[i],
            fitted.traction_cutoff_s[i],
            fitted.roll_back_m[i],
            fitted.jerk_mps3[i],
            step_s,
        )
        sensed = Sensed(
            belief.nose_m[i],
            motion.speed_mps[i],
            motion.acceleration_mps2[i],
            belief.bound_m[i],
            belief.friction[i],
            belief.brake_health[i],
            belief.sound[i],
        )
        held = Held(state.end_m[i], state.held_friction[i], state.advised_mps[i], state.clearing_mps[i], reaction)
        memory = Memory(int(state.mode[i]), state.demand_mps2[i], state.halt_m[i], state.clearing[i], state.turn_m[i])
        road = Road(
            state.seg_end_m, state.seg_speed_mps, state.seg_grade, state.seg_no_stop, int(state.first[i]), int(state.last[i])
        )
        cursor = first_under(road, belief.nose_m[i] - fitted.length_m[i] - belief.bound_m[i])
        state.first[i] = cursor
        road = Road(state.seg_end_m, state.seg_speed_mps, state.seg_grade, state.seg_no_stop, cursor, int(state.last[i]))
        wish, memory = supervise(build, sensed, held, memory, road)
        state.mode[i] = memory.mode
        state.demand_mps2[i] = memory.demand_mps2
        state.halt_m[i] = memory.halt_m
        state.clearing[i] = memory.clearing
        state.turn_m[i] = memory.turn_m
        demand.mode[i] = wish.mode
        demand.acceleration_mps2[i] = wish.acceleration_mps2


@kernel
def hear_heartbeats(state: Onboard, rows: IndexArray, echo: StampArray, challenge: StampArray, tick: int, epoch: int, now_ns: int) -> None:
    """
    Give the heartbeats of one frame to the trucks.

    rows, echo, challenge  (k,) truck row, the truck's challenge carried back, the server's to carry back
    state                  contact is renewed where the heartbeat proves that the loop is alive
    """
    for j in range(rows.shape[0]):
        i = rows[j]
        if epoch != state.agreed_epoch[i]:
            continue
        if heartbeat_counts(tick, state.last_tick[i], echo[j], state.asked_ns[i], now_ns):
            state.proof_ns[i] = now_ns
        if tick > state.last_tick[i]:
            state.last_tick[i] = tick
            state.echo[i] = challenge[j]
