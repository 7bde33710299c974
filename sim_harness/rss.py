"""
The distance that Responsibility-Sensitive Safety asks of a follower: a monitor, never an authority.

RSS lets a follower count on its leader's rolling on while it brakes, however hard that is. It is unsafe behind a leader that
stops harder than assumed, at a wall or in a crash, so nothing of ours is spaced by it. As a figure it says how our spacing looks to
those who measure by RSS: brick-wall spacing should always leave more.

The formula: S. Shalev-Shwartz, S. Shammah, A. Shashua, On a Formal Model of Safe and Scalable Self-driving Cars,
arXiv:1708.06374, lemma 2; with the limit on the speed reached during the response as in intel/ad-rss-lib, `RssFormulas`.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """
    What is assumed of follower and leader.

    During *response_s* the follower still gains *acceleration_mps2*, up to *speed_max_mps*; then it brakes with *brake_least_mps2*
    at least. The leader brakes with *brake_leader_mps2* at most. *margin_m* is left when both stand.
    """

    response_s: float
    acceleration_mps2: float
    speed_max_mps: float
    brake_least_mps2: float
    brake_leader_mps2: float
    margin_m: float


def safe_gap_m(speed_mps: float, leader_mps: float, rule: Rule) -> float:
    """Metres from a nose to the tail ahead that RSS calls safe, both driving the same way; a plain function that kernels compile."""
    # One that is already too fast keeps its speed.
    reached_mps = min(max(rule.speed_max_mps, speed_mps), speed_mps + rule.acceleration_mps2 * rule.response_s)
    gaining_s = (reached_mps - speed_mps) / rule.acceleration_mps2 if rule.acceleration_mps2 > 0.0 else 0.0
    response_m = 0.5 * (speed_mps + reached_mps) * gaining_s + reached_mps * (rule.response_s - gaining_s)
    stop_m = reached_mps * reached_mps / (2.0 * rule.brake_least_mps2)
    leader_m = leader_mps * leader_mps / (2.0 * rule.brake_leader_mps2)
    return max(0.0, response_m + stop_m - leader_m) + rule.margin_m
