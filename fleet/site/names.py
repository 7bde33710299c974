"""Which site is meant, where its file lies, and what is said of one that cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import ClassVar

from fleet.errors import Code, FleetError


@dataclass(eq=False)
class SiteError(FleetError):
    """A site file cannot be used."""

    file: str
    line: int
    problem: str
    advice: str

    code: ClassVar[Code] = Code.INVALID

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.problem}"
        text = f"{text}; {self.advice}" if self.advice else text
        return " ".join(text.split())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question naming the nearest of *known*, or the few there are to choose from."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(choices[:8]) + (", …" if len(choices) > 8 else "")
    return f"known here: {shown}" if choices else "none is defined"


def site_names() -> list[str]:
    """The sites that come with the package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in resources.files("fleet.sites").iterdir() if entry.name.endswith(".yaml"))


def locate(name_or_path: str, beside: Path | None = None) -> Path:
    """
    The file of a site: one that comes with the package, or a YAML file, *beside* the one that names it.

    Raises:
        SiteError: there is no such site.
    """
    asked = Path(name_or_path)
    if asked.suffix in {".yaml", ".yml"} or asked.is_file():
        return asked if beside is None or asked.is_absolute() else beside / asked
    if name_or_path not in site_names():
        raise SiteError(
            name_or_path, 1, f"there is no site {name_or_path!r}", f"{did_you_mean(name_or_path, site_names())} or give a .yaml file"
        )
    return Path(str(resources.files("fleet.sites").joinpath(f"{name_or_path}.yaml")))
