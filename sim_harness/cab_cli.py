"""`fleet sim cab`: a truck for somebody else's onboard computer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim_harness.cab import SimulatedCab

TOLD_EVERY_M = 10.0


class _Teller:
    """Says where the truck is whenever it has come ten metres further, and when it stands."""

    def __init__(self) -> None:
        self._told_m = -TOLD_EVERY_M
        self._stood = False

    def __call__(self, cab: SimulatedCab) -> None:
        stands = cab.speed_mps == 0.0
        if cab.travelled_m - self._told_m >= TOLD_EVERY_M or stands != self._stood:
            self._told_m, self._stood = cab.travelled_m, stands
            lane_id, chainage_m = cab.nose
            typer.echo(f"{'stands' if stands else 'drives'} at {lane_id}:{chainage_m:.1f}, {3.6 * cab.speed_mps:.1f} km/h")


async def _serve(cab: SimulatedCab, listen: str) -> None:
    from sim_harness.cab import served  # noqa: PLC0415 - seconds of imports, and `--help` needs none of them

    async with served(cab, listen, _Teller()) as address:
        typer.echo(f"a simulated truck's cab on {address}; Ctrl-C ends it")
        await asyncio.Event().wait()


def cab(
    site: Annotated[str, typer.Option(metavar="SITE", help="a site's name, or a file")] = "mandula",
    place: Annotated[str, typer.Option(metavar="STAND|LANE:M", help="where it stands; default the site's first stand")] = "",
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="where its cab is served")] = "127.0.0.1:50071",
    seed: Annotated[int, typer.Option(min=0, help="draws the error of its position")] = 1,
) -> None:
    """
    Serve the sensors and actuators of one simulated truck, in real time, to an onboard computer in any language.

    Example: fleet sim cab --site mandula --place mn_park_01
    """
    from fleet.site import SiteError, load_site  # noqa: PLC0415 - seconds of imports, and `--help` needs none of them
    from sim_harness.cab import SimulatedCab, place_of  # noqa: PLC0415

    try:
        corridor = load_site(site)
        lane_id, chainage_m = place_of(corridor, place or corridor.stands[0].stand_id)
        truck = SimulatedCab(corridor, lane_id, chainage_m, seed=seed)
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(truck, listen))
    except (SiteError, ValueError, OSError) as error:
        typer.echo(f"fleet sim cab: {error}", err=True)
        raise typer.Exit(2) from None
