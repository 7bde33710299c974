"""The cache of compiled kernels sees what a kernel calls."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from planner import _jit

CALLEE = "def twice(x):\n    return {factor} * x\n"
CALLER = "from drawn_callee import twice\nfrom planner._jit import source_digest\n\ndef f(x):\n    return twice(x)\n\nDIGEST = source_digest(f)\n"


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
