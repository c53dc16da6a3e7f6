"""JSON for reviewers: leaves with their paths, differences by line, no secret shown, nothing silently truncated."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.text import hunks
from signoff.core.text.json_diff import (
    COARSE,
    GONE,
    LONGEST,
    MOST_LEAVES,
    NEW,
    Group,
    Leaf,
    changed_leaves,
    group,
    leaf_text,
    leaves,
    show,
)
from signoff.core.text.masking import masked

ADDED: dict[str, Any] = {
    "before": {},
    "after": {"db": {"password": "hunter2"}, "token": "hunter2", "host": "db1"},
}
LISTED: dict[str, Any] = {
    "before": [{"password": "hunter1"}],
    "after": [{"password": "hunter2", "host": "db1"}],
}
WITHIN: list[Any] = [
    {"credentials": {"user": "ann", "value": "hunter2"}},
    {"secrets": [{"value": "hunter2"}]},
    {"api": {"key": "hunter2"}},
    {"api.key": "hunter2"},
    {"config": ADDED},
    {"config": {"before": ADDED["after"], "after": {}}},
    {"users": LISTED},
    {"password": {"before": "hunter2", "after": 7}},
    {"password": {"before": 7, "after": "hunter2"}},
]


@pytest.mark.parametrize("payload", WITHIN)
def test_secret_is_masked_anywhere(payload: Any) -> None:
    glance = group(payload, opened=False)
    assert "hunter" not in repr(glance)
    assert glance.masked
    assert "hunter" in repr(group(payload, opened=True))
    assert "hunter" not in repr([changed_leaves({}, payload), changed_leaves(payload, {})])


def test_added_and_removed_values_are_marked_and_shown() -> None:
    config = {leaf.path: (leaf.before, leaf.text) for leaf in group({"config": ADDED}, opened=False).leaves}
    assert config["config.host"] == ("(not there)", "db1")
    assert config["config.token"][0] == "(not there)"
    assert config["config.token"][1].startswith("7 characters, fingerprint")
    gone = group({"config": {"before": {"token": "hunter2"}, "after": {}}}, opened=False).leaves[0]
    assert gone.text == "(removed)"
    assert str(gone.before).startswith("7 characters, fingerprint")
    assert [leaf.text for leaf in group({"users": LISTED}, opened=False).leaves][1] == "db1"


def test_number_with_the_name_of_a_secret_is_shown_before_and_after() -> None:
    [leaf] = group({"max_tokens": {"before": 100, "after": 200}}, opened=False).leaves
    assert (leaf.before, leaf.text, leaf.masked) == ("100", "200", False)


def test_key_that_reads_as_a_path_stays_distinguishable() -> None:
    old = {"a.b": 1, "a": {"b": 2}, '"a': {'b"': 3}, "c[0]": 4, "c": [5]}
    paths = [leaf.path for leaf in group(old, opened=True).leaves]
    assert len(set(paths)) == len(paths) == 5
    assert [leaf.text for leaf in changed_leaves(old, {**old, "a.b": 7})] == ["7"]
    assert [leaf.text for leaf in changed_leaves(old, {**old, "a": {"b": 7}})] == ["7"]


def test_a_list_reads_as_people_count() -> None:
    order = {"items": [{"price": {"net": 1}}, {"price": {"net": 2}}], "grid": [[True], [None]]}
    found = {leaf.path: leaf.label for leaf in leaves({"order": order})}
    assert found == {
        "order.items[0].price.net": "order.items #1 price.net",
        "order.items[1].price.net": "order.items #2 price.net",
        "order.grid[0][0]": "order.grid #1 #1",
        "order.grid[1][0]": "order.grid #2 #1",
    }
    assert [leaf.label for leaf in leaves([{"a": 1}])] == ["#1 a"]


@pytest.mark.parametrize(("items", "text"), [(["eu-1", "us 2"], "eu-1, us 2"), ([1, 2.5, 3], "1, 2.5, 3")])
def test_a_list_of_short_values_is_one_line(items: list[Any], text: str) -> None:
    [leaf] = leaves({"regions": items})
    assert (leaf.path, leaf.text, leaf.label) == ("regions", text, f"regions ({len(items)} items)")
    [leaf] = group({"x": {"before": {}, "after": {"regions": items}}}, opened=False).leaves
    assert (leaf.before, leaf.text, leaf.items) == (NEW, text, len(items))


@pytest.mark.parametrize(
    "items",
    [
        ["one"],
        ["a, b", "c"],
        ["a", 1],
        [True, False],
        ["a", ""],
        ["a", " b"],
        ["a", "b\nc"],
        ["x" * 81, "y"],
        ["x" * 79] * 4,
        list(range(201)),
        ["https://a.example", "b"],
        ["2026-07-01T22:30:00Z", "b"],
        ["a", ["b"]],
    ],
)
def test_of_any_other_list_each_item_has_a_line(items: list[Any]) -> None:
    found = list(leaves({"regions": items}))
    assert [leaf.label.split()[:2] for leaf in found] == [
        ["regions", f"#{number}"] for number in range(1, len(items) + 1)
    ]


def test_a_list_with_a_secret_shows_which_item_is_hidden() -> None:
    found = group({"hosts": ["db1", "token=hunter2hunter2"]}, opened=False).leaves
    assert [leaf.masked for leaf in found] == [False, True]
    assert "hunter2" not in repr(found)


KEYS = st.text(st.sampled_from('ab.[]"#01 \u2026(items)\uff03'), max_size=6) | st.sampled_from(
    ["a #1", "a (2 items)", "a #1 b", "#1", '"#1"', "a[0]", '"a'.strip()]
)
VALUES = st.recursive(
    st.sampled_from(["x", "y, z", "y", 1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_no_two_values_read_alike(payload: dict[str, Any]) -> None:
    found = list(leaves(payload))
    labels = [leaf.label for leaf in found]
    assert len(set(labels)) == len(labels)


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.dictionaries(KEYS, VALUES, max_size=3))
def test_different_payloads_never_look_the_same(one: dict[str, Any], two: dict[str, Any]) -> None:
    seen = [[(leaf.label, leaf.kind, leaf.text) for leaf in leaves(payload)] for payload in (one, two)]
    assert (seen[0] == seen[1]) == (show(one) == show(two))


def signs(leaf: Leaf) -> list[tuple[str, str]]:
    assert leaf.diff is not None
    return [(line.sign, line.text) for line in leaf.diff.lines]


def test_texts_are_compared_line_by_line() -> None:
    was, now = "a\nb\nc\nd", "a\nc\nnew\nd"
    [leaf] = group({"plan": {"from": was, "to": now}}, opened=True).leaves
    assert signs(leaf) == [(" ", "a"), ("-", "b"), (" ", "c"), ("+", "new"), (" ", "d")]
    assert (leaf.before, leaf.text) == (was, now)


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"limit": {"before": 30, "after": 5}}, "limit"),
        ({"limit": {"old": 30, "new": 5}}, "limit"),
        ({"limit": {"from": 30, "to": 5}}, "limit"),
        ({"limit": {"current": 30, "proposed": 5}}, "limit"),
        ({"limit": {"old_value": 30, "new_value": 5}}, "limit"),
        ({"limit": {"previous": 30, "current": 5}}, "limit"),
        ({"limit": {"was": 30, "now": 5}}, "limit"),
        ({"a": {"b": [{"before": {"limit": 30}, "after": {"limit": 5}}]}}, "a.b[0].limit"),
        ({"before": {"limit": 30}, "after": {"limit": 5}}, "limit"),
        ({"file": "x", "before": 30, "after": 5}, "after"),
        ({"old_limit": 30, "new_limit": 5}, "new_limit"),
        ({"oldLimit": 30, "newLimit": 5}, "newLimit"),
        ({"limit_after": 5, "limit_before": 30}, "limit_after"),
        ({"x": 1, "current_limit": 30, "proposed_limit": 5}, "proposed_limit"),
    ],
)
def test_before_and_after_pair_is_shown_as_one_change(payload: Any, path: str) -> None:
    found = group(payload, opened=False)
    [leaf] = [leaf for leaf in found.leaves if leaf.change]
    assert (leaf.path, leaf.before, leaf.text, leaf.change) == (path, "30", "5", "changed")
    assert (found.counts, found.folded) == ("1 changed", False)
    assert leaf_text(leaf) == "30 → 5"


def test_from_and_to_with_other_fields_are_no_pair() -> None:
    transfer = {"from": "DE1", "to": "DE2", "amount": 5}
    assert [leaf.change for leaf in group(transfer, opened=True).leaves] == ["", "", ""]


NAMES = [
    *("before", "after", "old", "new", "old_x", "new_x", "x_before", "x_after"),
    *("old_x_before", "new_x_before", "new_x_after", "oldX", "newX"),
]


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "before",
                "after",
                "old",
                "new",
                "old_x",
                "new_x",
                "x_before",
                "x_after",
                "old_x_before",
                "new_x_before",
                "new_x_after",
                "oldX",
                "newX",
            ]
        ),
        st.uuids().map(str),
        max_size=10,
    )
)
def test_pair_loses_no_value(payload: dict[str, str]) -> None:
    shown = repr(group(payload, opened=True))
    assert all(value in shown for value in payload.values())


def test_lists_are_compared_by_element() -> None:
    old = [{"name": "a", "n": 1}, {"name": "b", "n": 2}, "x", {"name": "c", "n": 3}, 7, 8]
    new = [
        {"name": "new", "n": 0},
        {"name": "a", "n": 1},
        "x",
        {"name": "c", "n": 4},
        9,
        {"id": 1},
        {"id": 1},
    ]
    found = [
        (leaf.path, leaf.change, leaf.before, leaf.text)
        for leaf in group({"p": {"before": old, "after": new}}, opened=True).leaves
        if leaf.change != "same"
    ]
    assert found == [
        ("p[0].name", "added", NEW, "new"),
        ("p[0].n", "added", NEW, "0"),
        ("p[1].name", "removed", "b", GONE),
        ("p[1].n", "removed", "2", GONE),
        ("p[3].n", "changed", "3", "4"),
        ("p[4]", "changed", "7", "9"),
        ("p[5]", "removed", "8", GONE),
        ("p[5].id", "added", NEW, "1"),
        ("p[6].id", "added", NEW, "1"),
    ]
    doubled = {"before": [{"id": 1, "n": 1}, {"id": 1, "n": 2}], "after": [{"id": 1, "n": 3}]}
    assert [leaf.change for leaf in group({"p": doubled}, opened=True).leaves] == [
        "same",
        "changed",
        "removed",
        "removed",
    ]


def test_true_differs_from_one_and_an_object_from_text() -> None:
    found = group({"p": {"before": {"a": 1, "b": [1.0]}, "after": {"a": True, "b": [1]}}}, opened=False)
    assert [(leaf.before, leaf.text) for leaf in found.leaves] == [("1", "true"), ("1.0", "1")]
    found = group({"p": {"before": "x", "after": {"a": 1}}}, opened=False)
    assert [(leaf.path, leaf.change) for leaf in found.leaves] == [("p", "removed"), ("p.a", "added")]
    assert found.counts == "1 added, 1 removed"
    [leaf] = group({"p": {"before": 5, "after": 5}}, opened=False).leaves
    assert leaf_text(leaf) == "5 (unchanged)"


def test_unchanged_values_are_folded_first_and_counted() -> None:
    before = {f"k{n}": n for n in range(60)}
    found = group({"config": {"before": before, "after": {**before, "k50": "new"}}}, opened=False)
    assert [(leaf.label, leaf_text(leaf)) for leaf in found.leaves] == [
        ("…", "50 unchanged values"),
        ("config.k50", "50 → new"),
        ("…", "9 unchanged values"),
    ]
    assert found.folded
    many = {**{f"a{n}": n for n in range(60)}, "limit": {"before": 1, "after": 2}}
    shown = group(many, opened=False)
    assert (len(shown.leaves), shown.rest, shown.leaves[-1].path) == (MOST_LEAVES, 21, "limit")


UNIFIED = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n keep\n-token=hunter2hunter2\n+token=hunter3hunter3\n"


def test_unified_diff_is_shown_as_hunks_with_secrets_masked() -> None:
    [leaf] = group({"diff": UNIFIED}, opened=False).leaves
    assert [sign for sign, _ in signs(leaf)] == ["@", "@", "@", " ", "-", "+"]
    assert leaf.masked
    assert "hunter" not in repr(leaf)
    assert leaf_text(leaf).startswith("+1 −1\n@ --- a/x\n")


@pytest.mark.parametrize("before", ["s3cret-one", "s3cret\none", "x" * 90])
def test_changed_secret_is_reported_as_changed(before: str) -> None:
    value = {"db_password": {"before": before, "after": before + "?"}}
    [leaf] = group(value, opened=False).leaves
    assert (leaf.change, leaf.masked, before in repr(leaf)) == ("changed", True, False)
    starred = masked(value, lambda _: "****")
    [leaf] = leaves(value, starred, whole=False, brief=True)
    assert leaf_text(leaf) == "**** (changed, hidden)"
    [leaf] = changed_leaves({"db_password": before}, {"db_password": before + "?"})
    assert (leaf.change, before in repr(leaf)) == ("changed", False)
    folded_away = {"before": {f"token{n}": "s3cret" for n in range(5)}}
    assert group({"p": {**folded_away, "after": {**folded_away["before"], "x": 1}}}, opened=False).masked


def test_leaf_text_translates_our_words_and_escapes_values() -> None:
    found = group({"a": {"before": {"x": "1\n2"}, "after": {"y": "z"}}}, opened=False).leaves
    assert [leaf_text(leaf, str.upper) for leaf in found] == ["1\n2\n→ (removed)", "(not there) → Z"]
    text = {"before": "a\nb", "after": "a\nc"}
    [leaf] = group({"t": text}, opened=False).leaves
    assert leaf_text(leaf) == "+1 −1\n  a\n- b\n+ c"
    assert leaf_text(leaf, str.upper).endswith("+ C")
    long = ({"before": side * 70_000, "after": other * 70_000} for side, other in (("a.", "b,"),))
    [leaf] = group({"t": next(iter(long))}, opened=False).leaves
    assert leaf_text(leaf).endswith(COARSE)


def test_each_value_has_a_kind_and_a_text() -> None:
    value = {"yes": True, "none": None, "n": 1.5, "short": "x", "long": "x" * 81, "empty": {}, "list": []}
    found = {leaf.path: (leaf.kind, leaf.text) for leaf in leaves(value)}
    assert found == {
        "yes": ("bool", "true"),
        "none": ("null", "null"),
        "n": ("number", "1.5"),
        "short": ("text", "x"),
        "long": ("block", "x" * 81),
        "empty": ("text", "{}"),
        "list": ("text", "[]"),
    }
    assert show({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'
    [changed] = group({"n": {"old": 1, "new": "one"}}, opened=True).leaves
    assert changed.kind == "text"


def test_folded_values_are_counted() -> None:
    assert not Group().folded
    assert group({str(n): n for n in range(MOST_LEAVES + 3)}, opened=False).rest == 3
    [long] = group({"text": "x" * (LONGEST + 5)}, opened=False).leaves
    assert (long.hidden, len(long.text)) == (5, LONGEST)
    many = "\n".join(f"line {n}" for n in range(hunks.MOST_LINES + 2))
    for text in (many, "one\n" + "x" * (LONGEST + 1)):
        folded = group({"plan": {"before": "one", "after": text}}, opened=False)
        assert folded.folded
        assert len(leaf_text(folded.leaves[0])) < 2 * LONGEST
        whole = group({"plan": {"before": "one", "after": text}}, opened=True)
        assert (whole.folded, whole.leaves[0].text) == (False, text)


def test_unchanged_values_of_a_changed_object_are_shown() -> None:
    change = {"config": {"before": {"a": 1, "b": {"c": 2}, "gone": [3]}, "after": {"a": 1, "b": {"c": 4}}}}
    found = {leaf.path: (leaf.before, leaf.text) for leaf in group(change, opened=True).leaves}
    assert found == {
        "config.a": (None, "1"),
        "config.b.c": ("2", "4"),
        "config.gone[0]": ("3", "(removed)"),
    }
    mixed = {"login": {"before": [{"password": "hunter1"}, 1], "after": [{"password": "hunter1"}, 2]}}
    assert [(leaf.before, leaf.text) for leaf in group(mixed, opened=True).leaves] == [
        (None, "hunter1"),
        ("1", "2"),
    ]


def test_shortened_name_is_shown_in_full_except_in_messages() -> None:
    name = "n" * 2000
    shown = [leaf.text for leaf in leaves({name: 1})]
    assert any(name in text for text in shown)
    assert [leaf.text for leaf in leaves({name: 1}, brief=True)] == ["1"]
    changed = {"config": {"before": {name: 1}, "after": {name: 2}}}
    assert any(name in leaf.text for leaf in group(changed, opened=True).leaves)


def test_object_with_only_an_amount_is_one_value() -> None:
    refund = {
        "refund": {"value": 1250000.5, "currency": "EUR"},
        "items": [{"amount": 1200, "currency": "USD"}],
    }
    found = [(leaf.path, leaf.text) for leaf in leaves(refund)]
    assert found == [("refund", "1,250,000.50 EUR"), ("items[0]", "1,200 USD")]
    less = {"refund": {"value": 12, "currency": "EUR"}, "items": [{"amount": 1200, "currency": "USD"}]}
    [changed] = changed_leaves(refund, less)
    assert (changed.path, changed.before, changed.text) == ("refund", "1,250,000.50 EUR", "12 EUR")


@pytest.mark.parametrize(
    "value",
    [
        {"value": 12, "currency": "EUR", "note": "x"},
        {"value": 12, "currency": "euro"},
        {"value": "about 12", "currency": "EUR"},
        {"size": 12, "currency": "EUR"},
    ],
)
def test_any_other_object_shows_each_of_its_values(value: dict[str, object]) -> None:
    assert [leaf.path for leaf in leaves({"it": value})] == [f"it.{name}" for name in value]


def test_difference_hidden_by_the_text_of_an_amount_is_shown_by_value() -> None:
    [changed] = changed_leaves(
        {"it": {"amount": 12, "currency": "EUR"}}, {"it": {"amount": "12", "currency": "EUR"}}
    )
    assert (changed.path, changed.change) == ("it.amount", "changed")
