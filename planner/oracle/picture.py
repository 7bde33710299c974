"""Slow twin of the kernel that remembers reports: one report at a time, each meaning a line."""

from __future__ import annotations

from math import floor
from typing import NamedTuple

from planner.limits import FRICTION_MAX, FRICTION_MIN, SPEED_STANDING_MPS

NEVER = -(2**62)


class OneSaid(NamedTuple):
    """One believed report."""

    row: int
    speed_mps: float
    acceleration_mps2: float
    battery_wh: float
    friction: float
    brake_health: float
    flags: int
    accepted_epoch: int
    accepted_sequence: int
    challenge: int
    challenge_echo: int


class SlowPicture(NamedTuple):
    """The same columns as lists, and what of the truck table is written."""

    heard_ns: list[int]
    still_ns: list[int]
    answered_tick: list[int]
    challenge: list[int]
    flags: list[int]
    accepted_epoch: list[int]
    accepted_sequence: list[int]
    battery_wh: list[float]
    acceleration_mps2: list[float]
    laden: list[bool]
    friction: list[float]
    brake_health: list[float]


def slow_remember_reports(
    reports: list[OneSaid], now_ns: int, tick: int, laden_bit: int, road_friction: float, picture: SlowPicture
) -> set[str]:
    """Take note of *reports*, all heard at *now_ns*; the answer is what there is to be looked at."""
    news = {"opinion" for said in reports if said.friction > 0.0}
    for said in reports:
        row = said.row
        moves = abs(said.speed_mps) >= SPEED_STANDING_MPS
        stood = picture.still_ns[row] != NEVER
        picture.heard_ns[row] = now_ns
        picture.still_ns[row] = NEVER if moves else picture.still_ns[row] if stood else now_ns
        picture.answered_tick[row] = max(picture.answered_tick[row], said.challenge_echo if 0 < said.challenge_echo <= tick else NEVER)
        picture.challenge[row], picture.flags[row] = said.challenge, said.flags
        picture.accepted_epoch[row], picture.accepted_sequence[row] = said.accepted_epoch, said.accepted_sequence
        picture.battery_wh[row], picture.acceleration_mps2[row] = said.battery_wh, said.acceleration_mps2
        picture.laden[row] = bool(said.flags & laden_bit)
        met = min(max(said.friction, FRICTION_MIN), FRICTION_MAX)
        picture.friction[row] = min(met, road_friction) if said.friction > 0.0 else road_friction
        believed = picture.brake_health[row]
        health = min(believed, floor(said.brake_health * 100) / 100) if said.brake_health < believed else believed
        news |= {"weaker"} if health < believed else set()
        picture.brake_health[row] = health
    return news
