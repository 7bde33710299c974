"""
Everything durable, said anew in the rows of another site.

Rows of lanes, gates and stands are found again by name. Road that trucks hold lies on lanes that are the same on both sites, so
path coordinates stay what they are; a path is cut before the first lane that differs, and the desk finds the rest of the way on the
new site. What concerns a lane as a whole (closures, temporary limits) follows the lane's name. Whatever else lies on a lane that
differs cannot be said anew: where on it?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Final

from fleet.errors import Code, FleetError
from fleet.server.dispatch.calls import CallOpened
from fleet.server.dispatch.gates import GateKept
from fleet.server.dispatch.opening import OpeningSet
from fleet.server.dispatch.roads import LaneClosed
from fleet.server.dispatch.stands import BayProven, StandBooked, StandFreed, StandPromised
from fleet.server.dispatch.trips import NOWHERE, TruckKept
from fleet.server.facts import Fact, LaneLimited, RouteSet, StretchDerated, TruckRegistered, TruckRemoved
from fleet.server.intrusions import IntrusionKept
from fleet.server.outgoing import BayCall, BayLeft, GateCall, GatePassed, ManifestDeclared
from fleet.server.site_facts import SiteInForce, SiteProposed, SiteWithdrawn
from planner.corridor import Corridor

_ROW_SUFFIX: Final = "_ix"


@dataclass(eq=False)
class PlaceChanged(FleetError):
    """Something lies on a lane that the new site changes, or in rows that nobody knows how to say anew."""

    code: ClassVar[Code] = Code.PRECONDITION

    kind: str
    place_id: str


def carried_over(facts: Iterable[Fact], before: Corridor, after: Corridor, changed_lanes: Iterable[int]) -> list[Fact]:
    """
    The *facts* of a snapshot on *before*, as a snapshot on *after*; *changed_lanes* are rows of *before*.

    Raises:
        PlaceChanged: one of them cannot be said anew.
    """
    known = list(facts)
    carrier = _Carrier(before, after, frozenset(changed_lanes), known)
    return [said for fact in known if (said := carrier.said_anew(fact)) is not None]


class _Carrier:
    """Says facts anew, or leaves out (None) what concerns a thing that is gone."""

    def __init__(self, before: Corridor, after: Corridor, changed: frozenset[int], facts: list[Fact]) -> None:
        self._before = before
        self._after = after
        self._changed = changed
        self._removed = {fact.row for fact in facts if isinstance(fact, TruckRemoved)}
        self._rear_m = {fact.row: fact.rear_m for fact in facts if isinstance(fact, TruckRegistered)}
        self._cut = {fact.row for fact in facts if isinstance(fact, RouteSet) and self._is_cut(fact)}
        self._lane_ix = [after.lane_ix.get(lane.lane_id, NOWHERE) for lane in before.lanes]
        self._gate_ix = [after.gate_ix.get(gate.gate_id, NOWHERE) for gate in before.gates]
        self._stand_ix = [after.stand_ix.get(stand.stand_id, NOWHERE) for stand in before.stands]
        self._sayers: Final[Mapping[type[Fact], Callable[[Any], Fact | None]]] = {
            SiteInForce: lambda fact: fact if fact.digest == after.digest else None,
            SiteProposed: lambda _: None,
            SiteWithdrawn: lambda _: None,
            TruckRegistered: self._registered,
            RouteSet: self._route,
            TruckKept: self._truck,
            StandBooked: self._stand,
            StandFreed: self._stand,
            StandPromised: self._stand,
            BayProven: self._stand,
            GateKept: self._gate,
            OpeningSet: self._opening,
            LaneClosed: self._lane,
            LaneLimited: self._lane,
            CallOpened: self._call,
            IntrusionKept: self._intrusion,
            StretchDerated: self._ice,
        }

    def said_anew(self, fact: Fact) -> Fact | None:
        """*fact* in the rows of the site after; None when what it is about is gone."""
        sayer = self._sayers.get(type(fact))
        return sayer(fact) if sayer is not None else self._placed(fact)

    def _placed(self, fact: Any) -> Fact:
        """A fact that nobody described here: it may name a lane that is the same on both sites, and no other row."""
        rows = [entry.name for entry in fields(fact) if entry.name.endswith(_ROW_SUFFIX)]
        if not rows:
            return fact  # type: ignore[no-any-return]
        lane = fact.lane_ix if rows == ["lane_ix"] else NOWHERE
        if lane == NOWHERE or lane in self._changed:
            place_id = self._before.lanes[lane].lane_id if lane != NOWHERE else ", ".join(rows)
            raise PlaceChanged(kind=type(fact).__name__, place_id=place_id)
        return replace(fact, lane_ix=self._lane_ix[lane])  # type: ignore[no-any-return]

    def _registered(self, fact: TruckRegistered) -> Fact:
        if fact.row in self._removed:
            # It holds nothing; its name and row stay taken.
            return replace(fact, lanes=(0,), start_m=fact.end_m)
        start_m, lanes = self._kept(fact.row, fact.start_m, fact.lanes)
        return replace(fact, start_m=start_m, lanes=lanes)

    def _route(self, fact: RouteSet) -> Fact:
        start_m, lanes = self._kept(fact.row, fact.start_m, fact.lanes)
        goal_m = start_m + sum(self._after.lanes[lane].length_m for lane in lanes) if fact.row in self._cut else fact.goal_m
        return replace(fact, start_m=start_m, lanes=lanes, goal_m=goal_m)

    def _kept(self, row: int, start_m: float, lanes: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        """The lanes of a path, in the rows after, from the one under the rear up to the first that differs; where they begin."""
        start_m, ahead = self._ahead(row, start_m, lanes)
        count = next((at for at, lane in enumerate(ahead) if lane in self._changed), len(ahead))
        if count == 0:
            raise PlaceChanged(kind=RouteSet.__name__, place_id=self._before.lanes[ahead[0]].lane_id)
        return start_m, tuple(self._lane_ix[lane] for lane in ahead[:count])

    def _ahead(self, row: int, start_m: float, lanes: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        """The lanes of a path from the one under the rear on; added up lane by lane, they begin where they did to the last bit."""
        for at, lane in enumerate(lanes[:-1]):
            after_m = start_m + self._before.lanes[lane].length_m
            if after_m > self._rear_m[row]:
                return start_m, lanes[at:]
            start_m = after_m
        return start_m, lanes[-1:]

    def _is_cut(self, fact: RouteSet) -> bool:
        return not self._changed.isdisjoint(self._ahead(fact.row, fact.start_m, fact.lanes)[1])

    def _truck(self, fact: TruckKept) -> Fact:
        goal_ix, left_ix = (self._stand_ix[ix] if ix != NOWHERE else NOWHERE for ix in (fact.goal_ix, fact.left_ix))
        # Whoever queued for a bay on a way that is cut is looked after like one that has nowhere to go yet.
        return replace(fact, goal_ix=goal_ix, left_ix=left_ix, staged=fact.staged and fact.row not in self._cut)

    def _stand(self, fact: StandBooked | StandFreed | StandPromised | BayProven) -> Fact | None:
        stand, at = self._before.stands[fact.stand_ix], self._stand_ix[fact.stand_ix]
        if at == NOWHERE or (self._after.stands[at].kind, self._after.stands[at].yard_id) != (stand.kind, stand.yard_id):
            return None
        return replace(fact, stand_ix=at)

    def _gate(self, fact: GateKept) -> Fact | None:
        at = self._gate_ix[fact.gate_ix]
        return replace(fact, gate_ix=at) if at != NOWHERE else None

    def _opening(self, fact: OpeningSet) -> Fact | None:
        if fact.gate_ix == NOWHERE:  # the whole border
            return fact
        at = self._gate_ix[fact.gate_ix]
        return replace(fact, gate_ix=at) if at != NOWHERE else None

    def _lane(self, fact: LaneClosed | LaneLimited) -> Fact | None:
        at = self._lane_ix[fact.lane_ix]
        return replace(fact, lane_ix=at) if at != NOWHERE else None

    def _intrusion(self, fact: IntrusionKept) -> Fact:
        """Never: the road around a place was closed as the site before lies on the ground, and others may lie near it after."""
        raise PlaceChanged(kind=IntrusionKept.__name__, place_id=fact.intrusion_id)

    def _ice(self, fact: StretchDerated) -> Fact:
        """Where on a lane that differs nobody knows: all of it is as slippery. What lay on a lane that is gone lies on others now."""
        at = self._lane_ix[fact.lane_ix]
        if at == NOWHERE:
            raise PlaceChanged(kind=StretchDerated.__name__, place_id=self._before.lanes[fact.lane_ix].lane_id)
        if fact.lane_ix not in self._changed:
            return replace(fact, lane_ix=at)
        return replace(fact, lane_ix=at, from_m=0.0, to_m=self._after.lanes[at].length_m)

    def _call(self, fact: CallOpened) -> Fact | None:
        match fact.content():
            case ManifestDeclared() | GatePassed(gate_id=""):
                return fact
            case GateCall(gate_id=gate_id) | GatePassed(gate_id=gate_id):
                return fact if gate_id in self._after.gate_ix else None
            case BayCall(bay_id=bay_id) | BayLeft(bay_id=bay_id):
                return fact if bay_id in self._after.stand_ix else None
