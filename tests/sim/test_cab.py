"""The cab of a simulated truck, for an onboard computer elsewhere: what the hardware does by itself, and whom it obeys."""

from __future__ import annotations

import asyncio
import math

import grpc
import grpc.aio
import pytest
from typer.testing import CliRunner

from fleet.site import load_site
from fleet.v1 import cab_pb2, cab_pb2_grpc
from sim_harness.cab import BOUND_M, LeftTheRoad, SimulatedCab, place_of, served
from sim_harness.cli import app

WITHIN_S = 20.0
GO = cab_pb2.Pedals(mode=cab_pb2.CAB_MODE_DRIVE, acceleration_mps2=0.5, lane_ids=["w_to_out", "east_1"])


@pytest.fixture
def cab() -> SimulatedCab:
    """A truck that stands on the way out of the western yard."""
    return SimulatedCab(load_site("crossing"), "w_to_out", 20.0)


def drive(cab: SimulatedCab, pedals: cab_pb2.Pedals, steps: int) -> None:
    """The computer says the same at every step."""
    for _ in range(steps):
        cab.obey(pedals)
        cab.step()


def test_a_truck_whose_computer_falls_silent_stops_by_itself(cab: SimulatedCab) -> None:
    """Nobody else can stop it then."""
    drive(cab, GO, 30)
    fast_mps = cab.speed_mps

    for _ in range(40):
        cab.step()

    assert fast_mps > 1.0
    assert cab.speed_mps == 0.0


def test_pedals_that_say_nothing_are_an_emergency(cab: SimulatedCab) -> None:
    """An empty message is what a fault sends."""
    drive(cab, GO, 30)

    drive(cab, cab_pb2.Pedals(), 40)

    assert cab.speed_mps == 0.0


@pytest.mark.parametrize("acceleration_mps2", [math.nan, math.inf])
def test_a_demand_that_is_no_number_is_an_emergency_too(cab: SimulatedCab, acceleration_mps2: float) -> None:
    """A foreign computer that divides by nothing must not send the truck, and whoever watches the truth, nowhere."""
    drive(cab, GO, 30)

    drive(cab, cab_pb2.Pedals(mode=cab_pb2.CAB_MODE_DRIVE, acceleration_mps2=acceleration_mps2, lane_ids=GO.lane_ids), 40)

    assert cab.speed_mps == 0.0


def test_its_sensors_keep_their_bound_and_are_not_exact(cab: SimulatedCab) -> None:
    """A computer that takes a position for the truth shall find out here."""
    errors = set()
    for _ in range(120):
        drive(cab, GO, 1)
        reading = cab.reading()
        believed_m = cab.along_m(reading.lane_id, reading.chainage_m)
        assert believed_m is not None
        errors.add(round(believed_m - cab.travelled_m, 6))

    assert cab.nose[0] == "east_1"
    assert all(0.0 < abs(error_m) <= BOUND_M for error_m in errors)


def test_a_body_lies_on_the_lanes_from_its_tail_to_its_nose(cab: SimulatedCab) -> None:
    """The server believes a hello whose lanes are those of the body."""
    drive(cab, GO, 100)

    assert list(cab.reading().body_lane_ids) == ["w_to_out", "east_1"]


@pytest.mark.parametrize("lane_ids", [[], ["w_to_out", "e_to_bay"]])
def test_a_truck_that_is_steered_nowhere_leaves_the_road(cab: SimulatedCab, lane_ids: list[str]) -> None:
    """The simulator does not steer for a computer that has lost its route, nor over ground where no road is."""
    pedals = cab_pb2.Pedals(mode=cab_pb2.CAB_MODE_DRIVE, acceleration_mps2=0.5, lane_ids=lane_ids)

    with pytest.raises(LeftTheRoad):
        drive(cab, pedals, 150)


def test_the_parking_brake_holds_against_the_motors(cab: SimulatedCab) -> None:
    """A loader works on a truck that is immobilised, whatever its computer asks for meanwhile."""
    drive(cab, cab_pb2.Pedals(mode=cab_pb2.CAB_MODE_DRIVE, acceleration_mps2=0.5, park=True, lane_ids=["w_to_out"]), 20)

    assert cab.speed_mps == 0.0
    assert cab.reading().parked


async def test_whoever_watches_and_fails_is_heard_of(cab: SimulatedCab) -> None:
    """A truth that nobody sees any more is no proof of anything."""

    def fails(_: SimulatedCab) -> None:
        raise LookupError("no truth")

    async def looked_at() -> None:
        async with served(cab, watch=fails) as address, grpc.aio.insecure_channel(address) as channel, asyncio.timeout(WITHIN_S):
            await cab_pb2_grpc.CabServiceStub(channel).Drive().read()

    with pytest.raises(LookupError, match="no truth"):
        await looked_at()


async def test_a_second_computer_is_refused_and_the_first_goes_on(cab: SimulatedCab) -> None:
    """Two computers at one set of pedals are nobody's truck."""
    async with served(cab) as address, grpc.aio.insecure_channel(address) as channel:
        stub = cab_pb2_grpc.CabServiceStub(channel)
        first = stub.Drive()
        async with asyncio.timeout(WITHIN_S):
            assert (await first.read()).lane_id == "w_to_out"
            second = stub.Drive()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await second.read()
            await first.write(GO)
            while (await first.read()).speed_mps == 0.0:
                await first.write(GO)

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_place_is_a_stand_or_metres_of_a_lane() -> None:
    """What a person types is said to be wrong before anything is served."""
    corridor = load_site("crossing")

    assert place_of(corridor, "w_bay_01") == ("w_bay_01", pytest.approx(53.036))
    assert place_of(corridor, "east_1:12.5") == ("east_1", 12.5)
    for place in ("east_1:500", "east_1:nan", "east_1:far"):
        answer = CliRunner().invoke(app, ["cab", "--site", "crossing", "--place", place])
        assert (answer.exit_code, answer.stderr.strip()) == (2, f"fleet sim cab: {place} is neither a stand nor a place on a lane")
