"""Text about a request is masked by the same rule as its payload."""

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

SAID = "it failed with password=hunter2-Tr0ub4dor"
SECRET = "hunter2-Tr0ub4dor"


async def test_secret_in_a_failure_reason_is_masked(web: WebEnv) -> None:
    """The SDK's exception and the CLI's last line repeat it."""
    await web.apply_workflow()
    intent = await web.send()
    found = (await web.post("/v1/agents/validator/deliveries/claim", {}, "agent"))["deliveries"][0]
    fault = {"token": found["token"], "error": {"code": "boom", "message": SAID}}
    assert (await web.post(f"/v1/deliveries/{found['delivery_id']}/report", fault, "agent")).status == 200
    why = (await web.get(f"/v1/intents/{intent}"))["intent"]["error"]["message"]
    assert ("it failed with" in why, SECRET in why) == (True, False)
    told = [event["details"] for event in (await web.get(f"/v1/intents/{intent}/events"))["events"]]
    reasons = [one["reason"] for one in told if "reason" in one]
    assert (bool(reasons), any(SECRET in one for one in reasons)) == (True, False)


async def test_secret_in_a_title_quoted_by_a_rejection_is_masked(web: WebEnv) -> None:
    intent, task = await web.ask(title=f"Go? {SAID}")
    assert (await web.answer(task, "rejected")).status == 200
    error = (await web.get(f"/v1/intents/{intent}"))["intent"]["error"]
    assert ("rejected" in error["message"], SECRET in error["message"]) == (True, False)


async def test_comment_of_a_revision_is_masked_on_the_page(web: WebEnv) -> None:
    await web.apply_workflow(steps=[{"id": "approve", "human": {"type": "review", "title": "Go?"}}])
    task = (await web.send(payload={"n": 1}))[:-4] + "0001"
    revised = await web.post(f"/v1/tasks/{task}/revise", {"payload": {"n": 2}, "comment": SAID}, "ann")
    assert revised.status == 200, revised.text
    page = (await (await reader(web, "ann")).get(f"/tasks/{task}")).text
    assert ("it failed with" in page, SECRET in page) == (True, False)


async def test_pages_mask_secrets_in_stored_bytes_and_workflow_sources(web: WebEnv) -> None:
    """The exact bytes are evidence for programs; pages mask them like other values."""
    steps = [
        {"id": "validate", "agent": "validator", "input": {"api_key": SECRET, "share": 5}},
        {"id": "approve", "human": {"title": "Go?", "approvers": ["ann@acme.example"]}},
    ]
    await web.apply_workflow(steps=steps)
    intent = await web.send()
    found = (await web.post("/v1/agents/validator/deliveries/claim", {}, "agent"))["deliveries"][0]
    report = {"token": found["token"], "result": {"password": SECRET, "log": SAID, "rows": 7}}
    assert (await web.post(f"/v1/deliveries/{found['delivery_id']}/report", report, "agent")).status == 200
    ann = await reader(web, "ann")
    audit, workflows = (await ann.get(f"/audit/{intent}")).text, (await ann.get("/workflows")).text
    assert ("it failed with" in audit, "secrets masked" in audit, SECRET in audit) == (True, True, False)
    assert ("share" in workflows, SECRET in workflows) == (True, False)
    events = (await web.get(f"/v1/intents/{intent}/audit"))["events"]
    assert any(SECRET in event["body"] for event in events)


async def test_damaged_stored_bytes_are_masked_too(web: WebEnv) -> None:
    intent, _ = await web.ask()
    changed = "update events set body = :body where intent_id = :id and seq = 1"
    await web.env.store.write((changed, {"id": intent, "body": f"broken {SAID}".encode()}))
    page = (await (await reader(web, "ann")).get(f"/audit/{intent}")).text
    assert ("broken it failed" in page, SECRET in page) == (True, False)


async def test_receipt_masks_a_secret_entered_in_a_form(web: WebEnv) -> None:
    fields = {"password": {"type": "string"}, "rows": {"type": "integer"}}
    steps = [{"id": "fill", "human": {"type": "form", "title": "Fill in", "form": {"properties": fields}}}]
    await web.apply_workflow(steps=steps)
    task = (await web.send())[:-4] + "0001"
    data = {"password": SECRET, "rows": 7123}
    assert (await web.answer(task, "submitted", data=data)).status == 200
    otto = await reader(web, "otto")
    page, opened = (await otto.get(f"/tasks/{task}")).text, (await otto.get(f"/tasks/{task}?open=1")).text
    assert ("7,123" in page, SECRET in page, SECRET in opened) == (True, False, True)
