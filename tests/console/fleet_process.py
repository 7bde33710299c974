"""
A server, 24 trucks that nobody has given an order yet, and a console that steers, as one process to start and to end.

Run as a module with a folder for the journal; the first line is the address of the page, the second that of the server. It goes on for
a simulated day at *PACE* times real time, or until a SIGTERM.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from sim_harness.checkers import Checkers
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.scenario import load_scenario
from sim_harness.spawn import console_of, served
from sim_harness.wire_runner import WireRunner, run_to_end

# Quick enough that a truck comes somewhere while a test looks, slow enough to leave the machine to the browser.
PACE: Final = 4.0


async def _run(data: Path) -> None:
    scenario = load_scenario("demo", ["orders=[]"], seed=1, hours=24.0)
    async with (
        served(scenario.site, data, int(opening_s(scenario.roster))) as server,
        console_of(server, data / "console.log", steers=True) as page,
    ):
        with Recorder(None, scenario.roster) as recorder:
            runner = WireRunner(scenario, server, recorder, Checkers(scenario.roster))
            runner.pace = PACE
            print(page, server, sep="\n", flush=True)  # noqa: T201 - whoever started this reads it
            await runner.run(lambda _: None)


if __name__ == "__main__":
    try:
        run_to_end(_run(Path(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(0)
