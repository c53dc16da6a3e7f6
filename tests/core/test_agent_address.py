"""Addresses: one spelling for each agent; what clients send is accepted, and nothing malformed is stored."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.directory.agent_address import (
    INTERNAL,
    canonical,
    is_internal,
    is_person,
    parts_of,
    slug,
    written,
)
from signoff.core.errors import Invalid

HOME = ("acme", "prod")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("agent://acme/prod/router", "agent://acme/prod/router"),
        ("acme/prod/router", "agent://acme/prod/router"),
        (" agent:/acme/prod/router ", "agent://acme/prod/router"),
        ("router", "agent://acme/prod/router"),
        ("agent://router", "agent://acme/prod/router"),
        ("Demo Runner", "agent://acme/prod/demo-runner"),
        ("agent://examples/approver", "agent://examples/approver"),
        ("examples/approver", "agent://examples/approver"),
        ("agent://agent_core", INTERNAL),
        ("agent_core", INTERNAL),
        ("agent://acme/prod/agent_core", INTERNAL),
        ("initiator://fire-and-forget", "initiator://fire-and-forget"),
        ("user://ops-lead", "user://ops-lead"),
        ("ann@acme.example", "ann@acme.example"),
        ("human", "human"),
    ],
)
def test_every_published_form_of_an_address_has_one_canonical_spelling(text: str, address: str) -> None:
    assert canonical(text, *HOME) == address


def test_bare_name_without_a_workspace_stays_an_alias() -> None:
    assert canonical("Router") == canonical("agent://router") == "agent://router"


@pytest.mark.parametrize(
    "text",
    ["", "  ", "agent://", "agent:///x", "a/b/c/d", "a//b", "a/b/", "x" * 384, "bad\nname", "a b/c/d",
     "a/b/c?d", "agent://a/b/c#d", "a/b/%2e", "half \ud800", 7, None, ["a"], "agent://???", "---"],
)  # fmt: skip
def test_malformed_address_is_refused_by_name(text: object) -> None:
    with pytest.raises(Invalid) as refusal:
        canonical(text, *HOME, field="steps.validate.agent")
    assert refusal.value.code == "invalid_agent_address"
    assert refusal.value.field == "steps.validate.agent"
    assert str(refusal.value).startswith("steps.validate.agent: ")


def test_address_of_the_internal_runtime_is_reserved() -> None:
    assert is_internal("x/agent_core")
    assert not is_internal("agent_core_helper")
    with pytest.raises(Invalid, match="internal runtime"):
        slug("Agent_Core")


def test_addresses_of_people_are_not_agents() -> None:
    assert is_person("human")
    assert is_person("@nick")
    assert not is_person("agent://acme/prod/ann")
    assert parts_of("ann@acme.example") == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Demo Runner", "demo-runner"), ("Prüfer 7", "prufer-7"), ("agent://a/b/infra.val_1", "infra.val_1")],
)
def test_slug_is_made_from_any_name(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize("name", ["", "…", "日本", "-.-", "x" * 64])
def test_name_without_a_slug_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        slug(name)


@given(st.text(max_size=80))
def test_slugs_are_stable_and_valid_in_a_path(name: str) -> None:
    try:
        made = slug(name)
    except Invalid:
        return
    assert slug(made) == made
    assert set(made) <= set(string.ascii_lowercase + string.digits + "._-")
    assert 1 <= len(made) <= 63


@given(st.one_of(st.text(max_size=40), st.lists(st.text("ab-_.@ /", max_size=8), max_size=5).map("/".join)))
def test_canonical_is_idempotent(text: str) -> None:
    try:
        address = canonical(text, *HOME)
    except Invalid:
        return
    assert canonical(address, *HOME) == address
    assert written(address) == address
