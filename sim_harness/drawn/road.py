"""
The road of a drawn site: pieces one after another between the two yards, each direction a lane, joined at the same stations.

Plain road lies between all others, so that a truck can always wait there: one-lane sections, two of them with a passing place between,
pairs of crossings where the directions change sides, second lanes, and gates of one to three lanes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

from sim_harness.drawn.parts import Dice, Sketch, work
from sim_harness.drawn.yards import EDGE_M, HALF_M

# Half the distance between the two directions, and what a second lane lies further out.
BESIDE_M: Final = 4.375
SECOND_M: Final = 5.0
APPROACH_M: Final = 130
PLAIN_M: Final = (90, 200)
NARROWS_M: Final = 50
# Where on a narrowing lane the section begins, and where it ends on a widening one.
SECTION_FROM_M: Final = 24
SECTION_TO_M: Final = 26
CROSSING_M: Final = 80
SPLIT_M: Final = 40
GATE_FAN_M: Final = 140
GATE_OFFSETS_M: Final = (0.0, -4.5, 4.5)
GATE_LEAD_M: Final = 30
WAYS: Final = ("sb", "nb")


class Road:
    """A road under construction, from the near yard to the far one."""

    def __init__(self, sketch: Sketch, dice: Dice) -> None:
        self._sketch = sketch
        self._dice = dice
        self._number = 0
        self._side = 1.0
        self.at_m = EDGE_M
        # Seconds that one truck has a section or a gate for itself, the longest of them.
        self.least_apart_s = 20.0
        self._joint(HALF_M)

    def build(self) -> None:
        """Some pieces, and the way to the far yard; `at_m` is then the road's length."""
        pieces: Mapping[str, Callable[[], None]] = {
            "one-lane sections": self._section,
            "passing places": self._passing_place,
            "crossings": self._crossings,
            "second lanes": self._second_lane,
            "gates": self._gate,
        }
        self._ahead(APPROACH_M, BESIDE_M)
        for _ in range(self._dice.whole(1, 3)):
            self._ahead(self._dice.metres(*PLAIN_M))
            feature = self._dice.one_of(list(pieces))
            self._sketch.features.add(feature)
            pieces[feature]()
        self._ahead(self._dice.metres(*PLAIN_M))
        self._ahead(APPROACH_M, HALF_M)
        self._rename(f"sb_{self._number}", "sb_end")
        self._rename(f"nb_{self._number}", "nb_end")
        self.at_m += EDGE_M

    def _rename(self, node: str, name: str) -> None:
        self._sketch.nodes[name] = self._sketch.nodes.pop(node)
        for lane in self._sketch.lanes.values():
            for end in ("from", "to"):
                if lane[end] == node:
                    lane[end] = name

    def _joint(self, beside_m: float) -> None:
        """A node of each direction, *beside_m* from the middle."""
        offset_m = self._side * beside_m
        self._sketch.nodes[f"sb_{self._number}"] = {"on": "main", "station_m": self.at_m, "offset_m": -offset_m}
        self._sketch.nodes[f"nb_{self._number}"] = {"on": "main", "station_m": self.at_m, "offset_m": offset_m, "reverse": True}

    def _ahead(self, metres: float, beside_m: float = BESIDE_M, *, without: str = "") -> int:
        """A lane each way to the next joint, but *without* the one of a direction that something else takes the place of; its number."""
        lane = self._number
        self.at_m += metres
        self._number += 1
        self._joint(beside_m)
        ends = {"sb": (lane, self._number), "nb": (self._number, lane)}
        for way, (start, end) in ends.items():
            if way != without:
                self._sketch.lanes[f"{way}_{lane}"] = {"from": f"{way}_{start}", "to": f"{way}_{end}"}
        return lane

    def _section(self) -> None:
        length_m = self._dice.metres(60, 300)
        first = self._ahead(NARROWS_M, 0.0)
        self._ahead(length_m, 0.0)
        last = self._ahead(NARROWS_M)
        branches: list[list[dict[str, Any]]] = []
        for way, narrows, widens in (("sb", first, last), ("nb", last, first)):
            into: dict[str, Any] = {"lane": f"{way}_{narrows}", "start_m": SECTION_FROM_M}
            branches.append([into, {"lane": f"{way}_{first + 1}"}, {"lane": f"{way}_{widens}", "end_m": SECTION_TO_M}])
        self._sketch.zones[f"narrow_{first}"] = {"kind": "directional", "branches": branches}
        self.least_apart_s = max(self.least_apart_s, (length_m + 2 * NARROWS_M) / 5.0)

    def _passing_place(self) -> None:
        self._section()
        self._ahead(self._dice.metres(60, 180))
        self._section()

    def _crossings(self) -> None:
        self._side = -self._side
        self._ahead(CROSSING_M)
        self._ahead(self._dice.metres(100, 200))
        self._side = -self._side
        self._ahead(CROSSING_M)

    def _second_lane(self) -> None:
        """A stretch on which one direction or both have two lanes."""
        ways = self._dice.one_of((("sb",), ("nb",), WAYS))
        first = self._ahead(SPLIT_M)
        self._ahead(self._dice.metres(60, 200))
        self._ahead(SPLIT_M)
        for way in ways:
            numbers = [first, first + 1, first + 2, first + 3]
            names = [f"{way}_{numbers[0]}", f"{way}_{numbers[1]}_b", f"{way}_{numbers[2]}_b", f"{way}_{numbers[3]}"]
            for number, name in zip(numbers[1:3], names[1:3], strict=True):
                beside = self._sketch.nodes[f"{way}_{number}"]
                further_m = SECOND_M if beside["offset_m"] > 0.0 else -SECOND_M
                self._sketch.nodes[name] = {**beside, "offset_m": beside["offset_m"] + further_m}
            for lane, (near, far) in zip(numbers[:3], itertools.pairwise(names), strict=True):
                start, end = (near, far) if way == "sb" else (far, near)
                self._sketch.lanes[f"{way}_{lane}_b"] = {"from": start, "to": end}

    def _gate(self) -> None:
        """One to three gates side by side for one direction."""
        way, lanes = self._dice.one_of(WAYS), self._dice.whole(1, 3)
        began_m = self.at_m
        at = self._ahead(GATE_FAN_M, without=way)
        ends = (at, at + 1) if way == "sb" else (at + 1, at)
        name = f"g_{way}_{at}"
        process, mean_s = work(self._dice, 4, 20)
        self._sketch.processes[name] = process
        stop_m = began_m + (GATE_FAN_M - 50 if way == "sb" else 50)
        self._sketch.gate_fans[name] = {
            "role": self._dice.one_of(("border", "customs")) if way == "sb" else "border",
            "process": name,
            "from": f"{way}_{ends[0]}",
            "to": f"{way}_{ends[1]}",
            "offsets_m": list(GATE_OFFSETS_M[:lanes]),
            "lead_m": GATE_LEAD_M,
            "stop_station_m": stop_m,
            "speed_kmh": 20,
        }
        self.least_apart_s = max(self.least_apart_s, (mean_s + 25.0) / lanes)
