"""
The corridor of a site as an earlier start worked it out, so that a server that was killed is back sooner.

Working it out takes most of a start: two seconds for a hundred stands and more than five for five hundred, in which nobody is granted
anything. What came of it is kept beside the journal, with digests of everything that it follows from: each file of the site, our own code
and the libraries that measure ground. Where one of them differs, or the file is not whole, the site is read as though nothing had been kept.
Who may write into that folder may write the journal as well; what is read is data, and each value of it is checked as when it is built.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

import planner
from fleet.durable import make_folder, write_whole
from fleet.log import Event, Log
from fleet.site.names import SiteError, locate
from planner.corridor import Corridor

KEPT_FILE: Final = "site.kept"
_MODE: Final = 0o644  # as the site's own file
_FORM: Final = TypeAdapter(Corridor)
_LIBRARIES: Final = ("numpy", "pydantic", "ruamel.yaml", "scipy", "shapely")
_LOG: Final = Log("site")
_CODE: Final = (Path(__file__).parent, Path(planner.__path__[0]))


def kept_site(name_or_path: str, folder: Path) -> Corridor:
    """
    The corridor of a site, proven sound now or at an earlier start; kept in *folder*, which is made, where there is room.

    Raises:
        SiteError: the first thing wrong with it, in one line.
    """
    file = folder / KEPT_FILE
    corridor = _read(file, name_or_path)
    if corridor is not None:
        return corridor
    from fleet.site.load import load_site, source_files  # noqa: PLC0415 - half a second, for which a kept site does not wait

    files = source_files(name_or_path)
    rests_on = _rests_on(name_or_path, files)
    corridor = load_site(name_or_path)
    if rests_on == _rests_on(name_or_path, files):  # else a file was changed meanwhile
        _write(file, rests_on, corridor)
    return corridor


def _rests_on(name_or_path: str, files: Sequence[Path]) -> dict[str, Any]:
    """Everything from which the corridor follows."""
    code = [path for root in _CODE for path in sorted(root.rglob("*.py"))]
    return {
        "site": [name_or_path, str(Path.cwd())],
        "files": [[str(path), _digest(path.read_bytes())] for path in files],
        "code": _digest("".join(_digest(path.read_bytes()) for path in code).encode()),
        "libraries": [sys.version, *(version(name) for name in _LIBRARIES)],
    }


def _write(file: Path, rests_on: dict[str, Any], corridor: Corridor) -> None:
    body = _FORM.dump_json(corridor)
    assert _FORM.validate_json(body) == corridor, "a corridor's written form says all of it"
    head = json.dumps({"rests_on": rests_on, "body": _digest(body), "map": corridor.digest})
    try:
        make_folder(file.parent)
        write_whole(file, head.encode() + b"\n" + body, _MODE)
    except OSError as fault:
        # A full disk, or a folder of somebody else's: the next start takes longer, and nothing else.
        _LOG.fact(Event.SITE_NOT_KEPT, path=str(file), problem=str(fault))


def _read(file: Path, name_or_path: str) -> Corridor | None:
    """What was kept, if it is what reading the site would give now."""
    try:
        head, _, body = file.read_bytes().partition(b"\n")
        kept = json.loads(head)
        files = [Path(path) for path, _ in kept["rests_on"]["files"]]
        if files[0] != locate(name_or_path).absolute() or kept["rests_on"] != _rests_on(name_or_path, files):
            return None
        if kept["body"] != _digest(body):
            return None
        corridor = _FORM.validate_json(body)
    except (OSError, SiteError, ValueError, LookupError, TypeError):
        return None
    return corridor if corridor.digest == kept["map"] else None


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()
