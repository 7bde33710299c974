"""A corridor that an earlier start worked out is the one that the site's file gives now, or it is not believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import TypeAdapter

from fleet.site import SiteError, kept_site, load_site
from fleet.site.kept import KEPT_FILE
from planner.corridor import Corridor

BASE = "hills"
GIVEN = "extends: hills\nsite: mine\ndefaults: {speed_kmh: 20}\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site file that extends another one."""
    file = tmp_path / "mine.yaml"
    file.write_text(GIVEN)
    return file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a journal, which is not there yet."""
    return tmp_path / "data"


def forge(data: Path, corridor: Corridor | bytes, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Puts *corridor*, or its written form, into the kept file as though it had been worked out, the head changed."""
    head = json.loads((data / KEPT_FILE).read_bytes().partition(b"\n")[0])
    body = corridor if isinstance(corridor, bytes) else TypeAdapter(Corridor).dump_json(corridor)
    head |= {"body": blake2b(body, digest_size=32).hexdigest()}
    change(head)
    (data / KEPT_FILE).write_bytes(json.dumps(head).encode() + b"\n" + body)


def test_a_second_start_takes_what_the_first_one_worked_out(site: Path, data: Path) -> None:
    """It is the same to the last zone; and what was kept is what is taken."""
    first = kept_site(str(site), data)
    second = kept_site(str(site), data)
    forge(data, replace(first, origin_latitude_deg=1.0))
    third = kept_site(str(site), data)

    assert first == second == load_site(str(site))
    assert third.origin_latitude_deg == 1.0


def test_a_site_that_was_changed_is_read_anew(site: Path, data: Path) -> None:
    """Its own file, and any that it extends."""
    below = site.with_name("below.yaml")
    below.write_text(GIVEN)
    site.write_text("extends: below.yaml\nsite: mine\n")
    kept_site(str(site), data)

    below.write_text(GIVEN.replace("20", "15"))
    changed_below = kept_site(str(site), data)
    site.write_text("extends: below.yaml\nsite: other\n")
    changed = kept_site(str(site), data)

    assert changed_below.lanes == load_site(str(below)).lanes
    assert changed.site_id == "other"


@pytest.mark.parametrize("what", ["code", "libraries", "site", "files"])
def test_what_was_worked_out_otherwise_is_not_taken(site: Path, data: Path, what: str) -> None:
    """Another version of ours, or of a library, may have drawn other zones."""
    corridor = kept_site(str(site), data)

    def other(head: dict[str, Any]) -> None:
        head["rests_on"][what] = []

    forge(data, replace(corridor, origin_latitude_deg=1.0), other)

    assert kept_site(str(site), data) == corridor


def test_a_damaged_file_is_not_believed(site: Path, data: Path) -> None:
    """Flipped or cut at any of many places: the site is read, and the file is sound again."""
    corridor = kept_site(str(site), data)
    sound = (data / KEPT_FILE).read_bytes()
    for at in range(0, len(sound), len(sound) // 20):
        for damaged in (sound[:at], sound[:at] + bytes([sound[at] ^ 0x41]) + sound[at + 1 :]):
            (data / KEPT_FILE).write_bytes(damaged)
            assert kept_site(str(site), data) == corridor

    assert (data / KEPT_FILE).read_bytes() == sound


def test_the_map_must_have_the_digest_that_was_noted(site: Path, data: Path) -> None:
    """Every authority quotes it."""
    corridor = kept_site(str(site), data)
    forge(data, replace(corridor, digest="00"))

    assert kept_site(str(site), data) == corridor


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\x80\x05."])
def test_what_is_no_corridor_is_not_taken_for_one(site: Path, data: Path, body: bytes) -> None:
    """Though its digest is right: whoever wrote it was no server of ours."""
    corridor = kept_site(str(site), data)
    forge(data, body)

    assert kept_site(str(site), data) == corridor


def test_a_value_that_cannot_be_is_refused_as_when_it_is_built(site: Path, data: Path) -> None:
    """A lane without length stops no truck."""
    corridor = kept_site(str(site), data)
    tree = json.loads((data / KEPT_FILE).read_bytes().partition(b"\n")[2])
    tree["lanes"][0]["length_m"] = -1.0
    forge(data, json.dumps(tree).encode())

    assert kept_site(str(site), data) == corridor


def test_without_room_for_it_a_site_is_read_each_time(site: Path, tmp_path: Path) -> None:
    """A folder that cannot be made keeps no server from its work; why each start takes its time is said."""
    (tmp_path / "data").write_text("no folder")

    with structlog.testing.capture_logs() as said:
        corridor = kept_site(str(site), tmp_path / "data")

    assert corridor == load_site(str(site))
    assert [(line["event"], line["path"]) for line in said] == [("site_not_kept", str(tmp_path / "data" / KEPT_FILE))]


def test_an_unsound_site_is_refused_and_keeps_nothing(site: Path, data: Path) -> None:
    """It is not proven sound by being read twice."""
    site.write_text(GIVEN.replace("speed_kmh", "sped_kmh"))

    for _ in range(2):
        with pytest.raises(SiteError, match="sped_kmh"):
            kept_site(str(site), data)
    assert not data.exists()
