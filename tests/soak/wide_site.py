"""
A site with stands for more than five hundred trucks: `stress` with longer yards, and a day on it.

Each yard is a ring of two straights. Both grow by the same length, which fans of parking stands fill: on the way in behind those that are
there, on the way back before the chargers. Everything else stays where it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from fleet.site.load import read_source

BASE: Final = "stress"
SITE_FILE: Final = "wide.yaml"
SCENARIO_FILE: Final = "wide.scenario.yaml"
FANS_EACH_WAY: Final = 4
# A fan of ten stands a side with its leads, and the lane to the next; the lane over the turn keeps the length it has.
FAN_M: Final = 130.0
APART_M: Final = 30.0
MORE_M: Final = FANS_EACH_WAY * (FAN_M + APART_M)
# The last fan on the way in, the first thing on the way back, and the lane between them.
YARDS: Final = (("mn", "mn_park_4", "mn_plug", "mn_4"), ("cn", "cn_park_4", "cn_plug", "cn_3c"))


def wide_site() -> dict[str, Any]:
    """The site, as in a file."""
    tree: dict[str, Any] = json.loads(json.dumps(read_source(BASE).tree))
    tree |= {"site": "wide", "title": "Ganqimaodu with yards for five hundred trucks"}
    for yard in YARDS:
        _widen(tree, *yard)
    return tree


def write_wide(folder: Path, trucks: int) -> Path:
    """Writes the site and a day of so many trucks on it into *folder*; where the day is."""
    (folder / SITE_FILE).write_text(json.dumps(wide_site()), encoding="utf-8")
    day = {
        "scenario": "wide",
        "site": SITE_FILE,
        "trucks": trucks,
        "hours": 24,
        "orders": [{"from": "mn", "to": "cn", "containers": 10_000}],
    }
    (folder / SCENARIO_FILE).write_text(json.dumps(day), encoding="utf-8")
    return folder / SCENARIO_FILE


def _widen(tree: dict[str, Any], yard: str, last_in: str, first_back: str, between: str) -> None:
    """Lengthens the ring of *yard* and puts fans of parking stands into what it has grown by."""
    loop, nodes, lanes, fans = f"{yard}_loop", tree["nodes"], tree["lanes"], tree["fans"]
    straights = [piece for piece in tree["alignments"][loop]["pieces"] if "straight_m" in piece]
    for straight in (straights[0], straights[-1]):
        straight["straight_m"] += MORE_M
    out_m, back_m = nodes[f"{last_in}_b"]["station_m"] + APART_M, nodes[f"{first_back}_a"]["station_m"]
    for node in nodes.values():
        if node.get("on") == loop and node["station_m"] >= back_m:
            node["station_m"] += 2 * MORE_M
    starts_m = [first_m + at * (FAN_M + APART_M) for first_m in (out_m, back_m + MORE_M) for at in range(FANS_EACH_WAY)]
    lane, before = lanes.pop(between), f"{last_in}_b"
    for number, start_m in enumerate(starts_m):
        name = f"{yard}_more_{number + 1}"
        ends = [f"{name}_a", f"{name}_b"]
        nodes |= {end: {"on": loop, "station_m": station_m} for end, station_m in zip(ends, (start_m, start_m + FAN_M), strict=True)}
        lanes[f"{name}_to"] = {**lane, "from": before, "to": ends[0]}
        fans[name] = {**fans[f"{yard}_park_1"], "from": ends[0], "to": ends[1]}
        before = ends[1]
    lanes[between] = {**lane, "from": before}
