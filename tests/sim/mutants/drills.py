"""
What happens in the drills.

Each is what it takes to make one wrong decision show: trucks close behind one another, at a crossing, at a gate, and something that
breaks just then. Moments are found in the truth, so that a drill stays the same drill when timetables change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from planner.corridor import Corridor, GradePiece, Zone
from sim_harness import paths
from tests.sim.mutants.play import UNSAFE, Drill, Pair, Play

FAST_MPS: Final = 4.5
FULL_MPS: Final = 6.5
CLOSE_M: Final = 60.0
LENGTH_M: Final = 16.5
# So long a drill goes on after what happens in it.
AFTER_S: Final = 40.0
# A position that jumps, metres; one that runs away, of the way; a journal that is so many ticks old; a fall of the road.
JUMP_M: Final = 12.0
DRIFT: Final = 0.03
OLD_TICKS: Final = 20
STEEP: Final = -0.08
GLAZE: Final = 0.08
# Gates that open at once keep trucks close together; the slower ones leave time for something to break before.
QUICK: Final = ("processes.gate={shape: fixed, fixed_s: 0.5}",)
SLOWER: Final = ("processes.gate={shape: fixed, fixed_s: 1.2}",)


# -- moments -----------------------------------------------------------------------------------------------------------


def _fast_pair(play: Play, leader_mps: float = FAST_MPS) -> Pair | None:
    """A truck that drives fast, close behind another that does."""
    for pair in play.pairs(CLOSE_M):
        if play.speed_mps(pair.leader) > leader_mps and play.speed_mps(pair.follower) > FAST_MPS:
            return pair
    return None


def _waiting_pair(play: Play) -> Pair | None:
    """A truck that stands, and another that stands close behind it."""
    for pair in play.pairs(8.0):
        if play.speed_mps(pair.leader) == play.speed_mps(pair.follower) == 0.0:
            return pair
    return None


def _fast_truck(play: Play) -> int | None:
    """A truck that drives fast, with road ahead."""
    for row in range(play.drill.trucks):
        if play.speed_mps(row) > FAST_MPS and play.ahead_m(row) > CLOSE_M - 15.0:
            return row
    return None


def _crossing(play: Play) -> Zone:
    return next(zone for zone in play.scenario.corridor.zones if zone.zone_id.startswith("crossing"))


def _way_to_m(play: Play, row: int, lane_id: str, chainage_m: float) -> float:
    """Metres from a truck's nose to a place on its path, negative once it is past it; not a number where it does not go there."""
    at_m = paths.path_coordinate(play.fleet.paths, row, play.scenario.corridor.lane_ix[lane_id], chainage_m)
    return at_m - float(play.fleet.motion.nose_m[row])


def _holds_the_crossing(play: Play) -> int | None:
    """A truck that holds the crossing and is not near it yet, while another is on its way to it by the other road."""
    branches, holder = set(), None
    for row in range(play.drill.trucks):
        for part in _crossing(play).parts:
            way_m = _way_to_m(play, row, part.stretch.lane_id, part.stretch.start_m)
            if 0.0 < way_m < 90.0:
                branches.add(part.branch)
            if way_m > 30.0 and play.ahead_m(row) > way_m + 1.0:
                holder = row
    return holder if len(branches) > 1 else None


def _tail_in_the_crossing(play: Play) -> int | None:
    """A truck whose nose is far out of the crossing and whose tail is in it."""
    for row in range(play.drill.trucks):
        for part in _crossing(play).parts:
            if 11.0 < -_way_to_m(play, row, part.stretch.lane_id, part.stretch.end_m) < 15.0 and play.speed_mps(row) > 1.0:
                return row
    return None


def _just_past_a_gate(play: Play) -> int | None:
    """A truck whose tail is some metres out of a gate."""
    for gate in play.scenario.corridor.gates:
        for row in range(play.drill.trucks):
            if 1.0 < -_way_to_m(play, row, gate.lane_id, gate.clear_m) - LENGTH_M < 12.0 and play.speed_mps(row) > 1.0:
                return row
    return None


def _road_ahead(play: Play) -> tuple[str, float] | None:
    """A place in the way of a truck that drives fast: lane and chainage."""
    row = _fast_truck(play)
    if row is None:
        return None
    lane = play.scenario.corridor.lanes[int(play.fleet.places.lane_ix[row])]
    at_m = float(play.fleet.places.chainage_m[row]) + CLOSE_M - 15.0
    return (lane.lane_id, at_m) if at_m + 2.0 < lane.length_m else None


def _called(play: Play) -> str | None:
    """A truck that stands at a gate and called it."""
    called = play.runner.stage.plant.called()
    return called[0][1] if called else None


def _at_an_open_gate(play: Play) -> str | None:
    """A gate, open for a truck that is about to pass its line and can no longer stop before it."""
    for gate in play.scenario.corridor.gates:
        for row in range(play.drill.trucks):
            way_m = _way_to_m(play, row, gate.lane_id, gate.stop_line_m)
            if -1.0 < way_m < 1.0 and play.speed_mps(row) > 1.0 and play.ahead_m(row) > way_m + 5.0:
                return gate.gate_id
    return None


