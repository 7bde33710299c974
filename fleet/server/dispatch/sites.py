"""
The operators' side of a map change: another site is proposed, switched to, or withdrawn.

What differs between the two is worked out when a site is proposed and kept with the proposal, so that it means the same after a
restart. Whether the switch may be made now is asked of whoever knows where the trucks are; the desk adds what it knows itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from fleet.errors import Code, FleetError, NotFound
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.trips import NOWHERE
from fleet.server.site_commands import BlockReason, ProposeSite, SiteAnswer, SiteBlock, SiteState, SwitchSite, WithdrawSite
from fleet.server.site_facts import SiteInForce, SiteProposed, SiteWithdrawn
from planner.changes import changes_between
from planner.corridor import Corridor

# An error travels in the header of an answer, which is small; the proposal itself lists everything.
BLOCKS_NAMED_MAX: Final = 12


@dataclass(eq=False)
class SiteSame(FleetError):
    """The proposed site is the one in force: opening times and processes change with a restart, without a map change."""

    digest: str


@dataclass(eq=False)
class SiteAlreadyProposed(FleetError):
    """Another site is proposed already."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Switch to it or withdraw it first."

    digest: str


@dataclass(eq=False)
class SiteUnfit(FleetError):
    """The proposed site cannot take over from the one in force."""

    problem: str


