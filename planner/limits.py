"""
Every bound of time, road and trucks, and the asserts that they fit together. What peers may send is bounded in `fleet.server.limits`.

A number that two modules must agree on stands here with its reason; what only one module needs stays there. The asserts at
the end are the relations that must survive whoever edits a number.
"""

from __future__ import annotations

from typing import Final

# Time. One tick decides everything; the rest are whole ticks so that virtual and real runs agree.
TICK_PERIOD_NS: Final = 100_000_000
TICK_PERIOD_S: Final = TICK_PERIOD_NS / 1e9
HEARTBEAT_TICKS: Final = 2  # 5 Hz
HEARTBEAT_PERIOD_MS: Final = HEARTBEAT_TICKS * TICK_PERIOD_NS // 1_000_000
REPORT_PERIOD_MS: Final = 200  # asked of trucks in the welcome
REPORT_PERIOD_MIN_MS: Final = 100  # the fastest a truck may report
MISSION_PERIOD_TICKS: Final = 10
ASSIGNMENT_PERIOD_TICKS: Final = 50
JUDGE_SWEEP_TICKS: Final = 10  # the judge looks at touched metres each tick, at everything once a second

# Contact, seen from the truck (sent as data in the welcome).
CONTACT_EASE_MS: Final = 1000  # no more acceleration
CONTACT_STOP_MS: Final = 2000  # service stop inside the authority
CHALLENGE_AGE_MAX_MS: Final = 1000  # an older echo proves nothing
CLEARING_SPEED_MPS: Final = 10 / 3.6  # without contact, out of a no-stop stretch
# Contact, seen from the server.
SILENCE_WARN_MS: Final = 500  # no new grant on an older report
SILENCE_FAULT_MS: Final = 2000  # the session is silent

# Motion and brakes.
GRAVITY_MPS2: Final = 9.81
FRICTION_DRY: Final = 0.7
FRICTION_MIN: Final = 0.05
FRICTION_MAX: Final = 1.2
FRICTION_USE: Final = 0.7  # share of friction that braking may count on; the rest steers
FRICTION_CELL_M: Final = 100.0  # grip is believed of so much road at a time: longer than any stop, shorter than a road of kilometres
# What slipping wheels of unequal load get of the road. It only has to exceed FRICTION_USE: then a truck that measures friction by
# slipping counts on less than the road has just given it.
GRIP_SHARE: Final = 0.8
BRAKE_WEAK: Final = 0.9  # brakes that give less of what is asked are weaker than declared: the truck is laid up
BRAKE_FAILED: Final = 0.6  # with less the truck stops, and stays
SERVICE_SHARE: Final = 0.75  # of A_safe: what normal driving may ask for
A_SAFE_MIN_MPS2: Final = 0.2  # with less than this left a truck does not move
REACTION_S: Final = 1.0  # T_p of normal driving: time a truck may use before it brakes
ROLL_BACK_M: Final = 1.0  # the most a forward-moving truck's rear comes back
SPEED_MAX_MPS: Final = 25.0
SPEED_STANDING_MPS: Final = 0.05  # below this a truck stands
LANE_LIMIT_MIN_MPS: Final = 0.1  # a truck that drives slower would be taken for a standing one, and its way for endless
ACCELERATION_MAX_MPS2: Final = 8.0  # no truck of ours speeds up or brakes harder
FROZEN_SPEED_MPS: Final = 0.5  # this fast and in the very same place again is a stuck sensor, not a slow wheel
FROZEN_STEP_M: Final = 0.04  # unless it should have come less far than this: a report right after a hello has not
OVERSPEED: Final = 1.1  # share of a type's top speed that a step may show before it cannot be true
GRADE_MAX: Final = 0.15
CRAWL_MPS: Final = 0.6  # advice never asks for less: zero would mean no wish
ADVICE_S: Final = 4.0  # time over which advice lets a gap close
CLEARING_LAG_S: Final = 0.5  # between a holder's being out and the waiting truck's knowing: report, tick, message

# Position and margins.
BOUND_USUAL_M: Final = 0.5
BOUND_PLANNED_M: Final = 0.75  # refuges beyond no-stop stretches are sized for bounds up to this
BOUND_STOP_M: Final = 5.0  # a truck this unsure of its place stops
OVERRUN_M: Final = 1.0  # a truck this far past where it could still stop inside its authority, by our own sums, is stopped
STEP_MARGIN_M: Final = 0.5  # a report may be this far beyond physics before it is disbelieved
STOP_MARK_M: Final = 2.0  # a truck comes to rest this far, plus its bound, before its end
STANDING_MARGIN_M: Final = 2.0  # kept between an end of authority and the confirmed rear ahead: corners meet first in a tight curve
STOP_TOLERANCE_M: Final = 0.5  # how far short of its stopping mark a truck may come to rest
STALLED_S: Final = 10.0  # grant, brake release and pull take three seconds at most; who has not set out by then is kept by something aboard
NO_STOP_BEFORE_M: Final = 0.1  # an end stays this far before a no-stop stretch: stretches are closed at their start
NO_STOP_BEYOND_M: Final = 3.75  # beyond truck and bounds, so that the *confirmed* rear of a truck at rest has left the stretch
GATE_LINE_GAP_M: Final = 0.2  # a gate's no-stop stretch begins this far past its stop line, so that an end may lie on the line
AT_LINE_M: Final = 5.0  # a nose standing within this of a stop line stands at it
STAND_END_M: Final = 2.5  # the end of authority at a stand lies this far past its stopping place
SAME_PLACE_M: Final = 1e-6  # two coordinates closer than this are one place

