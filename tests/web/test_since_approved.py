"""The difference from what was last approved for the same target, in API, page and terminal."""

from typing import Any

import pytest

from tests.web.inbox.reading import Reader, reader
from tests.web.web_env import HOME, Answer, WebEnv

TYPE = "intent.restart.v1"


async def furnish(web: WebEnv, target: Any = "cluster") -> None:
    human = {"title": "Restart?", "approvers": ["ann@acme.example", "otto@acme.example"]}
    flow = {"workflow": "restart", "intent_type": TYPE, "steps": [{"id": "ask", "human": human}]}
    answer = await web.post("/v1/workflows", flow | ({"target": target} if target else {}), "oscar")
    assert answer.status == 200, answer.text


async def ask(web: WebEnv, **payload: Any) -> str:
    """The id of a task."""
    return (await web.send(intent_type=TYPE, payload=payload))[:-4] + "0001"


async def approved(web: WebEnv, outcome: str = "approved", **payload: Any) -> str:
    """The id of an approved intent."""
    task = await ask(web, **payload)
    answer = await web.answer(task, outcome)
    assert answer.status == 200, answer.text
    return task[:-4] + "0000"


async def shown(web: WebEnv, task: str) -> dict[str, Any] | None:
    answer: Answer = await web.get(f"/v1/tasks/{task}", "ann")
    assert answer.status == 200, answer.text
    found: dict[str, Any] | None = answer["task"].get("since_approved")
    return found


async def test_difference_to_the_last_approved_request_of_the_target_is_shown(web: WebEnv) -> None:
    await furnish(web)
    await approved(web, cluster="a", nodes=2)
    last = await approved(web, cluster="a", nodes=3, api_token="hunter2-one")
    await approved(web, "rejected", cluster="a", nodes=9)
    await approved(web, cluster="b", nodes=8)
    await ask(web, cluster="a", nodes=7)
    task = await ask(web, cluster="a", nodes=5, api_token="hunter2-two", force=True)
    found = await shown(web, task)
    assert found is not None
    assert (found["intent_id"], found["target"], found["more"]) == (last, ["cluster"], 0)
    changed = {one["path"]: (one.get("before"), one.get("after")) for one in found["changed"]}
    assert changed["nodes"] == ("3", "5")
    assert changed["force"] == (None, "true")
    assert set(changed) == {"nodes", "force", "api_token"}
    assert "hunter2" not in str(found)
    page = await (await reader(web, "ann")).get(f"/tasks/{task}")
    assert "3 values differ from what was approved last" in page.text
    assert f'href="/intents/{last}"' in page.html
    assert "hunter2" not in page.text
    listed = (await web.get("/v1/tasks", "ann"))["tasks"]
    assert all("since_approved" not in one for one in listed)


async def test_equal_request_says_so(web: WebEnv) -> None:
    await furnish(web)
    last = await approved(web, cluster="a", nodes=2)
    task = await ask(web, nodes=2, cluster="a")
    found = await shown(web, task)
    assert found is not None
    assert (found["intent_id"], found["changed"]) == (last, [])
    assert (
        "Nothing differs from what was approved last"
        in (await (await reader(web, "ann")).get(f"/tasks/{task}")).text
    )


@pytest.mark.parametrize(
    ("target", "payload"),
    [
        (None, {"cluster": "a"}),  # the workflow declares none
        ("cluster", {"cluster": "b"}),  # another target
        ("cluster", {"nodes": 3}),  # the payload names none
        (["cluster", "zone"], {"cluster": "a"}),
    ],
)
async def test_nothing_is_shown_without_an_approved_request_of_the_target(
    web: WebEnv, target: Any, payload: dict[str, Any]
) -> None:
    await furnish(web, target)
    await approved(web, cluster="a", nodes=2)
    task = await ask(web, **payload)
    assert await shown(web, task) is None
    assert "approved last" not in (await (await reader(web, "ann")).get(f"/tasks/{task}")).text


async def test_revision_may_change_the_target(web: WebEnv) -> None:
    await furnish(web)
    last = await approved(web, cluster="b", nodes=2)
    task = await ask(web, cluster="a", nodes=3)
    assert await shown(web, task) is None
    digest = (await web.get(f"/v1/tasks/{task}", "otto"))["task"]["digest"]
    body = {"payload": {"cluster": "b", "nodes": 3}, "digest": digest}
    revised = await web.post(f"/v1/tasks/{task}/revise", body, "otto")
    assert revised.status == 200, revised.text
    found = await shown(web, task)
    assert found is not None
    assert (found["intent_id"], [one["path"] for one in found["changed"]]) == (last, ["nodes"])


async def test_many_differences_are_bounded(web: WebEnv) -> None:
    await furnish(web)
    await approved(web, cluster="a", **{f"k{n}": n for n in range(300)})
    found = await shown(web, await ask(web, cluster="a", **{f"k{n}": n + 1 for n in range(300)}))
    assert found is not None
    assert (len(found["changed"]), found["more"]) == (200, 100)


async def test_request_revised_after_its_approval_is_not_compared(web: WebEnv) -> None:
    people = {"approvers": ["ann@acme.example", "otto@acme.example"]}
    form = {"properties": {"at": {"type": "string"}}}
    steps = [
        {"id": "ask", "human": {"title": "Restart?", **people}},
        {"id": "more", "human": {"type": "form", "title": "When?", "form": form, **people}},
    ]
    flow = {"workflow": "restart", "intent_type": TYPE, "steps": steps, "target": "cluster"}
    assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
    first = await ask(web, cluster="a", nodes=2)
    assert (await web.answer(first, "approved")).status == 200
    task = await ask(web, cluster="a", nodes=3)
    assert await shown(web, task) is None  # the form is open, in which the payload could be changed
    assert (await web.answer(first[:-4] + "0002", "submitted", data={"at": "noon"})).status == 200
    assert await shown(web, task) is None  # and who filled it in approved nothing


async def test_closed_task_and_single_task_link_show_no_other_request(web: WebEnv) -> None:
    await furnish(web)
    await approved(web, cluster="a", nodes=2)
    task = await ask(web, cluster="a", nodes=3)
    seen = (await web.get(f"/v1/tasks/{task}", "ann"))["task"]
    token = await web.state.sessions.task_link(HOME, "per_ann", seen["intent_id"], 1, seen["digest"])
    page = await Reader(web).get(f"/t/{token}")
    assert page.status == 200
    assert "approved last" not in page.text
    assert (await web.answer(task, "approved")).status == 200
    assert await shown(web, task) is None
    assert "approved last" not in (await (await reader(web, "ann")).get(f"/tasks/{task}")).text
