"""The examples of docs/policies.md apply unchanged, each to a separate workspace."""

import re
from pathlib import Path
from typing import Any

import pytest

from signoff.cli.documents import parse
from signoff.core.policy.fields import FIELDS
from tests.web.web_env import WebEnv

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
DOCUMENTS: list[dict[str, Any]] = [
    parse(text, "docs/policies.md", yaml=True) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]
WORKFLOWS = [document for document in DOCUMENTS if "workflow" in document]
EXAMPLES = [document for document in DOCUMENTS if "workflow" not in document]


@pytest.mark.parametrize("example", EXAMPLES)
async def test_each_example_applies_and_changes_nothing_the_second_time(
    web: WebEnv, example: dict[str, Any]
) -> None:
    answer = await web.post("/v1/apply", example, "oscar")
    assert answer.status == 200, answer.text
    assert answer["changed"]
    again = await web.post("/v1/apply", example, "oscar")
    assert not again["changed"]
    for name in example.get("policies", {}):
        explained = await web.get(f"/v1/policies/{name}/explain", "ann")
        assert explained["contacts"], explained
    for flow in example.get("workflows", []):
        payload = {"amount": 10, "account": {"kind": "known"}}
        sent = await web.post("/v1/intents", {"intent_type": flow["intent_type"], "payload": payload}, "ci")
        assert sent.status == 200, sent.text


@pytest.mark.parametrize("workflow", WORKFLOWS)
async def test_each_workflow_of_the_page_applies_and_starts(web: WebEnv, workflow: dict[str, Any]) -> None:
    people = {f"{name}@acme.example": {"roles": ["approver"]} for name in ("ann", "bob")}
    assert (await web.post("/v1/apply", {"people": people}, "oscar")).status == 200
    applied = await web.post("/v1/workflows", workflow, "oscar")
    assert applied.status == 200, applied.text
    sent = await web.post("/v1/intents", {"intent_type": workflow["intent_type"], "payload": {"n": 1}}, "ci")
    assert (sent.status, sent["status"]) == (200, "WAITING"), sent.text


def test_page_names_every_field_of_a_policy() -> None:
    assert [field.name for field in FIELDS if f"| `{field.name}`" not in PAGE] == []
