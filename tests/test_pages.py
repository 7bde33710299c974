"""What the pages for onboard engineers and operators show must work when typed as it stands, by those for whom it is written."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from fleet.client import AsyncOperator, asks
from fleet.onboard import FileStore, Identity, TruckClient
from fleet.site import load_site
from sim_harness.bench.page import SCREENS
from tests.examples import HOUSE, TIME_LIMIT_S, examples, server, typed
from tests.fleet.parked import Parked

LINES_MAX = 40
WITHIN_S = 60.0

# One port for everybody's examples; see the README's.
pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("hostile"), pytest.mark.timeout(TIME_LIMIT_S + 60)]


def text_of(page: str, *names: str) -> str:
    """Several examples of a page, one after the other."""
    found = examples(page)
    return "\n".join(found[name][1] for name in names)


def parked(folder: Path) -> TruckClient:
    """T001 with its papers, on a stand."""
    site = load_site("mandula")
    hardware = Parked(site.stands[0])
    me = Identity(truck_id="T001", instance_id="onboard", boot_id="boot", truck_type_id=site.truck_types[0].truck_type_id)
    return TruckClient(
        me,
        site.truck_types[0],
        hardware,
        server="localhost:50051",
        store=FileStore(folder / "terms"),
        clock=hardware.clock,
        tls=folder / "tls/issued/truck-T001",
    )


async def seen_live(folder: Path) -> None:
    """Waits until an operator sees T001 live."""
    async with (
        asyncio.timeout(WITHIN_S),
        AsyncOperator("localhost:50051", tls=folder / "tls/issued/dispatcher-bataa") as operator,
        aclosing(operator.watch(asks.watch_fleet(0.2))) as updates,
    ):
        async for update in updates:
            if any((truck.truck_id, truck.session) == ("T001", "live") for truck in update.trucks):
                return


def test_the_truck_of_the_onboard_page_drives(tmp_path: Path) -> None:
    """Whoever types forty lines wants to see something move."""
    language, text = examples("ONBOARD.md")["truck"]
    lines = [line for line in text.splitlines() if line.strip()]

    with server(tmp_path):
        ordered = typed("sh", text_of("ONBOARD.md", "order"), tmp_path)
        done = typed(language, text, tmp_path)

    assert len(lines) <= LINES_MAX
    assert ordered.returncode == 0, ordered.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_papers_of_the_onboard_page_are_made(tmp_path: Path) -> None:
    """The folder is what a truck carries."""
    done = typed("sh", text_of("ONBOARD.md", "papers"), tmp_path)

    assert done.returncode == 0, done.stderr
    assert {"ca.crt", "me.crt", "me.key"} <= set(done.stdout.split())


def test_every_screen_of_the_page_has_its_key_and_its_line() -> None:
    """A screen that nobody tells of is one that nobody opens."""
    listed = SCREENS.search((HOUSE / "fleet/console/static/main.js").read_text("utf-8"))
    assert listed is not None
    names = [name.strip() for name in listed[1].split(",")]
    words = json.loads((HOUSE / "fleet/texts/en.json").read_text("utf-8"))
    readme, page = ((HOUSE / name).read_text("utf-8") for name in ("README.md", "docs/console.md"))

    assert [name for name in names if f"\n| {words[f'screen.{name}']} |" not in page] == []
    assert all(f"`1` to `{len(names)}`" in text for text in (readme, page))


async def test_a_shift_goes_as_the_operators_page_says(tmp_path: Path) -> None:
    """Somebody reads this at night for the first time; a command that does not exist is an hour lost."""
    page = "OPERATIONS.md"
    shift = ("login", "control", "orders", "why", "hold", "intrusion", "stop", "lift")
    assert set(examples(page)) == {"papers", *shift, "remove", "handover"}
    made = typed("sh", text_of(page, "papers"), tmp_path)
    assert made.returncode == 0, made.stderr

    with server(tmp_path, "--tls", "tls"):
        async with asyncio.TaskGroup() as running:  # a truck that ends ends the test, with its reason
            truck = running.create_task(parked(tmp_path).run())
            await seen_live(tmp_path)
            worked = await asyncio.to_thread(typed, "sh", text_of(page, *shift), tmp_path)
            truck.cancel()
        removed = await asyncio.to_thread(typed, "sh", text_of(page, "login", "remove", "handover"), tmp_path)

    assert worked.returncode == 0, worked.stdout + worked.stderr
    assert "asked; a second person must agree" in worked.stdout
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert "removed:T001" in removed.stdout
