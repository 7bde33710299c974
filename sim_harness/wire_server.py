"""
The real server in a process of its own, for runs in which things go wrong: it may be killed, frozen and slowed.

Trucks whose radio and sensors break speak through roadside gateways, as they do in memory, and so the same faults and the same
watches serve; but each gateway has a stream of real gRPC here, and whoever asks for something makes a real call. Clocks are in
lockstep: a tick waits until the server has heard all that was said, and until all that it said has come.

What the watches ask of the server they read from its own services, and its alarms from its log. Where a truck's rear is confirmed
neither tells: of the server's books only the ends are held against the road.
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar

import grpc

from fleet.server.fleet_view import FleetView
from fleet.server.outgoing import Alarm
from fleet.v1 import dispatch_pb2, gateway_pb2, gateway_pb2_grpc
from planner.corridor import Corridor
from sim_harness import link
from sim_harness.books import STANDING_MPS, Causes
from sim_harness.in_memory import FROZEN_FRAMES_MAX, NO_SERVER, Answers
from sim_harness.lines import ASK_WITHIN_S, MessagesLost
from sim_harness.outage import LostLines
from sim_harness.replay import keep_logs
from sim_harness.scenario import Scenario
from sim_harness.show import Show
from sim_harness.spawn import ServerProcess
from sim_harness.wire_causes import WireCauses
from sim_harness.wire_show import Looker
from sim_harness.wire_view import WireView

OWN_GATEWAY: Final = 0
# How its log marks what a person must look at.
ALARMING: Final = "error"
Result = TypeVar("Result")


class GatewayLines(LostLines):
    """Lines on which gateways speak for the trucks; one that was not heard of before joins."""

    def __init__(self, address: str, newest_call_id: int) -> None:
        super().__init__(address, 0, newest_call_id)
        self._gateways: dict[int, Any] = {}
        self._said: dict[int, list[bytes]] = {}

    async def relay(self, frames: Sequence[tuple[int, bytes]]) -> None:
        """Send the gateways' frames, each beside the gateway's number."""
        for gateway, frame in frames:
            if gateway not in self._gateways:
                self._join(gateway)
            await self._gateways[gateway].write(gateway_pb2.GatewayMessage.FromString(frame))
            self._sent += 1

    def _join(self, gateway: int) -> None:
        stream: Any = gateway_pb2_grpc.GatewayServiceStub(self._channel).Relay()
        self._gateways[gateway] = stream
        self._said[gateway] = []
        self._readers.append(asyncio.create_task(self._listen_to(gateway, stream)))

    async def _listen_to(self, gateway: int, stream: Any) -> None:
        async for control in stream:
            self._said[gateway].append(control.SerializeToString())
            self._note()

    def take_frames(self) -> dict[int, bytes]:
        """What each gateway was told since last taken: frames end to end are one frame."""
        taken = {gateway: b"".join(frames) for gateway, frames in self._said.items() if frames}
        for frames in self._said.values():
            frames.clear()
        return taken

    async def intrusions(self) -> tuple[str, ...]:
        """The open intrusions, oldest first."""
        answer = await self._looks.ListIntrusions(dispatch_pb2.ListIntrusionsRequest(), timeout=ASK_WITHIN_S)
        return tuple(intrusion.intrusion_id for intrusion in answer.intrusions)


def alarm_of(line: bytes) -> Alarm | None:
    """The alarm that a *line* of a server's log is; None for any other."""
    try:
        said = json.loads(line)
    except ValueError:
        return None  # what an interpreter or a library prints
    if not isinstance(said, dict) or said.pop("level", "") != ALARMING:
        return None
    said.pop("timestamp", None)
    return Alarm(name=said.pop("event"), fields=tuple(said.items()))


