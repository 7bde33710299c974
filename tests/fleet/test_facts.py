"""The written form of facts: total, strict, and equal after a round trip."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.server.facts import Fact, FactMalformed, GrantsIssued, RouteSet, TruckGreeted, decode, encode, fact


class Colour(StrEnum):
    """An enum written by value."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A nested value."""

    name: str
    weight_kg: float


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class Painted(Fact):
    """One field of each form."""

    colour: Colour
    inners: tuple[Inner, ...]
    place: tuple[int, float] | None
    counts: dict[str, int]


def grants() -> GrantsIssued:
    """One tick's grants, with an empty column."""
    return GrantsIssued(
        tick=7,
        epoch=2,
        at_ns=700,
        rows=np.array([0, 3], dtype=np.int32),
        sequence=np.array([5, 9], dtype=np.int64),
        end_m=np.array([100.5, 20.25]),
        rear_rows=np.array([], dtype=np.int32),
        rear_m=np.array([]),
    )


def test_columns_survive_the_round_trip_bit_for_bit() -> None:
    """A grant read back a millimetre longer could overlap."""
    written = grants()

    read = decode(*encode(written))

    assert isinstance(read, GrantsIssued)
    for entry in fields(written):
        np.testing.assert_array_equal(getattr(read, entry.name), getattr(written, entry.name))


@given(
    name=st.text(),
    weight_kg=st.floats(allow_nan=False, allow_infinity=False),
    place=st.none() | st.tuples(st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    counts=st.dictionaries(st.text(), st.integers()),
)
def test_nested_values_survive_the_round_trip(name: str, weight_kg: float, place: tuple[int, float] | None, counts: dict[str, int]) -> None:
    """The desk's facts hold orders and containers, whatever their names."""
    written = Painted(colour=Colour.BLUE, inners=(Inner(name=name, weight_kg=weight_kg),), place=place, counts=counts)

    read = decode(*encode(written))

    assert read == written


@given(st.binary(max_size=80))
def test_garbage_is_refused_with_our_own_error(body: bytes) -> None:
    """A damaged journal must stop the server with a reason, not with a traceback of somebody else's."""
    with pytest.raises(FactMalformed):
        decode("RouteSet", body)


@pytest.mark.parametrize("cut", range(0, 150, 7))
def test_a_truncated_body_is_refused(cut: int) -> None:
    """Half a record is never taken for a whole one."""
    kind, body = encode(grants())

    with pytest.raises(FactMalformed):
        decode(kind, body[: min(cut, len(body) - 1)])


def test_a_body_with_more_than_its_columns_is_refused() -> None:
    """Whatever follows was not written by us."""
    kind, body = encode(grants())

    with pytest.raises(FactMalformed):
        decode(kind, body + b"\0")


def test_an_undeclared_kind_is_refused() -> None:
    """A fact of a newer version cannot be skipped: it may be the one that holds the road."""
    with pytest.raises(FactMalformed):
        decode("NobodySaysThis", encode(grants())[1])


@pytest.mark.parametrize("goal_m", [float("nan"), float("inf"), "12"])
def test_a_value_of_the_wrong_kind_is_not_written(goal_m: object) -> None:
    """What cannot be read back must fail where it is made."""
    with pytest.raises(FactMalformed):
        encode(RouteSet(row=0, lanes=(1,), start_m=0.0, goal_m=goal_m))  # type: ignore[arg-type]


def test_the_fields_of_another_kind_are_refused() -> None:
    """The kind says how to read; a body under the wrong kind is damage."""
    greeted = TruckGreeted(row=0, epoch=1, instance_id="i", boot_id="b", stamp_ns=0, seen_epoch=0, seen_sequence=0, end_m=1.0, at_ns=0)

    with pytest.raises(FactMalformed):
        decode("RouteSet", encode(greeted)[1])
