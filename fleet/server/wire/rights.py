"""
Who may call what: one row a method, and nobody who is not named in it.

A method without a row is nobody's, so a new one is refused until somebody has decided. Where only loopback is served there are no
certificates, and whoever is on this machine may do everything. What a row allows, the desk may still refuse: a yard reports its own bays,
a truck speaks for itself, and some changes take two persons.

Three decisions are worth their reasons:

- Every person and every office may stop everything, hold a truck and report an intruder: that only reduces. Trucks and gateways may
  not stop everything. There are many of them, they stand about in the open, and each has a way of its own to stop who is near: a truck
  says what it sees on its own stream, a gateway reports intruders.
- Going on again (resume, lift, release, open) is for whoever commands, dispatcher or supervisor; two persons can only be found at night
  when it does not take two supervisors.
- A new map, and the reading of what everybody did, are the supervisor's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from fleet.errors import FleetError
from fleet.principal import Role

Roles = frozenset[Role]

NOBODY: Final[Roles] = frozenset()
TRUCK: Final = frozenset({Role.TRUCK})
GATEWAY: Final = frozenset({Role.GATEWAY})
SUPERVISOR: Final = frozenset({Role.SUPERVISOR})
COMMAND: Final = frozenset({Role.DISPATCHER, Role.SUPERVISOR})
OPERATORS: Final = COMMAND | {Role.VIEWER}
CUSTOMS: Final = frozenset({Role.CUSTOMS})
YARD: Final = frozenset({Role.YARD})
PEOPLE: Final = OPERATORS | CUSTOMS | YARD
ANYONE: Final = PEOPLE | TRUCK | GATEWAY

MAY: Final[Mapping[str, Roles]] = {
    "/fleet.v1.TruckService/Connect": TRUCK,
    "/fleet.v1.GatewayService/Relay": GATEWAY,
    "/fleet.v1.DispatchService/CreateTransportOrder": COMMAND,
    "/fleet.v1.DispatchService/GetTransportOrder": OPERATORS | YARD,
    "/fleet.v1.DispatchService/ListTransportOrders": OPERATORS | YARD,
    "/fleet.v1.DispatchService/CancelTransportOrder": COMMAND,
    "/fleet.v1.DispatchService/ListTrucks": PEOPLE,
    "/fleet.v1.DispatchService/GetTruck": PEOPLE,
    "/fleet.v1.DispatchService/HoldTruck": PEOPLE,
    "/fleet.v1.DispatchService/ResumeTruck": COMMAND,
    "/fleet.v1.DispatchService/DecommissionTruck": COMMAND,
    "/fleet.v1.DispatchService/RecommissionTruck": COMMAND,
    "/fleet.v1.DispatchService/RemoveTruck": COMMAND,
    "/fleet.v1.DispatchService/ExplainHold": PEOPLE,
    "/fleet.v1.DispatchService/ListLanes": PEOPLE,
    "/fleet.v1.DispatchService/CloseLane": COMMAND,
    "/fleet.v1.DispatchService/OpenLane": COMMAND,
    "/fleet.v1.DispatchService/LimitLane": COMMAND,
    "/fleet.v1.DispatchService/SetLaneFriction": COMMAND,
    "/fleet.v1.DispatchService/StopAll": PEOPLE,
    "/fleet.v1.DispatchService/LiftStop": COMMAND,
    "/fleet.v1.DispatchService/ReportIntrusion": PEOPLE | GATEWAY,
    "/fleet.v1.DispatchService/ReleaseIntrusion": COMMAND,
    "/fleet.v1.DispatchService/ListIntrusions": PEOPLE,
    "/fleet.v1.DispatchService/GetControl": PEOPLE,
    "/fleet.v1.DispatchService/AcquireControl": COMMAND,
    "/fleet.v1.DispatchService/RenewControl": COMMAND,
    "/fleet.v1.DispatchService/TakeOverControl": COMMAND,
    "/fleet.v1.DispatchService/WatchFleet": PEOPLE,
    "/fleet.v1.DispatchService/GetSite": PEOPLE,
    "/fleet.v1.DispatchService/ProposeSite": SUPERVISOR,
    "/fleet.v1.DispatchService/GetSiteProposal": OPERATORS,
    "/fleet.v1.DispatchService/SwitchSite": SUPERVISOR,
    "/fleet.v1.DispatchService/WithdrawSite": SUPERVISOR,
    "/fleet.v1.DispatchService/GetDay": OPERATORS,
    "/fleet.v1.DispatchService/GetPlan": PEOPLE,
    "/fleet.v1.DispatchService/ListAudit": SUPERVISOR,
    "/fleet.v1.DispatchService/GetHealth": OPERATORS,
    "/fleet.v1.BorderService/WatchBorder": PEOPLE,
    "/fleet.v1.BorderService/DecideCrossing": CUSTOMS,
    "/fleet.v1.BorderService/ReportBarrier": CUSTOMS | YARD,
    "/fleet.v1.BorderService/ReportBay": YARD,
    "/fleet.v1.BorderService/SetOpening": CUSTOMS | COMMAND,
    "/fleet.v1.BorderService/ListCrossings": PEOPLE,
    "/fleet.v1.BorderService/ListGates": PEOPLE,
    "/grpc.health.v1.Health/Check": ANYONE,
    "/grpc.health.v1.Health/Watch": ANYONE,
    # Served on loopback alone.
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": OPERATORS,
    "/fleet.v1.LockstepService/Drive": NOBODY,
}


@dataclass(eq=False)
class NotIdentified(FleetError):
    """The caller showed no certificate that names one of ours."""

    hint: ClassVar[str] = "Call with a certificate that `fleet tls issue` made: --tls DIR."

    method: str


@dataclass(eq=False)
class NotPermitted(FleetError):
    """The caller's role may not do that."""

    hint: ClassVar[str] = "Ask somebody in a role that may, or have a certificate issued for it."

    role: str
    method: str
    may: str


def require_right(role: Role, method: str) -> None:
    """
    Refuses whoever may not call *method*, a full name as on the wire.

    Raises:
        NotPermitted: *role* is not named in its row, or it has none.
    """
    may = MAY.get(method, NOBODY)
    if role is not Role.LOOPBACK and role not in may:
        raise NotPermitted(role=role, method=method, may=", ".join(sorted(may)) or "nobody but this machine itself, without certificates")
