"""
Many onboard computers at once: the real supervisor's source, compiled, over columns.

Nothing is decided here that `fleet.onboard` does not decide: `supervise`, the contact ladder and the order of terms are its
own functions; this module keeps their state for n trucks in arrays and calls them in a loop without Python in it.
Positions the trucks believe are sensed: an offset at each magnetic nail and odometer drift since, within the bound they report.
"""

from __future__ import annotations

import math
from typing import Final

from fleet.onboard import ladder, senses, supervisor
from fleet.onboard.ladder import contact_rung, heartbeat_counts, may_accept
from fleet.onboard.permission import SAME_END_M
from fleet.onboard.senses import (
    STALE_MAX_NS,
    STUCK_MAX_S,
    Brakes,
    Grip,
    Senses,
    agree,
    brakes_alone,
    grade_under,
    sense,
    watch_brakes,
    watch_grip,
)
from fleet.onboard.supervisor import (
    EMERGENCY_BRAKE,
    HOLD,
    SERVICE_BRAKE,
    SERVICE_STOP,
    Build,
    Held,
    Memory,
    Road,
    Sensed,
    earliest_end_m,
    first_under,
    supervise,
)
from fleet.onboard.truck import GOAL_PASSED_M, GOAL_TOLERANCE_M, SIGHTING_REPEATS
from planner._jit import adopt, kernel, piece
from planner.limits import BRAKE_FAILED, GRAVITY_MPS2, SPEED_STANDING_MPS
from sim_harness.dynamics import Demand, Motion
from sim_harness.observation import FlagArray, FloatArray, IndexArray
from sim_harness.onboard_state import BOUND_BASE_M, FIXES, Authorities, Belief, Fitted, Onboard, Segments, StampArray
from sim_harness.paths import Paths

for _source in (*supervisor.COMPILABLE, *ladder.COMPILABLE, *senses.COMPILABLE):
    adopt(_source)

NAIL_M: Final = 10.0
NAIL_SIGMA_M: Final = 0.05
DRIFT: Final = 0.01


@kernel
def read_sensors(motion: Motion, belief: Belief, errors: FloatArray) -> None:
    """
    Let every truck read its nails, odometer and speed, feel whether its wheels slip, and know what its motors do.

    motion  the truth, (n,)
    belief  place, bound, speed, acceleration, slip, retarder and stamp (n,) are written; a truck that stands believes to be where it
            believed
    errors  (n, FIXES) standard normal numbers
    """
    for i in range(motion.nose_m.shape[0]):
        belief.stamp_ns[i] = belief.clock_ns[i]
        belief.speed_mps[i] = motion.speed_mps[i]
        belief.acceleration_mps2[i] = motion.acceleration_mps2[i]
        belief.slipping[i] = motion.slipping[i] > 0.0
        belief.retarder_mps2[i] = -motion.driveline_mps2[i]
        true_m = motion.nose_m[i]
        if math.floor(true_m / NAIL_M) != math.floor(belief.fix_m[i] / NAIL_M):
            at = belief.drawn[i] % (FIXES - 1)
            belief.fix_m[i] = true_m
            belief.offset_m[i] = min(max(NAIL_SIGMA_M * errors[i, at], -0.25), 0.25)
            belief.drift[i] = DRIFT * min(max(0.5 * errors[i, at + 1], -1.0), 1.0)
            belief.drawn[i] += 2
        run_m = true_m - belief.fix_m[i]
        belief.nose_m[i] = true_m + belief.offset_m[i] + belief.drift[i] * run_m
        belief.bound_m[i] = BOUND_BASE_M + DRIFT * run_m


@piece
def _nothing_new(belief: Belief, state: Onboard, i: int, speed_mps: float) -> bool:
    """Whether a reading of truck *i* would leave senses and brakes as they are: it stands, as it did, with its brakes judged."""
    if speed_mps != 0.0 or state.read_speed_mps[i] != 0.0 or belief.nose_m[i] != state.read_nose_m[i] or belief.friction[i] > 0.0:
        return False
    return bool(state.stuck_s[i] == 0.0 and state.asked_mps2[i] == 0.0 and state.ratio[i] == math.inf and state.pressed_s[i] == 0.0)


