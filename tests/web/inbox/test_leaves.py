"""What a payload is as leaves: each with a path of its own, and none that shows a secret at a glance."""

from typing import Any

import pytest

from signoff.core.text.json_diff import changed_leaves, group
from signoff.engine.read.evidence import touched

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


def test_what_a_request_touches_is_no_way_around_the_mask() -> None:
    assert touched({"credentials": {"host": "hunter2"}, "host": "db1"}, {})[0][0].text == "db1"
    assert "hunter2" not in repr(touched({"credentials": {"host": "hunter2"}}, {}))
