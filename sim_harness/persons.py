"""
The simulated persons who clear up after faults: they do what a person must do, and no sooner than one would.

When a truck is halted or quarantined and what ailed it is over, somebody looks at it for a while and lets it go on; an all-stop
that the server itself ordered is lifted the same way. A road where an intruder was is released once he is gone. Mended brakes
are tested, and then the truck is recommissioned; a lane that has its grip again is said to have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fleet.server.fleet_view import FleetView
from fleet.server.loop.truck_session import State
from sim_harness import link
from sim_harness.faults.engine import Faults
from sim_harness.faults.incident import Incident
from sim_harness.faults.scene import Breakable
from sim_harness.stage import Stage
from sim_harness.truck_agent import Trucks

# How long a person looks before he lets a truck go on (assumed).
RESPONSE_S: Final = 30.0
ASK_AGAIN_S: Final = 30.0
STOPPED: Final = frozenset({int(State.HALTED), int(State.QUARANTINED)})
REMOVED: Final = "removed:"
BEHIND: Final = "journal_behind"
SERVER_STOPS: Final = ("doubt", BEHIND)


class Persons:
    """Operators, patrols and the workshop of one run."""

    def __init__(self, faults: Faults, stage: Stage[Trucks], server: Breakable) -> None:
        self._faults = faults
        self._stage = stage
        self._server = server
        self._since_s: dict[str, float] = {}
        self._clear_since_s = 0.0
        self._asked_count = 0
        self._mended: set[int] = set()
        self._menders: dict[str, Callable[[Incident], None]] = {
            "brakes": self._recommission,
            "service_brake": self._recommission,
            "slippery": self._grit,
        }

    def look(self, view: FleetView, now_s: float) -> None:
        """Look around, as somebody does about once a second."""
        self._release(now_s)
        self._mend(now_s)
        self._let_go(view, now_s)

    def _let_go(self, view: FleetView, now_s: float) -> None:
        """Let go on what was stopped, a while after what ailed it is over."""
        stopped = {truck_id for truck_id, session in zip(view.truck_ids, view.session.tolist(), strict=True) if session in STOPPED}
        for truck_id in [known for known in self._since_s if known not in stopped]:
            del self._since_s[truck_id]
        ailing = self._faults.ailing
        for truck_id in sorted(stopped):
            if truck_id in ailing:
                self._since_s[truck_id] = now_s
            elif now_s - self._since_s.setdefault(truck_id, now_s) >= RESPONSE_S:
                self._since_s[truck_id] = now_s + ASK_AGAIN_S - RESPONSE_S
                self._resume(truck_id)

    def _resume(self, truck_id: str) -> None:
        self._ask(link.resume, truck_id)
        self._stage.books.notice("truck_resumed", truck_id=truck_id)
        for stop_id in SERVER_STOPS:
            # Who finds the journal to be an old copy looks for the newest one, and lifts nothing before.
            if stop_id != BEHIND or not self._server.behind:
                self._ask(link.lift, stop_id)

    def _release(self, now_s: float) -> None:
        """Say that the road is clear, once it has been for a while; a truck that still stands there keeps its road closed."""
        if self._faults.intruded:
            self._clear_since_s = now_s
        elif now_s - self._clear_since_s >= RESPONSE_S:
            for intrusion_id in self._server.intrusions():
                if not intrusion_id.startswith(REMOVED):
                    self._ask(link.release_intrusion, intrusion_id)
                    self._stage.books.notice("intrusion_released", intrusion_id=intrusion_id)

    def _mend(self, now_s: float) -> None:
        for number, incident in enumerate(self._faults.incidents):
            mender = self._menders.get(incident.spec.fault)
            over_s = incident.ended_s
            if mender is not None and number not in self._mended and over_s is not None and now_s - over_s >= RESPONSE_S:
                self._mended.add(number)
                mender(incident)

    def _recommission(self, incident: Incident) -> None:
        """The workshop has tested the brakes: the truck's computer begins to trust them anew, and so does the server."""
        truck_id = incident.spec.truck
        assert truck_id is not None
        onboard = self._stage.trucks.columns.onboard
        row = self._stage.trucks.columns.row[truck_id]
        onboard.health[row], onboard.weak_count[row] = 1.0, 0
        onboard.same[row] = False
        self._ask(link.recommission, truck_id)

    def _grit(self, incident: Incident) -> None:
        """The road was gritted and measured."""
        assert incident.spec.lane is not None
        self._asked_count += 1
        self._stage.call(*link.grip(f"person-{self._asked_count}", incident.spec.lane, self._stage.trucks.columns.road_friction))

    def _ask(self, request: Callable[[str, str], tuple[str, link.Request]], name: str) -> None:
        self._asked_count += 1
        self._stage.call(*request(f"person-{self._asked_count}", name))
