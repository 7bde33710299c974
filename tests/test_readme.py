"""What the README shows must work when typed as it stands."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.examples import TIME_LIMIT_S, examples, server, typed


def test_each_door_has_an_example() -> None:
    """Three kinds of reader, three ways in."""
    assert set(examples()) == {"operate", "onboard", "test"}


@pytest.mark.processes
# One port for everybody's examples; with those who open hundreds of connections, one of which might take it for its own end.
@pytest.mark.xdist_group("hostile")
@pytest.mark.timeout(TIME_LIMIT_S + 30)
@pytest.mark.parametrize("name", ["operate", "onboard", "test"])
def test_an_example_runs_as_it_stands(name: str, tmp_path: Path) -> None:
    """A stranger's first minute decides whether there is a second."""
    language, text = examples()[name]
    with nullcontext() if name == "test" else server(tmp_path):
        done = typed(language, text, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
