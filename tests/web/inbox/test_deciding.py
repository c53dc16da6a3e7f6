"""Deciding on the page: each task type, refusals with their reasons, and the receipt."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.web.inbox.reading import reader
from tests.web.inbox.task_pages import ANN, task, votes
from tests.web.web_env import HOME, WebEnv

REVIEW: dict[str, Any] = {
    "workflow": "mail",
    "intent_type": "intent.mail.v1",
    "steps": [
        {"id": "draft", "agent": "validator"},
        {"id": "review", "human": {"type": "review", "title": "Send this mail?", "approvers": ANN}},
    ],
}


# -- the eight kinds

FORM = {
    "type": "object",
    "required": ["count"],
    "properties": {"count": {"type": "integer"}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}}},
}
KINDS: list[tuple[str, str, dict[str, Any], dict[str, str], str]] = [
    ("approval", "approved", {}, {"comment": "Fine."}, "approved"),
    ("approval", "rejected", {}, {}, "rejected"),
    ("review", "approved", {}, {}, "approved"),
    ("review", "rejected", {}, {"comment": "No."}, "rejected"),
    ("confirmation", "confirmed", {}, {}, "approved"),
    ("confirmation", "denied", {}, {}, "rejected"),
    ("form", "submitted", {"form_schema": FORM}, {"f.count": "3"}, "approved"),
    ("clarification", "provided", {}, {"comment": "The second account."}, "approved"),
    ("clarification", "declined", {}, {"comment": "I do not know."}, "rejected"),
    ("assignment", "assigned", {}, {"x.assignee": "otto@acme.example"}, "approved"),
    ("assignment", "declined", {}, {}, "rejected"),
    ("manual_action", "completed", {}, {"x.evidence": "ticket 4711"}, "approved"),
    ("manual_action", "failed", {}, {}, "rejected"),
    ("override", "override_approved", {}, {"comment": "The house burns."}, "approved"),
    ("override", "rejected", {}, {"comment": "It does not."}, "rejected"),
]


@pytest.mark.parametrize(("kind", "outcome", "asked", "filled", "ending"), KINDS)
async def test_every_task_type_is_decided_and_shows_its_receipt(
    web: WebEnv, kind: str, outcome: str, asked: dict[str, Any], filled: dict[str, str], ending: str
) -> None:
    task_id = await task(web, task_type=kind, **asked)
    ann = await reader(web, "ann")
    answer = await ann.decide(task_id, outcome, **filled)
    assert (answer.status, answer.where) == (303, f"/tasks/{task_id}")
    found = await votes(web, task_id)
    assert (found["state"], found["outcome"], found["ending"], found["via"]) == (
        "closed",
        outcome,
        ending,
        "web",
    )
    receipt = await ann.get(answer.where)
    assert "You decided" in receipt.text
    assert f" {outcome.replace('_', ' ').capitalize()} " in receipt.text
    assert found["digest"] in receipt.text
    assert not [form for form in receipt.forms if outcome in form["buttons"]]


async def test_form_is_submitted_as_typed_data(web: WebEnv) -> None:
    task_id = await task(web, task_type="form", form_schema=FORM)
    ann = await reader(web, "ann")
    page = await ann.get(f"/tasks/{task_id}")
    fields = [(n, "7" if n == "f.count" else v) for n, v in page.form(f"/tasks/{task_id}")["fields"]]
    await ann.post(f"/tasks/{task_id}", [*fields, ("f.tags", "a"), ("f.tags", "b"), ("outcome", "submitted")])
    result = (await web.get(f"/v1/intents/{task_id[:-4]}0000"))["intent"]["result"]
    assert (result["count"], result["tags"]) == (7, ["a", "b"])


async def test_invalid_form_is_shown_again_with_the_typed_values(web: WebEnv) -> None:
    task_id = await task(web, task_type="form", form_schema=FORM)
    ann = await reader(web, "ann")
    page = await ann.decide(task_id, "submitted", **{"f.count": "many", "comment": "See <there>"})
    assert page.status == 422
    assert "The form has errors" in page.text
    assert "count" in page.text
    kept = dict(page.form(f"/tasks/{task_id}")["fields"])
    assert (kept["f.count"], kept["comment"]) == ("many", "See <there>")
    assert (await votes(web, task_id))["state"] == "open"


@pytest.mark.parametrize(
    ("kind", "outcome", "said"),
    [
        ("clarification", "provided", "asks for a comment"),
        ("override", "override_approved", "asks for a comment"),
        ("manual_action", "completed", "asks for evidence"),
        ("assignment", "assigned", "Enter an assignee"),
    ],
)
async def test_missing_input_is_reported_and_nothing_is_recorded(
    web: WebEnv, kind: str, outcome: str, said: str
) -> None:
    task_id = await task(web, task_type=kind)
    page = await (await reader(web, "ann")).decide(task_id, outcome)
    assert page.status == 422
    assert said in page.text
    assert (await votes(web, task_id))["votes"] == []


# -- what is refused


async def test_ineligible_reader_sees_why_there_is_no_button(web: WebEnv) -> None:
    task_id = await task(web)
    page = await (await reader(web, "otto")).get(f"/tasks/{task_id}")
    assert "You are not among those who were asked." in page.text
    assert not any(form["buttons"] != [""] for form in page.forms)
    answer = await (await reader(web, "otto")).post(
        f"/tasks/{task_id}", outcome="approved", revision="1", digest=(await votes(web, task_id))["digest"]
    )
    assert answer.status == 403
    assert (await votes(web, task_id))["state"] == "open"


async def test_requesters_side_cannot_decide(web: WebEnv) -> None:
    await web.apply_workflow(
        steps=[{"id": "a", "human": {"type": "approval", "approvers": ["oscar@acme.example", *ANN]}}]
    )
    intent_id = await web.send("ci")
    page = await (await reader(web, "oscar")).get(f"/tasks/{intent_id}")
    assert "You are on the requester's side" in page.text
    assert not any("approved" in form["buttons"] for form in page.forms)


async def test_single_person_workspace_says_that_self_approval_applies(web: WebEnv) -> None:
    rows = web.env.store.directory
    home = next(space for space in await rows.workspaces() if space.id == HOME)
    await web.env.store.people.save([replace(home, self_approval=True)])
    web.env.directory.changed(HOME)
    await web.apply_workflow(
        steps=[{"id": "a", "human": {"type": "approval", "approvers": ["oscar@acme.example"]}}]
    )
    intent_id = await web.send("ci")
    oscar = await reader(web, "oscar")
    page = await oscar.get(f"/tasks/{intent_id[:-4]}0001")
    assert "You are on the requester's side." in page.text
    assert "Self-approval is on here" in page.text
    assert (await oscar.decide(f"{intent_id[:-4]}0001", "approved")).status == 303


async def test_strangers_get_404(web: WebEnv) -> None:
    task_id = await task(web)
    page = await (await reader(web, "sam")).get(f"/tasks/{task_id}")
    other = await (await reader(web, "sam")).get(f"/tasks/{task_id[:-6]}ff0001")
    assert page.status == other.status == 404
    assert "May we?" not in page.text


@pytest.mark.parametrize(
    "changed",
    [
        {"digest": "0" * 64},
        {"digest": ""},
        {"revision": "9"},
        {"revision": ""},
        {"revision": "x"},
        {"digest": "UPPER"},
    ],
)
async def test_answer_must_target_what_was_shown(web: WebEnv, changed: dict[str, str]) -> None:
    task_id = await task(web)
    page = await (await reader(web, "ann")).decide(task_id, "approved", **changed)
    assert page.status in (409, 422)
    assert (await votes(web, task_id))["state"] == "open"
    again = page.form(f"/tasks/{task_id}")
    assert dict(again["fields"])["digest"] == (await votes(web, task_id))["digest"], (
        "it asks again, for what is now"
    )


async def test_second_of_two_deciders_sees_the_decision(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    late = await otto.get(f"/tasks/{task_id}")
    assert (await ann.decide(task_id, "rejected", comment="No.")).status == 303
    page = await otto.press(late, f"/tasks/{task_id}", "approved")
    assert page.status == 409
    assert "This has already been decided: rejected." in page.text
    assert "Ann decided" in page.text
    assert "No." in page.text


async def test_requested_changes_lead_to_a_revision_that_shows_the_difference(web: WebEnv) -> None:
    assert (await web.post("/v1/workflows", REVIEW, "oscar")).status == 200
    intent_id = await web.send(intent_type="intent.mail.v1")
    first = intent_id[:-4]

    async def draft(step_run: str, text: str) -> None:
        answer = await web.post(
            f"/v1/intents/{first}{step_run}/resume", {"action": "complete", "subject": text}, "agent"
        )
        assert answer.status == 200, answer.text

    await draft("0001", "Hello")
    ann = await reader(web, "ann")
    old = await ann.get(f"/tasks/{first}0002")
    assert (await ann.press(old, f"/tasks/{first}0002", "changes_requested", comment="Kinder.")).status == 303
    await draft("0003", "Good morning")
    page = await ann.get(f"/tasks/{first}0004")
    assert "revision 2" in page.text
    assert "Changes between revisions" in page.text
    assert "Kinder. Ann requested changes" in page.text
    assert "Hello" in page.text
    assert "Good morning" in page.text
    late = await ann.press(old, f"/tasks/{first}0002", "approved")
    assert late.status == 409
    assert f"/tasks/{first}0004" in late.html, "the old page leads to what is open now"
    assert (await ann.decide(f"{first}0004", "approved")).status == 303


async def test_folded_values_must_be_opened_before_an_approval(web: WebEnv) -> None:
    hidden = "\n".join(f"echo {n}" for n in range(500)) + "\nDROP TABLE users;"
    intent_id = await web.send(
        intent_type="intent.other.v1",
        payload={"script": hidden},
        human_task={"title": "Run it", "assignees": ANN},
    )
    task_id = intent_id[:-4] + "0001"
    ann = await reader(web, "ann")
    page = await ann.get(f"/tasks/{task_id}")
    assert "DROP TABLE" not in page.text
    assert "characters are hidden" in page.text
    assert page.form(f"/tasks/{task_id}")["buttons"] == ["1", "rejected"], "show everything, or reject"
    forced = dict(page.form(f"/tasks/{task_id}")["fields"])
    refused = await ann.post(f"/tasks/{task_id}", outcome="approved", **forced)
    assert refused.status == 409
    assert "never opened" in refused.text
    opened = await ann.get(f"/tasks/{task_id}?open=1")
    assert "DROP TABLE users;" in opened.text
    shown = await ann.post(f"/tasks/{task_id}", **forced | {"show": "1", "comment": "Not yet sure"})
    assert "DROP TABLE users;" in shown.text
    assert "Not yet sure" in shown.html, "what was typed is still there"
    assert (await ann.press(shown, f"/tasks/{task_id}", "approved")).status == 303


async def test_revision_made_meanwhile_is_shown_before_the_next_answer(web: WebEnv) -> None:
    _, task_id = await web.ask(assignees=[*ANN, "otto@acme.example"])
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    old = await ann.get(f"/tasks/{task_id}")
    digest = dict(old.form(f"/tasks/{task_id}")["fields"])["digest"]
    revised = await web.post(
        f"/v1/tasks/{task_id}/revise", {"payload": {"target": "prod-eu"}, "digest": digest}, "otto"
    )
    assert revised.status == 200, revised.text
    page = await ann.press(old, f"/tasks/{task_id}", "approved")
    assert page.status == 409
    assert "What has changed" in page.text
    assert "target" in page.text
    assert "before: prod-postgres-main" in page.text
    assert "after: prod-eu" in page.text
    assert (await ann.press(page, f"/tasks/{task_id}", "approved")).status == 303
    receipt = await ann.get(f"/tasks/{task_id}")
    assert "revision 2" in receipt.text
    assert (await otto.get(f"/tasks/{task_id}")).status == 200


async def test_secret_is_masked_until_requested_and_its_change_is_shown(web: WebEnv) -> None:
    secret = {"db_password": "hunter2-hunter2", "token_lifetime": 3600, "target": "prod"}
    made = await web.send(
        intent_type="intent.other.v1", payload=secret, human_task={"assignees": [*ANN, "otto@acme.example"]}
    )
    task_id = made[:-4] + "0001"
    ann = await reader(web, "ann")
    for path in ("/", f"/tasks/{task_id}", f"/intents/{made}"):
        page = await ann.get(path)
        assert "hunter2" not in page.html, path
    page = await ann.get(f"/tasks/{task_id}")
    assert "15 characters, fingerprint" in page.text
    assert "its name suggests a secret" in page.text
    assert "3600" in page.text
    assert "approved" in page.form(f"/tasks/{task_id}")["buttons"], "what is masked does not hold up a yes"
    assert "hunter2-hunter2" in (await ann.get(f"/tasks/{task_id}?open=1")).text
    changed = {"payload": secret | {"db_password": "hunter3-hunter3"}}
    assert (await web.post(f"/v1/tasks/{task_id}/revise", changed, "otto")).status == 200
    again = await ann.get(f"/tasks/{task_id}")
    assert "Changes from revision 1 to revision 2 db_password before: 15 characters" in again.text
    assert "Otto changed it" in again.text
    assert "hunter" not in again.html
