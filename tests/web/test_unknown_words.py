"""Every endpoint refuses unknown fields and parameters by name. Exceptions are in the table with their reason."""

import re
from datetime import timedelta
from typing import Any

import pytest

from signoff.web.api.docs import PAGES
from signoff.web.api.routes import ENDPOINTS
from signoff.web.http.call import Access, Endpoint
from signoff.web.http.query import Kind
from tests.web.web_env import PAYLOAD, PLAIN, WebEnv

ID = "0190a7de-1111-7222-8333-444455550000"
ROWS = (*ENDPOINTS, *PAGES)
# Bodies whose unknown words are not refused: what they mean there is the sender's own, or told as a warning.
LENIENT_BODIES = {
    "POST /v1/intents",
    "POST /v1/intents/{intent_id}/resume",
    "POST /v1/scenarios/apply",
    "POST /v1/scenarios/bundle",
    "POST /v1/scenarios/validate",
    "POST /v1/slack/actions",
    "POST /v1/telegram/actions",
    "POST /v1/msteams/actions",
}
LENIENT_QUERIES = {
    "GET /docs",
    "GET /docs/style.css",
    "GET /health",
    "GET /metrics",
    "GET /openapi-3.0.json",
    "GET /openapi.json",
    "GET /ready",
    "GET /v1/health",
    "POST /v1/slack/actions",
    "POST /v1/telegram/actions",
    "POST /v1/msteams/actions",
}


def named(row: Endpoint) -> str:
    return f"{row.method} {row.path.replace(':path', '')}"


def address(row: Endpoint) -> str:
    path = row.path.replace("{address:path}", "validator").replace("{intent_type}", PLAIN)
    return re.sub(r"{\w+}", ID, path)


def test_exceptions_equal_the_reviewed_list() -> None:
    assert {named(row) for row in ROWS if row.any_query} == LENIENT_QUERIES
    assert {named(row) for row in ROWS if row.any_body} == LENIENT_BODIES


@pytest.mark.parametrize("row", [row for row in ROWS if not row.any_query], ids=named)
async def test_unknown_parameter_is_refused_by_name(web: WebEnv, row: Endpoint) -> None:
    answer = await web.call(row.method, f"{address(row)}?nosuch=1", None, "oscar")
    assert (answer.status, answer.code, answer["error"]["field"]) == (422, "unknown_parameter", "nosuch")
    for parameter in row.query:
        assert parameter.name in answer["error"]["hint"]


@pytest.mark.parametrize("row", [row for row in ROWS if row.method != "GET" and not row.any_body], ids=named)
async def test_unknown_field_is_refused_by_name(web: WebEnv, row: Endpoint) -> None:
    answer = await web.call(row.method, address(row), {"nosuch": 1}, "oscar")
    assert (answer.status, answer.code, answer["error"]["field"]) == (422, "unknown_field", "nosuch")


@pytest.mark.parametrize("row", [row for row in ROWS if row.any_query], ids=named)
async def test_probe_accepts_any_parameter(web: WebEnv, row: Endpoint) -> None:
    if row.method == "GET":
        who = "aud" if row.path == "/metrics" else ""
        assert (await web.get(f"{address(row)}?nosuch=1", who)).status == 200


@pytest.mark.parametrize("row", [row for row in ROWS if row.query], ids=named)
async def test_repeated_empty_or_mistyped_parameter_is_refused_by_name(web: WebEnv, row: Endpoint) -> None:
    assert row.access is Access.KEY
    for one in row.query:
        twice = await web.call(row.method, f"{address(row)}?{one.name}=1&{one.name}=1", None, "oscar")
        assert (twice.code, twice["error"]["field"]) == ("repeated_parameter", one.name)
        if one.kind is not Kind.TEXT:
            wrong = await web.call(row.method, f"{address(row)}?{one.name}=maybe", None, "oscar")
            assert (wrong.status, wrong["error"]["field"]) == (422, one.name)
        if one.kind is Kind.COUNT and not one.clamped:
            least = await web.call(row.method, f"{address(row)}?{one.name}={one.least - 1}", None, "oscar")
            assert (least.status, least["error"]["field"]) == (422, one.name)
        if not one.blank and one.kind is not Kind.FLAG:
            empty = await web.call(row.method, f"{address(row)}?{one.name}=", None, "oscar")
            assert (empty.code, empty["error"]["field"]) == ("empty_parameter", one.name)


