"""
What the page may ask for, each as one ask of the SDK.

A request's body is an object; what it must hold is read here and nowhere else, so that a page, or whoever speaks to this address instead of
one, is told what is missing before the server is bothered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fleet.client import Ask, asks
from fleet.errors import InvalidField

COUNT_MAX: Final = 1_000_000
# As many as a count of milliseconds has for the next 30 000 years.
DIGITS_MAX: Final = 15
TEXT_MAX: Final = 500
KMH_PER_MPS: Final = 3.6

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing that changes something; *make* builds the ask from the body. *always*: also a console that only looks may."""

    make: Callable[[Body], Ask[Any]]
    always: bool = False


def text(body: Body, name: str, *, may_be_empty: bool = False) -> str:
    """
    A text field.

    Raises:
        InvalidField: it is none, is empty, or is too long.
    """
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise InvalidField(name=name, problem=f"must be a text of at most {TEXT_MAX} letters")
    # Half of a pair that JSON can spell and nobody can write.
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InvalidField(name=name, problem="must be a text: half a letter is none")
    if not value.strip() and not may_be_empty:
        raise InvalidField(name=name, problem="must not be empty")
    return value.strip()


def counted(said: str) -> int | None:
    """The whole number that *said* is, as it stands in an address; None where it is none of ours."""
    return int(said) if said.isascii() and said.isdigit() and len(said) <= DIGITS_MAX else None


def whole(body: Body, name: str, low: int, high: int, usual: int | None = None) -> int:
    """
    A whole number from *low* to *high*; *usual* where it is not there.

    Raises:
        InvalidField: it is none.
    """
    value = body.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidField(name=name, problem=f"must be a whole number from {low} to {high}")
    return value


def number(body: Body, name: str, low: float, high: float) -> float:
    """
    A number from *low* to *high*.

    Raises:
        InvalidField: it is none.
    """
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidField(name=name, problem=f"must be a number from {low:g} to {high:g}")
    return float(value)


def moment(body: Body, name: str) -> datetime | None:
    """
    A time in milliseconds of Unix time, None where there is none.

    Raises:
        InvalidField: it is no time.
    """
    if body.get(name) is None:
        return None
    return datetime.fromtimestamp(number(body, name, 0.0, 1e13) / 1000.0, UTC)


def _create_order(body: Body) -> Ask[Any]:
    return asks.create_order(
        from_yard_id=text(body, "from_yard_id"),
        to_yard_id=text(body, "to_yard_id"),
        container_count=whole(body, "container_count", 1, COUNT_MAX),
        due_time=moment(body, "due_ms"),
        priority=whole(body, "priority", -100, 100, 0),
        request_id=text(body, "request_id", may_be_empty=True),
    )


COMMANDS: Final[Mapping[str, Command]] = {
    "create_order": Command(make=_create_order),
    "cancel_order": Command(make=lambda body: asks.cancel_order(text(body, "order_id"))),
    "hold_truck": Command(make=lambda body: asks.hold_truck(text(body, "truck_id"), text(body, "reason"))),
    "resume_truck": Command(make=lambda body: asks.resume_truck(text(body, "truck_id"))),
    "close_lane": Command(make=lambda body: asks.close_lane(text(body, "lane_id"), text(body, "reason"))),
    "open_lane": Command(make=lambda body: asks.open_lane(text(body, "lane_id"))),
    "limit_lane": Command(
        make=lambda body: asks.limit_lane(text(body, "lane_id"), number(body, "kmh", 0.0, 200.0) / KMH_PER_MPS, text(body, "reason"))
    ),
    "release_intrusion": Command(make=lambda body: asks.release_intrusion(text(body, "intrusion_id"))),
    "acquire_control": Command(make=lambda body: asks.acquire_control(text(body, "holder"))),
    "renew_control": Command(make=lambda body: asks.renew_control(text(body, "holder"))),
    "take_over_control": Command(make=lambda body: asks.take_over_control(text(body, "holder"), text(body, "reason"))),
    # Anyone may stop; who stops may also need to lift, and only the same id does.
    "stop_all": Command(make=lambda body: asks.stop_all(text(body, "stop_id"), text(body, "reason")), always=True),
    "lift_stop": Command(make=lambda body: asks.lift_stop(text(body, "stop_id"))),
}

READS: Final[Mapping[str, Callable[[str], Ask[Any]]]] = {
    "orders": asks.orders,
    "crossings": asks.crossings,
    "gates": lambda _: asks.gates(),
    "lanes": lambda _: asks.lanes(),
    "intrusions": lambda _: asks.intrusions(),
}