# -- scripts -----------------------------------------------------------------------------------------------------------


def all_is_well(play: Play) -> Iterator[None]:
    """Nothing breaks."""
    yield from play.seconds(240.0)


def not_heard_at_a_gate(play: Play) -> Iterator[None]:
    """A truck's reports stay away between its call and the gate's opening."""
    truck_id = yield from play.until(partial(_called, play))
    play.breaks("reports", truck=truck_id, for_s=10.0)
    yield from play.seconds(20.0)


def leader_is_out_of_reach(play: Play) -> Iterator[None]:
    """A truck's radio is dead: it stops by itself, and another comes up behind it."""
    pair = yield from play.until(partial(_fast_pair, play))
    play.breaks("link", truck=play.truck_id(pair.leader), for_s=30.0, value=1.0)
    yield from play.seconds(AFTER_S)


def leader_stops_dead(play: Play) -> Iterator[None]:
    """A truck at full speed hits a wall, and another comes up behind it."""
    pair = yield from play.until(partial(_fast_pair, play, FULL_MPS))
    play.breaks("wall", truck=play.truck_id(pair.leader), for_s=30.0)
    yield from play.seconds(20.0)


def tail_in_the_crossing(play: Play) -> Iterator[None]:
    """A truck stops dead with its nose out of the crossing and its tail in it; others come to cross."""
    row = yield from play.until(partial(_tail_in_the_crossing, play))
    play.breaks("wall", truck=play.truck_id(row), for_s=60.0)
    yield from play.seconds(70.0)


def queue_beyond_a_gate(play: Play) -> Iterator[None]:
    """A truck breaks down just past a gate, and the next one comes to pass it."""
    row = yield from play.until(partial(_just_past_a_gate, play))
    play.breaks("wall", truck=play.truck_id(row), for_s=60.0)
    yield from play.seconds(70.0)


def greeted_but_not_granted(play: Play) -> Iterator[None]:
    """A truck's link comes back while the journal takes nothing: it is welcomed, and given nothing."""
    row = yield from play.until(partial(_fast_truck, play))
    play.breaks("link", truck=play.truck_id(row), for_s=12.0, value=1.0)
    yield from play.seconds(8.0)
    play.breaks("journal_full", for_s=20.0)
    yield from play.seconds(AFTER_S)


def barrier_falls_unheard(play: Play) -> Iterator[None]:
    """A truck holds the crossing beyond its open gate; the barrier falls, and the truck does not hear that it is to stay."""
    row = yield from play.until(partial(_holds_the_crossing, play))
    play.breaks("link", truck=play.truck_id(row), shape="down_lost", for_s=60.0)
    yield from play.seconds(0.3)
    for gate in play.scenario.corridor.gates:
        play.breaks("barrier", gate=gate.gate_id, for_s=30.0)
    yield from play.seconds(AFTER_S)


def barrier_falls_too_late(play: Play) -> Iterator[None]:
    """A barrier falls when a truck is at its line, and moves."""
    gate_id = yield from play.until(partial(_at_an_open_gate, play))
    play.breaks("barrier", gate=gate_id, for_s=20.0)
    yield from play.seconds(30.0)


def restart_with_a_truck_out_of_reach(play: Play) -> Iterator[None]:
    """A truck that holds the crossing is out of reach while the server dies and starts again."""
    row = yield from play.until(partial(_holds_the_crossing, play))
    play.breaks("link", truck=play.truck_id(row), value=1.0, for_s=60.0)
    yield from play.seconds(0.5)
    play.breaks("server_killed", for_s=0.5)
    yield from play.seconds(100.0)


def journal_comes_back_old(play: Play) -> Iterator[None]:
    """The server dies, and somebody starts it on a copy of its journal that is some seconds old: it must grant nothing."""
    yield from play.until(partial(_holds_the_crossing, play))
    yield from play.seconds(0.3)
    play.server.fall_behind(OLD_TICKS)
    # What the dead server said last is still on its way.
    yield from play.seconds(0.3)
    ends_m = play.fleet.onboard.end_m.copy()
    for _ in play.seconds(25.0):
        yield
        further = (play.fleet.onboard.end_m > ends_m + 0.01).nonzero()[0]
        if len(further):
            play.sees(UNSAFE, f"{play.truck_id(int(further[0]))} was given road by a server whose journal is an old copy")


def position_jumps_ahead(play: Play) -> Iterator[None]:
    """A truck's place jumps ahead of the truth, its own computer does not notice, and another comes up behind it."""
    pair = yield from play.until(partial(_fast_pair, play))
    play.breaks("misread", truck=play.truck_id(pair.leader), value=JUMP_M, for_s=60.0)
    yield from play.seconds(25.0)


