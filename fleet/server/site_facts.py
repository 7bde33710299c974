"""
Which site the journal speaks of, and which one it may be switched to.

Facts name lanes, gates and stands by their rows, so a journal can be read on one site only: the one that `SiteInForce` names. A
switch is a snapshot in which everything durable is said anew in the rows of the new site, with a new `SiteInForce` before it: in
the journal whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.server.fact_form import Fact, fact


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInForce(Fact):
    """
    The site whose rows every other fact names.

    *before_digest* is the site it took over from, and *text* its file as it was proposed; both empty for the site a journal began
    on, which was given from outside.
    """

    site_id: str
    digest: str
    before_digest: str
    text: str
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class SiteProposed(Fact):
    """
    A person wants to switch to another site, whose file is *text*. Made by the desk.

    *changed_lanes* are rows of the site in force: nobody is given road over them while this stands.
    """

    site_id: str
    digest: str
    text: str
    changed_lanes: tuple[int, ...]
    changed_truck_type_ids: tuple[str, ...]
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class SiteWithdrawn(Fact):
    """The proposal of this digest is off. Made by the desk."""

    digest: str
    actor: str
    at_ns: int
