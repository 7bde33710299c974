"""
Lets faults happen: begins and ends them when they are due, and watches each until its safe state is reached.

With nothing scheduled none of this exists in a run. Two faults that lay hands on the same thing do not overlap: the later one
does not happen, and is counted as not having been needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from fleet.server.fleet_view import FleetView
from fleet.server.outgoing import Alarm
from sim_harness.faults import intruders, mechanics, roadside, sensors, servers, wireless
from sim_harness.faults.blockages import Blockages
from sim_harness.faults.incident import Incident
from sim_harness.faults.kind import State, Target
from sim_harness.faults.scene import Effect, Scene
from sim_harness.faults.spec import FaultSpec
from sim_harness.faults.states import Watch, watch_of

EFFECTS: Final[Mapping[str, Callable[[Scene, FaultSpec], Effect]]] = {
    "link": wireless.Link,
    "dead_spot": wireless.DeadSpot,
    "reports": wireless.Reports,
    "clock": sensors.ClockFault,
    "nails": sensors.Nails,
    "misread": sensors.Misread,
    "position_sensor": sensors.PositionSensor,
    "speed_sensor": sensors.SpeedSensor,
    "brakes": mechanics.Brakes,
    "service_brake": mechanics.ServiceBrake,
    "duplicate": wireless.Duplicate,
    "reconnect": wireless.Reconnect,
    "forged_authority": wireless.ForgedAuthority,
    "intrusion": intruders.Intruder,
    "manned_tracked": intruders.Manned,
    "manned_untracked": intruders.Manned,
    "removed_in_place": intruders.RemovedInPlace,
    "second_server": servers.SecondServer,
    "server_killed": servers.ServerKilled,
    "server_paused": servers.ServerPaused,
    "server_slow": servers.ServerSlow,
    "journal_full": servers.JournalFull,
    "journal_old": servers.JournalOld,
    "flood": wireless.Flood,
    "map": wireless.WrongMap,
    "slippery": mechanics.Slippery,
    "parted": mechanics.Parted,
    "roll_back": mechanics.RollBack,
    "wall": mechanics.Wall,
    "breakdown": mechanics.Breakdown,
    "battery": mechanics.Battery,
    "barrier": roadside.Barrier,
    "gate": roadside.Halted,
    "loader": roadside.Halted,
    "customs": roadside.CustomsHold,
}
# Kinds that lay hands on the same thing of one truck.
TOGETHER: Final[Mapping[str, str]] = {
    **dict.fromkeys(("link", "reports", "reconnect", "flood"), "radio"),
    **dict.fromkeys(("nails", "misread", "position_sensor", "speed_sensor", "clock", "roll_back"), "senses"),
    **dict.fromkeys(("wall", "breakdown", "battery"), "motors"),
}
# Alarms about the server or the site as a whole count for faults of the server.
ABOUT_ALL: Final = frozenset({"journal_append_failed", "journal_space_returned", "all_stop_ordered"})
# Facts that the server tells and nobody needs to act on.
QUIET: Final = frozenset({"truck_registered", "truck_synced", "truck_resumed"})
AFTERWARDS_S: Final = 120.0


class Faults:
    """The faults of one run."""

    def __init__(self, scene: Scene, specs: Iterable[FaultSpec], notice: Callable[..., None]) -> None:
        self._scene = scene
        self._waiting = sorted(specs, key=lambda spec: spec.at_s)
        self._notice = notice
        self._busy: dict[str, Incident] = {}
        self._watches: list[tuple[Incident, Watch]] = []
        self._blockages = Blockages(scene)
        self.incidents: list[Incident] = []

    def inject(self, spec: FaultSpec) -> None:
        """One more, while the run is under way; one that should have begun begins with the next tick."""
        self._waiting.append(spec)
        self._waiting.sort(key=lambda waiting: waiting.at_s)

    def step(self, now_s: float) -> None:
        """Before the trucks move: end what is over, begin what is due, and let the rest work."""
        for incident in self.incidents:
            if incident.ended_s is None and now_s >= incident.began_s + incident.spec.lasts_s:
                self._end(incident, now_s)
        while self._waiting and self._waiting[0].at_s <= now_s:
            self._begin(self._waiting.pop(0), now_s)
        for incident in self._busy.values():
            incident.effect.tick()

    def _begin(self, spec: FaultSpec, now_s: float) -> None:
        key = self._key(spec)
        incident = Incident(spec=spec, effect=EFFECTS[spec.fault](self._scene, spec), began_s=now_s)
        self.incidents.append(incident)
        if key in self._busy:
            incident.ended_s = now_s
            return
        self._busy[key] = incident
        self._watches.append((incident, watch_of(incident, self._scene)))
        self._notice("fault_injected", fault=spec.fault, target=spec.aimed_at, **self._of_truck(spec))
        incident.effect.begin()

    def _end(self, incident: Incident, now_s: float) -> None:
        incident.ended_s = now_s
        self._busy.pop(self._key(incident.spec))
        incident.effect.end()
        self._notice("fault_ended", fault=incident.spec.fault, target=incident.spec.aimed_at, **self._of_truck(incident.spec))

    @staticmethod
    def _of_truck(spec: FaultSpec) -> Mapping[str, str]:
        return {} if spec.truck is None else {"truck_id": spec.truck}

    @staticmethod
    def _key(spec: FaultSpec) -> str:
        """What a fault lays hands on."""
        if spec.kind.target is Target.SERVER:
            return "server"
        return f"{TOGETHER.get(spec.fault, spec.fault)} {spec.aimed_at}"

    def watch(self, now_s: float, alarms: Sequence[Alarm], view: FleetView | None) -> None:
        """After the server has decided: what was noticed, who is safe, and who stands in the way."""
        self._blockages.note(self._busy.values(), now_s)
        for incident, watch in self._watches:
            if alarms and incident.alarm is None:
                self._hear(incident, alarms, now_s)
            watch.look(now_s, view)
        if self._watches:
            self._watches = [(incident, watch) for incident, watch in self._watches if not self._settled(incident, now_s)]

    @staticmethod
    def _hear(incident: Incident, alarms: Sequence[Alarm], now_s: float) -> None:
        for alarm in alarms:
            if alarm.name in QUIET:
                continue
            about = dict(alarm.fields).get("truck")
            if about == incident.spec.truck or (about is None and (incident.spec.truck is None or alarm.name in ABOUT_ALL)):
                incident.alarm, incident.seen_s = alarm.name, now_s
                return

    @staticmethod
    def _settled(incident: Incident, now_s: float) -> bool:
        """Whether nothing more can come of an incident."""
        if incident.ended_s is None:
            return False
        return incident.safe_s is not None or now_s - max(incident.ended_s, incident.needed_s or 0.0) > AFTERWARDS_S

    @property
    def intruded(self) -> bool:
        """Whether anybody is on the road who should not be."""
        return any(incident.spec.kind.state is State.AVOIDED for incident in self._busy.values())

    @property
    def quiet(self) -> bool:
        """Whether nothing is at work and nobody is being watched."""
        return not self._busy and not self._watches

    @property
    def ailing(self) -> Mapping[str, str]:
        """The fault that each truck suffers from now, the first of several; only of trucks that suffer from one."""
        newest_first = reversed(self._busy.values())
        return {incident.spec.truck: incident.spec.fault for incident in newest_first if incident.spec.truck is not None}

    def accounts(self, now_s: float) -> tuple[Mapping[str, Any], ...]:
        """Every fault that happened, as `report.json` has it."""
        return tuple(incident.account(now_s) for incident in self.incidents)

    def failures(self, now_s: float) -> tuple[str, ...]:
        """Safe states that were not reached, one sentence each."""
        found = []
        for incident in self.incidents:
            what = f"{incident.spec.fault} of {incident.spec.aimed_at} at {incident.began_s:.1f} s"
            if incident.broken:
                found.append(f"{what}: {incident.broken}")
            elif incident.reached(now_s) is False:
                found.append(f"{what}: the state {incident.spec.kind.state.value!r} was not reached in {incident.spec.kind.safe_s:g} s")
        return tuple(found)
