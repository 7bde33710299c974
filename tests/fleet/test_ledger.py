"""The ledger's own rules: order of terms, and what may free road."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.server.facts import RouteSet, TruckGreeted, TruckRegistered
from fleet.server.loop.ledger import GrantUnlawful, Ledger, PathBroken
from planner.tables import LaneTable, TruckTable
from sim_harness.tiny import tiny_corridor

OUT, UNLOAD, BACK = 0, 1, 3


def ledger_of_one() -> Ledger:
    """One greeted truck on `out` with its route sent; ground [20, 60)."""
    corridor = tiny_corridor()
    ledger = Ledger(corridor, TruckTable(LaneTable.of(corridor), capacity=2))
    ledger.apply(
        TruckRegistered(
            row=0,
            truck_id="T0",
            truck_type_id="coal_truck_70t",
            instance_id="i",
            lanes=(OUT,),
            start_m=0.0,
            rear_m=20.0,
            end_m=60.0,
            at_ns=0,
        )
    )
    ledger.begin(1)
    greet(ledger)
    return ledger


def greet(ledger: Ledger) -> None:
    """The truck's hello in the present epoch, and its route."""
    ledger.apply(
        TruckGreeted(
            row=0, epoch=ledger.epoch, instance_id="i", boot_id="b", stamp_ns=0, seen_epoch=0, seen_sequence=0, end_m=60.0, at_ns=0
        )
    )
    ledger.send_route(0)


def grant(ledger: Ledger, end_m: float) -> None:
    """An end for the one truck."""
    ledger.grant(np.array([0], np.int32), np.array([end_m]), tick=1, now_ns=0)


def test_terms_rise_over_routes_grants_and_shortenings() -> None:
    """One sequence for all three: a truck takes only a higher term, whatever it is about."""
    ledger = ledger_of_one()
    terms = [int(ledger.issued_sequence[0])]

    for act in (
        lambda: grant(ledger, 70.0),
        lambda: ledger.send_route(0),
        lambda: grant(ledger, 80.0),
        lambda: ledger.shorten(0, 75.0, ""),
    ):
        act()
        terms.append(int(ledger.issued_sequence[0]))

    assert terms == [1, 2, 3, 4, 5]


def test_a_sent_shortening_frees_nothing() -> None:
    """It may never arrive, and then the truck drives to the old end."""
    ledger = ledger_of_one()
    grant(ledger, 100.0)

    ledger.shorten(0, 70.0, "gate")

    assert (ledger.trucks.end_m[0], ledger.trucks.sent_m[0]) == (100.0, 70.0)


def test_an_honoured_shortening_frees_what_was_asked() -> None:
    """The truck proves that it holds no more."""
    ledger = ledger_of_one()
    grant(ledger, 100.0)
    asked = ledger.shorten(0, 70.0, "gate")

    ledger.acknowledge(0, 1, asked.sequence, honoured=True, end_m=70.0)

    assert ledger.trucks.end_m[0] == 70.0


def test_an_offer_frees_only_up_to_itself() -> None:
    """A truck that cannot stop that soon names the earliest end it can honour."""
    ledger = ledger_of_one()
    grant(ledger, 100.0)
    asked = ledger.shorten(0, 70.0, "gate")

    ledger.acknowledge(0, 1, asked.sequence, honoured=False, end_m=85.0)

    assert ledger.trucks.end_m[0] == 85.0
    grant(ledger, 90.0)


@pytest.mark.parametrize(
    ("epoch", "older", "honoured", "end_m"),
    [(0, 0, True, 70.0), (2, 0, True, 70.0), (1, 1, True, 70.0), (1, 0, True, 71.0), (1, 0, False, 101.0), (1, 0, True, float("nan"))],
)
def test_any_other_answer_frees_nothing(epoch: int, older: int, honoured: bool, end_m: float) -> None:
    """Old answers, answers in another epoch, and answers that contradict themselves prove nothing."""
    ledger = ledger_of_one()
    grant(ledger, 100.0)
    asked = ledger.shorten(0, 70.0, "gate")

    answer = ledger.acknowledge(0, epoch, asked.sequence - older, honoured=honoured, end_m=end_m)

    assert answer is None
    assert ledger.trucks.end_m[0] == 100.0


