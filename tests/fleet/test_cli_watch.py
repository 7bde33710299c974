"""What `fleet watch` and tables show: never wider or higher than the terminal, and in the reader's language."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from fleet.cli import watch
from fleet.cli.speaking import language_of, link_text, short
from fleet.cli.terminal import fitted
from fleet.cli.truck import COLUMNS as TRUCK_COLUMNS
from fleet.cli.truck import LEAST
from fleet.cli.watch import picture, told
from fleet.client.site_values import LanePoint
from fleet.client.values import AllStop, BlockedBay, Cause, FleetTotals, FleetUpdate, OverdueGate, Truck
from fleet.texts import LANGUAGES

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GATE = Cause(
    kind="gate",
    subject_id="g1",
    since=AT,
    truck_id="T002",
    end=LanePoint(lane_id="g1", chainage_m=90.0),
    held_by_truck_id="",
    owner="gate",
    owner_id="g1",
    reason="",
)


def truck(truck_id: str, cause: Cause | None = None, session: str = "live") -> Truck:
    """One truck."""
    return Truck(
        truck_id=truck_id,
        truck_type_id="coal_truck_70t",
        session=session,
        mission_id="",
        mission="to_unload",
        nose=LanePoint(lane_id="refuge_sb_1200_through", chainage_m=120.0),
        east_m=0.0,
        north_m=0.0,
        heading_rad=0.0,
        speed_mps=0.0 if cause else 6.9,
        laden=True,
        end=None,
        battery_wh=1.0,
        report_age=0.1,
        goal_id="cn_park_1_12",
        containers=(),
        round_trips=3,
        held=False,
        decommissioned=False,
        brake_health=1.0,
        standing_for=cause,
        asked="",
        needs_second_person=False,
    )


def update(*trucks: Truck, stops: tuple[AllStop, ...] = (), snapshot: bool = True) -> FleetUpdate:
    """One update, with a gate that has been shutting for a quarter of an hour, and a bay out of order."""
    gates = (OverdueGate(gate_id="g3_1", truck_id="", since=AT - timedelta(minutes=15)),)
    totals = FleetTotals(round_trips=7, containers_delivered=14, tonnes=480.0, trucks_live=len(trucks))
    return FleetUpdate(
        tick=1,
        time=AT,
        snapshot=snapshot,
        trucks=trucks,
        stops=stops,
        totals=totals,
        control=None,
        overdue_gates=gates,
        blocked_bays=(BlockedBay(bay_id="cn_bay_02", truck_id=""),),
    )


def drawn(fleet: list[Truck], width: int, height: int, language: str = "en") -> list[str]:
    """The lines of the live screen on a terminal of this size."""
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False)
    stop = AllStop(stop_id="dust-1", active=True, reason="dust " * 30, since=AT, needs_second_person=False, asked="")
    console.print(picture(update(*fleet, stops=(stop,)), {each.truck_id: each for each in fleet}, console, language))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("width", "height"), [(40, 8), (80, 24), (200, 60)])
def test_the_screen_is_never_larger_than_the_terminal(width: int, height: int, language: str) -> None:
    """A line that wraps pushes the first ones out of sight: those with the stop."""
    lines = drawn([truck(f"T{number:03d}", GATE if number % 3 else None) for number in range(100)], width, height, language)

    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width
    assert "dust-1" in lines[1]


def test_who_needs_a_person_comes_first_and_the_rest_is_counted() -> None:
    """On a screen of eleven lines the silent truck is among them."""
    fleet = [truck(f"T{number:03d}") for number in range(30)] + [truck("T900", GATE), truck("T901", session="silent")]
    lines = drawn(fleet, 120, 11)

    assert lines[2].split()[:2] == ["Gate", "g3_1"]
    assert lines[3] == "cn_bay_02 is out of order."
    assert [line.split()[0] for line in lines[5:7]] == ["T901", "T900"]
    assert lines[-1].startswith("and 29 more")


def test_lines_tell_of_a_truck_when_it_stands_for_something_else() -> None:
    """In a pipe, a line a truck an update would be a flood."""
    before = {"T001": truck("T001"), "T002": truck("T002", GATE)}
    changed = update(truck("T001", GATE), truck("T002", GATE), snapshot=False)

    lines = list(told(changed, before, {**before, "T001": truck("T001", GATE)}, "en"))

    assert len(lines) == 4
    assert "2 stand" in lines[0]
    assert lines[1:3] == ["Gate g3_1 has been taken for 15 min.", "cn_bay_02 is out of order."]
    assert lines[3] == "  T001 stands at refuge_sb_1200_through 120 m: gate g1"


def test_a_table_leaves_out_what_is_missed_least_and_says_so() -> None:
    """A row in two lines is read as two trucks."""
    row = ("T001", "live", "to_unload", "laden", "sb_35 100 m", "25", "sb_35 150 m", "cn_park_1_12", "3", "300", "0.1 s", "held")
    wide, narrow = Console(width=160, file=io.StringIO()), Console(width=70, file=io.StringIO())

    whole, none = fitted(TRUCK_COLUMNS, [row], wide, LEAST)
    part, left_out = fitted(TRUCK_COLUMNS, [row], narrow, LEAST)

    assert (len(whole.columns), none) == (12, [])
    assert set(left_out) == set(LEAST[: len(left_out)])
    assert len(part.columns) == 12 - len(left_out)
    assert narrow.measure(part).maximum <= 70


def test_a_link_says_the_authority_the_cause_and_whose_turn_it_is() -> None:
    """The chain in words that fit a line, in each language."""
    assert link_text(GATE, "en").startswith("T002 ← g1 90 m ← gate g1; since ")
    assert link_text(GATE, "en").endswith("; up to the gate g1")
    assert "由卡口处理 g1" in link_text(GATE, "zh")
    assert "хаалга шийднэ g1" in link_text(GATE, "mn")
    leader = replace(GATE, kind="slot", subject_id="bay_1", held_by_truck_id="T009", owner="truck", owner_id="T009")
    assert "turn at a bay bay_1 (T009)" in link_text(leader, "en")


def test_a_cause_of_a_newer_server_is_said_by_its_name() -> None:
    """Better a foreign word than a traceback."""
    assert short("solar_storm", "mn") == "solar storm"
    assert link_text(replace(GATE, kind="solar_storm", owner="11", owner_id="observatory"), "mn").endswith("; observatory")


@pytest.mark.parametrize("period", ["inf", "1e300", "-1"])
def test_a_period_that_no_watch_has_ends_with_two(period: str) -> None:
    """With a sentence, before a line is opened."""
    answer = CliRunner().invoke(watch.app, ["--period", period, "--server", "127.0.0.1:1"])

    assert answer.exit_code == 2
    assert "--period" in answer.stderr


@pytest.mark.parametrize(
    ("given", "terminal", "spoken"), [("", "mn_MN.UTF-8", "mn"), ("zh", "mn_MN.UTF-8", "zh"), ("", "C.UTF-8", "en"), ("", "zh_CN", "zh")]
)
def test_the_language_is_the_terminals_unless_another_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, given: str, terminal: str, spoken: str
) -> None:
    """Whoever set his terminal to his language need not say it again."""
    monkeypatch.setenv("LANG", terminal)

    assert language_of(given) == spoken
