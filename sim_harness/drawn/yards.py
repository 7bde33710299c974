"""
The yards of a drawn site: one-way rings of two straights and two half circles.

A truck comes in on the outer straight, along parking stands and chargers, turns, and passes the bays on the way out; a lane closes the
ring before the exit. Both yards are one drawing: seen along travel they are alike, the far one turned round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from sim_harness.drawn.parts import Dice, Sketch, work

# Half the distance between the ring's two straights.
HALF_M: Final = 45.0
CURVE_M: Final = 25.0
SLOW_KMH: Final = 15
SPACING_M: Final = 4.5
SLOT_M: Final = 36.0
# A slot with room for a second truck at rest behind the first.
LONG_SLOT_M: Final = 58.0
# A lead that a truck can follow to the outermost of so many stands.
LEAD_M: Final = 22.0
LEAD_EACH_M: Final = 3.1
# Along the outer straight: from the yard's edge to the first fan, and between fans.
FIRST_FAN_M: Final = 75.0
BETWEEN_M: Final = 34.0
BETWEEN_BAYS_M: Final = 50.0
# From the half circle to the first bay fan; from the last one to the fork; from the fork to the yard's edge.
FIRST_BAY_M: Final = 16.5
FORK_M: Final = 42.5
OUT_M: Final = 175.0
EDGE_M: Final = 25.0
IN_M: Final = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class YardPlan:
    """What a yard has: stands a side of each parking, charger and bay fan; whether gates stand at its exit and entry."""

    name: str
    far: bool
    parking: tuple[tuple[int, int], ...]
    chargers: tuple[int, int] | None
    bays: tuple[tuple[int, int], ...]
    exit_gate: bool
    entry_gate: bool

    @property
    def bay_count(self) -> int:
        """How many bays."""
        return sum(map(sum, self.bays))

    @property
    def stand_count(self) -> int:
        """How many stands of any kind."""
        return self.bay_count + sum(map(sum, self.parking)) + sum(self.chargers or ())

    @property
    def bay_slot_m(self) -> float:
        """How long a bay's slot is: where a gate holds trucks up behind the bays, the next ones wait in the bays' lanes."""
        return LONG_SLOT_M if self.exit_gate else SLOT_M

    @property
    def straight_m(self) -> float:
        """How long the ring's straights must be."""
        entry = [fan_m(rows) + BETWEEN_M for rows in self.parking] + ([fan_m(self.chargers) + BETWEEN_M] if self.chargers else [])
        bays_m = sum(fan_m(rows, self.bay_slot_m) for rows in self.bays) + BETWEEN_BAYS_M * (len(self.bays) - 1)
        return math.ceil(max(FIRST_FAN_M + sum(entry), FIRST_BAY_M + bays_m + FORK_M + OUT_M))


def drawn_yard(dice: Dice, name: str, *, far: bool) -> YardPlan:
    """A yard of one to four bays and one to sixteen parking stands, often very few, with chargers in half of all cases."""
    most = 1 if dice.chance(0.4) else 4
    parking = tuple((dice.whole(1, most), dice.whole(0, most)) for _ in range(1 if dice.chance(0.7) else 2))
    chargers = (dice.whole(1, 2), dice.whole(0, 1)) if dice.chance(0.5) else None
    bays = tuple((1, dice.whole(0, 1)) for _ in range(1 if dice.chance(0.7) else 2))
    return YardPlan(
        name=name, far=far, parking=parking, chargers=chargers, bays=bays, exit_gate=dice.chance(0.5), entry_gate=dice.chance(0.5)
    )


def fan_m(rows: tuple[int, int], slot_m: float = SLOT_M) -> float:
    """How long a fan of so many stands a side is."""
    return 2.0 * _lead_m(rows) + slot_m


def _lead_m(rows: tuple[int, int]) -> float:
    return math.ceil(LEAD_M + LEAD_EACH_M * max(rows))


