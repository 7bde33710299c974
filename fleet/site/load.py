"""From a site's name or file to the corridor the planner knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fleet.site.build import corridor_of
from fleet.site.check import findings
from fleet.site.expand import draft_of
from fleet.site.format import SiteSpec
from fleet.site.names import SiteError, did_you_mean, locate
from fleet.site.schema import keys_at
from fleet.site.source import Source, YamlPath, extend, parse, read_text
from planner.corridor import Corridor

State = tuple[int, ...]  # of a file: see `_state_of`

EXTENDS_MAX: Final = 8
SITES_KNOWN_MAX: Final = 8  # a few MB each, at most
PROPOSED: Final = "proposed site"


def read_source(name_or_path: str, *, beside: Path | None = None, depth: int = 0, files: dict[Path, State] | None = None) -> Source:
    """
    The values of a site file, those of the sites it extends beneath them; *files* hears of each of them before it is read.

    Raises:
        SiteError: a file is missing or not YAML, or the chain of `extends` does not end.
    """
    path = locate(name_or_path, beside)
    if files is not None:
        files[path.absolute()] = _state_of(path)
    source = parse(read_text(path), str(path))
    below = source.tree.get("extends")
    if below is None:
        return source
    if not isinstance(below, str):
        raise source.error(("extends",), "extends names one site or file", "write `extends: NAME`")
    if depth >= EXTENDS_MAX:
        raise source.error(("extends",), f"more than {EXTENDS_MAX} files extend one another", "does one of them extend itself?")
    try:
        base = read_source(below, beside=path.parent, depth=depth + 1, files=files)
    except SiteError as error:
        if error.file == below:
            raise source.error(("extends",), error.problem, error.advice) from error
        raise
    return extend(base, source)


def source_files(name_or_path: str) -> list[Path]:
    """
    The files that a site is read from: its own, and those of the sites it extends.

    Raises:
        SiteError: one is missing or not YAML.
    """
    files: dict[Path, State] = {}
    read_source(name_or_path, files=files)
    return list(files)


def spec_problems(source: Source) -> list[SiteError]:
    """Everything wrong with the values taken one by one, in the order of the file."""
    try:
        SiteSpec.model_validate(source.tree)
    except ValidationError as error:
        # A misspelt key is also a missing one: the misspelling is the better story.
        told = [(detail, _from_pydantic(source, detail)) for detail in error.errors(include_url=False, include_input=True)]
        told.sort(key=lambda pair: (pair[0]["type"] != "extra_forbidden", pair[1].file, pair[1].line))
        return [problem for _, problem in told]
    return []


def _from_pydantic(source: Source, detail: ErrorDetails) -> SiteError:
    path: YamlPath = tuple(part for part in detail["loc"] if part != "[key]")
    name = ".".join(str(part) for part in path) or "the site"
    message = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "extra_forbidden":
            known = keys_at(path[:-1])
            return source.error(
                path,
                f"unknown key {str(path[-1])!r}" + (f" in {'.'.join(map(str, path[:-1]))}" if path[:-1] else ""),
                did_you_mean(str(path[-1]), known),
            )
        case "missing":
            return source.error(path[:-1], f"{name} is missing", f"add `{path[-1]}:`")
        case "literal_error":
            expected = str(detail.get("ctx", {}).get("expected", ""))
            choices = [choice.strip().strip("'") for choice in expected.replace(" or ", ", ").split(",")]
            return source.error(path, f"{name} cannot be {_shown(detail['input'])}", did_you_mean(str(detail["input"]), choices))
        case "string_pattern_mismatch":
            return source.error(
                path, f"{name} cannot be {_shown(detail['input'])}", f"must match {detail.get('ctx', {}).get('pattern', '')}"
            )
        case _:
            return source.error(
                path, f"{name}: {message}", f"is {_shown(detail['input'])}" if not isinstance(detail["input"], dict | list) else ""
            )


def _shown(value: object) -> str:
    return repr(value)[:60]


def load_site(name_or_path: str | Path) -> Corridor:
    """
    The corridor of a site that comes with the package, or of a YAML file; proven sound.

    Working it out takes up to a second. While its files stay as they are it is not worked out again.

    Raises:
        SiteError: the first thing wrong with it, in one line.
    """
    key = locate(str(name_or_path)).absolute()
    known = _known.get(key)
    if known is not None and all(state == _state_of(path) for path, state in known.files.items()):
        return known.corridor
    files: dict[Path, State] = {}
    source = read_source(str(name_or_path), files=files)
    corridor, found = _examine(source)
    if found:
        raise found[0]
    assert corridor is not None
    _known[key] = _Known(corridor=corridor, files=files)
    if len(_known) > SITES_KNOWN_MAX:
        del _known[next(iter(_known))]
    return corridor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A site as worked out in this process, and the files it was read from, as they were then."""

    corridor: Corridor
    files: dict[Path, State]


_known: Final[dict[Path, _Known]] = {}


def _state_of(path: Path) -> State:
    """What changes when the file is written; of one that is gone, nothing that a file has."""
    try:
        told = path.stat()
    except OSError:
        return ()
    return told.st_ino, told.st_mtime_ns, told.st_size


def examine(name_or_path: str | Path) -> tuple[Corridor | None, list[SiteError]]:
    """The corridor, where the file gets that far, and everything wrong with it."""
    try:
        source = read_source(str(name_or_path))
    except SiteError as error:
        return None, [error]
    return _examine(source)


def _examine(source: Source) -> tuple[Corridor | None, list[SiteError]]:
    problems = spec_problems(source)
    if problems:
        return None, problems
    try:
        draft = draft_of(SiteSpec.model_validate(source.tree), source)
        corridor = corridor_of(draft)
    except SiteError as error:
        return None, [error]
    return corridor, findings(draft, corridor)


def text_of(name_or_path: str | Path) -> str:
    """
    A site file and all it extends as the text of one file, to be kept or sent: it means the same wherever it is read.

    Raises:
        SiteError: a file is missing or not YAML.
    """
    return json.dumps(read_source(str(name_or_path)).tree, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=4)
def corridor_of_text(text: str) -> Corridor:
    """
    The corridor of a site file that somebody sent; proven sound. Reading it takes a second, reading it again nothing.

    Raises:
        SiteError: the first thing wrong with it, in one line.
    """
    source = parse(text, PROPOSED)
    if "extends" in source.tree:
        # What lies on this machine's disk is not for whoever sends a text.
        raise source.error(("extends",), "a site that is sent extends no other", "send it merged, as `fleet site propose` does")
    corridor, found = _examine(source)
    if found:
        raise found[0]
    assert corridor is not None
    return corridor
