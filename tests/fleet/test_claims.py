"""What a message says of its sender is what his certificate says, over the real wire; and all of it is on the record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from fleet.cli import audit as audit_command
from fleet.principal import Role
from fleet.v1 import border_pb2, border_pb2_grpc, common_pb2, dispatch_pb2_grpc, gateway_pb2, gateway_pb2_grpc
from fleet.v1 import dispatch_pb2 as d
from tests.fleet.refused import error_info
from tests.fleet.secured import CORRIDOR, Served, serving

WITHIN_S = 20.0
STOP_M = {stand.stand_id: stand.stop_m for stand in CORRIDOR.stands}


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One server for the whole file; each test has people of its own."""
    async with serving(tmp_path_factory.mktemp("claims")) as found:
        yield found


def desk_of(site: Served, name: str, role: Role = Role.DISPATCHER) -> Any:
    """The operators' desk, as *name* calls it."""
    return dispatch_pb2_grpc.DispatchServiceStub(site.line_of(role, name))


def border_of(site: Served, role: Role, name: str) -> Any:
    """The border, as *name* calls it."""
    return border_pb2_grpc.BorderServiceStub(site.line_of(role, name))


async def reason(call: Any) -> str:
    """The name of the refusal, and that it is one of rights."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    return error_info(refused.value).reason


async def recorded(site: Served, who: str, command: str) -> list[tuple[str, str]]:
    """Outcomes of what *who* asked for, once there are any: what the streams refuse comes to the record with the next tick."""
    supervisor = desk_of(site, "gan", Role.SUPERVISOR)
    async with asyncio.timeout(WITHIN_S):
        while True:
            page = await supervisor.ListAudit(d.ListAuditRequest(who=who), timeout=WITHIN_S)
            found = [(entry.actor, entry.outcome) for entry in page.entries if entry.command.endswith(command)]
            if found:
                return found


async def test_a_truck_is_welcomed_under_its_own_name_alone(site: Served, standing_truck: Any) -> None:
    """One stolen key must not put another truck's rear where it is not."""
    stand = "mn_park_01"
    channel = site.line_of(Role.TRUCK, "T1")
    liar = standing_truck(channel, "T2", stand, STOP_M[stand])
    await liar.say_hello()
    first = await liar.hear()
    honest = standing_truck(channel, "T1", stand, STOP_M[stand])
    await honest.say_hello()
    await honest.hear_until("welcome")
    honest.call.cancel()

    assert first.refusal.reason == "ClaimsAnother"
    assert await recorded(site, "T1", "Connect") == [("spiffe://mandula/truck/T1", "ClaimsAnother")]


async def test_a_gateway_that_speaks_for_another_is_heard_no_more(site: Served) -> None:
    """Not one frame of it, and its stream ends with the reason."""
    relay = gateway_pb2_grpc.GatewayServiceStub(site.line_of(Role.GATEWAY, "east"))

    call = relay.Relay(iter([gateway_pb2.GatewayMessage(gateway_id="west")]), timeout=WITHIN_S)

    assert await reason(call.read()) == "ClaimsAnother"
    assert await recorded(site, "east", "Relay") == [("spiffe://mandula/gateway/east", "ClaimsAnother")]


async def test_an_officer_signs_with_his_own_name(site: Served) -> None:
    """A clearance in a colleague's name is a forged one."""
    customs = border_of(site, Role.CUSTOMS, "li")
    request = border_pb2.DecideCrossingRequest(
        request_id="d1", crossing_id="x", decision=border_pb2.CROSSING_DECISION_CLEAR, officer="wang"
    )

    assert await reason(customs.DecideCrossing(request, timeout=WITHIN_S)) == "ClaimsAnother"


async def test_a_yard_proves_its_own_bays_and_gates(site: Served) -> None:
    """A bay is clear when its own loader says so, and the barrier of the checkpoint is none of a yard's."""
    yard = border_of(site, Role.YARD, "mn")
    gates = {gate.role.value: gate.gate_id for gate in CORRIDOR.gates}

    def bay(request_id: str, bay_id: str) -> border_pb2.ReportBayRequest:
        return border_pb2.ReportBayRequest(request_id=request_id, bay_id=bay_id, state=border_pb2.BAY_STATE_READY)

    def shut(request_id: str, gate_id: str) -> border_pb2.ReportBarrierRequest:
        return border_pb2.ReportBarrierRequest(request_id=request_id, gate_id=gate_id, state=border_pb2.BARRIER_STATE_SHUT)

    own = await yard.ReportBay(bay("y1", "mn_bay_01"), timeout=WITHIN_S)
    own_gate = await yard.ReportBarrier(shut("y2", gates["exit"]), timeout=WITHIN_S)

    assert own.bay_id == "mn_bay_01"
    assert own_gate.gate_id == gates["exit"]
    assert await reason(yard.ReportBay(bay("y3", "cn_bay_01"), timeout=WITHIN_S)) == "NotYours"
    assert await reason(yard.ReportBarrier(shut("y4", gates["customs"]), timeout=WITHIN_S)) == "NotYours"


