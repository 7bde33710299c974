"""
How each safe state is recognised, from the truth and from what the server shows of itself.

A watch looks once a tick at one incident. It says when the state became necessary (`need`), when it was reached (`reach`), and
when a rule that holds meanwhile was broken (`breach`). Nothing here asks the truck or the server whether they think they are
safe where the truth can be looked at instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import numpy as np

from fleet.server.fleet_view import FleetView
from fleet.server.loop.truck_session import State as Session
from sim_harness import paths
from sim_harness.dynamics import EMERGENCY_BRAKE
from sim_harness.faults.incident import Incident
from sim_harness.faults.intruders import Intruder, metres_ahead
from sim_harness.faults.kind import Shape, State
from sim_harness.faults.must_stop import MOVED_OFF_MPS
from sim_harness.faults.scene import Scene
from sim_harness.faults.server_books import holds_more, rows_of
from sim_harness.fleet_columns import FleetColumns

STANDING_MPS: Final = 0.05
BRAKED_MPS2: Final = 0.3  # more than anybody asks to keep a speed
NO_PLACE: Final = ("", 0.0)
# A belief is off when the truth lies this far outside its own bound, or when it is this old, or the speed this wrong.
OFF_M: Final = 1.0
OLD_NS: Final = 700_000_000
OFF_MPS: Final = 1.5
STALE_NS: Final = 600_000_000
# Words that left before the fault are still on their way for so long.
IN_FLIGHT_S: Final = 0.6
GRANTED_M: Final = 0.01
# Only a person lets these go on.
_HELD: Final = (Session.QUARANTINED, Session.HALTED)


def cannot_stop(fleet: FleetColumns, row: int, lane_ix: int, from_m: float, to_m: float) -> bool:
    """Whether a truck is too near a stretch of a lane, and too fast, to stop before it in comfort."""
    ahead_m = metres_ahead(fleet, row, lane_ix, from_m, to_m)
    speed_mps = float(fleet.motion.speed_mps[row])
    return ahead_m < 1.5 * speed_mps + speed_mps * speed_mps / 3.0 + 2.0


class Watch(Protocol):
    """Looks at one incident."""

    def look(self, now_s: float, view: FleetView | None) -> None:
        """One tick; *view* is the server's picture, None without a server."""


class _Watch:
    """What watches have in common."""

    def __init__(self, incident: Incident, scene: Scene) -> None:
        self.incident = incident
        self.scene = scene
        self.fleet = scene.fleet
        self.row = scene.row(incident.spec) if incident.spec.truck is not None else -1

    @property
    def lasts(self) -> bool:
        """Whether the fault is at work."""
        return self.incident.ended_s is None

    def stands(self) -> bool:
        """Whether the truck truly stands, no further than the end it holds."""
        fleet, row = self.fleet, self.row
        inside = fleet.motion.nose_m[row] <= fleet.onboard.end_m[row] or fleet.onboard.end_m[row] == -math.inf
        return bool(fleet.motion.speed_mps[row] <= STANDING_MPS and inside)

    def session(self, view: FleetView | None) -> int:
        """The truck's session as the server has it; 0 for none."""
        truck_id = self.incident.spec.truck
        if view is None or truck_id not in view.truck_ids:
            return 0
        return int(view.session[view.truck_ids.index(truck_id)])


class _Contact(_Watch):
    """A truck that lost contact stands, and moves again only when it was greeted anew and given road since."""

    _stood = False

    def look(self, now_s: float, view: FleetView | None) -> None:
        del view
        state, row = self.fleet.onboard, self.row
        alone = bool(state.lost[row] or state.waiting[row]) and state.agreed_epoch[row] > 0
        if alone and self.lasts:
            self.incident.need(now_s)
        if alone and self.stands():
            self._stood = True
            self.incident.reach(now_s)
        elif alone and self._stood and self.fleet.motion.speed_mps[row] > MOVED_OFF_MPS:
            # Slower than that it is still clearing a stretch where none may stand, which it rolled back into, say.
            self.incident.breach(f"moved at {now_s:.1f} s, before it was greeted anew and given road")
        elif not alone:
            # Greeted anew and given road, it may go on before it has come to rest.
            self._stood = False
            if self.incident.needed:
                self.incident.reach(now_s)


