"""The cache of compiled kernels sees what a kernel calls."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from planner import _jit

CALLEE = "def twice(x):\n    return {factor} * x\n"
CALLER = "from drawn_callee import twice\nfrom planner._jit import source_digest\n\ndef f(x):\n    return twice(x)\n\nDIGEST = source_digest(f)\n"

TOGETHER = """
import sys
import numpy as np
from planner._jit import kernel

@kernel
def total(column):
    whole = 0.0
    for value in column:
        whole += {term}
    return whole

print("ready", flush=True)
sys.stdin.readline()
try:
    print(total(np.ones(3)), sum(total.stats.cache_misses.values()), sum(total.stats.cache_hits.values()))
except Exception as fault:
    print(type(fault).__name__)
"""
WITHIN_S = 120


def digest_with(folder: Path, factor: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The digest of a function that calls into another file."""
    (folder / "drawn_callee.py").write_text(CALLEE.format(factor=factor))
    (folder / "drawn_caller.py").write_text(CALLER)
    monkeypatch.syspath_prepend(str(folder))
    for name in ("drawn_callee", "drawn_caller"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    digest: str = importlib.import_module("drawn_caller").DIGEST
    for name in ("drawn_callee", "drawn_caller"):
        sys.modules.pop(name, None)
    return digest


def test_an_edit_in_a_callees_file_names_another_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba alone would run the old machine code."""
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for folder in folders:
        folder.mkdir()

    before, after, again = (digest_with(folder, factor, monkeypatch) for folder, factor in zip(folders, (2, 3, 2), strict=True))

    assert before != after
    assert before == again


def test_bounds_checks_have_a_cache_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with checks must not load code without them, nor the other way round."""
    plain = _jit.source_digest(_jit._names)
    monkeypatch.setattr(_jit, "BOUNDSCHECK", not _jit.BOUNDSCHECK)

    assert _jit.source_digest(_jit._names) != plain


def told_together(folder: Path, term: str, count: int) -> list[str]:
    """What each of *count* processes says that want one kernel at the same moment, in a cache of their own."""
    script = folder / "together.py"
    script.write_text(TOGETHER.format(term=term))
    house = Path(__file__).resolve().parent.parent.parent
    environment = {**os.environ, "KHULAN_CACHE_DIR": str(folder), "PYTHONPATH": str(house)}
    with ExitStack() as stack:
        crowd = [
            stack.enter_context(
                subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            )
            for _ in range(count)
        ]
        for one in crowd:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in crowd:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        return sorted(one.communicate(timeout=WITHIN_S)[0] for one in crowd)


@pytest.mark.processes
@pytest.mark.compiled_only
def test_of_processes_that_want_a_kernel_at_once_one_compiles_it(tmp_path: Path) -> None:
    """A minute of work on a new machine, which each of a campaign's processes would do again."""
    assert told_together(tmp_path, "value", 3) == ["3.0 0 1\n", "3.0 0 1\n", "3.0 1 0\n"]


@pytest.mark.processes
@pytest.mark.compiled_only
def test_a_kernel_that_cannot_be_compiled_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Each of them finds that out by itself."""
    assert told_together(tmp_path, "value.nothing", 2) == ["TypingError\n", "TypingError\n"]