@pytest.mark.parametrize("row", [row for row in ENDPOINTS if row.method == "GET"], ids=named)
async def test_body_of_a_get_request_is_refused(web: WebEnv, row: Endpoint) -> None:
    if not row.any_query:
        answer = await web.call("GET", address(row), {"status": "WAITING"}, "oscar")
        assert (answer.status, answer.code) == (422, "body_not_allowed")


async def test_error_quotes_a_limited_part_of_the_request(web: WebEnv) -> None:
    _, task = await web.ask(assignees=["ann@acme.example"])
    refused = await web.post(f"/v1/tasks/{task}/snooze", {"for": "x" * 50_000}, "ann")
    assert (refused.code, len(refused.text) < 7000) == ("invalid_duration", True)


async def test_near_word_is_suggested(web: WebEnv) -> None:
    answer = await web.get("/v1/intents?statuss=WAITING", "oscar")
    assert "Did you mean 'status'?" in answer["error"]["hint"]
    assert "correlation_id" in answer["error"]["details"]["known"]


async def test_dry_run_is_recognized_in_every_spelling(web: WebEnv) -> None:
    flow = {"workflow": "w", "intent_type": "a.dry.v1", "steps": [{"id": "do", "agent": "validator"}]}
    for word in ("maybe", "y", "on"):
        assert (await web.post(f"/v1/workflows?dry_run={word}", flow, "oscar")).status == 422
    assert (await web.post("/v1/workflows?dry_run", flow, "oscar"))["dry_run"] is True
    assert (await web.get("/v1/workflows/a.dry.v1", "oscar")).status == 404


# -- filters that find


async def send(web: WebEnv, correlation: str, **more: Any) -> str:
    web.clock.move(timedelta(milliseconds=2))
    return await web.send(to_agent="validator", intent_type=PLAIN, correlation_id=correlation, **more)


async def found(web: WebEnv, query: str, who: str = "oscar") -> list[str]:
    return [one["intent_id"] for one in (await web.get(f"/v1/intents?{query}", who))["intents"]]


async def test_intents_are_found_by_correlation_id_and_text(web: WebEnv) -> None:
    first = await send(web, "deploy-prod", payload={"ticket": "OPS-1090", "password": "hunter2"})
    other = await send(web, "deploy-test", payload={"ticket": "OPS-77", "note": "hunter2-free"})
    assert await found(web, "correlation_id=deploy-prod") == [first]
    assert await found(web, "correlation_id=deploy") == []
    assert await found(web, "q=ops-1090") == [first]
    assert await found(web, "q=validator%20ops") == [other, first]
    assert await found(web, f"q={other}") == [other]
    assert await found(web, "q=nothing-like-it") == []
    assert await found(web, "q=hunter2") == [other], "a secret's value is not what is shown"
    assert await found(web, "q=hunter2", "agent") == [other], "an agent searches its own alike"
    assert (await web.get(f"/v1/intents?q={'x%20' * 11}", "oscar"))["error"]["field"] == "q"


async def test_search_results_continue_on_the_next_page(web: WebEnv) -> None:
    sent = [await send(web, "c", payload={"n": ("even one", "odd one")[n % 2]}) for n in range(6)]
    wanted = [intent_id for n, intent_id in enumerate(sent) if n % 2][::-1]
    page = await web.get("/v1/intents?q=one%20odd&limit=2", "oscar")
    seen = [one["intent_id"] for one in page["intents"]]
    rest = await web.get(f"/v1/intents?q=one%20odd&limit=2&cursor={page['next_cursor']}", "oscar")
    assert seen + [one["intent_id"] for one in rest["intents"]] == wanted
    assert "next_cursor" not in rest.json