# Authority.
EXTEND_MIN_M: Final = 5.0  # a smaller gain is not worth a message while nothing holds the truck back
EXTEND_MIN_FOLLOWING_M: Final = 1.0  # behind a leader each metre is capacity: 5 m would cost 4 to 8 % of it
HORIZON_HOLD_S: Final = 3.0  # driven through lost grants before a truck must brake
HORIZON_EXTRA_M: Final = 10.0

# Intruders: persons, animals, and trucks that nobody of ours steers.
INTRUDER_MARGIN_M: Final = 15.0  # closed around a reported place: as far as a person runs in five seconds
TRACK_PERIOD_MS: Final = 1000  # the slowest a transponder may report
TRACK_AGE_MAX_MS: Final = 2500  # one lost report is not a loss; an older word no longer says where the truck is
TRACK_DELAY_MS: Final = 500  # the part of a word's age nobody can see: radio, gateway, tick
TRACK_DRIFT_SHARE: Final = 1000  # a transponder's clock may lose one part in so many; a growing delay loses more
MANNED_ACCELERATION_MPS2: Final = 2.0  # no road truck speeds up harder
MANNED_REVERSE_MPS: Final = 3.0  # the fastest a driver backs up
LOST_STEP_MS: Final = 5000  # a truck that is not tracked is looked for as far as it gets in this time; then further
INTRUDER_RADIUS_MAX_M: Final = 1000.0  # a place known no better is none: lanes are closed by name

# Sizes.
TRUCKS_MAX: Final = 2000
PATH_LANES_MAX: Final = 128
CONTAINERS_PER_ORDER_MAX: Final = 10_000  # weeks of the largest site; more is a slip of the finger
PRIORITY_MAX: Final = 1000  # of an order, above or below none
BOOTS_MAX: Final = 32  # boots of one truck whose hellos are known for old ones; a relay keeps none that long
INTRUSIONS_MAX: Final = 64  # open at one time; with more the corridor is not closed any more, and everything stops

assert SPEED_STANDING_MPS < LANE_LIMIT_MIN_MPS <= FROZEN_SPEED_MPS < CRAWL_MPS
# Two reports as fast as a truck may send them show a stuck sensor.
assert FROZEN_SPEED_MPS * REPORT_PERIOD_MIN_MS / 1000 > FROZEN_STEP_M
assert FRICTION_MIN < FRICTION_DRY <= FRICTION_MAX
assert FRICTION_USE < GRIP_SHARE <= 1.0
assert 0.0 < BRAKE_FAILED < BRAKE_WEAK < 1.0
# A truck must not ease because of jitter: it misses at least four heartbeats first.
assert CONTACT_EASE_MS >= 5 * HEARTBEAT_PERIOD_MS
assert CONTACT_EASE_MS < CONTACT_STOP_MS
assert CHALLENGE_AGE_MAX_MS <= CONTACT_EASE_MS
# One lost report is not silence.
assert 2 * REPORT_PERIOD_MS < SILENCE_WARN_MS < SILENCE_FAULT_MS
assert REPORT_PERIOD_MIN_MS * 1_000_000 >= TICK_PERIOD_NS
assert HEARTBEAT_PERIOD_MS * 1_000_000 % TICK_PERIOD_NS == 0
# What a truck holds in free flow must outlast the contact ladder's first rung, or a lost second would already brake it.
assert HORIZON_HOLD_S * 1000 > CONTACT_EASE_MS + 2 * REPORT_PERIOD_MS
# A truck at rest beyond a no-stop stretch has its confirmed rear at end - mark - tolerance - L - 2e - r: it must be clear.
assert NO_STOP_BEYOND_M >= STOP_MARK_M + STOP_TOLERANCE_M + ROLL_BACK_M
assert NO_STOP_BEFORE_M < GATE_LINE_GAP_M
# A truck at rest before a stop line is near enough to count as standing at it.
assert STOP_MARK_M + STOP_TOLERANCE_M + BOUND_USUAL_M < AT_LINE_M
assert STOP_MARK_M + BOUND_USUAL_M <= STAND_END_M
assert BOUND_USUAL_M <= BOUND_PLANNED_M < BOUND_STOP_M
assert EXTEND_MIN_FOLLOWING_M <= EXTEND_MIN_M <= HORIZON_EXTRA_M
assert ASSIGNMENT_PERIOD_TICKS % MISSION_PERIOD_TICKS == 0
# A spacing margin is for trucks that stand still; a person does not.
assert INTRUDER_MARGIN_M > 2 * STANDING_MARGIN_M
# A transponder that keeps its period is not lost by one report, late by half a period.
assert TRACK_AGE_MAX_MS >= 2 * TRACK_PERIOD_MS + TRACK_PERIOD_MS // 2
assert TICK_PERIOD_NS <= TRACK_DELAY_MS * 1_000_000 < TRACK_AGE_MAX_MS * 1_000_000 < LOST_STEP_MS * 1_000_000
