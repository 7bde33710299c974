"""
Reading site and scenario files that somebody damaged: what a fuzzer calls, and strategies that damage the files we ship.

Damage is done to bytes (flipped, cut out, doubled, put in), to numbers where they stand, and to the tree of values (one replaced by
another of the same file, taken away, or by something that belongs nowhere).
"""

from __future__ import annotations

import copy
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from fleet.site import SiteError, site_names
from fleet.site.load import examine, read_source, spec_problems
from fleet.site.source import parse
from sim_harness.scenario import load_scenario, scenario_names

# Whole sites of these are drawn in a tenth of a second; of the others only the values are read.
SMALL: Final = ("crossing", "hills")
EDGE_NUMBERS: Final = (
    "0",
    "-1",
    "1",
    "1e5",
    "-1e5",
    "1e-9",
    "0.001",
    "99999",
    "1e300",
    ".nan",
    ".inf",
    "null",
    "''",
    "true",
    "[]",
    "{}",
    "0o17",
    "12:30:00",
)
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
Draw = Callable[[st.SearchStrategy[Any]], Any]


@cache
def shipped(package: str) -> dict[str, str]:
    """The texts of the sites or scenarios that come with the product."""
    names = site_names() if package == "fleet.sites" else scenario_names()
    return {name: resources.files(package).joinpath(f"{name}.yaml").read_text("utf-8") for name in names}


def read_site(raw: bytes) -> bool:
    """
    Reads a site's file as `fleet site check` does; whether it is sound.

    Whatever is wrong must be said as a `SiteError`: any other exception is a fault of ours.
    """
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        Path(file.name).write_bytes(raw)
        found = examine(file.name)[1]
    for problem in found:
        assert "\n" not in str(problem)
    return not found


def read_values(raw: bytes) -> bool:
    """Reads a site's values and draws nothing: quick, whatever the size of the site."""
    try:
        return not spec_problems(parse(raw.decode(errors="replace"), "fuzz"))
    except SiteError:
        return False


def read_scenario(raw: bytes) -> bool:
    """Reads a scenario's file as `fleet sim run` does; whether it could be run."""
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        Path(file.name).write_bytes(raw)
        try:
            load_scenario(file.name)
        except SiteError:
            return False
    return True


@st.composite
def damaged_bytes(draw: Draw, texts: dict[str, str]) -> bytes:
    """One of *texts* with a few pieces flipped, cut out, doubled or put in."""
    made = bytearray(texts[draw(st.sampled_from(sorted(texts)))].encode())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(made) - 1, 0)))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(("flip", "cut", "double", "put"))):
            case "flip":
                made[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del made[at : at + length]
            case "double":
                made[at:at] = made[at : at + length]
            case _:
                made[at:at] = draw(
                    st.sampled_from(
                        (
                            b"\x00",
                            b"\xff\xfe",
                            b"&a ",
                            b"*a",
                            b"!!python/object:os.system ",
                            b"<<: *a\n",
                            b"? ",
                            b"- ",
                            b": ",
                            b"\t",
                            b"...\n---\n",
                            b"{",
                            b"[",
                            b"|",
                            b"'",
                        )
                    )
                )
    return bytes(made)


@st.composite
def other_numbers(draw: Draw, texts: dict[str, str]) -> bytes:
    """One of *texts* with one to three of its numbers replaced by what lies at an edge."""
    text = texts[draw(st.sampled_from(sorted(texts)))]
    for _ in range(draw(st.integers(1, 3))):
        found = list(_NUMBER.finditer(text))
        place = found[draw(st.integers(0, len(found) - 1))]
        edge = st.sampled_from(EDGE_NUMBERS) | st.integers(-200, 400).map(str) | st.floats(-500.0, 500.0, allow_nan=False).map(str)
        text = text[: place.start()] + draw(edge) + text[place.end() :]
    return text.encode()


@st.composite
def other_trees(draw: Draw, trees: tuple[str, ...]) -> bytes:
    """One of *trees* (JSON) with a value replaced by another of its own, by nonsense, or taken away."""
    tree = json.loads(draw(st.sampled_from(trees)))
    places = list(_places(tree))
    for _ in range(draw(st.integers(1, 2))):
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(("other", "nonsense", "gone"))):
            case "other":
                other, other_key = places[draw(st.integers(0, len(places) - 1))]
                holder[key] = copy.deepcopy(other[other_key])
            case "nonsense":
                holder[key] = draw(st.sampled_from((None, True, -1, 0, 10**18, 1e300, "", "x" * 300, [], {}, [[]], {"": None})))
            case _:
                holder.pop(key)
        places = list(_places(tree))
        if not places:
            break
    return json.dumps(tree).encode()


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (mapping or list, key) of *tree*."""
    if isinstance(tree, dict | list):
        for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
            yield tree, key
            yield from _places(value)


@cache
def site_trees(names: tuple[str, ...]) -> tuple[str, ...]:
    """The merged values of those sites, as JSON."""
    return tuple(json.dumps(read_source(name).tree) for name in names)


@cache
def scenario_trees() -> tuple[str, ...]:
    """The values of the scenarios on the small sites, as JSON."""
    return tuple(json.dumps(parse(shipped("sim_harness.scenarios")[name], name).tree) for name in SMALL)
