"""Mutual TLS at a real server: who is let in, who is cut off amid a stream, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog.testing

from fleet.clock import SteppedClock, SystemClock
from fleet.pki.bearers import CertificateUnfit
from fleet.pki.certificates import Validity, new_server
from fleet.pki.site_ca import SiteCa
from fleet.pki.trust import CertificatesUnusable, read_server_papers
from fleet.principal import Role
from fleet.server.app import Server, _certificates
from fleet.server.certificates import Certificates
from fleet.server.settings import ServerSettings
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.secured import CORRIDOR, SITE_ID, YEAR, Served, fault_of, serving, somebody, unheard_of

STOP_M = {stand.stand_id: stand.stop_m for stand in CORRIDOR.stands}
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
ASK = d.ListTrucksRequest(page_size=10)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One server for all tests that do not replace its CA; each has bearers of its own."""
    async with serving(tmp_path_factory.mktemp("served")) as found:
        yield found


def desk(channel: grpc.aio.Channel) -> Any:
    """The operators' desk over *channel*."""
    return dispatch_grpc.DispatchServiceStub(channel)


def ask(channel: grpc.aio.Channel) -> Any:
    """A single question."""
    return desk(channel).ListTrucks(ASK, timeout=20)


async def driven(served: Served, standing_truck: Any, number: int) -> tuple[Any, Path]:
    """A truck that was welcomed, at the stand of its number, and the folder it carries."""
    folder = served.ca.issue(somebody(Role.TRUCK, f"t{number}"))
    stand = f"mn_park_{number:02}"
    truck = standing_truck(served.line(folder), f"t{number}", stand, STOP_M[stand])
    await truck.say_hello()
    await truck.hear_until("welcome")
    return truck, folder


async def test_who_shows_a_certificate_of_the_site_is_served(served: Served, standing_truck: Any) -> None:
    """The truck is welcomed and kept alive; the operator is answered."""
    truck, _ = await driven(served, standing_truck, 1)
    operator = served.line(served.ca.issue(somebody(Role.VIEWER, "bataa")))

    listed = await ask(operator)

    assert await truck.hear_until("heartbeat")
    assert "t1" in [found.truck_id for found in listed.trucks]


async def test_who_shows_no_certificate_is_not_spoken_to(served: Served) -> None:
    """In plaintext neither: there is no line at all, so nothing of ours is said over it."""
    for channel in (served.line_without(), served.plain_line()):
        assert await fault_of(ask(channel)) == (grpc.StatusCode.UNAVAILABLE, "")


async def test_another_ca_signs_for_nobody_here(served: Served, tmp_path: Path) -> None:
    """The right name from the wrong hand; and a server's certificate is no caller's, even from the right one."""
    other = SiteCa.init(tmp_path / "other", SITE_ID, SystemClock().utc())
    servers = new_server(served.ca.pair, SITE_ID, ["localhost"], Validity.of(SystemClock().utc(), YEAR))

    for channel in (served.line_named("spiffe://mandula/truck/t1", ca=other), served.line_with(served.ca, servers)):
        code, _ = await fault_of(ask(channel))
        assert code in {grpc.StatusCode.UNAVAILABLE, UNAUTHENTICATED}


@pytest.mark.parametrize(
    ("uris", "reason"),
    [
        (("spiffe://mandula/truck/t1", "spiffe://mandula/operator/bataa/supervisor"), "NameUnfit"),
        (("spiffe://mandula/truck/t1", "spiffe://mandula/truck/t1"), "NameUnfit"),
        (("spiffe://mandula/truck/t1", "https://mandula/"), "NameUnfit"),
        ((), "NameUnfit"),
        (("spiffe://mandula/server",), "NameUnfit"),
        (("spiffe://mandula/loopback/x",), "NameUnfit"),
        (("spiffe://ceke/operator/bataa/supervisor",), "SiteForeign"),
    ],
)
async def test_a_certificate_names_exactly_one_bearer_of_this_site(served: Served, uris: tuple[str, ...], reason: str) -> None:
    """Who has two names is whichever suits him; the neighbour's supervisor gives no orders here. Health is no way in either."""
    channel = served.line_named(*uris)

    assert await fault_of(ask(channel)) == (UNAUTHENTICATED, reason)
    assert await fault_of(desk(channel).WatchFleet(d.WatchFleetRequest())) == (UNAUTHENTICATED, reason)
    code, _ = await fault_of(channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=20))
    assert code is UNAUTHENTICATED


