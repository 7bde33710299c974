"""
Plays a recording to the console as if it were a server: what is asked is answered as of the moment that is shown, and nothing is obeyed.

The moment moves with the clock while it plays, and jumps where somebody puts it. It is one for everybody who looks at this console: two
screens of one person show the same moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, ClassVar, Final, TypeVar

from google.protobuf.message import Message

from fleet.client import Ask, asks
from fleet.clock import Clock, SystemClock
from fleet.console import recorded
from fleet.console.axis import axis_of
from fleet.console.history import KEPT_MS, History
from fleet.console.recording import FORMS, NS_PER_S, NoRecording, Recording, RecordingDamaged, merged, without_trucks
from fleet.errors import Code, FleetError, InvalidField, NotFound
from fleet.texts import ENGLISH, say
from fleet.v1 import dispatch_pb2 as d

_V = TypeVar("_V")

# How often the moment moves on while it plays.
STEP_S: Final = 0.5
SPEED_MAX: Final = 600.0
NS_PER_MS: Final = 1_000_000
LEADER: Final = "leader"
TOPIC_OF: Final[Mapping[str, str]] = {
    "GetSite": recorded.SITE,
    "ListGates": recorded.GATES,
    "ListTransportOrders": recorded.ORDERS,
    "ListCrossings": recorded.CROSSINGS,
    "ListLanes": recorded.LANES,
    "ListIntrusions": recorded.INTRUSIONS,
    "GetDay": recorded.DAY,
}


@dataclass(eq=False)
class OnlyARecording(FleetError):
    """This is a recording: what it shows has happened."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Commands are for a console of a server: fleet console --server HOST:PORT --steer."

    command: str