def test_no_grant_while_a_shortening_waits() -> None:
    """The truck may take either; only its answer says which end counts."""
    ledger = ledger_of_one()
    ledger.shorten(0, 50.0, "gate")

    with pytest.raises(GrantUnlawful):
        grant(ledger, 80.0)


def test_no_grant_before_a_hello_in_this_epoch() -> None:
    """A truck of the old term has not agreed to ours."""
    ledger = ledger_of_one()
    ledger.begin(2)

    with pytest.raises(GrantUnlawful):
        grant(ledger, 80.0)


@pytest.mark.parametrize("end_m", [59.0, 1000.5])
def test_no_grant_behind_the_end_held_or_beyond_the_path(end_m: float) -> None:
    """Ends move forward by grants, and only along the road the truck was told."""
    ledger = ledger_of_one()

    with pytest.raises(GrantUnlawful):
        grant(ledger, end_m)


def test_a_new_epoch_starts_its_sequence_anew_and_keeps_every_end() -> None:
    """The pair (epoch, sequence) rises; the road stays whose it was."""
    ledger = ledger_of_one()
    grant(ledger, 100.0)
    ledger.begin(2)
    greet(ledger)

    grant(ledger, 100.0)

    assert (int(ledger.issued_epoch[0]), int(ledger.issued_sequence[0])) == (2, 2)
    assert ledger.trucks.end_m[0] == 100.0


@pytest.mark.parametrize(("seen", "known"), [((0, 0), True), ((1, 2), True), ((1, 3), False), ((2, 0), False)])
def test_it_knows_whether_it_issued_what_a_truck_has_seen(seen: tuple[int, int], known: bool) -> None:
    """A truck that has seen more proves that this is not the newest journal."""
    ledger = ledger_of_one()
    grant(ledger, 70.0)

    assert ledger.knows_of(0, *seen) is known


def test_a_route_may_change_only_beyond_what_is_held() -> None:
    """Ground held keeps its lanes and its coordinates."""
    ledger = ledger_of_one()
    ledger.apply(RouteSet(row=0, lanes=(OUT, UNLOAD), start_m=0.0, goal_m=900.0))

    with pytest.raises(PathBroken):
        ledger.apply(RouteSet(row=0, lanes=(BACK,), start_m=0.0, goal_m=900.0))
    with pytest.raises(PathBroken):
        ledger.apply(RouteSet(row=0, lanes=(OUT, UNLOAD), start_m=5.0, goal_m=900.0))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["grant", "shorten", "honour", "offer", "old"]), st.floats(0.0, 200.0)), max_size=30))
def test_the_end_held_is_never_less_than_what_the_truck_may_think(steps: list[tuple[str, float]]) -> None:
    """Against every order of grants, shortenings, answers and lost messages: the truck took any subset, in order."""
    ledger = ledger_of_one()
    may_hold = {60.0}
    for act, value_m in steps:
        end_m, pending = float(ledger.trucks.end_m[0]), int(ledger.pending[0])
        if act == "grant" and pending < 0:
            grant(ledger, end_m + value_m if end_m + value_m <= 1000.0 else end_m)
            may_hold.add(float(ledger.trucks.end_m[0]))
        elif act == "shorten":
            may_hold.add(ledger.shorten(0, end_m - value_m, "").end_m)
        elif act == "honour" and pending >= 0:
            ledger.acknowledge(0, 1, pending, honoured=True, end_m=float(ledger.trucks.sent_m[0]))
            may_hold = {float(ledger.trucks.sent_m[0])}
        elif act == "offer" and pending >= 0:
            offer_m = min(float(ledger.trucks.sent_m[0]) + value_m, end_m)
            ledger.acknowledge(0, 1, pending, honoured=False, end_m=offer_m)
            may_hold = {offer_m}
        elif act == "old":
            ledger.acknowledge(0, 1, pending - 1, honoured=True, end_m=value_m)

        assert max(may_hold) <= ledger.trucks.end_m[0] + 1e-6
