"""What breaks about a truck's body: brakes, motors, couplings, and the grip of the road under it."""

from __future__ import annotations

from typing import Final

from sim_harness.dynamics import DRIVE, EMERGENCY_BRAKE
from sim_harness.faults.scene import Scene
from sim_harness.faults.spec import FaultSpec
from sim_harness.observation import TICK_S

CREPT_MPS: Final = 0.01
# A truck that rolls back faster has no brakes at all.
CREEP_MAX_MPS: Final = 1.5


class Brakes:
    """Full braking delivers a share of the declared guarantee and no more, at the wheels of one truck."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._fleet = scene.fleet
        self._row = scene.row(spec)
        self._share = spec.amount
        self._weak = int(spec.amount < 1.0)
        build = scene.fleet.build
        self._full = (float(build.brake_full_laden_mps2[self._row]), float(build.brake_full_empty_mps2[self._row]))

    def begin(self) -> None:
        """Weaken them."""
        # Of what the type declares: what the truck's own computer makes of that is not the brakes' affair.
        guaranteed_mps2 = self._fleet.roster.truck_types[self._row].brake_guaranteed_mps2
        self._set((guaranteed_mps2, guaranteed_mps2), self._share)
        self._fleet.ailments[self._row] += self._weak

    def tick(self) -> None:
        """They stay as weak as they are."""

    def end(self) -> None:
        """Mend them."""
        self._set(self._full, 1.0)
        self._fleet.ailments[self._row] -= self._weak

    def _set(self, full: tuple[float, float], health: float) -> None:
        build = self._fleet.build
        build.brake_full_laden_mps2[self._row], build.brake_full_empty_mps2[self._row] = full
        self._fleet.around.brake_health[self._row] = health


class ServiceBrake:
    """Service braking is dead: neither air nor retarder answers; the emergency circuit does."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._fleet = scene.fleet
        self._row = scene.row(spec)

    def begin(self) -> None:
        """Break it."""
        self._fleet.around.service[self._row] = 0.0

    def tick(self) -> None:
        """It stays dead."""

    def end(self) -> None:
        """Mend it."""
        self._fleet.around.service[self._row] = 1.0


class Parted:
    """Trailer and boxes are no longer proven attached. Only the proof is lost: nothing lies on the road."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._fleet = scene.fleet
        self._row = scene.row(spec)

    def begin(self) -> None:
        """Lose the proof."""
        self._set(False)

    def tick(self) -> None:
        """It stays lost."""

    def end(self) -> None:
        """Prove them attached again."""
        self._set(True)

    def _set(self, intact: bool) -> None:
        self._fleet.belief.intact[self._row] = intact
        self._fleet.onboard.same[self._row] = False


class Breakdown:
    """The motors give nothing; brakes and computers work."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        build = scene.fleet.build
        self._build = build
        self._row = scene.row(spec)
        self._pull = (float(build.pull_laden_mps2[self._row]), float(build.pull_empty_mps2[self._row]))

    def begin(self) -> None:
        """Break them."""
        self._set((0.0, 0.0))

    def tick(self) -> None:
        """They stay dead."""

    def end(self) -> None:
        """Mend them."""
        self._set(self._pull)

    def _set(self, pull: tuple[float, float]) -> None:
        self._build.pull_laden_mps2[self._row], self._build.pull_empty_mps2[self._row] = pull


class Battery:
    """The battery holds almost nothing; once that is used up the truck is stranded. A charged one is brought when the fault ends."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._fleet = scene.fleet
        self._row = scene.row(spec)
        full_wh = scene.fleet.roster.truck_types[self._row].battery_wh
        self._left_wh = min(spec.amount / 100.0 * full_wh, float(scene.fleet.battery_wh[self._row]))
        self._before_wh = 0.0

    def begin(self) -> None:
        """Fail."""
        self._before_wh = float(self._fleet.motion.energy_wh[self._row])
        self.tick()

    def tick(self) -> None:
        """What was drawn is gone, whatever charger it stands at."""
        drawn_wh = float(self._fleet.motion.energy_wh[self._row]) - self._before_wh
        self._fleet.battery_wh[self._row] = max(0.0, self._left_wh - max(0.0, drawn_wh))
        if self._fleet.battery_wh[self._row] == 0.0:
            self._fleet.strand(self._row)

    def end(self) -> None:
        """Bring a charged one."""
        self._fleet.recharge(self._row)


class Wall(Breakdown):
    """The truck stops dead, harder than any brakes would: it hit something. Nothing moves it until the fault ends."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        super().__init__(scene, spec)
        self._fleet = scene.fleet

    def begin(self) -> None:
        """Hit it."""
        super().begin()
        self.tick()

    def tick(self) -> None:
        """It stands, whatever its motors and a slope want."""
        motion, row = self._fleet.motion, self._row
        for column in (motion.speed_mps, motion.acceleration_mps2, motion.driveline_mps2):
            column[row] = 0.0
        self._fleet.onboard.same[row] = False


class RollBack:
    """
    A standing truck creeps backwards, up to the amount, until its emergency brake, its motors or the end of the fault hold it.

    How far it would get is not limited to what the safety case allows for: that it gets no further is its supervisor's work.
    """

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._fleet = scene.fleet
        self._row = scene.row(spec)
        self._left_m = spec.amount
        self._step_m = min(self._left_m / max(spec.lasts_s, TICK_S), CREEP_MAX_MPS) * TICK_S
        self._rolling = False

    def begin(self) -> None:
        """Let go of the holding brake."""
        self._fleet.sensing.append(self._sense)

    def tick(self) -> None:
        """Creep, while the truck stands and nothing holds it."""
        fleet, row = self._fleet, self._row
        mode = int(fleet.demand.mode[row])
        pulled = mode == DRIVE and float(fleet.build.pull_empty_mps2[row]) > 0.0
        held = mode == EMERGENCY_BRAKE or pulled or bool(fleet.onboard.parked[row])
        self._rolling = self._left_m > 0.0 and not held and float(fleet.motion.speed_mps[row]) <= CREPT_MPS
        if self._rolling:
            fleet.motion.nose_m[row] -= self._step_m
            self._left_m -= self._step_m
            fleet.onboard.same[row] = False

    def end(self) -> None:
        """Hold it; whoever mended it has started its computer anew."""
        self._fleet.sensing.remove(self._sense)
        self._fleet.onboard.turn_m[self._row] = self._fleet.belief.nose_m[self._row]
        self._fleet.onboard.same[self._row] = False

    def _sense(self) -> None:
        """Wheels that turn backwards are felt as that."""
        if self._rolling:
            self._fleet.belief.speed_mps[self._row] = -self._step_m / TICK_S


class Slippery:
    """A stretch of road has lost its grip."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._spec = spec
        self._on: set[int] = set()

    def begin(self) -> None:
        """Ice the stretch."""
        self._scene.fleet.surroundings.append(self._slip)

    def tick(self) -> None:
        """Who slips is decided just before the trucks move."""

    def end(self) -> None:
        """Let it thaw."""
        self._scene.fleet.surroundings.remove(self._slip)
        self._leave(self._on)

    def _slip(self) -> None:
        fleet = self._scene.fleet
        on = set(self._scene.under(self._spec))
        self._leave(self._on - on)
        for row in on:
            fleet.around.friction[row] = min(fleet.road_friction, self._spec.amount)
        for row in on - self._on:
            fleet.ailments[row] += 1
        self._on = on

    def _leave(self, rows: set[int]) -> None:
        fleet = self._scene.fleet
        for row in rows:
            fleet.around.friction[row] = fleet.road_friction
            fleet.ailments[row] -= 1
