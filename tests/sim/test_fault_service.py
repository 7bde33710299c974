"""Faults asked for over gRPC while a run is under way: checked, taken once, and accounted for in the report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from threading import Thread

import grpc
import pytest
from hypothesis import given

from fleet.errors import FleetError
from fleet.v1 import fault_pb2, fault_pb2_grpc
from sim_harness.day import Wish, run_day
from sim_harness.fault_service import FaultDesk, served
from sim_harness.faults.kinds import KINDS
from sim_harness.faults.spec import FaultSpec
from sim_harness.scenario import Scenario, load_scenario
from tests.fleet.any_message import examples, messages


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A few trucks for a few minutes."""
    return load_scenario("mandula", trucks=3, hours=0.05)


@pytest.fixture
def desk(scenario: Scenario) -> FaultDesk:
    """A desk nobody has asked anything of."""
    return FaultDesk(scenario.roster)


@pytest.fixture
def stub(desk: FaultDesk) -> Iterator[fault_pb2_grpc.FaultServiceStub]:
    """A client of the desk, over a socket."""
    with served(desk, "127.0.0.1:0") as address, grpc.insecure_channel(address) as channel:
        yield fault_pb2_grpc.FaultServiceStub(channel)


def ask(stub: fault_pb2_grpc.FaultServiceStub, request_id: str, **fault: object) -> fault_pb2.Fault:
    """Ask for one fault."""
    request = fault_pb2.InjectFaultRequest(request_id=request_id, fault=fault_pb2.Fault(**fault))  # type: ignore[arg-type]
    answer: fault_pb2.Fault = stub.InjectFault(request, timeout=10.0)
    return answer


def test_a_fault_asked_for_twice_under_one_id_happens_once(desk: FaultDesk, stub: fault_pb2_grpc.FaultServiceStub) -> None:
    """A lost answer makes a client ask again."""
    first = ask(stub, "one", kind="link", truck_id="t001")
    second = ask(stub, "one", kind="link", truck_id="t001")

    assert first == second
    assert desk.take() == [FaultSpec(fault="link", at_s=0.0, truck="t001")]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"kind": "lnik", "truck_id": "t001"}, "did you mean 'link'"),
        ({"kind": "link", "truck_id": "t099"}, "there is no truck 't099'"),
        ({"kind": "link"}, "link needs truck"),
        ({"kind": "link", "truck_id": "t001", "value": float("nan")}, "finite"),
    ],
)
def test_what_cannot_break_is_refused_in_words(stub: fault_pb2_grpc.FaultServiceStub, fault: dict[str, object], problem: str) -> None:
    """Over the wire as in a file: what is wrong, and what was probably meant."""
    with pytest.raises(grpc.RpcError) as refused:
        ask(stub, "one", **fault)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert problem in refused.value.details()


def test_the_same_id_with_another_fault_is_refused(stub: fault_pb2_grpc.FaultServiceStub) -> None:
    """An id names one request."""
    ask(stub, "one", kind="link", truck_id="t001")

    with pytest.raises(grpc.RpcError, match="same request id"):
        ask(stub, "one", kind="link", truck_id="t002")


def test_a_fault_injected_while_the_run_is_under_way_is_in_its_report(
    scenario: Scenario, desk: FaultDesk, stub: fault_pb2_grpc.FaultServiceStub
) -> None:
    """And whoever asks sees what came of it; the report's line is enough to schedule it in the next run."""
    found = []
    run = Thread(target=lambda: found.append(run_day(scenario, Wish(desk=desk), lambda _: None)))
    ask(stub, "one", kind="journal_full")
    run.start()
    run.join()

    (report,) = found
    (account,) = report.faults
    (listed,) = stub.ListFaults(fault_pb2.ListFaultsRequest(), timeout=10.0).faults
    assert account["fault"] == "journal_full"
    assert account["ended_s"] is not None
    assert listed.kind == "journal_full"
    assert listed.outcome.ended
    assert report.failures == ()


def test_what_was_injected_is_in_the_line_that_repeats_the_run(
    scenario: Scenario, desk: FaultDesk, stub: fault_pb2_grpc.FaultServiceStub
) -> None:
    """A failure found by hand must be found again by the build."""
    asked = iter([10.0])

    def progress(now_s: float) -> None:
        if next(asked, None) is not None:
            ask(stub, f"at {now_s}", kind="journal_full")

    report = run_day(scenario, Wish(desk=desk), progress)
    _, _, _, name, *flags = shlex.split(report.replay)
    settings = [setting for flag, setting in pairwise(flags) if flag == "--set"]
    again = run_day(load_scenario(name, settings, seed=report.seed, trucks=3, hours=0.05), Wish(), lambda _: None)

    assert report.faults[0]["at_s"] > 0.0
    assert (again.trace_hash, again.faults) == (report.trace_hash, report.faults)


@examples(100)
@given(request=messages(fault_pb2.InjectFaultRequest.DESCRIPTOR, {"kind": tuple(KINDS), "truck_id": ("t001",), "shape": ("", "off")}))
def test_no_request_breaks_the_run_that_it_is_asked_of(scenario: Scenario, request: fault_pb2.InjectFaultRequest) -> None:
    """What is to break is the simulated world, not the simulator."""
    desk = FaultDesk(scenario.roster)

    with suppress(FleetError):
        desk._inject(request)

    assert len(desk.take()) <= 1
