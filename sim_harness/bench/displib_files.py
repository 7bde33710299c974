"""
DISPLIB 2025's problems as they lie in a directory: loose files or an archive, with the best values known beside them.

Every problem is read and checked before the first is planned, so that a file that holds none is named at once and not after an hour.
"""

from __future__ import annotations

import json
import lzma
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from planner.timetable.columns import TIME_MAX

Json = Mapping[str, Any]

BEST_KNOWN: Final = "best_known.json"
ARCHIVE: Final = "problems.tar.xz"

# A number written as text is none: what plans would take it as it stands.
Time = Annotated[int, Field(ge=0, le=TIME_MAX, strict=True)]
Price = Annotated[int, Field(ge=0, strict=True)]
Index = Annotated[int, Field(ge=0, strict=True)]


class ProblemFault(ValueError):
    """A file holds no problem that can be planned; says which, where in it, and why."""


class _Use(BaseModel):
    resource: str
    release_time: Time = 0


class _Operation(BaseModel):
    start_lb: Time = 0
    start_ub: Time | None = None
    min_duration: Time = 0
    resources: tuple[_Use, ...] = ()
    successors: tuple[Index, ...] = ()


class _Term(BaseModel):
    type: Literal["op_delay"]
    train: Index
    operation: Index
    threshold: Time = 0
    coeff: Price = 0
    increment: Price = 0


class _Problem(BaseModel):
    trains: Annotated[tuple[tuple[_Operation, ...], ...], Field(min_length=1)]
    objective: tuple[_Term, ...]


class _Best(BaseModel):
    best_known: int


_BESTS: Final = TypeAdapter(dict[str, int | _Best])


def _parsed(where: str, text: bytes) -> Any:
    """
    What the JSON says.

    Raises:
        ProblemFault: it is none.
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise ProblemFault(f"{where} is not JSON: {fault}") from None


def _said(where: str, fault: ValidationError) -> ProblemFault:
    first = fault.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole"
    return ProblemFault(f"{where}: {place}: {first['msg']}")


def _problem(where: str, text: bytes) -> Json:
    problem: Json = _parsed(where, text)
    try:
        _Problem.model_validate(problem)
    except ValidationError as fault:
        raise _said(where, fault) from None
    return problem


def problems_in(directory: Path) -> Iterator[tuple[str, Json]]:
    """
    Names and problems of loose files, or of the archive where there are none.

    Raises:
        ProblemFault: one holds no problem, or the archive is damaged.
        OSError: one cannot be read.
    """
    loose = sorted(path for path in directory.glob("*.json") if path.name != BEST_KNOWN)
    for path in loose:
        yield path.stem, _problem(str(path), path.read_bytes())
    if loose or not (directory / ARCHIVE).is_file():
        return
    try:
        yield from _packed(directory / ARCHIVE)
    except (tarfile.TarError, lzma.LZMAError, EOFError) as fault:
        raise ProblemFault(f"{directory / ARCHIVE} cannot be unpacked: {fault}") from None


def _packed(path: Path) -> Iterator[tuple[str, Json]]:
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            file = archive.extractfile(member) if member.name.endswith(".json") else None
            if file is not None and Path(member.name).name != BEST_KNOWN:
                yield Path(member.name).stem, _problem(f"{member.name} in {path}", file.read())


def best_known_in(directory: Path) -> dict[str, int]:
    """
    Best values known, by problem; empty where the file is not there.

    Raises:
        ProblemFault: it holds something else.
    """
    path = directory / BEST_KNOWN
    if not path.is_file():
        return {}
    try:
        read = _BESTS.validate_python(_parsed(str(path), path.read_bytes()))
    except ValidationError as fault:
        raise _said(str(path), fault) from None
    return {name: value.best_known if isinstance(value, _Best) else value for name, value in read.items()}