def claims_to_be_elsewhere(play: Play) -> Iterator[None]:
    """A truck claims to be where another one is about to drive."""
    pair = yield from play.until(partial(_fast_pair, play, FULL_MPS))
    ahead_m = pair.gap_m + LENGTH_M + CLOSE_M
    play.breaks("position_sensor", truck=play.truck_id(pair.follower), shape="wrong", value=ahead_m, for_s=30.0)
    yield from play.seconds(20.0)


def go_by_odometer(play: Play, error: float) -> Iterator[None]:
    """From the start no truck reads a nail; their odometers are as wrong as their bounds allow for."""
    for row in range(play.drill.trucks):
        play.breaks("nails", truck=play.truck_id(row), value=error, for_s=300.0)
    yield from play.seconds(200.0)


def rolls_back(play: Play) -> Iterator[None]:
    """A truck that waits, with another close behind it, can neither hold itself as it should nor drive, and rolls back."""
    pair = yield from play.until(partial(_waiting_pair, play))
    play.breaks("breakdown", truck=play.truck_id(pair.leader), for_s=60.0)
    play.breaks("roll_back", truck=play.truck_id(pair.leader), value=9.0, for_s=8.0)
    yield from play.seconds(15.0)


def service_brakes_fail(play: Play) -> Iterator[None]:
    """A truck's service brakes are dead, and its emergency brakes are as weak as they may be."""
    row = yield from play.until(partial(_fast_truck, play))
    play.breaks("brakes", truck=play.truck_id(row), value=1.0, for_s=120.0)
    play.fleet.around.service[row] = 0.0
    yield from play.seconds(120.0)


def old_words_are_said_again(play: Play) -> Iterator[None]:
    """Somebody says to a truck what servers of other terms might have said, and what its own said long ago."""
    pair = yield from play.until(partial(_fast_pair, play))
    play.breaks("forged_authority", truck=play.truck_id(pair.follower), value=CLOSE_M)
    yield from play.seconds(20.0)


def somebody_on_the_road(play: Play) -> Iterator[None]:
    """A person stands in a truck's way."""
    lane_id, at_m = yield from play.until(partial(_road_ahead, play))
    play.breaks("intrusion", lane=lane_id, from_m=at_m, to_m=at_m + 2.0, for_s=30.0)
    yield from play.seconds(20.0)


def downhill(corridor: Corridor) -> Corridor:
    """The roads between the yards fall both ways: no road does, and every truck must be able to drive down one."""
    fall = (GradePiece(from_m=0.0, grade=STEEP),)
    lanes = tuple(replace(lane, grades=fall) if lane.lane_id[:4] in {"east", "west"} else lane for lane in corridor.lanes)
    return replace(corridor, lanes=lanes)


def _drill(script: Callable[..., Iterator[None]], **stated: Any) -> Drill:
    return Drill(name=script.__name__, script=script, **stated)


ALL_IS_WELL: Final = _drill(all_is_well)
DOWNHILL: Final = replace(ALL_IS_WELL, name="downhill", ground=downhill)
ON_GLAZE: Final = replace(ALL_IS_WELL, name="on_glaze", friction=GLAZE)
NOT_HEARD_AT_A_GATE: Final = _drill(not_heard_at_a_gate, settings=SLOWER)
LEADER_IS_OUT_OF_REACH: Final = _drill(leader_is_out_of_reach, settings=QUICK)
LEADER_STOPS_DEAD: Final = _drill(leader_stops_dead, settings=QUICK)
TAIL_IN_THE_CROSSING: Final = _drill(tail_in_the_crossing)
QUEUE_BEYOND_A_GATE: Final = _drill(queue_beyond_a_gate)
GREETED_BUT_NOT_GRANTED: Final = _drill(greeted_but_not_granted)
BARRIER_FALLS_UNHEARD: Final = _drill(barrier_falls_unheard)
BARRIER_FALLS_TOO_LATE: Final = _drill(barrier_falls_too_late)
RESTART_OUT_OF_REACH: Final = _drill(restart_with_a_truck_out_of_reach)
JOURNAL_COMES_BACK_OLD: Final = _drill(journal_comes_back_old)
POSITION_JUMPS_AHEAD: Final = _drill(position_jumps_ahead, settings=QUICK)
CLAIMS_TO_BE_ELSEWHERE: Final = _drill(claims_to_be_elsewhere, settings=QUICK)
FURTHER_THAN_THEY_BELIEVE: Final = Drill(name="further_than_they_believe", script=partial(go_by_odometer, error=-0.5 * DRIFT))
LESS_FAR_THAN_THEY_BELIEVE: Final = Drill(name="less_far_than_they_believe", script=partial(go_by_odometer, error=DRIFT))
ROLLS_BACK: Final = _drill(rolls_back)
SERVICE_BRAKES_FAIL: Final = _drill(service_brakes_fail)
OLD_WORDS: Final = _drill(old_words_are_said_again, settings=QUICK)
SOMEBODY_ON_THE_ROAD: Final = _drill(somebody_on_the_road)