@piece
def _segments(roads: Segments, first: int, last: int) -> Road:
    """Segments [first, last) as the supervisor reads them: it asks for sequences it can index, and arrays are that."""
    return Road(roads.end_m, roads.speed_mps, roads.grade, roads.no_stop, first, last)  # type: ignore[arg-type]


@piece
def _road(fitted: Fitted, belief: Belief, state: Onboard, roads: Segments, i: int) -> Road:
    """Truck *i*'s road from the segment under its tail on; the cursor is moved."""
    last = int(state.last[i])
    tail_m = belief.nose_m[i] - fitted.length_m[i] - belief.bound_m[i] - state.doubt_m[i]
    cursor = first_under(_segments(roads, int(state.first[i]), last), tail_m - fitted.roll_back_m[i])
    state.first[i] = cursor
    return _segments(roads, cursor, last)


@piece
def _watch_braking(fitted: Fitted, belief: Belief, state: Onboard, roads: Segments, i: int, step_s: float) -> None:
    """Let the supervisor of truck *i* look at what brakes and road give."""
    mode = int(state.mode[i]) if belief.speed_mps[i] > SPEED_STANDING_MPS else HOLD
    braking = mode >= SERVICE_BRAKE
    if not braking and state.asked_mps2[i] == 0.0 and belief.friction[i] <= 0.0 and state.grip[i] <= 0.0:
        return  # brakes that are off and judged, and a road nobody has an opinion of, stay as they are
    slipping = belief.slipping[i] and braking
    grade = 0.0
    if braking:
        grade = grade_under(_road(fitted, belief, state, roads, i), belief.nose_m[i] - fitted.length_m[i], belief.nose_m[i])
    slowing_mps2 = -belief.acceleration_mps2[i]
    asked_mps2, given_mps2 = brakes_alone(
        mode, state.demand_mps2[i], slowing_mps2, grade, belief.retarder_mps2[i], fitted.brake_guaranteed_mps2[i]
    )
    lags_s = (fitted.brake_dead_s[i], fitted.brake_build_up_s[i])
    brakes = Brakes(
        state.asked_mps2[i],
        state.least_mps2[i],
        state.pressed_s[i],
        state.owed_mps[i],
        state.shed_mps[i],
        state.share[i],
        state.ratio[i],
        int(state.weak_count[i]),
        state.health[i],
    )
    brakes = watch_brakes(brakes, asked_mps2, given_mps2, lags_s, step_s, slipping)
    state.asked_mps2[i] = brakes.asked_mps2
    state.least_mps2[i] = brakes.least_mps2
    state.pressed_s[i] = brakes.held_s
    state.owed_mps[i] = brakes.owed_mps
    state.shed_mps[i] = brakes.shed_mps
    state.share[i] = brakes.share
    state.ratio[i] = brakes.ratio
    state.weak_count[i] = brakes.weak_count
    state.health[i] = brakes.health
    grip = Grip(state.grip[i], state.grip_met_m[i])
    grip = watch_grip(grip, belief.friction[i], slipping, slowing_mps2 - GRAVITY_MPS2 * grade, belief.nose_m[i])
    state.grip[i] = grip.friction
    state.grip_met_m[i] = grip.met_m


