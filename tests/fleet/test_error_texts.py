"""Refusals in the languages of the border: the same facts, in the reader's words."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from google.rpc import error_details_pb2

import fleet.server.app  # noqa: F401 - every error that can be refused with is declared once this is here
from fleet.errors import FleetError, InvalidField
from fleet.server.dispatch.control import ControlNotHeld
from fleet.server.wire.interceptors import status_of
from fleet.texts import ENGLISH, texts

GAP = re.compile(r"\{(\w+)\}")
NAMED = sorted(key.removeprefix("error.") for key in texts(ENGLISH) if key.startswith("error."))


def classes() -> dict[str, type[FleetError]]:
    """Every error there is, by name."""
    found: dict[str, type[FleetError]] = {}
    waiting: list[type[FleetError]] = [FleetError]
    while waiting:
        each = waiting.pop()
        found[each.__name__] = each
        waiting += each.__subclasses__()
    return found


@pytest.mark.parametrize("name", NAMED)
def test_a_refusals_words_name_only_facts_that_it_has(name: str) -> None:
    """A gap that nobody fills would be read aloud."""
    facts = {each.name for each in fields(classes()[name])}

    assert set(GAP.findall(texts(ENGLISH)[f"error.{name}"])) <= facts


def localized(error: FleetError) -> dict[str, str]:
    """What a status says, by language."""
    found = {}
    for packed in status_of(error).details:
        message = error_details_pb2.LocalizedMessage()
        if packed.Unpack(message):
            found[message.locale] = message.message
    return found


def test_a_refusal_is_said_in_three_languages() -> None:
    """English as ever, a hint beside the message; the others whole."""
    said = localized(ControlNotHeld(holder="odval", actor="bataa"))

    assert said["en"] == "Acquire control first."
    assert "odval" in said["zh"]
    assert "控制权" in said["zh"]
    assert "odval" in said["mn"]


def test_a_refusal_without_words_is_said_in_english_alone() -> None:
    """Better than none."""

    class Unheard(FleetError):
        """Nobody has translated this."""

    assert localized(Unheard()) == {}


def test_what_a_stranger_sent_fills_no_answer() -> None:
    """A field as long as a book comes back cut, in every language."""
    said = localized(InvalidField(name="x" * 10_000, problem="{y}" * 10_000))

    assert max(len(words.encode()) for words in said.values()) <= 600
