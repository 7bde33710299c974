"""What is remembered of the newest believed reports, beside the place."""

from __future__ import annotations

from typing import Final, NamedTuple

from planner._jit import kernel
from planner.limits import FRICTION_MAX, FRICTION_MIN, SPEED_STANDING_MPS
from planner.tables import REAL_COLUMNS, FloatArray, IndexArray, LongArray, TruckColumns

FRICTION: Final = REAL_COLUMNS.index("friction")
NEVER: Final = -(1 << 62)  # before every tick and every nanosecond that counts, so that comparisons need no special case


class Said(NamedTuple):
    """What believed reports say, a truck at most once; (k,) each."""

    rows: IndexArray
    lane_ix: IndexArray
    speed_mps: FloatArray
    acceleration_mps2: FloatArray
    battery_wh: FloatArray
    friction: FloatArray  # 0 for no opinion
    flags: LongArray
    accepted_epoch: LongArray
    accepted_sequence: LongArray
    challenge: LongArray
    challenge_echo: LongArray


class Picture(NamedTuple):
    """By truck row, (n,) each, and by lane."""

    heard_ns: LongArray  # when the newest report arrived, NEVER before the first
    still_ns: LongArray  # when the truck came to rest, NEVER while it moves
    answered_tick: LongArray  # of the newest of our challenges that came back
    challenge: LongArray
    flags: LongArray
    accepted_epoch: LongArray
    accepted_sequence: LongArray
    battery_wh: FloatArray
    acceleration_mps2: FloatArray
    friction_lane: FloatArray  # (m,) lowest lately met


@kernel
def remember_reports(
    said: Said, now_ns: int, tick: int, laden_bit: int, road_friction: float, picture: Picture, trucks: TruckColumns
) -> None:
    """
    Take note of believed reports. What one truck's wheels have met, the next ones must brake with.

    said           heard at *now_ns*; an echo of a challenge above *tick* is nobody's
    laden_bit      of the flags
    road_friction  of the road where nobody has met less; the newest opinion about a lane counts, of several the lowest
    picture        written
    trucks         laden and friction are written; the friction of all of them, or of none when none has an opinion
    """
    opinions = 0
    for at in range(len(said.rows)):
        i = said.rows[at]
        picture.heard_ns[i] = now_ns
        if abs(said.speed_mps[at]) >= SPEED_STANDING_MPS:
            picture.still_ns[i] = NEVER
        elif picture.still_ns[i] == NEVER:
            picture.still_ns[i] = now_ns
        echo = said.challenge_echo[at]
        if 0 < echo <= tick:
            picture.answered_tick[i] = max(picture.answered_tick[i], echo)
        picture.challenge[i] = said.challenge[at]
        picture.flags[i] = said.flags[at]
        picture.accepted_epoch[i] = said.accepted_epoch[at]
        picture.accepted_sequence[i] = said.accepted_sequence[at]
        picture.battery_wh[i] = said.battery_wh[at]
        picture.acceleration_mps2[i] = said.acceleration_mps2[at]
        trucks.laden[i] = said.flags[at] & laden_bit != 0
        if said.friction[at] > 0.0:
            opinions += 1
            picture.friction_lane[said.lane_ix[at]] = road_friction
    if opinions == 0:
        return
    for at in range(len(said.rows)):
        i, lane = said.rows[at], said.lane_ix[at]
        trucks.real[FRICTION, i] = road_friction
        if said.friction[at] > 0.0:
            met = min(max(said.friction[at], FRICTION_MIN), FRICTION_MAX)
            trucks.real[FRICTION, i] = min(met, road_friction)
            picture.friction_lane[lane] = min(picture.friction_lane[lane], met)