@kernel
def take_reading(fitted: Fitted, belief: Belief, state: Onboard, roads: Segments) -> None:
    """
    Let every supervisor look at its sensors: do they agree with each other, do the brakes do what they were asked, does the road.

    fitted, belief   (n,)
    state    senses, brakes and grip are written, where there is a road to be on and the reading is a new one
    roads    everybody's segments
    """
    for i in range(belief.nose_m.shape[0]):
        step_s = (belief.stamp_ns[i] - state.read_ns[i]) / 1e9
        if step_s <= 0.0:
            continue
        state.read_ns[i] = belief.stamp_ns[i]
        if state.last[i] <= state.first[i]:
            continue
        if belief.obstacle_m[i] != math.inf and not state.intruded[i]:
            state.intruded[i] = True
            state.sighted_m[i] = belief.nose_m[i] + belief.obstacle_m[i]
            state.untold[i] = SIGHTING_REPEATS
        speed_mps = belief.speed_mps[i]
        if _nothing_new(belief, state, i, speed_mps):
            continue
        reading = Senses(state.read_nose_m[i], state.read_speed_mps[i], state.stuck_s[i], state.doubt_m[i], state.apart_m[i])
        reading = sense(reading, belief.nose_m[i], speed_mps, belief.bound_m[i], step_s)
        state.read_nose_m[i] = reading.nose_m
        state.read_speed_mps[i] = reading.speed_mps
        state.stuck_s[i] = reading.stuck_s
        state.doubt_m[i] = reading.doubt_m
        state.apart_m[i] = reading.apart_m
        _watch_braking(fitted, belief, state, roads, i, step_s)


@piece
def _build(fitted: Fitted, i: int, laden: bool, step_s: float) -> Build:
    """Truck *i* as its supervisor knows it."""
    return Build(
        fitted.length_m[i],
        fitted.speed_max_mps[i],
        fitted.pull_laden_mps2[i] if laden else fitted.pull_empty_mps2[i],
        fitted.brake_service_mps2[i],
        fitted.brake_guaranteed_mps2[i],
        fitted.brake_dead_s[i],
        fitted.brake_build_up_s[i],
        fitted.traction_cutoff_s[i],
        fitted.roll_back_m[i],
        fitted.jerk_mps3[i],
        step_s,
    )


@piece
def _sensed(belief: Belief, state: Onboard, i: int) -> Sensed:
    """What truck *i* believes of itself."""
    fresh = belief.clock_ns[i] - belief.stamp_ns[i] <= STALE_MAX_NS
    sound = belief.intact[i] and fresh and state.stuck_s[i] < STUCK_MAX_S and agree(state.apart_m[i], belief.bound_m[i])
    return Sensed(
        belief.nose_m[i],
        belief.speed_mps[i],
        belief.acceleration_mps2[i],
        belief.bound_m[i] + state.doubt_m[i],
        state.grip[i],
        state.health[i],
        sound,
    )


@piece
def _held(belief: Belief, state: Onboard, i: int, reaction: int) -> Held:
    """What truck *i* may do: what it was given, and no further than what stands on the road."""
    end_m = min(state.end_m[i], belief.nose_m[i] + belief.obstacle_m[i])
    return Held(end_m, state.held_friction[i], state.advised_mps[i], state.clearing_mps[i], reaction)


@piece
def _reaction(belief: Belief, state: Onboard, i: int) -> int:
    """The hardest reaction anybody demands of truck *i*; a rung that stops it makes contact lapse."""
    rung = contact_rung((belief.clock_ns[i] - state.proof_ns[i]) / 1e9, state.ease_s[i], state.stop_s[i], state.emergency_s[i])
    if rung >= SERVICE_STOP and not state.lost[i]:
        state.lost[i] = True
        state.hello_ns[i] = 0
    reaction = max(rung, int(state.stop_reaction[i]))
    if state.lost[i] or state.waiting[i] or state.parked[i] or state.intruded[i] or state.health[i] < BRAKE_FAILED:
        reaction = max(reaction, SERVICE_STOP)
    return reaction


@piece
def _settled(belief: Belief, state: Onboard, i: int, reaction: int) -> bool:
    """
    Whether truck *i* stands and its supervisor would be asked what it was asked last, when its answer changed nothing.

    What else goes into the question (load, road, health, doubt, obstacles, faults) ends `same` where it changes.
    """
    if not state.same[i] or belief.speed_mps[i] != 0.0 or belief.acceleration_mps2[i] != 0.0:
        return False
    if belief.nose_m[i] != state.turn_m[i] or reaction != state.asked_reaction[i]:
        return False
    if state.end_m[i] != state.asked_end_m[i] or state.held_friction[i] != state.asked_friction[i]:
        return False
    return bool(state.advised_mps[i] == state.asked_advised_mps[i])


