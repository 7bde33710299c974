"""
The long versions of what `make test` looks at shortly: `python -m tests.soak [NAME]...` runs all of them, or those named.

Each ends with a line of figures, some say more on the way; exit 1 when a promise did not hold.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.soak import certificates, explain, fleet_kills, hostile, kill_storm, long_day, outages, power_cut, rot
from tests.soak.verdict import Verdict, say

RUNS: Final[Mapping[str, Callable[[], Verdict]]] = {
    "power_cut": power_cut.run,
    "rot": rot.run,
    "kill_storm": kill_storm.run,
    "fleet_kills": fleet_kills.run,
    "hostile": hostile.run,
    "outages": outages.run,
    "certificates": certificates.run,
    "explain": explain.run,
    "long_day": long_day.run,
}


def main(names: Sequence[str]) -> int:
    """Runs those named, or all; the answer is the exit code."""
    unknown = sorted(set(names) - RUNS.keys())
    if unknown:
        print(f"there is no {', '.join(unknown)}; there are {', '.join(RUNS)}", file=sys.stderr)  # noqa: T201 - said to a person
        return 2
    good = True
    for name in names or RUNS:
        began_s = time.monotonic()
        verdict = RUNS[name]()
        good &= verdict.good
        word = "good" if verdict.good else "BAD"
        say(f"{name}: {word}, {verdict.figures} ({time.monotonic() - began_s:.0f} s)")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