async def test_a_transponders_word_comes_from_who_has_one(site: Served) -> None:
    """It moves the bubble around a manned truck: road opens behind it. Anyone may close road by what he saw himself."""
    viewer = desk_of(site, "tsend", Role.VIEWER)
    place = common_pb2.LanePoint(lane_id="sb_2", chainage_m=50.0)
    seen = {"intrusion_id": "van", "kind": d.INTRUSION_KIND_MANNED_TRUCK, "place": place, "radius_m": 4.0}

    moved = await reason(
        viewer.ReportIntrusion(d.ReportIntrusionRequest(request_id="t1", tracked=True, stamp_ns=1, **seen), timeout=WITHIN_S)
    )
    closed = await viewer.ReportIntrusion(d.ReportIntrusionRequest(request_id="t2", **seen), timeout=WITHIN_S)

    assert moved == "ClaimsAnother"
    assert closed.intrusion_id == "van"


async def test_a_closed_door_is_on_the_record_once_however_often_somebody_tries_it(site: Served) -> None:
    """With who it was, and then how often."""
    viewer = desk_of(site, "curious", Role.VIEWER)

    for number in range(50):
        assert await reason(viewer.LiftStop(d.LiftStopRequest(request_id=f"v{number}", stop_id="s"), timeout=WITHIN_S)) == "NotPermitted"

    assert await recorded(site, "curious", "LiftStop") == [("spiffe://mandula/operator/curious/viewer", "NotPermitted")]


async def test_two_persons_lift_a_stop_and_the_command_says_when_one_is_missing(site: Served) -> None:
    """The first exits with 1 and names himself to the second, who lifts it; the audit names both."""
    lifts = {name: desk_of(site, name).LiftStop for name in ("sukh", "bold")}
    await desk_of(site, "tsend", Role.VIEWER).StopAll(d.StopAllRequest(stop_id="drill", reason="drill"), timeout=WITHIN_S)

    first = await lifts["sukh"](d.LiftStopRequest(request_id="f1", stop_id="drill"), timeout=WITHIN_S)
    same = await lifts["sukh"](d.LiftStopRequest(request_id="f2", stop_id="drill"), timeout=WITHIN_S)
    second = await lifts["bold"](d.LiftStopRequest(request_id="f3", stop_id="drill"), timeout=WITHIN_S)

    assert first.needs_second_person
    assert same.needs_second_person
    assert not second.active
    sukh, bold = (f"spiffe://mandula/operator/{name}/dispatcher" for name in ("sukh", "bold"))
    assert await recorded(site, "sukh", "LiftStop") == [(sukh, "asked"), (sukh, "asked")]
    assert await recorded(site, "bold", "LiftStop") == [(bold, "done")]


async def test_the_audit_is_a_supervisors_to_read_beside_the_running_server(site: Served) -> None:
    """On the server's machine the folder is enough."""
    late = desk_of(site, "late", Role.VIEWER)
    assert await reason(late.LiftStop(d.LiftStopRequest(request_id="n1", stop_id="s"), timeout=WITHIN_S)) == "NotPermitted"
    [(actor, _)] = await recorded(site, "late", "LiftStop")

    told = await asyncio.to_thread(CliRunner().invoke, audit_command.app, ["--data", str(site.data), "--last", "1", "--json"])

    assert told.exit_code == 0
    assert actor in told.stdout


# The last one: what it takes keeps everybody else out for as long as the lease lasts.
async def test_a_lease_is_held_under_ones_own_name(site: Served) -> None:
    """Whoever looks who has control must find whom to call."""
    desk = desk_of(site, "bat")

    refused = await reason(desk.AcquireControl(d.AcquireControlRequest(request_id="a1", holder="od"), timeout=WITHIN_S))
    lease = await desk.AcquireControl(d.AcquireControlRequest(request_id="a2", holder="bat"), timeout=WITHIN_S)

    assert refused == "ClaimsAnother"
    assert lease.holder == "spiffe://mandula/operator/bat/dispatcher"
    assert ("spiffe://mandula/operator/bat/dispatcher", "ClaimsAnother") in await recorded(site, "bat", "AcquireControl")
