"""Words about intruders on the ring, and what became of them: what the tests of both are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from fleet.server.commands import ReleaseIntrusion, ReportIntrusion, StretchAnswer
from fleet.server.inputs import OBSTACLE_SEEN, CommandGiven, LanePlace, TruckEventHeard
from fleet.server.intrusions import IntrusionKind
from fleet.server.outgoing import Outgoing, Reaction

MakeWorld: TypeAlias = Callable[..., Any]
TICK_NS: Final = 100_000_000
PERSON, MANNED = int(IntrusionKind.PERSON), int(IntrusionKind.MANNED_TRUCK)


def given(command: object, ticket: int = 1) -> CommandGiven:
    """A command of an operator."""
    return CommandGiven(ticket=ticket, command=command, actor="operator")


def running(make_world: MakeWorld, count: int = 1, ticks: int = 150) -> Any:
    """A world whose trucks drive on the road out."""
    world = make_world(count)
    world.greet_all()
    world.run(ticks)
    return world


def seen(from_m: float, to_m: float, intrusion_id: str = "man", lane_id: str = "out", kind: int = PERSON) -> CommandGiven:
    """Somebody saw something on a lane."""
    stretch = StretchAnswer(lane_id=lane_id, start_m=from_m, end_m=to_m)
    return given(ReportIntrusion(request_id="r", intrusion_id=intrusion_id, kind=kind, places=(stretch,), radius_m=0.0))


def tracked(at_m: float, stamp_ns: int, speed_mps: float = 0.0, lane_id: str = "out") -> CommandGiven:
    """The word of a transponder."""
    place = StretchAnswer(lane_id=lane_id, start_m=at_m, end_m=at_m)
    command = ReportIntrusion(
        request_id="r", intrusion_id="pickup", kind=MANNED, places=(place,), radius_m=8.0, tracked=True, speed_mps=speed_mps, stamp_ns=stamp_ns
    )  # fmt: skip
    return given(command)


def released(intrusion_id: str = "man") -> CommandGiven:
    """A person says that the place is clear."""
    return given(ReleaseIntrusion(request_id="c", intrusion_id=intrusion_id))


def sighting(place: LanePlace | None, row: int = 0) -> TruckEventHeard:
    """A truck's own word."""
    return TruckEventHeard(row=row, stamp_ns=1, kind=OBSTACLE_SEEN, detail="30 m ahead", place=place)


def closed(world: Any, lane_id: str, intrusion_id: str = "man") -> tuple[float, float]:
    """The metres of a lane that an intrusion keeps clear; (0, 0) for none."""
    lane_ix = world.corridor.lane_ix[lane_id]
    kept = world.loop.intrusions.book.open[intrusion_id]
    return next(((at.from_m, at.to_m) for at in kept.closed if at.lane_ix == lane_ix), (0.0, 0.0))


def stops_of(said: Sequence[Outgoing], row: int = 0) -> set[tuple[str, Reaction]]:
    """The stops that a truck was told."""
    return {(stop.stop_id, stop.reaction) for out in said for stop in out.stops if stop.row == row}


def meets(world: Any, row: int) -> bool:
    """Whether a truck holds road that is kept clear, by brute force."""
    road = [at for kept in world.loop.intrusions.book.open.values() for at in kept.closed]
    ground = world.table.ground(row)
    return any(at.lane_ix == lane and at.from_m < high_m and low_m < at.to_m for at in road for lane, low_m, high_m in ground)
