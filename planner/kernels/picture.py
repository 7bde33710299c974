"""What is remembered of the newest believed reports, beside the place."""

from __future__ import annotations

from math import floor
from typing import Final, NamedTuple

from planner._jit import kernel
from planner.limits import FRICTION_MAX, FRICTION_MIN, SPEED_STANDING_MPS
from planner.tables import REAL_COLUMNS, FloatArray, IndexArray, LongArray, TruckColumns

FRICTION: Final = REAL_COLUMNS.index("friction")
BRAKE_HEALTH: Final = REAL_COLUMNS.index("brake_health")
NEVER: Final = -(1 << 62)  # before every tick and every nanosecond that counts, so that comparisons need no special case
# What `remember_reports` answers, as bits.
OPINION: Final = 1
WEAKER: Final = 2
HEALTH_STEPS: Final = 100  # brakes are believed weaker by whole hundredths: noise makes no news


class Said(NamedTuple):
    """What believed reports say, a truck at most once; (k,) each."""

    rows: IndexArray
    speed_mps: FloatArray
    acceleration_mps2: FloatArray
    battery_wh: FloatArray
    friction: FloatArray  # 0 for no opinion
    brake_health: FloatArray
    flags: LongArray
    accepted_epoch: LongArray
    accepted_sequence: LongArray
    challenge: LongArray
    challenge_echo: LongArray


class Picture(NamedTuple):
    """By truck row, (n,) each."""

    heard_ns: LongArray  # when the newest report arrived, NEVER before the first
    still_ns: LongArray  # when the truck came to rest, NEVER while it moves
    answered_tick: LongArray  # of the newest of our challenges that came back
    challenge: LongArray
    flags: LongArray
    accepted_epoch: LongArray
    accepted_sequence: LongArray
    battery_wh: FloatArray
    acceleration_mps2: FloatArray


@kernel
def remember_reports(
    said: Said, now_ns: int, tick: int, laden_bit: int, road_friction: float, picture: Picture, trucks: TruckColumns
) -> int:
    """
    Take note of believed reports; the answer is what a slower look is worth: OPINION where one has an opinion of the road, WEAKER
    where one has weaker brakes than believed.

    said           heard at *now_ns*; an echo of a challenge above *tick* is nobody's
    laden_bit      of the flags
    road_friction  of the road where nobody has met less
    picture        written
    trucks         laden, friction and brake health are written; health only falls
    """
    news = 0
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
        trucks.real[FRICTION, i] = road_friction
        if said.friction[at] > 0.0:
            news |= OPINION
            trucks.real[FRICTION, i] = min(max(said.friction[at], FRICTION_MIN), FRICTION_MAX, road_friction)
        if said.brake_health[at] < trucks.real[BRAKE_HEALTH, i]:
            health = floor(said.brake_health[at] * HEALTH_STEPS) / HEALTH_STEPS
            if health < trucks.real[BRAKE_HEALTH, i]:
                news |= WEAKER
                trucks.real[BRAKE_HEALTH, i] = health
    return news
