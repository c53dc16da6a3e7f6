"""Server information, histories, inboxes, the API's page and document, and routing."""

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signoff import __version__
from signoff.core.intent.hash_chain import link
from signoff.web.api import openapi
from signoff.web.api.routes import ENDPOINTS
from signoff.web.app import PrefixRouter, api_routes, prefix_of
from signoff.web.state import Readiness
from tests.web.web_env import HOME, TYPE, WebEnv

ROOT = Path(__file__).parents[2]
INTENT = "0190a7de-1111-7222-8333-444455550000"


async def test_health_needs_no_key(web: WebEnv) -> None:
    for path in ("/health", "/v1/health"):
        answer = await web.get(path, "")
        assert answer.json == {"ok": True, "service": "signoff", "version": __version__}
    head = await web.call("HEAD", "/health", None, "")
    assert (head.status, head.text) == (200, "")


async def test_ready_names_what_is_not_ready(web: WebEnv) -> None:
    assert (await web.get("/ready", "")).status == 200

    async def broken() -> Readiness:
        return Readiness(False, {"timekeeper": "failing"})

    web.state.readiness = broken
    answer = await web.get("/ready", "")
    assert (answer.status, answer.json) == (
        503,
        {"ok": False, "ready": False, "details": {"timekeeper": "failing"}},
    )


async def test_batch_blocked_by_the_database_makes_the_server_unready(web: WebEnv) -> None:
    web.env.committer._began[0] = -1e6
    answer = await web.get("/ready", "")
    assert answer.status == 503
    assert "has been waiting for the database" in answer.text
    del web.env.committer._began[0]
    assert (await web.get("/ready", "")).status == 200


async def test_stopping_server_is_not_ready(web: WebEnv) -> None:
    web.state.stop()
    answer = await web.get("/ready", "")
    assert (answer.status, answer["details"]["stopping"]) == (503, True)


async def test_me_describes_the_holder_of_a_key(web: WebEnv) -> None:
    me = await web.get("/v1/me", "ann")
    assert me["actor"] == {
        "kind": "person",
        "id": "per_ann",
        "name": "Ann",
        "email": "ann@acme.example",
        "roles": ["approver"],
    }
    assert (me["organization"], me["workspace"], me["self_approval"]) == ("acme", "prod", False)
    assert me["server"] == {"version": __version__, "database": "sqlite", "mail": False}


async def test_portal_context_is_returned_for_axps_command_line(web: WebEnv) -> None:
    found = await web.get("/v1/portal/personal/context", "ann")
    assert found["context"] == {"org_id": "acme", "workspace_id": HOME}
    assert found["account"]["email"] == "ann@acme.example"
    assert found["workspaces"][0]["org_name"] == "acme"


async def test_request_id_and_trace_id_are_returned(web: WebEnv) -> None:
    answer = await web.get("/health", "", x_request_id="r-1", x_trace_id="t-1")
    assert (answer.headers["x-request-id"], answer.headers["x-trace-id"]) == ("r-1", "t-1")
    other = await web.get("/health", "", x_request_id="two words")
    assert re.fullmatch("[0-9a-f]{32}", other.headers["x-request-id"])
    assert "x-trace-id" not in other.headers


async def test_responses_are_not_cacheable(web: WebEnv) -> None:
    assert (await web.get("/v1/me")).headers["cache-control"] == "no-store"


async def test_full_queue_says_when_to_try_again(web: WebEnv) -> None:
    web.env.committer._limit = 0
    answer = await web.post("/v1/intents", {"intent_type": TYPE})
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "queue_full", "1")


