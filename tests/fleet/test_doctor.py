"""`fleet doctor`: what would keep a server from serving on this machine is said before somebody relies on it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet.cli import doctor
from tests.ports import address_to_keep


def port_of(tmp_path: Path, listen: str) -> dict[str, Any]:
    """What it finds about that address."""
    told = CliRunner().invoke(doctor.app, ["--data", str(tmp_path), "--listen", listen, "--json"])
    [found] = [finding for finding in json.loads(told.stdout) if finding["check"] == "port"]
    return dict(found)


@pytest.mark.parametrize("listen", ["abc", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"])
def test_what_is_no_address_is_told_so(listen: str, tmp_path: Path) -> None:
    """A slip of the pen gets a sentence, not a page of source."""
    found = port_of(tmp_path, listen)

    assert not found["sound"]
    assert found["found"] == f"{listen!r} is no address"


def test_a_port_that_somebody_has_is_bad(tmp_path: Path) -> None:
    """The server would not come up."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = port_of(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}")

    assert not found["sound"]


def test_a_port_that_a_client_may_be_given_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was killed comes back a second too late: the port is the other end of somebody's call."""
    address = address_to_keep()
    port = int(address.rpartition(":")[2])
    lent, reserved = tmp_path / "lent", tmp_path / "reserved"
    monkeypatch.setattr(doctor, "PORTS_LENT", lent)
    monkeypatch.setattr(doctor, "PORTS_RESERVED", reserved)
    said = []
    for range_text, reserved_text in (
        (f"{port}\t60999", "\n"),
        (f"{port}\t60999", f"9,{port - 1}-{port + 1}\n"),
        (f"{port + 1}\t60999", "\n"),
    ):
        lent.write_text(range_text)
        reserved.write_text(reserved_text)
        said.append(port_of(tmp_path, address)["found"])

    assert "ip_local_reserved_ports" in said[0]
    assert said[1:] == [f"{address} is free"] * 2
