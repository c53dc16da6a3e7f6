"""Deliveries: claim, renew, report, release, and the poll list."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.web.web_env import PAYLOAD, TYPE, VALIDATOR, WebEnv

CLAIM = "/v1/agents/validator/deliveries/claim"


async def claim(web: WebEnv, **body: Any) -> list[Any]:
    answer = await web.post(CLAIM, {"holder": "worker-1", **body}, "agent")
    assert answer.status == 200, answer.text
    return list(answer["deliveries"])


async def test_claim_returns_everything_the_work_needs(web: WebEnv) -> None:
    await web.apply_workflow()
    intent_id = await web.send(correlation_id="c-1")
    [delivery] = await claim(web, lease_seconds=60)
    assert delivery["intent_id"] == intent_id
    assert delivery["delivery_id"] == intent_id[:-4] + "0001"
    assert (delivery["step_id"], delivery["attempt"]) == ("validate", 1)
    assert delivery["payload"] == PAYLOAD
    assert delivery["previous_results"] == {}
    assert delivery["idempotency_key"] == delivery["delivery_id"]
    assert delivery["correlation_id"] == "c-1"
    assert delivery["requester"]["name"] == "ci"
    assert delivery["lease_until"] == "2026-03-02T09:01:00.001000Z"
    assert await claim(web) == []


@pytest.mark.parametrize("address", ["validator", "acme/prod/validator", "agent://acme/prod/validator"])
async def test_address_is_accepted_in_any_spelling(web: WebEnv, address: str) -> None:
    await web.send(to_agent="validator")
    answer = await web.post(f"/v1/agents/{address}/deliveries/claim", {}, "agent")
    assert len(answer["deliveries"]) == 1
    assert (await web.get(f"/v1/agents/{address}"))["agent"]["address"] == VALIDATOR


@pytest.mark.parametrize("path", ["agent%3A%2F%2Facme%2Fprod%2Fvalidator", "agent:/acme/prod/validator"])
async def test_address_in_a_path_may_be_encoded_or_collapsed(web: WebEnv, path: str) -> None:
    assert (await web.get(f"/v1/agents/{path}"))["agent"]["address"] == VALIDATOR
    assert (await web.get(f"/v1/agents/{path}/intents", "agent"))["intents"] == []


async def test_reported_result_ends_the_step(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    [delivery] = await claim(web)
    path = f"/v1/deliveries/{delivery['delivery_id']}"
    done = await web.post(f"{path}/report", {"token": delivery["token"], "result": {"n": 1}}, "agent")
    assert (done["intent"]["status"], done["intent"]["result"]) == ("COMPLETED", {"n": 1})
    late = await web.post(f"{path}/report", {"token": delivery["token"], "result": {"n": 2}}, "agent")
    assert (late.status, late.code) == (409, "intent_terminal")
    assert await web.status(intent_id) == "COMPLETED"


async def test_reported_error_fails_the_step(web: WebEnv) -> None:
    await web.send(to_agent="validator")
    [delivery] = await claim(web)
    body = {"token": delivery["token"], "error": {"code": "no_disk", "message": "The disk is full."}}
    done = await web.post(f"/v1/deliveries/{delivery['delivery_id']}/report", body, "agent")
    assert (done["intent"]["status"], done["intent"]["error"]["code"]) == ("FAILED", "no_disk")


async def test_lease_is_renewed_and_released(web: WebEnv) -> None:
    await web.send(to_agent="validator")
    [delivery] = await claim(web)
    path = f"/v1/deliveries/{delivery['delivery_id']}"
    web.clock.move(timedelta(seconds=20))
    renewed = await web.post(f"{path}/renew", {"token": delivery["token"], "lease_seconds": 60}, "agent")
    assert renewed["lease_until"] == "2026-03-02T09:01:20.001000Z"
    assert (await web.post(f"{path}/release", {"token": delivery["token"]}, "agent")).json == {"ok": True}
    [again] = await claim(web)
    assert again["attempt"] == 1
    assert again["token"] != delivery["token"]


async def test_worker_is_refused_after_its_lease(web: WebEnv) -> None:
    await web.send(to_agent="validator")
    [first] = await claim(web, lease_seconds=30)
    await web.env.pass_time(timedelta(minutes=1))
    await web.env.pass_time(timedelta(minutes=1))
    [second] = await claim(web)
    assert (second["attempt"], second["idempotency_key"]) == (2, first["idempotency_key"])
    bodies: dict[str, Any] = {"report": {"result": {}}, "renew": {}, "release": {}}
    for verb, body in bodies.items():
        path = f"/v1/deliveries/{first['delivery_id']}/{verb}"
        late = await web.post(path, {"token": first["token"], **body}, "agent")
        assert (late.status, late.code) == (409, "stale_delivery"), verb


async def test_finished_step_is_distinguished_from_a_lost_lease(web: WebEnv) -> None:
    await web.apply_workflow()
    await web.send()
    [delivery] = await claim(web)
    path = f"/v1/deliveries/{delivery['delivery_id']}/report"
    await web.post(path, {"token": delivery["token"], "result": {}}, "agent")
    late = await web.post(path, {"token": delivery["token"], "result": {}}, "agent")
    assert (late.status, late.code) == (409, "step_finished")


async def test_report_repeated_with_its_key_returns_the_first_response(web: WebEnv) -> None:
    await web.apply_workflow()
    await web.send()
    [delivery] = await claim(web)
    path = f"/v1/deliveries/{delivery['delivery_id']}/report"
    body = {"token": delivery["token"], "result": {"n": 1}}
    first = await web.post(path, body, "agent", idempotency_key="r")
    again = await web.post(path, body, "agent", idempotency_key="r")
    assert (again.status, again.json) == (200, first.json)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"lease_seconds": 0}, "lease_seconds"),
        ({"lease_seconds": 4000}, "lease_seconds"),
        ({"wait_seconds": 56}, "wait_seconds"),
        ({"holder": "h" * 300}, "holder"),
        ({"lease": 30}, "lease"),
    ],
)
async def test_claim_out_of_bounds_is_refused_by_field(web: WebEnv, body: dict[str, Any], field: str) -> None:
    answer = await web.post(CLAIM, body, "agent")
    assert (answer.status, answer["error"]["field"]) == (422, field)


async def test_report_contains_a_result_or_an_error(web: WebEnv) -> None:
    await web.send(to_agent="validator")
    [delivery] = await claim(web)
    path = f"/v1/deliveries/{delivery['delivery_id']}/report"
    wrong: list[dict[str, Any]] = [{}, {"result": {}, "error": {}}]
    for body in wrong:
        assert (await web.post(path, {"token": delivery["token"], **body}, "agent")).status == 422
    assert (await web.post(path, {"result": {}}, "agent"))["error"]["field"] == "token"


async def test_waiting_claim_gets_a_new_delivery(web: WebEnv) -> None:
    waiting = asyncio.create_task(web.post(CLAIM, {"wait_seconds": 55}, "agent"))
    while not web.state.feed.waiters:
        await asyncio.sleep(0)
    intent_id = await web.send(to_agent="validator")
    answer = await asyncio.wait_for(waiting, 60)
    assert [d["intent_id"] for d in answer["deliveries"]] == [intent_id]
    assert not web.state.feed.waiters


async def test_stopping_server_ends_a_waiting_claim(web: WebEnv) -> None:
    waiting = asyncio.create_task(web.post(CLAIM, {"wait_seconds": 55}, "agent"))
    while not web.state.feed.waiters:
        await asyncio.sleep(0)
    web.state.stop()
    assert (await asyncio.wait_for(waiting, 60))["deliveries"] == []


async def test_disconnected_claim_takes_nothing(web: WebEnv) -> None:
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b'{"wait_seconds": 55}', "more_body": False})
    scope = {
        "type": "http",
        "method": "POST",
        "path": CLAIM,
        "query_string": b"",
        "headers": [(b"x-api-key", web.keys["agent"].encode())],
    }

    async def send(_message: Any) -> None:
        return None

    async def serve() -> None:
        await web.app(scope, messages.get, send)

    waiting = asyncio.create_task(serve())
    while not web.state.feed.waiters:
        await asyncio.sleep(0)
    messages.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(waiting, 60)
    await web.send(to_agent="validator")
    assert len(await claim(web)) == 1


async def test_polling_continues_from_its_cursor(web: WebEnv) -> None:
    first = await web.send(to_agent="validator")
    page = await web.get("/v1/agents/validator/intents", "agent")
    [shown] = page["intents"]
    assert (shown["intent_id"], shown["status"], shown["event_type"]) == (
        first,
        "DELIVERED",
        "intent.delivered",
    )
    second = await web.send(to_agent="validator")
    rest = await web.get(f"/v1/agents/validator/intents?since={page['next_cursor']}", "agent")
    assert [i["intent_id"] for i in rest["intents"]] == [second]
    assert rest["next_cursor"] > page["next_cursor"]
    assert shown["intent_type"] == TYPE