class Player:
    """Implements `fleet.console.source.Source` over *recording*; belongs to the event loop it is asked in."""

    def __init__(self, recording: Recording, clock: Clock | None = None) -> None:
        """
        Begins paused at the first moment.

        Raises:
            NoRecording: there is no map in it.
            RecordingDamaged: the map, or the first moment, cannot be read.
        """
        if recording.newest(recorded.SITE, recording.end_ns) is None:
            raise NoRecording(path=str(recording.path), problem=f"nothing was written on its channel {recorded.SITE}")
        self._recording = recording
        self._clock = clock or SystemClock()
        self._now_ns = recording.begin_ns
        self._speed = 1.0
        self._playing = False
        self._jumped = True
        self._problem = ""
        self._steered = 0
        self._moved = asyncio.Event()
        self._utc_ns = recording.fleet(recording.begin_ns).time.ToNanoseconds() - recording.begin_ns
        self._shown_ns = recording.begin_ns
        self._past: History | None = None
        self._past_ns = (0, 0)
        self._remembering = Lock()

    # What the page steers.

    def state(self) -> dict[str, Any]:
        """
        Of the slider: times in milliseconds of the simulated day's Unix time.

        *steered* rises whenever somebody steers; *silent_ms*: what is shown is so much older than the moment, for want of a server.
        """
        recording = self._recording
        return {
            "begin_ms": self._ms(recording.begin_ns),
            "end_ms": self._ms(recording.end_ns),
            "at_ms": self._ms(self._now_ns),
            "playing": self._playing,
            "speed": self._speed,
            "problem": self._problem,
            "steered": self._steered,
            "silent_ms": max(0, self._now_ns - self._shown_ns) // NS_PER_MS,
            "name": recording.path.parent.name,
        }

    def steer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Puts the moment at *at_ms*, plays or pauses (*playing*), sets how many times as fast (*speed*); what is not said stays.

        Raises:
            InvalidField: one of them is none.
        """
        at_ms, playing, speed = body.get("at_ms"), body.get("playing"), body.get("speed")
        if at_ms is not None and (isinstance(at_ms, bool) or not isinstance(at_ms, int | float) or not abs(at_ms) < 1e15):
            raise InvalidField(name="at_ms", problem="must be a time in milliseconds")
        if playing is not None and not isinstance(playing, bool):
            raise InvalidField(name="playing", problem="must be true or false")
        if speed is not None and (isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.1 <= speed <= SPEED_MAX):
            raise InvalidField(name="speed", problem=f"must be a number from 0.1 to {SPEED_MAX:g}")
        if at_ms is not None:
            at_ns = round(at_ms * NS_PER_MS) - self._utc_ns
            self._now_ns = min(max(at_ns, self._recording.begin_ns), self._recording.end_ns)
            self._jumped = True
        if speed is not None:
            self._speed = float(speed)
        if playing is not None:
            if playing and at_ms is None and self._now_ns >= self._recording.end_ns:
                # Who plays at the end wants to see it again.
                self._now_ns, self._jumped = self._recording.begin_ns, True
            self._playing = playing
        self._steered += 1
        self._moved.set()
        return self.state()

    # What a server would be asked.

    async def ask(self, ask: Ask[_V]) -> _V:
        """
        The answer as of the moment shown.

        Raises:
            OnlyARecording: it asks for a change, or for what no run records.
            NotFound: there is no such truck.
            RecordingDamaged: the file is broken where the answer lies.
        """
        topic = TOPIC_OF.get(ask.method)
        if topic is None and ask.method != "ExplainHold":
            raise OnlyARecording(command=ask.method)
        try:
            if topic is None:
                return ask.read(await asyncio.to_thread(self._explained, ask.request))
            found = await asyncio.to_thread(self._recording.newest, topic, self._now_ns)
        except RecordingDamaged as broken:
            self._problem = str(broken)
            raise
        return ask.read(_of_day(ask.request, found) if isinstance(ask.request, d.GetDayRequest) else found or FORMS[topic]())

    async def watch(self, ask: Ask[_V]) -> AsyncIterator[_V]:
        """
        The fleet at the moment shown, whenever that moves; where the recording is broken, it stays until somebody moves it.

        Raises:
            OnlyARecording: nothing else can be watched.
        """
        if ask.method != "WatchFleet":
            raise OnlyARecording(command=ask.method)
        told_ns, last, ids = self._now_ns, d.FleetUpdate(), frozenset[str]()
        self._jumped = True
        while True:
            jumped, self._jumped, now_ns = self._jumped, False, self._now_ns
            try:
                update = await asyncio.to_thread(self._update, told_ns, now_ns, jumped) or last
            except RecordingDamaged as broken:
                self._problem, self._playing, update = str(broken), False, last
            else:
                self._problem, told_ns = "", now_ns
            if update.snapshot:
                # A whole of the same trucks is news of them, and not another fleet.
                before, ids = ids, frozenset(truck.truck_id for truck in update.trucks)
                update.snapshot = jumped or before != ids
            self._shown_ns = update.time.ToNanoseconds() - self._utc_ns
            yield ask.read(update)
            last = without_trucks(update)
            await self._move()

    async def _move(self) -> None:
        """Waits until the moment is another, or is played otherwise."""
        if not self._playing:
            await self._moved.wait()
            self._moved.clear()
            return
        began_ns = self._clock.now_ns()
        try:
            async with asyncio.timeout(STEP_S):
                await self._moved.wait()
        except TimeoutError:
            pass
        self._moved.clear()
        if self._jumped:
            return
        self._now_ns = min(self._now_ns + round((self._clock.now_ns() - began_ns) * self._speed), self._recording.end_ns)
        if self._now_ns >= self._recording.end_ns:
            self._playing = False

    def _update(self, told_ns: int, now_ns: int, jumped: bool) -> d.FleetUpdate | None:
        """What a watcher who was told of one moment is told of another; None where nothing was shown between them."""
        if jumped or now_ns - told_ns > recorded.WHOLE_S * NS_PER_S:
            return self._recording.fleet(now_ns)
        news = [update for _, _, update in self._recording.between((recorded.WHOLE, recorded.UPDATE), told_ns, now_ns)]
        return merged(news) if news else None

    def _explained(self, request: Message) -> d.Explanation:
        """
        The chain of first links, as far as the recording has them: who holds a zone or works at a gate is not on record.

        Raises:
            NotFound: there is no such truck.
        """
        assert isinstance(request, d.ExplainHoldRequest)
        trucks = {truck.truck_id: truck for truck in self._recording.fleet(self._now_ns).trucks}
        if request.truck_id not in trucks:
            raise NotFound(kind="truck", name=request.truck_id)
        language, causes, said = request.language_code or ENGLISH, list[d.Cause](), list[str]()
        truck_id, seen = request.truck_id, set[str]()
        while (truck := trucks.get(truck_id)) is not None and truck_id not in seen:
            seen.add(truck_id)
            if not truck.HasField("standing_for"):
                said.append(f"{truck_id} {say(language, 'moves')}")
                break
            cause = truck.standing_for
            causes.append(cause)
            said.append(f"{truck_id} {say(language, f'cause.{cause.kind}', subject=cause.subject_id or say(language, 'unnamed'))}")
            if cause.kind != LEADER:
                break
            truck_id = cause.subject_id
        return d.Explanation(truck_id=request.truck_id, standing=bool(causes), causes=causes, sentence="; ".join(said) + ".")

    # Where every truck was.

    async def past(self, since_ms: int) -> dict[str, Any]:
        """Columns as of `History.data`, from *since_ms* to the moment shown."""
        return await asyncio.to_thread(self._data, since_ms, self._now_ns)

    def _data(self, since_ms: int, now_ns: int) -> dict[str, Any]:
        with self._remembering:
            history, (from_ns, to_ns) = self._past, self._past_ns
            oldest_ns = max(now_ns - KEPT_MS * NS_PER_MS, self._recording.begin_ns - 1)
            if history is None or oldest_ns < from_ns or to_ns < oldest_ns:
                site = self._recording.newest(recorded.SITE, now_ns)
                history, from_ns, to_ns = History(axis_of(asks.site().read(site))), oldest_ns, oldest_ns
            for _, time_ns, whole in self._recording.between((recorded.WHOLE,), to_ns, now_ns):
                history.note(self._ms(time_ns), [_row(truck) for truck in whole.trucks])
            self._past, self._past_ns = history, (max(from_ns, oldest_ns), max(to_ns, now_ns))
            return history.data(since_ms, self._ms(now_ns))

    def _ms(self, time_ns: int) -> int:
        return (time_ns + self._utc_ns) // NS_PER_MS


def _row(truck: d.Truck) -> dict[str, Any]:
    """A truck as far as a history wants it."""
    lane_id = truck.nose.lane_id if truck.HasField("nose") else None
    return {"id": truck.truck_id, "lane": lane_id, "at_m": truck.nose.chainage_m, "laden": truck.laden}


def _of_day(request: d.GetDayRequest, found: Message | None) -> d.Day:
    """A run is one day: of any other nothing is known."""
    assert isinstance(found, d.Day | None)
    known = found or d.Day()
    return known if request.date in {"", known.date} else d.Day(date=request.date, time_zone=known.time_zone)
