"""JSON as people check it: leaves with a path each, differences line by line, no secret shown, nothing cut unseen."""

from typing import Any

import pytest

from signoff.core.text.json_diff import (
    LONGEST,
    MOST_LEAVES,
    MOST_LINES,
    Group,
    changed_leaves,
    difference,
    group,
    leaves,
    show,
)

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
def test_a_secret_is_masked_wherever_it_stands(payload: Any) -> None:
    glance = group(payload, opened=False)
    assert "hunter" not in repr(glance)
    assert glance.masked
    assert "hunter" in repr(group(payload, opened=True))
    assert "hunter" not in repr([changed_leaves({}, payload), changed_leaves(payload, {})])


def test_what_is_new_or_gone_says_so_and_what_is_no_secret_is_shown() -> None:
    config = {leaf.path: (leaf.before, leaf.text) for leaf in group({"config": ADDED}, opened=False).leaves}
    assert config["config.host"] == ("(not there)", "db1")
    assert config["config.token"][0] == "(not there)"
    assert config["config.token"][1].startswith("7 characters, fingerprint")
    gone = group({"config": {"before": {"token": "hunter2"}, "after": {}}}, opened=False).leaves[0]
    assert gone.text == "(taken away)"
    assert str(gone.before).startswith("7 characters, fingerprint")
    assert [leaf.text for leaf in group({"users": LISTED}, opened=False).leaves][1] == "db1"


def test_a_number_by_such_a_name_is_shown_before_and_after() -> None:
    [leaf] = group({"max_tokens": {"before": 100, "after": 200}}, opened=False).leaves
    assert (leaf.before, leaf.text, leaf.masked) == ("100", "200", False)


def test_no_key_reads_as_the_path_of_another() -> None:
    old = {"a.b": 1, "a": {"b": 2}, '"a': {'b"': 3}, "c[0]": 4, "c": [5]}
    paths = [leaf.path for leaf in group(old, opened=True).leaves]
    assert len(set(paths)) == len(paths) == 5
    assert [leaf.text for leaf in changed_leaves(old, {**old, "a.b": 7})] == ["7"]
    assert [leaf.text for leaf in changed_leaves(old, {**old, "a": {"b": 7}})] == ["7"]


def test_a_difference_of_texts_is_line_by_line() -> None:
    was, now = "a\nb\nc\nd", "a\nc\nnew\nd"
    lines = [(line.sign, line.text) for line in difference(was, now)]
    assert lines == [(" ", "a"), ("-", "b"), (" ", "c"), ("+", "new"), (" ", "d")]
    [leaf] = group({"plan": {"from": was, "to": now}}, opened=True).leaves
    assert [(line.sign, line.text) for line in leaf.lines] == lines


def test_each_value_has_its_kind_and_its_text() -> None:
    value = {"yes": True, "none": None, "n": 1.5, "short": "x", "long": "x" * 81, "empty": {}, "list": []}
    found = {leaf.path: (leaf.kind, leaf.text) for leaf in leaves(value)}
    assert found == {
        "yes": ("bool", "true"), "none": ("null", "null"), "n": ("number", "1.5"), "short": ("text", "x"),
        "long": ("block", "x" * 81), "empty": ("text", "{}"), "list": ("text", "[]"),
    }  # fmt: skip
    assert show({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'
    [changed] = group({"n": {"old": 1, "new": "one"}}, opened=True).leaves
    assert changed.kind == "text"


def test_what_is_folded_away_is_counted() -> None:
    assert not Group().folded
    assert group({str(n): n for n in range(MOST_LEAVES + 3)}, opened=False).rest == 3
    [long] = group({"text": "x" * (LONGEST + 5)}, opened=False).leaves
    assert (long.hidden, len(long.text)) == (5, LONGEST)
    many = "\n".join(f"line {n}" for n in range(MOST_LINES + 2))
    for text in (many, "one\n" + "x" * (LONGEST + 1)):
        folded = group({"plan": {"before": "one", "after": text}}, opened=False)
        assert folded.folded
        assert all(len(line.text) <= LONGEST for line in folded.leaves[0].lines[:MOST_LINES])
        whole = group({"plan": {"before": "one", "after": text}}, opened=True)
        assert (whole.folded, whole.leaves[0].text) == (False, text)


def test_what_stays_in_a_changed_object_is_shown_as_it_is() -> None:
    change = {"config": {"before": {"a": 1, "b": {"c": 2}, "gone": [3]}, "after": {"a": 1, "b": {"c": 4}}}}
    found = {leaf.path: (leaf.before, leaf.text) for leaf in group(change, opened=True).leaves}
    assert found == {
        "config.a": (None, "1"),
        "config.b.c": ("2", "4"),
        "config.gone[0]": ("3", "(taken away)"),
    }
    mixed = {"login": {"before": [{"password": "hunter1"}, 1], "after": [{"password": "hunter1"}, 2]}}
    assert [(leaf.before, leaf.text) for leaf in group(mixed, opened=True).leaves] == [
        (None, "hunter1"), ("1", "2"),
    ]  # fmt: skip


def test_a_shortened_name_is_shown_in_full_but_not_in_messages() -> None:
    name = "n" * 2000
    shown = [leaf.text for leaf in leaves({name: 1})]
    assert any(name in text for text in shown)
    assert [leaf.text for leaf in leaves({name: 1}, brief=True)] == ["1"]
    changed = {"config": {"before": {name: 1}, "after": {name: 2}}}
    assert any(name in leaf.text for leaf in group(changed, opened=True).leaves)
    assert len(list(leaves({"x": {"before": 1, "after": 2}}, brief=True))) == 2