class _Claim:
    """Where a truck said that it is when it was quarantined: it may be there, so whoever could still stop keeps out."""

    def __init__(self, fleet: FleetColumns, row: int) -> None:
        self._fleet = fleet
        nose_m = float(fleet.belief.nose_m[row])
        held = int(fleet.paths.held[row])
        self._body = []
        for k in range(held):
            base_m, end_m = float(fleet.paths.start_m[row, k]), float(fleet.paths.start_m[row, k + 1])
            low_m, high_m = max(nose_m - float(fleet.length_m[row]), base_m), min(nose_m, end_m)
            if low_m < high_m:
                self._body.append((int(fleet.paths.lane[row, k]), low_m - base_m, high_m - base_m))
        self._others = [other for other in range(len(fleet.roster.truck_ids)) if other != row]
        inside = self._inside()
        self._excused = {row, *inside, *(other for other in self._others if self._too_near(other))}
        self._began_s: float | None = None
        self._granted: set[int] = set()

    def _inside(self) -> set[int]:
        return {row for stretch in self._body for row in self._fleet.rows_on(*stretch)}

    def _too_near(self, row: int) -> bool:
        return any(cannot_stop(self._fleet, row, *stretch) for stretch in self._body)

    def entered(self) -> str | None:
        """The name of one who drove into it, though he could have stopped."""
        return self._first(self._inside() - self._excused)

    def granted(self, now_s: float) -> str | None:
        """The name of one who was given road up to it or beyond, when everybody knew of the doubt; who held some before is excused."""
        if self._began_s is None:
            self._began_s = now_s
        granted = {other for other in self._others if self._holds_some(other)}
        if now_s - self._began_s <= IN_FLIGHT_S:
            self._granted |= granted
        return self._first(granted - self._granted - self._excused)

    def _holds_some(self, row: int) -> bool:
        """Whether a truck's end lies in it, or ahead of it with all of it in between."""
        fleet = self._fleet
        held_m, tail_m = float(fleet.onboard.end_m[row]), float(fleet.motion.nose_m[row] - fleet.length_m[row])
        starts_m = [(paths.path_coordinate(fleet.paths, row, lane, low_m), high_m - low_m) for lane, low_m, high_m in self._body]
        return any(tail_m < start_m + length_m and start_m + GRANTED_M < held_m for start_m, length_m in starts_m)

    def _first(self, rows: set[int]) -> str | None:
        return self._fleet.roster.truck_ids[min(rows)] if rows else None


class _Belief(_Watch):
    """
    A truck whose belief is off brakes or stands, or knows that it does not know: its bound covers the truth again.

    While it is quarantined, others keep out of where it says it is.
    """

    _claim: _Claim | None = None

    def look(self, now_s: float, view: FleetView | None) -> None:
        if not self.lasts:
            return
        fleet, row = self.fleet, self.row
        elsewhere = self.incident.spec.failing is Shape.WRONG or self.incident.spec.fault == "misread"
        if elsewhere and self.session(view) == Session.QUARANTINED:
            self._claim = self._claim or _Claim(fleet, row)
            for what, who in (("drove into", self._claim.entered()), ("was given road", self._claim.granted(now_s))):
                if who is not None:
                    self.incident.breach(f"{who} {what} where {self.incident.spec.truck} may be")
        belief, state = fleet.belief, fleet.onboard
        error_m = abs(float(belief.nose_m[row] - fleet.motion.nose_m[row])) - float(belief.bound_m[row])
        blind = bool(belief.clock_ns[row] - belief.stamp_ns[row] > OLD_NS)
        blind |= abs(float(belief.speed_mps[row] - fleet.motion.speed_mps[row])) > OFF_MPS
        if (blind or error_m > OFF_M) and not self.stands():
            self.incident.need(now_s)
        off = blind or error_m - float(state.doubt_m[row]) > OFF_M
        if self.incident.needed:
            braking = int(fleet.demand.mode[row]) == EMERGENCY_BRAKE
            if not off or braking or self.stands() or self.session(view) == Session.QUARANTINED:
                self.incident.reach(now_s)


class _Standstill(_Watch):
    """The truck stands, inside what it holds, once it can feel what is wrong (`FELT`)."""

    def look(self, now_s: float, view: FleetView | None) -> None:
        del view
        felt = FELT.get(self.incident.spec.fault, _at_once)
        if not self.lasts or not (self.incident.needed or felt(self.fleet, self.row)):
            return
        if not self.stands():
            self.incident.need(now_s)
        elif self.incident.needed:
            self.incident.reach(now_s)


def _at_once(fleet: FleetColumns, row: int) -> bool:
    del fleet, row
    return True


def _is_used_up(fleet: FleetColumns, row: int) -> bool:
    return bool(fleet.battery_wh[row] == 0.0)


