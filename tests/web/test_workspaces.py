"""Workspaces are created, renamed and listed by owners, and isolated: through no endpoint does a key see or change
another workspace.
"""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from signoff.store.transaction import OutboxKind, OutboxRow
from signoff.web.api.routes import ENDPOINTS
from signoff.web.http.call import Access, Endpoint
from signoff.web.pages.routes import ROWS as PAGES
from tests.web.inbox.reading import reader
from tests.web.policy_steps import applied
from tests.web.web_env import HOME, PLAIN, WebEnv

# -- created and listed


async def test_owner_creates_a_workspace_and_owns_it(web: WebEnv) -> None:
    made = (await web.post("/v1/workspaces", {"name": "staging"}, "oscar")).json
    assert made["workspace"]["organization"] == "acme"
    assert made["workspace"]["own"] is False
    web.keys["there"] = made["api_key"]
    me = (await web.get("/v1/me", "there")).json
    assert (me["workspace"], me["organization"]) == ("staging", "acme")
    assert (me["actor"]["email"], me["actor"]["roles"]) == ("oscar@acme.example", ["owner"])
    assert [p["email"] for p in (await web.get("/v1/people", "there"))["people"]] == ["oscar@acme.example"]
    space = await web.env.store.directory.workspace(made["workspace"]["workspace_id"])
    assert space is not None
    assert (space.self_approval, space.self_approval_setting) == (True, "alone"), "until there are two"
    log = (await web.get("/v1/changes", "there"))["changes"]
    assert [one["kind"] for one in log] == ["key", "person"]
    [entry] = [c for c in (await web.get("/v1/changes", "oscar"))["changes"] if c["kind"] == "workspace"]
    assert (entry["name"], entry["after"]) == ("acme/staging", {"owner": "oscar@acme.example"})


async def test_creator_gets_no_key_for_another_owner(web: WebEnv) -> None:
    answer = await web.post("/v1/workspaces", {"name": "team-b", "owner": "Bo@acme.example"}, "oscar")
    assert answer["owner"] == "bo@acme.example"
    assert "api_key" not in answer.json


async def test_key_created_by_another_person_gets_no_key(web: WebEnv) -> None:
    await web.join("olga", "owner")
    made = await web.post("/v1/keys", {"person": "olga@acme.example"}, "oscar")
    web.keys["shared"] = made["api_key"]
    assert "api_key" not in (await web.post("/v1/workspaces", {"name": "mine"}, "shared")).json


async def test_owner_lists_the_organization_and_others_their_own_workspace(web: WebEnv) -> None:
    await web.post("/v1/workspaces", {"name": "staging"}, "oscar")
    names = [w["name"] for w in (await web.get("/v1/workspaces", "oscar"))["workspaces"]]
    assert names == ["prod", "staging"]
    for who in ("ann", "agent", "ci", "aud"):
        [own] = (await web.get("/v1/workspaces", who))["workspaces"]
        assert (own["organization"], own["name"], own["own"]) == ("acme", "prod", True)
    [own] = (await web.get("/v1/workspaces", "sam"))["workspaces"]
    assert own["organization"] == "other"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"name": "prod"}, "workspace_exists", "name"),
        ({"name": "Prod!"}, "invalid_name", "name"),
        ({"name": ""}, "invalid_name", "name"),
        ({"name": "new", "owner": "nobody"}, "invalid_email", "owner"),
        ({"name": "new", "organization": "other"}, "unknown_field", "organization"),
    ],
)
async def test_invalid_workspace_is_refused_by_field(
    web: WebEnv, body: dict[str, Any], code: str, field: str
) -> None:
    answer = await web.post("/v1/workspaces", body, "oscar")
    assert (answer.code, answer["error"]["field"]) == (code, field)
    assert len(await web.env.store.directory.workspaces()) == 2


async def test_only_an_owner_creates_and_renames(web: WebEnv) -> None:
    await web.join("ada", "admin")
    for who in ("ada", "ann", "aud", "agent", "ci"):
        assert (await web.post("/v1/workspaces", {"name": "new"}, who)).code == "owner_required"
        renamed = await web.call("PATCH", "/v1/workspaces/current", {"name": "new"}, who)
        assert renamed.code == "owner_required"


# -- renamed


