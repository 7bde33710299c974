"""
Every sentence a person reads from us, in the languages of the border: English, Chinese, Mongolian.

One file a language, one line a key; `{name}` is filled in by whoever speaks. The server's explanations and the console's page take their
words from here, so that a truck stands for the same reason in the same words wherever somebody asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "zh", "mn")


def known(language: str) -> str:
    """The language of ours that a BCP 47 tag asks for; English where it is none of them."""
    asked = language.split("-", maxsplit=1)[0].lower()
    return asked if asked in LANGUAGES else ENGLISH


@cache
def texts(language: str) -> Mapping[str, str]:
    """All sentences of one of `LANGUAGES`, by key."""
    return dict(json.loads((resources.files(__name__) / f"{language}.json").read_text(encoding="utf-8")))


def say(language: str, key: str, **fields: str) -> str:
    """The sentence of *key* in the language asked for."""
    return texts(known(language))[key].format(**fields)
