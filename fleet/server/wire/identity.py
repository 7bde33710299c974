"""Who is on the other side of a call, as far as the transport proves it."""

from __future__ import annotations

from typing import Any, Final

import grpc

# Plaintext is served on loopback only; whoever is on this machine is taken for one and the same person.
LOOPBACK: Final = "loopback"


def actor_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The proven identity of the caller: the URI name of its certificate, or `loopback` where there is none."""
    names = context.auth_context().get("x509_subject_alternative_name", ())
    for name in names:
        text = bytes(name).decode(errors="replace")
        if text.startswith("spiffe://"):
            return text
    return LOOPBACK


def peer_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Whom to hold to account for what a call costs: the caller where he is proven, or else his connection."""
    actor = actor_of(context)
    return f"{LOOPBACK}/{context.peer()}" if actor == LOOPBACK else actor
