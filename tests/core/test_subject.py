"""A request at a glance: the first short values, starting with what it affects."""

from typing import Any

import pytest

from signoff.core.text.json_diff import changed_leaves, leaves
from signoff.core.text.subject import subject


@pytest.mark.parametrize(
    ("payload", "chips"),
    [
        ({}, ()),
        (
            {"order": "A-4721", "amount": 48200000, "currency": "EUR"},
            (("amount", "48,200,000 EUR"), ("order", "A-4721")),
        ),
        ({"currency": "EUR", "order": 1}, (("currency", "EUR"), ("order", "1"))),
        ({"price": {"amount": 5, "currency": "EUR"}, "more": {"a": 1}, "list": [1]}, (("price", "5 EUR"),)),
        ({"a": "", "b": "two\nlines", "c": "x" * 61, "d": True, "e": None, "f": 1.5}, (("f", "1.5"),)),
        (
            {"password": "hunter2", "target": "postgres://a:hunter2@b/c", "table": "users"},
            (("table", "users"),),
        ),
        ({"reason": "because", "Summary": "so", "x.y": 1}, (('"x.y"', "1"),)),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, (("a", "1"), ("b", "2"), ("c", "3"))),
        ({"amount": "7", "currency": "EUR"}, (("amount", "7 EUR"),)),
        ({"amount": "7 USD", "currency": "EUR"}, (("amount", "7 USD"), ("currency", "EUR"))),
        ({"amount": [7], "currency": "EUR"}, (("currency", "EUR"),)),
        ({"amount": "about 7", "currency": "EUR"}, (("amount", "about 7"), ("currency", "EUR"))),
        ({"items #1 sku": "fake", "a.b": "c"}, (('"items #1 sku"', "fake"), ('"a.b"', "c"))),
    ],
)
def test_subject_shows_the_first_short_values(
    payload: dict[str, Any], chips: tuple[tuple[str, str], ...]
) -> None:
    assert subject(payload, 3) == chips


def test_amount_in_a_payload_and_in_a_difference_has_its_currency() -> None:
    payload = {"fee": {"before": 1000, "after": 48200000}, "currency": "EUR", "rows": 1840221, "id": 123456}
    shown = {leaf.path: (leaf.before, leaf.text) for leaf in leaves(payload)}
    assert shown == {
        "fee": ("1,000 EUR", "48,200,000 EUR"),
        "currency": (None, "EUR"),
        "rows": (None, "1,840,221"),
        "id": (None, "123456"),
    }
    old, new = {"amount": 4200, "currency": "EUR"}, {"amount": 4200.5, "currency": "USD", "total": 1000}
    assert {leaf.path: (leaf.before, leaf.text) for leaf in changed_leaves(old, new)} == {
        "amount": ("4,200 EUR", "4,200.50 USD"),
        "currency": ("EUR", "USD"),
        "total": ("(not there)", "1,000 USD"),
    }
    gone = changed_leaves({"amount": 4200, "currency": "EUR"}, {"currency": "EUR"})
    assert [(leaf.before, leaf.text) for leaf in gone] == [("4,200 EUR", "(removed)")]


def test_amount_whose_currency_alone_changes_is_shown_as_changed() -> None:
    old, new = {"amount": 5, "currency": "EUR"}, {"amount": 5, "currency": "USD"}
    assert [(leaf.path, leaf.before, leaf.text) for leaf in changed_leaves(old, new)] == [
        ("currency", "EUR", "USD")
    ]
