"""Several similar low-risk tasks are answered by one action, each with its own record."""

from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.core.intent.bulk_answers import MOST
from signoff.engine.bulk_answers import BulkTarget, refuse_repeated
from signoff.wire.tasks import MOST_TASKS
from tests.web.web_env import Answer, WebEnv

TYPE = "intent.refund.v1"
LOW: dict[str, Any] = {"approve": [{"any": ["ann@acme.example", "otto@acme.example"]}], "risk": "low"}


async def workflow(
    web: WebEnv, intent_type: str = TYPE, title: str = "Pay the refund?", **policy: Any
) -> None:
    human = {"type": "approval", "title": title, "policy": {**LOW, **policy}}
    flow = {"workflow": "refund", "intent_type": intent_type, "steps": [{"id": "ok", "human": human}]}
    answer = await web.post("/v1/workflows", flow, "oscar")
    assert answer.status == 200, answer.text


async def ask(web: WebEnv, count: int, intent_type: str = TYPE, **payload: Any) -> list[dict[str, Any]]:
    """This many open tasks, as a list shows them."""
    for number in range(count):
        await web.send(
            intent_type=intent_type, payload={"customer": f"c{number}", "amount": number, **payload}
        )
    tasks = (await web.get(f"/v1/tasks?intent_type={intent_type}&limit=200", "ann"))["tasks"]
    return [*tasks][-count:]


def named(task: dict[str, Any]) -> dict[str, Any]:
    return {name: task[name] for name in ("task_id", "stage", "revision", "digest")}


async def decide(
    web: WebEnv, tasks: list[dict[str, Any]], outcome: str = "approved", who: str = "ann", **more: Any
) -> Answer:
    body = {"outcome": outcome, "tasks": [named(task) for task in tasks], **more.pop("body", {})}
    return await web.post("/v1/tasks/answers", body, who, **more)


async def trail(web: WebEnv, task: dict[str, Any]) -> list[dict[str, Any]]:
    return list((await web.get(f"/v1/intents/{task['intent_id']}/audit", "oscar"))["events"])


async def test_equal_tasks_are_answered_together_and_recorded_separately(web: WebEnv) -> None:
    await workflow(web)
    tasks = await ask(web, 3)
    assert len({task["bulk_form"] for task in tasks}) == 1
    done = await decide(web, tasks, body={"comment": "routine"})
    assert done.status == 200, done.text
    assert (done["recorded"], done["refused"], done["decided"]) == (3, 0, 3)
    assert done["receipt"] == {
        "said": "Recorded for 3 of 3 tasks, each separately: approved.",
        "next": "3 are decided.",
    }
    for task, result in zip(tasks, done["results"], strict=True):
        assert (result["task_id"], result["recorded"], result["decided"]) == (task["task_id"], True, True)
        assert result["receipt"]["said"] == "Recorded: approved."
        [vote] = [event for event in await trail(web, task) if event["type"] == "answered"]
        assert vote["summary"] == "Ann answered 'approved' (one of 3 tasks answered at once)"
        assert vote["comment"] == "routine"
        assert await web.status(task["intent_id"]) == "COMPLETED"


async def test_repeated_bulk_answer_records_nothing_and_returns_the_same(web: WebEnv) -> None:
    await workflow(web, approve=[{"any": ["ann@acme.example", "otto@acme.example"], "need": 2}])
    tasks = await ask(web, 2)
    for _ in range(2):
        done = await decide(web, tasks)
        assert (done["recorded"], done["decided"]) == (2, 0)
    assert [event["type"] for event in await trail(web, tasks[0])].count("answered") == 1
    assert (await decide(web, tasks, who="otto"))["decided"] == 2
    again = await decide(web, tasks, who="otto")
    assert (again["recorded"], again["refused"], again["decided"]) == (2, 0, 2)
    assert [event["type"] for event in await trail(web, tasks[0])].count("answered") == 2


