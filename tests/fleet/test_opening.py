"""The border's hours: what still fits before closing, handovers, windows past midnight, and a person's word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.dispatch.opening import Opening, OpeningSet
from fleet.site import load_site
from planner.authority import Cause
from planner.corridor import Window
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")
HOUR_NS = 3600 * 1_000_000_000


def at_closing(minutes_left: float) -> DispatchOptions:
    """The border (open to 20:00) closes that many minutes after time 0."""
    return DispatchOptions(day_start_s=int(20 * 3600 - minutes_left * 60))


def test_at_closing_nobody_is_between_the_border_and_the_customs_gate() -> None:
    """The strip between two states is empty at night."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02", "mn_park_01", "mn_park_02"], Plant(bay_s=60.0), at_closing(25.0))
    road.order(40)
    strip = {"g2", "g3"}

    road.step(25 * 600)

    between = []
    for row in range(4):
        gates = [MANDULA.gates[gate.gate_ix].gate_id for gate in road.desk.books.trips.gates_ahead(row)]
        between += [row] if strip & set(gates) == {"g3"} else []
    assert between == []
    waits = {Cause(int(road.desk.limit_cause[row])) for row in range(4)}
    assert Cause.OPENING in waits
    road.step(600)
    assert not {row for row in range(4) if road.desk.books.gates.called_row[MANDULA.gate_ix["g2"]] == row}


def test_nobody_starts_what_cannot_be_finished() -> None:
    """Half an hour is enough to cross, five minutes are not: the truck waits in its bay, with the reason."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=5.0), at_closing(5.0))
    road.order(2)

    road.step(1200)

    assert road.mission_state(0) == "LADEN"
    assert Cause(int(road.desk.limit_cause[0])) is Cause.OPENING


def test_a_shift_handover_stops_calls_and_not_trucks() -> None:
    """For half an hour no gate takes a truck; afterwards the one that waits is called at once."""
    corridor = replace(MANDULA, shift_handovers=(Window(open_s=36_300, close_s=38_100),))
    road = DeskRoad(corridor, ["mn_bay_01"], Plant(bay_s=290.0), DispatchOptions(day_start_s=36_000))
    road.order(2)

    road.step(6000)
    gate_ix = corridor.gate_ix["g1"]
    assert road.desk.books.gates.called_row[gate_ix] == -1
    assert Cause(int(road.desk.limit_cause[0])) is Cause.OPENING

    road.step(15_100)
    assert road.desk.books.trips.known(0).passed_m > 0.0


@pytest.mark.parametrize(("local_h", "left_h"), [(5.0, 0.0), (6.0, 20.0), (23.0, 3.0), (1.5, 0.5), (2.0, 0.0), (2.5, 0.0)])
def test_a_window_may_pass_midnight(local_h: float, left_h: float) -> None:
    """06:00 to 02:00 is one opening of twenty hours."""
    opening = Opening(replace(MANDULA, windows=(Window(open_s=21_600, close_s=93_600),)), day_start_s=0)

    assert opening.border_left_s(int(local_h * HOUR_NS)) == pytest.approx(left_h * 3600)


def test_without_windows_the_border_never_closes() -> None:
    """A site that says nothing of hours is open."""
    assert Opening(replace(MANDULA, windows=()), day_start_s=0).border_left_s(0) == float("inf")


def test_a_persons_word_beats_the_window() -> None:
    """A storm closes the border in the middle of the day, for as long as was said."""
    opening = Opening(MANDULA, day_start_s=12 * 3600)
    opening.apply(OpeningSet(gate_ix=-1, open=False, until_ns=HOUR_NS))
    opening.apply(OpeningSet(gate_ix=2, open=False, until_ns=0))

    assert opening.border_left_s(0) == 0.0
    assert opening.border_left_s(HOUR_NS) == pytest.approx(7 * 3600)
    assert not opening.gate_takes(2, 5 * HOUR_NS)
    assert opening.gate_takes(1, 0)
