"""Records accept the responses of older and newer servers."""

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import signoff
from signoff import (
    Actor,
    Delivery,
    Intent,
    IntentCanceled,
    IntentFailed,
    IntentRejected,
    IntentTimedOut,
    Result,
    Task,
)
from signoff.client.records import Record

pytestmark = pytest.mark.windows

RECORDS = [
    getattr(signoff, name)
    for name in signoff.__all__
    if isinstance(getattr(signoff, name), type) and issubclass(getattr(signoff, name), Record)
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_any_json_is_read_as_a_record(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(RECORDS))
    names = kind.__struct_fields__
    raw = data.draw(JSON | st.dictionaries(st.sampled_from(names), JSON))
    record = kind.read(raw)
    assert record.raw == (raw if isinstance(raw, dict) else {}) or raw != raw
    for field in msgspec.structs.fields(kind):
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        assert default is not msgspec.NODEFAULT
        if isinstance(default, str | bool | int | dict | tuple | Record):
            assert isinstance(getattr(record, field.name), type(default))


def test_record_reads_like_its_json_and_keeps_unknown_fields() -> None:
    task = Task.read({"task_id": "t", "title": "Migrate?", "revision": 2, "brand_new": {"x": 1}})
    assert (task.title, task["title"], task["brand_new"]["x"], task.get("absent")) == (
        "Migrate?",
        "Migrate?",
        1,
        None,
    )
    assert "brand_new" in task
    assert dict(task) == task.raw
    with pytest.raises(AttributeError, match="read-only"):
        task.title = "No"
    assert task.title == "Migrate?"


def test_times_are_aware_and_nested_records_are_read() -> None:
    task = Task.read(
        {
            "opened_at": "2026-03-02T09:00:00.5Z",
            "due_at": "soon",
            "requester": {"kind": "agent", "id": "sa_1", "address": "agent://acme/prod/bot"},
            "votes": [{"person": "per_ann", "outcome": "approved"}, None],
            "decided_by": {"kind": "person", "id": "per_ann", "name": "Ann"},
            "allowed_outcomes": ["approved", "rejected"],
        }
    )
    assert task.opened_at == datetime(2026, 3, 2, 9, 0, 0, 500000, UTC)
    assert task.due_at is None
    assert task.requester.address == "agent://acme/prod/bot"
    assert task.votes[0].outcome == "approved"
    assert task.decided_by == "Ann"
    assert task.allowed_outcomes == ("approved", "rejected")


def test_object_without_its_own_class_is_read_as_a_record() -> None:
    task = Task.read({"outcomes": [{"name": "canary", "means": "approve", "color": "blue"}], "next_steps": 7})
    [outcome] = task.outcomes
    assert (outcome.name, outcome.label, outcome["color"]) == ("canary", "", "blue")  # type: ignore[index]
    assert (task.next_steps, Intent.read({}).pending_with, Intent.read({}).result) == ((), None, {})


def test_record_can_be_copied_and_pickled() -> None:
    task = Task.read({"task_id": "t", "votes": [{"person": "per_ann"}]})
    for again in (copy.copy(task), copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert (again, again.votes[0].person) == (task, "per_ann")


def test_actor_is_read_from_a_plain_id() -> None:
    assert Actor.read("per_ann").id == "per_ann"


def result(status: str, **more: Any) -> Result:
    return Result.read({"intent_id": "i", "status": status, **more})


def test_approved_requires_a_persons_approval_and_completion() -> None:
    assert result("COMPLETED", outcome="approved", ending="approved").approved
    assert not result("COMPLETED").approved
    assert not result("FAILED", outcome="approved", ending="approved").approved
    assert not result("COMPLETED", outcome="rejected", ending="rejected").approved


def test_expiry_is_never_approved() -> None:
    assert not result("COMPLETED", outcome="approved", ending="expired").approved


def test_agents_result_cannot_claim_an_approval() -> None:
    forged = result("COMPLETED", result={"outcome": "approved", "ending": "approved"}, outcome="approved")
    assert not forged.approved


@pytest.mark.parametrize(
    ("ended", "kind"),
    [
        (result("CANCELED"), IntentCanceled),
        (result("TIMED_OUT"), IntentTimedOut),
        (result("FAILED", ending="rejected"), IntentRejected),
        (
            result("FAILED", error={"code": "human_rejected", "message": "Ann said no"}, ending="rejected"),
            IntentRejected,
        ),
        # codes that an agent reported, where nobody was asked
        (result("FAILED", error={"code": "human_rejected", "message": "boom"}), IntentFailed),
        (result("FAILED", error={"code": "changes_requested"}), IntentFailed),
        (result("FAILED", error={"code": "expired"}), IntentFailed),
        (result("FAILED", error={"code": "step_timeout"}), IntentTimedOut),
        (result("FAILED", error={"code": "agent_error", "message": "boom"}), IntentFailed),
    ],
)
def test_raise_for_status_raises_the_class_of_the_ending(ended: Result, kind: type[IntentFailed]) -> None:
    with pytest.raises(IntentFailed) as caught:
        ended.raise_for_status()
    assert type(caught.value) is kind
    assert caught.value.result is ended


def test_raise_for_status_returns_a_completed_result() -> None:
    done = result("COMPLETED", result={"rows": 1})
    assert done.raise_for_status() is done


def test_payload_is_not_in_the_repr() -> None:
    secret = {"card": "4111"}
    for record in (Intent.read({"payload": secret}), Delivery.read({"payload": secret, "input": secret})):
        assert "4111" not in repr(record)
