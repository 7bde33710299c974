"""Names in certificates: one form each, read and written alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.principal import PLAIN, RANKS, Principal, PrincipalUnreadable, Role, read_principal

PARTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


@given(PARTS, st.sampled_from(PLAIN + RANKS), PARTS)
def test_what_is_written_is_read(site_id: str, role: Role, name: str) -> None:
    """Who issues a certificate and who checks it mean the same person."""
    principal = Principal(site_id=site_id, role=role, name=name)
    assert read_principal(principal.uri) == principal


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "spiffe://mandula",
        "spiffe://mandula/truck",
        "spiffe://mandula/truck/",
        "spiffe://mandula/truck/T001/supervisor",
        "spiffe://mandula/operator/bataa",
        "spiffe://mandula/operator/bataa/truck",
        "spiffe://mandula/supervisor/bataa",
        "spiffe://mandula/loopback/bataa",
        "spiffe://mandula/truck/T 001",
        "spiffe://mandula/truck/T001\n",
        "spiffe:///truck/T001",
        "https://mandula/truck/T001",
        "spiffe://mandula/truck/" + "T" * 300,
    ],
)
def test_what_is_no_name_of_ours_names_nobody(uri: str) -> None:
    """A certificate with a name that can be read two ways would be somebody's second name."""
    with pytest.raises(PrincipalUnreadable):
        read_principal(uri)


@given(st.text(max_size=80))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    """The name comes from outside."""
    try:
        principal = read_principal("spiffe://" + text)
    except PrincipalUnreadable:
        return
    assert principal.uri == "spiffe://" + text
