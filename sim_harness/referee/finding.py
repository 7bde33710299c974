"""What a referee found: the worst disagreement of one comparison beside what is allowed, as values and as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One line: over *cases* comparisons the worst disagreement was *worst*, and *bound* is the most there may be.

    *worst* is None where nothing could be compared; *remark* then says why, and *excused* whether that is nobody's fault here.
    """

    referee: str
    compared: str
    worst: float | None
    bound: float
    unit: str
    cases: int = 0
    remark: str = ""
    excused: bool = False

    @property
    def kept(self) -> bool:
        """Whether the two agree; not a number never does."""
        return self.excused if self.worst is None else self.worst <= self.bound

    @property
    def verdict(self) -> str:
        """The last column."""
        if self.worst is None:
            return f"not compared: {self.remark}"
        return "agrees" if self.kept else "MISSED"


def table(findings: Iterable[Finding]) -> Table:
    """All lines, for people."""
    drawn = Table(title="Referees nobody here wrote", title_justify="left")
    drawn.add_column("referee")
    drawn.add_column("compared")
    for name in ("cases", "worst", "bound"):
        drawn.add_column(name, justify="right")
    drawn.add_column("verdict")
    for each in findings:
        worst = "" if each.worst is None else f"{each.worst:.2g} {each.unit}"
        drawn.add_row(each.referee, each.compared, f"{each.cases:,}", worst.rstrip(), f"{each.bound:g} {each.unit}".rstrip(), each.verdict)
    return drawn