class WireServer:
    """
    One server process of one run, on the time of whoever ticks it; it lives as long as the context.

    Its journal lies in the folder *data*. Requests that it did not answer are made again once there is a server. *show* writes down what it
    shows.
    """

    # Nobody lays an old copy in the place of its journal.
    behind = False

    def __init__(self, corridor: Corridor, process: ServerProcess, show: Show | None = None) -> None:
        self._picture = WireView(corridor)
        self._show = show
        self._looker: Looker | None = None
        self._process = process
        self._loop = asyncio.new_event_loop()
        self._lines = GatewayLines("", 0)
        self._lives = self._frozen = False
        self._every_ticks = 1
        self._tick = self._now_ns = 0
        self._frames: list[tuple[int, bytes]] = []
        self._requests: list[tuple[str, link.Request]] = []
        self._looked_tick = 0
        self._view: FleetView | None = None
        self._intrusions: tuple[str, ...] = ()
        self._causes = WireCauses()
        self._delivered: list[int] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.thaw()
        try:
            if self._lives:
                self._do(self._lines.close())
                self._do(self._unlook())
        finally:
            self._do(self._process.end())
            self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    # -- what it hears and says ----------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """Its term since it was last started."""
        return self._process.epoch

    @property
    def answers(self) -> bool:
        """Whether there is a server that hears, and answers in time."""
        return self._lives and not self._frozen and self._every_ticks == 1

    def say(self, frame: bytes, gateway: int = OWN_GATEWAY) -> None:
        """Give it a gateway's frame, which leaves with the next tick; a dead server hears nothing, a frozen one later."""
        if self._lives and not (self._frozen and len(self._frames) >= FROZEN_FRAMES_MAX):
            self._frames.append((gateway, frame))

    def call(self, method: str, request: link.Request) -> None:
        """Make a unary request; the answer comes with the next tick."""
        self._requests.append((method, request))

    def tick(self, now_ns: int) -> Answers:
        """
        Run one tick.

        Raises:
            MessagesLost: the server ended, or does not answer.
        """
        self._tick, self._now_ns = self._tick + 1, now_ns
        if not self._lives or self._frozen or self._tick % self._every_ticks:
            return Answers()
        try:
            return self._do(self._step(now_ns))
        except grpc.aio.AioRpcError as gone:
            raise MessagesLost(f"the server is gone: {gone.details()}") from gone

    async def _step(self, now_ns: int) -> Answers:
        frames, self._frames = self._frames, []
        await self._lines.relay(frames)
        asked = [asyncio.create_task(self._lines.ask(method, request)) for method, request in self._requests]
        await self._lines.begin_step(now_ns)
        await self._lines.end_step()
        refusals = [refused for refused in await asyncio.gather(*asked) if refused is not None]
        self._requests, self._lines.unanswered = self._lines.unanswered, []
        if self._looker is not None:
            await self._looker.look(self._tick, now_ns)
        said = self._lines.take_frames()
        own = said.pop(OWN_GATEWAY, None)
        return Answers(
            control=[] if own is None else [own],
            elsewhere=said,
            calls=self._lines.take_calls(),
            refusals=refusals,
            alarms=tuple(alarm for line in self._process.logged() if (alarm := alarm_of(line)) is not None),
        )

    # -- what it shows of itself ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Look at it, once a tick; a frozen one shows what it did last."""
        if self._lives and not self._frozen and self._looked_tick != self._tick:
            self._looked_tick = self._tick
            self._do(self._read())

    async def _read(self) -> None:
        """Read what it shows after this tick, and why trucks stand: of one that has just stopped at once, of others now and then."""
        trucks, frictions = await self._lines.trucks(), await self._lines.frictions()
        self._view = self._picture.of(trucks, frictions, tick=self._tick, now_ns=self._now_ns, epoch=self.epoch)
        self._intrusions = await self._lines.intrusions()
        await self._causes.ask(self._lines, [(truck.truck_id, truck.speed_mps < STANDING_MPS) for truck in trucks], self._tick)

    def causes(self) -> Causes:
        """Why each standing truck stands; without a server, for want of one."""
        self._look()
        return self._causes.named if self._lives and not self._frozen else dict.fromkeys(self._causes.named, NO_SERVER)

    def fleet(self) -> FleetView | None:
        """Its picture of the trucks; None without a server."""
        self._look()
        return self._view if self._lives else None

    def intrusions(self) -> tuple[str, ...]:
        """The open intrusions; none without a server."""
        self._look()
        return self._intrusions if self._lives else ()

    def why(self, truck_id: str) -> str:
        """In its own words why a truck stands; "" when it cannot be asked."""
        return self._do(self._lines.sentence(truck_id)) if self._lives and not self._frozen else ""

    def delivered(self) -> Sequence[int]:
        """How many containers of each order were delivered, oldest order first; without a server, as it said last."""
        if self._lives and not self._frozen:
            self._delivered = self._do(self._lines.delivered())
        return self._delivered

    # -- what may happen to it -----------------------------------------------------------------------------------------

    def kill(self) -> None:
        """It dies between two ticks: what was said to it and not decided on is gone."""
        if not self._lives:
            return
        self._do(self._process.kill())
        self._do(self._lines.close())
        self._do(self._unlook())
        self._lives = self._frozen = False
        self._frames.clear()
        self._view = None

    async def _look_on(self) -> None:
        # A channel belongs to the event loop that runs when it is made.
        self._looker = None if self._show is None else Looker(self._show, self._process.address)

    async def _unlook(self) -> None:
        if self._looker is not None:
            await self._looker.close()
            self._looker = None

    def start(self) -> None:
        """Start one on the journal of the last, if there is none; it says every open call again."""
        if self._lives:
            return
        self._do(self._process.start())
        self._lines = GatewayLines(self._process.address, self._lines.newest_call_id)
        self._do(self._lines.open())
        self._lives = True
        self._do(self._look_on())

    def freeze(self) -> None:
        """It stops where it is; its streams stay up."""
        if self._lives:
            self._process.signal(signal.SIGSTOP)
        self._frozen = self._lives

    def thaw(self) -> None:
        """It goes on: all that was said meanwhile comes at once."""
        if self._frozen:
            self._process.signal(signal.SIGCONT)
        self._frozen = False

    def slow(self, every_ticks: int) -> None:
        """It decides only once in so many ticks; 1 for as it should."""
        self._every_ticks = max(1, every_ticks)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


@contextmanager
def serving(scenario: Scenario, day_start_s: int, out: Path | None, show: Show | None = None) -> Iterator[WireServer]:
    """
    A server process for *scenario* that ends with the context; its journal and input log are left in *out*, for replay.

    Raises:
        KeyboardInterrupt: this process was told to end.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="khulan-wire-") as folder:
            data = Path(folder)
            process = ServerProcess(scenario.site, data, day_start_s, input_log=out is not None, policy=scenario.spec.policy)
            try:
                with WireServer(scenario.corridor, process, show) as server:
                    yield server
            finally:
                if out is not None:
                    keep_logs(data, out)
    finally:
        signal.signal(signal.SIGTERM, before)
