"""Every remote call times every role, against a real server behind certificates: who is not named in a call's row gets nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import grpc
import pytest
import structlog.testing
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from fleet.principal import Role
from fleet.server.app import Server
from fleet.server.wire.inbox import Inbox
from fleet.server.wire.refusals import KINDS_MAX, WINDOW_TICKS, Refusals
from fleet.server.wire.rights import MAY, PEOPLE, NotPermitted, require_right
from fleet.v1 import border_pb2, dispatch_pb2, gateway_pb2, lockstep_pb2, truck_pb2
from tests.fleet.refused import error_info
from tests.fleet.secured import Served, serving

WITHIN_S = 20.0
SEEN_S = 0.5
ROLES = [role for role in Role if role is not Role.LOOPBACK]
FILES = (truck_pb2, gateway_pb2, dispatch_pb2, border_pb2, lockstep_pb2, health_pb2, reflection_pb2)


def services() -> Iterator[ServiceDescriptor]:
    """Every service that the product serves."""
    for file in FILES:
        yield from file.DESCRIPTOR.services_by_name.values()


METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method for service in services() for method in service.methods
}

# A server in real time takes its clock from nobody: there is no such service on it.
SERVED = [method for method in METHODS if not method.startswith("/fleet.v1.LockstepService/")]


class OpenServer(Server):
    """Serves behind the certificates of its settings' folder, and by a mistake somebody might make without any as well."""

    plain_port = 0

    def _listen(self) -> str:
        self.plain_port = self._grpc.add_insecure_port("127.0.0.1:0")
        return super()._listen()


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One server for the whole file."""
    async with serving(tmp_path_factory.mktemp("rights"), kind=OpenServer) as found:
        yield found


def name_of(role: Role) -> str:
    """Somebody in that role: a yard's name is a yard's."""
    return "mn" if role is Role.YARD else f"{role}-1"


async def answer_to(channel: grpc.aio.Channel, method: str, within_s: float) -> tuple[grpc.StatusCode, str]:
    """How an empty request ends, and why; OK once anything was answered. A watch that has nothing to say ends with its deadline."""
    told = METHODS[method]
    call: Any
    if told.client_streaming:
        # Nothing is sent: a word that leaves as the refusal comes in ends the call with an error of the client's own library.
        call = channel.stream_stream(method)(timeout=within_s)
    elif told.server_streaming:
        call = channel.unary_stream(method)(b"", timeout=within_s)
    else:
        call = channel.unary_unary(method)(b"", timeout=within_s)
    try:
        await (call.read() if told.server_streaming else call)
    except grpc.aio.AioRpcError as refused:
        return refused.code(), error_info(refused).reason if rpc_status.from_call(refused) is not None else ""
    finally:
        call.cancel()
    return grpc.StatusCode.OK, ""


async def answers_to(channel: grpc.aio.Channel, methods: Iterable[str], within_s: float) -> list[tuple[grpc.StatusCode, str]]:
    """The same of *methods*, one after another: at once they would be more streams than one peer may have."""
    return [await answer_to(channel, method, within_s) for method in methods]


def test_every_method_served_has_its_row() -> None:
    """A new method is refused to everybody until somebody has decided whose it is; here he is reminded."""
    assert set(MAY) == set(METHODS)


@pytest.mark.parametrize("role", ROLES)
def test_simulated_time_is_in_nobodys_hand(role: Role) -> None:
    """Where it is served at all, only whoever is on this machine may make time pass."""
    with pytest.raises(NotPermitted):
        require_right(role, "/fleet.v1.LockstepService/Drive")


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_gets_what_its_rows_name_and_nothing_else(site: Served, role: Role) -> None:
    """Zero accepted: whoever steals one truck's key, or is curious, can do no more than its owner."""
    channel = site.line_of(role, name_of(role))
    mine = {method for method, may in MAY.items() if role in may}

    others = await answers_to(channel, (method for method in SERVED if method not in mine), WITHIN_S)
    own = await answers_to(channel, mine, SEEN_S)

    assert set(others) == {(grpc.StatusCode.PERMISSION_DENIED, "NotPermitted")}
    assert [reason for _, reason in own if reason in {"NotPermitted", "NotIdentified"}] == []


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["https://mandula/operator/bat/supervisor"],
        ["spiffe://mandula"],
        ["spiffe://mandula/operator/bat/king"],
        ["spiffe://mandula/operator/bat/viewer", "spiffe://mandula/operator/bat/supervisor"],
    ],
)
async def test_a_certificate_without_one_name_of_ours_is_nobodys(site: Served, uris: list[str]) -> None:
    """Signed is not enough: whoever cannot be named cannot be asked why he did it, so he does nothing, not even look."""
    channel = site.line_named(*uris)

    answers = await answers_to(channel, SERVED, WITHIN_S)

    assert set(answers) == {(grpc.StatusCode.UNAUTHENTICATED, "NameUnfit")}


async def test_a_plain_port_beside_certificates_is_nobodys(site: Served) -> None:
    """On loopback whoever is there may everything; a server with certificates has no such caller, however he came in."""
    assert isinstance(site.server, OpenServer)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{site.server.plain_port}") as channel:
        answers = await answers_to(channel, SERVED, WITHIN_S)

    assert set(answers) == {(grpc.StatusCode.UNAUTHENTICATED, "CertificateMissing")}


async def test_a_refusal_says_who_may(site: Served) -> None:
    """The one who was refused wants to know whom to ask; his program wants names, not sentences."""
    lift = site.line_of(Role.VIEWER, "od").unary_unary("/fleet.v1.DispatchService/LiftStop")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await lift(b"\xff\xff not even a message", timeout=WITHIN_S)

    found = error_info(refused.value)
    assert (found.reason, found.metadata["role"]) == ("NotPermitted", "viewer")
    assert found.metadata["method"] == "/fleet.v1.DispatchService/LiftStop"
    assert found.metadata["may"] == "dispatcher, supervisor"


async def test_what_cannot_be_read_is_refused_by_name_where_it_may_be_asked(site: Served) -> None:
    """Health checks are parsed here too: garbage must not show a peer our insides."""
    check = site.line_of(Role.VIEWER, "od").unary_unary("/grpc.health.v1.Health/Check")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await check(b"\xff\xff\xff", timeout=WITHIN_S)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("role", sorted(PEOPLE))
async def test_every_person_and_office_stops_everything(site: Served, role: Role) -> None:
    """Whoever sees it first stops it, whatever his job is."""
    stop = site.line_of(role, name_of(role)).unary_unary("/fleet.v1.DispatchService/StopAll")
    request = dispatch_pb2.StopAllRequest(stop_id=f"fire-{role}", reason="fire").SerializeToString()

    answer = dispatch_pb2.AllStop.FromString(await stop(request, timeout=WITHIN_S))

    assert answer.active


def test_a_flood_of_refusals_is_told_in_a_few_words() -> None:
    """Somebody who hammers at a closed door must not fill the disk with the tale of it."""
    refusals = Refusals(Inbox())
    refusal = NotPermitted(role="truck", method="/m", may="nobody")

    with structlog.testing.capture_logs() as told:
        for number in range(100_000):
            refusals.refused(f"spiffe://mandula/truck/T{number % 100}", "/m", refusal)
        at_once = len(told)
        for _ in range(WINDOW_TICKS):
            refusals.ticked()

    assert at_once == KINDS_MAX + 1
    assert sum(said["count"] for said in told) == 100_000
    assert len(told) == 2 * (KINDS_MAX + 1)
