"""A site's own CA, in a real folder: what it signs, whom it makes nobody of, how it is replaced, what it refuses."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from fleet.errors import FleetError
from fleet.pki import refusals
from fleet.pki.certificates import uris_of
from fleet.pki.site_ca import SiteCa
from fleet.pki.trust import read_server_papers
from fleet.principal import Principal, PrincipalUnreadable, Role
from tests.fleet.secured import unheard_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRUCK = Principal(site_id="mandula", role=Role.TRUCK, name="T001")
DAY = timedelta(days=1)


@pytest.fixture
def ca(tmp_path: Path) -> SiteCa:
    """A CA made at noon."""
    return SiteCa.init(tmp_path / "tls", "mandula", NOW, ["control.example"])


def read(path: Path) -> x509.Certificate:
    """The certificate in a file."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def states(ca: SiteCa) -> dict[str, list[str]]:
    """The state of every certificate, by name."""
    found: dict[str, list[str]] = {}
    for signed in ca.all_signed():
        found.setdefault(signed.uri, []).append(signed.state)
    return found


def test_each_certificate_carries_one_name_and_one_use(ca: SiteCa) -> None:
    """With two names a bearer could be the one it likes; with two uses a truck could pose as the server."""
    truck = read(ca.issue(TRUCK) / "me.crt")
    server = read(ca.folder.server)
    use = [each.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value for each in (truck, server)]

    assert uris_of(truck) == ["spiffe://mandula/truck/T001"]
    assert uris_of(server) == ["spiffe://mandula/server"]
    assert [list(each) for each in use] == [[ExtendedKeyUsageOID.CLIENT_AUTH], [ExtendedKeyUsageOID.SERVER_AUTH]]
    truck.verify_directly_issued_by(ca.cas[0])


def test_nobody_else_on_the_machine_can_read_a_key(ca: SiteCa) -> None:
    """Who reads a truck's key is that truck."""
    ca.issue(TRUCK)
    ca.rotate()

    keys = list(ca.folder.path.rglob("*.key"))

    assert len(keys) == 5
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_who_is_revoked_is_revoked_with_every_certificate_it_got(ca: SiteCa) -> None:
    """A stolen truck's older certificate must not outlive the one that replaced it."""
    ca.issue(TRUCK)
    ca.issue(TRUCK)

    revoked = ca.revoke("T001")

    assert len(revoked) == 2
    assert states(ca)[TRUCK.uri] == ["revoked", "revoked"]
    assert states(ca)["spiffe://mandula/operator/first/supervisor"] == ["valid"]
    with pytest.raises(refusals.RevokedAlready):
        ca.revoke(TRUCK.uri)


def test_one_certificate_is_revoked_by_its_number(ca: SiteCa) -> None:
    """After a renewal only the lost one goes."""
    ca.issue(TRUCK)
    lost = ca.all_signed()[-1].serial
    ca.issue(TRUCK)

    assert [signed.serial for signed in ca.revoke(lost.upper())] == [lost]
    assert sorted(states(ca)[TRUCK.uri]) == ["revoked", "valid"]


def test_both_cas_sign_off_what_they_signed_until_the_old_one_goes(ca: SiteCa) -> None:
    """While one CA replaces another, a thief with an old certificate is no safer than one with a new one."""
    ca.issue(TRUCK)
    ca.rotate()
    again = SiteCa(ca.folder.path, NOW + DAY)
    second = Principal(site_id="mandula", role=Role.TRUCK, name="T002")
    carried = again.issue(second)

    again.revoke("T001")

    assert len(again.cas) == 2
    assert len(x509.load_pem_x509_certificates((carried / "ca.crt").read_bytes())) == 2
    assert states(again)[TRUCK.uri] == ["revoked"]
    assert read(carried / "me.crt").issuer == again.cas[0].subject
    with pytest.raises(refusals.StillCarried, match="supervisor"):
        again.finish()
    again.issue(Principal(site_id="mandula", role=Role.SUPERVISOR, name="first"))
    assert again.finish() == 1
    assert states(again)[TRUCK.uri] == ["untrusted"]
    assert read(again.folder.server).issuer == again.cas[0].subject
    assert len(x509.load_pem_x509_certificates((carried / "ca.crt").read_bytes())) == 1


