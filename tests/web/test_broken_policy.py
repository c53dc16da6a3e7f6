"""A stored policy that this release cannot read breaks only what uses it, and the error names it and the reason."""

from typing import Any

import msgspec

from signoff.core.directory.model import PolicyVersion
from tests.web.inbox.reading import reader
from tests.web.policy_steps import applied
from tests.web.web_env import HOME, PLAIN, WebEnv

RULED = "intent.ruled.v1"
MANIFEST: dict[str, Any] = {
    "policies": {"old": {"approve": [{"any": ["role:approver"]}]}, "good": {"deadline": "8h"}},
    "workflows": [
        {
            "workflow": "ruled",
            "intent_type": RULED,
            "steps": [{"id": "sign", "human": {"title": "Sign it?", "policy": "old"}}],
        }
    ],
}
REASON = "policies.old.from_long_ago"


async def broken(web: WebEnv, **settings: Any) -> None:
    """The workspace after an upgrade to a release that does not know one of a policy's fields."""
    await applied(web, {**MANIFEST, **({"workspace": settings} if settings else {})})
    source = msgspec.json.encode({"approve": [{"any": ["role:approver"]}], "from_long_ago": True})
    row = PolicyVersion(HOME, "old", 2, source, "per_oscar", web.clock.now())
    await web.env.store.people.save([row])
    web.state.directory.changed(HOME)


async def test_unrelated_requests_are_unaffected(web: WebEnv) -> None:
    await broken(web)
    _, task_id = await web.ask(assignees=["ann@acme.example"])
    assert (await web.answer(task_id, "approved", "ann"))["intent"]["status"] == "COMPLETED"
    assert (await web.call("PUT", "/v1/teams/ops", {"members": ["ann@acme.example"]}, "oscar")).status == 200


async def test_request_that_uses_the_policy_is_refused_with_its_name_and_reason(web: WebEnv) -> None:
    await broken(web)
    refused = await web.post("/v1/intents", {"intent_type": RULED, "payload": {}})
    assert (refused.status, refused.code) == (422, "policy_unusable")
    assert "'old', version 2" in refused["message"]
    assert REASON in refused["message"]
    assert "signoff apply" in refused["error"]["hint"]
    asked = await web.get("/v1/policies/old/explain", "oscar")
    assert asked.code == "policy_unusable"


async def test_policy_lists_show_which_policy_is_broken_and_why(web: WebEnv) -> None:
    await broken(web)
    listed = {
        one["name"]: one.get("broken", "") for one in (await web.get("/v1/policies", "oscar"))["policies"]
    }
    assert REASON in listed["old"]
    assert listed["good"] == ""
    page = await (await reader(web, "oscar")).get("/policies")
    assert "This release cannot use it" in page.text
    assert REASON in page.text


async def test_applying_the_policy_again_repairs_it_as_a_new_version(web: WebEnv) -> None:
    await broken(web)
    await applied(web, {"policies": MANIFEST["policies"]})
    intent_id = await web.send(intent_type=RULED, payload={})
    explained = await web.get(f"/v1/tasks/{intent_id[:-4]}0001/explain", "otto")
    assert explained["policy"] == "old@3"


async def test_broken_default_policy_affects_only_its_own_requests(web: WebEnv) -> None:
    await broken(web, default_policy="old")
    refused = await web.post("/v1/intents", {"intent_type": PLAIN, "human_task": {"title": "May we?"}})
    assert refused.code == "policy_unusable"
    await applied(web, {"people": {"new@acme.example": {"roles": ["approver"]}}})
    await applied(web, {"workspace": {"default_policy": "good"}})
    assert await web.send(intent_type=PLAIN, human_task={"title": "May we?"})


async def test_broken_policy_cannot_become_the_default(web: WebEnv) -> None:
    await broken(web)
    refused = await web.post("/v1/apply", {"workspace": {"default_policy": "old"}}, "oscar")
    assert refused.code == "policy_unusable"


async def test_replacement_takes_a_second_admin_in_a_protected_workspace(web: WebEnv) -> None:
    await applied(web, {"people": {"otto@acme.example": {"roles": ["admin"]}}})
    await broken(web, protected=True)
    mended = {"name": "old", "policy": MANIFEST["policies"]["old"]}
    assert (await web.post("/v1/policies", mended, "oscar")).code == "confirmation_needed"


async def test_damaged_policy_is_treated_as_broken(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    await web.env.store.people.save([PolicyVersion(HOME, "old", 2, b"{", "per_oscar", web.clock.now())])
    web.state.directory.changed(HOME)
    listed = {
        one["name"]: one.get("broken", "") for one in (await web.get("/v1/policies", "oscar"))["policies"]
    }
    assert listed["old"].startswith("it is damaged")
