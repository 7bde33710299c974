"""
What a run is about: a site, its trucks, a day, orders, and how plant and links behave.

Scenarios are YAML, checked by the same reader as site files, so that an error names its line and the word that was meant.
Values of the command line (`--set plant.inspect_share=0.1`) are laid over the file before it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, field_validator

from fleet.site import SiteError, load_site
from fleet.site.format import ProcessSpec
from fleet.site.names import did_you_mean
from fleet.site.source import Source, parse, read_text
from planner.corridor import Corridor, Stand, StandKind, Stretch, YardRole
from sim_harness.clock import Streams
from sim_harness.expectations import Expectations, figure_names, is_unquoted
from sim_harness.faults.spec import FaultSpec, unknown_place
from sim_harness.faults.survey import dead_spot
from sim_harness.observation import Roster
from sim_harness.parts import CranePart, LevelCrossingPart, LinkPart, MannedPart, OrderPart, Part, PlantPart, TruckPart, process_of
from sim_harness.replay_line import replay_line
from sim_harness.weather import Spell, is_cold, listed, wintry

STAND_ORDER: Final = (StandKind.PARKING, StandKind.PLUG, StandKind.SWAP, StandKind.BAY)
EXPECT: Final = "expect"
# Stands for the file where a value of the command line is wrong.
SETTINGS: Final = "--set"
# What a scenario's keys were called once, and how to say it now.
ONCE: Final = {"friction": "say it as weather: [{kind: rain, friction: 0.25}]"}
# Kinds of errors whose text says what is wrong with the value already.
SAID_WHOLE: Final = frozenset({EXPECT, "fault", "scenario"})


class ScenarioError(SiteError):
    """A scenario cannot be used."""


class ScenarioSpec(Part):
    """One scenario file."""

    scenario: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    title: str = Field(default="", max_length=200)
    site: str = Field(description="a site that comes with the package, or a YAML file beside this one")
    trucks: int = Field(ge=1, le=2000)
    truck_type: str = "coal_truck_70t"
    hours: float = Field(gt=0.0, le=24.0 * 31)
    seed: int = Field(default=1, ge=0)
    orders: tuple[OrderPart, ...] = Field(default=(), strict=False)
    plant: PlantPart = PlantPart()
    processes: dict[str, ProcessSpec] = Field(default_factory=dict)
    link: LinkPart = LinkPart()
    truck: TruckPart = TruckPart()
    policy: Literal["moving", "planned", "blocks200", "blocks400"] = Field(
        default="moving",
        description="how road is given out: behind the truck ahead as it moves, the same with a plan that advises who goes first, or fixed blocks",
    )
    weather: tuple[Spell, ...] = Field(default=(), strict=False, description="spells of weather; `ice` is `[{kind: ice}]`")
    manned: tuple[MannedPart, ...] = Field(default=(), strict=False, description="manned trucks that use the same gates")
    level_crossings: tuple[LevelCrossingPart, ...] = Field(default=(), strict=False, description="railways across the road")
    cranes: tuple[CranePart, ...] = Field(default=(), strict=False, description="yards whose bays are served by cranes")
    faults: Literal["off", "on"] = Field(default="off", description="on: what goes wrong on an ordinary day, drawn from the seed")
    scheduled_faults: tuple[FaultSpec, ...] = Field(default=(), strict=False, description="what goes wrong for certain")
    expect: Expectations = Field(
        default_factory=dict, description='what the figures of the report must be: a number, ">= 20", "20..30", or null for unmeasured'
    )

    @field_validator("weather", mode="before")
    @classmethod
    def _spells(cls, value: Any) -> Any:
        return listed(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    A scenario with its site loaded and its trucks placed.

    *stands* (n,) is where each begins, *site* the site's name or file, *replay* the command that runs exactly this,
    *dead_spot* where the day has no radio: the corridor knows it as a no-stop stretch. *site_digest* is that of the site as it is drawn.
    """

    spec: ScenarioSpec
    site: str
    site_digest: str
    corridor: Corridor
    roster: Roster
    stands: tuple[Stand, ...]
    seed: int
    hours: float
    replay: str
    dead_spot: Stretch | None = None

    @property
    def troubled(self) -> bool:
        """Whether anything is to go wrong."""
        return self.spec.faults == "on" or bool(self.spec.scheduled_faults)


def scenario_schema() -> dict[str, Any]:
    """The published JSON Schema of scenario files."""
    schema = ScenarioSpec.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://khulan.dev/scenario.schema.json", **schema}


def scenario_names() -> list[str]:
    """The scenarios that come with the package."""
    entries = resources.files("sim_harness.scenarios").iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml"))