def test_a_second_ca_in_the_folder_is_refused(ca: SiteCa) -> None:
    """It would make strangers of a whole fleet by one command too many."""
    with pytest.raises(refusals.CaExists):
        SiteCa.init(ca.folder.path, "mandula", NOW)


@pytest.mark.parametrize("site_id", ["", "man dula", "../etc", "mandula/truck"])
def test_a_site_whose_name_cannot_be_read_back_is_refused(tmp_path: Path, site_id: str) -> None:
    """Nothing is left behind either."""
    with pytest.raises(PrincipalUnreadable):
        SiteCa.init(tmp_path / "tls", site_id, NOW)

    assert not (tmp_path / "tls").exists()


@pytest.mark.parametrize("host", ["", "https://x", "control:50051", "a b", "монгол", "h" * 254])
def test_a_host_that_no_client_can_call_is_refused(tmp_path: Path, host: str) -> None:
    """A certificate for a name with a port in it fits no server."""
    with pytest.raises(refusals.HostUnusable):
        SiteCa.init(tmp_path / "tls", "mandula", NOW, [host])


def test_a_clock_outside_the_life_of_the_ca_is_noticed(ca: SiteCa) -> None:
    """What is signed on a machine whose clock stands at its maker's date is good for nobody, and nobody would know why."""
    for now in (NOW - DAY, NOW + 3651 * DAY):
        with pytest.raises(refusals.ClockUnsound):
            SiteCa(ca.folder.path, now)


def test_no_certificate_outlives_its_ca(ca: SiteCa) -> None:
    """It would end with the CA, on a day nobody has in his book."""
    with pytest.raises(refusals.OutlivesCa):
        ca.issue(TRUCK, 4000 * DAY)


@pytest.mark.parametrize("spoiled", ["ca.crt", "ca.key"])
@pytest.mark.parametrize("how", ["missing", "garbage", "of no version", "of another"])
def test_a_ca_that_cannot_sign_says_so(ca: SiteCa, tmp_path: Path, spoiled: str, how: str) -> None:
    """A sentence, not a traceback."""
    other = SiteCa.init(tmp_path / "other", "mandula", NOW)
    path = ca.folder.path / spoiled
    if how == "missing":
        path.unlink()
    elif how == "of no version":
        path.write_bytes(unheard_of(ca.folder.ca.read_bytes()))
    else:
        path.write_bytes(b"-----BEGIN NOTHING-----" if how == "garbage" else (other.folder.path / spoiled).read_bytes())

    with pytest.raises(refusals.CaUnusable):
        SiteCa(ca.folder.path, NOW)


def test_one_folder_has_one_bearer(ca: SiteCa, tmp_path: Path) -> None:
    """A slip of --out must not make one truck of another; its own renewal is fine."""
    ca.issue(TRUCK, out=tmp_path / "t")
    ca.issue(TRUCK, out=tmp_path / "t")

    with pytest.raises(refusals.FolderTaken):
        ca.issue(Principal(site_id="mandula", role=Role.TRUCK, name="T002"), out=tmp_path / "t")


def test_whom_to_revoke_must_be_clear(ca: SiteCa) -> None:
    """Two bearers of one name are two: the wrong one would be stopped. And a server whose key was lost is not rid of by a list."""
    ca.issue(TRUCK)
    ca.issue(Principal(site_id="mandula", role=Role.CUSTOMS, name="T001"))

    for name, refusal in (("T001", refusals.NameShared), ("T009", refusals.NobodyNamed), ("server", refusals.ServersIrrevocable)):
        with pytest.raises(FleetError) as refused:
            ca.revoke(name)
        assert isinstance(refused.value, refusal)


def test_of_two_commands_at_once_neither_undoes_the_other(ca: SiteCa) -> None:
    """Both looked before either wrote: a list without the new CA's would leave a server nothing to serve with."""
    ca.issue(TRUCK)
    rotates, revokes, issues, rotates_again = (SiteCa(ca.folder.path, NOW) for _ in range(4))

    rotates.rotate()
    revokes.revoke("T001")
    carried = issues.issue(TRUCK)
    rotates_again.rotate()

    papers = read_server_papers(ca.folder.path, "mandula", NOW)
    assert len(papers.trust.cas) == 3
    assert len(papers.trust.revoked) == 1
    assert read(carried / "me.crt").issuer == rotates.cas[0].subject
