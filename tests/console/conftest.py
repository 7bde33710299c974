"""What several files look at, all of one `xdist_group`: the recording of a run, and a console that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.a_run import record, shown


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `fleet sim run mandula --out` leaves behind; nobody changes it."""
    return record(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    """Where `fleet console --replay` shows it."""
    with shown(folder) as address:
        yield address
