"""Everything durable in the rows of another site: what is forgotten here, the next server does not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

import fleet.server.engine  # noqa: F401 - every kind of fact is declared once this is here
from fleet.server.carry_over import PlaceChanged, _Carrier, carried_over
from fleet.server.dispatch.calls import CallClosed, CallOpened
from fleet.server.dispatch.gates import GateKept
from fleet.server.dispatch.opening import OpeningSet
from fleet.server.dispatch.roads import LaneClosed
from fleet.server.dispatch.sites import BLOCKS_NAMED_MAX, named
from fleet.server.dispatch.stands import BayProven, BayState, StandBooked
from fleet.server.dispatch.trips import TruckKept
from fleet.server.engine import Engine, EngineOptions
from fleet.server.fact_form import _REGISTRY
from fleet.server.facts import DoubtAdded, Fact, LaneLimited, LedgerKept, RouteSet, StretchDerated, TruckRegistered, TruckRemoved
from fleet.server.intrusions import IntrusionKept, IntrusionKind, IntrusionState
from fleet.server.keep_out import Metres
from fleet.server.outgoing import BayCall, BayLeft, GateCall, GatePassed
from fleet.server.site_commands import BlockReason, SiteBlock
from fleet.server.site_facts import SiteInForce, SiteProposed
from fleet.server.succession import SwitchUnsound, _holdings
from fleet.site import load_site
from planner.changes import changes_between
from planner.corridor import Corridor

BEFORE = load_site("mandula")
ROW_NAMES = {"lanes", "changed_lanes"}


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Corridor:
    """A plug and a gate are gone, the border strip is steeper: rows of lanes, stands and gates are others."""
    path: Path = tmp_path_factory.mktemp("site") / "after.yaml"
    path.write_text(
        """
extends: mandula
site: after
gates: {g1: null}
lanes: {sb_2: {grades: [{from_m: 0, grade: 0.01}]}}
fans:
  mn_charge:
    {yard: mn, from: mn_charge_a, to: mn_charge_b, spacing_m: 4.5, lead_m: 28, speed_kmh: 15, prefix: mn,
     rows: [{side: left, kind: swap, count: 2}, {side: right, kind: plug, count: 1}]}
