"""`fleet doctor --tls`: what is wrong with a folder of certificates is said before a truck stands because of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli import doctor
from fleet.clock import SystemClock
from fleet.pki.certificates import Validity, new_bearer
from fleet.pki.examine import examine
from fleet.pki.site_ca import SiteCa
from fleet.principal import Principal, Role
from tests.fleet.secured import unheard_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRUCK = Principal(site_id="mandula", role=Role.TRUCK, name="T001")
Spoil = Callable[[SiteCa, Path], object]


def unsound(path: Path, now: datetime = NOW) -> dict[str, str]:
    """What is wrong in *path*."""
    return {found.what: found.found for found in examine(path, now) if not found.sound}


def test_a_folder_just_made_is_sound(tmp_path: Path) -> None:
    """The server's, and what a truck carries."""
    ca = SiteCa.init(tmp_path / "tls", "mandula", NOW)
    carried = ca.issue(TRUCK)

    assert unsound(ca.folder.path) == {}
    assert unsound(carried) == {}
    assert "spiffe://mandula/truck/T001" in {found.found for found in examine(carried, NOW)}


def _twice_named(ca: SiteCa, carried: Path) -> None:
    pair = new_bearer(ca.pair, [TRUCK.uri, "spiffe://mandula/yard/mn"], Validity.of(NOW, timedelta(days=365)))
    (carried / "me.crt").write_bytes(pair.pem)
    (carried / "me.key").write_bytes(pair.key_pem)


@pytest.mark.parametrize(
    ("spoil", "what", "said"),
    [
        (lambda _, carried: (carried / "me.key").unlink(), "me.key", "No such file"),
        (lambda _, carried: (carried / "me.key").chmod(0o644), "me.key", "others can read it"),
        (lambda ca, carried: (carried / "me.key").write_bytes(ca.folder.server_key.read_bytes()), "me.key", "another certificate"),
        (lambda _, carried: (carried / "me.crt").write_bytes(b"garbage"), "me.crt", "cannot be read"),
        (lambda _, carried: (carried / "me.crt").write_bytes(unheard_of((carried / "me.crt").read_bytes())), "me.crt", "cannot be read"),
        (lambda _, carried: (carried / "me.crt").unlink(), "me.crt", "neither"),
        (lambda _, carried: (carried / "ca.crt").write_bytes(b""), "ca.crt", "no certificate"),
        (_twice_named, "bearer", "exactly one URI"),
        (
            lambda _, carried: (carried / "ca.crt").write_bytes(SiteCa.init(carried / "x", "mandula", NOW).pair.pem),
            "me.crt and ca.crt",
            "no CA",
        ),
    ],
    ids=["no key", "open key", "other key", "garbage", "no version", "no certificate", "no CA", "two names", "other CA"],
)
def test_what_a_bearer_cannot_be_known_by_is_named(tmp_path: Path, spoil: Spoil, what: str, said: str) -> None:
    """Each with its file, in words."""
    ca = SiteCa.init(tmp_path / "tls", "mandula", NOW)
    carried = ca.issue(TRUCK)
    spoil(ca, carried)

    assert said in unsound(carried)[what]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (timedelta(days=-1), "not good before"),
        (timedelta(days=358), None),
        (timedelta(days=359), "ends soon"),
        (timedelta(days=366), "ended"),
    ],
)
def test_a_certificate_that_ends_within_a_week_is_named(tmp_path: Path, after: timedelta, said: str | None) -> None:
    """A week is what it takes to bring a new one to every truck."""
    carried = SiteCa.init(tmp_path / "tls", "mandula", NOW).issue(TRUCK)

    found = unsound(carried, NOW + after).get("me.crt")

    assert (found is None) if said is None else (found is not None and said in found)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda ca, _: ca.folder.revoked.unlink(), "revoked.crl"),
        (lambda ca, _: ca.folder.server_key.chmod(0o640), "server.key"),
        (lambda ca, _: ca.folder.ca_key.chmod(0o604), "ca.key"),
        (lambda ca, carried: ca.folder.server.write_bytes((carried / "me.crt").read_bytes()), "server"),
    ],
    ids=["no list", "open key", "open CA", "not a server's"],
)
def test_what_a_server_cannot_serve_with_is_named(tmp_path: Path, spoil: Spoil, what: str) -> None:
    """Before it does not start."""
    ca = SiteCa.init(tmp_path / "tls", "mandula", NOW)
    spoil(ca, ca.issue(TRUCK))

    assert what in unsound(ca.folder.path)


def test_the_doctor_looks_into_certificates_when_asked(tmp_path: Path) -> None:
    """As data too; bad ones end it with 1."""
    ca = SiteCa.init(tmp_path / "tls", "mandula", SystemClock().utc())
    asked = ["--data", str(tmp_path), "--listen", "127.0.0.1:0", "--tls", str(ca.folder.path), "--json"]
    sound = CliRunner().invoke(doctor.app, asked)
    ca.folder.server_key.chmod(0o644)
    spoiled = CliRunner().invoke(doctor.app, asked)

    assert {each["check"]: each["sound"] for each in json.loads(sound.stdout)}["tls server.key"] is True
    assert {each["check"]: each["sound"] for each in json.loads(spoiled.stdout)}["tls server.key"] is False
    assert spoiled.exit_code == 1
