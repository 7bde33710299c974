"""
`FaultService`: what breaks in a simulated run may be said while it is under way.

Calls arrive on threads of their own; they check what they are asked and put it in a queue, and the run takes it out between two
ticks. What the run publishes of its faults is a tuple that nobody changes any more. So neither waits for the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Final, NoReturn

import grpc
from google.protobuf import duration_pb2
from grpc_status import rpc_status
from pydantic import ValidationError

from fleet.errors import AlreadyExists, FleetError, InvalidField
from fleet.server.wire.interceptors import status_of
from fleet.v1 import fault_pb2, fault_pb2_grpc
from sim_harness.faults.incident import Incident
from sim_harness.faults.spec import FaultSpec, unknown_place
from sim_harness.observation import Roster

THREADS: Final = 2
# More than a person, or a test, has use for in one run.
INJECTED_MAX: Final = 10_000
STOP_WITHIN_S: Final = 2.0


def spec_of(fault: fault_pb2.Fault, now_s: float, roster: Roster) -> FaultSpec:
    """
    What a request says is to break; what it leaves out is as usual, and it begins now where it names no time.

    Raises:
        InvalidField: it cannot be.
    """
    given: dict[str, object] = {"fault": fault.kind, "at_s": fault.at.ToNanoseconds() / 1e9 if fault.HasField("at") else now_s}
    if fault.HasField("lasts"):
        given["for_s"] = fault.lasts.ToNanoseconds() / 1e9
    if fault.HasField("value"):
        given["value"] = fault.value
    texts = {"shape": fault.shape, "truck": fault.truck_id, "lane": fault.lane_id, "gate": fault.gate_id, "bay": fault.bay_id}
    given |= {name: text for name, text in texts.items() if text}
    if fault.lane_id:
        given |= {"from_m": fault.from_m, "to_m": fault.to_m}
    try:
        spec = FaultSpec.model_validate(given)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in detail["loc"]) or "fault"
        raise InvalidField(name=name, problem=str(detail["msg"])) from None
    problem = unknown_place(spec, roster.corridor, roster.truck_ids)
    if problem is not None:
        raise InvalidField(name="fault", problem=problem)
    return spec


def _lasting(seconds: float) -> duration_pb2.Duration:
    span = duration_pb2.Duration()
    span.FromNanoseconds(round(seconds * 1e9))
    return span


def message_of(spec: FaultSpec) -> fault_pb2.Fault:
    """A fault as the wire has it, with everything said."""
    return fault_pb2.Fault(
        kind=spec.fault,
        at=_lasting(spec.at_s),
        lasts=_lasting(spec.lasts_s),
        shape=spec.failing.value if spec.failing is not None else "",
        value=spec.value,
        truck_id=spec.truck or "",
        lane_id=spec.lane or "",
        from_m=spec.from_m or 0.0,
        to_m=spec.to_m or 0.0,
        gate_id=spec.gate or "",
        bay_id=spec.bay or "",
    )


def _with_outcome(incident: Incident) -> fault_pb2.Fault:
    fault = message_of(incident.spec)
    fault.outcome.CopyFrom(
        fault_pb2.FaultOutcome(
            begun=True,
            ended=incident.ended_s is not None,
            alarm=incident.alarm or "",
            needed=incident.needed,
            reached=incident.needed and incident.safe_s is not None and not incident.broken,
            broken=incident.broken,
        )
    )
    return fault


class FaultDesk(fault_pb2_grpc.FaultServiceServicer):
    """Where faults are asked for and looked up."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._asked: SimpleQueue[FaultSpec] = SimpleQueue()
        self._answered: dict[str, tuple[bytes, fault_pb2.Fault]] = {}
        self._faults: tuple[fault_pb2.Fault, ...] = ()
        self._now_s = 0.0

    # The run's side.

    def take(self) -> list[FaultSpec]:
        """What was asked for since last taken."""
        taken = []
        while not self._asked.empty():
            taken.append(self._asked.get_nowait())
        return taken

    def publish(self, now_s: float, incidents: Sequence[Incident]) -> None:
        """Let callers see what came of the faults so far."""
        self._now_s = now_s
        self._faults = tuple(_with_outcome(incident) for incident in incidents)

    # The callers' side.

    def InjectFault(self, request: fault_pb2.InjectFaultRequest, context: grpc.ServicerContext) -> fault_pb2.Fault:  # noqa: N802 - the wire's name
        """Injects one fault."""
        try:
            return self._inject(request)
        except FleetError as refused:
            _refuse(context, refused)

    def ListFaults(self, request: fault_pb2.ListFaultsRequest, context: grpc.ServicerContext) -> fault_pb2.ListFaultsResponse:  # noqa: N802
        """Lists the faults of the run so far."""
        del request, context
        return fault_pb2.ListFaultsResponse(faults=self._faults)

    def _inject(self, request: fault_pb2.InjectFaultRequest) -> fault_pb2.Fault:
        if not request.request_id:
            raise InvalidField(name="request_id", problem="must not be empty")
        asked = request.fault.SerializeToString(deterministic=True)
        before = self._answered.get(request.request_id)
        if before is not None:
            if before[0] != asked:
                raise AlreadyExists(request_id=request.request_id)
            return before[1]
        if len(self._answered) >= INJECTED_MAX:
            raise InvalidField(name="request_id", problem=f"{INJECTED_MAX} faults were injected into this run already")
        spec = spec_of(request.fault, self._now_s, self._roster)
        self._asked.put(spec)
        answer = message_of(spec)
        self._answered[request.request_id] = (asked, answer)
        return answer


def inject(address: str, fault: fault_pb2.Fault, request_id: str, within_s: float = 10.0) -> fault_pb2.Fault:
    """
    Ask a run at *address* for one fault; the fault as it will happen.

    Raises:
        grpc.RpcError: nobody is there, or the fault cannot be.
    """
    with grpc.insecure_channel(address) as channel:
        stub = fault_pb2_grpc.FaultServiceStub(channel)
        answer: fault_pb2.Fault = stub.InjectFault(fault_pb2.InjectFaultRequest(request_id=request_id, fault=fault), timeout=within_s)
        return answer


def _refuse(context: grpc.ServicerContext, error: FleetError) -> NoReturn:
    context.abort_with_status(rpc_status.to_status(status_of(error)))
    raise AssertionError("an aborted call does not go on")


@contextmanager
def served(desk: FaultDesk, address: str) -> Iterator[str]:
    """
    Serve *desk* on *address* (loopback; port 0: any) while the block runs; the address it is found at.

    Raises:
        OSError: the address cannot be listened on.
    """
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=THREADS), options=[("grpc.so_reuseport", 0)])
    fault_pb2_grpc.add_FaultServiceServicer_to_server(desk, server)
    host, _, _ = address.rpartition(":")
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as failed:
        raise OSError(f"cannot listen on {address}: {failed}") from None
    server.start()
    try:
        yield f"{host}:{port}"
    finally:
        server.stop(STOP_WITHIN_S).wait()
