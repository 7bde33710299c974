"""The recording of a run as the console reads it: any moment of it, whatever is broken; and the player that shows it."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcap.reader import make_reader
from mcap.writer import Writer
from mcap_protobuf.decoder import DecoderFactory

from fleet.client import asks
from fleet.console import recorded
from fleet.console.axis import axis_of
from fleet.console.history import History
from fleet.console.player import SPEED_MAX, OnlyARecording, Player
from fleet.console.recording import FORMS, NoRecording, Recording, RecordingDamaged, merged, without_trucks
from fleet.console.run import ConsoleSettings, run_console
from fleet.errors import FleetError, InvalidField, NotFound
from fleet.v1 import dispatch_pb2 as d

S = 1_000_000_000

pytestmark = pytest.mark.xdist_group("recording")  # one process makes the recording


@pytest.fixture
def recording(folder: Path) -> Iterator[Recording]:
    """It, open."""
    with Recording(folder) as opened:
        yield opened


# The file.


def test_a_stranger_reads_the_whole_file(folder: Path) -> None:
    """It explains itself: any reader of MCAP and protobuf, such as Foxglove, opens it without our code."""
    with (folder / recorded.FILE).open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        seen = {channel.topic: message for _, channel, _, message in reader.iter_decoded_messages()}

    assert set(seen) >= {"/trucks", "/road", "/events", *(set(FORMS) - {recorded.INTRUSIONS})}
    assert [lane.lane_id for lane in seen[recorded.SITE].lanes]
    assert seen[recorded.WHOLE].snapshot


@pytest.mark.parametrize("share", [1.0, 0.0, 0.31, 0.9, 0.5, 0.123])
def test_any_moment_is_what_all_that_was_told_until_then_adds_up_to(recording: Recording, share: float) -> None:
    """A seek takes a short cut; it must lead to the same fleet as looking on from the beginning."""
    at_ns = recording.begin_ns + round(share * (recording.end_ns - recording.begin_ns))
    told = [update for _, _, update in recording.between((recorded.WHOLE, recorded.UPDATE), -1, at_ns)]

    found, wanted = recording.fleet(at_ns), merged(told)

    assert (found.tick, found.time) == (wanted.tick, wanted.time)
    assert {truck.truck_id: truck for truck in found.trucks} == {truck.truck_id: truck for truck in wanted.trucks}
    assert found.tick <= at_ns / S * 10 + 1


def test_all_that_is_said_beside_trucks_is_said_of_the_last_moment() -> None:
    """Who has control, what is stopped, the day so far: whatever an update may say one day."""
    early = d.FleetUpdate(tick=1, snapshot=True, trucks=[d.Truck(truck_id="t1"), d.Truck(truck_id="t2")])
    early.control.holder = "li"
    late = d.FleetUpdate(tick=9, trucks=[d.Truck(truck_id="t2", laden=True)], stops=[d.AllStop(stop_id="s1")])
    late.control.holder, late.totals.round_trips = "bat", 3

    found = merged([early, late])

    assert {truck.truck_id: truck.laden for truck in found.trucks} == {"t1": False, "t2": True}
    assert found.snapshot
    assert without_trucks(found) == without_trucks(late)
    assert (found.control.holder, found.totals.round_trips, len(found.stops)) == ("bat", 3, 1)


def test_trucks_move_between_two_moments(recording: Recording) -> None:
    """A recording in which nobody moves would show nothing."""
    early, late = recording.fleet(60 * S), recording.fleet(recording.end_ns)

    moved = [a.truck_id for a, b in zip(early.trucks, late.trucks, strict=True) if (a.east_m, a.north_m) != (b.east_m, b.north_m)]

    assert moved
    assert any(truck.HasField("standing_for") for truck in late.trucks)


def test_a_list_is_as_it_was_last_told(recording: Recording) -> None:
    """Lists are written where they change: what was said a minute ago still holds."""
    gates = recording.newest(recorded.GATES, recording.end_ns)
    before_all = recording.newest(recorded.GATES, 0)
    day = recording.newest(recorded.DAY, recording.end_ns)

    assert gates is not None
    assert before_all is None
    assert isinstance(day, d.Day)
    assert day.hours[0].waiting
    assert day.bound.round_trips > 0


def test_a_file_that_is_cut_short_says_where(folder: Path, tmp_path: Path) -> None:
    """A run that was killed, a copy over a bad line: the person must know that it is the file."""
    whole = (folder / recorded.FILE).read_bytes()
    for length in (8, 9, 100, len(whole) // 2, len(whole) - 1):
        path = tmp_path / f"{length}.mcap"
        path.write_bytes(whole[:length])
        with pytest.raises(RecordingDamaged, match="cut short") as told:
            Recording(path)
        assert (told.value.at_byte, told.value.path) == (length, str(path))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x89MCAP1\r\n" * 2, b"{}" * 4000])
def test_a_foreign_file_is_none_of_ours(tmp_path: Path, content: bytes) -> None:
    """Whatever somebody names."""
    path = tmp_path / recorded.FILE
    path.write_bytes(content)

    with pytest.raises(NoRecording, match="no MCAP file") as told:
        Recording(tmp_path)

    assert str(path) in str(told.value)


def test_a_folder_without_a_recording_says_how_to_make_one(tmp_path: Path) -> None:
    """The likeliest mistake."""
    with pytest.raises(NoRecording, match=r"run\.mcap.*fleet sim run SCENARIO --out DIR"):
        Recording(tmp_path)


def made_elsewhere(folder: Path, *channels: tuple[str, str]) -> None:
    """A file with an empty message on each channel: its topic, and the name of what it carries."""
    with (folder / recorded.FILE).open("wb") as file:
        writer = Writer(file)
        writer.start()
        for topic, schema in channels:
            channel = writer.register_channel(topic, "protobuf", writer.register_schema(schema, "protobuf", b""))
            writer.add_message(channel, 1, b"", 1)
        writer.finish()


@pytest.mark.parametrize(("topic", "schema", "said"), [("/camera", "x.Y", "no channel /fleet/site"), ("/fleet/site", "x.Y", "x.Y")])
def test_an_mcap_file_of_another_program_is_none_of_ours(tmp_path: Path, topic: str, schema: str, said: str) -> None:
    """Robots leave MCAP files everywhere."""
    made_elsewhere(tmp_path, (topic, schema), (recorded.WHOLE, schema))

    with pytest.raises(NoRecording, match=said):
        Recording(tmp_path)


def shown_of(folder: Path) -> tuple[list[tuple[int, d.FleetUpdate]], FleetError | None]:
    """The fleet at one moment a minute, until something is refused."""
    shown: list[tuple[int, d.FleetUpdate]] = []
    try:
        with Recording(folder) as opened:
            # What was shown before the damage counts too.
            shown.extend((at_ns, opened.fleet(at_ns)) for at_ns in range(opened.begin_ns, opened.end_ns, 60 * S))
            opened.newest(recorded.GATES, opened.end_ns)
    except FleetError as refused:
        return shown, refused
    return shown, None


@pytest.mark.parametrize("seed", range(24))
def test_damage_is_told_and_never_shown(folder: Path, tmp_path: Path, seed: int) -> None:
    """A flipped bit is found by its block's checksum, or by the reader; a moment beside it is shown as it was."""
    chance = random.Random(seed)  # noqa: S311 - which bits break
    broken = bytearray((folder / recorded.FILE).read_bytes())
    for _ in range(chance.randint(1, 6)):
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
    (tmp_path / recorded.FILE).write_bytes(broken)

    shown, told = shown_of(tmp_path)

    assert told is None or (str(tmp_path / recorded.FILE) in str(told) and (isinstance(told, NoRecording) or "at_byte" in told.facts()))
    with Recording(folder) as whole:
        assert [update for _, update in shown] == [whole.fleet(at_ns) for at_ns, _ in shown]


