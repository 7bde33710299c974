"""Faults on the time axis: none over another, the wrong ones first, and nothing left out without being said."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import matplotlib as mpl
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from sim_harness.fault_bars import ROWS_MAX, draw_bars, name_of, packed

WINDOW_S = (100.0, 700.0)


def fault(at_s: float, ended_s: float | None, reached: bool | None = None, **more: Any) -> dict[str, Any]:
    """One as the report has it."""
    account: dict[str, Any] = {"fault": "link", "target": "t001", "shape": "loss", "at_s": at_s, "ended_s": ended_s, "reached": reached}
    return {**account, "seen_s": None, "safe_s": None, **more}


FAULTS = st.lists(
    st.builds(
        lambda at_s, long_s, reached, safe_s: fault(
            at_s, None if long_s is None else at_s + long_s, reached, safe_s=safe_s and at_s + safe_s
        ),
        st.floats(0.0, 800.0),
        st.none() | st.floats(0.0, 400.0),
        st.sampled_from([None, True, False]),
        st.none() | st.floats(0.0, 100.0),
    ),
    max_size=60,
)


@given(faults=FAULTS)
def test_no_bar_lies_over_another_and_all_are_accounted_for(faults: list[dict[str, Any]]) -> None:
    """A picture that hides a fault without saying so is worse than none."""
    seen = [entry for entry in faults if entry["at_s"] <= WINDOW_S[1] and (entry["ended_s"] is None or entry["ended_s"] >= WINDOW_S[0])]

    bars, hidden = packed(faults, WINDOW_S)

    assert len(bars) + hidden == len(seen)
    for row in range(ROWS_MAX):
        placed = sorted((bar for bar in bars if bar.row == row), key=lambda bar: bar.low_s)
        assert all(first.high_s <= second.low_s for first, second in pairwise(placed))


def test_what_went_wrong_finds_room_before_what_did_not() -> None:
    """Of a hundred outages the one that mattered must be there to be seen."""
    faults = [fault(200.0, 300.0, reached=True) for _ in range(20)] + [fault(250.0, 260.0, reached=False)]

    bars, hidden = packed(faults, WINDOW_S, rows_max=3)

    assert hidden == 18
    assert [bar.reached for bar in bars].count(False) == 1
    assert next(bar.row for bar in bars if bar.reached is False) == 0


def test_a_name_that_has_no_room_after_its_bar_stands_before_it() -> None:
    """Names do not run out of the picture."""
    (early,), _ = packed([fault(110.0, 120.0)], WINDOW_S)
    (late,), _ = packed([fault(640.0, None)], WINDOW_S)

    assert (early.before, late.before) == (False, True)
    assert late.low_s < 640.0
    assert late.high_s <= WINDOW_S[1]


def test_bars_are_drawn_with_their_names_and_the_rest_is_counted() -> None:
    """What a person reads."""
    figure = Figure()
    axes = figure.subplots()
    bars, _ = packed([fault(200.0, 300.0, reached=False, seen_s=210.0, safe_s=250.0, fault="service_brake")], WINDOW_S)

    with mpl.rc_context():
        draw_bars(axes, bars, 7, WINDOW_S)

    assert [text.get_text() for text in axes.texts] == ["service brake loss: t001"]
    assert axes.get_title(loc="left") + axes.get_title() == "Faults (7 more find no room here; all are in the table)"
    assert name_of({"fault": "server_killed", "target": "server", "shape": None}) == "server killed: server"
