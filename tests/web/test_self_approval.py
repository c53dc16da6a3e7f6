"""Self-approval after the first start applies while there is one person, until an admin sets it for everyone."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.web.inbox.reading import reader
from tests.web.web_env import ELSEWHERE, PLAIN, WebEnv

ON = {"workspace": {"self_approval": True}}


async def of_one(web: WebEnv) -> None:
    """Sam's workspace, as after a first start."""
    there = await web.env.store.directory.workspace(ELSEWHERE)
    assert there is not None
    await web.env.store.people.save([replace(there, self_approval=True, self_approval_alone=True)])
    web.env.directory.changed(ELSEWHERE)


async def ask(web: WebEnv) -> Any:
    return await web.post(
        "/v1/intents", {"intent_type": PLAIN, "payload": {}, "human_task": {"title": "May I?"}}, "sam"
    )


async def asked(web: WebEnv) -> str:
    made = await ask(web)
    assert made.status == 200, made.text
    return str(made["intent"]["intent_id"])[:-4] + "0001"


async def code(web: WebEnv, task_id: str) -> str:
    digest = (await web.get(f"/v1/tasks/{task_id}", "sam"))["task"]["digest"]
    answer = await web.answer(task_id, "approved", "sam", digest=digest, revision=1)
    return answer.code if answer.status != 200 else ""


async def add(web: WebEnv, name: str, **said: Any) -> str:
    answer = await web.post("/v1/people", {"email": f"{name}@other.example", **said}, "sam")
    assert answer.status == 200, answer.text
    return str(answer["warnings"])


async def states(web: WebEnv) -> tuple[bool, str]:
    me = await web.get("/v1/me", "sam")
    return me["self_approval"], me["self_approval_setting"]


async def test_initial_self_approval_ends_with_the_second_person_for_later_requests(web: WebEnv) -> None:
    await of_one(web)
    assert await states(web) == (True, "alone")
    assert await code(web, await asked(web)) == ""
    before = await asked(web)
    assert "nobody decides their own requests" in await add(web, "bea")
    assert await states(web) == (False, "alone")
    assert await add(web, "carl") == "[]"
    task_id = await asked(web)
    assert await code(web, task_id) == "self_approval"
    explained = await web.get(f"/v1/tasks/{task_id}/explain", "sam")
    assert (explained["self_approval"], explained["requesters_side"]) == (False, ["sam@acme.example"])
    # Who joined later cannot decide it, so whoever asked may still.
    assert (await web.get(f"/v1/tasks/{before}/explain", "sam"))["self_approval"] is True
    assert await code(web, before) == ""
    assert await web.env.findings() == []


async def test_page_that_adds_the_second_person_says_that_it_ends(web: WebEnv) -> None:
    await of_one(web)
    sam = await reader(web, "sam")
    added = await sam.post("/people", email="bea@other.example", role="member")
    assert added.status == 200
    assert "From now on nobody decides their own requests" in added.text
    again = await sam.post("/people", email="carl@other.example", role="member")
    assert (again.status, again.where) == (303, "/people")


async def test_key_for_a_second_person_says_that_it_ends(web: WebEnv) -> None:
    await of_one(web)
    made = await web.post("/v1/keys", {"person": "bea@other.example"}, "sam")
    assert "nobody decides their own requests" in str(made["warnings"])
    again = await web.post("/v1/keys", {"person": "carl@other.example"}, "sam")
    assert "nobody decides" not in str(again["warnings"])


async def test_key_for_another_person_says_for_which_requests_it_does_not_count(web: WebEnv) -> None:
    made = await web.post("/v1/keys", {"person": "ann@acme.example"}, "oscar")
    [warning] = made["warnings"]
    assert "do not count for your own requests" in warning
    assert "signs in with signoff login, or on the pages" in warning
    for own in ({"person": "oscar@acme.example"}, {"agent": "newcomer"}, {"service": "nightly"}):
        assert (await web.post("/v1/keys", own, "oscar"))["warnings"] == []


