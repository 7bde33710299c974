"""
A site file as plain values, with the line every one of them came from.

YAML is composed, not constructed: scalars become text, numbers, truth values or nothing, never dates or objects of a tag, so
that no file can make the reader do more than read. Whoever finds fault with a value names its *path*, and gets the line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from fleet.site.names import SiteError

YamlPath = tuple[str | int, ...]
DEPTH_MAX: Final = 24
NODES_MAX: Final = 200_000
BYTES_MAX: Final = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Source:
    """Plain values of a site file and what it extends, and the file and line of each path."""

    file: str
    tree: dict[str, object]
    lines: Mapping[YamlPath, tuple[str, int]] = field(repr=False)

    def place(self, path: YamlPath) -> tuple[str, int]:
        """File and line of *path*, or of the nearest thing around it that was written down."""
        for count in range(len(path), -1, -1):
            found = self.lines.get(path[:count])
            if found is not None:
                return found
        return self.file, 1

    def error(self, path: YamlPath, problem: str, advice: str) -> SiteError:
        """A `SiteError` that points at *path*."""
        file, line = self.place(path)
        return SiteError(file, line, problem, advice)


class _Reader:
    """Turns composed nodes into values, refusing what a site file has no use for."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[YamlPath, tuple[str, int]] = {}

    def fail(self, node: Node, problem: str, advice: str) -> SiteError:
        return SiteError(self.file, node.start_mark.line + 1, problem, advice)

    def value(self, node: Node, path: YamlPath) -> object:
        if len(path) > DEPTH_MAX:
            raise self.fail(node, f"nested more than {DEPTH_MAX} deep", "a site file is shallow; look for an alias that contains itself")
        if len(self.lines) > NODES_MAX:
            raise self.fail(node, f"more than {NODES_MAX} values", "split the site, or look for aliases that multiply")
        self.lines.setdefault(path, (self.file, node.start_mark.line + 1))
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(entry, (*path, ix)) for ix, entry in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self.scalar(node)

    def mapping(self, node: MappingNode, path: YamlPath) -> dict[str, object]:
        made: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self.fail(key_node, "a key must be a plain word", "write `key: value`")
            key = str(key_node.value)
            if key in made:
                raise self.fail(key_node, f"{key!r} appears twice in one mapping", "rename or remove one of them")
            self.lines[*path, key] = (self.file, key_node.start_mark.line + 1)
            made[key] = self.value(value_node, (*path, key))
        return made

    def scalar(self, node: ScalarNode) -> object:
        text = str(node.value)
        kind = str(node.tag or "").rpartition(":")[2]
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return text.lower() in {"true", "yes", "on"}
                case "int":
                    number = int(text.replace("_", ""), 0)
                    return number if abs(number) < 10**15 else float(number)
                case "float":
                    return _finite(text)
                case _:
                    return text
        except (ValueError, OverflowError):
            raise self.fail(node, f"{text[:40]!r} is not a number", "write metres and seconds as plain decimals") from None


def _finite(text: str) -> float:
    value = float(text.replace("_", ""))
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def parse(text: str, file: str) -> Source:
    """
    Values and lines of one YAML text.

    Raises:
        SiteError: the text is not YAML, or uses YAML a site file has no use for.
    """
    if len(text) > BYTES_MAX:
        raise SiteError(file, 1, f"larger than {BYTES_MAX} bytes", "a site file is a few hundred lines; is this the right file?")
    try:
        root = YAML(typ="safe", pure=True).compose(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise SiteError(file, line, f"not YAML: {error.problem or error.context}", "mend the line, or the one above it") from error
    except (YAMLError, ValueError, RuntimeError, AttributeError, TypeError, LookupError, AssertionError) as error:
        # The composer answers some malformed text with the error of whatever it tripped over.
        raise SiteError(file, 1, f"not YAML: {str(error)[:120]}", "save the file as UTF-8 YAML") from error
    reader = _Reader(file)
    if root is None:
        raise SiteError(file, 1, "the file is empty", "begin with `site: NAME`")
    if not isinstance(root, MappingNode):
        raise SiteError(file, root.start_mark.line + 1, "a site file is a mapping", "begin with `site: NAME`")
    return Source(file=file, tree=reader.mapping(root, ()), lines=reader.lines)


def _merge(
    base: dict[str, object],
    over: dict[str, object],
    path: YamlPath,
    lines: dict[YamlPath, tuple[str, int]],
    from_lines: Mapping[YamlPath, tuple[str, int]],
) -> dict[str, object]:
    """*over* laid upon *base*, mapping by mapping; `null` takes the base's entry away; lists are replaced whole."""
    made = dict(base)
    for key, value in over.items():
        here = (*path, key)
        below = made.get(key)
        if value is None:
            made.pop(key, None)
        elif isinstance(value, dict) and isinstance(below, dict):
            made[key] = _merge(below, value, here, lines, from_lines)
        else:
            made[key] = value
            for known in [known for known in lines if known[: len(here)] == here]:
                del lines[known]
        lines.update({known: place for known, place in from_lines.items() if known[: len(here)] == here})
    return made


def extend(base: Source, over: Source) -> Source:
    """The variant *over* on top of the site it extends."""
    lines = dict(base.lines)
    tree = _merge(base.tree, {key: value for key, value in over.tree.items() if key != "extends"}, (), lines, over.lines)
    return Source(file=over.file, tree=tree, lines=lines)


def read_text(path: Path) -> str:
    """
    The text of a site file.

    Raises:
        SiteError: it is not there, or not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SiteError(str(path), 1, f"cannot be read: {error.strerror or error}", "check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise SiteError(str(path), 1, "is not UTF-8 text", "save the file as UTF-8") from error
