"""Actions on a task other than answering it."""

import pytest

from signoff.core.ids import shard
from tests.web.inbox.demo_workspace import apply
from tests.web.inbox.reading import reader
from tests.web.inbox.task_pages import ANN, task, votes
from tests.web.web_env import HOME, WebEnv


async def test_person_comments_marks_and_delegates_a_task(web: WebEnv) -> None:
    task_id = await task(web)
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    assert (await ann.post(f"/tasks/{task_id}/comment", words="Which <order>?")).status == 303
    assert (await ann.post(f"/tasks/{task_id}/mark-reviewing")).status == 303
    page = await otto.get(f"/tasks/{task_id}")
    assert "Ann commented" in page.text
    assert "Which <order>?" in page.text
    assert "Being reviewed by" in page.text
    assert (await otto.post(f"/tasks/{task_id}/delegate", to="ann@acme.example")).status == 403
    assert (
        await ann.post(f"/tasks/{task_id}/delegate", to="otto@acme.example", words="I am away.")
    ).status == 303
    assert "Ann delegated it to Otto" in (await otto.get(f"/tasks/{task_id}")).text
    assert not any("approved" in form["buttons"] for form in (await ann.get(f"/tasks/{task_id}")).forms)
    assert (await otto.decide(task_id, "approved")).status == 303
    assert (await votes(web, task_id))["ending"] == "approved"


async def test_changing_a_request_creates_a_revision_for_another_approver(web: WebEnv) -> None:
    _, task_id = await web.ask(assignees=[*ANN, "otto@acme.example"])
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    form = (await ann.get(f"/tasks/{task_id}")).form(f"/tasks/{task_id}/revise")
    digest = dict(form["fields"])["digest"]
    for wrong in ("{", "[]", dict(form["fields"])["payload"]):
        assert (await ann.post(f"/tasks/{task_id}/revise", digest=digest, payload=wrong)).status in (400, 422)
    assert (await ann.post(f"/tasks/{task_id}/revise", payload='{"target": "staging"}')).status == 409
    changed = await ann.post(f"/tasks/{task_id}/revise", digest=digest, payload='{"target": "staging"}')
    assert changed.status == 303, changed.text
    page = await ann.get(f"/tasks/{task_id}")
    assert "revision 2" in page.text
    assert "You are on the requester's side" in page.text
    page = await otto.get(f"/tasks/{task_id}")
    assert "Changes between revisions" in page.text
    assert (await otto.press(page, f"/tasks/{task_id}", "approved")).status == 303


async def test_plain_values_are_changed_in_a_form_and_the_rest_is_kept(web: WebEnv) -> None:
    payload = {
        "amount": 4200,
        "currency": "EUR",
        "express": False,
        "lines": [{"a": 1}],
        "api_key": "k" * 20,
        "odd": "a\u202eb",
    }
    made = await web.send(
        intent_type="intent.x.v1", payload=payload, human_task={"assignees": [*ANN, "otto@acme.example"]}
    )
    task_id = made[:-4] + "0001"
    ann = await reader(web, "ann")
    assert not [f for f in (await ann.get(f"/tasks/{task_id}")).forms if f["action"].endswith("/revise")]
    action = f"/tasks/{task_id}/revise"
    fields = dict((await ann.get(f"/tasks/{task_id}?open=1")).form(action)["fields"])
    assert {name for name in fields if name.startswith("p.")} == {"p.amount", "p.currency", "p.express"}
    assert (await ann.post(action, **fields)).status == 422, "nothing was changed"
    wrong = await ann.post(action, **fields | {"p.amount": "three"})
    assert wrong.status == 422
    assert "amount: 'three' is not a number." in wrong.text
    done = await ann.post(action, **fields | {"p.amount": "3000", "p.express": "true"})
    assert done.status == 303, done.text
    now = (await web.get(f"/v1/tasks/{task_id}"))["task"]["payload"]
    assert now == payload | {"amount": 3000, "express": True}
    page = await (await reader(web, "otto")).get(f"/tasks/{task_id}")
    assert "amount before: 4,200 EUR → after: 3,000 EUR" in page.text


@pytest.mark.parametrize("typed", ["[" * 5000, "1e400", "true", "99999999999999999999"])
async def test_invalid_number_is_reported_and_changes_nothing(web: WebEnv, typed: str) -> None:
    intent_id = await web.send(
        intent_type="intent.x.v1", payload={"rows": 5}, human_task={"title": "May we?"}
    )
    task_id = intent_id[:-4] + "0001"
    ann = await reader(web, "ann")
    form = (await ann.get(f"/tasks/{task_id}")).form(f"/tasks/{task_id}/revise")
    fields = [(name, typed if name == "p.rows" else value) for name, value in form["fields"]]
    page = await ann.post(f"/tasks/{task_id}/revise", fields)
    assert page.status == 422
    assert "is not a number" in page.text
    assert (await web.get(f"/v1/intents/{intent_id}"))["payload"] == {"rows": 5}