# The player.


def test_a_run_without_its_map_is_not_begun(folder: Path, tmp_path: Path) -> None:
    """Trucks on nothing would be a page that waits for ever."""
    shutil.copy(folder / recorded.FILE, tmp_path / recorded.FILE)
    with Recording(tmp_path) as opened:
        first = opened._blocks_with((recorded.SITE,), 0, opened.end_ns)[0]
    with (tmp_path / recorded.FILE).open("r+b") as file:
        file.seek(first.chunk_start_offset + first.chunk_length // 2)
        file.write(b"\0" * 64)

    with pytest.raises(RecordingDamaged, match=f"at_byte {first.chunk_start_offset}"), Recording(tmp_path) as opened:
        Player(opened)


async def test_a_console_that_can_watch_no_longer_ends(tmp_path: Path) -> None:
    """A page must not go on to show as live what nobody watches; here, on a map without a lane."""
    made_elsewhere(tmp_path, (recorded.SITE, d.Site.DESCRIPTOR.full_name), (recorded.WHOLE, d.FleetUpdate.DESCRIPTOR.full_name))

    with pytest.raises(ValueError, match="empty"):
        await run_console(ConsoleSettings(server="", replay=tmp_path), lambda _: None)


def test_a_truck_on_a_lane_that_the_map_has_not_is_no_trouble_to_the_past(recording: Recording) -> None:
    """A map may be changed between the map that is asked for and the first truck that is heard of."""
    history = History(axis_of(asks.site().read(recording.newest(recorded.SITE, recording.end_ns))))
    history.note(0, [{"id": "t1", "lane": "to_come", "at_m": 1.0, "laden": False}, {"id": "t2", "lane": None}])

    assert history.data(0) == {"time_ms": [0], "trucks": {}}


async def updates(player: Player) -> AsyncIterator[Any]:
    """What a feed would be told."""
    async for update in player.watch(asks.watch_fleet(0.5)):
        yield update


async def test_it_plays_to_the_end_and_stops_there(recording: Recording) -> None:
    """Nothing comes after; and whoever plays again sees it from the beginning."""
    player = Player(recording)
    player.steer({"playing": True, "speed": SPEED_MAX})
    told = []

    async for update in updates(player):
        told.append(update)
        if not player.state()["playing"]:
            break

    assert told[0].snapshot
    assert told[-1].tick == recording.fleet(recording.end_ns).tick
    assert player.state()["at_ms"] == player.state()["end_ms"]
    assert player.steer({"playing": True})["at_ms"] == player.state()["begin_ms"]


async def test_a_moment_is_kept_to_the_span_of_the_run(recording: Recording) -> None:
    """A slider that is dragged off its end stays there."""
    player = Player(recording)

    far = player.steer({"at_ms": 10**14})
    before = player.steer({"at_ms": -5})

    assert (far["at_ms"], before["at_ms"]) == (far["end_ms"], before["begin_ms"])


@pytest.mark.parametrize(
    "body", [{"at_ms": "noon"}, {"at_ms": True}, {"at_ms": float("nan")}, {"speed": 0}, {"speed": 1e9}, {"speed": "2"}, {"playing": 1}]
)
async def test_what_cannot_be_steered_by_is_refused(recording: Recording, body: dict[str, Any]) -> None:
    """Nothing of it takes effect."""
    player = Player(recording)
    before = player.state()

    with pytest.raises(InvalidField):
        player.steer({"playing": True, **body} if "playing" not in body else body)

    assert player.state() == before


async def test_a_recording_obeys_nobody(recording: Recording) -> None:
    """Somebody who takes it for the fleet must hear at once that nothing stops."""
    player = Player(recording)

    for wish in (asks.stop_all("s", "r"), asks.hold_truck("t001", "r"), asks.audit(""), asks.site_proposal()):
        with pytest.raises(OnlyARecording, match="This is a recording"):
            await player.ask(wish)


async def test_why_a_truck_stands_is_said_as_far_as_it_is_on_record(recording: Recording) -> None:
    """The chain of first links, in every language."""
    player = Player(recording)
    player.steer({"at_ms": player.state()["end_ms"]})
    standing = [truck for truck in recording.fleet(recording.end_ns).trucks if truck.HasField("standing_for")]

    said = {language: await player.ask(asks.explain(standing[0].truck_id, language)) for language in ("en", "zh", "mn")}

    assert said["en"].causes[0].kind == standing[0].standing_for.kind
    assert len({explanation.sentence for explanation in said.values()}) == 3
    with pytest.raises(NotFound):
        await player.ask(asks.explain("nobody", "en"))


async def test_a_run_is_one_day(recording: Recording) -> None:
    """Of the day before nothing is known, and it is not made up."""
    player = Player(recording)
    player.steer({"at_ms": player.state()["end_ms"]})

    day, other = await player.ask(asks.day()), await player.ask(asks.day("2025-12-31"))

    assert day.hours
    assert (other.date, other.hours, other.bound) == ("2025-12-31", (), None)


async def test_the_past_of_a_moment_holds_nothing_of_what_comes(recording: Recording) -> None:
    """Forwards, and wound back."""
    player = Player(recording)
    begin, end = player.state()["begin_ms"], player.state()["end_ms"]
    lengths = []

    for share in (0.4, 1.0, 0.2, 0.6):
        at_ms = player.steer({"at_ms": begin + share * (end - begin)})["at_ms"]
        past = await player.past(0)
        assert max(past["time_ms"]) <= at_ms
        assert min(past["time_ms"]) <= begin + 10_000
        assert {len(row["m"]) for row in past["trucks"].values()} == {len(past["time_ms"])}
        lengths.append(len(past["time_ms"]))

    assert lengths[2] < lengths[0] < lengths[3] < lengths[1]


async def test_a_broken_block_stops_the_show_and_not_the_console(folder: Path, tmp_path: Path) -> None:
    """The page says what and where, and other moments can still be looked at."""
    shutil.copy(folder / recorded.FILE, tmp_path / recorded.FILE)
    with Recording(tmp_path) as opened:
        last = opened._index[-1]
        with (tmp_path / recorded.FILE).open("r+b") as file:
            file.seek(last.chunk_start_offset + last.chunk_length // 2)
            file.write(b"\0" * 64)
        opened._blocks.clear()
        player = Player(opened)
        watching = updates(player)
        await anext(watching)

        player.steer({"at_ms": player.state()["end_ms"], "playing": True})
        await anext(watching)
        broken = player.state()
        player.steer({"at_ms": broken["begin_ms"]})
        again = await anext(watching)

    assert f"at_byte {last.chunk_start_offset}" in broken["problem"]
    assert not broken["playing"]
    assert again.snapshot
    assert player.state()["problem"] == ""
