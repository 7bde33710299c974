"""Secrets of trucks: made by one command, kept where their owner alone can read them, and never used from where others can."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import grpc.aio
import pytest
from typer.testing import CliRunner

from fleet.cli.truck import app
from fleet.keys import KEYS_FILE, KeysUnusable, make_key, read_key, read_keys
from fleet.server.app import Server
from fleet.server.settings import ServerSettings
from fleet.site import load_site
from fleet.v1 import gateway_pb2, gateway_pb2_grpc
from tests.fleet.relay import CORRIDOR, TICK_NS, RelayedTruck

RUNNER = CliRunner()
WITHIN_S = 20.0


def test_one_command_makes_both_halves_and_nobody_else_can_read_them(tmp_path: Path) -> None:
    """The truck's file and the server's line are the same secret."""
    out = tmp_path / "T007.key"

    made = RUNNER.invoke(app, ["key", "T007", "--data", str(tmp_path), "--out", str(out)])

    assert made.exit_code == 0
    assert read_keys(tmp_path / KEYS_FILE) == {"T007": read_key(out)}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (out, tmp_path / KEYS_FILE)] == [0o600, 0o600]
    assert read_key(out).hex() not in made.stdout


def test_a_key_is_replaced_only_when_asked_to(tmp_path: Path) -> None:
    """A slip must not cut a truck off at night."""
    first = RUNNER.invoke(app, ["key", "T1", "--data", str(tmp_path)])
    again = RUNNER.invoke(app, ["key", "T1", "--data", str(tmp_path)])
    renewed = RUNNER.invoke(app, ["key", "T1", "--data", str(tmp_path), "--renew"])

    assert [result.exit_code for result in (first, again, renewed)] == [0, 1, 0]
    assert "--renew" in again.stderr
    assert read_keys(tmp_path / KEYS_FILE)["T1"].hex() == renewed.stdout.strip() != first.stdout.strip()


@pytest.mark.parametrize("name", ["", "two words", "line\nbreak", "x" * 65])
def test_what_cannot_be_a_trucks_id_gets_no_key(tmp_path: Path, name: str) -> None:
    """A line break in a name would be a second line of the file."""
    with pytest.raises(KeysUnusable):
        make_key(tmp_path / KEYS_FILE, name)

    assert not (tmp_path / KEYS_FILE).exists()


@pytest.mark.parametrize("text", ["T1", "T1 abcd\n", f"T1 {'ab' * 32} x\n", f"T1 {'ab' * 32}\nT1 {'cd' * 32}\n", f"T1 {'zz' * 32}\n"])
def test_a_file_that_is_none_of_keys_is_refused_whole(tmp_path: Path, text: str) -> None:
    """Half a file of keys would leave half the fleet without codes, and nobody would know which."""
    path = tmp_path / KEYS_FILE
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)

    with pytest.raises(KeysUnusable, match="line"):
        read_keys(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
async def test_a_server_does_not_start_on_keys_that_others_can_read(tmp_path: Path, mode: int) -> None:
    """Whoever may read the file can speak for every truck in it."""
    make_key(tmp_path / KEYS_FILE, "T1")
    (tmp_path / KEYS_FILE).chmod(mode)

    with pytest.raises(KeysUnusable, match="chmod 600"):
        Server(load_site("crossing"), ServerSettings(data=tmp_path, listen="127.0.0.1:0"))


async def test_a_served_gateway_is_heard_for_a_truck_with_a_key_by_its_code_alone(
    tmp_path: Path, connect: Callable[[str], grpc.aio.Channel]
) -> None:
    """From the file beside the journal to the words on the wire."""
    key = make_key(tmp_path / KEYS_FILE, "T1")
    server = Server(CORRIDOR, ServerSettings(data=tmp_path, listen="127.0.0.1:0", day_start_s=36_000))
    running = await server.start()
    truck = RelayedTruck(1, key)
    truck.step(TICK_NS)
    coded = truck.waiting.pop()
    bare = gateway_pb2.RelayedTruckMessage(truck_id="T1", message=coded.message)
    relay = gateway_pb2_grpc.GatewayServiceStub(connect(running.address)).Relay()

    await relay.write(gateway_pb2.GatewayMessage(gateway_id="g", relayed=[bare]))
    await relay.write(gateway_pb2.GatewayMessage(gateway_id="g", relayed=[coded]))
    async with asyncio.timeout(WITHIN_S):
        control = await relay.read()
    truck.sealed.receive(control.relayed[0], 2 * TICK_NS)

    relay.cancel()
    await server.stop()
    assert server._engine.switchboard.counts.forged == 1
    assert control.relayed[0].message.HasField("welcome")
    assert not truck.supervisor.contact.lapsed