async def test_tasks_are_found_by_intent_type_correlation_id_and_text(web: WebEnv) -> None:
    ask = {"title": "May we?", "assignees": ["ann@acme.example"]}
    first = await web.send(
        intent_type="a.first.v1", human_task=ask, correlation_id="c1", payload={"x": "needle"}
    )
    second = await web.send(
        intent_type="a.second.v1", human_task=ask, correlation_id="c2", payload={"x": "hay"}
    )

    async def tasks(query: str, who: str = "ann") -> list[str]:
        return [task["intent_id"] for task in (await web.get(f"/v1/tasks?{query}", who))["tasks"]]

    for state in ("open", "closed"):
        for query, expected in [
            (f"intent_id={first}", [first]),
            ("intent_id=0190a7de-1111-7222-8333-444455550000", []),
            ("intent_type=a.second.v1", [second]),
            ("correlation_id=c1", [first]),
            ("q=NEEDLE", [first]),
            ("q=may%20we", sorted([first, second], reverse=state == "closed")),
        ]:
            assert await tasks(f"state={state}&{query}") == expected, (state, query)
        if state == "open":
            for intent_id in (first, second):
                [task] = (await web.get(f"/v1/tasks?intent_id={intent_id}", "ann"))["tasks"]
                await web.answer(task["task_id"], who="ann")
    assert await tasks("state=closed&mine=true") == [second, first]
    assert await tasks("state=closed&mine=true", "otto") == []


async def test_page_of_closed_tasks_is_not_empty_while_there_are_more(web: WebEnv) -> None:
    ask = {"title": "May we?", "assignees": ["ann@acme.example"]}
    old = await web.send(intent_type="a.first.v1", human_task=ask)
    [task] = (await web.get("/v1/tasks", "ann"))["tasks"]
    await web.answer(task["task_id"], who="ann")
    for _ in range(3):
        await send(web, "c")
    page = await web.get("/v1/tasks?state=closed&limit=1", "ann")
    assert [one["intent_id"] for one in page["tasks"]] == [old]


# -- what a bulk cancel cancels


async def test_bulk_cancel_cancels_exactly_what_its_filter_matches(web: WebEnv) -> None:
    mine = await send(web, "deploy-prod")
    other = await send(web, "deploy-test", payload={**PAYLOAD, "ticket": "OPS-1"})
    body = {"older_than_hours": 0, "dry_run": False}
    web.clock.move(timedelta(seconds=1))
    done = await web.post("/v1/intents/bulk-cancel", {**body, "correlation_id": "deploy-prod"}, "oscar")
    assert (done["canceled"], done["intent_ids"]) == (1, [mine])
    assert await web.status(other) == "DELIVERED"
    done = await web.post("/v1/intents/bulk-cancel", {**body, "q": "ops-1", "intent_type": PLAIN}, "oscar")
    assert done["intent_ids"] == [other]


@pytest.mark.parametrize(
    "body",
    [
        {"status": ["WAITING"]},
        {"dryrun": True},
        {"correlation_id": ""},
        {"correlation_id": None},
        {"status_filter": []},
        {"status_filter": [""]},
        {"intent_type": 5},
        {"q": ""},
        {"dry_run": "no"},
        {"older_than_hours": None},
    ],
)
async def test_bulk_cancel_refuses_what_would_widen_it(web: WebEnv, body: dict[str, Any]) -> None:
    answer = await web.post("/v1/intents/bulk-cancel", body, "oscar")
    assert answer.status == 422
    assert answer["error"]["field"] == next(iter(body))