async def test_key_for_another_person_counts_if_self_approval_is_allowed(web: WebEnv) -> None:
    await of_one(web)
    await web.post("/v1/apply", ON, "sam")
    made = await web.post("/v1/keys", {"person": "bea@other.example"}, "sam")
    assert "do not count" not in str(made["warnings"])


async def test_policy_explanation_describes_a_request_made_now(web: WebEnv) -> None:
    await of_one(web)
    policy = {"name": "plain", "policy": {"approve": {"any": ["role:owner"]}}}
    assert (await web.post("/v1/policies", policy, "sam")).status == 200
    assert (await web.get("/v1/policies/plain/explain", "sam"))["self_approval"] is True
    await add(web, "bea")
    assert (await web.get("/v1/policies/plain/explain", "sam"))["self_approval"] is False


async def test_removing_the_second_person_does_not_restore_it(web: WebEnv) -> None:
    await of_one(web)
    await add(web, "bea")
    assert (await web.call("PATCH", "/v1/people/bea@other.example", {"active": False}, "sam")).status == 200
    assert await states(web) == (False, "alone")
    refused = await ask(web)
    assert refused.code == "nobody_eligible"
    assert "apply workspace: {self_approval: true}" in refused["error"]["hint"]
    there = await web.env.store.directory.workspace(ELSEWHERE)
    assert there is not None
    await web.env.store.people.save([replace(there, self_approval=True, self_approval_alone=False)])
    web.env.directory.changed(ELSEWHERE)
    assert (await ask(web)).status == 200


@pytest.mark.parametrize("policy", [{"self_approval": False}, {"approve": {"any": ["role:auditor"]}}])
async def test_setting_is_not_recommended_where_it_would_not_help(
    web: WebEnv, policy: dict[str, Any]
) -> None:
    step = {"id": "approve", "human": {"title": "May I?", "policy": policy}}
    flow = {"workflow": "w", "intent_type": PLAIN, "steps": [step]}
    refused = await web.post("/v1/workflows", flow, "sam")
    if refused.status == 200:
        refused = await web.post("/v1/intents", {"intent_type": PLAIN, "payload": {}}, "sam")
    assert refused.code == "nobody_eligible", refused.text
    assert refused["error"]["hint"] == "Add the people first: signoff people add EMAIL; or name others."


async def test_explicit_setting_is_kept(web: WebEnv) -> None:
    await of_one(web)
    applied = await web.post("/v1/apply", ON, "sam")
    assert [one["action"] for one in applied["changes"]] == ["change"], applied.text
    assert await states(web) == (True, "on")
    assert (await web.post("/v1/apply", ON, "sam"))["changed"] is False
    assert "self-approval is allowed here" in await add(web, "bea")
    assert await states(web) == (True, "on")
    assert await code(web, await asked(web)) == ""
    assert (await web.post("/v1/apply", {"workspace": {"self_approval": False}}, "sam")).status == 200
    assert await states(web) == (False, "off")
    record = (await web.get("/v1/changes?about=workspace", "sam")).json["changes"]
    assert [(one["before"], one["after"]) for one in record if one["kind"] == "workspace"] == [
        ({"self_approval": True}, {"self_approval": False}),
        ({"self_approval": "alone"}, {"self_approval": True}),
    ]


async def test_key_cannot_enable_it_again(web: WebEnv) -> None:
    await of_one(web)
    await add(web, "bea", roles=["admin"])
    assert (await web.post("/v1/apply", ON, "sam")).code == "stronger_sign_in_required"


async def test_second_admin_enables_it_in_a_protected_workspace(web: WebEnv) -> None:
    await of_one(web)
    await add(web, "bea", roles=["admin"])
    assert (await web.post("/v1/apply", {"workspace": {"protected": True}}, "sam")).status == 200
    assert (await web.post("/v1/apply", ON, "sam"))["proposal"]["state"] == "waiting"
    assert await states(web) == (False, "alone")
