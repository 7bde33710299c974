"""
Taking trucks on: what a hello proves, and what it may not be believed in.

A hello is the only way a truck comes under a new epoch. It says what the truck holds and the highest term it ever accepted;
both must be no more than the ledger remembers. If a truck knows more than the ledger, the ledger is a restored or copied one:
other trucks may hold road it has forgotten as well, so everything stops and nothing is granted until a person has looked.
A truck that was given nothing since still knows from heartbeats how far the journal reached.

A truck never seen before is given a row and the ground under its body, if nobody holds any of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, Final

import numpy as np

from fleet.errors import Code, FleetError
from fleet.server.facts import AllStopLifted, AllStopSet, Fact, TruckGreeted, TruckQuarantined, TruckRegistered
from fleet.server.inputs import HelloHeard
from fleet.server.intrusions import stop_id_of
from fleet.server.loop.doubts import Doubts
from fleet.server.loop.intrusions import Intrusions
from fleet.server.loop.ledger import Ledger
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.stops import OWN_ACTOR
from fleet.server.loop.telemetry import Disbelief, Telemetry
from fleet.server.loop.truck_session import State
from fleet.wire_version import agreed
from planner.authority import Verdict
from planner.corridor import Corridor
from planner.limits import BOUND_STOP_M, SAME_PLACE_M, STEP_MARGIN_M
from planner.tables import TruckTable

JOURNAL_BEHIND: Final = "journal_behind"
# A truck may report its end with the rounding of its own path arithmetic.
END_ROUNDING_M: Final = 0.01
# Findings on a report after which nothing the truck says of its place can be believed.
CONTRADICTIONS: Final = frozenset({Verdict.JUMPED_AHEAD, Verdict.JUMPED_BACK, Verdict.OUTSIDE_BOUND})


@dataclass(eq=False)
class MapMismatch(FleetError):
    """The truck carries another map than this server."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Load the server's site onto the truck, or leave the digest empty and drive by routes alone."

    theirs: str
    ours: str


@dataclass(eq=False)
class TruckTypeUnknown(FleetError):
    """The site does not admit this type of truck, or the truck was another type before."""

    truck_type_id: str


@dataclass(eq=False)
class PlaceUnknown(FleetError):
    """The truck's body does not lie on adjacent lanes of this site."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Move the truck by hand onto a lane and let it call again."

    truck_id: str


@dataclass(eq=False)
class RoadTaken(FleetError):
    """Somebody else holds road under the truck's body."""

    code: ClassVar[Code] = Code.PRECONDITION

    lane_id: str
    holder: str


@dataclass(eq=False)
class TruckBarred(FleetError):
    """The truck was declared removed from the corridor."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Commission it anew under another id."

    truck_id: str


@dataclass(eq=False)
class TruckDuplicated(FleetError):
    """Another onboard computer answers for this truck: both are stopped until a person decides."""

    code: ClassVar[Code] = Code.PRECONDITION

    truck_id: str
    instance_id: str


@dataclass(eq=False)
class JournalBehind(FleetError):
    """The truck holds or knows more than this server's journal: it is an old copy, and nothing is granted."""

    code: ClassVar[Code] = Code.BUG
    hint: ClassVar[str] = "Find the newest journal. Lift the stop only when nothing moves and the ledger is right."

    truck_id: str
    seen_epoch: int
    seen_sequence: int


