"""
Site files: the corridor as data, checked with the line and a hint, its conflict zones derived.

What reads and measures them is loaded when it is first asked for: it takes most of a second, and a server that was killed has its
site kept.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from fleet.site.kept import kept_site
from fleet.site.names import SiteError, site_names

if TYPE_CHECKING:
    from fleet.site.load import corridor_of_text, load_site, text_of
    from fleet.site.schema import site_schema

__all__ = ["SiteError", "corridor_of_text", "kept_site", "load_site", "site_names", "site_schema", "text_of"]

_LATER: Final = {"corridor_of_text": "load", "load_site": "load", "text_of": "load", "site_schema": "schema"}


def __getattr__(name: str) -> object:
    """What is not loaded yet."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
