"""
The arithmetic of the checks, compiled: oriented boxes, remaining stopping distance, following.

Kept apart from `checkers`, which owns the memory. Frames: metres east and north, metres along each truck's own path.
"""

from __future__ import annotations

import math
from typing import Final

from planner._jit import adopt, kernel, piece
from sim_harness.dynamics import DRIVE, EMERGENCY_BRAKE
from sim_harness.observation import FlagArray, FloatArray, IndexArray, SmallArray
from sim_harness.rss import Rule, safe_gap_m

adopt(safe_gap_m)

GRAVITY_MPS2: Final = 9.81
# What a full brake application gets of the road's friction (safety case: 0.7 of it).
FRICTION_SHARE: Final = 0.7
STANDING_MPS: Final = 0.01
# A nose may not pass its end by more than rounding.
PASSED_M: Final = 1e-6
# What a truck needs that cannot stop at all: far beyond any end, and still a number.
UNSTOPPABLE_M: Final = 10_000.0
# Below walking pace a headway in seconds says nothing.
HEADWAY_SPEED_MPS: Final = 1.0


@piece
def apart(a: tuple[float, float, float, float, float], b: tuple[float, float, float, float, float], slack_m: float) -> bool:
    """Whether a side of box *a* separates it from box *b*; a box is (x0, y0, x1, y1, half width)."""
    ax0, ay0, ax1, ay1, a_half = a
    bx0, by0, bx1, by1, b_half = b
    dx = ax1 - ax0
    dy = ay1 - ay0
    length = math.hypot(dx, dy)
    ux = dx / length
    uy = dy / length
    ex = bx1 - bx0
    ey = by1 - by0
    other = math.hypot(ex, ey)
    # Half the extent of b's width seen along a, and across a.
    along_half = b_half * abs(ux * ey - uy * ex) / other
    across_half = b_half * abs(ux * ex + uy * ey) / other
    p0 = (bx0 - ax0) * ux + (by0 - ay0) * uy
    p1 = (bx1 - ax0) * ux + (by1 - ay0) * uy
    if max(p0, p1) + along_half <= slack_m or min(p0, p1) - along_half >= length - slack_m:
        return True
    q0 = (by0 - ay0) * ux - (bx0 - ax0) * uy
    q1 = (by1 - ay0) * ux - (bx1 - ax0) * uy
    return max(q0, q1) + across_half <= slack_m - a_half or min(q0, q1) - across_half >= a_half - slack_m


@piece
def _bodies_meet(x_m: FloatArray, y_m: FloatArray, width_m: FloatArray, pair: tuple[int, int], slack_m: float) -> bool:
    """Whether any box of one body meets any box of the other."""
    row, other = pair
    for i in range(x_m.shape[1] - 1):
        a = (x_m[row, i], y_m[row, i], x_m[row, i + 1], y_m[row, i + 1], 0.5 * width_m[row])
        for j in range(x_m.shape[1] - 1):
            b = (x_m[other, j], y_m[other, j], x_m[other, j + 1], y_m[other, j + 1], 0.5 * width_m[other])
            if not apart(a, b, slack_m) and not apart(b, a, slack_m):
                return True
    return False


@kernel
def body_overlaps(
    x_m: FloatArray,
    y_m: FloatArray,
    width_m: FloatArray,
    slack_m: float,
    order: IndexArray,
    box: FloatArray,
    out_pairs: IndexArray,
) -> int:
    """
    Count of pairs of bodies that share more than *slack_m*; the first of them are written, lower row first.

    x_m, y_m   (n, points) bodies, nose first; the axes may be exchanged, which changes nothing but how long it takes
    width_m    (n,)
    order      (n,) rows sorted by their least *x_m* at the last call; sorted anew here, nearly for free
    box        (4, n) scratch
    out_pairs  (k, 2)
    """
    count, points = x_m.shape
    low, high, bottom, top = box
    for row in range(count):
        half = 0.5 * width_m[row]
        x0 = x1 = x_m[row, 0]
        y0 = y1 = y_m[row, 0]
        for point in range(1, points):
            x0 = min(x0, x_m[row, point])
            x1 = max(x1, x_m[row, point])
            y0 = min(y0, y_m[row, point])
            y1 = max(y1, y_m[row, point])
        low[row] = x0 - half
        high[row] = x1 + half
        bottom[row] = y0 - half
        top[row] = y1 + half
    for k in range(1, count):
        row = order[k]
        at = k
        while at > 0 and low[order[at - 1]] > low[row]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = row
    found = 0
    for k in range(count):
        row = order[k]
        for later in range(k + 1, count):
            other = order[later]
            if low[other] >= high[row]:
                break
            if bottom[other] >= top[row] or bottom[row] >= top[other]:
                continue
            if _bodies_meet(x_m, y_m, width_m, (row, other), slack_m):
                if found < len(out_pairs):
                    out_pairs[found, 0] = min(row, other)
                    out_pairs[found, 1] = max(row, other)
                found += 1
    return found