@dataclass(eq=False)
class HelloStale(FleetError):
    """A later hello, or a report, of this truck was heard already: this one comes late, or is told again by somebody else."""

    code: ClassVar[Code] = Code.STALE
    hint: ClassVar[str] = "Say hello anew: with a stamp that rises, and after a restart with a boot id never used before."

    truck_id: str
    boot_id: str
    stamp_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a hello came to. *row* and *place_m* where the truck is taken on, else *refusal*; *facts* are to be applied either way."""

    facts: list[Fact] = field(default_factory=list)
    row: int = -1
    place_m: float = 0.0
    new: bool = False
    refusal: FleetError | None = None


class Admission:
    """Judges hellos. Changes nothing itself: the facts of its answers do."""

    def __init__(
        self, corridor: Corridor, ledger: Ledger, sessions: Sessions, telemetry: Telemetry, doubts: Doubts, intrusions: Intrusions
    ) -> None:
        self._corridor = corridor
        self._ledger = ledger
        self._sessions = sessions
        self._telemetry = telemetry
        self._doubts = doubts
        self._intrusions = intrusions
        self._trucks: TruckTable = ledger.trucks
        self._vouched = False

    def begin(self) -> None:
        """A new server begins: nobody has vouched for its journal yet."""
        self._vouched = False

    def apply(self, fact: Fact) -> None:
        """A person who lifts the stop of a journal in doubt has looked: what a lost journal knew is no news any more, held road is."""
        if isinstance(fact, AllStopLifted) and fact.stop_id == JOURNAL_BEHIND:
            self._vouched = True

    def hear(self, hello: HelloHeard, *, tick: int, now_ns: int) -> Greeting:
        """What *hello* comes to."""
        try:
            self._require_compatible(hello)
            self._require_known_journal(hello)
            row = self._sessions.row_of.get(hello.truck_id)
            if row is None:
                return self._meet(hello, now_ns)
            if self._ledger.removed[row]:
                raise TruckBarred(truck_id=hello.truck_id)
        except JournalBehind as error:
            stop = AllStopSet(stop_id=JOURNAL_BEHIND, reason=str(error), actor=OWN_ACTOR, at_ns=now_ns)
            return Greeting(refusal=error, facts=[stop])
        except FleetError as error:
            return Greeting(refusal=error)
        return self._meet_again(row, hello, tick=tick, now_ns=now_ns)

    def _require_known_journal(self, hello: HelloHeard) -> None:
        if not hello.journal_known and not self._vouched:
            raise JournalBehind(truck_id=hello.truck_id, seen_epoch=hello.seen_epoch, seen_sequence=hello.seen_sequence)

    def _require_compatible(self, hello: HelloHeard) -> None:
        agreed(hello.wire_version)
        if hello.map_digest and self._corridor.digest not in {hello.map_digest, hello.ready_digest}:
            raise MapMismatch(theirs=hello.map_digest, ours=self._corridor.digest)
        if hello.truck_type_id not in self._corridor.type_ix:
            raise TruckTypeUnknown(truck_type_id=hello.truck_type_id)

    def _meet_again(self, row: int, hello: HelloHeard, *, tick: int, now_ns: int) -> Greeting:
        """A truck that has a row: it may hold no more than the ledger says, and must stand or drive on that road."""
        if self._is_stale(row, hello):
            stale = HelloStale(truck_id=hello.truck_id, boot_id=hello.boot_id, stamp_ns=hello.report.stamp_ns)
            return Greeting(refusal=stale)
        other = hello.instance_id != self._sessions.instance_ids[row]
        if other and self._sessions.answering(row, self._telemetry, tick=tick, now_ns=now_ns):
            duplicated = TruckDuplicated(truck_id=hello.truck_id, instance_id=hello.instance_id)
            return Greeting(refusal=duplicated, facts=[self._quarantine(row, duplicated.reason, str(duplicated), now_ns)])
        end_m = float(self._trucks.end_m[row])
        if not self._ledger.knows_of(row, hello.seen_epoch, hello.seen_sequence) or not self._held_is_known(row, hello):
            behind = JournalBehind(truck_id=hello.truck_id, seen_epoch=hello.seen_epoch, seen_sequence=hello.seen_sequence)
            stop = AllStopSet(stop_id=JOURNAL_BEHIND, reason=str(behind), actor=OWN_ACTOR, at_ns=now_ns)
            return Greeting(refusal=behind, facts=[stop])
        greeted = self._greeted(row, hello, end_m, now_ns)
        place_m, verdict = self._place(row, hello)
        if verdict is Verdict.ACCEPTED:
            return Greeting(row=row, place_m=place_m, facts=[greeted])
        report = hello.report
        claim = Disbelief(
            row=row,
            stamp_ns=report.stamp_ns,
            verdict=verdict,
            lane_ix=report.lane_ix,
            chainage_m=report.chainage_m,
            bound_m=report.bound_m,
        )
        doubts = self._doubts.raise_over(claim)
        quarantine = self._quarantine(row, verdict.name, f"hello from lane {report.lane_ix} at {report.chainage_m:.1f} m", now_ns)
        return Greeting(row=row, place_m=float(self._trucks.nose_m[row]), facts=[greeted, quarantine, *doubts])

    def _is_stale(self, row: int, hello: HelloHeard) -> bool:
        """
        Whether a hello is older than what the truck said since, in this boot or a later one.

        A hello sets the truck's place and with it its confirmed rear, so one that is a round old would free the road the truck
        stands on.
        """
        boots = self._sessions.boots[row]
        boot = (hello.instance_id, hello.boot_id)
        if boot not in boots:
            return False
        newest = next(reversed(boots)) == boot
        said_ns = max(boots[boot], int(self._trucks.stamp_ns[row])) if newest and self._ledger.greeted[row] else boots[boot]
        return not newest or hello.report.stamp_ns <= said_ns

    def _held_is_known(self, row: int, hello: HelloHeard) -> bool:
        if hello.end_held is None:
            return True
        end_m = self._trucks.locate(row, hello.end_held.lane_ix, hello.end_held.chainage_m)
        return end_m <= float(self._trucks.end_m[row]) + END_ROUNDING_M  # not so for nan: an unknown path

    def _place(self, row: int, hello: HelloHeard) -> tuple[float, Verdict]:
        """The nose's path coordinate, if it knows where it is and can be there: inside the road it holds, not behind its confirmed rear."""
        trucks, report = self._trucks, hello.report
        place_m = trucks.locate(row, report.lane_ix, report.chainage_m)
        if not np.isfinite(place_m):
            return place_m, Verdict.OFF_PATH
        if place_m > trucks.end_m[row] + STEP_MARGIN_M:
            return place_m, Verdict.BEYOND_AUTHORITY
        if place_m + report.bound_m < trucks.rear_m[row] + trucks.length_m[row] - STEP_MARGIN_M:
            return place_m, Verdict.JUMPED_BACK
        if report.bound_m > BOUND_STOP_M and self._sessions.state[row] != State.QUARANTINED:
            return place_m, Verdict.UNSURE
        if self._goes_on(row, hello) and (verdict := self._telemetry.judge(row, report)) in CONTRADICTIONS:
            return place_m, verdict
        return place_m, Verdict.ACCEPTED

    def _goes_on(self, row: int, hello: HelloHeard) -> bool:
        """
        Whether a hello is of the boot whose reports were believed last: then it must be possible beside them, as a report must.

        A truck that lost only its contact says hello too, and where it says it is moves its confirmed rear. What one in quarantine says
        moves nothing.
        """
        newest = next(reversed(self._sessions.boots[row]), None) == (hello.instance_id, hello.boot_id)
        return newest and bool(self._ledger.greeted[row]) and self._sessions.state[row] != State.QUARANTINED

    def _meet(self, hello: HelloHeard, now_ns: int) -> Greeting:
        """
        A truck never seen before: it may hold nothing, and nobody may hold the ground under it.

        Raises:
            JournalBehind: it has served under a journal that knew it.
            PlaceUnknown: its body does not lie on the road.
            RoadTaken: somebody holds some of that ground.
        """
        if (hello.seen_epoch, hello.seen_sequence) != (0, 0) or hello.end_held is not None:
            raise JournalBehind(truck_id=hello.truck_id, seen_epoch=hello.seen_epoch, seen_sequence=hello.seen_sequence)
        lanes, report = self._trucks.lanes, hello.report
        body = hello.body_lanes or (report.lane_ix,)
        if body[-1] != report.lane_ix or not self._adjacent(body):
            raise PlaceUnknown(truck_id=hello.truck_id)
        kind = self._corridor.truck_types[self._corridor.type_ix[hello.truck_type_id]]
        nose_m = float(lanes.length_m[list(body[:-1])].sum()) + report.chainage_m
        tail_m = nose_m - kind.length_m - report.bound_m
        high_m = nose_m + report.bound_m
        end_of_body_m = float(lanes.length_m[list(body)].sum())
        if tail_m < -STEP_MARGIN_M or high_m > end_of_body_m + SAME_PLACE_M:
            raise PlaceUnknown(truck_id=hello.truck_id)
        # The roll-back margin may reach behind the first lane; a truck that stands on its brakes does not.
        rear_m = max(tail_m - kind.roll_back_m, 0.0)
        row = self._trucks.count
        self._require_free(body, rear_m, high_m)
        registered = TruckRegistered(
            row=row,
            truck_id=hello.truck_id,
            truck_type_id=hello.truck_type_id,
            instance_id=hello.instance_id,
            lanes=body,
            start_m=0.0,
            rear_m=rear_m,
            end_m=high_m,
            at_ns=now_ns,
        )
        return Greeting(row=row, place_m=nose_m, new=True, facts=[registered, self._greeted(row, hello, high_m, now_ns)])

    def _adjacent(self, body: tuple[int, ...]) -> bool:
        lanes = self._trucks.lanes
        if any(not 0 <= lane < lanes.count for lane in body) or len(set(body)) != len(body):
            return False
        pairs = pairwise(body)
        return all(ahead in lanes.succ_lane[lanes.succ_start[lane] : lanes.succ_start[lane + 1]] for lane, ahead in pairs)

    def _require_free(self, body: tuple[int, ...], rear_m: float, high_m: float) -> None:
        """Nobody's ground, doubt or zone under [rear_m, high_m) along *body*."""
        lanes = self._trucks.lanes
        base_m = 0.0
        for lane in body:
            low_m, top_m = max(rear_m - base_m, 0.0), min(high_m - base_m, float(lanes.length_m[lane]))
            if low_m < top_m:
                self._require_unheld(lane, low_m, top_m)
                for part in range(int(lanes.part_start[lane]), int(lanes.part_start[lane + 1])):
                    if low_m < lanes.part_to_m[part] and lanes.part_from_m[part] < top_m:
                        self._require_zone_free(int(lanes.part_zone[part]), int(lanes.part_branch[part]))
            base_m += float(lanes.length_m[lane])

    def _require_zone_free(self, zone: int, branch: int) -> None:
        lanes = self._trucks.lanes
        for part in np.flatnonzero(lanes.part_zone == zone).tolist():
            if lanes.part_branch[part] != branch or lanes.zone_exclusive[zone]:
                lane = int(np.searchsorted(lanes.part_start, part, side="right")) - 1
                self._require_unheld(lane, float(lanes.part_from_m[part]), float(lanes.part_to_m[part]))

    def _require_unheld(self, lane: int, low_m: float, high_m: float) -> None:
        trucks, count = self._trucks, self._trucks.count
        deepest = max(int(trucks.path_count[:count].max(initial=0)), 1)
        for row in np.flatnonzero((trucks.path_lane[:count, :deepest] == lane).any(axis=1)).tolist():
            for at, from_m, to_m in trucks.ground(row):
                if at == lane and from_m < high_m and low_m < to_m:
                    raise RoadTaken(lane_id=self._corridor.lanes[lane].lane_id, holder=self._sessions.truck_ids[row])
        for wall in range(len(self._doubts.walls.lane)):
            walls = self._doubts.walls
            if walls.lane[wall] == lane and walls.from_m[wall] < high_m and low_m < walls.to_m[wall]:
                raise RoadTaken(lane_id=self._corridor.lanes[lane].lane_id, holder="doubt")
        intrusion_id = self._intrusions.first_on(lane, low_m, high_m)
        if intrusion_id is not None:
            raise RoadTaken(lane_id=self._corridor.lanes[lane].lane_id, holder=stop_id_of(intrusion_id))

    def _greeted(self, row: int, hello: HelloHeard, end_m: float, now_ns: int) -> TruckGreeted:
        return TruckGreeted(
            row=row,
            epoch=self._ledger.epoch,
            instance_id=hello.instance_id,
            boot_id=hello.boot_id,
            stamp_ns=hello.report.stamp_ns,
            seen_epoch=hello.seen_epoch,
            seen_sequence=hello.seen_sequence,
            end_m=end_m,
            at_ns=now_ns,
        )

    def _quarantine(self, row: int, reason: str, detail: str, now_ns: int) -> TruckQuarantined:
        return quarantine(row, self._sessions.truck_ids[row], reason, detail, now_ns)


def quarantine(row: int, truck_id: str, reason: str, detail: str, now_ns: int) -> TruckQuarantined:
    """The fact that a truck's word counts no more; its stop is named after the truck."""
    return TruckQuarantined(row=row, reason=reason, detail=detail, stop_id=f"quarantine:{truck_id}", at_ns=now_ns)
