"""A mailbox belongs to one person, however its address is written."""

import pytest

from signoff.core.directory.mailboxes import is_mailbox, mailbox_key, refuse_no_mailbox
from signoff.core.errors import Invalid


@pytest.mark.parametrize(
    "address",
    [
        "ann@acme.example",
        "ann+ops@acme.example",
        "o'neill@acme.example",
        "owner@localhost",
        "ann@bücher.example",
    ],
)
def test_mailbox_addresses_are_accepted(address: str) -> None:
    assert is_mailbox(address)


@pytest.mark.parametrize(
    "address",
    [
        "ann@acme.example.", "ann@acme..example", "ann.@acme.example", "@acme.example", "ann@", "a@b@acme.example",
        "ann@acme。example", "ａnn@acme.example", "ann＠acme.example", "<ann@acme.example>", "Ann <ann@acme.example>",
        "ann@acme.example,bob@acme.example", "ann@acme.example;bob", '"ann"@acme.example', "mailto:ann@acme.example",
        "person:ann@acme.example", "ann%acme.example@relay.example", "ann\u200b@acme.example", "a" * 250 + "@b.example",
    ],
)  # fmt: skip
def test_addresses_of_no_single_mailbox_are_refused(address: str) -> None:
    assert not is_mailbox(address)


@pytest.mark.parametrize(
    "other",
    ["ANN@Acme.Example", "ann@acme.example.", "ａnn@acme.example", "ann@acme。example", "<ann@acme.example>"],
)
def test_every_spelling_of_a_mailbox_has_one_key(other: str) -> None:
    assert mailbox_key(other) == mailbox_key("ann@acme.example")


def test_both_spellings_of_an_international_domain_are_one_mailbox() -> None:
    assert mailbox_key("ann@bücher.example") == mailbox_key("ann@xn--bcher-kva.example")
    assert mailbox_key("ann@acme.example") != mailbox_key(
        "аnn@acme.example"
    )  # a Cyrillic letter: another mailbox
    assert mailbox_key("ann@" + "x" * 80 + ".example") == "ann@" + "x" * 80 + ".example"


def test_invalid_mailbox_is_refused_by_field() -> None:
    refuse_no_mailbox("ann@acme.example", "email")
    with pytest.raises(Invalid) as met:
        refuse_no_mailbox("ann@acme.example,bob@acme.example", "people[0].email")
    assert (met.value.code, met.value.field) == ("invalid_email", "people[0].email")