async def test_idempotency_key_replays_each_response(web: WebEnv) -> None:
    await workflow(web)
    tasks = await ask(web, 2)
    first = await decide(web, tasks, idempotency_key="k1")
    again = await decide(web, tasks, idempotency_key="k1")
    assert first["results"] == again["results"]
    other = await decide(web, tasks, "rejected", idempotency_key="k1")
    assert {one["code"] for one in other["results"]} == {"idempotency_conflict"}


async def test_changed_task_is_refused_and_the_others_are_answered(web: WebEnv) -> None:
    await workflow(web, approve=[{"any": ["ann@acme.example", "otto@acme.example", "emma@acme.example"]}])
    tasks = await ask(web, 3)
    changed = tasks[1]
    payload = {"customer": "somebody else", "amount": 1}
    made = await web.post(f"/v1/tasks/{changed['task_id']}/revise", {"payload": payload}, "otto")
    assert made.status == 200, made.text
    done = await decide(web, tasks)
    assert [one["recorded"] for one in done["results"]] == [True, False, True]
    refused = done["results"][1]
    assert (refused["code"], refused["hint"]) == ("stale_revision", "Read the task again, then answer.")
    assert done["receipt"]["next"] == "2 are decided. 1 was refused; see the reason of each."
    assert "answered" not in [event["type"] for event in await trail(web, changed)]


@pytest.mark.parametrize(("field", "code"), [("stage", "stale_stage"), ("revision", "stale_revision")])
async def test_task_counts_only_at_the_shown_stage_and_revision(field: str, code: str, web: WebEnv) -> None:
    await workflow(web)
    first, second = await ask(web, 2)
    body = {"tasks": [{**named(first), field: 2}, named(second)]}
    done = await decide(web, [], body=body)
    assert [one.get("code") for one in done["results"]] == [code, None]
    assert "answered" not in [event["type"] for event in await trail(web, first)]


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"risk": "high"}, "Its risk is high, not low."),
        ({"risk": "medium"}, "Its risk is medium, not low."),
        ({"strength": "session"}, "Its policy requires a sign-in by e-mail."),
    ],
)
async def test_task_with_more_requirements_is_refused_by_name(
    web: WebEnv, policy: dict[str, Any], why: str
) -> None:
    await workflow(web, **policy)
    tasks = await ask(web, 2)
    assert all("bulk_form" not in task for task in tasks)
    done = await decide(web, tasks, "rejected")  # a no would not need the stronger sign-in
    assert (done["recorded"], done["receipt"]["said"]) == (0, "Nothing was recorded.")
    assert {one["code"] for one in done["results"]} == {"bulk_not_allowed"}
    assert done["results"][0]["message"].startswith(why)


async def test_irreversible_task_is_answered_separately(web: WebEnv) -> None:
    await workflow(web)
    tasks = await ask(web, 1) + await ask(web, 1, reversible=False)
    assert "bulk_form" not in tasks[1]
    done = await decide(web, tasks)
    assert [one["recorded"] for one in done["results"]] == [True, False]
    assert done["results"][1]["message"].startswith("It is reported as irreversible.")


async def test_only_equal_tasks_are_answered_together(web: WebEnv) -> None:
    await workflow(web)
    await workflow(web, "intent.other.v1")
    tasks = [*await ask(web, 1), *await ask(web, 1, note="x"), *await ask(web, 1, "intent.other.v1")]
    done = await decide(web, tasks)
    assert [one.get("code", "") for one in done["results"]] == ["", "not_equal", "not_equal"]
    assert done["results"][1]["message"] == "It differs from the first task: its request has other fields."
    assert "another workflow" in done["results"][2]["message"]


@pytest.mark.parametrize("what", ["a higher risk", "another stage"])
async def test_tasks_are_not_compared_with_a_refused_one(what: str, web: WebEnv) -> None:
    both = {"any": ["ann@acme.example", "otto@acme.example"]}
    await workflow(web, approve=[both, both])
    await workflow(web, "intent.risky.v1", risk="medium")
    tasks = await ask(web, 2)
    if what == "another stage":
        assert (await web.answer(tasks[0]["task_id"], "approved", "otto")).status == 200
    else:
        tasks[0] = (await ask(web, 1, "intent.risky.v1"))[0]
    done = await decide(web, tasks)
    assert [one["recorded"] for one in done["results"]] == [False, True], done.text