@piece
def _park(belief: Belief, state: Onboard, i: int) -> None:
    """Set the parking brake at the goal of a mission that asks for it, until the truck is free to leave."""
    goal_m = state.goal_m[i]
    braked = state.mode[i] == HOLD or state.mode[i] == EMERGENCY_BRAKE
    standing = braked and abs(belief.speed_mps[i]) <= SPEED_STANDING_MPS
    at_goal = state.immobilise[i] and abs(belief.nose_m[i] - goal_m) <= GOAL_TOLERANCE_M
    free = state.end_m[i] > goal_m + GOAL_PASSED_M
    state.parked[i] = at_goal and not free and (standing or state.parked[i])


@kernel
def step(fitted: Fitted, belief: Belief, state: Onboard, roads: Segments, demand: Demand, step_s: float) -> None:
    """
    Let every onboard computer take one step of its supervisor, by its own clock and on its last reading.

    fitted, belief   columns (n,)
    state    memory, road cursor, parking brake and loss of contact are written
    roads    everybody's segments
    demand   (n,) written: what the actuators are to do until the next step

    A truck without a road yet is held.
    """
    for i in range(belief.nose_m.shape[0]):
        reaction = _reaction(belief, state, i)
        if state.last[i] <= state.first[i]:
            demand.mode[i] = HOLD
            demand.acceleration_mps2[i] = 0.0
            continue
        if _settled(belief, state, i, reaction):
            _park(belief, state, i)
            continue
        held = _held(belief, state, i, reaction)
        memory = Memory(int(state.mode[i]), state.demand_mps2[i], state.halt_m[i], bool(state.clearing[i]), state.turn_m[i])
        build = _build(fitted, i, belief.laden[i], step_s)
        wish, memory = supervise(build, _sensed(belief, state, i), held, memory, _road(fitted, belief, state, roads, i))
        # An answer that changes nothing will be given again for as long as the question stays the same.
        same = memory.mode == state.mode[i] and memory.halt_m == state.halt_m[i] and memory.clearing == state.clearing[i]
        state.same[i] = same and memory.demand_mps2 == state.demand_mps2[i] and memory.turn_m == state.turn_m[i]
        state.asked_end_m[i] = state.end_m[i]
        state.asked_friction[i] = state.held_friction[i]
        state.asked_reaction[i] = reaction
        state.asked_advised_mps[i] = state.advised_mps[i]
        state.mode[i] = memory.mode
        state.demand_mps2[i] = memory.demand_mps2
        state.halt_m[i] = memory.halt_m
        state.clearing[i] = memory.clearing
        state.turn_m[i] = memory.turn_m
        demand.mode[i] = wish.mode
        demand.acceleration_mps2[i] = wish.acceleration_mps2
        _park(belief, state, i)


@kernel
def earliest_m(fitted: Fitted, belief: Belief, state: Onboard, roads: Segments, i: int, step_s: float) -> float:
    """
    Nearest end of authority that truck *i* could still honour.

    fitted, belief, state   columns (n,); roads everybody's segments; without a road, its nose
    """
    if state.last[i] <= state.first[i]:
        return belief.nose_m[i]  # type: ignore[no-any-return]
    held = _held(belief, state, i, 0)
    build = _build(fitted, i, belief.laden[i], step_s)
    return earliest_end_m(build, _sensed(belief, state, i), held, _road(fitted, belief, state, roads, i))


@kernel
def hear_heartbeats(
    belief: Belief, state: Onboard, rows: IndexArray, echo: StampArray, challenge: StampArray, tick: int, epoch: int
) -> None:
    """
    Give the heartbeats of one frame to the trucks.

    belief                 (n,) the trucks' clocks
    rows, echo, challenge  (k,) truck row, the truck's challenge carried back, the server's to carry back
    state                  contact is renewed where the heartbeat proves that the loop is alive
    """
    for j in range(rows.shape[0]):
        i = rows[j]
        if epoch != state.agreed_epoch[i]:
            continue
        if heartbeat_counts(tick, state.last_tick[i], echo[j], state.asked_ns[i], belief.clock_ns[i]):
            state.proof_ns[i] = belief.clock_ns[i]
        if tick > state.last_tick[i]:
            state.last_tick[i] = tick
            state.echo[i] = challenge[j]


