"""The card shows which agents run after the decision, with the input that the plan gives them."""

from typing import Any

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

DANGER = "DROP TABLE users; -- and nobody saw it"
APPLY: dict[str, Any] = {"step_id": "apply", "assigned_to": "agent://elsewhere/prod/runner"}


async def scenario(web: WebEnv, *steps: dict[str, Any]) -> str:
    """The task of a bundle with a harmless payload and these steps after the approval."""
    sign = {"step_id": "sign", "tool_id": "tool.approval.human_signoff", "assigned_to": "ann"}
    answer = await web.post(
        "/v1/scenarios/apply",
        {
            "scenario_id": "harmless.v1",
            "humans": [{"role": "ann", "contact": "ann@acme.example"}],
            "workflow": {"steps": [{**sign, "human_task": {"title": "A look, please"}}, *steps]},
            "intent": {"type": "intent.harmless.v1", "payload": {"note": "a report for the board"}},
        },
    )
    assert answer.status == 200, answer.text
    return str(answer["intent_id"])[:-4] + "0001"


async def test_input_and_agent_of_a_later_step_are_on_the_page(web: WebEnv) -> None:
    task_id = await scenario(web, {**APPLY, "input": {"command": DANGER}})
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert "Next steps after an approval" in page.text
    assert "apply agent://elsewhere/prod/runner runs it." in page.text
    assert "from the requester: Input of apply Field Value command " + DANGER in page.text
    assert page.form(f"/tasks/{task_id}")["buttons"] == ["approved", "rejected"]


async def test_missing_worker_is_shown_on_card_receipt_and_request(web: WebEnv) -> None:
    task_id = await scenario(web, APPLY)
    intent_id = task_id[:-4] + "0000"
    absent = "No worker has ever asked for the work of agent://elsewhere/prod/runner."
    ann = await reader(web, "ann")
    assert absent in (await ann.get(f"/tasks/{task_id}")).text
    assert (await web.answer(task_id)).status == 200
    assert f"apply: {absent}" in (await ann.get(f"/tasks/{task_id}")).text
    assert absent in (await ann.get(f"/intents/{intent_id}")).text
    await web.post("/v1/agents/elsewhere/prod/runner/deliveries/claim", {}, "oscar")
    assert absent not in (await ann.get(f"/tasks/{task_id}")).text
    assert absent not in (await ann.get(f"/intents/{intent_id}")).text


async def test_page_of_a_failure_after_an_approval_offers_a_rerun(web: WebEnv) -> None:
    task_id = await scenario(web, APPLY)
    intent_id = task_id[:-4] + "0000"
    await web.answer(task_id)
    agent = "/v1/agents/elsewhere/prod/runner/deliveries/claim"
    [taken] = (await web.post(agent, {}, "oscar"))["deliveries"]
    oscar, ann = await reader(web, "oscar"), await reader(web, "ann")
    assert "Rerun the failed step" not in (await oscar.get(f"/intents/{intent_id}")).text
    fault = {"token": taken["token"], "error": {"code": "down", "message": "It was restarting."}}
    await web.post(f"/v1/deliveries/{taken['delivery_id']}/report", fault, "oscar")
    assert "Rerun the failed step" not in (await ann.get(f"/intents/{intent_id}")).text
    page = await oscar.get(f"/intents/{intent_id}")
    assert "Rerun the failed step" in page.text
    await oscar.post(f"/intents/{intent_id}/rerun", {})
    [again] = (await web.post(agent, {}, "oscar"))["deliveries"]
    assert again["intent_id"] != intent_id
    new = await oscar.get(f"/intents/{again['intent_id']}")
    assert f"Rerun of {intent_id}" in new.text
    assert "Rerun started" in new.text


async def test_steps_after_a_failure_are_marked_as_such(web: WebEnv) -> None:
    task_id = await scenario(
        web,
        {**APPLY, "on_success": "end", "on_failure": "clean"},
        {"step_id": "clean", "assigned_to": "agent://acme/prod/cleaner", "input": {"command": DANGER}},
    )
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert "clean agent://acme/prod/cleaner runs it. Only if a step before it does not succeed." in page.text
    assert DANGER in page.text


@pytest.mark.parametrize(
    ("given", "folded"),
    [
        ({"script": "\n".join(["echo fine"] * 500 + [DANGER])}, "characters are hidden"),
        ({f"n{n}": n for n in range(100)} | {"last": DANGER}, "more fields are hidden"),
        ({"password": DANGER}, "Hidden: its name suggests a secret"),
    ],
)
async def test_approval_requires_that_a_folded_input_was_opened(
    web: WebEnv, given: dict[str, Any], folded: str
) -> None:
    task_id = await scenario(web, {**APPLY, "input": given})
    ann = await reader(web, "ann")
    page = await ann.get(f"/tasks/{task_id}")
    assert folded in page.text
    assert DANGER not in page.text
    assert page.form(f"/tasks/{task_id}")["buttons"] == ["1", "rejected"], "show everything, or reject"
    forced = dict(page.form(f"/tasks/{task_id}")["fields"])
    assert (await ann.post(f"/tasks/{task_id}", outcome="approved", **forced)).status == 409
    opened = await ann.get(f"/tasks/{task_id}?open=1")
    assert DANGER in opened.text
    assert (await ann.press(opened, f"/tasks/{task_id}", "approved")).status == 303


async def test_hidden_characters_in_an_input_are_named(web: WebEnv) -> None:
    task_id = await scenario(web, {**APPLY, "input": {"command": "rm report\u202e.txt"}})
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert "The request contains invisible characters" in page.text


async def test_task_in_the_api_lists_next_steps_with_their_input(web: WebEnv) -> None:
    tell = {
        "step_id": "tell",
        "tool_id": "tool.internal.notification",
        "input": {"to": "ann", "message": "It is done."},
    }
    task_id = await scenario(web, {**APPLY, "input": {"command": DANGER}}, tell)
    apply, then = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["next_steps"]
    assert apply == {
        "step_id": "apply",
        "kind": "agent",
        "after": ["yes"],
        "off_main_path": False,
        "agent": "agent://elsewhere/prod/runner",
        "input": {"command": DANGER},
    }
    assert (then["kind"], then["message"], then["after"]) == ("notify", "It is done.", ["yes"])


async def test_requests_that_differ_only_in_an_input_have_different_digests(web: WebEnv) -> None:
    tasks = [await scenario(web, {**APPLY, "input": {"command": text}}) for text in ("SELECT 1", DANGER)]
    one, other = [(await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["digest"] for task_id in tasks]
    refused = await web.post(
        f"/v1/tasks/{tasks[1]}/answer", {"outcome": "approved", "digest": one, "revision": 1}, "ann"
    )
    assert (refused.status, refused.code) == (409, "stale_revision")
    assert one != other
