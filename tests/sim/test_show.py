"""What a server shows is on record as it was shown, and recording it changes nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from fleet.client import asks
from fleet.console import recorded
from fleet.console.player import Player
from fleet.console.recording import Recording
from sim_harness.day import Wish, run_day
from sim_harness.scenario import load_scenario

S = 1_000_000_000
KILLED = "scheduled_faults=[{fault: server_killed, at_s: 40, for_s: 12}]"


def test_a_run_is_the_same_whether_it_is_recorded_or_not(tmp_path: Path) -> None:
    """Whoever looks on reads, and decides nothing."""
    ready = load_scenario("mandula", (), seed=3, hours=0.03, trucks=4)

    recorded_so, alone = (run_day(ready, Wish(out=out, pages=False), lambda _: None) for out in (tmp_path, None))

    assert recorded_so.trace_hash == alone.trace_hash


async def test_a_dead_server_shows_nothing_and_the_next_one_everything(tmp_path: Path) -> None:
    """A recording must not fill the gap with what nobody knew."""
    ready = load_scenario("mandula", (KILLED,), seed=3, hours=0.025, trucks=4)
    run_day(ready, Wish(out=tmp_path, pages=False), lambda _: None)

    with Recording(tmp_path) as opened:
        told = [(topic, time_ns) for topic, time_ns, _ in opened.between((recorded.WHOLE, recorded.UPDATE), -1, opened.end_ns)]
        player = Player(opened)
        watching = player.watch(asks.watch_fleet(0.5))
        begin_ms = player.state()["begin_ms"]
        player.steer({"at_ms": begin_ms + 48_000})
        shown = await anext(watching)

    gaps = [(before, after) for before, after in pairwise(told) if after[1] - before[1] > 2 * S]
    assert len(gaps) == 1
    (_, last_ns), (topic, first_ns) = gaps[0]
    assert last_ns <= 40 * S < 50 * S <= first_ns
    assert topic == recorded.WHOLE
    assert len(shown.trucks) == 4
    assert 5_000 < player.state()["silent_ms"] < 12_000