async def test_who_is_revoked_is_cut_off_and_the_rest_go_on(served: Served, standing_truck: Any) -> None:
    """Streams of a stolen truck and of a dismissed operator end by name, at the second look at the latest; new calls begin no more."""
    thief, _ = await driven(served, standing_truck, 2)
    honest, _ = await driven(served, standing_truck, 3)
    operator = served.line(served.ca.issue(somebody(Role.SUPERVISOR, "dismissed")))
    fleet = desk(operator).WatchFleet(d.WatchFleetRequest())
    await fleet.read()

    served.ca.revoke("t2")
    served.ca.revoke("dismissed")
    looks = served.certificates.identities.checks
    ends = await asyncio.gather(fault_of(thief.call), fault_of(fleet))

    # One look may have been under way as the list was written; the next one, with the list read, cuts.
    assert served.certificates.identities.checks <= looks + 4
    assert ends == [(UNAUTHENTICATED, "CertificateRevoked")] * 2
    assert await fault_of(ask(operator)) == (UNAUTHENTICATED, "CertificateRevoked")
    assert await honest.hear_until("heartbeat")


async def test_a_truck_that_is_cut_off_keeps_its_road(served: Served, standing_truck: Any) -> None:
    """It may still be rolling: what ends is its word, not its body."""
    truck, _ = await driven(served, standing_truck, 4)
    watcher = served.line(served.ca.issue(somebody(Role.VIEWER, "watcher")))
    held = (await desk(watcher).GetTruck(d.GetTruckRequest(truck_id="t4"), timeout=20)).end

    served.ca.revoke("t4")
    await fault_of(truck.call)
    second = standing_truck(served.line(served.ca.issue(somebody(Role.TRUCK, "t44"))), "t44", truck.lane_id, truck.chainage_m)
    await second.say_hello()

    assert await second.hear_end() == ["refusal"]
    assert second.heard[0].refusal.reason == "RoadTaken"
    after = await desk(watcher).GetTruck(d.GetTruckRequest(truck_id="t4"), timeout=20)
    assert after.end == held


async def test_a_stream_ends_with_its_certificate(served: Served) -> None:
    """A line that was made in time does not stay good for ever."""
    folder = served.ca.issue(somebody(Role.VIEWER, "guest"), lasts=timedelta(seconds=4))
    channel = served.line(folder)
    fleet = desk(channel).WatchFleet(d.WatchFleetRequest())
    await fleet.read()

    assert await fault_of(fleet) == (UNAUTHENTICATED, "CertificateExpired")
    assert await fault_of(ask(channel)) == (UNAUTHENTICATED, "CertificateExpired")


@pytest.mark.parametrize(("newest", "speaks"), [(ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)])
async def test_no_tls_older_than_1_2_is_spoken(served: Served, newest: ssl.TLSVersion, *, speaks: bool) -> None:
    """Older ones are broken."""
    mine = served.ca.issue(somebody(Role.VIEWER, "oldster"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(mine / "ca.crt")
    context.load_cert_chain(mine / "me.crt", mine / "me.key")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.set_alpn_protocols(["h2"])
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest

    host, _, port = served.address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    except (ssl.SSLError, ConnectionError):
        assert not speaks
    else:
        writer.close()
        assert speaks


async def test_a_bearer_is_asked_again_by_the_servers_own_clock(tmp_path: Path) -> None:
    """To the second: good until it ends, nobody from then on."""
    clock = SteppedClock(utc_at_zero=NOON)
    made = SiteCa.init(tmp_path / "tls", SITE_ID, NOON)
    old = made.issue(somebody(Role.TRUCK, "old"), lasts=timedelta(minutes=1))
    certificates = Certificates(tmp_path / "tls", SITE_ID, clock)
    identities = certificates.identities
    bearer = identities.trust.identify((old / "me.crt").read_bytes())

    clock.step_to(60_000_000_000 - 1000)
    good = identities.trust.refusal(bearer, clock.utc())
    clock.step_to(60_000_000_000)
    ended = identities.trust.refusal(bearer, clock.utc())

    assert good is None
    assert ended is not None
    assert ended.reason == "CertificateExpired"


@pytest.mark.parametrize("shown", ["me.key", "../../server.crt", "../../ca.crt"])
def test_what_is_no_callers_certificate_names_nobody(tmp_path: Path, shown: str) -> None:
    """A server's key, once stolen, gives no orders, and neither does the CA's."""
    made = SiteCa.init(tmp_path / "tls", SITE_ID, NOON)
    carried = made.issue(somebody(Role.TRUCK, "t1"))
    trust = read_server_papers(tmp_path / "tls", SITE_ID, NOON).trust

    with pytest.raises(CertificateUnfit):
        trust.identify((carried / shown).read_bytes())
    with pytest.raises(CertificateUnfit):
        trust.identify(unheard_of((carried / "me.crt").read_bytes()))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda ca, _: ca.folder.revoked.unlink(), "revoked.crl"),
        (lambda ca, other: ca.folder.server_key.write_bytes(other.folder.server_key.read_bytes()), "not the key"),
        (lambda ca, other: ca.folder.revoked.write_bytes(other.folder.revoked.read_bytes()), "certificates, key or list"),
        (lambda ca, other: ca.folder.ca.write_bytes(other.folder.ca.read_bytes()), "certificates, key or list"),
        (lambda ca, _: ca.folder.server.write_bytes(b"garbage"), "certificates, key or list"),
        (lambda ca, _: ca.folder.server.write_bytes(unheard_of(ca.folder.server.read_bytes())), "certificates, key or list"),
        (lambda ca, _: ca.renew_server(lasts=timedelta(hours=-1)), "is good from"),
    ],
)
def test_certificates_that_do_not_fit_each_other_are_not_served_with(
    tmp_path: Path, spoil: Callable[[SiteCa, SiteCa], object], problem: str
) -> None:
    """A server that starts all the same would believe nobody, or everybody: a missing list of the revoked forgives them all."""
    now = SystemClock().utc()
    ca, other = SiteCa.init(tmp_path / "tls", SITE_ID, now), SiteCa.init(tmp_path / "other", SITE_ID, now)
    spoil(ca, other)

    with pytest.raises(CertificatesUnusable, match=problem):
        Certificates(tmp_path / "tls", SITE_ID)


