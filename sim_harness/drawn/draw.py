"""From a seed to a site file and a scenario file, as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

from sim_harness.clock import Streams
from sim_harness.drawn.parts import Dice, Sketch
from sim_harness.drawn.road import Road
from sim_harness.drawn.yards import add_yard, drawn_yard
from sim_harness.plant import CONTAINERS_A_TRIP
from sim_harness.replay_line import flow

SITE: Final = "site.yaml"
SCENARIO: Final = "scenario.yaml"
TRUCKS_MAX: Final = 10
# With no more stands to spare than this trucks must wait for each other's.
SPARE_FEW: Final = 2
# What a truck does on the road on average, and in a yard.
ROAD_MPS: Final = 5.0
YARD_MPS: Final = 3.5
# A load is one that the site can carry in so many times what it takes when nobody waits: late is then stuck, or nearly.
PATIENCE: Final = 1.5
BEFORE_END_H: Final = 0.005

TRUCK: Final[Mapping[str, Any]] = {
    "length_m": 16.5,
    "width_m": 3.2,
    "wheelbase_m": 8.5,
    "lateral_error_m": 0.1,
    "tare_kg": 30000,
    "load_max_kg": 70000,
    "speed_max_kmh": 25,
    "acceleration_laden_mps2": 0.35,
    "acceleration_empty_mps2": 0.7,
    "brake_service_mps2": 1.5,
    "brake_guaranteed_mps2": 2.2,
    "brake_dead_s": 0.5,
    "brake_build_up_s": 0.5,
    "traction_cutoff_s": 0.2,
    "jerk_mps3": 0.6,
    "roll_back_m": 1.0,
    "bound_max_m": 1.0,
    "battery_kwh": 350,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a seed gives: the two files, and what is in them; *hours* is time enough to serve every truck."""

    seed: int
    site: str
    scenario: str
    trucks: int
    hours: float
    features: frozenset[str]

    def write(self, folder: Path) -> Path:
        """Writes both files; where the scenario is."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SITE).write_text(self.site, encoding="utf-8")
        (folder / SCENARIO).write_text(self.scenario, encoding="utf-8")
        return folder / SCENARIO


def draw(seed: int) -> Drawn:
    """The site and the load of *seed*."""
    dice, sketch = Dice(Streams(seed).stream("site", "layout")), Sketch()
    near, far = drawn_yard(dice, "near", far=False), drawn_yard(dice, "far", far=True)
    road = Road(sketch, dice)
    road.build()
    grade = dice.one_of((0.0, 0.0, 0.02, -0.02))
    start = {"x_m": 0, "y_m": 0, "bearing_deg": dice.whole(0, 359)}
    grades = [{"from_station_m": -1000, "grade": 0.0}, {"from_station_m": 200, "grade": grade}]
    sketch.alignments["main"] = {"start": start, "pieces": [{"straight_m": road.at_m}], "grades": grades}
    # Yards lie along the road's line, which must be laid before them.
    bay_s = max(add_yard(sketch, dice, near, road.at_m), add_yard(sketch, dice, far, road.at_m))
    stand_count = near.stand_count + far.stand_count
    most = min(TRUCKS_MAX, stand_count - 1)
    trucks = most if dice.chance(0.3) else dice.whole(2, most)
    if trucks >= stand_count - SPARE_FEW:
        sketch.features.add("full yards")
    cycle_s = 2.0 * road.at_m / ROAD_MPS + 2.0 * (near.straight_m + far.straight_m) / YARD_MPS + 2.0 * bay_s
    bay_counts = (near.bay_count, far.bay_count)
    # A bay's next truck has to come; and with few stands to spare a truck sets out when another one has arrived.
    spare_s = cycle_s / (4.0 * (stand_count - trucks + 1))
    apart_s = max(road.least_apart_s, (bay_s + 60.0) / min(bay_counts), spare_s)
    trips = dice.whole(trucks, trucks + trucks // 2) if dice.chance(0.5) else trucks
    # Somebody makes the last trip, which ends in the far yard; those he made before it lead back as well.
    hours = round(PATIENCE * (cycle_s * (ceil(trips / trucks) - 0.5) + trips * apart_s) / 3600.0, 2)
    return Drawn(
        seed=seed,
        site=_site(seed, sketch),
        scenario=_scenario(seed, dice, trucks=trucks, trips=trips, hours=hours),
        trucks=trucks,
        hours=hours,
        features=frozenset(sketch.features),
    )


def _site(seed: int, sketch: Sketch) -> str:
    sketch.processes["bay_changeover"] = {"shape": "fixed", "fixed_s": 5}
    if any(row["kind"] == "swap" for fan in sketch.fans.values() for row in fan["rows"]):
        sketch.processes["swap"] = {"shape": "fixed", "fixed_s": 120}
    if any(row["kind"] == "plug" for fan in sketch.fans.values() for row in fan["rows"]):
        sketch.processes["plug"] = {"shape": "fixed", "fixed_s": 240}
    sketch.alignments = {"main": sketch.alignments.pop("main"), **sketch.alignments}
    sections = sketch.sections()
    names = ["origin", "defaults", *sections, "windows", "truck_types"]
    lines = [
        f"# Drawn from seed {seed}: {', '.join(sorted(sketch.features)) or 'plain road'}.",
        f"site: drawn_{seed}",
        f'title: "Drawn from seed {seed}"',
        *_block("standings", dict.fromkeys(names, "A drawn from a seed")),
        "origin: {latitude_deg: 42.4, longitude_deg: 110.1}",
        "defaults: {speed_kmh: 25, width_m: 4.375}",
        *(line for name, entries in sections.items() for line in _block(name, entries)),
        'windows: [{open: "00:00", close: "24:00"}]',
        *_block("truck_types", {"coal_truck_70t": TRUCK}),
    ]
    return "\n".join(lines) + "\n"


def _block(name: str, entries: Mapping[str, Any]) -> list[str]:
    return [f"{name}:", *(f"  {key}: {flow(value)}" for key, value in entries.items())]


def _scenario(seed: int, dice: Dice, *, trucks: int, trips: int, hours: float) -> str:
    """Orders for all trips, at once or in two parts; every container is to be there before the end."""
    first = trips if dice.chance(0.5) else max(1, trips // 2)
    orders = []
    for number, (share, at_h) in enumerate(((first, 0.0), (trips - first, round(0.1 * hours, 3)))):
        if share:
            order = {
                "from": "near",
                "to": "far",
                "containers": CONTAINERS_A_TRIP * share,
                "priority": number * dice.whole(-1, 1),
                "at_h": at_h,
            }
            orders.append({**order, "due_after_h": round(hours - at_h - BEFORE_END_H, 4)})
    lines = [
        f"# Drawn from seed {seed}.",
        f"scenario: drawn_{seed}",
        f"site: {SITE}",
        f"trucks: {trucks}",
        f"hours: {hours}",
        f"seed: {seed}",
        "orders:",
        *(f"  - {flow(order)}" for order in orders),
        "plant: {inspect_share: 0.0, refuse_share: 0.0, portal_alarm_share: 0.0, loader_mtbf_h: 0}",
        f"expect: {{containers_due: {CONTAINERS_A_TRIP * trips}, containers_late: 0}}",
    ]
    return "\n".join(lines) + "\n"
