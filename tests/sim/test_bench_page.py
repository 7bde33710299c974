"""What many trucks cost the page, and that a list which spares itself what nobody sees is right wherever somebody looks."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from sim_harness.bench.page import page, page_of
from tests.console.browser import browser

TRUCKS = 300
WITHIN_MS = 60_000

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("browser")]


def test_a_page_is_measured_in_a_browser() -> None:
    """The whole chain once: made-up trucks, a console's process, a browser that counts its own time."""
    outcome = page(trucks=20, seconds=2.0, only=("trucks",))

    figures = {figure.name.partition(": ")[2]: figure for figure in outcome.figures}
    assert figures["main thread an update"].ours > 0.0
    assert figures["updates shown of those told"].ours >= 1.0
    assert figures["received"].ours > 0.0


async def test_a_row_that_comes_into_sight_shows_the_present() -> None:
    """A truck's place of a minute ago, found by scrolling, would be taken for its place now."""
    with page_of(TRUCKS) as address:
        async with browser() as found:
            shown = await found.new_page(viewport={"width": 1300, "height": 600})
            await shown.goto(f"{address}#trucks")
            near, far = shown.locator("tr[data-key=T0001]"), shown.locator(f"tr[data-key=T{TRUCKS - 1:04d}]")
            await far.wait_for(state="attached", timeout=WITHIN_MS)
            await expect(near).not_to_have_text(str(await near.text_content()), timeout=WITHIN_MS)
            before = str(await far.text_content())

            await far.scroll_into_view_if_needed(timeout=WITHIN_MS)
            await expect(far).not_to_have_text(before, timeout=WITHIN_MS)
            await expect(far).not_to_have_text(str(await far.text_content()), timeout=WITHIN_MS)
