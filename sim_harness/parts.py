"""The parts of a scenario file, below its top: orders, plant, traffic that shares the roadside, links and trucks."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from fleet.site.format import ProcessSpec
from planner.corridor import Process

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0, le=1e6)]
Minutes = Annotated[float, Field(gt=0.0, le=1e5)]
Hours = Annotated[float, Field(ge=0.0, le=24.0 * 31)]
CONTAINERS_MAX: Final = 10_000


class Part(BaseModel):
    """No unknown keys, no text where a number belongs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, populate_by_name=True)


class OrderPart(Part):
    """
    A transport order that an operator puts in, once or again and again.

    Hours count from time 0. *every_h*: one such order each time, as trains bring boxes.
    """

    from_: str = Field(alias="from", description="yard where the containers are loaded")
    to: str = Field(description="yard where they are unloaded")
    containers: int = Field(ge=1, le=CONTAINERS_MAX)
    priority: int = Field(default=0, ge=-100, le=100)
    at_h: Hours = Field(default=0.0, description="when it is put in")
    every_h: Annotated[float, Field(gt=0.0, le=24.0 * 31)] | None = Field(default=None, description="again after so many hours, and again")
    due_after_h: Annotated[float, Field(gt=0.0, le=24.0 * 31)] | None = Field(
        default=None, description="due so many hours after it was put in"
    )


class PlantPart(Part):
    """Customs, loaders and what else the roadside does; shares are probabilities a trip."""

    inspect_share: Share = 0.05
    refuse_share: Share = 0.003
    portal_alarm_share: Share = 0.002
    manual_share: Share = 0.003
    manual_mean_s: Seconds = 2700.0
    loader_mtbf_h: float = Field(default=40.0, ge=0.0, le=1e6, description="0: loaders never break")
    loader_mttr_min: Minutes = 45.0


class MannedPart(Part):
    """
    Manned trucks that are served at gates of ours: load on the officers and scanners there, one queue a gate.

    They drive up beside our lanes and are no bodies on them; one that strays onto a lane is the fault `manned_tracked`.
    """

    gates: str = Field(description="a gate, or a group of gates side by side by the name they have in common")
    trucks_per_h: Annotated[float, Field(gt=0.0, le=10_000.0)] = Field(description="of all the gates together, at random moments")


class LevelCrossingPart(Part):
    """
    A railway across the road, with gates before it that open only while no train is due.

    Minutes count from time 0. A train is held at its signal while a truck is on the rails.
    """

    gates: tuple[str, ...] = Field(strict=False, min_length=1, description="the gates that lead onto the rails")
    first_min: Annotated[float, Field(ge=0.0, le=1e5)] = Field(description="when the rails are first closed to trucks")
    every_min: Minutes = Field(description="from one closure's beginning to the next's")
    shut_min: Minutes = Field(description="how long each lasts")

    @model_validator(mode="after")
    def _opens_at_times(self) -> Self:
        if self.every_min <= self.shut_min:
            text = f"the crossing is shut for good: {self.shut_min:g} of every {self.every_min:g} min; make every_min longer than shut_min"
            raise PydanticCustomError("scenario", "{text}", {"text": text})
        return self


class CranePart(Part):
    """Cranes that serve all bays of a yard in turn; each container is one lift."""

    yard: str
    count: int = Field(ge=1, le=100)
    lift: ProcessSpec


class LinkPart(Part):
    """The radio between trucks and server, in ticks of 0.1 s."""

    delay_ticks: int = Field(default=1, ge=1, le=50)
    jitter_ticks: int = Field(default=0, ge=0, le=50)
    loss: Share = 0.0


class TruckPart(Part):
    """What the trucks bring along; charges are shares of a full battery, drawn evenly."""

    charge_least: Share = 1.0
    charge_most: Share = 1.0


def process_of(name: str, part: ProcessSpec) -> Process:
    """The process that *part* describes."""
    figures = {
        "triangular": (part.least_s, part.mode_s, part.most_s),
        "lognormal": (part.mean_s, part.cv, part.least_s),
        "fixed": (part.fixed_s, 0.0, 0.0),
    }[part.shape]
    a, b, c = (float(value or 0.0) for value in figures)
    return Process(process_id=name, shape=part.shape, a=a, b=b, c=c)
