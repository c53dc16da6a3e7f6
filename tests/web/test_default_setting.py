"""The workspace's settings for requests without a workflow: their values, and who may change them."""

from typing import Any

import pytest

from tests.web.default_policy_steps import MANIFEST, STRICT, assert_strict, closed, task_of
from tests.web.policy_steps import applied, confirmed
from tests.web.web_env import PLAIN, WebEnv

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a policy that is not there": ({"default_policy": "strct"}, "unknown_policy", "workspace.default_policy"),
    "a gate without a policy": (
        {"unlisted_types": "gate"},
        "default_policy_missing",
        "workspace.unlisted_types",
    ),
    "an unknown word": ({"unlisted_types": "deny"}, "invalid_field", "workspace.unlisted_types"),
    "a policy that goes on with a step": (
        {"default_policy": "going"},
        "no_default_policy",
        "workspace.default_policy",
    ),
    "a yes after silence": ({"default_policy": "quiet"}, "positive_fallback", "workspace.default_policy"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_invalid_default_policy_is_refused_by_field(web: WebEnv, what: str) -> None:
    space, code, field = WRONG[what]
    going = {"deadline": "1h", "on_timeout": "goto:somewhere"}
    quiet = {"deadline": "1h", "on_timeout": "outcome:approved", "risk": "low"}
    policies = {"strict": STRICT, "going": going, "quiet": quiet}
    refused = await web.post("/v1/apply", {"policies": policies, "workspace": space}, "oscar")
    assert (refused.status, refused.code, refused["error"]["field"]) == (422, code, field), refused.text
    assert refused["error"]["hint"]


async def test_default_policy_cannot_become_an_invalid_one(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    going = {"policies": {"strict": {**STRICT, "on_timeout": "goto:somewhere"}}}
    assert (await web.post("/v1/apply", going, "oscar")).code == "no_default_policy"
    named = {"name": "strict", "policy": going["policies"]["strict"]}
    assert (await web.post("/v1/policies", named, "oscar")).code == "no_default_policy"
    assert (await web.post("/v1/apply", {"workspace": {"unlisted_types": "gate"}}, "oscar")).status == 200
    alone = {"workspace": {"default_policy": False}}
    assert (await web.post("/v1/apply", alone, "oscar")).code == "default_policy_missing"


async def test_default_policy_is_previewed_and_shown_everywhere(web: WebEnv) -> None:
    dry = await web.post("/v1/apply?dry_run=true", closed("gate"), "oscar")
    [change] = [one for one in dry["changes"] if one["kind"] == "workspace"]
    assert change["before"] == {"default_policy": "", "unlisted_types": "allow"}
    assert change["after"] == {"default_policy": "strict", "unlisted_types": "gate"}
    assert (await web.get("/v1/me"))["unlisted_types"] == "allow"
    await applied(web, closed("gate"))
    assert not (await web.post("/v1/apply", closed("gate"), "oscar"))["changed"]
    me = await web.get("/v1/me")
    assert (me["default_policy"], me["unlisted_types"]) == ("strict", "gate")


PROTECTED = {
    "people": {"otto@acme.example": {"roles": ["admin", "approver"]}},
    "workspace": {"protected": True, "default_policy": "strict", "unlisted_types": "gate"},
    "policies": {**MANIFEST["policies"], "stricter": {**STRICT, "deadline": "1h"}},
}
LOOSER: dict[str, dict[str, Any]] = {
    "no default policy": {"default_policy": False, "unlisted_types": "refuse"},
    "a laxer one": {"default_policy": "lax"},
    "no gate": {"unlisted_types": "allow"},
}


@pytest.mark.parametrize("what", LOOSER)
async def test_relaxed_default_takes_two_admins_in_a_protected_workspace(web: WebEnv, what: str) -> None:
    await applied(web, PROTECTED)
    answer = await applied(web, {"workspace": LOOSER[what]}, "otto")
    assert answer["proposal"]["relaxations"] == ["workspace prod"]
    assert (await web.get("/v1/me"))["default_policy"] == "strict"
    await applied(web, {"policies": {"stricter": {**STRICT, "deadline": "30m"}}}, "otto")
    assert (await confirmed(web, answer["proposal"]["id"])).status == 303
    me = (await web.get("/v1/me")).json
    assert me.get("default_policy", False) == LOOSER[what].get("default_policy", "strict")


@pytest.mark.parametrize("space", [{"default_policy": "stricter"}, {"unlisted_types": "refuse"}])
async def test_stricter_default_applies_at_once_in_a_protected_workspace(
    web: WebEnv, space: dict[str, Any]
) -> None:
    await applied(web, PROTECTED)
    answer = await applied(web, {"workspace": space}, "otto")
    assert (answer["changed"], "proposal" in answer.json) == (True, False)


async def test_first_workflow_of_a_type_takes_two_admins_in_a_protected_workspace(
    web: WebEnv,
) -> None:
    await applied(web, PROTECTED)
    free = {"workflow": "free", "intent_type": PLAIN, "steps": [{"id": "go", "agent": "validator"}]}
    answer = await applied(web, {"workflows": [free]}, "otto")
    assert answer["proposal"]["relaxations"] == [f"workflow {PLAIN}"]
    assert (await web.post("/v1/workflows", free, "otto")).code == "confirmation_needed"
    sent = await web.post("/v1/intents", {"intent_type": PLAIN, "to_agent": "validator"})
    await assert_strict(web, task_of(sent["intent_id"]))


async def test_first_default_policy_with_self_approval_takes_two_admins(web: WebEnv) -> None:
    await applied(web, {**PROTECTED, "workspace": {"protected": True}})
    lax = await applied(web, {"workspace": {"default_policy": "lax"}}, "otto")
    assert lax["proposal"]["state"] == "waiting"
    assert "proposal" not in (await applied(web, {"workspace": {"default_policy": "strict"}}, "otto")).json
