"""Forms with unusual schemas and input: each field separate, invalid JSON refused, truncation always marked."""

from typing import Any

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv


async def task(web: WebEnv, **human_task: Any) -> str:
    """A task for Ann."""
    return (await web.ask(assignees=["ann@acme.example"], **human_task))[1]


@pytest.mark.parametrize("typed", ["[" * 5000, '{"a": 1, "a": 2}', '{"a": 9007199254740993}', "{"])
async def test_json_in_a_form_is_read_strictly(web: WebEnv, typed: str) -> None:
    schema = {"type": "object", "properties": {"settings": {"type": "object"}}}
    task_id = await task(web, task_type="form", form_schema=schema)
    page = await (await reader(web, "ann")).decide(task_id, "submitted", **{"f.settings": typed})
    assert page.status == 422
    assert "settings: " in page.text
    assert (await web.get(f"/v1/tasks/{task_id}"))["task"]["votes"] == []


async def test_form_fields_stay_separate_whatever_their_names(web: WebEnv) -> None:
    within = {"type": "object", "properties": {"b": {"type": "string"}}}
    schema = {
        "type": "object",
        "required": ["nothing"],
        "properties": {"a.b": {"type": "string"}, "a": within, "nothing": {"const": None}},
    }
    task_id = await task(web, task_type="form", form_schema=schema)
    ann = await reader(web, "ann")
    form = (await ann.get(f"/tasks/{task_id}")).form(f"/tasks/{task_id}")
    names = [name for name, _ in form["fields"] if name.startswith("f.")]
    assert len(set(names)) == 2
    filled = dict(zip(names, ("first", "second"), strict=True))
    assert (await ann.decide(task_id, "submitted", **filled)).status == 303
    [fact] = [e for e in await answers(web, task_id) if e["type"] == "answered"]
    assert fact["event"]["data"] == {"a.b": "first", "a": {"b": "second"}, "nothing": None}


async def answers(web: WebEnv, task_id: str) -> Any:
    return (await web.get(f"/v1/intents/{task_id[:-4]}0000/audit"))["events"]


async def test_pages_have_the_length_limits_of_the_api_and_cut_nothing(web: WebEnv) -> None:
    task_id = await task(web)
    intent_id, long = task_id[:-4] + "0000", "x" * 5001
    ann, rita = await reader(web, "ann"), await reader(web, "oscar")
    for page in (
        await ann.decide(task_id, "rejected", comment=long),
        await ann.post(f"/tasks/{task_id}/comment", words=long),
        await rita.post(f"/tasks/{task_id}/withdraw", words=long),
        await rita.post(f"/intents/{intent_id}/cancel", reason=long),
    ):
        assert page.status == 422
        assert "the maximum is 5,000" in page.text
    assert (await web.answer(task_id, "rejected", comment=long)).status == 422
    assert (await rita.post(f"/intents/{intent_id}/cancel", reason=long[1:])).status == 303
    events = (await web.get(f"/v1/intents/{intent_id}/events"))["events"]
    assert long[1:] in (events[-1]["details"].get("reason"), events[-1]["details"].get("comment"))
