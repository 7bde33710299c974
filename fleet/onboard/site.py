"""
Which site the truck drives by, and which one it is to be ready for.

A map changes in two phases. The server proposes another site; the truck answers once it could serve under that one as well as under
its own, and goes on under its own. Which of the two counts is said by a welcome and by nothing else: a truck that heard of a
proposal has not changed its map, and one that missed the switch learns of it at its next hello.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.errors import FleetError
from fleet.onboard.words import SiteAcknowledged, SiteProposed, SiteWithdrawn

NO_SITE = ""


@dataclass(eq=False)
class MapDiffers(FleetError):
    """The server's map is not the one this truck carries."""

    server_digest: str
    truck_digest: str


class Sites:
    """
    The sites of one truck, by digest.

    *digest* is the site it drives by, empty for a truck that takes its road from routes alone: that one is ready for any.
    *wanted* is the proposal it was told of, *ready* what its hardware has loaded beside *digest*; empty for none.
    """

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.wanted = NO_SITE
        self.ready = NO_SITE

    @property
    def to_load(self) -> str:
        """The site that the hardware is to load beside the present one; empty for none."""
        return self.wanted if self.digest and self.wanted not in {self.digest, self.ready} else NO_SITE

    def hear(self, heard: SiteProposed | SiteWithdrawn) -> list[SiteAcknowledged]:
        """What the truck answers to a proposal, or to its end. Said again, it is answered again: the answer may have been lost."""
        if isinstance(heard, SiteProposed):
            self.wanted = heard.digest
            return [SiteAcknowledged(digest=heard.digest)] if heard.digest and (not self.digest or heard.digest == self.ready) else []
        if self.wanted == heard.digest:
            self.wanted = NO_SITE
        return []

    def load(self, digest: str) -> list[SiteAcknowledged]:
        """The hardware says what it has loaded beside the present site; news about what is wanted is said."""
        loaded = digest if digest != self.digest else NO_SITE
        if loaded == self.ready:
            return []
        could, self.ready = self.ready, loaded
        if not self.digest or not self.wanted or self.wanted not in {could, loaded}:
            return []
        return [SiteAcknowledged(digest=loaded if loaded == self.wanted else NO_SITE)]

    def require(self, server_digest: str) -> None:
        """
        Refuses a server whose site the truck has not loaded.

        Raises:
            MapDiffers: it is neither the one it drives by nor the one it is ready for.
        """
        if self.digest and server_digest not in {self.digest, self.ready}:
            raise MapDiffers(server_digest, self.digest)

    def agree(self, server_digest: str) -> None:
        """The truck was welcomed under *server_digest*: from now on that is the site it drives by, if it drives by any."""
        if self.digest and server_digest == self.ready:
            self.digest, self.ready = server_digest, NO_SITE
        if self.wanted == server_digest:
            self.wanted = NO_SITE