async def test_admin_reassigns_the_stage_shown_on_the_page(web: WebEnv) -> None:
    stages = {"approve": [{"any": ["ann@acme.example"]}, {"any": ["otto@acme.example"]}]}
    await web.apply_workflow(steps=[{"id": "approve", "human": {"title": "Go?", "policy": stages}}])
    task_id = (await web.send())[:-4] + "0001"
    await web.join("adam", "admin")
    adam = await reader(web, "adam")
    fields = (await adam.get(f"/tasks/{task_id}")).form(f"/tasks/{task_id}/reassign")["fields"]
    assert (await web.answer(task_id, "approved", "ann")).status == 200
    stale = await adam.post(f"/tasks/{task_id}/reassign", [*fields, ("approver", "emma@acme.example")])
    assert (stale.status, "stale_stage" in stale.html) == (409, True)
    assert (await web.get(f"/v1/tasks/{task_id}", "oscar"))["task"]["approvers"] == ["otto@acme.example"]
    fields = stale.form(f"/tasks/{task_id}/reassign")["fields"]
    fresh = await adam.post(f"/tasks/{task_id}/reassign", [*fields, ("approver", "emma@acme.example")])
    assert fresh.status == 303
    assert (await web.get(f"/v1/tasks/{task_id}", "oscar"))["task"]["approvers"] == ["emma@acme.example"]


async def test_admin_reassigns_a_task_and_the_requester_withdraws(web: WebEnv) -> None:
    await apply(web)
    _, task_id = await web.ask(assignees=ANN)
    await web.join("adam", "admin")
    adam, otto = await reader(web, "adam"), await reader(web, "otto")
    assert "No open tasks for you." in (await otto.get("/")).text
    assert (await adam.post(f"/tasks/{task_id}/reassign")).status == 422
    asked = await adam.post(f"/tasks/{task_id}/reassign", [("approver", "team:dba")], words="Ann is ill.")
    assert asked.status == 303, asked.text
    page = await otto.get("/?view=team")
    assert f"/tasks/{task_id}" in page.html
    assert "assigned to you" in page.text
    assert "1 waiting for you" in page.text, "the badge says it on every page"
    assert f"/tasks/{task_id}" not in (await (await reader(web, "aud")).get("/?view=team")).html
    assert (await otto.post(f"/tasks/{task_id}/reassign", [("approver", "team:dba")])).status == 403
    assert (await otto.post(f"/tasks/{task_id}/withdraw")).status == 403
    assert not [form for form in (await otto.get(f"/tasks/{task_id}")).forms if "withdraw" in form["action"]]
    assert (await adam.post(f"/tasks/{task_id}/withdraw", words="Not needed")).status == 303
    assert "Withdrawn" in (await otto.get(f"/tasks/{task_id}")).text
    assert "waiting for you" not in (await otto.get("/people")).text
    assert (await adam.post(f"/tasks/{task_id}/withdraw")).status == 409


async def test_late_answer_shows_who_decided_what_and_when(web: WebEnv) -> None:
    _, task_id = await web.ask(assignees=[*ANN, "otto@acme.example"])
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    late = await otto.get(f"/tasks/{task_id}")
    assert (await ann.decide(task_id, "rejected", comment="Not today.")).status == 303
    answer = await otto.press(late, f"/tasks/{task_id}", "approved", comment="Go")
    assert answer.status == 409
    for said in (
        "was not counted. You wrote: Go",
        "already been decided: rejected",
        "Ann decided: rejected",
        "through the pages",
        "Not today.",
    ):
        assert said in answer.text, said


async def test_card_lists_notified_people_and_their_delivery_status(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    rows = [("per_otto", "email", "sent", 1), ("per_ann", "slack", "failed", 3)]
    for number, (person, channel, state, attempts) in enumerate(rows):
        values = {
            "shard": shard(intent_id),
            "id": f"m{number}",
            "workspace": HOME,
            "intent_id": intent_id,
            "visit": 2,
            "seq": 4,
            "kind": "task.opened",
            "person": person,
            "channel": channel,
            "state": state,
            "reference": "",
            "attempts": attempts,
            "error": "",
            "at": 0,
        }
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        await web.env.store.write((f"insert into messages ({names}) values ({marks})", values))
    page = await (await reader(web, "emma")).get(f"/tasks/{task_id}")
    assert "Otto named notified via mail" in page.text
    assert "Ann named could not be notified by Slack" in page.text


async def test_unknown_action_does_nothing(web: WebEnv) -> None:
    task_id = await task(web)
    assert (await (await reader(web, "ann")).post(f"/tasks/{task_id}/explode")).status == 404
    assert (await (await reader(web, "ann")).post(f"/tasks/{task_id}/comment", words=" ")).status == 422
    assert (await (await reader(web, "sam")).post(f"/tasks/{task_id}/comment", words="x")).status == 404
