"""
The task behind an outlook: which passages meet, who follows whom, and the operations of each truck.

Resources are not zones but the meetings themselves, one for each two passages of which only one can be under way: so trucks on
one branch follow one another, and two that hold different parts of a chain do not hinder each other. A truck that follows another to the
same mouth needs what that one lets go of when it enters: their order is not the plan's to change. Gates are resources as they are.

Only passages that meet another or lead to one that does are operations; the rest of a way is driving time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from planner.foresight import CONTEST_S
from planner.foresight.seen import NO_GATE, Chart, Passage, Seen, Way, way_of
from planner.timetable.task import Delay, Event, Operation, Task, Use

UNITS_PER_S: Final = 10
FOLLOW_S: Final = 6.0  # between two trucks at one mouth
CLEAR_S: Final = 2.0  # from a tail's leaving to the next truck's entering: report, tick, message, and getting under way

Place = tuple[int, int]  # a way, and a passage of it


def units(seconds: float) -> int:
    """Whole units of a task's time."""
    return round(seconds * UNITS_PER_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """
    A task, and what its events mean.

    *entries*: by truck of the task and operation, the passage that begins with it, for passages that meet another; *contested*
    the zones where they do.
    """

    seen_ns: int
    task: Task
    entries: dict[tuple[int, int], Passage]
    contested: frozenset[int]


def ways_of(seen: Seen, chart: Chart) -> list[Way]:
    """
    The ways of all trucks that come, as far as they can be known.

    Behind a truck that does not come the way ends: nobody knows until when.
    """
    fleet = range(len(seen.comes))
    standing: dict[int, list[float]] = defaultdict(list)
    for row in fleet:
        if not seen.comes[row] and seen.path_count[row]:
            k = _k_at(seen, row, float(seen.nose_m[row]))
            standing[int(seen.path_lane[row, k])].append(float(seen.nose_m[row] - seen.path_start_m[row, k]))
    return [way_of(seen, chart, row, _open_m(seen, row, standing)) for row in fleet if seen.comes[row] and seen.path_count[row]]


def _k_at(seen: Seen, row: int, path_m: float) -> int:
    count = int(seen.path_count[row])
    return max(0, min(count, int(np.searchsorted(seen.path_start_m[row, :count], path_m, side="right"))) - 1)


def _open_m(seen: Seen, row: int, standing: dict[int, list[float]]) -> float:
    """Path coordinate up to which the way of *row* is known."""
    way_m, nose_m = float(seen.way_m[row]), float(seen.nose_m[row])
    for k in range(int(seen.path_count[row])):
        base_m = float(seen.path_start_m[row, k])
        for chainage_m in standing.get(int(seen.path_lane[row, k]), ()):
            if base_m + chainage_m > nose_m:
                way_m = min(way_m, base_m + chainage_m)
    return way_m


def meetings_of(ways: Sequence[Way], chart: Chart) -> dict[tuple[Place, Place], int]:
    """Each two passages of which one must wait for the other, with a zone where they meet."""
    by_zone: dict[int, list[tuple[float, Place, int]]] = defaultdict(list)
    for w, way in enumerate(ways):
        for p, passage in enumerate(way.passages):
            for zone, branch in passage.zones.items():
                by_zone[zone].append((passage.arrive_s, (w, p), branch))
    found: dict[tuple[Place, Place], int] = {}
    for zone, comers in by_zone.items():
        comers.sort()
        for at, (arrive_s, place, branch) in enumerate(comers):
            for later_s, other, other_branch in comers[at + 1 :]:
                if later_s - arrive_s > CONTEST_S:
                    break
                apart = other[0] != place[0] and (chart.exclusive[zone] or branch != other_branch)
                if apart and not (_at(ways, place).held and _at(ways, other).held):
                    found.setdefault((min(place, other), max(place, other)), zone)
    return found


def _at(ways: Sequence[Way], place: Place) -> Passage:
    return ways[place[0]].passages[place[1]]


def _leaders(seen: Seen, ways: Sequence[Way]) -> dict[int, int]:
    """By place in *ways*, the place of the truck ahead on the road."""
    noses: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for w, way in enumerate(ways):
        k = _k_at(seen, way.row, float(seen.nose_m[way.row]))
        noses[int(seen.path_lane[way.row, k])].append((float(seen.nose_m[way.row] - seen.path_start_m[way.row, k]), w))
    found: dict[int, int] = {}
    for w, way in enumerate(ways):
        nose_m = float(seen.nose_m[way.row])
        first_k = _k_at(seen, way.row, nose_m)
        for k in range(first_k, int(seen.path_count[way.row])):
            after_m = nose_m - float(seen.path_start_m[way.row, k])
            ahead = [each for each in noses.get(int(seen.path_lane[way.row, k]), ()) if each[1] != w and each > (after_m, w)]
            if ahead:
                found[w] = min(ahead)[1]
                break
    return found


def _fall_in(ways: Sequence[Way], leaders: dict[int, int], chart: Chart) -> None:
    """Makes each truck as late as the one ahead makes it, from the foremost back."""
    done: set[int] = set()
    for w in range(len(ways)):
        line = [w]
        while line[-1] in leaders and leaders[line[-1]] not in done and leaders[line[-1]] not in line:
            line.append(leaders[line[-1]])
        for each in reversed(line):
            if each not in done and each in leaders:
                _follow(ways[each], ways[leaders[each]], chart)
            done.add(each)


def _follow(way: Way, ahead: Way, chart: Chart) -> None:
    leads = {passage.mouth: passage for passage in ahead.passages if not passage.held}
    late_s = 0.0
    for passage in way.passages:
        lead = leads.get(passage.mouth)
        if lead is not None and not passage.held:
            service_s = chart.service_s[passage.gate_ix] if passage.gate_ix != NO_GATE else 0.0
            late_s = max(late_s, lead.arrive_s + max(FOLLOW_S, service_s) - passage.arrive_s)
        if not passage.held:
            passage.arrive_s += late_s


@dataclass(slots=True)
class _Uses:
    """Resources by place: those of the passage itself, and those that a truck has until it enters."""

    count: int = 0
    during: dict[Place, list[Use]] = field(default_factory=lambda: defaultdict(list))
    before: dict[Place, list[Use]] = field(default_factory=lambda: defaultdict(list))
    gates: dict[int, int] = field(default_factory=dict)

    def new(self) -> int:
        self.count += 1
        return self.count - 1

    def gate(self, gate_ix: int) -> Use:
        if gate_ix not in self.gates:
            self.gates[gate_ix] = self.new()
        return Use(resource=self.gates[gate_ix])


def _linked(ways: Sequence[Way], leaders: dict[int, int], meetings: Iterable[tuple[Place, Place]]) -> tuple[set[Place], _Uses]:
    """Which passages are operations, and what each needs."""
    uses = _Uses()
    waiting: list[Place] = []
    for one, other in meetings:
        use = Use(resource=uses.new(), release=units(CLEAR_S))
        for place in (one, other):
            uses.during[place].append(use)
            waiting.append(place)
    linked: set[Place] = set()
    while waiting:
        place = waiting.pop()
        w, p = place
        if place in linked:
            continue
        linked.add(place)
        passages = ways[w].passages
        waiting += [(w, at) for at in range(p) if passages[at].gate_ix != NO_GATE]
        leader = leaders.get(w)
        if leader is None or passages[p].held:
            continue
        ahead = next((at for at, each in enumerate(ways[leader].passages) if each.mouth == passages[p].mouth and not each.held), None)
        if ahead is not None:
            resource = uses.new()
            uses.before[leader, ahead].append(Use(resource=resource, release=units(FOLLOW_S)))
            uses.during[place].append(Use(resource=resource))
            waiting.append((leader, ahead))
    return linked, uses


def outlook_of(seen: Seen, chart: Chart) -> Outlook | None:
    """The task of the next minutes; None where no two trucks meet."""
    ways, leaders = lined_up(seen, chart)
    return outlook_among(ways, leaders, chart, seen.now_ns)


def lined_up(seen: Seen, chart: Chart) -> tuple[list[Way], dict[int, int]]:
    """The ways of all trucks that come, none through one ahead; and by place in them, the place of the truck ahead."""
    ways = ways_of(seen, chart)
    leaders = _leaders(seen, ways)
    _fall_in(ways, leaders, chart)
    return ways, leaders


def outlook_among(ways: Sequence[Way], leaders: dict[int, int], chart: Chart, seen_ns: int) -> Outlook | None:
    """The task of the next minutes on *ways* that are lined up; None where no two trucks meet."""
    meetings = meetings_of(ways, chart)
    if not meetings:
        return None
    linked, uses = _linked(ways, leaders, sorted(meetings))
    met = {place for pair in meetings for place in pair}
    trucks: list[tuple[Operation, ...]] = []
    delays: list[Delay] = []
    entries: dict[tuple[int, int], Passage] = {}
    for w, way in enumerate(ways):
        mine = [p for p in range(len(way.passages)) if (w, p) in linked]
        if not mine:
            continue
        operations, begins = _operations(way, [(p, (w, p)) for p in mine], uses, chart)
        for p, operation in begins.items():
            if (w, p) in met:
                entries[len(trucks), operation] = way.passages[p]
        unhindered = sum(each.duration for each in operations)
        delays.append(Delay(truck=len(trucks), operation=len(operations) - 1, threshold=unhindered, coeff=1))
        trucks.append(operations)
    begun = tuple(Event(time=0, truck=truck, operation=0) for truck in range(len(trucks)))
    task = Task(trucks=tuple(trucks), delays=tuple(delays), begun=begun)
    return Outlook(seen_ns=seen_ns, task=task, entries=entries, contested=frozenset(_zones(ways, meetings, chart)))


def _zones(ways: Sequence[Way], meetings: Iterable[tuple[Place, Place]], chart: Chart) -> Iterable[int]:
    """Every zone where two passages meet by different branches."""
    for one, other in meetings:
        zones, others = _at(ways, one).zones, _at(ways, other).zones
        for zone in zones.keys() & others.keys():
            if chart.exclusive[zone] or zones[zone] != others[zone]:
                yield zone


def _operations(way: Way, mine: Sequence[tuple[int, Place]], uses: _Uses, chart: Chart) -> tuple[tuple[Operation, ...], dict[int, int]]:
    """A truck's operations, and by passage the one that begins with it, for passages yet to come."""
    chain: list[Operation] = []
    begins: dict[int, int] = {}
    held = [(way.passages[p], place) for p, place in mine if way.passages[p].held]
    ahead = [(p, way.passages[p], place) for p, place in mine if not way.passages[p].held]
    at_s = max((passage.pass_s for passage, _ in held), default=0.0)
    pending = [use for _, _, place in ahead for use in uses.before[place]]
    chain.append(Operation(duration=units(at_s), uses=(*_all(uses.during[place] for _, place in held), *pending)))
    for p, passage, place in ahead:
        service_s = chart.service_s[passage.gate_ix] if passage.gate_ix != NO_GATE else 0.0
        chain.append(Operation(duration=units(max(0.0, passage.arrive_s - service_s - at_s)), uses=tuple(pending)))
        gate = () if passage.gate_ix == NO_GATE else (uses.gate(passage.gate_ix),)
        if gate:
            chain.append(Operation(duration=units(service_s), uses=(*pending, *gate)))
        pending = pending[len(uses.before[place]) :]
        begins[p] = len(chain)
        chain.append(Operation(duration=units(passage.pass_s), uses=(*uses.during[place], *gate, *pending)))
        at_s = passage.arrive_s + passage.pass_s
    chain.append(Operation())
    return tuple(replace(each, successors=(at + 1,)) if at + 1 < len(chain) else each for at, each in enumerate(chain)), begins


def _all(lists: Iterable[list[Use]]) -> list[Use]:
    return [use for each in lists for use in each]
