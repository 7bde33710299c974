"""What breaks beside the road: gates, barriers, loaders, customs; and who walks or drives on it that should not."""

from __future__ import annotations

from sim_harness.faults.scene import Scene
from sim_harness.faults.spec import FaultSpec


class Halted:
    """A gate without power, or a bay's machine that stands still."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        name = spec.gate or spec.bay
        assert name is not None
        self._plant = scene.plant
        self._name = name

    def begin(self) -> None:
        """Stop it."""
        self._plant.halt(self._name)

    def tick(self) -> None:
        """It stands."""

    def end(self) -> None:
        """Let it go on with what it should have done."""
        self._plant.goes_on(self._name)


class Barrier:
    """The proof that a barrier is open is lost; it is open again when the fault ends, if its truck has not passed."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        assert spec.gate is not None
        self._plant = scene.plant
        self._gate_id = spec.gate
        self._truck_id: str | None = None

    def begin(self) -> None:
        """Lose the proof."""
        self._truck_id = self._plant.shut_barrier(self._gate_id)

    def tick(self) -> None:
        """A gate that opens while its interlock is broken loses its proof too."""
        if self._truck_id is None:
            self._truck_id = self._plant.shut_barrier(self._gate_id)

    def end(self) -> None:
        """Prove it open again."""
        if self._truck_id is not None:
            self._plant.reopen_barrier(self._gate_id, self._truck_id)


class CustomsHold:
    """Customs holds every crossing of one truck that it is asked about while the fault lasts."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        assert spec.truck is not None
        self._plant = scene.plant
        self._truck_id = spec.truck

    def begin(self) -> None:
        """Hold it."""
        self._plant.held_trucks.add(self._truck_id)

    def tick(self) -> None:
        """It is held."""

    def end(self) -> None:
        """Release it."""
        self._plant.release(self._truck_id)