@piece
def _stop_distance(
    speed_mps: float, brake_mps2: float, downhill_mps2: float, traction: tuple[float, float], times: tuple[float, float, float]
) -> float:
    """
    Metres until rest from *speed_mps*, phase by phase.

    *traction* is (m/s², seconds it lasts); *times* are seconds of dead time left, of brake build-up in all, and of build-up
    already past. The grade pulls throughout. `UNSTOPPABLE_M` where the brakes cannot hold the grade.
    """
    traction_mps2, traction_s = traction
    dead_s, build_up_s, built_s = times
    if brake_mps2 <= downhill_mps2:
        return UNSTOPPABLE_M
    distance = 0.0
    v = speed_mps
    pushed_s = min(traction_s, dead_s)
    push = traction_mps2 + downhill_mps2
    distance += v * pushed_s + 0.5 * push * pushed_s * pushed_s
    v += push * pushed_s
    rest_s = dead_s - pushed_s
    distance += v * rest_s + 0.5 * downhill_mps2 * rest_s * rest_s
    v += downhill_mps2 * rest_s
    left_s = build_up_s - built_s
    if left_s > 0.0:
        slope = brake_mps2 / build_up_s
        pull = downhill_mps2 - slope * built_s
        stop_s = (pull + math.sqrt(pull * pull + 2.0 * slope * v)) / slope
        t = min(stop_s, left_s)
        distance += v * t + 0.5 * pull * t * t - slope * t * t * t / 6.0
        v += pull * t - 0.5 * slope * t * t
        if stop_s <= left_s:
            return distance
    return distance + 0.5 * v * v / (brake_mps2 - downhill_mps2)


@piece
def _left_of(brakes: FloatArray, pull_mps2: float, past_s: float) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """What traction and the times of a brake have still to come, *past_s* after it was called."""
    traction = (pull_mps2, max(0.0, brakes[3] - past_s))
    return traction, (max(0.0, brakes[1] - past_s), brakes[2], min(brakes[2], max(0.0, past_s - brakes[1])))


@kernel
def authority_margin(
    motion: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    kind: tuple[FlagArray, SmallArray, FlagArray],
    brakes: FloatArray,
    step_s: float,
    kept: tuple[FloatArray, SmallArray],
    out_margin_m: FloatArray,
) -> tuple[int, int, int]:
    """
    Metres left between where each truck would come to rest in the worst case and the end it holds.

    Returns the row with the least margin of those that are as declared, of those that are not, -1 where none holds an end, and how many
    noses have just passed their end.

    motion        nose, end (path metres, nan: none held), speed, least grade, friction, brake health; (n,) each
    kind          laden (n,), what the supervisor demands (n,), something worse than declared (n,)
    brakes        (n, 6) guaranteed m/s², dead s, build-up s, traction cut-off s, acceleration laden and empty m/s²
    kept          (n,) seconds since the emergency brake was called, and (n,) how many ticks the nose has been beyond its end,
                  up to 2; both from tick to tick
    out_margin_m  (n,) inf where no end is held

    A truck that has called its emergency brake has part of the dead time and build-up behind it; one that drives has all of
    it ahead, and traction until cut off. A truck held at rest needs nothing.
    """
    nose_m, end_m, speed_mps, grade, friction, health = motion
    laden, mode, undeclared = kind
    braking_s, beyond = kept
    least = -1
    least_undeclared = -1
    passed = 0
    for row in range(len(nose_m)):
        if mode[row] == EMERGENCY_BRAKE:
            braking_s[row] += step_s
        else:
            braking_s[row] = 0.0
        if math.isnan(end_m[row]):
            out_margin_m[row] = math.inf
            beyond[row] = 0
            continue
        if nose_m[row] > end_m[row] + PASSED_M:
            beyond[row] = min(2, beyond[row] + 1)
            passed += beyond[row] == 1
        else:
            beyond[row] = 0
        v = max(0.0, speed_mps[row])
        stop_m = 0.0
        if v > STANDING_MPS or mode[row] == DRIVE:
            pull = 0.0
            if mode[row] == DRIVE:
                pull = brakes[row, 4] if laden[row] else brakes[row, 5]
            brake = min(health[row] * brakes[row, 0], FRICTION_SHARE * friction[row] * GRAVITY_MPS2)
            stop_m = _stop_distance(v, brake, GRAVITY_MPS2 * max(0.0, -grade[row]), *_left_of(brakes[row], pull, braking_s[row]))
        out_margin_m[row] = end_m[row] - nose_m[row] - stop_m
        if undeclared[row]:
            if least_undeclared < 0 or out_margin_m[row] < out_margin_m[least_undeclared]:
                least_undeclared = row
        elif least < 0 or out_margin_m[row] < out_margin_m[least]:
            least = row
    return least, least_undeclared, passed


