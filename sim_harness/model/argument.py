"""What is claimed of every state, and the search for one that breaks the claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sim_harness.model.design import Bounds, Design
from sim_harness.model.explore import Explored, explore
from sim_harness.model.servers import beginnings, server_moves
from sim_harness.model.state import BOTH, GRANT, START, Move, State, Step, canonical, settled
from sim_harness.model.trucks import truck_moves


def both_hold(state: State) -> bool:
    """Both trucks are in the zone or may enter it, by what they hold onboard: exclusivity is broken."""
    first, second = state.trucks
    return first.holds and second.holds


def both_inside(state: State) -> bool:
    """Both trucks are in the zone."""
    first, second = state.trucks
    return first.place % 2 == 1 and second.place % 2 == 1


def journal_misses(state: State) -> bool:
    """
    The journal tells of less than may be held: an end on board or on its way lies beyond the one it remembers, or a rear it takes for
    proven ahead of the truck.
    """
    rows = state.journal.rows
    if any(word.kind == GRANT and word.end > rows[word.truck].end for word in state.words):
        return True
    return any(state.trucks[at].end > rows[at].end or state.trucks[at].place < 2 * rows[at].rear for at in BOTH)


def both_granted(state: State) -> bool:
    """The journal, or the server in charge, gives the zone to both: what the judge objects to."""
    ledgers = [state.journal.rows, *(server.rows for server in state.servers if server.epoch == state.journal.epoch)]
    return any(rows[0].holds and rows[1].holds for rows in ledgers)


def moves(design: Design, bounds: Bounds, state: State) -> Iterator[Move]:
    """All that may happen next."""
    for at in BOTH:
        yield from truck_moves(design, bounds, state, at)
    for at in range(len(state.servers)):
        yield from server_moves(design, bounds, state, at)
    yield from beginnings(design, bounds, state)


def explore_design(
    design: Design, bounds: Bounds, must_not: Callable[[State], bool] = both_hold, *, reduced: bool = True
) -> Explored[State]:
    """
    Every state of *design* within *bounds*, or all as near as the first of which *must_not* is true.

    *reduced*: trucks have no names, and deposed servers are forgotten. The other search visits the same road, only more often.
    """

    def after(state: State) -> Iterator[State]:
        for _, reached in moves(design, bounds, state):
            yield canonical(design, reached) if reduced else settled(design, reached, forget=False)

    return explore(START, after, must_not)


def story_of(design: Design, bounds: Bounds, explored: Explored[State], state: State) -> list[Step]:
    """What happens on a shortest way to *state* of a reduced search, told of trucks that keep their names."""
    story: list[Step] = []
    here = START
    for aim in explored.way_to(state)[1:]:
        step, reached = next(move for move in moves(design, bounds, here) if canonical(design, move[1]) == aim)
        story.append(step)
        here = settled(design, reached)
    return story


def allowed_count(design: Design, bounds: Bounds, story: Sequence[Step]) -> int:
    """How many steps of *story* the *design* allows before the first that it does not."""
    here = START
    for count, told in enumerate(story):
        reached = [state for step, state in moves(design, bounds, here) if step == told]
        if not reached:
            return count
        here = settled(design, reached[0])
    return len(story)
