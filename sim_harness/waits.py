"""
Who waits for whom: what each standing truck needs, and which trucks have it.

The server names one cause for every truck that stands. Where that cause is something other trucks have (the road behind a truck, a
zone, a bay, a stand), who has it is seen from the truth: where bodies are, which ground they hold, and on which stand each
truck's way ends. A zone is free when all of its holders have left, a yard has a stand when any of those who have one leaves. Trucks that
move, are worked on, or wait for a person, an office or opening time wait for nobody here: they go on by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.server.fleet_view import FleetView
from planner.authority import Cause
from planner.corridor import Gate, GateRole, StandKind, YardRole
from planner.limits import BOUND_USUAL_M, ROLL_BACK_M
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import Roster

# The server frees a zone on a confirmed rear, which lies this far behind the true tail.
BEHIND_M: Final = 2.0 * BOUND_USUAL_M + ROLL_BACK_M
# With more trucks than this a sentence says how many there are.
NAMED_MAX: Final = 3
# What a truck stands for that only other trucks, or the server itself, keep from it.
KINDS: Final = frozenset(
    {
        Cause.NONE,
        Cause.GOAL,
        Cause.LEADER,
        Cause.ZONE,
        Cause.GATE,
        Cause.STAND,
        Cause.SLOT,
        Cause.HORIZON,
        Cause.REACTION,
        Cause.STALLED,
    }
)
# What a truck stands for that has nothing to go on to: it does not make way by itself.
AT_REST: Final = Cause.NO_ORDER
# What only happens on a day on which something is wrong, or a person has stepped in.
TROUBLE: Final = frozenset(
    {
        Cause.CLOSURE,
        Cause.HOLD,
        Cause.ALL_STOP,
        Cause.SESSION,
        Cause.SHORTENING,
        Cause.JUDGE,
        Cause.JOURNAL,
        Cause.QUARANTINE,
        Cause.FAULT,
        Cause.BRAKED,
        Cause.BATTERY,
        Cause.TRACTION,
        Cause.SITE_CHANGE,
        Cause.INTRUSION,
    }
)
_CHARGERS: Final = frozenset({StandKind.SWAP, StandKind.PLUG})
_BAYS: Final = frozenset({StandKind.BAY})
_REFUGES: Final = frozenset({StandKind.PARKING, StandKind.BAY}) | _CHARGERS
# The stands of which one is waited for.
_KINDS_FOR: Final = {Cause.SLOT: _BAYS, Cause.STAND: _REFUGES, Cause.CHARGING: _CHARGERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """
    What one truck stands for.

    *place_id*: the zone, gate or yard, "" for none. *on*: rows of those who have it; it goes on once all of them have left it, or
    any of them where not *every*. Nobody: nobody is seen to keep it from the truck.
    """

    row: int
    cause: Cause
    place_id: str
    on: tuple[int, ...]
    every: bool


def locked(waits: Mapping[int, Wait]) -> list[int]:
    """Rows of trucks none of which goes on before another of them does; a truck that waits for nobody seen is none of them."""
    held = {row for row, wait in waits.items() if wait.on}
    while True:
        freed = {row for row in held if _goes_on(waits[row], held)}
        if not freed:
            return sorted(held)
        held -= freed


def _goes_on(wait: Wait, held: set[int]) -> bool:
    leave = [row not in held for row in wait.on]
    return all(leave) if wait.every else any(leave)


def cycle(waits: Mapping[int, Wait], rows: Sequence[int]) -> list[int]:
    """
    A shortest way round among locked *rows*: each waits for the next, the last for the first.

    Where there is one, a way on which nobody would go on if some other truck did: that is where it began.
    """
    among = set(rows)
    ahead = {row: [other for other in waits[row].on if other in among] for row in rows}
    surely = {row: others if waits[row].every or len(waits[row].on) == 1 else [] for row, others in ahead.items()}
    found = [way for row in rows if (way := _round(surely, row))] or [way for row in rows if (way := _round(ahead, row))]
    return min(found, key=lambda way: (len(way), way))


def _round(ahead: Mapping[int, list[int]], first: int) -> list[int]:
    """The shortest way from *first* back to it; empty for none."""
    before: dict[int, int] = {}
    at = [first]
    while at:
        onward: list[int] = []
        for row in at:
            for other in ahead[row]:
                if other == first:
                    way = [row]
                    while way[-1] != first:
                        way.append(before[way[-1]])
                    return way[::-1]
                if other not in before:
                    before[other] = row
                    onward.append(other)
        at = onward
    return []


def chain(waits: Mapping[int, Wait], rows: Sequence[int], first: int) -> list[int]:
    """Locked *rows* from *first* on, each waiting for the next, up to one at rest or one met before."""
    among, found = set(rows), [first]
    while waits[found[-1]].cause is not AT_REST:
        after = next((other for other in waits[found[-1]].on if other in among and other not in found), None)
        if after is None:
            break
        found.append(after)
    return found


class Waits:
    """Sees who waits for whom in one fleet."""

    def __init__(self, roster: Roster, fleet: FleetColumns) -> None:
        self._roster = roster
        self._fleet = fleet
        corridor = roster.corridor
        # What one look has seen of stands: whose they are, by row, and who is in the way of a yard's, with whether one is free.
        self._taken: list[set[int]] = []
        self._pools: dict[tuple[str, frozenset[StandKind]], tuple[list[int], bool]] = {}
        self._stands_on: dict[int, list[int]] = {}
        for ix, stand in enumerate(corridor.stands):
            self._stands_on.setdefault(corridor.lane_ix[stand.lane_id], []).append(ix)
        self._scan_lanes = {corridor.lane_ix[gate.lane_id] for gate in corridor.gates if gate.role is GateRole.XRAY}
        self._zone_parts = [
            [(corridor.lane_ix[part.stretch.lane_id], part.stretch.start_m, part.stretch.end_m) for part in zone.parts]
            for zone in corridor.zones
        ]

    def of(self, view: FleetView, rows: Iterable[int]) -> dict[int, Wait]:
        """What the trucks of *rows* stand for, of those that stand for one of `KINDS`, for a charger or room to be scanned, or at rest."""
        self._taken.clear()
        self._pools.clear()
        at = {truck_id: ix for ix, truck_id in enumerate(view.truck_ids)}
        found: dict[int, Wait] = {}
        for row in rows:
            ix = at.get(self._roster.truck_ids[row], -1)
            if ix < 0 or not view.standing[ix]:
                continue
            cause, ref = Cause(int(view.cause[ix])), int(view.cause_ref[ix])
            if cause is Cause.LEADER and 0 <= ref < len(view.truck_ids):
                on = (self._fleet.row[view.truck_ids[ref]],) if view.truck_ids[ref] in self._fleet.row else ()
                found[row] = Wait(row=row, cause=cause, place_id="", on=on, every=True)
            elif cause is AT_REST:
                found[row] = Wait(row=row, cause=cause, place_id="", on=(row,), every=True)
            elif cause in KINDS or self._lacks_room(cause, ref):
                found[row] = self._wait(row, cause, ref)
        return found

    def _wait(self, row: int, cause: Cause, ref: int) -> Wait:
        corridor = self._roster.corridor
        if cause is Cause.ZONE and ref >= 0:
            on = tuple(other for other in range(len(self._roster.truck_ids)) if other != row and self._holds(other, ref))
            return Wait(row=row, cause=cause, place_id=corridor.zones[ref].zone_id, on=on, every=True)
        if cause is Cause.GATE and ref >= 0:
            gate = corridor.gates[ref]
            return Wait(row=row, cause=cause, place_id=gate.gate_id, on=self._before(row, gate), every=False)
        if cause is Cause.INSPECTION:
            return Wait(row=row, cause=cause, place_id=corridor.gates[ref].gate_id, on=self._bound_to_scan(row), every=False)
        kinds = _KINDS_FOR.get(cause)
        if kinds is None or (cause is Cause.SLOT and ref < 0):
            return Wait(row=row, cause=cause, place_id="", on=(), every=True)
        away = cause is Cause.STAND and self._fleet.around.laden[row]
        yard = corridor.yard_by_role[YardRole.UNLOADING if away else YardRole.LOADING]
        return self._for_stand(row, cause, corridor.stands[ref].yard_id if cause is Cause.SLOT else yard.yard_id, kinds)

    def _lacks_room(self, cause: Cause, ref: int) -> bool:
        """Whether others have what it lacks: a charger, or room before the X-ray, for which it waits at a gate before that."""
        if cause is Cause.INSPECTION:
            return ref >= 0 and self._roster.corridor.gates[ref].role is not GateRole.XRAY
        return cause is Cause.CHARGING and ref < 0

    def _bound_to_scan(self, row: int) -> tuple[int, ...]:
        """Others on whose way an X-ray gate lies that their tail has not left."""
        fleet, found = self._fleet, []
        for other in range(len(self._roster.truck_ids)):
            held, rear_m = int(fleet.paths.held[other]), float(fleet.motion.nose_m[other] - fleet.length_m[other])
            lanes, starts_m = fleet.paths.lane[other, :held], fleet.paths.start_m[other, :held]
            ahead = np.append(starts_m[1:], np.inf) > rear_m
            if other != row and self._scan_lanes.intersection(lanes[ahead].tolist()):
                found.append(other)
        return tuple(found)

    def stands_of(self, row: int) -> set[int]:
        """The stands that the truck keeps from others: under its body, and at the end of its way."""
        paths = self._fleet.paths
        lanes = {int(paths.lane[row, paths.held[row] - 1]), *self._fleet.places.body_lanes[row].tolist()}
        return {ix for lane in lanes for ix in self._stands_on.get(lane, ())}

    def in_bays(self, yard_id: str) -> tuple[int, ...]:
        """Rows of trucks that have a bay of the yard, or are on the way to one."""
        return tuple(self._pool(yard_id, _BAYS)[0])

    def _for_stand(self, row: int, cause: Cause, yard_id: str, kinds: frozenset[StandKind]) -> Wait:
        """A stand of a yard: nobody keeps it from the truck while one is free."""
        takers, free = self._pool(yard_id, kinds)
        return Wait(row=row, cause=cause, place_id=yard_id, on=() if free else tuple(each for each in takers if each != row), every=False)

    def _pool(self, yard_id: str, kinds: frozenset[StandKind]) -> tuple[list[int], bool]:
        """Who has stands of these kinds in a yard, and whether one is nobody's; counted once a look."""
        if (yard_id, kinds) not in self._pools:
            self._pools[yard_id, kinds] = self._count(yard_id, kinds)
        return self._pools[yard_id, kinds]

    def _count(self, yard_id: str, kinds: frozenset[StandKind]) -> tuple[list[int], bool]:
        if not self._taken:
            self._taken = [self.stands_of(row) for row in range(len(self._roster.truck_ids))]
        wanted = {ix for ix, stand in enumerate(self._roster.corridor.stands) if stand.yard_id == yard_id and stand.kind in kinds}
        takers = [row for row, mine in enumerate(self._taken) if mine & wanted]
        return takers, bool(wanted.difference(*self._taken))

    def _holds(self, row: int, zone_ix: int) -> bool:
        """Whether the truck's ground, from the rear the server knows to the end it holds, meets a zone."""
        fleet = self._fleet
        nose_m, end_m = float(fleet.motion.nose_m[row]), float(fleet.onboard.end_m[row])
        low_m = nose_m - float(fleet.length_m[row]) - BEHIND_M
        high_m = max(nose_m, end_m) if np.isfinite(end_m) else nose_m
        for k in range(int(fleet.paths.held[row])):
            base_m, lane = float(fleet.paths.start_m[row, k]), int(fleet.paths.lane[row, k])
            if base_m >= high_m:
                break
            if any(lane == on and base_m + from_m < high_m and base_m + to_m > low_m for on, from_m, to_m in self._zone_parts[zone_ix]):
                return True
        return False

    def _before(self, row: int, gate: Gate) -> tuple[int, ...]:
        """Who is in the way of a truck that waits for a gate: at the line whoever is under the barrier, on a stand whoever is on the road."""
        fleet, lane = self._fleet, self._roster.corridor.lane_ix[gate.lane_id]
        others = [other for other in range(len(self._roster.truck_ids)) if other != row]
        if not self._on_stand(row):
            return tuple(other for other in others if lane in fleet.places.body_lanes[other] and self._past(other, lane, gate))
        return tuple(other for other in others if not self._on_stand(other))

    def _past(self, row: int, lane: int, gate: Gate) -> bool:
        beyond = int(self._fleet.places.lane_ix[row]) != lane
        return beyond or float(self._fleet.places.chainage_m[row]) > gate.stop_line_m

    def _on_stand(self, row: int) -> bool:
        return int(self._fleet.places.lane_ix[row]) in self._stands_on

    def sentence(self, wait: Wait, named: Sequence[int]) -> str:
        """What a truck waits for, and which of *named* has it."""
        truck_ids = self._roster.truck_ids
        if wait.cause is AT_REST:
            return f"{truck_ids[wait.row]} has nothing to do"
        who = " and ".join(truck_ids[other] for other in wait.on if other in named) if len(named) <= NAMED_MAX else f"{len(named)} trucks"
        words = {
            Cause.LEADER: f"waits behind {who}",
            Cause.ZONE: f"waits for zone {wait.place_id} held by {who}",
            Cause.GATE: f"waits for gate {wait.place_id} with {who} before it",
            Cause.INSPECTION: f"waits at gate {wait.place_id} to be scanned after {who}",
        }
        said = words.get(wait.cause)
        if said is None:
            said = f"waits for {self._stand_wanted(wait, named)} taken by {who}"
        if not who:
            place = f" {wait.place_id}" if wait.place_id else ""
            said = f"waits ({wait.cause.name.lower().replace('_', ' ')}{place}), and nobody is seen to keep it"
        return f"{truck_ids[wait.row]} {said}"

    def _stand_wanted(self, wait: Wait, named: Sequence[int]) -> str:
        """The stands of the yard that those *named* have."""
        stands = self._roster.corridor.stands
        have = {ix for other in wait.on if other in named for ix in self.stands_of(other) if stands[ix].yard_id == wait.place_id}
        ids = ", ".join(stands[ix].stand_id for ix in sorted(have))
        return f"stand {ids} of {wait.place_id}" if have and len(named) <= NAMED_MAX else f"a stand of {wait.place_id}"
