"""Long commands in a pipe: a line a minute, neither silence nor a flood."""

from __future__ import annotations

import pytest

from sim_harness import minutely


def test_once_a_minute_it_says_how_far_it_has_come(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick commands stay silent; an hour's leaves sixty lines."""
    now_s = [1000.0]
    monkeypatch.setattr(minutely.time, "monotonic", lambda: now_s[0])
    say = minutely.Minutely()

    for second in range(1, 200):
        now_s[0] = 1000.0 + second
        say(f"{second} of 200")

    assert capsys.readouterr().err.splitlines() == ["60 of 200", "120 of 200", "180 of 200"]
