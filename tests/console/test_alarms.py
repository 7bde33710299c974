"""What a person should look at, and who said that he does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.client.values import BlockedBay, OverdueGate
from fleet.console.alarms import Alarms, NothingToAcknowledge, about_bays, about_gates, concerns

FULL_WH = {"coal_truck_70t": 350_000.0}


def truck(truck_id: str, **changes: Any) -> dict[str, Any]:
    """A truck that nobody need look at."""
    well = {"id": truck_id, "type": "coal_truck_70t", "session": "live", "for": None, "held": False, "brakes": 1.0, "wh": 300_000}
    return {**well, **changes}


def test_a_fleet_that_is_well_needs_nobody() -> None:
    """A list that is never empty is not read."""
    assert concerns([truck("t1"), truck("t2", brakes=0.0)], [{"active": False, "stop_id": "s", "reason": "r"}], FULL_WH) == []


@pytest.mark.parametrize(
    ("changes", "kind", "grave"),
    [
        ({"session": "silent"}, "silent", True),
        ({"session": "quarantined"}, "quarantined", True),
        ({"session": "halted", "held": True}, "halted", True),
        ({"for": ["braked", "", 0]}, "braked", True),
        ({"for": ["intrusion", "i1", 0]}, "intrusion", True),
        ({"brakes": 0.8}, "brakes", False),
        ({"wh": 20_000}, "battery", False),
    ],
)
def test_a_truck_in_trouble_is_listed(changes: dict[str, Any], kind: str, grave: bool) -> None:
    """Each trouble under its own name, so that each says what to do."""
    (found,) = concerns([truck("t1"), truck("t2", **changes)], [], FULL_WH)

    assert (found.kind, found.truck_id, found.grave) == (kind, "t2", grave)


def test_the_gravest_comes_first() -> None:
    """An all-stop is not looked for under weak batteries."""
    found = concerns([truck("t1", wh=10)], [{"active": True, "stop_id": "s1", "reason": "fire"}], FULL_WH)

    assert [concern.kind for concern in found] == ["stop", "battery"]
    assert found[0].fields == {"id": "s1", "reason": "fire"}


def test_an_all_stop_is_one_alarm() -> None:
    """A list of every truck hides the one that is silent as well."""
    stopped = [truck(f"t{at}", session="halted", **{"for": ["all_stop", "s1", 0]}) for at in range(24)]
    found = concerns([*stopped, truck("t99", session="silent")], [{"active": True, "stop_id": "s1", "reason": "fire"}], FULL_WH)

    assert [concern.key for concern in found] == ["stop:s1", "silent:t99"]


def test_an_overdue_gate_is_listed_with_the_minutes_it_has_been_taken() -> None:
    """With the truck it has, and without one where its barrier does not prove shut; under one name meanwhile."""
    since = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
    taken, shutting = (OverdueGate(gate_id="g3_1", truck_id=truck_id, since=since) for truck_id in ("t1", ""))
    (one,), (other,) = about_gates([taken], since + timedelta(minutes=12)), about_gates([shutting], since + timedelta(minutes=13.9))

    assert (one.kind, one.truck_id, one.grave, one.fields) == ("gate", "t1", False, {"id": "g3_1", "n": "12"})
    assert (other.truck_id, other.fields["n"]) == ("", "13")
    assert one.key == other.key == "gate:g3_1"


def test_a_bay_out_of_order_is_listed_with_who_is_in_it() -> None:
    """One alarm a bay, for as long as its keeper has it blocked, whoever stands in it meanwhile."""
    one, other = about_bays([BlockedBay(bay_id="cn_bay_02", truck_id="t1"), BlockedBay(bay_id="mn_bay_01", truck_id="")])

    assert (one.kind, one.truck_id, one.grave, one.fields, one.key) == ("bay", "t1", False, {"id": "cn_bay_02"}, "bay:cn_bay_02")
    assert (other.truck_id, other.key) == ("", "bay:mn_bay_01")


def test_who_acknowledged_first_stays_on_record() -> None:
    """Whoever comes second sees that somebody is at it."""
    alarms = Alarms()
    alarms.take(concerns([truck("t1", session="silent")], [], FULL_WH))
    alarms.acknowledge("silent:t1", "bat", 1000)
    alarms.acknowledge("silent:t1", "li", 2000)

    assert [row["seen"] for row in alarms.data()] == [("bat", 1000)]


def test_the_same_trouble_tomorrow_is_a_new_one() -> None:
    """An old acknowledgement must not hide a new alarm."""
    alarms = Alarms()
    silent = concerns([truck("t1", session="silent")], [], FULL_WH)
    alarms.take(silent)
    alarms.acknowledge("silent:t1", "bat", 1000)
    alarms.take([])
    alarms.take(silent)

    assert [row["seen"] for row in alarms.data()] == [None]


def test_what_is_over_cannot_be_acknowledged() -> None:
    """Somebody who answers yesterday's page is told."""
    with pytest.raises(NothingToAcknowledge):
        Alarms().acknowledge("silent:t1", "bat", 1000)
