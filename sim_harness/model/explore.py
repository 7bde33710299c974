"""
Breadth-first search through every state there is.

Nothing is sampled and nothing is cut off: a search ends when every state seen has been looked at, or at the first that must not be. Since
states are met in order of distance, that one is reached in the fewest steps.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored(Generic[State]):
    """
    What a search saw.

    came_from   every state, with the one it was first reached from (None for the start), in order of distance
    found       the first state that must not be; where there is none, the states are all that can be reached
    step_count  steps looked at, whether or not they led anywhere new
    depth       steps to the farthest state
    """

    came_from: dict[State, State | None]
    found: State | None
    step_count: int
    depth: int

    def __len__(self) -> int:
        """How many states."""
        return len(self.came_from)

    def __iter__(self) -> Iterator[State]:
        """The states, nearest first."""
        return iter(self.came_from)

    def way_to(self, state: State) -> list[State]:
        """A shortest way from the start to *state*, both included."""
        way, at = [], state
        while True:
            way.append(at)
            before = self.came_from[at]
            if before is None:
                return way[::-1]
            at = before


def explore(start: State, after: Callable[[State], Iterable[State]], must_not: Callable[[State], bool]) -> Explored[State]:
    """Every state that *after* leads to from *start*, or all as near as the first of which *must_not* is true."""
    came_from: dict[State, State | None] = {start: None}
    nearest, depth, step_count = [start], 0, 0
    if must_not(start):
        return Explored(came_from=came_from, found=start, step_count=0, depth=0)
    while nearest:
        farther: list[State] = []
        for state in nearest:
            for reached in after(state):
                step_count += 1
                if reached in came_from:
                    continue
                came_from[reached] = state
                farther.append(reached)
                if must_not(reached):
                    return Explored(came_from=came_from, found=reached, step_count=step_count, depth=depth + 1)
        nearest = farther
        depth += bool(farther)
    return Explored(came_from=came_from, found=None, step_count=step_count, depth=depth)