def _brakes(fleet: FleetColumns, row: int) -> bool:
    return bool(fleet.demand.acceleration_mps2[row] < -BRAKED_MPS2)


# From when on a truck can know: what is left of a battery lasts long where the road falls, and a dead brake is one like any other until
# it is used, which on an empty road may be kilometres.
FELT: Final[Mapping[str, Callable[[FleetColumns, int], bool]]] = {"battery": _is_used_up, "service_brake": _brakes}


class _Kept(_Watch):
    """While the server hears nothing young enough of the truck, its end does not move on; one declared removed has none."""

    _end: tuple[str, float] | None = None

    def look(self, now_s: float, view: FleetView | None) -> None:
        if not self.lasts or view is None:
            return
        rows = [self.row] if self.row >= 0 else self.scene.under(self.incident.spec)
        if len(rows) != 1:
            self._end = None
            return
        truck_id = self.fleet.roster.truck_ids[rows[0]]
        if truck_id not in view.truck_ids:
            return
        at = view.truck_ids.index(truck_id)
        end = self._point(int(view.end_lane_ix[at]), float(view.end_chainage_m[at]))
        if view.report_age_ns[at] > STALE_NS and end != NO_PLACE:
            self.incident.need(now_s)
            if self._end is not None and end != self._end:
                self.incident.breach(f"the end of {truck_id} moved on a report {view.report_age_ns[at] / 1e9:.1f} s old")
            self._end = end
            self.incident.reach(now_s)
        else:
            self._end = None

    def _point(self, lane_ix: int, chainage_m: float) -> tuple[str, float]:
        """A place on the road under one name: where one lane ends the next begins, and either may be said to hold it."""
        if lane_ix < 0:
            return NO_PLACE
        lane = self.scene.corridor.lanes[lane_ix]
        if chainage_m <= 0.0 or chainage_m >= lane.length_m:
            return lane.from_node_id if chainage_m <= 0.0 else lane.to_node_id, 0.0
        return lane.lane_id, chainage_m


class _Derated(_Watch):
    """The truck trusts its brakes with no more than they have, and the server a road on which somebody slipped with less than usual."""

    def look(self, now_s: float, view: FleetView | None) -> None:
        if self.row < 0:
            self._look_at_road(now_s, view)
            return
        health = float(self.fleet.onboard.health[self.row])
        if health < 0.9:
            self.incident.need(now_s)
            self.incident.reach(now_s)
        if self.lasts and health < 0.6 and self.stands():
            self.incident.reach(now_s)

    def _look_at_road(self, now_s: float, view: FleetView | None) -> None:
        spec = self.incident.spec
        if self.lasts and any(self.fleet.motion.slipping[row] > 0.0 for row in self.scene.under(spec)):
            self.incident.need(now_s)
        lane_ix = self.scene.corridor.lane_ix[spec.lane] if spec.lane is not None else -1
        if self.incident.needed and view is not None and view.lane_friction[lane_ix] < self.fleet.road_friction:
            self.incident.reach(now_s)


class _Refused(_Watch):
    """What was forged moves nothing: the end held is not further than it was, nor under a term nobody agreed to."""

    def __init__(self, incident: Incident, scene: Scene) -> None:
        super().__init__(incident, scene)
        state = self.fleet.onboard
        self._agreed = int(state.agreed_epoch[self.row])
        self._end_m = float(state.end_m[self.row])
        self._seen = (int(state.seen_epoch[self.row]), int(state.seen_sequence[self.row]))

    def look(self, now_s: float, view: FleetView | None) -> None:
        del view
        if self.incident.safe_s is not None or self._end_m == -math.inf:
            return
        state, row = self.fleet.onboard, self.row
        self.incident.need(now_s)
        moved = float(state.end_m[row]) > self._end_m + GRANTED_M
        granted = (int(state.seen_epoch[row]), int(state.seen_sequence[row])) > self._seen
        if int(state.seen_epoch[row]) > self._agreed or (moved and not granted):
            self.incident.breach("a forged authority was taken")
        self.incident.reach(now_s)


class _Duplicated(_Watch):
    """The newcomer is refused, and the truck it claimed to be is stopped until a person decides."""

    def look(self, now_s: float, view: FleetView | None) -> None:
        session = self.session(view)
        # A truck that does not answer challenges itself gives way to the newcomer: nobody is duplicated then.
        if (session in {Session.LIVE, Session.SYNCING} and self.lasts) or self.incident.alarm is not None:
            self.incident.need(now_s)
        if self.stands() and session in {Session.QUARANTINED, Session.HALTED}:
            self.incident.reach(now_s)


