"""A payload that ``retention_payloads`` deleted is shown as deleted everywhere."""

from datetime import timedelta

from signoff.core.intent.deleted_payload import PAYLOAD_DELETED
from signoff.wire.intents import IntentOut
from tests.web.inbox.reading import reader
from tests.web.inbox.task_pages import ANN
from tests.web.web_env import WebEnv

GONE = "was deleted by"


async def decided_and_deleted(web: WebEnv) -> tuple[str, str]:
    """(intent id, task id) of a request that was revised, approved, and whose payloads were then deleted."""
    intent_id, task_id = await web.ask(assignees=[*ANN, "otto@acme.example"])
    revised = await web.post(f"/v1/tasks/{task_id}/revise", {"payload": {"a": 1}}, "ann")
    assert revised.status == 200, revised.text
    shown = (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"]
    assert "payload_deleted" not in shown
    answer = await web.answer(task_id, "approved", "otto", digest=shown["digest"], revision=2)
    assert answer.status == 200, answer.text
    later = web.clock.now() + timedelta(days=1)
    assert (await web.env.store.intents.forget_payloads(None, later, 100, 100))[0] == 1
    web.env.recent.clear()
    return intent_id, task_id


async def test_every_response_about_a_deleted_payload_says_so(web: WebEnv) -> None:
    intent_id, task_id = await decided_and_deleted(web)
    for path, inside in ((f"/v1/intents/{intent_id}", "intent"), (f"/v1/tasks/{task_id}", "task")):
        shown = (await web.get(path, "otto"))[inside]
        assert (shown["payload"], shown["payload_deleted"]) == ({}, True), path
    kept = await web.get(f"/v1/intents/{intent_id}/revisions", "otto")
    assert (kept.status, kept["payload_deleted"], kept["revisions"]) == (200, True, [])
    [listed] = (await web.get("/v1/intents", "otto"))["intents"]
    assert listed["payload_deleted"] is True
    assert (await web.get(f"/v1/intents/{intent_id}/audit", "otto"))["verified"] is True


async def test_pages_about_a_deleted_payload_say_so(web: WebEnv) -> None:
    intent_id, task_id = await decided_and_deleted(web)
    otto = await reader(web, "otto")
    for path in (f"/intents/{intent_id}", f"/tasks/{task_id}"):
        page = await otto.get(path)
        assert page.status == 200, page.text
        assert GONE in page.text, path
        assert "Nothing that is asked is different" not in page.text


async def test_empty_payload_is_not_called_deleted(web: WebEnv) -> None:
    intent_id = await web.send(intent_type="intent.x.v1", payload={}, human_task={"assignees": [*ANN]})
    assert "payload_deleted" not in (await web.get(f"/v1/intents/{intent_id}", "ann"))["intent"]
    assert GONE not in (await (await reader(web, "ann")).get(f"/intents/{intent_id}")).text


def test_command_line_describes_a_deleted_payload() -> None:
    assert "payload_deleted" in IntentOut.__struct_fields__
    assert "deleted" in PAYLOAD_DELETED
