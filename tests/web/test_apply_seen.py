"""Applying a manifest applies exactly what the preview showed, or nothing."""

from typing import Any

import pytest

from tests.web.policy_steps import MANIFEST, policy
from tests.web.web_env import WebEnv

TEAM = {"teams": {"sre": {"members": ["ann@acme.example", "otto@acme.example"]}}}


async def seen(web: WebEnv, document: dict[str, Any]) -> str:
    shown = await web.post("/v1/apply?dry_run=true", document, "otto")
    assert shown.status == 200, shown.text
    return str(shown["seen"])


async def apply(web: WebEnv, document: dict[str, Any], digest: str = "", who: str = "otto") -> Any:
    return await web.post(f"/v1/apply?seen={digest}" if digest else "/v1/apply", document, who)


@pytest.mark.parametrize(
    ("document", "meanwhile"),
    [
        (TEAM, {"teams": {"sre": {"members": ["oscar@acme.example"]}}}),
        (policy(deadline="3h"), policy(deadline="4h")),
        (
            {"people": {"ann@acme.example": {"roles": ["auditor"]}}},
            {"people": {"ann@acme.example": {"name": "A"}}},
        ),
        (
            {"people": {"new@acme.example": {"name": "N"}}},
            {"people": {"new@acme.example": {"roles": ["auditor"]}}},
        ),
        ({"workspace": {"positive_fallback": True}}, None),  # the same thing, and it takes two by now
    ],
    ids=["team", "policy", "person", "somebody new", "protected"],
)
async def test_manifest_is_a_conflict_if_its_entries_changed_after_the_preview(
    web: WebEnv, document: dict[str, Any], meanwhile: dict[str, Any] | None
) -> None:
    assert (await apply(web, MANIFEST, who="oscar")).status == 200
    digest = await seen(web, document)
    other = {"workspace": {"protected": True}} if meanwhile is None else meanwhile
    assert (await apply(web, other, who="oscar")).status == 200
    before = (await web.get("/v1/changes?limit=1", "oscar")).json
    refused = await apply(web, document, digest)
    assert (refused.status, refused.code) == (409, "stale_manifest"), refused.text
    assert (await web.get("/v1/changes?limit=1", "oscar")).json == before
    assert (await web.get("/v1/proposals", "oscar"))["proposals"] == []
    now = await seen(web, document)
    assert refused.json["error"]["details"] == {"seen": now}
    assert (await apply(web, document, now)).status == 200


async def test_unrelated_change_is_no_conflict_and_applying_twice_changes_nothing(web: WebEnv) -> None:
    assert (await apply(web, MANIFEST, who="oscar")).status == 200
    digest = await seen(web, TEAM)
    assert (await apply(web, {"people": {"else@acme.example": {}}}, who="oscar")).status == 200
    applied = await apply(web, TEAM, digest)
    assert (applied.status, applied["changed"], applied["seen"]) == (200, True, digest)
    again = await apply(web, TEAM, digest)  # a client that has lost the answer
    assert (again.status, again["changed"]) == (200, False)


@pytest.mark.parametrize("who", ["ci", "agent", "rita", "ann", "aud"])
@pytest.mark.parametrize(
    "document",
    [
        {"workflows": [{"nonsense": 1}]},
        {"people": {"x": 1, "y": 2}},
        {"teams": {"x": 1}, "people": {"x": 1}},
        {},
    ],
)
async def test_unauthorized_apply_is_refused_before_the_document_is_compiled(
    web: WebEnv, who: str, document: dict[str, Any]
) -> None:
    answer = await web.post("/v1/apply", document, who)
    assert (answer.status, answer.code) == (403, "admin_required")


FLOW = {
    "workflow": "checked",
    "intent_type": "checked.v1",
    "steps": [{"id": "check", "agent": "fresh"}, {"id": "again", "agent": "agent://acme/prod/fresh"}],
}
FRESH = "agent://acme/prod/fresh"


async def agent_names(web: WebEnv) -> set[str]:
    return {one["address"] for one in (await web.get("/v1/agents", "oscar"))["agents"]}


async def test_the_preview_lists_the_agents_that_an_apply_registers(web: WebEnv) -> None:
    document = {"workflows": [FLOW]}
    previewed = (await web.post("/v1/apply?dry_run=true", document, "oscar")).json
    assert FRESH not in await agent_names(web)
    applied = (await web.post("/v1/apply", document, "oscar")).json
    assert FRESH in await agent_names(web)
    for answer in (previewed, applied):
        assert [(one["action"], one["kind"], one["name"]) for one in answer["changes"][1:]] == [
            ("create", "agent", FRESH)
        ]
    again = (await web.post("/v1/apply", document, "oscar")).json
    assert (again["changed"], len(again["changes"])) == (False, 1)


async def test_an_agent_that_was_removed_is_a_change_of_an_unchanged_workflow(web: WebEnv) -> None:
    first = await web.post("/v1/workflows?dry_run=true", FLOW, "oscar")
    assert (first["agents"], first["changed"]) == ([FRESH], True)
    assert (await web.post("/v1/workflows", FLOW, "oscar"))["agents"] == [FRESH]
    account = (await web.get("/v1/agents/fresh", "oscar"))["agent"]["id"]
    assert (await web.call("DELETE", f"/v1/service-accounts/{account}", None, "oscar")).status == 200
    for path in ("/v1/apply?dry_run=true", "/v1/workflows?dry_run=true"):
        body: Any = {"workflows": [FLOW]} if "apply" in path else FLOW
        assert (await web.post(path, body, "oscar"))["changed"] is True
    again = await web.post("/v1/workflows", FLOW, "oscar")
    assert (again["agents"], again["changed"], again["workflow"]["version"]) == ([FRESH], True, 1)
    assert (await web.post("/v1/workflows", FLOW, "oscar"))["changed"] is False
