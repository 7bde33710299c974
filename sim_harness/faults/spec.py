"""
One fault as somebody states it: in a scenario file, in a campaign, or while a run is under way.

The same flat set of values for every kind, so that a search can mutate them; what a kind takes and between which limits comes
from its row in `kinds`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from fleet.site.names import did_you_mean
from planner.corridor import Corridor, StandKind
from sim_harness.faults.kind import Kind, Shape, Target
from sim_harness.faults.kinds import KINDS

SECONDS_MAX: Final = 31 * 86_400.0
Moment = Annotated[float, Field(ge=0.0, le=SECONDS_MAX)]


def _refuse(message: str, hint: str = "") -> PydanticCustomError:
    return PydanticCustomError("fault", "{text}", {"text": f"{message}; {hint}" if hint else message})


class FaultSpec(BaseModel):
    """
    One fault: what, when, for how long, at whom.

    Exactly the keys that its kind's target asks for say whom: `truck`; `lane`, `from_m`, `to_m`; `gate`; `bay`; none for the
    server. Lengths are metres of chainage, times simulated seconds.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    fault: str = Field(description="what breaks: " + ", ".join(sorted(KINDS)))
    at_s: Moment = Field(description="when it begins")
    for_s: Moment | None = Field(default=None, description="how long it lasts; the kind's usual span when left out")
    shape: Shape | None = Field(default=None, strict=False, description="how it fails; the kind's first shape when left out")
    value: float | None = Field(default=None, description="how much, in the kind's unit; the usual when left out")
    truck: str | None = None
    lane: str | None = None
    from_m: float | None = Field(default=None, ge=0.0)
    to_m: float | None = Field(default=None, gt=0.0)
    gate: str | None = None
    bay: str | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        kind = KINDS.get(self.fault)
        if kind is None:
            raise _refuse(f"there is no fault {self.fault!r}", did_you_mean(self.fault, KINDS))
        self._require_target(kind)
        if self.shape is not None and self.shape not in kind.shapes:
            known = ", ".join(kind.shapes) or "none"
            raise _refuse(f"{self.fault} has no shape {self.shape.value!r}", f"it has {known}")
        if self.value is not None and kind.value is None:
            raise _refuse(f"{self.fault} takes no value", "leave it out")
        return self

    def _require_target(self, kind: Kind) -> None:
        needed = {
            Target.TRUCK: {"truck"},
            Target.STRETCH: {"lane", "from_m", "to_m"},
            Target.GATE: {"gate"},
            Target.BAY: {"bay"},
            Target.SERVER: set(),
        }[kind.target]
        given = {name for name in ("truck", "lane", "from_m", "to_m", "gate", "bay") if getattr(self, name) is not None}
        if needed - given:
            raise _refuse(f"{self.fault} needs {', '.join(sorted(needed - given))}", f"it is aimed at a {kind.target}")
        if given - needed:
            raise _refuse(f"{self.fault} takes no {', '.join(sorted(given - needed))}", f"it is aimed at a {kind.target}")
        if self.from_m is not None and self.to_m is not None and self.from_m >= self.to_m:
            raise _refuse(f"from_m {self.from_m:g} is not before to_m {self.to_m:g}", "a stretch is half-open metres of one lane")

    @property
    def kind(self) -> Kind:
        """Its row of the table."""
        return KINDS[self.fault]

    @property
    def lasts_s(self) -> float:
        """How long it lasts."""
        return self.kind.lasts_s.usual if self.for_s is None else self.for_s

    @property
    def ends_s(self) -> float:
        """When it is over."""
        return self.at_s + self.lasts_s

    @property
    def failing(self) -> Shape | None:
        """Its shape, the kind's first when it names none; None where the kind has no shapes."""
        return self.shape or (self.kind.shapes[0] if self.kind.shapes else None)

    @property
    def amount(self) -> float:
        """Its value, the usual when it names none; 0 where the kind has none."""
        if self.value is not None:
            return self.value
        return 0.0 if self.kind.value is None else self.kind.value.usual

    @property
    def aimed_at(self) -> str:
        """Whom it hits, for people."""
        if self.lane is not None:
            return f"{self.lane} {self.from_m:.0f}-{self.to_m:.0f} m"
        return self.truck or self.gate or self.bay or "server"

    def stated(self) -> dict[str, Any]:
        """What was stated, without what was left out: `FaultSpec(**stated)` is the same fault."""
        return self.model_dump(mode="json", exclude_none=True)


def unknown_place(spec: FaultSpec, corridor: Corridor, truck_ids: tuple[str, ...]) -> str | None:
    """What the site or the fleet does not have of what *spec* names, with what was probably meant; None where all is there."""
    if spec.truck is not None and spec.truck not in truck_ids:
        return f"there is no truck {spec.truck!r}; {did_you_mean(spec.truck, truck_ids)}"
    if spec.gate is not None and spec.gate not in corridor.gate_ix:
        return f"there is no gate {spec.gate!r}; {did_you_mean(spec.gate, corridor.gate_ix)}"
    if spec.bay is not None:
        bays = [stand.stand_id for stand in corridor.stands if stand.kind is StandKind.BAY]
        if spec.bay not in bays:
            return f"there is no bay {spec.bay!r}; {did_you_mean(spec.bay, bays)}"
    if spec.lane is not None:
        if spec.lane not in corridor.lane_ix:
            return f"there is no lane {spec.lane!r}; {did_you_mean(spec.lane, corridor.lane_ix)}"
        length_m = corridor.lanes[corridor.lane_ix[spec.lane]].length_m
        if spec.to_m is not None and spec.to_m > length_m:
            return f"to_m {spec.to_m:g} lies beyond lane {spec.lane}, which is {length_m:.1f} m long"
    return None
