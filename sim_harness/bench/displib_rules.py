"""
The rules of DISPLIB 2025 as plain code over plain data: whether a solution's events obey them, and what they cost.

This knows nothing of the planner: it plays the events in their order over a table of who has what. Who has let go of something
leaves behind until when nobody else may take it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Json = Mapping[str, Any]

NEVER: Final = float("inf")


class _Road:
    """Who has each resource, and until when those who had it keep others off."""

    def __init__(self) -> None:
        self._users: dict[str, list[int]] = defaultdict(list)
        self._until: dict[str, dict[int, float]] = defaultdict(dict)

    def give_back(self, train: int, operation: Json, time: float) -> None:
        for use in operation.get("resources", []):
            self._users[use["resource"]].remove(train)
            until = self._until[use["resource"]]
            until[train] = max(until.get(train, 0), time + use.get("release_time", 0))

    def take(self, train: int, operation: Json, time: float) -> Iterator[str]:
        for use in operation.get("resources", []):
            name = use["resource"]
            for other in sorted(set(self._users[name]) - {train}):
                yield f"takes {name}, which train {other} has"
            for other, until in self._until[name].items():
                if other != train and until > time:
                    yield f"takes {name} before train {other}'s release at {until}"
            self._users[name].append(train)


def _start_faults(operation: Json, time: float) -> Iterator[str]:
    if time < operation.get("start_lb", 0):
        yield f"begins before {operation['start_lb']}"
    latest = operation.get("start_ub")
    if latest is not None and time > latest:
        yield f"begins after {latest}"


def _step_faults(previous: tuple[int, float] | None, operations: Sequence[Json], index: int, time: float) -> Iterator[str]:
    """What is wrong with going on to *index* from the previous (operation, time)."""
    if previous is None:
        if index != 0:
            yield "is not where the train begins"
        return
    before, since = previous
    if index not in operations[before]["successors"]:
        yield f"does not follow operation {before}"
    if time < since + operations[before].get("min_duration", 0):
        yield f"begins before operation {before} has lasted"


def event_cost(problem: Json, events: Sequence[Json]) -> int:
    """What the events cost."""
    terms: dict[tuple[int, int], list[Json]] = defaultdict(list)
    for term in problem["objective"]:
        if term["type"] != "op_delay":
            raise ValueError(f"objectives of type {term['type']!r} are not known")
        terms[term["train"], term["operation"]].append(term)
    cost = 0
    for event in events:
        for term in terms[event["train"], event["operation"]]:
            late = event["time"] - term.get("threshold", 0)
            cost += term.get("coeff", 0) * max(0, late)
            cost += term.get("increment", 0) if late >= 0 else 0
    return cost


def faults(problem: Json, solution: Json) -> list[str]:
    """Every rule that *solution* breaks; none where it is a solution."""
    trains = problem["trains"]
    found: list[str] = []
    at: dict[int, tuple[int, float]] = {}
    road = _Road()
    clock: float = -NEVER
    for event in solution["events"]:
        time, train, index = event["time"], event["train"], event["operation"]
        if time < clock:
            found.append(f"time runs back from {clock} to {time}")
        clock = time
        if not (0 <= train < len(trains) and 0 <= index < len(trains[train])):
            found.append(f"there is no operation {index} of train {train}")
            continue
        operation = trains[train][index]
        wrong = [*_start_faults(operation, time), *_step_faults(at.get(train), trains[train], index, time)]
        if train in at:
            road.give_back(train, trains[train][at[train][0]], time)
        wrong += road.take(train, operation, time)
        found += [f"at {time} operation {index} of train {train} {each}" for each in wrong]
        at[train] = (index, time)
    for train, operations in enumerate(trains):
        if at.get(train, (None, 0))[0] != len(operations) - 1:
            found.append(f"train {train} does not reach its last operation")
    cost = event_cost(problem, solution["events"])
    if cost != solution["objective_value"]:
        found.append(f"costs {cost}, not {solution['objective_value']}")
    return found