def _locate(name_or_path: str) -> Path:
    asked = Path(name_or_path)
    if asked.suffix in {".yaml", ".yml"} or asked.is_file():
        return asked
    if name_or_path not in scenario_names():
        advice = f"{did_you_mean(name_or_path, scenario_names())} or give a .yaml file"
        raise ScenarioError(name_or_path, 1, f"there is no scenario {name_or_path!r}", advice)
    return Path(str(resources.files("sim_harness.scenarios").joinpath(f"{name_or_path}.yaml")))


def _keys_at(path: Sequence[str | int]) -> list[str]:
    """Keys that may stand in the mapping at *path*."""
    if path and path[0] == EXPECT:
        return list(figure_names())
    model: Any = ScenarioSpec
    for part in path:
        if isinstance(part, int):
            continue
        parts: Mapping[str, Any] = {
            "plant": PlantPart,
            "link": LinkPart,
            "truck": TruckPart,
            "orders": OrderPart,
            "processes": ProcessSpec,
            "scheduled_faults": FaultSpec,
            "weather": Spell,
            "manned": MannedPart,
            "level_crossings": LevelCrossingPart,
            "cranes": CranePart,
        }
        model = parts.get(part, model)
    return [entry.alias or name for name, entry in model.model_fields.items()]


def _meant(path: Sequence[str | int]) -> str:
    """What was probably meant by the unknown key at *path*."""
    return (ONCE.get(str(path[0])) if len(path) == 1 else None) or did_you_mean(str(path[-1]), _keys_at(path[:-1]))


def _lay_over(source: Source, setting: str) -> Source:
    """
    *source* with one KEY=VALUE laid over it; what is wrong with that value is wrong at `--set`, not on a line of the file.

    Raises:
        ScenarioError: there is no such key, or it is not of the form KEY=VALUE.
    """
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise ScenarioError(SETTINGS, 1, f"{setting!r} is not KEY=VALUE", "for example --set plant.inspect_share=0.1")
    # A figure's own name has dots in it.
    path = key.split(".", 1) if key.startswith(f"{EXPECT}.") else key.split(".")
    tree: dict[str, Any] = source.tree
    for part in path[:-1]:
        below = tree.setdefault(part, {})
        if not isinstance(below, dict):
            raise ScenarioError(SETTINGS, 1, f"{part!r} of {key!r} holds no keys", did_you_mean(part, _keys_at(())))
        tree = below
    known = _keys_at(path[:-1])
    if path[0] not in _keys_at(()) or (len(path) > 1 and path[0] != "processes" and path[-1] not in known):
        raise ScenarioError(SETTINGS, 1, f"unknown key {key!r}", _meant(path))
    # A comparison is a text: YAML would take `>` for the head of a block.
    text = json.dumps(text) if text.startswith(">") else text
    tree[path[-1]] = parse(f"value: {text}", SETTINGS).tree["value"]
    here = tuple(path)
    kept = {known: place for known, place in source.lines.items() if known[: len(here)] != here}
    return replace(source, lines={**kept, here: (SETTINGS, 1)})


def read_spec(name_or_path: str, settings: Sequence[str] = ()) -> ScenarioSpec:
    """
    The values of a scenario file, with *settings* (KEY=VALUE) laid over them.

    Raises:
        ScenarioError: a value cannot be; the message names file, line and what was probably meant.
    """
    return _read(name_or_path, settings)[0]


def _parsed(text: str, file: str) -> Source:
    """Values and lines of a scenario's text; a comparison without quotes is no YAML, and the parser would not say why."""
    try:
        return parse(text, file)
    except SiteError as error:
        lines = text.splitlines()
        near = lines[max(0, error.line - 2) : error.line]
        wrong = next((number for number, line in enumerate(near, max(1, error.line - 1)) if is_unquoted(line)), None)
        if wrong is None:
            raise
        raise ScenarioError(file, wrong, "a comparison stands without quotes", 'write it as round_trips: ">= 20"') from error


def _read(name_or_path: str, settings: Sequence[str]) -> tuple[ScenarioSpec, Source]:
    """The values of a scenario file, and where each of them stands."""
    path = _locate(name_or_path)
    source = _parsed(read_text(path), str(path))
    for setting in settings:
        source = _lay_over(source, setting)
    try:
        return ScenarioSpec.model_validate(source.tree), source
    except ValidationError as error:
        details = error.errors(include_url=False)
        # A key that is needed is missing most often because it is misspelt.
        detail = next((one for one in details if one["type"] == "extra_forbidden"), details[0])
        where = tuple(part for part in detail["loc"] if part != "[key]") + tuple(detail.get("ctx", {}).get("at", ()))
        file, line = source.place(where)
        name = ".".join(str(part) for part in where) or "the scenario"
        if detail["type"] == "extra_forbidden":
            raise ScenarioError(file, line, f"unknown key {where[-1]!r}", _meant(where)) from error
        advice = "" if detail["type"] in SAID_WHOLE else f"is {detail['input']!r}"[:80]
        raise ScenarioError(file, line, f"{name}: {detail['msg']}", advice) from error


