"""
What a scenario expects of its run: figures of the report, and a condition on each.

A run fails by itself where a body is touched or an end is passed. Whether it was *good enough* only its author knows:
`expect: {round_trips: ">= 20", stops_within_s: 12}`. Every name and condition is checked when the file is read, so that a
misspelt expectation is an error and never one that always holds; what is missed becomes a sentence among the report's failures.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from fleet.site.names import did_you_mean
from planner.authority import Cause
from sim_harness.faults.kind import State

if TYPE_CHECKING:
    from sim_harness.report import Instant, Report

Stated = int | float | str | None
VERDICT: Final = "verdict"
VERDICTS: Final = ("pass", "fail")
# Figures of the machine or of the question, not of the answer: a run that expected them would not replay elsewhere.
NOT_FIGURES: Final = frozenset({"wall_seconds", "seed"})
# Limits by their names ("stops within 12 s" is kept by a truck that stops within 11), and the moments between which each counts.
LIMITS: Final[Mapping[str, tuple[str, str]]] = {
    "stops_within_s": ("at_s", "safe_s"),
    "safe_within_s": ("needed_s", "safe_s"),
    "seen_within_s": ("at_s", "seen_s"),
}
WAITS: Final = "waiting_s_by_cause"
NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_COMPARISON: Final = re.compile(rf"\s*(>=|<=|>|<|==?)?\s*({NUMBER})\s*")
_RANGE: Final = re.compile(rf"\s*({NUMBER})\s*\.\.\s*({NUMBER})\s*")
_UNQUOTED: Final = re.compile(r"[\w.]+\s*:\s*>=?\s*[\d.+-]")
HOW: Final = 'write a number, a comparison in quotes (">= 20"), a range ("20..30"), or null for a figure that nothing is to be measured of'


Faults = tuple[Mapping[str, Any], ...]
# Safe states in which a truck stands, or brakes as hard as it can.
STANDING: Final = frozenset({State.STANDS, State.CONTACT, State.NOT_BELIEVED, State.FROZEN, State.BOTH_STAND})


def slowest(faults: Faults, figure: str) -> tuple[float, Mapping[str, Any]] | None:
    """The longest time that the limit *figure* speaks of, and whose it is; None where no fault has such a time."""
    since, until = LIMITS[figure]
    counted = [fault for fault in faults if figure != "stops_within_s" or fault.get("state") in STANDING]
    timed = [fault for fault in counted if fault.get(since) is not None and fault.get(until) is not None]
    if not timed:
        return None
    last = max(timed, key=lambda fault: float(fault[until]) - float(fault[since]))
    return round(float(last[until]) - float(last[since]), 4), last


def _longest_s(figure: str) -> Callable[[Faults], float | None]:
    def count(faults: Faults) -> float | None:
        stopping = [fault for fault in faults if figure != "stops_within_s" or fault.get("state") in STANDING]
        # A fault that never got there has no longest time; a number would let it pass.
        if LIMITS[figure][1] == "safe_s" and any(fault.get("reached") is False for fault in stopping):
            return None
        found = slowest(faults, figure)
        return None if found is None else found[0]

    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A figure counted from the report's faults; *unmeasured* says why it may be null."""

    about: str
    count: Callable[[Faults], float | None]
    unmeasured: str = ""