class _Ring:
    """Places along one yard's ring; the far yard's lie beyond the road's end, mirrored."""

    def __init__(self, sketch: Sketch, plan: YardPlan, road_m: float) -> None:
        self._sketch = sketch
        self._plan = plan
        self._road_m = road_m
        self.at_m = 0.0
        self._last = ""
        self._lane_count = 0

    def edge(self, beyond_m: float, *, out: bool) -> dict[str, Any]:
        """A place on the road's line so many metres outside the yard's edge (inside: negative), on the way *out* or in."""
        far = self._plan.far
        station_m = self._road_m - beyond_m if far else beyond_m
        offset_m = HALF_M if far == out else -HALF_M
        place = {"on": "main", "station_m": station_m, "offset_m": offset_m}
        return {**place, "reverse": True} if offset_m > 0.0 else place

    def begin(self, node: str) -> None:
        """The ring's first node."""
        self._last = node

    def lane_to(self, node: str) -> None:
        """A lane from where the ring has come to *node*."""
        self._lane_count += 1
        self._sketch.lanes[f"{self._plan.name}_{self._lane_count}"] = {"from": self._last, "to": node, "speed_kmh": SLOW_KMH}
        self._last = node

    def fan(self, name: str, kind: str, rows: tuple[int, int]) -> None:
        """A fan of stands from here on."""
        ends = [f"{name}_a", f"{name}_b"]
        long_m = fan_m(rows, self._plan.bay_slot_m if kind == "bay" else SLOT_M)
        for node, station_m in zip(ends, (self.at_m, self.at_m + long_m), strict=True):
            self._sketch.nodes[node] = {"on": f"{self._plan.name}_loop", "station_m": round(station_m, 3)}
        self.lane_to(ends[0])
        self._last = ends[1]
        self.at_m += long_m
        self._sketch.fans[name] = {
            "yard": self._plan.name,
            "from": ends[0],
            "to": ends[1],
            "spacing_m": SPACING_M,
            "lead_m": _lead_m(rows),
            "speed_kmh": SLOW_KMH,
            "rows": [{"side": side, "kind": kind, "count": count} for side, count in zip(("left", "right"), rows, strict=True) if count],
        }


def add_yard(sketch: Sketch, dice: Dice, plan: YardPlan, road_m: float) -> float:
    """Draws a yard at its end of a road of *road_m*, and the lanes between it and the road; seconds of work at one of its bays."""
    name, ring = plan.name, _Ring(sketch, plan, road_m)
    corner = [{"arc_deg": 90, "radius_m": CURVE_M, "turn": "left"}]
    straight = [{"straight_m": plan.straight_m}]
    bend = [*corner, {"straight_m": 2.0 * (HALF_M - CURVE_M)}, *corner]
    sketch.alignments[f"{name}_loop"] = {"start": ring.edge(0.0, out=False), "pieces": [*straight, *bend, *straight]}
    incoming, outgoing = ("sb_end", "nb_end") if plan.far else ("nb_0", "sb_0")
    node_in, node_out = f"{name}_in", f"{name}_out"
    sketch.nodes[node_in] = ring.edge(-IN_M, out=False)
    sketch.lanes[f"{name}_entry"] = {"from": incoming, "to": node_in, "speed_kmh": SLOW_KMH}
    ring.begin(node_in)
    ring.at_m = FIRST_FAN_M
    for number, rows in enumerate(plan.parking, start=1):
        ring.fan(f"{name}_park_{number}", "parking", rows)
        ring.at_m += BETWEEN_M
    if plan.chargers:
        ring.fan(f"{name}_plug", dice.one_of(("plug", "swap")), plan.chargers)
    ring.at_m = plan.straight_m + math.pi * CURVE_M + 2.0 * (HALF_M - CURVE_M) + FIRST_BAY_M
    for number, rows in enumerate(plan.bays, start=1):
        ring.fan(f"{name}_bay_{number}", "bay", rows)
        ring.at_m += BETWEEN_BAYS_M
    sketch.nodes[node_out] = ring.edge(-OUT_M, out=True)
    ring.lane_to(node_out)
    sketch.lanes[f"{name}_round"] = {"from": node_out, "to": node_in, "radius_m": 20, "speed_kmh": SLOW_KMH}
    sketch.lanes[f"{name}_exit"] = {"from": node_out, "to": outgoing, "speed_kmh": SLOW_KMH}
    for wanted, role in ((plan.exit_gate, "exit"), (plan.entry_gate, "entry")):
        if wanted:
            gate = f"{name}_{role}"
            sketch.processes[gate], _ = work(dice, 4, 15)
            sketch.gates[f"g_{gate}"] = {"lane": gate, "role": role, "process": gate, "stop_station_m": road_m if plan.far else 0.0}
            sketch.features.add("gates")
    role = "unloading" if plan.far else "loading"
    sketch.yards[name] = {"role": role, "timezone": "Asia/Shanghai", "entry_lanes": [f"{name}_entry"]}
    if plan.exit_gate:
        sketch.features.add("places behind bays")
    process, mean_s = work(dice, 15, 45)
    if not plan.far:
        sketch.processes["bay"] = process
    return mean_s
