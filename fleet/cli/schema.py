"""`fleet schema`: the published JSON Schemas, from whoever owns each format."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from typing import Annotated, Final

import typer

GROUP: Final = "fleet.schemas"

app = typer.Typer(add_completion=False, help="Print the JSON Schema of a file format. Example: fleet schema site > site.schema.json")


@app.command()
def schema(name: Annotated[str, typer.Argument(help="site, scenario, report or campaign")]) -> None:
    """Prints the JSON Schema called NAME. Example: fleet schema site"""
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        typer.echo(f"fleet schema: there is no schema {name!r}; there are {', '.join(sorted(known))}.", err=True)
        raise typer.Exit(2)
    typer.echo(json.dumps(known[name].load()(), indent=2, sort_keys=True))