class _Avoided(_Watch):
    """Nobody who could still stop before it enters the stretch; whoever cannot brakes as hard as the truck can."""

    def __init__(self, incident: Incident, scene: Scene) -> None:
        super().__init__(incident, scene)
        self._inside = set(self.fleet.rows_on(*self._where()))
        self._unavoidable = {row for row in range(len(self.fleet.roster.truck_ids)) if self._too_near(row)}
        self._warned = False

    def _where(self) -> tuple[int, float, float]:
        assert isinstance(self.incident.effect, Intruder)
        return self.incident.effect.where()

    def _too_near(self, row: int) -> bool:
        return cannot_stop(self.fleet, row, *self._where())

    def look(self, now_s: float, view: FleetView | None) -> None:
        del view
        if not self.lasts:
            return
        inside = set(self.fleet.rows_on(*self._where()))
        entered = inside - self._inside - self._unavoidable
        if self.incident.alarm is not None or np.isfinite(self.fleet.belief.obstacle_m).any():
            self.incident.need(now_s)
            self.incident.reach(now_s)
        if entered:
            self.incident.breach(f"{self.fleet.roster.truck_ids[min(entered)]} drove into it")
        self._inside |= inside


class _LeftAlone(_Watch):
    """A truck that was declared removed and still stands there: the checks watch that nobody touches it; here, that it waits."""

    def look(self, now_s: float, view: FleetView | None) -> None:
        if self.session(view) == Session.ABSENT:
            self.incident.need(now_s)
            if self.stands():
                self.incident.reach(now_s)


class _GrantsCeased(_Watch):
    """No end of authority moves on anywhere while the journal takes nothing, or is an old copy in which road is missing that trucks hold."""

    _ends: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None
    _forgot = False

    def look(self, now_s: float, view: FleetView | None) -> None:
        if self.scene.server.behind and view is not None:
            self._forgot = self._forgot or bool(holds_more(self.fleet, rows_of(self.fleet, view), view).any())
        if not self.lasts or now_s - self.incident.began_s < IN_FLIGHT_S or (self.scene.server.behind and not self._forgot):
            return
        ends_m = self.fleet.onboard.end_m
        if self._ends is not None:
            self.incident.need(now_s)
            self.incident.reach(now_s)
            if (ends_m > self._ends + GRANTED_M).any():
                self.incident.breach("an authority was sent that could not be made durable, or by a server that has forgotten others")
        self._ends = ends_m.copy()


class _WentOn(_Watch):
    """Once it is over, trucks drive on authorities of the server that is in charge, as soon as a person lets them."""

    def look(self, now_s: float, view: FleetView | None) -> None:
        if self.lasts:
            return
        self.incident.need(now_s)
        state = self.fleet.onboard
        rows = [self.row] if self.row >= 0 else range(len(state.lost))
        ready = [not state.lost[row] and not state.waiting[row] and state.agreed_epoch[row] == self.scene.server.epoch for row in rows]
        # A truck that a person must release does not go on by itself, and one that was declared removed never does.
        stopped = self.row >= 0 and self.session(view) in _HELD
        stopped = stopped or f"removed:{self.incident.spec.truck}" in self.scene.server.intrusions()
        if any(ready) or stopped:
            self.incident.reach(now_s)
        elif view is not None and np.isin(view.session, _HELD).all():
            # An untracked vehicle, say, has them all halted: who is released afterwards goes on then.
            self.incident.wait(now_s)


class _Waited(_Watch):
    """Whoever waits waits with a name for it: the books watch that nobody stands unexplained."""

    def look(self, now_s: float, view: FleetView | None) -> None:
        del view
        if not self.lasts:
            self.incident.need(now_s)
            self.incident.reach(now_s)


_BY_STATE: Final[Mapping[State, Callable[[Incident, Scene], Watch]]] = {
    State.STANDS: _Standstill,
    State.CONTACT: _Contact,
    State.KEPT: _Kept,
    State.NOT_BELIEVED: _Belief,
    State.DERATED: _Derated,
    State.FROZEN: _Standstill,
    State.REFUSED: _Refused,
    State.BOTH_STAND: _Duplicated,
    State.AVOIDED: _Avoided,
    State.LEFT_ALONE: _LeftAlone,
    State.GRANTS_CEASED: _GrantsCeased,
    State.WENT_ON: _WentOn,
    State.WAITED: _Waited,
}


def watch_of(incident: Incident, scene: Scene) -> Watch:
    """The watch that recognises the incident's safe state."""
    return _BY_STATE[incident.spec.kind.state](incident, scene)