async def test_dry_bulk_cancel_predicts_the_real_one(web: WebEnv) -> None:
    theirs = await send(web, "a")
    own = []
    for _ in range(3):
        web.clock.move(timedelta(milliseconds=2))
        sent = await web.post("/v1/intents", {"intent_type": PLAIN, "to_agent": "validator"}, "agent")
        own.append(sent["intent_id"])
    web.clock.move(timedelta(seconds=1))
    body = {"older_than_hours": 0, "limit": 2}
    dry = await web.post("/v1/intents/bulk-cancel", body, "agent")
    assert (dry["would_cancel"], dry["intent_ids"]) == (2, own[:2]), "the oldest, as far as the caller may"
    done = await web.post("/v1/intents/bulk-cancel", {**body, "dry_run": False}, "agent")
    assert (done["canceled"], done["intent_ids"]) == (2, own[:2])
    for intent_id in (theirs, own[2]):
        assert (await web.get(f"/v1/intents/{intent_id}", "oscar"))["status"] == "DELIVERED"


async def test_nothing_is_created_or_listed_in_another_workspace(web: WebEnv) -> None:
    for query in ("org_id=elsewhere", "workspace_id=ws_other", "org_id=elsewhere&workspace_id=prod"):
        assert (await web.get(f"/v1/agents?{query}", "oscar"))["agents"] == []
        assert (await web.get(f"/v1/service-accounts?{query}", "oscar"))["service_accounts"] == []
    assert (await web.get("/v1/agents?org_id=&workspace_id=prod", "oscar"))["agents"]
    refused = await web.post("/v1/service-accounts", {"name": "x", "org_id": "elsewhere"}, "oscar")
    assert (refused.status, refused.code) == (422, "other_workspace")


# -- applied means that it had an effect


@pytest.mark.parametrize(("path", "patch"), [("controls", "controls_patch"), ("policy", "envelope_patch")])
async def test_patch_that_changes_nothing_is_not_applied(web: WebEnv, path: str, patch: str) -> None:
    at = f"/v1/intents/{await send(web, 'c')}/{path}"
    first = await web.post(at, {patch: {"n": 1}}, "oscar")
    assert (first["applied"], first["policy_generation"]) == (True, 1)
    assert "has no effect" in first["warnings"][0]
    for body in ({}, {patch: {}}, {patch: {"n": 1}}, {"reason": "why not"}):
        again = await web.post(at, body, "oscar")
        assert (again["applied"], again["reason"], again["policy_generation"]) == (
            False,
            "nothing_to_apply",
            1,
        )


async def test_unsupported_dry_run_is_refused(web: WebEnv) -> None:
    for name in ("dry_run", "dryRun"):
        answer = await web.post("/v1/intents", {"intent_type": PLAIN, "payload": {}, name: True}, "oscar")
        assert (answer.status, answer.code, answer["error"]["field"]) == (422, "unknown_field", name)
        bundle = {"agents": [{"role": "x", "address": "x"}], "intent": {"type": PLAIN}, name: True}
        answer = await web.post("/v1/scenarios/apply", bundle, "oscar")
        assert (answer.status, answer["error"]["field"]) == (422, name)
    assert (await web.get("/v1/intents", "oscar"))["intents"] == []


async def test_misspelled_request_for_an_approval_is_not_given_to_an_agent(
    web: WebEnv,
) -> None:
    for word in ("requires_approval", "human_Task"):
        body = {"intent_type": PLAIN, "payload": {}, "to_agent": "validator", word: True}
        refused = await web.post("/v1/intents", body)
        assert (refused.status, refused.code, refused["error"]["field"]) == (422, "unknown_field", word)
        assert refused["error"]["message"].startswith(f"{word}: has no effect")
    asked = {"intent_type": PLAIN, "payload": {}, "human_task": {"assignees": [""]}}
    assert (await web.post("/v1/intents", asked))["error"]["field"] == "human_task.assignees"
