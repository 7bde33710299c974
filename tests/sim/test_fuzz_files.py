"""Site and scenario files that somebody damaged: a line of ours says what is wrong, and nothing else ever comes out."""

from __future__ import annotations

from typing import Final

from hypothesis import given

from tests.fleet.any_message import examples
from tests.fuzz.files import (
    SMALL,
    damaged_bytes,
    other_numbers,
    other_trees,
    read_scenario,
    read_site,
    read_values,
    scenario_trees,
    shipped,
    site_trees,
)

SITES: Final = shipped("fleet.sites")
SCENARIOS: Final = shipped("sim_harness.scenarios")
SMALL_SITES: Final = {name: SITES[name] for name in SMALL}
SMALL_SCENARIOS: Final = {name: SCENARIOS[name] for name in SMALL}


def test_what_is_damaged_here_was_sound_before() -> None:
    """A fuzzer whose files are refused at the first line tries nothing."""
    assert all(read_site(text.encode()) for text in SMALL_SITES.values())
    assert all(read_values(tree.encode()) for tree in site_trees(tuple(SITES)))
    assert all(read_scenario(text.encode()) for text in SMALL_SCENARIOS.values())


@examples(100)
@given(raw=damaged_bytes(SITES))
def test_no_damaged_byte_of_a_site_is_answered_with_pythons_words(raw: bytes) -> None:
    """A file half saved, a paste, a disk's bad block."""
    read_values(raw)


@examples(40)
@given(raw=other_numbers(SMALL_SITES) | other_trees(site_trees(SMALL)))
def test_no_other_value_in_a_site_is_answered_with_pythons_words(raw: bytes) -> None:
    """Numbers that are allowed one by one may still make a curve, a zone or a yard that cannot be."""
    read_site(raw)


@examples(100)
@given(raw=damaged_bytes(SMALL_SCENARIOS) | other_numbers(SMALL_SCENARIOS) | other_trees(scenario_trees()))
def test_no_damaged_scenario_is_answered_with_pythons_words(raw: bytes) -> None:
    """Scenarios are written by hand, by test engineers in a hurry."""
    read_scenario(raw)
