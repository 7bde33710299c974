"""What the product stands on is known to the version: an audit that needs no network."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HOUSE = Path(__file__).resolve().parent.parent
OWN = "khulan"
# Part of every virtual environment before anything is installed into it; grpcio-tools asks for it, in any version.
ENVIRONMENTS_OWN = {"setuptools"}
# Where a package may come from beside the index: nowhere. A pin is a name, `==` and a version, and no more.
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.+!]+)$")


def declared() -> dict[str, list[str]]:
    """What pyproject asks for, by extra; the package itself under no name."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def pins() -> dict[str, str]:
    """The versions that `make setup` installs."""
    lines = [line.strip() for line in (HOUSE / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    found = [PIN.match(line) for line in lines if line and not line.startswith("#")]
    assert None not in found, "constraints.txt holds a line that is no pin"
    return {canonicalize_name(match["name"]): match["version"] for match in found if match is not None}


def reached(requirements: list[str], seen: set[tuple[str, str]]) -> Iterator[str]:
    """Names of everything that *requirements* bring with them on this machine, extras of extras included."""
    for text in requirements:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        for extra in ["", *sorted(requirement.extras)]:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            if name == OWN:
                yield from reached(declared()[extra], seen)
                continue
            if name in ENVIRONMENTS_OWN:
                continue
            yield name
            try:
                below = distribution(name).requires or []
            except PackageNotFoundError:
                continue  # an extra that is not installed here; its pin is asked for all the same
            wanted = [one for one in map(Requirement, below) if one.marker is None or one.marker.evaluate({"extra": extra})]
            yield from reached([str(one).partition(";")[0] for one in wanted], seen)


@pytest.mark.parametrize("extra", ["", "server", "sim", "dev", "fuzz"])
def test_everything_that_is_installed_with_us_is_pinned(extra: str) -> None:
    """A package that nobody named, in a version that nobody saw, is somebody else's code in a server that moves trucks."""
    known = pins()

    unpinned = sorted({name for name in reached(declared()[extra], set()) if name not in known})

    assert unpinned == []


def test_what_runs_here_is_what_is_pinned() -> None:
    """Else the figures and the tests are of another product than the one that ships."""
    known = pins()
    here = {}
    for name in sorted({name for asked in declared().values() for name in reached(asked, set())}):
        try:
            here[name] = distribution(name).version
        except PackageNotFoundError:
            continue

    assert here
    assert {name: version for name, version in here.items() if Version(version) != Version(known[name])} == {}


def test_nothing_is_taken_from_anywhere_but_the_index() -> None:
    """A requirement with an address of its own goes past every pin."""
    asked = [Requirement(text) for texts in declared().values() for text in texts]

    assert [str(one) for one in asked if one.url is not None] == []
    assert pins()