"""
    )
    return load_site(path)


@pytest.fixture
def carry(after: Corridor) -> Callable[..., list[Fact]]:
    """Carries facts over."""
    changed = changes_between(BEFORE, after).lane_ids

    def carried(*facts: Fact) -> list[Fact]:
        return carried_over(facts, BEFORE, after, [BEFORE.lane_ix[lane_id] for lane_id in sorted(changed)])

    return carried


def lanes(*lane_ids: str, site: Corridor = BEFORE) -> tuple[int, ...]:
    """Rows of lanes."""
    return tuple(site.lane_ix[lane_id] for lane_id in lane_ids)


def registered(row: int, *lane_ids: str, rear_m: float, end_m: float, site: Corridor = BEFORE) -> TruckRegistered:
    """A truck that holds [rear, end) of a path that begins at 0."""
    return TruckRegistered(
        row=row,
        truck_id=f"T{row}",
        truck_type_id="coal_truck_70t",
        instance_id="i",
        lanes=lanes(*lane_ids, site=site),
        start_m=0.0,
        rear_m=rear_m,
        end_m=end_m,
        at_ns=1,
    )


def kept(row: int, **changes: Any) -> TruckKept:
    """What the desk knows of a truck."""
    usual: dict[str, Any] = {
        "goal_ix": -1,
        "left_ix": -1,
        "left_m": 0.0,
        "settled": False,
        "staged": False,
        "passed_m": 0.0,
        "entered_m": 0.0,
        "entered_ns": -1,
        "unloaded": False,
        "round_trips": 0,
        "charging": False,
        "decommissioned": False,
        "removed": False,
    }
    return TruckKept(row=row, truck_id=f"T{row}", truck_type_id="coal_truck_70t", **{**usual, **changes})


def row_names(kind: Any) -> set[str]:
    """The fields of *kind* that name rows of a site, with those of whatever it is made of."""
    if not is_dataclass(kind):
        return set().union(*(row_names(part) for part in get_args(kind)))
    hints = get_type_hints(kind)
    own = {entry.name for entry in fields(kind) if entry.name.endswith("_ix") or entry.name in ROW_NAMES}
    return own | {f"{entry.name}.{name}" for entry in fields(kind) for name in row_names(hints[entry.name])}


def test_an_open_intrusion_is_not_carried_over(carry: Callable[..., list[Fact]]) -> None:
    """What is closed around a person was measured out on the map in force: other lanes may lie near him on the next."""
    at = Metres(lane_ix=BEFORE.lane_ix["cn_bay_02"], from_m=1.0, to_m=2.0)
    seen = IntrusionKept(
        intrusion_id="I1",
        number=1,
        kind=IntrusionKind.PERSON,
        state=IntrusionState.SEEN,
        places=(at,),
        radius_m=1.0,
        closed=(at,),
        reporter="op",
        detail="",
        since_ns=1,
        heard_ns=1,
        placed_ns=1,
        until_ns=0,
        stamp_ns=0,
        lag_ns=0,
        request_id="",
        digest="",
    )

    with pytest.raises(PlaceChanged, match="I1"):
        carry(seen)


def test_ice_stays_where_it_was_met_and_is_all_over_a_lane_that_differs(carry: Callable[..., list[Fact]], after: Corridor) -> None:
    """It does not melt when the map changes; on a lane with another course nobody knows which of its metres it is."""
    same, steeper = BEFORE.lane_ix["cn_bay_02"], BEFORE.lane_ix["sb_2"]
    met = [StretchDerated(row=-1, lane_ix=lane, from_m=10.0, to_m=20.0, friction=0.2, at_ns=0) for lane in (same, steeper)]

    assert carry(*met) == [
        replace(met[0], lane_ix=after.lane_ix["cn_bay_02"]),
        replace(met[1], lane_ix=after.lane_ix["sb_2"], from_m=0.0, to_m=after.lanes[after.lane_ix["sb_2"]].length_m),
    ]


def test_ice_on_a_lane_that_is_gone_needs_a_persons_word_first(carry: Callable[..., list[Fact]], after: Corridor) -> None:
    """Other lanes may lie there now, and nobody has slipped on them yet."""
    gone = next(lane.lane_id for lane in BEFORE.lanes if lane.lane_id not in after.lane_ix)
    met = StretchDerated(row=-1, lane_ix=BEFORE.lane_ix[gone], from_m=10.0, to_m=20.0, friction=0.2, at_ns=0)

    with pytest.raises(PlaceChanged, match=gone):
        carry(met)


def test_every_kind_of_fact_that_names_rows_of_a_site_is_known(after: Corridor) -> None:
    """One that is forgotten would name another lane, gate or stand tomorrow. Lanes alone may be left to the usual rule."""
    known = _Carrier(BEFORE, after, frozenset(), [])._sayers
    naming = {name: row_names(kind) for name, kind in _REGISTRY.items() if kind not in known}

    assert {name: rows for name, rows in naming.items() if rows - {"lane_ix"}} == {}


def test_rows_are_found_again_by_name(carry: Callable[..., list[Fact]], after: Corridor) -> None:
    """Closures, limits, gates, stands, opening times."""
    lane, gate, stand = BEFORE.lane_ix["cn_bay_02"], BEFORE.gate_ix["g6"], BEFORE.stand_ix["cn_bay_01"]
    facts = (
        LaneClosed(lane_ix=lane, closed=True, reason="ice", actor="op"),
        LaneLimited(lane_ix=lane, speed_limit_mps=3.0, reason="ice", actor="op"),
        GateKept(gate_ix=gate, called_row=2, open_row=-1, awaits_shut=False),
        StandBooked(stand_ix=stand, row=1),
        BayProven(stand_ix=stand, state=BayState.READY),
        OpeningSet(gate_ix=gate, open=False, until_ns=0),
        OpeningSet(gate_ix=-1, open=True, until_ns=7),
        DoubtAdded(row=0, lane_ix=lane, from_m=1.0, to_m=2.0),
    )
    now = after.lane_ix["cn_bay_02"], after.gate_ix["g6"], after.stand_ix["cn_bay_01"]

    assert all(then != before for then, before in zip(now, (lane, gate, stand), strict=True))
    assert carry(*facts) == [
        replace(facts[0], lane_ix=now[0]),
        replace(facts[1], lane_ix=now[0]),
        replace(facts[2], gate_ix=now[1]),
        replace(facts[3], stand_ix=now[2]),
        replace(facts[4], stand_ix=now[2]),
        replace(facts[5], gate_ix=now[1]),
        facts[6],
        replace(facts[7], lane_ix=now[0]),
    ]


def test_what_is_gone_is_not_spoken_of(carry: Callable[..., list[Fact]]) -> None:
    """Its gate, its stand, its calls; a number once given out stays given."""
    gate, stand = BEFORE.gate_ix["g1"], BEFORE.stand_ix["mn_plug_02"]
    spent = CallOpened(call_id=9, passed=GatePassed(gate_id="", truck_id=""))
    stays = CallOpened(call_id=8, bay=BayCall(bay_id="mn_bay_01", truck_id="T0", work=1, containers=()))

    said = carry(
        GateKept(gate_ix=gate, called_row=-1, open_row=-1, awaits_shut=True),
        OpeningSet(gate_ix=gate, open=False, until_ns=0),
        BayProven(stand_ix=stand, state=BayState.BLOCKED),
        CallOpened(call_id=5, passed=GatePassed(gate_id="g1", truck_id="T0")),
        CallOpened(call_id=6, gate=GateCall(gate_id="g1", truck_id="T0", crossing_id="")),
        CallOpened(call_id=7, left=BayLeft(bay_id="mn_plug_02", truck_id="T0")),
        stays,
        spent,
        CallClosed(call_id=9),
    )

    assert said == [stays, spent, CallClosed(call_id=9)]


def test_a_closure_follows_its_lane_even_where_the_lane_changes(carry: Callable[..., list[Fact]], after: Corridor) -> None:
    """Closures and temporary limits are not part of the map."""
    closed = LaneClosed(lane_ix=BEFORE.lane_ix["sb_2"], closed=True, reason="works", actor="op")

    assert carry(closed) == [replace(closed, lane_ix=after.lane_ix["sb_2"])]


def test_a_path_is_cut_before_the_first_lane_that_changes(carry: Callable[..., list[Fact]], after: Corridor) -> None:
    """What lies behind the rear is dropped, what is held keeps its coordinates to the last bit."""
    exit_m, sb_1_m = (BEFORE.lanes[lane].length_m for lane in lanes("mn_exit", "sb_1"))
    truck = registered(0, "mn_exit", "sb_1", "sb_2", "sb_3", rear_m=exit_m + 10.0, end_m=exit_m + 60.0)
    route = RouteSet(row=0, lanes=truck.lanes, start_m=0.0, goal_m=2000.0)

    said = carry(truck, route, kept(0, goal_ix=BEFORE.stand_ix["cn_park_03"]))

    assert said[0] == replace(truck, start_m=exit_m, lanes=lanes("sb_1", site=after))
    assert said[1] == RouteSet(row=0, lanes=lanes("sb_1", site=after), start_m=exit_m, goal_m=exit_m + sb_1_m)
    assert said[2] == kept(0, goal_ix=after.stand_ix["cn_park_03"])


def test_a_path_that_has_left_the_change_behind_is_kept_whole(carry: Callable[..., list[Fact]], after: Corridor) -> None:
    """Its goal too."""
    sb_2_m = BEFORE.lanes[BEFORE.lane_ix["sb_2"]].length_m
    truck = registered(0, "sb_2", "sb_3", "siding_through", rear_m=sb_2_m, end_m=sb_2_m + 40.0)
    route = RouteSet(row=0, lanes=truck.lanes, start_m=0.0, goal_m=sb_2_m + 90.0)

    said = carry(truck, route)

    assert said[1] == RouteSet(row=0, lanes=lanes("sb_3", "siding_through", site=after), start_m=sb_2_m, goal_m=sb_2_m + 90.0)


def test_a_truck_that_queued_on_a_way_that_is_cut_has_nowhere_to_go_yet(carry: Callable[..., list[Fact]]) -> None:
    """The queue's lane is not on its path any more; a refuge is found for it like for one that has just come."""
    truck = registered(0, "mn_2", "mn_charge_through", "mn_3", rear_m=5.0, end_m=25.0)
    route = RouteSet(row=0, lanes=truck.lanes, start_m=0.0, goal_m=200.0)

    assert carry(truck, route, kept(0, staged=True))[2] == kept(0, staged=False)


