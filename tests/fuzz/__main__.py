"""
`make fuzz`: every target for a while, each in a process of its own, beginning with the files we ship.

What atheris finds that is new it keeps in `build/fuzz/NAME` and goes on from there the next time; an input that brought out anything
but an error of ours is left in `build/fuzz` as `NAME-crash-…`, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.fuzz.files import SMALL, shipped

FOLDER: Final = Path("build/fuzz")
SEEDS: Final = {
    "site_values": [shipped("fleet.sites")["mandula"].encode()],
    "sites": [shipped("fleet.sites")[name].encode() for name in SMALL],
    "scenarios": [shipped("sim_harness.scenarios")[name].encode() for name in SMALL],
    "gateway": [b""],
    "control": [b""],
}
INPUT_S_MAX: Final = 20
LINES_SHOWN: Final = 40


def main() -> int:
    """0 when nothing but errors of ours came out."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=2)[1])
    options.add_argument("--seconds", type=int, default=60, help="for each target")
    options.add_argument("targets", nargs="*", default=list(SEEDS), help=", ".join(SEEDS))
    asked = options.parse_args()
    return max(fuzz(name, asked.seconds) for name in asked.targets)


def fuzz(name: str, seconds: int) -> int:
    """One target; 1 when it found something."""
    corpus = FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"shipped-{number}").write_bytes(seed)
    words = sorted({word for seed in SEEDS[name] for word in re.findall(r"[A-Za-z_]{2,}:?", seed.decode())})
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.target",
        name,
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_S_MAX}",
        "-rss_limit_mb=3000",
    ]
    command += [f"-artifact_prefix={FOLDER}/{name}-", "-print_final_stats=1", "-verbosity=0"]
    if words:
        dictionary = FOLDER / f"{name}.dict"
        dictionary.write_text("".join(f'"{word}"\n' for word in words), encoding="utf-8")
        command.append(f"-dict={dictionary}")
    log = FOLDER / f"{name}.log"
    with log.open("wb") as into:
        failed = subprocess.run([*command, str(corpus)], check=False, stdout=into, stderr=into).returncode != 0
    said = log.read_text("utf-8", errors="replace")
    tried = re.search(r"number_of_executed_units:\s*(\d+)", said)
    sys.stdout.write(f"{name}: {tried[1] if tried else 'no'} inputs, {'FAULT, see ' + str(log) if failed else 'no fault'}\n")
    if failed:
        sys.stdout.write("\n".join(said.splitlines()[-LINES_SHOWN:]) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