async def test_former_addresses_resolve_after_a_rename(web: WebEnv) -> None:
    waiting = await web.send(to_agent="not-yet-registered", intent_type=PLAIN)
    before = await web.send(to_agent="validator", intent_type=PLAIN)
    answer = await web.call(
        "PATCH", "/v1/workspaces/current", {"name": "live", "organization": "acme2"}, "oscar"
    )
    assert answer["workspace"]["former_names"] == ["acme/prod"]
    again = await web.call("PATCH", "/v1/workspaces/current", {"name": "main"}, "oscar")
    assert again["workspace"]["former_names"] == ["acme/prod", "acme2/live"]
    kept = "agent://acme/prod/validator"
    for said in ("validator", kept, "agent://acme2/live/validator", "agent://acme2/main/validator"):
        found = await web.get(f"/v1/agents/{said.removeprefix('agent://')}", "oscar")
        assert found["agent"]["address"] == kept, said
        intent = await web.send(to_agent=said, intent_type=PLAIN)
        assert (await web.get(f"/v1/intents/{intent}"))["intent"]["to_agent"] == kept
    made = await web.post("/v1/keys", {"agent": "newcomer"}, "oscar")
    assert made["address"] == "agent://acme2/main/newcomer"
    claimed = await web.post("/v1/agents/acme2/main/validator/deliveries/claim", {"limit": 20}, "agent")
    assert before in {one["intent_id"] for one in claimed["deliveries"]}
    # Work that waited for an agent that was registered only afterwards is not lost.
    web.keys["late"] = (await web.post("/v1/keys", {"agent": "not-yet-registered"}, "oscar"))["api_key"]
    claimed = await web.post("/v1/agents/not-yet-registered/deliveries/claim", {}, "late")
    assert [one["intent_id"] for one in claimed["deliveries"]] == [waiting]
    # So do the places that name a workspace.
    for query in ("org_id=acme&workspace_id=prod", "org_id=acme2&workspace_id=main", f"workspace_id={HOME}"):
        assert len((await web.get(f"/v1/agents?{query}", "oscar"))["agents"]) == 4, query
    assert (await web.get("/v1/agents?org_id=acme&workspace_id=main", "oscar"))["agents"] == []
    [entry, *_] = (await web.get("/v1/changes?about=workspace", "oscar"))["changes"]
    assert entry["after"] == {"organization": "acme2", "name": "main"}


async def test_rename_to_the_same_name_changes_nothing(web: WebEnv) -> None:
    for body in ({"name": "prod"}, {"organization": "acme"}, {"organization": "acme", "name": "prod"}):
        answer = await web.call("PATCH", "/v1/workspaces/current", body, "oscar")
        assert (answer.status, answer["workspace"]["former_names"]) == (200, [])
    assert (await web.get("/v1/changes?about=workspace", "oscar"))["changes"] == []


async def test_current_or_former_name_of_another_workspace_is_taken(web: WebEnv) -> None:
    other = (await web.post("/v1/workspaces", {"name": "staging"}, "oscar"))["api_key"]
    web.keys["there"] = other
    assert (
        await web.call("PATCH", "/v1/workspaces/current", {"name": "prod"}, "there")
    ).code == "workspace_exists"
    assert (await web.call("PATCH", "/v1/workspaces/current", {"name": "test"}, "there")).status == 200
    assert (
        await web.call("PATCH", "/v1/workspaces/current", {"name": "staging"}, "oscar")
    ).code == "workspace_exists"
    assert (await web.post("/v1/workspaces", {"name": "staging"}, "oscar")).code == "workspace_exists"
    back = await web.call("PATCH", "/v1/workspaces/current", {"name": "staging"}, "there")
    assert back["workspace"]["former_names"] == ["acme/test"]


async def test_rename_into_another_organization_is_refused(web: WebEnv) -> None:
    answer = await web.call(
        "PATCH", "/v1/workspaces/current", {"organization": "other", "name": "x"}, "oscar"
    )
    assert (answer.code, answer["error"]["field"]) == ("organization_exists", "organization")


@pytest.mark.parametrize(("field", "value"), [("name", "Prod!"), ("organization", "acme/x"), ("name", "%")])
async def test_rename_to_an_invalid_name_is_refused(web: WebEnv, field: str, value: str) -> None:
    answer = await web.call("PATCH", "/v1/workspaces/current", {field: value}, "oscar")
    assert (answer.status, answer.code, answer["error"]["field"]) == (422, "invalid_name", field)


