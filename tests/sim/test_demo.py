"""The demonstration's page: there while the fleet drives, and nothing to the fleet."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sim_harness.checkers import Checkers
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.scenario import load_scenario
from sim_harness.spawn import console_of, served
from sim_harness.wire_runner import WireRunner
from tests.console.wire import ask, feed

QUICK = ["processes.bay={shape: fixed, fixed_s: 20}", "plant.inspect_share=0", "plant.refuse_share=0", "plant.loader_mtbf_h=0"]

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("wire")]


async def trace(folder: Path, *, looked_at: bool) -> tuple[str, int]:
    """What a short run comes to, and at which tick whoever looked at it saw it last."""
    scenario = load_scenario("mandula", QUICK, seed=1, hours=0.012, trucks=2)
    seen = 0
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(scenario.site, folder, int(opening_s(scenario.roster))))
        recorder = stack.enter_context(Recorder(None, scenario.roster))
        runner = WireRunner(scenario, server, recorder, Checkers(scenario.roster))
        if looked_at:
            page = await stack.enter_async_context(console_of(server, folder / "console.log"))
            port = int(page.rstrip("/").rpartition(":")[2])
            stream = await stack.enter_async_context(feed(port))
            totals = await runner.run(lambda _: None)
            while (update := await stream.update())["tick"] < 300:
                pass
            seen = update["tick"]
            assert (await ask(port, "GET", "/healthz")).status == 200
        else:
            totals = await runner.run(lambda _: None)
    return totals.trace_hash, seen


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders for journals."""
    found = tmp_path / "alone", tmp_path / "watched"
    for folder in found:
        folder.mkdir()
    return found


async def test_a_run_that_is_looked_at_is_the_same_run(folders: tuple[Path, Path]) -> None:
    """The verdict of `fleet demo` must not depend on who looks."""
    alone, _ = await trace(folders[0], looked_at=False)
    watched, seen = await trace(folders[1], looked_at=True)

    assert watched == alone
    assert seen >= 300


async def test_a_page_that_cannot_come_up_is_no_page(tmp_path: Path) -> None:
    """A port that somebody has must not cost the demonstration."""
    log = tmp_path / "console.log"
    async with console_of("127.0.0.1:1", log) as page:
        port = int(page.rstrip("/").rpartition(":")[2])
        async with console_of("127.0.0.1:1", log, port=port) as none:
            pass

    assert none == ""
    assert "Name another with --listen" in log.read_text("utf-8")
