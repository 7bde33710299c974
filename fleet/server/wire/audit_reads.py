"""The audit on the wire: one page of it, with the wall's time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fleet.clock import NS_PER_S
from fleet.errors import InvalidField
from fleet.server.dispatch.audit import Audited
from fleet.server.journal.audit_trail import NEWEST, AuditTrail
from fleet.server.limits import PAGE_ROWS, PAGE_ROWS_MAX
from fleet.server.wire.codec_answers import stamp
from fleet.v1 import dispatch_pb2 as d


class AuditReads:
    """Answers whoever may read the audit of *folder*. *utc_at_zero_ns*: Unix time of control time 0."""

    def __init__(self, folder: Path, utc_at_zero_ns: int) -> None:
        self._trail = AuditTrail(folder)
        self._utc_at_zero_ns = utc_at_zero_ns

    async def page(self, request: d.ListAuditRequest) -> d.ListAuditResponse:
        """
        One page; the disk is read on a thread of its own.

        Raises:
            InvalidField: the page asked for is none.
            AuditUnreadable, JournalCorrupt: what is on the disk is no audit.
        """
        token = request.page_token
        if request.page_size < 0:
            raise InvalidField(name="page_size", problem="must not be negative")
        if token and not (token.isascii() and token.isdigit() and len(token) < len(str(NEWEST))):
            raise InvalidField(name="page_token", problem="is not one that this server gave")
        since_ns = request.since.seconds * NS_PER_S + request.since.nanos - self._utc_at_zero_ns if request.HasField("since") else 0
        found = await asyncio.to_thread(
            self._trail.page,
            count=min(request.page_size or PAGE_ROWS, PAGE_ROWS_MAX),
            before=int(token) if token else NEWEST,
            since_ns=since_ns,
            who=request.who,
        )
        entries = [self._entry(sequence, audited) for sequence, audited in found.entries]
        return d.ListAuditResponse(entries=entries, next_page_token=str(found.older) if found.older else "")

    def _entry(self, sequence: int, audited: Audited) -> d.AuditEntry:
        return d.AuditEntry(
            sequence=sequence,
            time=stamp(self._utc_at_zero_ns + audited.at_ns),
            actor=audited.actor,
            request_id=audited.request_id,
            command=audited.command,
            detail=audited.detail,
            before=audited.before,
            after=audited.after,
            outcome=audited.outcome,
            count=audited.count,
        )