@kernel
def take_authorities(state: Onboard, paths: Paths, rows: IndexArray, given: Authorities, epoch: int, odd: FlagArray) -> None:
    """
    Let the trucks take authorities that move their ends on.

    rows, given  (k,)
    state        end, term, friction and advice are written
    odd          (k,) written: not an extension along the route held; nothing was changed and the truck's own code must judge
    """
    for j in range(rows.shape[0]):
        i = rows[j]
        odd[j] = True
        sequence = given.sequence[j]
        if not may_accept(epoch, sequence, state.agreed_epoch[i], state.seen_epoch[i], state.seen_sequence[i]):
            continue
        if given.route_sequence[j] != state.route_sequence[i] or epoch != state.route_epoch[i]:
            continue
        end_m = -math.inf
        for k in range(paths.held[i]):
            if paths.lane[i, k] == given.end_lane_ix[j]:
                end_m = paths.start_m[i, k] + given.end_chainage_m[j]
                if end_m > paths.start_m[i, k + 1] + SAME_END_M:
                    end_m = -math.inf
        if end_m < state.end_m[i] - SAME_END_M or end_m == -math.inf:
            continue
        state.seen_epoch[i] = epoch
        state.seen_sequence[i] = sequence
        state.end_m[i] = end_m
        state.held_friction[i] = given.friction[j]
        state.advised_mps[i] = given.advised_mps[j]
        state.waiting[i] = False
        odd[j] = False


@kernel
def end_places(state: Onboard, paths: Paths, out_lane_ix: IndexArray, out_chainage_m: FloatArray) -> None:
    """
    Say each end of authority held as a place.

    state, paths     columns (n,)
    out_lane_ix      (n,) written where an end is held
    out_chainage_m   (n,) written where an end is held; a boundary belongs to the lane that begins there, the path's end to its last
    """
    for i in range(out_lane_ix.shape[0]):
        end_m = state.end_m[i]
        if end_m == -math.inf or paths.held[i] == 0:
            continue
        k = paths.nose_k[i]
        while k + 1 < paths.held[i] and end_m >= paths.start_m[i, k + 1]:
            k += 1
        while k > 0 and end_m < paths.start_m[i, k]:
            k -= 1
        out_lane_ix[i] = paths.lane[i, k]
        out_chainage_m[i] = end_m - paths.start_m[i, k]


@kernel
def watch(motion: Motion, belief: Belief, state: Onboard, demand: Demand, was_emergency: FlagArray, hello_age_ns: int) -> int:
    """
    Whether anybody needs attention, as bits: 1 when a truck has begun to brake in emergency, 2 when one has to say hello, 4 when
    one has seen something that it has not said often enough.

    motion, belief, state, demand   (n,)
    was_emergency           (n,) as left by the tick before; not written
    """
    found = 0
    for i in range(was_emergency.shape[0]):
        braking = demand.mode[i] == supervisor.EMERGENCY_BRAKE and motion.speed_mps[i] > 0.0
        if braking != was_emergency[i]:
            found |= 1
        if state.lost[i] and (state.hello_ns[i] == 0 or belief.clock_ns[i] - state.hello_ns[i] > hello_age_ns):
            found |= 2
        if state.untold[i] > 0:
            found |= 4
    return found


@kernel
def end_paths(state: Onboard, out_end_m: FloatArray) -> None:
    """
    Say each end of authority held on its truck's path coordinate.

    state      (n,)
    out_end_m  (n,) written; nan where none is held
    """
    for i in range(out_end_m.shape[0]):
        out_end_m[i] = state.end_m[i] if state.end_m[i] != -math.inf else math.nan
