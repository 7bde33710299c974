"""Who acts, as the desk must know it: a person, an office, a machine, and what each may claim to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fleet.errors import Code, FleetError
from fleet.principal import RANKS, Principal, PrincipalUnreadable, read_principal


@dataclass(eq=False)
class ClaimsAnother(FleetError):
    """The message names somebody else than its sender's certificate does."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Speak for yourself: name whom the certificate names."

    claimed: str
    proven: str


@dataclass(eq=False)
class NotYours(FleetError):
    """Somebody else answers for that."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "A yard reports its own bays and gates, customs those of the checkpoint."

    subject: str
    keeper: str
    proven: str


def principal_of(actor: str) -> Principal | None:
    """Whom a certificate named; None on loopback, and for our own acts."""
    try:
        return read_principal(actor)
    except PrincipalUnreadable:
        return None


def person_of(actor: str) -> str:
    """The one behind *actor*: a person is the same one in whatever rank, and is no second person to himself."""
    principal = principal_of(actor)
    return f"{principal.site_id}/{principal.name}" if principal is not None and principal.role in RANKS else actor


def is_called(actor: str, name: str) -> bool:
    """Whether *name* means *actor*: the whole name of a certificate, or the person's in it."""
    principal = principal_of(actor)
    return name == actor or (principal is not None and name == principal.name)


def require_own(actor: str, claimed: str) -> None:
    """
    Refuses whoever claims to be somebody else.

    Raises:
        ClaimsAnother: *claimed* is not what *actor* is called.
    """
    if not is_called(actor, claimed):
        raise ClaimsAnother(claimed=claimed, proven=actor)