async def test_certificates_of_another_site_are_not_served_with(tmp_path: Path) -> None:
    """The wrong --tls beside the right --site is noticed before a truck is."""
    SiteCa.init(tmp_path / "tls", "ceke", SystemClock().utc())

    with pytest.raises(CertificatesUnusable, match="ceke"):
        Server(CORRIDOR, ServerSettings(data=tmp_path / "data", tls=tmp_path / "tls"))


async def test_a_map_that_follows_under_another_name_keeps_the_sites_certificates(tmp_path: Path) -> None:
    """Who is who does not change with the road: the certificates keep the name under which the journal began."""
    follows = replace(CORRIDOR, site_id="mandula_b")
    async with serving(tmp_path) as first:
        carried = first.ca.issue(somebody(Role.TRUCK, "t1"))
    with pytest.raises(CertificatesUnusable, match="mandula_b"):
        _certificates(tmp_path / "tls", follows, tmp_path / "elsewhere")

    goes_on = _certificates(tmp_path / "tls", follows, tmp_path / "data")

    bearer = goes_on.identities.trust.identify((carried / "me.crt").read_bytes())
    assert bearer.principal == somebody(Role.TRUCK, "t1")


async def test_what_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    """A slip of somebody who edits the folder must not stop the fleet, and is told once; what he wrote counts once it fits."""
    ca = SiteCa.init(tmp_path / "tls", SITE_ID, SystemClock().utc())
    certificates = Certificates(tmp_path / "tls", SITE_ID)
    before = certificates.identities.trust
    ca.issue(somebody(Role.TRUCK, "t1"))
    ca.revoke("t1")
    sound = ca.folder.revoked.read_bytes()

    with structlog.testing.capture_logs() as told:
        ca.folder.revoked.write_bytes(sound[:-40])
        for _ in range(4):
            await certificates.refresh()
    mine = ca.folder.server.read_bytes()
    ca.folder.server.write_bytes(unheard_of(mine))
    await certificates.refresh()
    ca.folder.server.write_bytes(mine)
    spoiled = certificates.identities.trust
    ca.folder.revoked.write_bytes(sound)
    await certificates.refresh()

    assert [said["event"] for said in told] == ["certificates_unusable"]
    assert spoiled is before
    assert len(certificates.identities.trust.revoked) == 1


def test_without_certificates_only_this_machine_is_served(tmp_path: Path) -> None:
    """Plaintext on a network would let anybody drive; with certificates any address may be listened on."""
    with pytest.raises(ValueError, match="loopback"):
        ServerSettings(data=tmp_path, listen="0.0.0.0:50051")

    assert ServerSettings(data=tmp_path).is_local
    assert not ServerSettings(data=tmp_path, listen="0.0.0.0:50051", tls=tmp_path).is_local
