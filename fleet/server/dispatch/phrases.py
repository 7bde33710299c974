"""
What holds a truck, said in the languages of the border.

Each phrase goes on after the truck's name; its subject is the gate, truck, stand, lane, zone or person it is about.
"""

from __future__ import annotations

from fleet.texts import say
from planner.authority import Cause


def phrase(cause: Cause, subject: str, language: str) -> str:
    """The phrase for *cause* in *language*; English where the language is not ours."""
    return say(language, f"cause.{cause.name.lower()}", subject=subject or say(language, "unnamed"))


def moves(language: str) -> str:
    """What is said of a truck that does not stand."""
    return say(language, "moves")