async def test_each_task_is_authorized_separately(web: WebEnv) -> None:
    """Emma is not asked, one task is in another workspace, and one was decided before."""
    await workflow(web)
    tasks = await ask(web, 2)
    done = await decide(web, tasks, who="emma")
    assert {one["code"] for one in done["results"]} == {"not_an_approver"}
    assert {one["code"] for one in (await decide(web, tasks, who="sam"))["results"]} == {"intent_not_found"}
    assert (
        await web.answer(tasks[0]["task_id"], "rejected", "otto", stage=1, digest=tasks[0]["digest"])
    ).status == 200
    done = await decide(web, tasks)
    assert [one.get("code", "") for one in done["results"]] == ["already_decided", ""]


@pytest.mark.parametrize("who", ["ci", "agent"])
async def test_program_cannot_send_a_bulk_answer(web: WebEnv, who: str) -> None:
    await workflow(web)
    answer = await decide(web, await ask(web, 1), who=who)
    assert (answer.status, answer.code) == (403, "person_required")


async def test_bulk_answer_is_bounded_and_names_each_task_once(web: WebEnv) -> None:
    await workflow(web)
    [task] = await ask(web, 1)
    twice = await decide(web, [task, {**task, "task_id": task["intent_id"]}])
    assert (twice.status, twice.code, twice["error"]["field"]) == (422, "duplicate_task", "tasks[1]")
    many = await decide(web, [task] * (MOST + 1))
    assert (many.status, many["error"]["field"]) == (422, "tasks")
    assert (await decide(web, [])).status == 422
    unknown = await decide(web, [{**task, "task_id": "nonsense"}])
    assert unknown["results"][0]["code"] == "not_found"
    blind = await web.post(
        "/v1/tasks/answers", {"outcome": "approved", "tasks": [{"task_id": task["task_id"]}]}, "ann"
    )
    assert blind.status == 422


def test_page_sends_no_more_tasks_at_once_than_the_api_accepts() -> None:
    targets = [BulkTarget(f"task {number}", 0, 1, "") for number in range(MOST + 1)]
    refuse_repeated(targets[:MOST])
    with pytest.raises(Invalid) as refused:
        refuse_repeated(targets)
    assert refused.value.code == "too_many_tasks"


async def test_largest_bulk_answer_is_decided_in_one_action(web: WebEnv) -> None:
    await workflow(web)
    for number in range(MOST):
        await web.send(intent_type=TYPE, payload={"customer": f"c{number}", "amount": number})
    tasks: list[dict[str, Any]] = []
    cursor = ""
    while len(tasks) < MOST:
        page = await web.get(f"/v1/tasks?mine=true&limit=200{cursor}", "ann")
        tasks += page["tasks"]
        cursor = f"&cursor={page.json.get('next_cursor')}"
    done = await decide(web, tasks)
    assert (done["recorded"], done["decided"]) == (MOST, MOST)
    assert len({one["task_id"] for one in done["results"]}) == MOST
    assert (await web.get("/v1/tasks?mine=true", "ann"))["tasks"] == []
    for task in tasks:
        rows = await web.env.store.intents.history(task["intent_id"])
        assert sum(b'"type":"answered"' in row.body for row in rows) == 1
    assert await web.env.findings() == []


async def test_tasks_beyond_the_first_part_are_compared_with_the_first_task(web: WebEnv) -> None:
    await workflow(web)
    tasks = await ask(web, 101)
    [other] = await ask(web, 1, reason="an additional field")
    done = await decide(web, [*tasks, other])
    assert (done["recorded"], done["refused"]) == (101, 1)
    assert done["results"][-1]["code"] == "not_equal"


def test_clients_know_the_maximum() -> None:
    assert MOST_TASKS == MOST