async def test_only_the_own_workspace_is_renamed(web: WebEnv) -> None:
    sibling = (await web.post("/v1/workspaces", {"name": "staging"}, "oscar"))["workspace"]["workspace_id"]
    for named in (sibling, "staging", "acme%2Fstaging", "other"):
        answer = await web.call("PATCH", f"/v1/workspaces/{named}", {"name": "taken-over"}, "oscar")
        assert answer.status == 404, named
    for named in (HOME, "prod"):
        answer = await web.call("PATCH", f"/v1/workspaces/{named}", {"name": "prod"}, "oscar")
        assert (answer.status, answer["workspace"]["former_names"]) == (200, []), named
    names = {one.name for one in await web.env.store.directory.workspaces()}
    assert "taken-over" not in names


async def test_former_organization_name_is_reserved_for_its_owner(web: WebEnv) -> None:
    await web.post("/v1/workspaces", {"name": "staging"}, "oscar")
    assert (
        await web.call("PATCH", "/v1/workspaces/current", {"organization": "acme2"}, "oscar")
    ).status == 200
    for name in ("acme", "acme2"):
        answer = await web.call("PATCH", "/v1/workspaces/current", {"organization": name, "name": "x"}, "sam")
        assert (answer.code, answer["error"]["field"]) == ("organization_exists", "organization")
    back = await web.call("PATCH", "/v1/workspaces/current", {"organization": "acme"}, "oscar")
    assert (back["workspace"]["organization"], back["workspace"]["former_names"]) == ("acme", ["acme2/prod"])
    again = await web.call("PATCH", "/v1/workspaces/current", {"organization": "acme2", "name": "x"}, "sam")
    assert again.code == "organization_exists"


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "", "organization": ""}])
async def test_rename_without_a_name_is_refused(web: WebEnv, body: dict[str, str]) -> None:
    answer = await web.call("PATCH", "/v1/workspaces/current", body, "oscar")
    assert (answer.status, answer.code, answer["error"]["field"]) == (422, "nothing_to_rename", "name")


async def test_one_of_two_concurrent_renames_takes_an_organization(web: WebEnv) -> None:
    body = {"organization": "third"}
    answers = await asyncio.gather(
        web.call("PATCH", "/v1/workspaces/current", body, "oscar"),
        web.call("PATCH", "/v1/workspaces/current", {**body, "name": "x"}, "sam"),
    )
    assert sorted(str(one.status) for one in answers) == ["200", "409"]
    assert [one.code for one in answers if one.status == 409] == ["organization_exists"]


async def test_page_creates_and_renames(web: WebEnv) -> None:
    page = await reader(web, "oscar")
    made = await page.post("/workspaces", name="staging")
    assert made.status == 200
    refused = await page.post("/workspaces", name="prod")
    assert refused.status == 409
    assert "acme/prod is taken" in refused.text
    assert (await page.post(f"/workspaces/{HOME}", organization="acme", name="live")).status == 303
    shown = (await page.get("/workspaces")).text
    assert "acme/live" in shown
    assert "formerly acme/prod" in shown
    assert "acme/staging" in shown
    assert "Create a workspace" not in (await (await reader(web, "ann")).get("/workspaces")).text


# -- isolated


