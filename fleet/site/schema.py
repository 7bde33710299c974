"""The published JSON Schema of site files, and what keys may stand where."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fleet.site.format import SiteSpec, Strict
from fleet.site.source import YamlPath


def site_schema() -> dict[str, Any]:
    """
    JSON Schema of a site file.

    A file that extends another may hold parts of anything, and `null` to take something away: of it only the top is described.
    """
    whole = SiteSpec.model_json_schema(by_alias=True)
    definitions = whole.pop("$defs")
    extends = {
        "type": "string",
        "description": "name or file of the site this one varies; mappings merge, lists are replaced, null removes",
    }
    top = {name: {"description": part["description"]} if "description" in part else True for name, part in whole["properties"].items()}
    variant = {
        "type": "object",
        "properties": {**top, "extends": extends},
        "required": ["extends"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "khulan site file",
        "$defs": definitions,
        "if": {"required": ["extends"]},
        "then": variant,
        "else": whole,
    }


def keys_at(path: YamlPath) -> set[str]:
    """The keys that may stand in the mapping at *path*; empty where any name may."""
    annotation: Any = SiteSpec
    for part in path:
        annotation = _core(annotation)
        if isinstance(annotation, type) and issubclass(annotation, Strict):
            by_key = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
            annotation = by_key.get(str(part))
        else:
            annotation = get_args(annotation)[-1] if get_args(annotation) else None
        if annotation is None:
            return set()
    annotation = _core(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        keys = {field.alias or name for name, field in annotation.model_fields.items()}
        return keys | {"extends"} if annotation is SiteSpec else keys
    return set()


def _core(annotation: Any) -> Any:
    """The mapping, list or model inside optional and annotated types."""
    while get_origin(annotation) in {Annotated, Union, UnionType}:
        annotation = get_args(annotation)[0]
    return annotation