async def test_history_can_be_verified_by_its_readers(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.answer(task_id, comment="looks right")
    audit = await web.get(f"/v1/intents/{intent_id}/audit", "aud")
    assert (audit["verified"], audit["seq"]) == (True, len(audit["events"]))
    assert "problem" not in audit.json
    previous = ""
    for event in audit["events"]:
        assert link(previous, event["body"].encode()) == event["hash"]
        previous = event["hash"]
    assert previous == audit["head"]
    summaries = [event["summary"] for event in audit["events"]]
    assert summaries == [
        f"ci requested {TYPE}",
        "step 'validate' is offered to agent://acme/prod/validator",
        "validator finished step 'validate'",
        "task opened: Run the migration?",
        "Ann answered 'approved' (without a digest)",
        "the task ended approved",
        "completed",
    ]
    [answered] = [event for event in audit["events"] if event["type"] == "answered"]
    assert answered["comment"] == "looks right"
    assert "looks right" not in answered["body"]
    assert hashlib.sha256(answered["private"].encode()).hexdigest() in answered["body"]
    assert (answered["actor"]["kind"], answered["actor"]["name"]) == ("person", "Ann")


async def test_changed_history_is_detected(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    change = """update events set body = cast(replace(cast(body as text), 'validator', 'attacker') as blob)
        where intent_id = :id and seq = 2"""
    await web.env.store.write((change, {"id": intent_id}))
    audit = await web.get(f"/v1/intents/{intent_id}/audit", "aud")
    assert audit["verified"] is False
    assert audit["problem"].startswith("event 2:")


async def test_row_that_differs_from_its_history_is_detected(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    change = """update intents set status = 'WAITING', waiting = 'WAITING_FOR_TIME' where id = :id"""
    await web.env.store.write((change, {"id": intent_id}))
    audit = await web.get(f"/v1/intents/{intent_id}/audit", "aud")
    assert (audit["verified"], audit["problem"].partition(":")[0]) == (False, "its row")


async def test_inbox_contains_addressed_and_answered_intents(web: WebEnv) -> None:
    owner = "agent://conformance/owner"
    addressed = await web.send(to_agent=owner)
    answering = await web.send(to_agent="validator", reply_to=owner)
    await web.send(to_agent="validator")
    await web.post(f"/v1/intents/{answering}/resume", {"action": "complete", "n": 1}, "agent")
    threads = (await web.get(f"/v1/inbox?owner_agent={owner}", "oscar"))["threads"]
    assert [(t["thread_id"], t["status"]) for t in threads] == [(answering, "done"), (addressed, "pending")]
    assert all(t["timeline"] for t in threads)
    assert (await web.get("/v1/inbox?status=done", "oscar", x_owner_agent=owner))["threads"] == threads[:1]
    one = await web.get(f"/v1/inbox/{answering}?owner_agent={owner}")
    assert one["thread"] == threads[0]
    assert one["messages"][-1] == {"role": "assistant", "content": {"n": 1}}
    own = await web.get("/v1/inbox", "agent")
    assert len(own["threads"]) == 2


async def test_page_loads_nothing_from_elsewhere(web: WebEnv) -> None:
    page = await web.get("/docs", "")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert all(link.startswith(("#", "/docs/", "/openapi")) for link in links)
    assert "<script" not in page.text
    assert "style=" not in page.text
    for row in ENDPOINTS:
        assert row.path.replace(":path", "") in page.text
    style = await web.get("/docs/style.css", "")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert "light-dark(" in style.text


def test_document_lists_exactly_the_existing_endpoints() -> None:
    document = openapi.document()
    named = {(method.upper(), path) for path, row in document["paths"].items() for method in row}
    assert named == {(row.method, row.path.replace(":path", "")) for row in ENDPOINTS}
    ids = [operation["operationId"] for row in document["paths"].values() for operation in row.values()]
    assert len(ids) == len(set(ids))
    text = msgspec.json.encode(document).decode()
    for name in set(re.findall(r"#/components/schemas/([^\"]+)", text)):
        assert name in document["components"]["schemas"]


async def test_idempotency_key_is_documented_where_the_response_is_stored(web: WebEnv) -> None:
    paths = openapi.document()["paths"]
    keyed = {path for path, row in paths.items() if "Idempotency-Key" in msgspec.json.encode(row).decode()}
    _, task_id = await web.ask()
    person = {"email": "new@acme.example"}
    for path, body, who in (
        (f"/v1/tasks/{task_id}/mark-reviewing", {}, "ann"),
        ("/v1/people", person, "oscar"),
    ):
        once = await web.post(path, body, who, idempotency_key="one")
        again = await web.post(path, body, who, idempotency_key="one")
        assert ((again.status, again.text) == (once.status, once.text)) == (
            path.replace(task_id, "{task_id}") in keyed
        ), path
    assert {"/v1/intents", "/v1/deliveries/{delivery_id}/report", "/v1/scenarios/apply"} <= keyed
    assert keyed.isdisjoint({"/v1/keys", "/v1/intents/bulk-cancel", "/v1/deliveries/{delivery_id}/renew"})


def matching(app: PrefixRouter, path: str, method: str = "GET") -> Any:
    """The route of a request."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    for route in app.routes[prefix_of(path)]:
        if route.matches(scope)[0].value:
            return route
    return None


def families() -> PrefixRouter:
    nothing: Any = None
    return PrefixRouter(api_routes(nothing), (), nothing)


def test_no_endpoint_is_shadowed_by_an_earlier_one() -> None:
    app = families()
    for row in ENDPOINTS:
        if not prefix_of(row.path):
            continue
        path = re.sub(r"\{address:path\}", "acme/prod/validator", row.path)
        path = re.sub(r"\{\w+\}", INTENT, path)
        assert matching(app, path).path == row.path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/intents",
        f"/v1/intents/{INTENT}",
        f"/v1/intents/{INTENT}/events/stream",
        f"/v1/intents/{INTENT}/resume",
        f"/v1/tasks/{INTENT}/answer",
        "/v1/agents/acme/prod/validator/deliveries/claim",
        "/v1/agents/validator/intents/stream",
        f"/v1/deliveries/{INTENT}/report",
    ],
)
def test_frequent_endpoints_are_matched_early(path: str) -> None:
    # about a microsecond each: routing stays below ten
    app = families()
    assert app.routes[prefix_of(path)].index(matching(app, path)) < 6
