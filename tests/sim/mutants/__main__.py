"""
Plays every mutant in its drill, and the product in the very same runs, and says what killed each: `python -m tests.sim.mutants`.

Exit 1 when a mutant survives or the product does not pass.
"""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.sim.mutants.cases import CASES, Case, Kill, kill_of, passed_by_the_product
from tests.sim.mutants.play import Violation

# A terminal may be narrower; a log need not be.
WIDTH: Final = 190


def _row(case: Case, kill: Kill | None) -> tuple[str, ...]:
    """Mutant, drill, seed, the first violation, and what it came to where that is another."""
    if kill is None:
        return case.name, case.drill.name, "", "SURVIVED", ""
    first = min(kill.seen.values(), key=lambda violation: violation.time_s)
    shown = kill.seen[case.shows]
    return case.name, case.drill.name, str(kill.seed), _said(first), "" if shown is first else _said(shown)


def _said(violation: Violation) -> str:
    return f"{violation.time_s:5.1f} s  {violation.kind}: {violation.said}"


def main() -> int:
    """Play them all; 1 when one survives, or kills the product too."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("mutant", "drill", "seed", "first violation", "and came to"):
        table.add_column(heading, overflow="fold")
    killed, failed = 0, []
    for case in CASES:
        kill = kill_of(case)
        table.add_row(*_row(case, kill))
        if kill is None:
            continue
        killed += 1
        failed += [f"{case.drill.name}, seed {kill.seed}: {_said(seen)}" for seen in passed_by_the_product(case.drill, kill.seed).values()]
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(table)
    for said in sorted(set(failed)):
        console.print(f"the product fails {said}")
    product = "the product passes the same runs" if not failed else "the product FAILS some of the same runs"
    console.print(f"{killed} of {len(CASES)} mutants killed; {product}")
    return int(killed < len(CASES) or bool(failed))


if __name__ == "__main__":
    sys.exit(main())
