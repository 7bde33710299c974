"""Whoever reads Chinese or Mongolian reads the same page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Final

import pytest

from fleet.console import app
from fleet.console.alarms import GRAVE_CAUSES, GRAVE_SESSIONS
from fleet.texts import ENGLISH, LANGUAGES, texts
from fleet.v1 import common_pb2
from planner.authority import Cause

FLEET: Final = app.STATIC.parent.parent
OWN: Final = [path for path in sorted(app.STATIC.rglob("*.js")) if "vendor" not in path.parts]
# t("key"), t(open ? "one" : "other"), t(`prefix.${name}`), and keys kept in lists of pairs, as ["truck.place", ...].
CALLED: Final = re.compile(r"\bt\((?P<said>(?:[^()`]|\([^()]*\)|`[^`]*`)*)")
PLAIN: Final = re.compile(r'"([a-z_]+(?:\.[a-z_0-9]+)*)"')
LISTED: Final = re.compile(r'"((?:truck|top|day|legend|lease|concern)\.[a-z_.]+)"')
TEMPLATE: Final = re.compile(r"`[^`]*`")
# A name is put behind it: `order.${state}`, f"cause.{kind}", or "queue." and a name elsewhere.
FAMILY: Final = re.compile(r"[`\"']([a-z_]+(?:\.[a-z_]+)*\.)(?=\$?\{|[`\"'])")
PREFIX: Final = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*\.)\$\{")


def keys_in(source: str) -> Iterator[str]:
    """Keys that a script certainly asks for."""
    for call in CALLED.finditer(source):
        first, _, _ = TEMPLATE.sub("", call["said"]).partition(", {")
        yield from PLAIN.findall(first.partition("?")[2] if "?" in first else first)
    yield from LISTED.findall(source)


def families() -> dict[str, set[str]]:
    """For each prefix that scripts put a name behind: the names there are."""
    sessions = {name.removeprefix("SESSION_STATE_").lower() for name in common_pb2.SessionState.DESCRIPTOR.values_by_name} - {"unspecified"}
    missions = {name.removeprefix("MISSION_STATE_").lower() for name in common_pb2.MissionState.DESCRIPTOR.values_by_name} - {"unspecified"}
    causes = {cause.name.lower() for cause in Cause}
    alarms = {"stop", "brakes", "battery", *GRAVE_SESSIONS, *GRAVE_CAUSES}
    return {
        "session.": {*sessions, "unknown"},
        "mission.": missions,
        "cause.": causes,
        "short.": causes,
        "concern.": alarms | {f"{kind}.do" for kind in alarms},
        "screen.": {path.stem for path in OWN if path.parent.name == "screens"},
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_key(language: str) -> None:
    """A sentence that is missing at night is a sentence nobody reads."""
    assert texts(language).keys() == texts(ENGLISH).keys()
    assert all(said.strip() for said in texts(language).values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_facts(language: str) -> None:
    """A translation that drops the truck's name explains nothing."""
    named = {key: {name for _, name, _, _ in Formatter().parse(said) if name} for key, said in texts(language).items()}

    assert named == {key: {name for _, name, _, _ in Formatter().parse(said) if name} for key, said in texts(ENGLISH).items()}


@pytest.mark.parametrize("script", OWN, ids=lambda path: path.relative_to(app.STATIC).as_posix())
def test_every_key_a_script_asks_for_exists(script: Path) -> None:
    """A key that nobody wrote is shown as it stands."""
    source = script.read_text(encoding="utf-8")
    missing = sorted(key for key in keys_in(source) if key not in texts(ENGLISH))
    bare = sorted(prefix for prefix in PREFIX.findall(source) if not any(key.startswith(prefix) for key in texts(ENGLISH)))

    assert missing == []
    assert bare == []


def test_scripts_are_found_to_ask_for_keys() -> None:
    """Whatever looks for keys must find them."""
    found = {key for script in OWN for key in keys_in(script.read_text(encoding="utf-8"))}

    assert {"hold.title", "lane.closed", "lane.open", "truck.battery", "stop.reason", "legend.closed"} <= found
    assert len(found) > 120


def test_every_text_is_said_by_somebody() -> None:
    """What nobody says is translated in vain."""
    source = "".join(path.read_text(encoding="utf-8") for path in [*OWN, *sorted(FLEET.rglob("*.py"))])
    families = tuple(FAMILY.findall(source))

    assert [key for key in texts(ENGLISH) if f'"{key}"' not in source and not key.startswith(families)] == []


@pytest.mark.parametrize(("prefix", "names"), families().items(), ids=families().keys())
def test_every_state_and_cause_has_its_words(prefix: str, names: set[str]) -> None:
    """What the server may say one day must be said in words on the first."""
    assert sorted(f"{prefix}{name}" for name in names if f"{prefix}{name}" not in texts(ENGLISH)) == []
