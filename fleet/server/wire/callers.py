"""Whoever is on the other side of a call, once proven: a name for the record, and a role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import grpc

from fleet.principal import PrincipalUnreadable, Role, read_principal
from fleet.server.wire.identity import LOOPBACK, names_of
from fleet.server.wire.rights import NotIdentified

_SECURED_BY: Final = "transport_security_type"
_SECURE: Final = frozenset({b"ssl", b"tls"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """*actor* is the name of a certificate, or `loopback`; *name* that of the truck, gateway, person or office, "" on loopback."""

    actor: str
    role: Role
    name: str

    @property
    def proven(self) -> bool:
        """Whether a certificate says so."""
        return self.role is not Role.LOOPBACK


HERE: Final = Caller(actor=LOOPBACK, role=Role.LOOPBACK, name="")


def caller_of(context: grpc.aio.ServicerContext[Any, Any], method: str) -> Caller:
    """
    Who calls *method*.

    Raises:
        NotIdentified: the line is secured, and no certificate or no single name of ours came over it.
    """
    names = names_of(context)
    if not names and not _SECURE & set(context.auth_context().get(_SECURED_BY, ())):
        return HERE
    if len(names) != 1:
        raise NotIdentified(method=method)
    try:
        principal = read_principal(names[0])
    except PrincipalUnreadable as unreadable:
        raise NotIdentified(method=method) from unreadable
    return Caller(actor=names[0], role=principal.role, name=principal.name)