async def furnished(web: WebEnv) -> dict[str, list[str]]:
    """One of everything in acme/prod, by the path parameter that names it."""
    policy = {"approve": [{"any": ["ann@acme.example"]}], "deadline": "8h"}
    document = {
        "teams": {"hush-team": {"members": ["ann@acme.example"]}},
        "policies": {"hush-policy": policy},
        "workflows": [
            {
                "workflow": "hush-flow",
                "intent_type": "intent.hush.v1",
                "steps": [{"id": "approve", "human": {"policy": "hush-policy", "title": "Hush?"}}],
            }
        ],
    }
    await applied(web, document)
    payload = {"secretly": "hush-payload"}
    intent = await web.send(intent_type="intent.hush.v1", payload=payload, correlation_id="hush-correlation")
    work = await web.send(to_agent="validator", intent_type=PLAIN, payload=payload)
    failed = await web.send(to_agent="validator", intent_type=PLAIN, payload=payload)
    await web.post(f"/v1/intents/{failed}/resume", {"action": "fail", "error": "hush-error"}, "agent")
    await web.join("ada", "admin")
    await web.post("/v1/apply", {"workspace": {"protected": True}}, "oscar")
    web.clock.move(timedelta(seconds=1))
    asked = await web.post("/v1/apply", {"policies": {"hush-policy": {**policy, "deadline": "30d"}}}, "oscar")
    account = (await web.get("/v1/agents/validator", "oscar"))["agent"]
    key = (await web.get("/v1/keys", "oscar"))["keys"][0]["key_id"]
    allowed = {"sender_pattern": "agent://acme/prod/hush-sender"}
    senders = (await web.post("/v1/agents/validator/policy/entries", allowed, "oscar"))["policy"]
    return {
        "intent_id": [intent, work, failed],
        "task_id": [intent[:-4] + "0001"],
        "approval_id": [intent[:-4] + "0001"],
        "thread_id": [intent, work],
        "delivery_id": [work[:-4] + "0001", work],
        "address": ["validator", "acme/prod/validator"],
        "entry_id": [senders["entries"][0]["entry_id"], "agent://acme/prod/hush-sender"],
        "intent_type": ["intent.hush.v1"],
        "person_id": ["per_ann", "ann@acme.example"],
        "session_id": ["none"],
        "name": ["hush-team", "hush-policy"],
        "proposal_id": [asked["proposal"]["id"]],
        "account_id": [account["id"]],
        "key_id": [key],
        "workspace_id": [HOME, "prod", "acme/prod"],
        "channel": ["slack"],
        "token": ["none"],
        "act": ["comment", "active"],
    }


# Bodies with which each write would succeed at home; where the rest takes {}.
BODIES: dict[str, Any] = {
    "/v1/intents": {"intent_type": PLAIN, "to_agent": "agent://acme/prod/validator", "payload": {}},
    "/v1/intents/{intent_id}/resume": {"action": "complete", "passed": True},
    "/v1/intents/{intent_id}/resolve": {"status": "CANCELED", "reason": "x"},
    "/v1/intents/{intent_id}/controls": {"controls": {"timeout_seconds": 60}},
    "/v1/intents/{intent_id}/policy": {"grants": {}},
    "/v1/intents/{intent_id}/use": {"use": "sam"},
    "/v1/intents/bulk-cancel": {"older_than_seconds": 0, "dry_run": False},
    "/v1/tasks/{task_id}/answer": {"outcome": "approved"},
    "/v1/tasks/{task_id}/delegate": {"to": "sam@acme.example"},
    "/v1/tasks/{task_id}/reassign": {"to": ["sam@acme.example"]},
    "/v1/tasks/{task_id}/snooze": {"duration": "1h"},
    "/v1/tasks/{task_id}/comment": {"comment": "x"},
    "/v1/tasks/{task_id}/revise": {"payload": {"a": 1}, "comment": "x"},
    "/v1/approvals/{approval_id}/decision": {"decision": "approve"},
    "/v1/deliveries/{delivery_id}/report": {"token": 1, "result": {}},
    "/v1/people": {"email": "new@acme.example"},
    "/v1/people/{person_id}": {"name": "Renamed"},
    "/v1/people/{person_id}/reassign": {"to": "sam@acme.example"},
    "/v1/teams/{name}": {"members": ["sam@acme.example"]},
    "/v1/policies": {"name": "hush-policy", "policy": {"approve": [{"any": ["sam@acme.example"]}]}},
    "/v1/workspaces": {"name": "prod2"},
    "/v1/workspaces/{workspace_id}": {"name": "stolen"},
    "/v1/service-accounts": {"name": "agent://acme/prod/validator"},
    "/v1/service-accounts/{account_id}": {"display_name": "stolen"},
    "/v1/portal/personal/workspace-selection": {"workspace_id": HOME},
    "/v1/keys": {"agent": "agent://acme/prod/validator"},
}
HUSH = re.compile("hush-|per_ann|per_oscar|ann@acme|oscar@acme|Hush", re.IGNORECASE)


def addresses(path: str, named: dict[str, list[str]]) -> list[str]:
    """The path with each of the ids."""
    parameter = re.search(r"{(\w+)(:path)?}", path)
    if parameter is None:
        return [path]
    begin, end = parameter.span()
    return [
        one for value in named[parameter[1]] for one in addresses(path[:begin] + value + path[end:], named)
    ]


