"""Certificates are replaced while trucks drive; nobody notices but those who were left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from fleet.clock import SystemClock
from fleet.pki.certificates import serial_text
from fleet.pki.site_ca import SiteCa
from fleet.principal import Role
from tests.fleet.rotation import rotate_under, under_way
from tests.fleet.secured import CORRIDOR, SITE_ID, fault_of, serving, somebody

TRUCKS = 20


async def test_a_ca_is_replaced_under_twenty_trucks_and_none_is_dropped(tmp_path: Path) -> None:
    """Every truck shows its new certificate on a second stream before the first one ends, and its control never misses a beat."""
    async with under_way(tmp_path, TRUCKS) as fleet:
        lost = await rotate_under(fleet)

        assert lost == 0
        assert [truck_id for truck_id, truck in fleet.trucks.items() if truck.supervisor.contact.lapsed] == []
        assert all(len(shown) == 1 for shown in fleet.shown().values())


@pytest.mark.parametrize("whose", ["a stranger's", "revoked"])
async def test_a_certificate_that_the_server_does_not_take_costs_no_stream(tmp_path: Path, whose: str) -> None:
    """Somebody copies the wrong folder onto a truck: the line it has goes on, and so do its reports."""
    async with under_way(tmp_path, 1) as fleet:
        identities = fleet.served.certificates.identities
        if whose == "revoked":
            wrong = fleet.served.ca.issue(somebody(Role.TRUCK, "t0"))
            fleet.served.ca.revoke(serial_text(x509.load_pem_x509_certificate((wrong / "me.crt").read_bytes())))
            await fleet.until(lambda _: bool(identities.trust.revoked))
        else:
            stranger = SiteCa.init(tmp_path / "stranger", SITE_ID, SystemClock().utc())
            wrong = stranger.issue(somebody(Role.TRUCK, "t0"))
        for name in ("me.crt", "me.key"):
            (fleet.folder("t0") / name).write_bytes((wrong / name).read_bytes())
        looks = identities.checks
        await fleet.until(lambda _: identities.checks > looks + 5)
        await fleet.until(lambda update: update.totals.trucks_live == 1)

        assert fleet.links_lost() == 0
        assert next(fleet.trucks["t0"]._line._numbers) == (3 if whose == "revoked" else 2)


async def test_who_is_known_by_a_ca_that_went_is_cut_off_and_a_restart_changes_nothing(tmp_path: Path, standing_truck: Any) -> None:
    """What was replaced stays replaced; the journal is the same, and so is the truck that shows what it got instead."""
    stand = CORRIDOR.stands[0]
    async with serving(tmp_path) as before:
        old = before.ca.issue(somebody(Role.TRUCK, "t1"), out=tmp_path / "old")
        truck = standing_truck(before.line(old), "t1", stand.stand_id, stand.stop_m)
        await truck.say_hello()
        await truck.hear_until("welcome")
        before.ca.rotate()
        fresh = before.ca.issue(somebody(Role.TRUCK, "t1"), out=tmp_path / "fresh")
        before.ca.issue(somebody(Role.SUPERVISOR, "first"))
        before.ca.finish()
        cut = await fault_of(truck.call)

    async with serving(tmp_path) as after:
        again = standing_truck(after.line(fresh), "t1", stand.stand_id, stand.stop_m)
        again.stamp_ns, again.accepted = truck.stamp_ns, truck.accepted
        await again.say_hello(seen=truck.accepted)
        welcome = await again.hear_until("welcome")
        late = standing_truck(after.line(old), "t1", stand.stand_id, stand.stop_m)
        late_end = await fault_of(late.call)

    assert cut == (grpc.StatusCode.UNAUTHENTICATED, "IssuerUntrusted")
    assert welcome.epoch == 2
    assert late_end[0] is grpc.StatusCode.UNAVAILABLE
