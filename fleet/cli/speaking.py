"""What the command line says in the languages of the border: why trucks stand, in the words of the server and the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.terminal import clock_time, fail, own_language, place
from fleet.texts import LANGUAGES, say, texts

if TYPE_CHECKING:
    from fleet.client.values import Cause

LanguageOption = Annotated[
    str, typer.Option("--language", "--lang", help="en, zh or mn. Usual: that of this terminal, or English.", envvar="FLEET_LANGUAGE")
]


def language_of(given: str) -> str:
    """The language to speak: the one asked for, else the terminal's where that is one of ours, else English."""
    if given and given not in LANGUAGES:
        fail(f"--language is one of {', '.join(LANGUAGES)}, not {given!r}.", 2)
    return given or own_language()


def short(kind: str, language: str) -> str:
    """A cause in two or three words; one of a newer server's that has no words here, by its name."""
    return texts(language).get(f"short.{kind}", kind.replace("_", " "))


def link_text(cause: Cause, language: str) -> str:
    """
    One link of a chain in a line: the truck, the end of its authority, what keeps that there, since when, and who can change it.

    What somebody gave as a reason is in his own words.
    """
    parts = [
        cause.truck_id,
        f"← {place(cause.end)}" if cause.end is not None else "",
        f"← {short(cause.kind, language)} {cause.subject_id}",
    ]
    said = " ".join(part.strip() for part in parts if part.strip())
    if cause.held_by_truck_id and cause.held_by_truck_id != cause.subject_id:
        said += f" ({cause.held_by_truck_id})"
    notes = [say(language, "since", time=clock_time(cause.since))] if cause.since is not None else []
    if not cause.held_by_truck_id and cause.owner:
        # One of a newer server's has no words here: his name alone.
        notes.append(texts(language).get(f"owner.{cause.owner}", "{name}").format(name=cause.owner_id).strip())
    return "; ".join([said, *(note for note in notes if note), *([cause.reason] if cause.reason else [])])
