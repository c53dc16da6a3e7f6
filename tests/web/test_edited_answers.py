"""``edits: approve`` on every surface: one action, two facts, and a record of both."""

import json
from typing import Any

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import Answer, WebEnv

TYPE = "intent.refund.v1"
PAYLOAD = {"amount": 90, "customer": "c1"}


async def opened(web: WebEnv, **policy: Any) -> dict[str, Any]:
    """An open task whose policy lets approvers edit."""
    asked = {"approve": [{"any": ["ann@acme.example", "otto@acme.example"]}], "edits": "approve", **policy}
    flow = {
        "workflow": "refund",
        "intent_type": TYPE,
        "steps": [
            {"id": "ok", "human": {"type": "approval", "title": "Pay it?", "policy": asked}},
            {"id": "pay", "agent": "validator"},
        ],
    }
    answer = await web.post("/v1/workflows", flow, "oscar")
    assert answer.status == 200, answer.text
    task_id = f"{(await web.send(intent_type=TYPE, payload=PAYLOAD))[:-4]}0001"
    return dict((await web.get(f"/v1/tasks/{task_id}", "ann"))["task"])


async def edit(web: WebEnv, task: dict[str, Any], payload: Any = None, **more: Any) -> Answer:
    body = {
        "payload": payload or {**PAYLOAD, "amount": 30},
        "digest": task["digest"],
        "outcome": "approved",
        **more,
    }
    return await web.post(f"/v1/tasks/{task['task_id']}/revise", body, "ann")


async def summaries(web: WebEnv, task: dict[str, Any]) -> list[str]:
    events = (await web.get(f"/v1/intents/{task['intent_id']}/audit", "oscar"))["events"]
    return [event["summary"] for event in events if event["type"] in ("revised", "answered", "decided")]


async def test_approver_changes_a_value_and_approves_it(web: WebEnv) -> None:
    task = await opened(web)
    assert task["edits"] == "approve"
    done = await edit(web, task, stage=1, comment="30 is what was agreed")
    assert done.status == 200, done.text
    assert done["task"]["receipt"]["said"] == "Recorded, with your change as revision 2: approved."
    assert (done["task"]["outcome"], done["task"]["revision"]) == ("approved", 2)
    assert await summaries(web, task) == [
        "Ann changed the request to revision 2, to approve that; earlier votes are void",
        "Ann answered 'approved' to their own change",
        "the task ended approved",
    ]
    taken = (await web.post("/v1/agents/validator/deliveries/claim", {"limit": 1}, "agent"))["deliveries"][0]
    assert taken["payload"] == {**PAYLOAD, "amount": 30}
    assert await web.env.findings() == []


@pytest.mark.parametrize(
    ("payload", "more", "code"),
    [
        ({"amount": 30}, {}, "edit_changes_fields"),
        ({**PAYLOAD, "amount": "30"}, {}, "edit_changes_fields"),
        ({**PAYLOAD, "amount": 30}, {"digest": "0" * 64}, "stale_revision"),
        ({**PAYLOAD, "amount": 30}, {"digest": None}, "digest_required"),
        ({**PAYLOAD, "amount": 30}, {"outcome": "rejected"}, "edit_not_approved"),
        ({**PAYLOAD, "amount": 30}, {"outcome": None, "stage": 1}, "unused_field"),
        ({**PAYLOAD, "amount": 30}, {"outcome": None, "data": {"a": 1}}, "unused_field"),
        (PAYLOAD, {}, "nothing_changed"),
    ],
)
async def test_refused_edit_changes_nothing(
    web: WebEnv, payload: Any, more: dict[str, Any], code: str
) -> None:
    task = await opened(web)
    assert (await edit(web, task, payload, **more)).code == code
    now = (await web.get(f"/v1/tasks/{task['task_id']}", "ann"))["task"]
    assert (now["revision"], now["payload"], now["state"]) == (1, PAYLOAD, "open")


async def test_refused_answer_leaves_no_revision_behind(web: WebEnv) -> None:
    """Both are one transaction."""
    task = await opened(web, approve=[{"any": ["ann@acme.example"]}, {"any": ["otto@acme.example"]}])
    assert (await web.answer(task["task_id"], stage=1, digest=task["digest"])).status == 200
    body = {"payload": {**PAYLOAD, "amount": 30}, "digest": task["digest"], "outcome": "approved"}
    late = await web.post(f"/v1/tasks/{task['task_id']}/revise", body, "otto")
    assert late.code == "edit_restarts"
    assert (await web.get(f"/v1/tasks/{task['task_id']}", "otto"))["task"]["revision"] == 1


async def test_edited_approval_requires_the_sign_in_of_the_policy(web: WebEnv) -> None:
    task = await opened(web, risk="high")
    assert (await edit(web, task)).code == "stronger_sign_in_required"


async def test_change_is_a_proposal_without_the_policy(web: WebEnv) -> None:
    task = await opened(web, edits="propose")
    assert (await edit(web, task)).code == "edit_not_approvable"
    assert (await edit(web, task, outcome=None)).status == 200
    ann = await reader(web, "ann")
    assert "Change and approve" not in (await ann.get(f"/tasks/{task['task_id']}")).text


async def test_page_offers_and_distinguishes_both(web: WebEnv) -> None:
    task = await opened(web)
    ann, there = await reader(web, "ann"), f"/tasks/{task['task_id']}"
    page = await ann.get(there)
    assert "Change it and approve, or propose a change" in page.text
    assert "Change and approve" in page.text
    form = page.form(f"{there}/revise")
    assert form["buttons"] == ["approved", ""]
    fields = [(name, "30" if name == "p.amount" else value) for name, value in form["fields"]]
    done = await ann.post(f"{there}/revise", [*fields, ("outcome", "approved")])
    assert done.status == 303, done.text
    after = await ann.get(f"{done.where}?done={done.done}")
    assert "You decided" in after.text
    assert "Approved" in after.text
    assert (await summaries(web, task))[1] == "Ann answered 'approved' to their own change"


async def test_folded_request_is_shown_in_full_before_an_edited_approval(web: WebEnv) -> None:
    """As for an answer on the page: from medium risk on, only from a page that showed the whole request."""
    task = await opened(web)
    whole = {**PAYLOAD, "reason": "late again\n" * 200}
    assert (await edit(web, task, whole, outcome=None)).status == 200  # by Ann: Otto decides
    otto, there = await reader(web, "otto"), f"/tasks/{task['task_id']}"
    page = await otto.get(there)
    assert "Part of this request is collapsed" in page.text
    assert "Change and approve" not in page.text
    digest = (await web.get(f"/v1/tasks/{task['task_id']}", "otto"))["task"]["digest"]
    said = {"digest": digest, "stage": "1", "payload": json.dumps({**whole, "amount": 30})}
    done = await otto.post(f"{there}/revise", [*said.items(), ("outcome", "approved")])
    assert done.status == 409
    assert "Parts of this request were collapsed and never opened. Nothing was recorded." in done.text
    assert (await web.get(f"/v1/tasks/{task['task_id']}", "otto"))["task"]["revision"] == 2
    form = (await otto.get(f"{there}?open=1")).form(f"{there}/revise")
    assert form["buttons"] == ["approved", ""]
    fields = [(name, "30" if name == "p.amount" else value) for name, value in form["fields"]]
    assert (await otto.post(f"{there}/revise", [*fields, ("outcome", "approved")])).status == 303
    events = (await web.get(f"/v1/intents/{task['intent_id']}/audit", "oscar"))["events"]
    [vote] = [event for event in events if event["type"] == "answered"]
    assert vote["viewed"]["folded"] == "opened"