def test_a_removed_truck_leaves_its_name_and_no_road(carry: Callable[..., list[Fact]]) -> None:
    """Its row and id stay taken, wherever it was."""
    gone = registered(0, "sb_2", rear_m=5.0, end_m=25.0)
    removal = TruckRemoved(row=0, taken_to="depot", second_person="b", actor="a", at_ns=2)

    said = carry(gone, removal)

    assert said == [replace(gone, lanes=(0,), start_m=25.0), removal]


@pytest.mark.parametrize(
    "facts",
    [
        (DoubtAdded(row=0, lane_ix=BEFORE.lane_ix["sb_2"], from_m=1.0, to_m=2.0),),
        (registered(0, "sb_2", rear_m=5.0, end_m=25.0),),
    ],
)
def test_what_lies_on_a_lane_that_changes_cannot_be_said_anew(carry: Callable[..., list[Fact]], facts: tuple[Fact, ...]) -> None:
    """Where on the new one? Nobody guesses."""
    with pytest.raises(PlaceChanged):
        carry(*facts)


def test_the_site_itself_is_said_by_its_own_snapshot_only(carry: Callable[..., list[Fact]], after: Corridor) -> None:
    """The old one's name must not be the last word about which site the journal is on."""
    old = SiteInForce(site_id="mandula", digest=BEFORE.digest, before_digest="", text="", actor="op", at_ns=1)
    new = replace(old, site_id="after", digest=after.digest, before_digest=BEFORE.digest, text="{}")
    proposed = SiteProposed(
        site_id="after", digest=after.digest, text="{}", changed_lanes=(), changed_truck_type_ids=(), actor="op", at_ns=1
    )

    assert carry(old, proposed) == []
    assert carry(new) == [new]


