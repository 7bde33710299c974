"""
The `fleet` command: finds the sub-command among the entry points and hands over.

Nothing is imported before it is needed: importing numba alone costs seconds, and `fleet --help` must come at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points, version
from typing import Final

GROUP: Final = "fleet.commands"
OURS: Final = frozenset({"fleet", "planner", "sim_harness"})
"""What is missing of these is a bug, and no package that somebody forgot to install."""
SUMMARIES: Final = {
    "demo": "Run the main job on this machine: server, 24 simulated trucks, a summary.",
    "serve": "Run the control server.",
    "sim": "Run scenarios in the simulator.",
    "site": "Check, draw and change sites.",
    "order": "Create, list, show and cancel transport orders.",
    "truck": "List, show, explain, hold and resume trucks.",
    "lane": "Close, open and limit lanes.",
    "intrusion": "Report persons, animals and manned trucks on the road; release what is clear.",
    "border": "See crossings; release, hold and inspect.",
    "control": "See who has control; take it, keep it, take it over.",
    "stop": "Stop every truck; lift the stop.",
    "watch": "Follow the fleet live.",
    "health": "How the server itself is.",
    "day": "Show what a day came to, hour by hour, against the bound.",
    "audit": "List who wanted what, what it changed, and what came of it.",
    "tls": "Make, revoke and replace the certificates of a trial site.",
    "console": "Serve the operators' page.",
    "journal": "Verify, show and export a journal.",
    "doctor": "Check that this machine can run the server.",
    "schema": "Print the JSON Schema of a file format.",
    "bench": "Measure ratios side by side.",
}
EXAMPLE: Final = "Example:  fleet sim run mandula --hours 1 --out out/"


def commands() -> dict[str, EntryPoint]:
    """The installed sub-commands by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def overview(names: Sequence[str]) -> str:
    """The text of `fleet --help`."""
    ordered = [name for name in SUMMARIES if name in names] + sorted(set(names) - set(SUMMARIES))
    width = max((len(name) for name in ordered), default=0)
    rows = [f"  {name.ljust(width)}  {SUMMARIES.get(name, '')}".rstrip() for name in ordered]
    return "\n".join(
        [
            "Usage: fleet COMMAND [ARGS]...",
            "",
            "Control of unmanned truck fleets on a closed border corridor, and the simulator that tests it.",
            "",
            "Commands (each has --help):",
            *rows,
            "",
            "Completion in bash and zsh: fleet --install-completion, then a new shell.",
            "",
            EXAMPLE,
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one sub-command; exits 0 good, 1 verdict bad or refused, 2 usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    known = commands()
    if not given or given[0] in {"--help", "-h"}:
        print(overview(list(known)))  # noqa: T201 - this is the terminal
        sys.exit(0 if given else 2)
    if given[0] == "--version":
        print(f"fleet {version('khulan')}")  # noqa: T201
        sys.exit(0)
    if given[0] in {"--complete", "--install-completion", "--show-completion"}:
        from fleet.cli.completion import obey  # noqa: PLC0415 - as above

        sys.exit(obey(given, known, print))
    # What gRPC's own core says of each failed handshake helps nobody, and a stranger could fill the log with it.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    name, *rest = given
    if name not in known:
        close = get_close_matches(name, known, n=1)
        advice = f"Did you mean `fleet {close[0]}`?" if close else "`fleet --help` lists the commands."
        print(f"fleet: there is no command {name!r}. {advice}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    try:
        known[name].load()(args=rest, prog_name=f"fleet {name}")
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in OURS:
            raise
        print(  # noqa: T201
            f"fleet {name}: needs the package {missing.name!r}, which is not installed. Run `pip install 'khulan[sim]'`.", file=sys.stderr
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
