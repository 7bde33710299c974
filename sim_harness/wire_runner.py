"""
One run over real gRPC: every truck has its own stream, the plant its own calls, and the clock is simulated.

Server and simulator move in lockstep: before each tick the server has heard everything that was said, and after it the
simulator has heard everything that was answered. So a run on the wire is as repeatable as one in memory, only slower.
"""

from __future__ import annotations

import asyncio
import math
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fleet.clock import NS_PER_S
from fleet.onboard.link import CHANNEL_OPTIONS
from fleet.v1 import truck_pb2
from sim_harness import link
from sim_harness.books import STANDING_MPS, Books, Causes
from sim_harness.lines import Lines
from sim_harness.observation import TICK_S, Checker, Recorder, Totals
from sim_harness.progress import LOOK_TICKS
from sim_harness.replay import keep_logs
from sim_harness.scenario import Scenario
from sim_harness.show import Show
from sim_harness.spawn import served
from sim_harness.stage import PROGRESS_TICKS, Stage
from sim_harness.truck_objects import TruckObjects
from sim_harness.wire_causes import WireCauses
from sim_harness.wire_show import Looker
from sim_harness.wire_view import WireView

Result = TypeVar("Result")


def _never(_: Books) -> bool:
    return False


class WireRunner:
    """
    Runs a scenario against a server at *address* that lets itself be driven; *pace* is the most times real time.

    *show* writes down what the server shows.
    """

    pace = math.inf

    def __init__(self, scenario: Scenario, address: str, recorder: Recorder, checker: Checker, show: Show | None = None) -> None:
        self._looker = None if show is None else Looker(show, address)
        self._stage = Stage(scenario, TruckObjects, self._call, (recorder, checker))
        self._lines = Lines(address, CHANNEL_OPTIONS, self._stage.trucks.count)
        self._control: list[tuple[int, truck_pb2.ControlMessage]] = []
        self._calls: list[asyncio.Task[tuple[str, str] | None]] = []
        self._causes = WireCauses()
        self._picture = WireView(scenario.corridor)
        self._delivered: Sequence[int] = ()
        self._stage.operator.delivered = lambda: self._delivered

    @property
    def books(self) -> Books:
        """What has been counted so far."""
        return self._stage.books

    @property
    def now_s(self) -> float:
        """Simulated seconds since the start."""
        return self._stage.clock.now_s

    @property
    def truck_count(self) -> int:
        """How many trucks take part."""
        return self._stage.trucks.count

    async def run(self, progress: Callable[[float], None], enough: Callable[[Books], bool] = _never) -> Totals:
        """
        Run to the scenario's end, until *enough*, or until nobody can move any more; *progress* hears the simulated seconds.

        All are asked once a simulated minute.
        """
        began_s = time.monotonic()
        await self._lines.open()
        try:
            for _ in range(self._stage.tick_count):
                await self._tick()
                ahead_s = self._stage.clock.now_s / self.pace - (time.monotonic() - began_s)
                if ahead_s > 0.0:
                    await asyncio.sleep(ahead_s)
                if self._stage.clock.tick % PROGRESS_TICKS == 0:
                    progress(self._stage.clock.now_s)
                    if enough(self._stage.books) or self._stage.progress.standstill_since_s is not None:
                        break
            await self._finish()
        finally:
            await self._lines.close()
            if self._looker is not None:
                await self._looker.close()
        return self._stage.totals(time.monotonic() - began_s)

    async def _finish(self) -> None:
        """Let the server end the last tick before anybody hangs up: what it was asked to decide is then decided, kept and logged."""
        await self._lines.end_step()
        await asyncio.gather(*self._calls)

    def _call(self, method: str, request: link.Request) -> None:
        self._calls.append(asyncio.create_task(self._lines.ask(method, request)))

    async def _tick(self) -> None:
        """
        One tick: the fleet moves while the server still thinks about the tick before; then both hear each other.

        So words take two ticks from a truck to the server and back, as on the in-memory wire, and both processes have work.
        """
        stage, trucks, lines = self._stage, self._stage.trucks, self._lines
        now_ns = stage.advance()
        for row, message in self._control:
            stage.books.hear(message.SerializeToString(deterministic=True))
            trucks.receive(row, message, now_ns)
        trucks.step(now_ns)
        said = trucks.words(stage.clock.tick, now_ns)
        stage.observe(self._known_causes)
        await self._hear()
        if stage.clock.tick % LOOK_TICKS == 0:
            await self._look(now_ns)
        if stage.operator.counts(now_ns):
            self._delivered = await lines.delivered()
        await lines.say(said)
        stage.people(now_ns)
        await lines.begin_step(now_ns)

    async def _hear(self) -> None:
        """Wait for the tick under way to end, and take all that the server said in it."""
        await self._lines.end_step()
        if self._looker is not None and (tick := self._stage.clock.tick - 1) > 0:
            await self._looker.look(tick, round(tick * TICK_S * NS_PER_S))
        self._control = self._lines.take_control()
        refused = [answer for answer in await asyncio.gather(*self._calls) if answer is not None]
        self._calls.clear()
        self._stage.heard(self._lines.take_calls(), refused)
        if self._stage.samples:
            await self._ask_causes()

    async def _look(self, now_ns: int) -> None:
        """Look whether the fleet makes progress, and ask what the server says where it makes none."""
        stage, lines = self._stage, self._lines
        picture = self._picture.of(await lines.trucks(), await lines.frictions(), tick=stage.clock.tick, now_ns=now_ns)
        for found in stage.progress.look(stage.trucks.view(stage.clock.now_s), picture, calm=True):
            found.server_says = await lines.sentence(found.truck_ids[0])

    def _known_causes(self) -> Causes:
        return self._causes.named

    async def _ask_causes(self) -> None:
        stage = self._stage
        stands = stage.trucks.view(stage.clock.now_s).speed_mps < STANDING_MPS
        await self._causes.ask(self._lines, zip(stage.scenario.roster.truck_ids, stands.tolist(), strict=True), stage.clock.tick)


def run_to_end(work: Coroutine[Any, Any, Result]) -> Result:
    """
    Run *work* in an event loop; a SIGTERM ends it as an interrupt does, so that its server process ends with it.

    Raises:
        KeyboardInterrupt: it was told to end.
    """

    async def listening() -> Result:
        running = asyncio.current_task()
        assert running is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        return await work

    try:
        return asyncio.run(listening())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _run(
    scenario: Scenario,
    day_start_s: int,
    watchers: tuple[Recorder, Checker],
    progress: Callable[[float], None],
    out: Path | None,
    show: Show | None,
) -> Totals:
    with tempfile.TemporaryDirectory(prefix="khulan-wire-") as folder:
        data = Path(folder)
        try:
            async with served(scenario.site, data, day_start_s, input_log=out is not None, policy=scenario.spec.policy) as address:
                return await WireRunner(scenario, address, *watchers, show).run(progress)
        finally:
            if out is not None:
                keep_logs(data, out)


def run_on_wire(
    scenario: Scenario,
    day_start_s: int,
    watchers: tuple[Recorder, Checker],
    progress: Callable[[float], None],
    out: Path | None = None,
    show: Show | None = None,
) -> Totals:
    """
    Run *scenario* against a server process of our own; see `WireRunner.run`.

    Its journal and input log are left in *out*, for replay; *show* writes down what it shows.
    """
    return run_to_end(_run(scenario, day_start_s, watchers, progress, out, show))