@piece
def _enter_lanes(
    body_lanes: IndexArray,
    row: int,
    place: tuple[float, float],
    lanes: tuple[FloatArray, IndexArray],
    entries: tuple[IndexArray, FloatArray],
) -> None:
    """Hangs the body of *row* on each lane it stands on, with the chainage of its hindmost metre there; *place* is nose chainage and length."""
    lane_length_m, head = lanes
    entry_next, tail_m = entries
    front_m, left_m = place
    for k in range(body_lanes.shape[1]):
        lane = body_lanes[row, k]
        if lane < 0:
            return
        entry = row * body_lanes.shape[1] + k
        tail_m[entry] = max(0.0, front_m - left_m)
        entry_next[entry] = head[lane]
        head[lane] = entry
        left_m -= front_m
        if left_m <= 0.0:
            return
        if k + 1 < body_lanes.shape[1] and body_lanes[row, k + 1] >= 0:
            front_m = lane_length_m[body_lanes[row, k + 1]]


@piece
def _nearest_tail(entry: int, row: int, width: int, offset_m: float, entries: tuple[IndexArray, FloatArray]) -> tuple[float, int]:
    """Gap to the nearest tail on one lane that is not behind, and whose it is; inf and -1 where there is none."""
    entry_next, tail_m = entries
    best_m = math.inf
    leader = -1
    while entry >= 0:
        gap_m = offset_m + tail_m[entry]
        if entry // width != row and 0.0 <= gap_m < best_m:
            best_m = gap_m
            leader = entry // width
        entry = entry_next[entry]
    return best_m, leader


@kernel
def following(
    trucks: tuple[IndexArray, FloatArray, FloatArray, FloatArray],
    rules: FloatArray,
    lanes: tuple[FloatArray, IndexArray, IndexArray],
    look_ahead_m: float,
    entries: tuple[IndexArray, FloatArray],
    extremes: FloatArray,
) -> None:
    """
    Lowers the least time to collision, headway and RSS margin, and raises the greatest deceleration to avoid a crash.

    trucks    body_lanes (n, k), chainage of the nose (n,), speed (n,), length (n,)
    rules     (n, 6) what RSS assumes of each follower, as the fields of `rss.Rule`
    lanes     length (m,), only successor (m,) or -1, and a scratch column (m,) of -1 that is left as found
    entries   (n * k,) and (n * k,) scratch
    extremes  (4,) ttc s, headway s (nose to nose, follower at 1 m/s or more), DRAC m/s², gap beyond the one RSS calls safe m

    A leader is the nearest tail ahead on the follower's lane, or on lanes it must come to; at a fork the search ends.
    """
    body_lanes, chainage_m, speed_mps, length_m = trucks
    lane_length_m, successor, head = lanes
    count, width = body_lanes.shape
    for row in range(count):
        _enter_lanes(body_lanes, row, (chainage_m[row], length_m[row]), (lane_length_m, head), entries)
    for row in range(count):
        v = speed_mps[row]
        if v < STANDING_MPS:
            continue
        lane = body_lanes[row, 0]
        offset_m = -chainage_m[row]
        gap_m, leader = _nearest_tail(head[lane], row, width, offset_m, entries)
        while leader < 0:
            offset_m += lane_length_m[lane]
            lane = successor[lane]
            if lane < 0 or offset_m > look_ahead_m:
                break
            gap_m, leader = _nearest_tail(head[lane], row, width, offset_m, entries)
        if leader < 0:
            continue
        rule = Rule(rules[row, 0], rules[row, 1], rules[row, 2], rules[row, 3], rules[row, 4], rules[row, 5])
        extremes[3] = min(extremes[3], gap_m - safe_gap_m(v, speed_mps[leader], rule))
        closing = v - speed_mps[leader]
        if v >= HEADWAY_SPEED_MPS:
            extremes[1] = min(extremes[1], (gap_m + length_m[leader]) / v)
        if closing > STANDING_MPS:
            extremes[0] = min(extremes[0], gap_m / closing)
            extremes[2] = max(extremes[2], 0.5 * closing * closing / max(gap_m, 1e-3))
    for lane in body_lanes.flat:
        if lane >= 0:
            head[lane] = -1