def starting_stands(corridor: Corridor, count: int) -> tuple[Stand, ...]:
    """
    Where *count* trucks begin: the loading yard's stands first, bays after the others, then the other yard's.

    Raises:
        ValueError: there are fewer stands than trucks.
    """
    chosen: list[Stand] = []
    for role in (YardRole.LOADING, YardRole.UNLOADING):
        yard = corridor.yard_by_role[role]
        for kind in STAND_ORDER:
            chosen += [stand for stand in corridor.stands if stand.yard_id == yard.yard_id and stand.kind is kind]
    if len(chosen) < count:
        raise ValueError(f"{count} trucks on {len(chosen)} stands")
    return tuple(chosen[:count])


def truck_id(number: int) -> str:
    """What a scenario's truck is called; the first is number 1."""
    return f"t{number:03d}"


def _require_known(spec: ScenarioSpec, corridor: Corridor, source: Source) -> None:
    """
    Refuse names that the site does not have.

    Raises:
        ScenarioError: one of them.
    """

    def require(where: tuple[str | int, ...], what: str, name: str, known: Sequence[str]) -> None:
        if name not in known:
            raise ScenarioError(*source.place(where), f"site {spec.site} has no {what} {name!r}", did_you_mean(name, known))

    for name in sorted(spec.processes):
        require(("processes", name), "process", name, list(corridor.processes))
    require(("truck_type",), "truck type", spec.truck_type, list(corridor.type_ix))
    yard_ids = [yard.yard_id for yard in corridor.yards]
    for number, order in enumerate(spec.orders):
        require(("orders", number, "from"), "yard", order.from_, yard_ids)
        require(("orders", number, "to"), "yard", order.to, yard_ids)
    for number, crane in enumerate(spec.cranes):
        require(("cranes", number, "yard"), "yard", crane.yard, yard_ids)
    gate_ids = list(corridor.gate_ix)
    for number, crossing in enumerate(spec.level_crossings):
        for ix, gate_id in enumerate(crossing.gates):
            require(("level_crossings", number, "gates", ix), "gate", gate_id, gate_ids)
    for number, manned in enumerate(spec.manned):
        groups = sorted({name for gate_id in gate_ids for name in (gate_id, gate_id.rpartition("_")[0]) if name})
        require(("manned", number, "gates"), "gate", manned.gates, groups)


def load_scenario(
    name_or_path: str,
    settings: Sequence[str] = (),
    *,
    seed: int | None = None,
    hours: float | None = None,
    trucks: int | None = None,
) -> Scenario:
    """
    A scenario ready to run.

    Raises:
        ScenarioError: the file, a setting or the number of trucks cannot be.
        SiteError: its site cannot be used.
    """
    over = [f"{key}={value}" for key, value in (("seed", seed), ("hours", hours), ("trucks", trucks)) if value is not None]
    spec, source = _read(name_or_path, [*settings, *over])
    site = spec.site if not spec.site.endswith((".yaml", ".yml")) else str(_locate(name_or_path).parent / spec.site)
    drawn = load_site(site)
    _require_known(spec, drawn, source)
    corridor = replace(drawn, processes={**drawn.processes, **{name: process_of(name, part) for name, part in spec.processes.items()}})
    if is_cold(spec.weather):
        corridor = wintry(corridor)
    spot = dead_spot(corridor, Streams(spec.seed)) if spec.faults == "on" else None
    if spot is not None:
        corridor = replace(corridor, no_stops=(*corridor.no_stops, spot))
    try:
        stands = starting_stands(corridor, spec.trucks)
    except ValueError as error:
        raise ScenarioError(*source.place(("trucks",)), f"trucks: {error}", "each truck begins on a stand") from error
    kind = corridor.truck_types[corridor.type_ix[spec.truck_type]]
    roster = Roster(
        corridor=corridor,
        truck_ids=tuple(truck_id(number) for number in range(1, spec.trucks + 1)),
        truck_types=(kind,) * spec.trucks,
    )
    for number, fault in enumerate(spec.scheduled_faults):
        problem = unknown_place(fault, corridor, roster.truck_ids)
        if problem is not None:
            raise ScenarioError(*source.place(("scheduled_faults", number)), f"scheduled_faults.{number}: {problem}", "")
    return Scenario(
        spec=spec,
        site=site,
        site_digest=drawn.digest,
        corridor=corridor,
        roster=roster,
        stands=stands,
        seed=spec.seed,
        hours=float(spec.hours),
        replay=replay_line(name_or_path, settings, seed=spec.seed, hours=hours, trucks=trucks),
        dead_spot=spot,
    )
