"""What somebody carries: read without the server's packages, shown by the SDK and the commands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fleet.cli import truck
from fleet.client import AsyncOperator, Operator, PapersUnusable, Refused, asks
from fleet.clock import SystemClock
from fleet.papers import name_of, read_papers, stamp_of
from fleet.pki.site_ca import SiteCa
from fleet.principal import Role
from tests.fleet.secured import SITE_ID, Served, serving, somebody


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A server behind certificates."""
    async with serving(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """The folder of a truck of some CA."""
    return SiteCa.init(tmp_path / "tls", SITE_ID, SystemClock().utc()).issue(somebody(Role.TRUCK, "t1"))


def fleet_truck_list(served: Served, *words: str) -> Result:
    """`fleet truck list`, asked of *served*."""
    return CliRunner().invoke(truck.app, ["list", "--server", served.address, *words], env={"FLEET_TLS": ""})


async def test_an_operator_shows_what_he_carries(served: Served) -> None:
    """Waiting, awaiting and at the command line, with one folder."""
    folder = served.ca.issue(somebody(Role.VIEWER, "bataa"))

    def waiting() -> int:
        with Operator(served.address, tls=folder) as operator:
            return len(list(operator.pages(asks.trucks)))

    async with AsyncOperator(served.address, tls=folder) as operator:
        page = await operator.ask(asks.trucks(""))
    typed = await asyncio.to_thread(fleet_truck_list, served, "--tls", str(folder), "--json")

    assert not page.rows
    assert await asyncio.to_thread(waiting) == 0
    assert json.loads(typed.stdout) == []


@pytest.mark.parametrize("name", ["b", "bataa", "o" * 60])
def test_a_bearer_reads_his_own_name(tmp_path: Path, name: str) -> None:
    """As long as it is, and not a letter of what follows it in the certificate: the control lease is asked for in that name."""
    folder = SiteCa.init(tmp_path / "tls", SITE_ID, SystemClock().utc()).issue(somebody(Role.DISPATCHER, name))

    assert name_of(folder) == name


async def test_who_is_not_believed_is_told_why(served: Served, tmp_path: Path) -> None:
    """No certificate, a stranger's, a revoked one, no folder: each with the next thing to do."""
    revoked = served.ca.issue(somebody(Role.VIEWER, "gone"))
    served.ca.revoke("gone")
    await served.certificates.refresh()
    stranger = SiteCa.init(tmp_path / "other", SITE_ID, SystemClock().utc()).folder.issued / "supervisor-first"

    def asked() -> None:
        with Operator(served.address, tls=revoked) as operator:
            operator.ask(asks.trucks(""))

    with pytest.raises(Refused) as refused:
        await asyncio.to_thread(asked)
    answers = [
        await asyncio.to_thread(fleet_truck_list, served, *words)
        for words in ((), ("--tls", str(stranger)), ("--tls", str(revoked)), ("--tls", str(tmp_path)))
    ]

    assert refused.value.reason == "CertificateRevoked"
    assert [answer.exit_code for answer in answers] == [1, 1, 1, 2]
    for answer, said in zip(answers, ("--tls FOLDER", "fleet doctor --tls", "revoked", "fleet tls issue"), strict=True):
        assert said in answer.stderr


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda folder: (folder / "ca.crt").unlink(), "No such file"),
        (lambda folder: (folder / "me.key").write_bytes(b"garbage"), "no certificate or key"),
        (lambda folder: (folder / "ca.crt").write_bytes(b"garbage"), "no certificate"),
        (lambda folder: (folder / "me.key").write_bytes((folder.parents[1] / "server.key").read_bytes()), "not the key"),
        (lambda folder: (folder / "me.key").write_bytes(_locked(folder / "me.key")), "password"),
    ],
    ids=["missing", "no key", "no CA", "other key", "locked key"],
)
def test_files_that_are_no_bearers_are_refused_with_the_reason(carried: Path, spoil: Callable[[Path], object], problem: str) -> None:
    """A truck that starts with the wrong files must say so where it starts, not in a handshake a day later."""
    spoil(carried)

    with pytest.raises(PapersUnusable, match=problem):
        read_papers(carried)


def test_a_change_of_any_file_is_seen(carried: Path) -> None:
    """That is how a truck notices that it carries something newer."""
    before = [stamp_of(carried)]
    for name in ("ca.crt", "me.crt", "me.key"):
        (carried / name).write_bytes((carried / name).read_bytes() + b"\n")
        before.append(stamp_of(carried))

    assert len(set(before)) == 4


def test_a_key_is_not_shown_by_accident(carried: Path) -> None:
    """Values end up in logs."""
    assert "PRIVATE" not in repr(read_papers(carried))


def _locked(path: Path) -> bytes:
    from cryptography.hazmat.primitives import serialization as s  # noqa: PLC0415 - only here

    key = s.load_pem_private_key(path.read_bytes(), None)
    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"secret"))
