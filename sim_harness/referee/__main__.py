"""
`python -m sim_harness.referee`, which is what `make referee` runs in the referees' environment: exit 1 when anything misses.

Names of referees may follow; all of them when left out.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

from rich.console import Console

from sim_harness.referee.finding import Finding, table

# Imported only when run: each brings what it compares with.
REFEREES: Final = {
    "sumo": "sim_harness.referee.car_following",
    "stops": "sim_harness.referee.stops",
    "rss": "sim_harness.referee.safe_distances",
    "shapely": "sim_harness.referee.clearances",
}
# A verdict must not be cut off where the table goes into a file.
PIPE_COLUMNS: Final = 150


def tell(findings: list[Finding], console: Console) -> int:
    """Prints the findings and returns the exit code: 1 when anything misses."""
    console.print(table(findings))
    missed = sum(not each.kept for each in findings)
    console.print(f"{len(findings) - missed} agree, {missed} missed")
    return 1 if missed else 0


def main(names: list[str]) -> int:
    """Compares, prints, and returns the exit code: 2 for a referee that is not known."""
    unknown = sorted(set(names) - set(REFEREES))
    if unknown:
        print(f"there is no referee {unknown[0]!r}; there are {', '.join(REFEREES)}", file=sys.stderr)  # noqa: T201 - a command
        return 2
    findings: list[Finding] = []
    for name in names or REFEREES:
        findings += import_module(REFEREES[name]).compare()
    return tell(findings, Console() if sys.stdout.isatty() else Console(width=PIPE_COLUMNS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