@pytest.mark.parametrize(("lane_id", "named"), [("cn_bay_01", "T0"), ("cn_bay_02", "")])
def test_a_successor_that_would_know_something_else_is_found_out(after: Corridor, lane_id: str, named: str) -> None:
    """The same facts in rows that nobody translated: the truck would be on another lane, or on none at all."""
    engine = Engine(BEFORE, EngineOptions())
    truck = registered(0, lane_id, rear_m=20.0, end_m=60.0)
    ledger = LedgerKept(
        epoch=np.zeros(1, np.int64),
        sequence=np.zeros(1, np.int64),
        rear_m=np.array([20.0]),
        end_m=np.array([60.0]),
        sent_m=np.array([60.0]),
        pending=np.array([-1]),
    )
    for fact in (truck, ledger, kept(0)):
        engine.loop.apply(fact)

    with pytest.raises(SwitchUnsound) as found:
        engine._succession._require_same(after, [truck, ledger, kept(0)])
    engine._succession._require_same(after, carried_over(engine.loop.remembered(), BEFORE, after, ()))

    assert found.value.truck_id == named
    assert [held["ground"] for held in _holdings(engine.loop, BEFORE)] == [[(lane_id, 20.0, 60.0)]]


def test_two_trucks_on_the_same_ground_are_never_carried_over(after: Corridor) -> None:
    """The judge looks at the ledger as it would be, before anything is promised."""
    engine = Engine(BEFORE, EngineOptions())
    for row in range(2):
        engine.loop.apply(registered(row, "nb_3", rear_m=100.0 + 10.0 * row, end_m=150.0 + 10.0 * row))
        engine.loop.apply(kept(row))
    facts = carried_over(engine.loop.remembered(), BEFORE, after, ())

    with pytest.raises(SwitchUnsound, match="would hold the same at nb_3"):
        engine._succession._require_same(after, facts)


def test_a_block_names_its_reason_in_words() -> None:
    """The sentence an operator reads."""
    blocks = [SiteBlock(truck_id=f"T{at:02}", reason=BlockReason.UNSEEN) for at in range(BLOCKS_NAMED_MAX + 3)]
    blocks.insert(1, SiteBlock(truck_id="T00", reason=BlockReason.ON_CHANGED_LANE, subject_id="sb_2"))

    said = named(blocks)

    assert said.startswith("T00: unseen, on changed lane sb_2; T01: unseen; ")
    assert said.endswith("; and 3 more")