@dataclass(eq=False)
class SwitchBlocked(FleetError):
    """The site cannot be switched to yet."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "`fleet site proposal` lists everything that blocks it. Unseen trucks come back, or are removed by two persons."

    digest: str
    count: int
    blocks: str


class Readiness(Protocol):
    """Whoever knows where the trucks are and what they said."""

    @property
    def after(self) -> Corridor | None:
        """The proposed site; None when it cannot be read any more."""
        ...

    def ready_ids(self) -> tuple[str, ...]:
        """Trucks that acknowledged the proposal."""
        ...

    def blocks(self) -> list[SiteBlock]:
        """What forbids to switch now."""
        ...

    def try_out(self) -> None:
        """
        Says everything durable anew on the proposed site, changing nothing.

        Raises:
            FleetError: it cannot be said there, or would not say the same.
        """
        ...


class Sites:
    """Proposals of one desk. *readiness* is set by whoever puts desk and loop together."""

    readiness: Readiness

    def __init__(self, books: Books) -> None:
        self._books = books

    def propose(self, command: ProposeSite, actor: str, now_ns: int) -> SiteAnswer:
        """
        Another site is wanted: its trucks are asked, its changed lanes barred.

        Raises:
            SiteSame: it is the one in force.
            SiteAlreadyProposed: one at a time.
            SiteUnfit: orders name yards that it does not have.
            SiteError: its file is not sound.
        """
        # pydantic, shapely and scipy cost most of a second: a desk whose site does not change goes without.
        from fleet.site import corridor_of_text  # noqa: PLC0415

        books, proposed = self._books, self._books.proposed
        if command.digest == books.corridor.digest:
            raise SiteSame(digest=command.digest)
        if proposed is not None and proposed.digest != command.digest:
            raise SiteAlreadyProposed(digest=proposed.digest)
        if proposed is None:
            after = corridor_of_text(command.text)
            self._require_fit(after)
            changes = changes_between(books.corridor, after)
            books.record(
                SiteProposed(
                    site_id=command.site_id,
                    digest=command.digest,
                    text=command.text,
                    changed_lanes=tuple(ix for ix, lane in enumerate(books.corridor.lanes) if lane.lane_id in changes.lane_ids),
                    changed_truck_type_ids=tuple(sorted(changes.truck_type_ids)),
                    actor=actor,
                    at_ns=now_ns,
                )
            )
        return self.answer()

    def _require_fit(self, after: Corridor) -> None:
        for role, yard in self._books.corridor.yard_by_role.items():
            found = after.yard_by_role.get(role)
            if found is None or found.yard_id != yard.yard_id:
                raise SiteUnfit(problem=f"the {role.value} yard is {yard.yard_id!r}, there {found.yard_id if found else 'none'!r}")

    def withdraw(self, command: WithdrawSite, actor: str, now_ns: int) -> SiteAnswer:
        """
        The proposal is off.

        Raises:
            NotFound: no such proposal.
        """
        proposed = self._proposed(command.digest)
        answer = self._answer(proposed, SiteState.WITHDRAWN, ())
        self._books.record(SiteWithdrawn(digest=proposed.digest, actor=actor, at_ns=now_ns))
        return answer

    def switch(self, command: SwitchSite, actor: str, now_ns: int) -> SiteAnswer:
        """
        The proposed site is in force, and this desk's work is done.

        Raises:
            NotFound: no such proposal.
            SwitchBlocked: somebody is not ready, or not off what changes.
        """
        proposed = self._proposed(command.digest)
        blocks = self.blocks()
        if blocks:
            raise SwitchBlocked(digest=proposed.digest, count=len(blocks), blocks=named(blocks))
        self.readiness.try_out()
        answer = self._answer(proposed, SiteState.SWITCHED, ())
        self._books.record(
            SiteInForce(
                site_id=proposed.site_id,
                digest=proposed.digest,
                before_digest=self._books.corridor.digest,
                text=proposed.text,
                actor=actor,
                at_ns=now_ns,
            )
        )
        return answer

    def answer(self) -> SiteAnswer:
        """
        The proposal as it stands.

        Raises:
            NotFound: nothing is proposed.
        """
        return self._answer(self._proposed(""), SiteState.PROPOSED, tuple(self.blocks()))

    def blocks(self) -> list[SiteBlock]:
        """Everything that forbids to switch now."""
        return self.readiness.blocks() + self._intrusions() + self._stands_gone()

    def _intrusions(self) -> list[SiteBlock]:
        """Road kept clear of somebody: how far around him is a question to the map, and his place may be on what changes."""
        return [SiteBlock(truck_id="", reason=BlockReason.INTRUSION, subject_id=name) for name in self._books.intrusions.open]

    def _stands_gone(self) -> list[SiteBlock]:
        """Trucks that have a stand which the proposed site lacks, or takes for something else."""
        books, after = self._books, self.readiness.after
        found: list[SiteBlock] = []
        for truck in books.trips.truck if after is not None else ():
            if truck is None or truck.removed:
                continue
            for stand_ix in dict.fromkeys((truck.goal_ix, truck.left_ix, *books.stands.held_by(truck.row))):
                if stand_ix != NOWHERE and not self._is_kept(stand_ix, after):
                    stand_id = books.corridor.stands[stand_ix].stand_id
                    found.append(SiteBlock(truck_id=truck.truck_id, reason=BlockReason.STAND_GONE, subject_id=stand_id))
        return found

    def _is_kept(self, stand_ix: int, after: Corridor | None) -> bool:
        stand = self._books.corridor.stands[stand_ix]
        at = after.stand_ix.get(stand.stand_id) if after is not None else None
        return at is not None and after is not None and (after.stands[at].kind, after.stands[at].yard_id) == (stand.kind, stand.yard_id)

    def _proposed(self, digest: str) -> SiteProposed:
        proposed = self._books.proposed
        if proposed is None or digest not in {"", proposed.digest}:
            raise NotFound(kind="proposed site", name=digest or "any")
        return proposed

    def _answer(self, proposed: SiteProposed, state: SiteState, blocks: tuple[SiteBlock, ...]) -> SiteAnswer:
        lanes = self._books.corridor.lanes
        switched = state is SiteState.SWITCHED
        return SiteAnswer(
            digest=proposed.digest,
            site_id=proposed.site_id,
            state=state,
            digest_in_force=proposed.digest if switched else self._books.corridor.digest,
            proposed_ns=proposed.at_ns,
            proposed_by=proposed.actor,
            changed_lane_ids=tuple(lanes[lane].lane_id for lane in proposed.changed_lanes),
            changed_truck_type_ids=proposed.changed_truck_type_ids,
            acknowledged_truck_ids=self.readiness.ready_ids(),
            blocks=blocks,
        )


def named(blocks: Sequence[SiteBlock]) -> str:
    """The blocks in words, truck by truck."""
    of_truck: dict[str, list[str]] = {}
    for block in blocks:
        of_truck.setdefault(block.truck_id, []).append(_said(block))
    said = [f"{truck_id}: {', '.join(reasons)}" if truck_id else ", ".join(reasons) for truck_id, reasons in of_truck.items()]
    more = len(said) - BLOCKS_NAMED_MAX
    return "; ".join(said[:BLOCKS_NAMED_MAX]) + (f"; and {more} more" if more > 0 else "")


def _said(block: SiteBlock) -> str:
    reason = block.reason.name.lower().replace("_", " ")
    return f"{reason} {block.subject_id}" if block.subject_id else reason