async def rows_of_home(web: WebEnv) -> dict[str, list[Any]]:
    """Every row of acme/prod in each table with a workspace."""
    tables = (
        "intents",
        "people",
        "accounts",
        "keys",
        "workflows",
        "teams",
        "policies",
        "changes",
        "proposals",
        "sessions",
        "worklist",
        "messages",
    )
    store = web.env.store
    found = {
        t: sorted(map(repr, await store.read(f"select * from {t} where workspace = :w", w=HOME)))
        for t in tables
    }
    found["workspaces"] = list(map(repr, await store.read("select * from workspaces where id = :w", w=HOME)))
    found["events"] = list(
        map(
            repr,
            await store.read(
                "select e.* from events e join intents i on i.id = e.intent_id where i.workspace = :w order by 1, 2",
                w=HOME,
            ),
        )
    )
    return found


async def test_no_endpoint_shows_or_changes_another_workspace(web: WebEnv) -> None:
    named = await furnished(web)
    web.keys["their-agent"] = (await web.post("/v1/keys", {"agent": "validator"}, "sam"))["api_key"]
    web.keys["their-service"] = (await web.post("/v1/keys", {"service": "ci"}, "sam"))["api_key"]
    before = await rows_of_home(web)
    # What changes the caller's own access comes last.
    rows = sorted(
        ENDPOINTS, key=lambda row: ("/sessions" in row.path, row.path == "/v1/workspaces/{workspace_id}")
    )
    for row in rows:
        if row.access is Access.OPEN and row.path != "/metrics":
            continue
        for path in addresses(row.path, named):
            for who in ("sam", "their-agent", "their-service"):
                await ask(web, row, path, who)
    assert await rows_of_home(web) == before


async def ask(web: WebEnv, row: Endpoint, path: str, who: str) -> None:
    """Call an endpoint from the other workspace and assert that the response has nothing of acme/prod."""
    body = BODIES.get(row.path, {}) if row.method in ("POST", "PUT", "PATCH") else None
    query = "?wait_seconds=1" if row.path.endswith("/stream") else ""
    answer = await web.call(row.method, path + query, body, who)
    assert answer.status < 500, (row.method, path, answer.text)
    shown = answer.text
    # A response repeats what was asked for; sam's own entries may have the same names.
    for value in sorted({*path.split("/"), "hush-team", "hush-policy"}, key=len, reverse=True):
        shown = shown.replace(value, "") if value else shown
    assert not HUSH.search(shown), (row.method, path, who, answer.text)


async def test_no_page_shows_or_changes_another_workspace(web: WebEnv) -> None:
    named = await furnished(web)
    page = await reader(web, "sam")
    before = await rows_of_home(web)
    for row in PAGES:
        if row.open or row.path.startswith("/live"):
            continue
        for path in addresses(row.path, named):
            answer = await (
                page.get(path) if row.method == "GET" else page.post(path, name="x", email="x@y.example")
            )
            assert answer.status < 500, path
            shown = answer.text
            for value in sorted(path.split("/"), key=len, reverse=True):
                shown = shown.replace(value, "") if value else shown
            assert not HUSH.search(shown), (row.method, path, shown)
    assert await rows_of_home(web) == before


async def test_metrics_of_a_workspace_are_for_its_own_keys(web: WebEnv) -> None:
    await furnished(web)
    due = web.clock.now() - timedelta(minutes=3)
    intent = "0190a7de-1111-7222-8333-444455550000"
    await web.env.store.outbox.put(
        OutboxRow("one", HOME, intent, 0, OutboxKind.PERSON, "hush-channel", "ann", b"{}", due)
    )
    await web.get("/v1/agents/acme/prod/validator/intents/stream?wait_seconds=1&since=0", "agent")
    await web.env.loops["workers"]._once()
    mine, theirs = (await web.get("/metrics", "aud")).text, (await web.get("/metrics", "sam")).text
    for shown in ("hush-policy", "hush-channel", "agent://acme/prod/validator", 'workspace="acme/prod"'):
        assert shown in mine
        assert shown not in theirs
    assert "signoff_http_requests_total" in theirs