DERIVED: Final[Mapping[str, Derived]] = {
    "stops_within_s": Derived(
        about=(
            "Longest time from the beginning of a fault that a truck must stop for until it stood, or braked as hard as it can. "
            "A plain number is the most it may be."
        ),
        count=_longest_s("stops_within_s"),
        unmeasured="no truck had to stop for a fault, or one never did",
    ),
    "safe_within_s": Derived(
        about="Longest time from when a fault called for its safe state until that was reached. A plain number is the most it may be.",
        count=_longest_s("safe_within_s"),
        unmeasured="no fault called for its safe state, or one never led to it",
    ),
    "seen_within_s": Derived(
        about="Longest time from a fault's beginning until somebody was told. A plain number is the most it may be.",
        count=_longest_s("seen_within_s"),
        unmeasured="no fault was noticed",
    ),
    "faults_injected": Derived(about="How many faults began.", count=len),
    "faults_seen": Derived(
        about="How many faults somebody was told of.", count=lambda faults: sum(fault.get("seen_s") is not None for fault in faults)
    ),
    "faults_reached": Derived(
        about="How many faults led to their safe state.", count=lambda faults: sum(fault.get("reached") is True for fault in faults)
    ),
    "faults_missed": Derived(
        about="How many faults should have led to their safe state and did not.",
        count=lambda faults: sum(fault.get("reached") is False for fault in faults),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Numbers that a figure may be: from *low* to *high*, the ends themselves where so said."""

    low: float = -math.inf
    high: float = math.inf
    with_low: bool = True
    with_high: bool = True

    @classmethod
    def of(cls, figure: str, stated: float | str) -> Condition | None:
        """What is stated of *figure*; None where it is no condition."""
        if isinstance(stated, str):
            return cls._read(stated)
        return cls(low=-math.inf if figure in LIMITS else stated, high=stated)

    @classmethod
    def _read(cls, text: str) -> Condition | None:
        if found := _RANGE.fullmatch(text):
            low, high = float(found[1]), float(found[2])
            return cls(low=low, high=high) if low <= high else None
        if not (found := _COMPARISON.fullmatch(text)):
            return None
        sign, number = found[1] or "=", float(found[2])
        return cls(
            low=-math.inf if sign.startswith("<") else number,
            high=math.inf if sign.startswith(">") else number,
            with_low=sign != ">",
            with_high=sign != "<",
        )

    def holds(self, value: float) -> bool:
        """Whether *value* is one of them. Figures are rounded before they are published, so equal means equal."""
        above = value >= self.low if self.with_low else value > self.low
        below = value <= self.high if self.with_high else value < self.high
        return above and below


def _numeric(annotation: Any) -> bool:
    return annotation in {int, float} or (
        get_origin(annotation) in {Union, types.UnionType} and set(get_args(annotation)) <= {int, float, type(None)}
    )


@cache
def figure_names() -> Mapping[str, str]:
    """Every figure that something can be expected of, and what it means."""
    from sim_harness.books import PULLING_AWAY  # noqa: PLC0415 - as below
    from sim_harness.report import Report  # noqa: PLC0415 - the report's kernels are slow to import, and most scenarios expect nothing

    found: dict[str, str] = {}
    for name, entry in Report.model_fields.items():
        if name in NOT_FIGURES:
            continue
        if _numeric(entry.annotation):
            found[name] = entry.description or ""
        for part in (entry.annotation, *get_args(entry.annotation)):
            for below, inner in getattr(part, "model_fields", {}).items():
                if _numeric(inner.annotation) and get_origin(entry.annotation) is not tuple:
                    found[f"{name}.{below}"] = inner.description or entry.description or ""
    causes = sorted({cause.name.lower() for cause in Cause} - {"none", "horizon"} | {PULLING_AWAY})
    found |= {f"{WAITS}.{cause}": f"Standing seconds of all trucks for the cause {cause}; 0 where none stood for it." for cause in causes}
    found |= {name: derived.about for name, derived in DERIVED.items()}
    found[VERDICT] = "pass: the run does not fail by itself. fail: it does, in a scenario that is made to; its report keeps saying fail."
    return found


def _problem(figure: object, stated: object) -> str | None:
    """What is wrong with one expectation, and what was probably meant; None where nothing is."""
    names = figure_names()
    if not isinstance(figure, str) or figure not in names:
        return f"there is no figure {figure!r}; {did_you_mean(str(figure), names)}"
    if figure == VERDICT:
        return None if stated in VERDICTS else f"a verdict is {' or '.join(VERDICTS)}, not {stated!r}"
    if stated is None:
        return None
    if isinstance(stated, bool) or not isinstance(stated, int | float | str) or Condition.of(figure, stated) is None:
        return f"{stated!r} is no condition; {HOW}"
    return None


def _checked(value: object) -> dict[str, Stated]:
    """
    *value* as expectations.

    Raises:
        PydanticCustomError: one of them cannot be; its context names the keys below this value that lead to it.
    """
    if not isinstance(value, Mapping):
        raise PydanticCustomError("expect", "{text}", {"text": "a mapping of figures to conditions is needed", "at": ()})
    for figure, stated in value.items():
        problem = _problem(figure, stated)
        if problem is not None:
            raise PydanticCustomError("expect", "{text}", {"text": problem, "at": (figure,)})
    return dict(value)


def expect_schema() -> dict[str, Any]:
    """The JSON Schema of `expect`: each figure with its meaning."""
    text = rf"^(?:{_COMPARISON.pattern}|{_RANGE.pattern})$"
    condition = {"type": ["number", "string", "null"], "pattern": text}
    properties = {
        name: {"description": about, **({"enum": list(VERDICTS)} if name == VERDICT else condition)}
        for name, about in sorted(figure_names().items())
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


class _Published:
    """Gives a field the schema above, which is known only once the report is imported."""

    def __get_pydantic_json_schema__(self, _core: object, _handler: object) -> dict[str, Any]:
        return expect_schema()


Expectations = Annotated[Mapping[str, Stated], PlainValidator(_checked), _Published()]


def is_unquoted(line: str) -> bool:
    """Whether a line of YAML holds a comparison without quotes, which YAML takes for the head of a block of text."""
    return _UNQUOTED.search(line) is not None


def value_of(report: Report, figure: str) -> float | str | None:
    """The figure as the report has it; None where it could not be measured."""
    if figure in DERIVED:
        return DERIVED[figure].count(report.faults)
    head, _, below = figure.partition(".")
    value: Any = getattr(report, head)
    if not below or value is None:
        found: float | str | None = value
    elif isinstance(value, Mapping):
        found = value.get(below, 0.0)
    else:
        found = getattr(value, below)
    return found


def met(figure: str, stated: Stated, value: float | str | None) -> bool:
    """Whether *value* is what was expected of *figure*."""
    if stated is None or value is None or isinstance(value, str):
        return value == stated
    condition = Condition.of(figure, stated)
    assert condition is not None, "conditions are checked when they are read"
    return condition.holds(value)


def in_words(figure: str, stated: Stated) -> str:
    """An expectation as a person writes it: `round_trips >= 20`."""
    if isinstance(stated, str) and stated.strip()[:1] in set("<>="):
        return f"{figure} {stated.strip()}"
    if figure in LIMITS and isinstance(stated, int | float):
        return f"{figure} <= {stated:g}"
    words = {type(None): "null", str: str(stated).strip()}.get(type(stated), f"{stated}")
    return f"{figure} in {words}" if ".." in words else f"{figure} = {words}"


def _missed(figure: str, stated: Stated, value: float | str | None) -> str:
    got = "null" if value is None else f"{value}"
    why = DERIVED[figure].unmeasured if figure in DERIVED else "nothing was measured"
    return f"expected {in_words(figure, stated)}, got {got}" + (f" ({why})" if value is None else "")


def _moment(report: Report, missed: Sequence[str]) -> Instant | None:
    """The moment to look at when only expectations were missed: where the slowest fault began, else the nearest miss."""
    from sim_harness.report import Instant  # noqa: PLC0415 - as above

    for figure in missed:
        found = slowest(report.faults, figure) if figure in LIMITS else None
        if found is not None:
            span_s, fault = found
            since, _ = LIMITS[figure]
            target = str(fault.get("target"))
            trucks = (target,) if target in {truck.truck_id for truck in report.trucks} else ()
            sentence = f"{fault.get('fault')} of {target}, the slowest of {figure}: {span_s:g} s"
            return Instant(time_s=float(fault[since]), what="fault", truck_ids=trucks, sentence=sentence)
    return report.worst


def judged(report: Report, expect: Mapping[str, Stated]) -> Report:
    """*report* with what was expected of it: what is missed is a failure. What failed without this stays failed."""
    from sim_harness.report import Expected  # noqa: PLC0415 - as above

    if not expect:
        return report
    found = []
    for figure, stated in expect.items():
        value = value_of(report, figure)
        found.append(Expected(figure=figure, condition=stated, value=value, met=met(figure, stated, value)))
    missed = [entry for entry in found if not entry.met]
    failures = (*report.failures, *(_missed(entry.figure, entry.condition, entry.value) for entry in missed))
    worst = report.worst if report.failures else _moment(report, [entry.figure for entry in missed])
    verdict = "fail" if failures else "pass"
    return report.model_copy(update={"expected": tuple(found), "failures": failures, "verdict": verdict, "worst": worst})


def as_expected(report: Report) -> bool:
    """Whether the run was as it should be: it passed, or it failed where its scenario says that it must."""
    if report.verdict == "pass":
        return True
    must_fail = any(entry.figure == VERDICT and entry.condition == "fail" for entry in report.expected)
    return must_fail and all(entry.met for entry in report.expected)
