"""
The gRPC server itself: how much it takes on, what stands around every method, and where it listens. What it serves, others register.

From the outside in: what is asked too often waits or is refused; whoever is nobody any more is cut off; who may ask what; and errors
as the wire has them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import grpc

from fleet.clock import Clock
from fleet.errors import FleetError
from fleet.log import Event, Log
from fleet.server.certificates import Certificates
from fleet.server.limits import LINKS_MAX, connections_max
from fleet.server.process import keep_heap_small, raise_file_limit
from fleet.server.settings import ServerSettings
from fleet.server.traces import Traces
from fleet.server.wire.access import AccessInterceptor
from fleet.server.wire.identity_watch import IdentityInterceptor
from fleet.server.wire.interceptors import ErrorInterceptor
from fleet.server.wire.limiter import Limiter
from fleet.server.wire.lockstep_service import LineInterceptor
from fleet.server.wire.refusals import Refusals
from fleet.server.wire.shedding import Shed

_LOG: Final = Log("app")


@dataclass(eq=False)
class AddressTaken(FleetError):
    """The server cannot listen there."""

    listen: str
    problem: str


def grpc_server(
    settings: ServerSettings,
    certificates: Certificates | None,
    refusals: Refusals,
    clock: Clock,
    shed: Shed,
    traces: Traces,
) -> grpc.aio.Server:
    """A server without methods that listens nowhere yet; the process is made fit for it."""
    interceptors = traces.interceptors()
    # Simulated time asks as fast as the machine can: nobody there is held back, but it must be known who drives.
    interceptors.append(LineInterceptor() if settings.lockstep else Limiter(clock, shed))
    if certificates is not None:
        interceptors.append(IdentityInterceptor(certificates.identities))
    interceptors += [AccessInterceptor(refusals, plaintext=certificates is None), ErrorInterceptor()]
    keep_heap_small()
    transport = replace(settings.transport, streams_max=LINKS_MAX) if settings.lockstep else settings.transport
    options = transport.server_options(connections_max=connections_max(raise_file_limit()))
    return grpc.aio.server(interceptors=interceptors, options=options)


def listen(server: grpc.aio.Server, settings: ServerSettings, certificates: Certificates | None) -> str:
    """
    Opens the port, with certificates where there are some; the answer is the address.

    Raises:
        AddressTaken: somebody else has it, or it is none of this machine.
    """
    try:
        if certificates is None:
            port = server.add_insecure_port(settings.listen)
        else:
            port = server.add_secure_port(settings.listen, certificates.credentials())
    except RuntimeError as fault:
        raise AddressTaken(listen=settings.listen, problem=str(fault)) from fault
    if certificates is None:
        _LOG.fact(Event.PLAINTEXT_SERVED, listen=settings.listen)
    else:
        _LOG.fact(Event.CERTIFICATES_SERVED, listen=settings.listen, **certificates.facts())
    return f"{settings.host}:{port}"
