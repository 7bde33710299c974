"""Who is on the other side of a call, as far as the transport proves it."""

from __future__ import annotations

from typing import Any, Final

import grpc

from fleet.principal import SCHEME

# Plaintext is served on loopback only; whoever is on this machine is taken for one and the same person.
LOOPBACK: Final = "loopback"


def names_of(context: grpc.aio.ServicerContext[Any, Any]) -> list[str]:
    """Every name of ours that the caller's certificate carries; none where there is none."""
    texts = (bytes(name).decode(errors="replace") for name in context.auth_context().get("x509_subject_alternative_name", ()))
    return [text for text in texts if text.startswith(SCHEME)]


def actor_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The proven identity of the caller: the URI name of its certificate, or `loopback` where there is none."""
    return next(iter(names_of(context)), LOOPBACK)


def peer_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Whom to hold to account for what a call costs: the caller where he is proven, or else his connection."""
    actor = actor_of(context)
    return f"{LOOPBACK}/{context.peer()}" if actor == LOOPBACK else actor
