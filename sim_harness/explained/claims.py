"""
One link of an answer, held against the truth: what each kind of cause claims, and what must then be so in the world.

A claim that is true is answered with ""; one that is not, with what is so instead. Margins are for the moment that news takes, never
for a thing that is not there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from fleet.server.wire.reads import CauseRead
from planner.corridor import GateRole, StandKind
from planner.limits import STALLED_S
from sim_harness.explained.world import NEWS_S, Moment, World
from sim_harness.report import opening_s
from sim_harness.waits import BEHIND_M

# Contact that was lost is regained within so long after what broke it is over: a hello, a route and a grant each take their time.
REGAINED_S: Final = 15.0
# A person looks for half a minute before he clears up, and asks again every half minute.
CLEARED_UP_S: Final = 90.0
# The truck ahead is within reach when its ground is so near, or when there is no place to rest before it.
REACH_M: Final = 20.0
ROOM_M: Final = 2.5
AT_STAND_M: Final = 6.0
DAY_S: Final = 86_400.0
# A way across the border takes no longer, waits at its gates included.
CLOSING_S: Final = 7200.0
SILENCING: Final = (
    "link",
    "reports",
    "clock",
    "reconnect",
    "flood",
    "duplicate",
    "forged_authority",
    "map",
    "position_sensor",
    "nails",
    "misread",
    "speed_sensor",
    "roll_back",
)
MISLEADING: Final = (
    "misread",
    "nails",
    "position_sensor",
    "speed_sensor",
    "clock",
    "duplicate",
    "roll_back",
    "parted",
    "reports",
    "wall",
    "forged_authority",
)
INTRUDING: Final = ("intrusion", "manned_tracked", "manned_untracked", "removed_in_place")
STOPPING: Final = ("breakdown", "battery", "wall", "service_brake", "brakes", "parted", "roll_back")
_BAYS: Final[frozenset[object]] = frozenset({StandKind.BAY})
_CHARGERS: Final[frozenset[object]] = frozenset({StandKind.SWAP, StandKind.PLUG})
_REFUGES: Final[frozenset[object]] = frozenset({StandKind.BAY, StandKind.PARKING}) | _CHARGERS


class Claims:
    """Holds links against one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._checks: Mapping[str, Callable[[int, CauseRead], str]] = {
            "moving": self._moving,
            "leader": self._leader,
            "zone": self._zone,
            "gate": self._gate,
            "customs": self._customs,
            "inspection": self._inspection,
            "slot": self._slot,
            "stand": self._stand,
            "bay": self._bay,
            "charging": self._charging,
            "goal": self._goal,
            "no_order": self._no_order,
            "hold": self._hold,
            "all_stop": self._all_stop,
            "closure": self._closure,
            "session": self._session,
            "quarantine": self._quarantine,
            "fault": self._fault,
            "battery": self._battery,
            "traction": self._traction,
            "intrusion": self._intrusion,
            "braked": self._braked,
            "reaction": self._reaction,
            "horizon": self._reaction,
            "stalled": self._stalled,
            "shortening": self._shortening,
            "journal": lambda _row, _link: "" if world.shaken(REGAINED_S) else "the journal's disk takes everything",
            "opening": self._opening,
        }

    def wrong(self, row: int, link: CauseRead) -> str:
        """What is not so of what *link* says of the truck of *row*; "" where all is."""
        if link.kind not in self._checks:
            return f"{link.kind} is no cause that this world knows"
        return self._checks[link.kind](row, link)

    def _row(self, truck_id: str) -> int:
        return self._world.fleet.row.get(truck_id, -1)

    def _ever(self, true: Callable[[Moment], bool]) -> bool:
        """Whether it was so at any look that is kept."""
        return any(true(moment) for moment in self._world.moments)

    # -- other trucks --------------------------------------------------------------------------------------------------

    def _moving(self, row: int, _link: CauseRead) -> str:
        return "" if self._world.driven(row) else "it stands"

    def _leader(self, row: int, link: CauseRead) -> str:
        other = self._row(link.subject_id)
        if other < 0 or link.held_by != link.subject_id:
            return f"{link.subject_id!r} is no truck, or not the one that the chain goes on with"
        world = self._world
        unseen = world.suffers(other, within_s=CLEARED_UP_S) or world.shaken(REGAINED_S) or world.in_dead_spot(other, REGAINED_S)

        def near(moment: Moment) -> bool:
            tail_m = world.place_m(row, other, moment)
            if math.isnan(tail_m):
                # It comes from elsewhere, and the road ahead is its own already.
                tail_m = world.road_m(row, other, moment)
            if math.isnan(tail_m):
                # Where it is doubted, road that it may be on counts as its own.
                return unseen
            nose_m, end_m = float(moment.nose_m[row]), float(moment.end_m[row])
            held_m = max(nose_m, end_m if np.isfinite(end_m) else nose_m)
            near = tail_m - BEHIND_M <= held_m + REACH_M or not world.rests_between(row, held_m, tail_m - BEHIND_M, moment)
            return tail_m > nose_m - BEHIND_M and (near or unseen)

        if self._ever(near):
            return ""
        tail_m, now = world.place_m(row, other, world.now), world.now
        return f"{link.subject_id} is not ahead within reach: tail at {tail_m:.1f} m, nose {now.nose_m[row]:.1f}, end {now.end_m[row]:.1f}"

    def _zone(self, row: int, link: CauseRead) -> str:
        world, zone_ix = (
            self._world,
            next((ix for ix, zone in enumerate(self._world.corridor.zones) if zone.zone_id == link.subject_id), -1),
        )
        if zone_ix < 0:
            return f"there is no zone {link.subject_id!r}"
        lanes = {world.corridor.lane_ix[part.stretch.lane_id] for part in world.corridor.zones[zone_ix].parts}
        if not self._ever(lambda moment: any(lane in lanes for lane, _ in moment.paths[row])):
            return f"its way does not lead through {link.subject_id}"
        other = self._row(link.held_by)
        if other < 0:
            return f"nobody is said to have {link.subject_id}"
        if not self._ever(lambda moment: any(lane in lanes for lane, _ in moment.paths[other])):
            return f"the way of {link.held_by} does not lead through {link.subject_id}"
        return ""

    # -- gates and the border ------------------------------------------------------------------------------------------

    def _gate(self, row: int, link: CauseRead) -> str:
        world, truck_id = self._world, self._world.roster.truck_ids[row]
        gate_ix = world.corridor.gate_ix.get(link.subject_id)
        if gate_ix is None:
            return f"there is no gate {link.subject_id!r}"
        if not link.held_by:
            if not self._ever(lambda moment: moment.raised.get(link.subject_id) != truck_id):
                return f"the barrier of {link.subject_id} is up for it"
            lane_ix = world.corridor.lane_ix[world.corridor.gates[gate_ix].lane_id]
            led = self._ever(lambda moment: any(lane == lane_ix for lane, _ in moment.paths[row]))
            return "" if led else f"its way does not lead through {link.subject_id}, and nobody is said to be before it"
        other = self._row(link.held_by)
        lane_ix = world.corridor.lane_ix[world.corridor.gates[gate_ix].lane_id]
        busy = self._ever(
            lambda moment: (link.subject_id, link.held_by) in moment.called or moment.raised.get(link.subject_id) == link.held_by
        )
        bound = other >= 0 and self._ever(lambda moment: any(lane == lane_ix for lane, _ in moment.paths[other]))
        return "" if busy or bound else f"{link.held_by} is neither at {link.subject_id} nor bound for it"

    def _customs(self, _row: int, link: CauseRead) -> str:
        told, now_s = self._world.told, self._world.now_s
        if link.subject_id not in told.decisions:
            return f"no crossing {link.subject_id!r} was declared"
        _, decision = told.decisions[link.subject_id]
        late = now_s - told.undecided_until_s.get(link.subject_id, -math.inf) <= NEWS_S
        return "" if decision in {"none", "hold"} or late or self._world.shaken(REGAINED_S) else f"customs has decided: {decision}"

    def _inspection(self, row: int, link: CauseRead) -> str:
        at_xray = {gate.gate_id for gate in self._world.corridor.gates if gate.role is GateRole.XRAY}
        truck_id = self._world.roster.truck_ids[row]
        _, decision = self._world.told.decisions.get(link.subject_id, (0.0, ""))
        called = self._ever(lambda moment: any(gate_id in at_xray and name == truck_id for gate_id, name in moment.called))
        return "" if decision == "inspect" or called else f"customs said {decision or 'nothing'}, and no X-ray is called"

    def _opening(self, _row: int, _link: CauseRead) -> str:
        corridor = self._world.corridor
        local_s = (opening_s(self._world.roster) + self._world.now_s) % DAY_S
        if any(handover.open_s <= local_s < handover.close_s for handover in corridor.shift_handovers):
            return ""
        left_s = [
            window.close_s - at_s
            for window in corridor.windows
            for at_s in (local_s, local_s + DAY_S)
            if window.open_s <= at_s < window.close_s
        ]
        if not corridor.windows or max(left_s, default=0.0) > CLOSING_S:
            return "the border is open, and for long"
        return ""

    # -- yards ---------------------------------------------------------------------------------------------------------

    def _slot(self, row: int, link: CauseRead) -> str:
        world, other = self._world, self._row(link.held_by)
        bays = [stand.stand_id for stand in world.corridor.stands if stand.yard_id == link.subject_id and stand.kind in _BAYS]
        if other < 0 and bays:
            working = [bay_id for bay_id in bays if world.works(bay_id)]
            return f"{working} of {link.subject_id} work, and nobody is said to have one" if working else ""
        if other < 0 or all(yard.yard_id != link.subject_id for yard in world.corridor.yards):
            return self._taken(row, link, _BAYS)
        # The queue before the bays: that one is on its way there, or has just been given its bay.
        stands = {world.corridor.lane_ix[stand.lane_id] for stand in world.corridor.stands if stand.kind not in _BAYS}
        queues = self._ever(lambda moment: moment.paths[other][-1][0] not in stands)
        return "" if queues else f"{link.held_by} is bound for a stand that is no bay"

    def _stand(self, row: int, link: CauseRead) -> str:
        world = self._world
        if all(stand.yard_id != link.subject_id for stand in world.corridor.stands):
            return f"{link.subject_id!r} is no yard"
        kinds = _REFUGES
        if world.suffers(row, "brakes", "service_brake", within_s=math.inf):
            kinds = frozenset({StandKind.PARKING})
        free = world.free(row, link.subject_id, kinds)
        at_own = [stand_id for stand_id in free if world.stands_at(row, stand_id, AT_STAND_M)]
        return f"{free} of {link.subject_id} are free" if len(free) > len(at_own) else ""

    def _taken(self, row: int, link: CauseRead, kinds: frozenset[object]) -> str:
        """Whether a stand is another's, and none of its kind in that yard is anybody's own."""
        world, stand_ix, other = self._world, self._world.corridor.stand_ix.get(link.subject_id), self._row(link.held_by)
        if stand_ix is None or other < 0:
            return f"{link.subject_id!r} is no stand, or nobody is said to have it"
        if not world.takes(other, stand_ix):
            return f"{link.held_by} is not at {link.subject_id}, nor bound for it"
        free = world.free(row, world.corridor.stands[stand_ix].yard_id, kinds)
        return f"{free} are free" if free else ""

    def _bay(self, row: int, link: CauseRead) -> str:
        if not self._world.stands_at(row, link.subject_id, AT_STAND_M):
            return f"it is not at {link.subject_id}"
        at_s, done = self._world.told.work.get(self._world.roster.truck_ids[row], (0.0, ""))
        over = done in {"loaded", "unloaded", "work_broke_off"} and self._world.now_s - at_s > NEWS_S
        return f"it was {done} {self._world.now_s - at_s:.0f} s ago" if over and not self._world.shaken(REGAINED_S) else ""

    def _charging(self, row: int, link: CauseRead) -> str:
        if link.held_by:
            return self._taken(row, link, _CHARGERS)
        if not self._world.stands_at(row, link.subject_id, AT_STAND_M):
            return f"it is not at the charger {link.subject_id}"
        at_s, done = self._world.told.work.get(self._world.roster.truck_ids[row], (0.0, ""))
        over = done == "charged" and self._world.now_s - at_s > NEWS_S
        return f"it was charged {self._world.now_s - at_s:.0f} s ago" if over and not self._world.shaken(REGAINED_S) else ""

    def _goal(self, row: int, link: CauseRead) -> str:
        return "" if self._world.stands_at(row, link.subject_id, AT_STAND_M) else f"it is not at {link.subject_id}"

    def _no_order(self, row: int, _link: CauseRead) -> str:
        told, world = self._world.told, self._world
        weak = world.suffers(row, "brakes", "service_brake", "battery", within_s=math.inf)
        return (
            ""
            if weak or told.loads >= told.containers or told.containers == 0
            else f"{told.containers - told.loads} loads are still wanted"
        )

    # -- persons -------------------------------------------------------------------------------------------------------

    def _hold(self, row: int, link: CauseRead) -> str:
        truck_id, told = self._world.roster.truck_ids[row], self._world.told
        if link.owner_id == "khulan":
            troubled = self._world.suffers(row, within_s=math.inf) or any(True for _ in self._world.incidents(within_s=CLEARED_UP_S))
            return "" if troubled else f"the server held it ({link.reason}), and nothing is wrong"
        held_s = told.held.get(truck_id)
        if held_s is None:
            return "nobody held it"
        over_s = told.resumed_s.get(truck_id, -math.inf)
        return "" if over_s < held_s or self._world.now_s - over_s <= NEWS_S else "it was resumed"

    def _all_stop(self, _row: int, link: CauseRead) -> str:
        told = self._world.told
        if link.owner_id == "khulan":
            troubled = any(True for _ in self._world.incidents(within_s=math.inf))
            return "" if troubled else f"the server stopped all ({link.reason}), and nothing is wrong"
        if link.subject_id not in told.stops:
            return f"nobody ordered the stop {link.subject_id!r}"
        over_s = told.lifted_s.get(link.subject_id, math.inf)
        return "" if self._world.now_s - over_s <= NEWS_S else "it was lifted"

    def _closure(self, row: int, link: CauseRead) -> str:
        told = self._world.told
        if link.subject_id not in told.closed:
            return f"nobody closed {link.subject_id!r}"
        over_s = told.opened_s.get(link.subject_id, math.inf)
        if self._world.now_s - over_s > NEWS_S:
            return "it was opened"
        lane_ix = self._world.corridor.lane_ix[link.subject_id]
        if self._ever(lambda moment: any(lane == lane_ix for lane, _ in moment.paths[row])):
            return ""
        # On a stand it has no way yet: then some other stand can be come to over that lane alone.
        beyond = self._world.reachable(row, but=link.subject_id) - self._world.reachable(row)
        cut_off = any(stand.lane_id in beyond for stand in self._world.corridor.stands)
        return "" if cut_off else "its way does not lead there, nor is any stand cut off by it"

    def _intrusion(self, row: int, _link: CauseRead) -> str:
        world = self._world
        about = any(True for _ in world.incidents(*INTRUDING[:3], within_s=CLEARED_UP_S + REGAINED_S))
        removed = any(True for _ in world.incidents("removed_in_place", within_s=math.inf))
        return "" if about or removed or world.suffers(row, "wall", within_s=CLEARED_UP_S) else "nobody is on the road, or was of late"

    # -- the truck itself ----------------------------------------------------------------------------------------------

    def _session(self, row: int, _link: CauseRead) -> str:
        world = self._world
        cut = world.suffers(row, *SILENCING, within_s=REGAINED_S) or world.in_dead_spot(row, REGAINED_S) or world.shaken(REGAINED_S)
        # Let go on by a person, or greeted again, it knows itself that it is yet to be given road.
        let_go_s = max(world.told.resumed_s.get(world.roster.truck_ids[row], -math.inf), *world.told.lifted_s.values(), -math.inf)
        renewed = bool(world.fleet.onboard.waiting[row]) or world.now_s - let_go_s <= NEWS_S
        return "" if cut or renewed or self._ever(lambda moment: bool(moment.lost[row])) else "its radio works, and so does the server"

    def _quarantine(self, row: int, _link: CauseRead) -> str:
        world = self._world
        return "" if world.suffers(row, *MISLEADING, within_s=math.inf) or world.shaken(math.inf) else "it has never said what is not so"

    def _fault(self, row: int, _link: CauseRead) -> str:
        return "" if self._world.suffers(row, "brakes", "service_brake", within_s=math.inf) else "its brakes are as declared"

    def _battery(self, row: int, link: CauseRead) -> str:
        if not self._world.stands_at(row, link.subject_id, AT_STAND_M):
            return f"it is not at {link.subject_id}"
        return "" if self._world.suffers(row, "battery", within_s=math.inf) else "its battery is whole"

    def _traction(self, _row: int, link: CauseRead) -> str:
        slippery = any(incident.spec.lane == link.subject_id for incident in self._world.incidents("slippery", within_s=math.inf))
        return "" if slippery else f"{link.subject_id} has its grip"

    def _braked(self, row: int, _link: CauseRead) -> str:
        return "" if self._ever(lambda moment: bool(moment.emergency[row])) else "it does not brake in emergency"

    def _reaction(self, row: int, link: CauseRead) -> str:
        lasts_s = self._world.now_s - link.since_ns / 1e9
        if lasts_s > STALLED_S + 2.0:
            return f"it has been about to go for {lasts_s:.0f} s"
        return "" if self._has_room(row) else "it holds no road to go on"

    def _stalled(self, row: int, _link: CauseRead) -> str:
        world, onboard = self._world, self._world.fleet.onboard
        if not self._has_room(row):
            return "it holds no road to go on"
        kept = (
            world.suffers(row, *STOPPING, *MISLEADING, within_s=CLEARED_UP_S) or bool(onboard.intruded[row]) or bool(onboard.waiting[row])
        )
        obstacle = math.isfinite(float(world.fleet.belief.obstacle_m[row]))
        stopped = int(onboard.stop_reaction[row]) != 0 or float(onboard.doubt_m[row]) > 0.0 or bool(world.fleet.stops[row])
        return "" if kept or obstacle or stopped else "nothing aboard keeps it"

    def _has_room(self, row: int) -> bool:
        return self._ever(lambda moment: float(moment.end_m[row]) - float(moment.nose_m[row]) > ROOM_M)

    def _shortening(self, row: int, _link: CauseRead) -> str:
        world = self._world
        silenced = world.suffers(row, *SILENCING, within_s=REGAINED_S) or world.in_dead_spot(row, REGAINED_S) or world.shaken(REGAINED_S)
        lost = self._ever(lambda moment: bool(moment.lost[row]))
        return "" if silenced or lost or any(True for _ in world.incidents(within_s=CLEARED_UP_S)) else "nothing was taken back from it"
