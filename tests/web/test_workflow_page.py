"""docs/reference/workflow.md has every field of a workflow, and its examples run unchanged."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.core.formats.workflow import compile_workflow
from signoff.core.intent import checks
from signoff.core.plan.form_schema import FORMATS, KEYWORDS
from signoff.core.plan.plan import MAX_STEP_RUNS_PER_INTENT
from signoff.core.plan.task_types import TaskType, Trait
from signoff.core.text import json_diff, subject
from signoff.engine.read import evidence
from tests.docs.blocks import DOCS, coded, documents, rows, section
from tests.web.web_env import WebEnv

PAGE = DOCS / "reference" / "workflow.md"
EXAMPLES = documents(PAGE)
UNKNOWN = "zzzzzzzz"
# The places where a workflow has fields, each by a key that only that place has.
PLACES = {
    "steps", "agent", "human", "delay", "notify", "max", "every", "approvers", "means", "approve", "any", "zone",
    "goto", "use", "above", "to",
}  # fmt: skip


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object within a JSON value, including itself."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def accepted() -> list[tuple[frozenset[str], frozenset[str]]]:
    """For every place of every example: (the fields that the reader accepts there, the fields of the example). An
    unknown field is added there, and the refusal lists the known ones.
    """
    found = []
    for example in EXAMPLES:
        for number, place in enumerate(objects(example)):
            probe = deepcopy(example)
            list(objects(probe))[number][UNKNOWN] = {}
            try:
                compile_workflow(probe)
            except Invalid as refusal:
                if (refusal.hint or "").startswith("Known: "):
                    known = (refusal.hint or "").removeprefix("Known: ").rstrip(".").split(", ")
                    found.append((frozenset(known), frozenset(place)))
    return found


ACCEPTED = accepted()


def test_every_place_with_fields_is_covered() -> None:
    assert {key for key in PLACES if any(key in known for known, _ in ACCEPTED)} == PLACES
    assert len({known for known, _ in ACCEPTED}) >= 15


def test_every_accepted_field_is_on_the_page() -> None:
    named = {part for word in coded(PAGE.read_text(encoding="utf-8")) for part in word.split(".")}
    taken = {field for known, _ in ACCEPTED for field in known}
    assert len(taken) > 50
    assert taken - named == set()


def test_every_accepted_field_is_in_an_example() -> None:
    for known in {known for known, _ in ACCEPTED}:
        used = {field for other, place in ACCEPTED if other == known for field in place}
        assert known - used == set()


def test_fields_of_human_and_agent_steps_have_a_row() -> None:
    for heading, key in (("Agent steps", "agent"), ("Human steps", "approvers"), ("Outcomes", "means")):
        in_rows = {cell.strip("`") for cell, *_ in rows(section(PAGE, heading))}
        [known] = {known for known, _ in ACCEPTED if key in known}
        shared = {cell.strip("`") for cell, *_ in rows(section(PAGE, "Steps"))}
        assert known - in_rows - shared == set(), heading


def test_task_types_equal_those_of_the_server() -> None:
    said = {kind.strip("`"): outcomes for kind, outcomes, _ in rows(section(PAGE, "Task types"))}
    assert said == {kind.value: ", ".join(f"`{word}`" for word in kind.outcomes) for kind in TaskType}
    text = PAGE.read_text(encoding="utf-8")
    assert (
        f"true for {', '.join(f'`{kind.value}`' for kind in TaskType if Trait.COMMENT in kind.traits)}"
        in text
    )
    assert (
        f"true for {', '.join(f'`{kind.value}`' for kind in TaskType if Trait.EVIDENCE in kind.traits)}"
        in text
    )
    assert f"at most {MAX_STEP_RUNS_PER_INTENT} steps" in text


def test_form_keywords_equal_those_of_the_server() -> None:
    text = section(PAGE, "Forms")
    listed = {word for row in rows(text) for word in coded(row[1])}
    assert listed == set(KEYWORDS)
    assert set(FORMATS) <= set(coded(text))


def test_payload_names_that_drive_the_card_equal_those_of_the_server() -> None:
    by_part = {
        part.partition(" (")[0]: coded(names) for part, names in rows(section(PAGE, "What drives the card"))
    }
    assert sorted(by_part["what it touches"]) == sorted(subject.AFFECTED)
    assert sorted(by_part["whether it can be undone"]) == sorted(evidence._UNDO)
    assert sorted(by_part["the requester's own words"]) == sorted(subject.CLAIMS)
    pairs = {name for pair in json_diff._PAIRS for name in pair}
    split = {"old_limit": "new_limit", "oldLimit": "newLimit", "limit_before": "limit_after"}
    assert set(by_part["before and after"]) == pairs | split.keys() | set(split.values())
    for old, new in split.items():
        assert json_diff._pairs({old: 1, new: 2}) == {old: new}
    for name in by_part["the verdict of a check"]:
        assert checks.verdict_of({name: True}) == ("failed" if name == "error" else "passed")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["workflow"])
async def test_each_example_applies_and_a_request_starts(web: WebEnv, example: dict[str, Any]) -> None:
    people = {f"{name}@acme.example": {"roles": ["approver"]} for name in ("ann", "otto", "emma")}
    teams = {name: {"members": [*people]} for name in ("finance", "audit")}
    policies = {name: {"approve": {"any": ["role:approver"]}} for name in ("finance", "two-people", "strict")}
    first = await web.post("/v1/apply", {"people": people, "teams": teams, "policies": policies}, "oscar")
    assert first.status == 200, first.text
    applied = await web.post("/v1/workflows", example, "oscar")
    assert applied.status == 200, applied.text
    payload = {"amount": "40 EUR", "payee": {"country": "DE"}, "urgent": False, "items": 20}
    sent = await web.post("/v1/intents", {"intent_type": example["intent_type"], "payload": payload}, "ci")
    assert sent.status == 200, sent.text
    assert sent["status"] in ("DELIVERED", "WAITING")


@pytest.mark.parametrize(
    ("outcome", "ends"), [("approved", ("DELIVERED", "approved")), ("rejected", ("DELIVERED", "rejected"))]
)
async def test_route_declared_a_success_completes_after_a_rejection(
    web: WebEnv, outcome: str, ends: tuple[str, str]
) -> None:
    [archive] = [one for one in EXAMPLES if one["workflow"] == "archive"]
    await web.post("/v1/apply", {"people": {"ann@acme.example": {"roles": ["approver"]}}}, "oscar")
    await web.post("/v1/workflows", archive, "oscar")
    sent = await web.post("/v1/intents", {"intent_type": archive["intent_type"]}, "ci")
    [task] = (await web.get("/v1/tasks", "ann"))["tasks"]
    said = {"outcome": outcome, **{name: task[name] for name in ("stage", "revision", "digest")}}
    assert (await web.post(f"/v1/tasks/{task['task_id']}/answer", said, "ann")).status == 200
    after = (await web.get(f"/v1/intents/{sent['intent_id']}", "ci"))["intent"]
    assert (after["status"], after["ending"]) == ends
    claimed = await web.post("/v1/agents/file-agent/deliveries/claim", {}, "oscar")
    [delivery] = claimed["deliveries"]
    assert delivery["step_id"] == ("delete" if outcome == "approved" else "keep")
    body = {"token": delivery["token"], "result": {}}
    assert (await web.post(f"/v1/deliveries/{delivery['delivery_id']}/report", body, "oscar")).status == 200
    over = (await web.get(f"/v1/intents/{sent['intent_id']}", "ci"))["intent"]
    assert (over["status"], over["ending"]) == ("COMPLETED", ends[1])
