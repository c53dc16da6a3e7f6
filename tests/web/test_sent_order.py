"""Fields keep their sender's order everywhere; a digest does not depend on it."""

import json
from typing import Any

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

PAYLOAD: dict[str, Any] = {
    "zone": "eu",
    "amount": 4200.5,
    "currency": "EUR",
    "detail": {"y": 1, "b": 2.0},
    "apply": True,
}
TURNED = {name: PAYLOAD[name] for name in sorted(PAYLOAD)}


async def test_payload_is_shown_and_returned_in_its_senders_order(web: WebEnv) -> None:
    ask = {"intent_type": "intent.pay.v1", "human_task": {"title": "Pay?"}}
    intent_id = await web.send(payload=PAYLOAD, **ask)
    task_id = intent_id[:-4] + "0001"
    for path in (f"/v1/intents/{intent_id}", f"/v1/tasks/{task_id}"):
        answer = json.loads((await web.get(path, "ann" if "tasks" in path else "ci")).text)
        shown = answer.get("task") or answer["intent"]
        assert list(shown["payload"]) == list(PAYLOAD)
        assert list(shown["payload"]["detail"]) == ["y", "b"]
    page = (await (await reader(web, "ann")).get(f"/tasks/{task_id}")).html
    rows = page.split('<table class="leaves">')[1]
    places = [
        rows.index(f'<th scope="row">{name}</th>')
        for name in ("zone", "amount", "currency", "detail.y", "apply")
    ]
    assert places == sorted(places)
    assert "4,200.50 EUR" in rows


async def test_idempotency_revisions_and_digests_ignore_the_order(web: WebEnv) -> None:
    ask = {"intent_type": "intent.pay.v1", "human_task": {"title": "Pay?"}}
    first = await web.post("/v1/intents", {**ask, "payload": PAYLOAD}, "ci", idempotency_key="k1")
    again = await web.post("/v1/intents", {"payload": TURNED, **ask}, "ci", idempotency_key="k1")
    assert first["intent_id"] == again["intent_id"]
    task_id = first["intent_id"][:-4] + "0001"
    before = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    same = await web.post(
        f"/v1/tasks/{task_id}/revise", {"payload": TURNED, "digest": before["digest"]}, "ann"
    )
    assert (same.status, same.code) == (422, "nothing_changed")
    changed = {**TURNED, "zone": "us"}
    revised = await web.post(
        f"/v1/tasks/{task_id}/revise", {"payload": changed, "digest": before["digest"]}, "ann"
    )
    assert revised.status == 200, revised.text
    assert list(json.loads(revised.text)["task"]["payload"]) == list(changed)
    assert await web.env.findings() == []  # the stored bytes still match the digests of the decision
