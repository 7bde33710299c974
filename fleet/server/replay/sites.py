"""The site of a log, as it must be for the core to decide alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fleet.errors import Code, FleetError
from fleet.server.replay.blocks import as_told, site_form
from fleet.site import load_site
from planner.corridor import Corridor

DIGEST_SHOWN = 12


@dataclass(eq=False)
class SiteChanged(FleetError):
    """The site is not the one that was recorded: its core would decide otherwise."""

    code: ClassVar[Code] = Code.STALE
    hint: ClassVar[str] = "Name the site as it was then with --site."

    site: str
    what: str
    recorded: str
    present: str


class Sites:
    """Loads the site that a log names, or *instead* of it another; the same one once."""

    def __init__(self, instead: str | None = None) -> None:
        self._instead = instead
        self._known: dict[tuple[str, str], Corridor] = {}
        self._corridor: Corridor | None = None

    @property
    def corridor(self) -> Corridor:
        """The corridor of the log entered last."""
        assert self._corridor is not None, "a log is entered before its core begins"
        return self._corridor

    def enter(self, head: Mapping[str, Any]) -> None:
        """
        A log begins.

        Raises:
            SiteChanged: the site is another one by now.
            SiteError: it cannot be read.
        """
        name = self._instead or head["site"]
        known = self._known.get((name, head["form"]))
        self._corridor = known if known is not None else self._loaded(name, head)
        self._known[name, head["form"]] = self._corridor

    @staticmethod
    def _loaded(name: str, head: Mapping[str, Any]) -> Corridor:
        corridor = load_site(name)
        drawn = head.get("site_digest", head["digest"])
        if corridor.digest != drawn:
            recorded, present = drawn[:DIGEST_SHOWN], corridor.digest[:DIGEST_SHOWN]
            raise SiteChanged(site=name, what="map", recorded=recorded, present=present)
        corridor = as_told(corridor, head)
        if site_form(corridor) != head["form"]:
            recorded, present = head["form"][:DIGEST_SHOWN], site_form(corridor)[:DIGEST_SHOWN]
            raise SiteChanged(site=name, what="opening times", recorded=recorded, present=present)
        return corridor
