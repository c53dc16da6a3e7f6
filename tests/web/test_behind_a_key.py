"""The creator of a person's key is on the requester's side of everything done with it, in every way. The workspace's
setting at the time of the request applies.
"""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.errors import Forbidden
from signoff.core.formats.manifest import Manifest, WorkspaceSource
from signoff.core.intent.commands import Answer
from signoff.core.plan.task_types import Strength
from signoff.engine.delivery.chat_answers import Chat
from tests.web.people_steps import AWAY, decide, shown
from tests.web.web_env import WebEnv


async def gate(web: WebEnv, who: str = "rita", **policy: Any) -> str:
    """A task with its own policy."""
    name = f"p{len((await web.get('/v1/policies', 'oscar'))['policies'])}"
    flow = {
        "workflow": name,
        "intent_type": f"{name}.v1",
        "steps": [{"id": "ok", "human": {"policy": name}}],
    }
    answer = await web.post("/v1/apply", {"policies": {name: policy}, "workflows": [flow]}, "oscar")
    assert answer.status == 200, answer.text
    return (await web.send(who, intent_type=f"{name}.v1"))[:-4] + "0001"


async def with_a_key_that_dave_made(web: WebEnv, whose: str) -> str:
    made = await web.post("/v1/keys", {"person": f"{whose}@acme.example"}, "dave")
    name = f"{whose} by dave"
    web.keys[name] = made["api_key"]
    return name


def any_of(*names: str, **more: Any) -> dict[str, Any]:
    return {"approve": [{"any": [f"{name}@acme.example" for name in names], **more}]}


@pytest.fixture
async def dave(web: WebEnv) -> str:
    await web.join("dave", "admin")
    await web.join("bob", "approver")
    return "dave"


async def test_key_of_another_person_links_no_chat_account(web: WebEnv, dave: str) -> None:
    env = web.env
    chat = Chat("slack", env.engine, env.store, env.keys, env.directory, web.clock)
    minted = await web.actor(await with_a_key_that_dave_made(web, "ann"))
    with pytest.raises(Forbidden, match="someone else created"):
        await chat.code(minted)
    await chat.link("T1", "UANN", (await chat.code(await web.actor("ann"))).text)  # but her own does
    web.clock.move(timedelta(seconds=1))
    task_id = await gate(web, dave, **any_of("ann"))
    answer = Answer("approved", revision=1, digest=(await shown(web, task_id))["digest"])
    assert (await chat.answer("T1", "UANN", answer, task_id)).startswith("Recorded")


async def test_key_of_another_person_names_no_delegate(web: WebEnv, dave: str) -> None:
    body = {"absences": [{**AWAY, "delegate": "bob@acme.example"}]}
    minted = await with_a_key_that_dave_made(web, "ann")
    refused = await web.call("PATCH", "/v1/people/per_ann", body, minted)
    assert (refused.status, refused.code) == (403, "stronger_sign_in_required")
    assert (await web.call("PATCH", "/v1/people/per_ann", {"zone": "Europe/Paris"}, minted)).status == 200
    assert (await web.call("PATCH", "/v1/people/per_ann", body, "ann")).status == 200


async def test_creator_of_the_editors_key_is_an_editor_too(web: WebEnv, dave: str) -> None:
    task_id = await gate(web, **any_of("bob", "dave", "ann"))
    minted = await with_a_key_that_dave_made(web, "bob")
    body = {"payload": {"x": 666}, "digest": (await shown(web, task_id))["digest"]}
    assert (await web.post(f"/v1/tasks/{task_id}/revise", body, minted)).status == 200
    assert (await decide(web, task_id, dave)).code == "self_approval"
    assert (await decide(web, task_id, "ann")).status == 200
    assert await web.env.findings() == []


async def test_person_barred_because_of_their_key_is_told_so(web: WebEnv, dave: str) -> None:
    task_id = await gate(web, dave, **any_of("ann", "dave"))
    minted = await with_a_key_that_dave_made(web, "ann")
    barred, own = await decide(web, task_id, minted), await decide(web, task_id, dave)
    assert (barred.code, own.code) == ("self_approval", "self_approval")
    assert "created this key" in barred.text
    assert "create your own key" in barred.text
    assert "your answer cannot count" in own.text
    assert (await decide(web, task_id, "ann")).status == 200


async def test_quorum_of_two_needs_two_natural_persons(web: WebEnv, dave: str) -> None:
    task_id = await gate(web, **any_of("bob", "dave", "ann", need=2))
    minted = await with_a_key_that_dave_made(web, "bob")
    assert (await decide(web, task_id, dave)).status == 200
    refused = await decide(web, task_id, minted)
    assert (refused.status, refused.code) == (403, "same_person")
    assert (await decide(web, task_id, "bob")).status == 200
    assert (await shown(web, task_id))["state"] == "closed"
    assert await web.env.findings() == []


async def test_two_keys_of_one_creator_are_one_person_until_their_holders_sign_in(
    web: WebEnv, dave: str
) -> None:
    task_id = await gate(web, **any_of("bob", "ann", need=2))
    first, second = await with_a_key_that_dave_made(web, "bob"), await with_a_key_that_dave_made(web, "ann")
    assert (await decide(web, task_id, first)).status == 200
    assert (await decide(web, task_id, second)).code == "same_person"
    assert (await decide(web, task_id, "bob")).status == 200  # the same again, by a key of his own
    assert (await decide(web, task_id, second)).status == 200
    assert (await shown(web, task_id))["state"] == "closed"
    again = await gate(web, **any_of("bob", "ann", need=2, reject_after=2))
    for who in (first, second):  # a no takes any credential
        assert (await decide(web, again, who, "rejected")).status == 200
    assert (await shown(web, again))["state"] == "closed"


async def test_two_stages_need_two_natural_persons(web: WebEnv, dave: str) -> None:
    stages = [{"any": ["bob@acme.example"]}, {"any": ["dave@acme.example"]}]
    task_id = await gate(web, approve=stages)
    assert (await decide(web, task_id, await with_a_key_that_dave_made(web, "bob"))).status == 200
    digest = (await shown(web, task_id))["digest"]
    assert (
        await web.answer(task_id, "approved", dave, revision=1, digest=digest, stage=2)
    ).code == "same_person"


async def test_self_approval_allowed_later_does_not_apply_to_open_tasks(web: WebEnv, dave: str) -> None:
    before = await gate(web, dave, **any_of("dave", "ann"))
    admin = replace(await web.actor(dave), strength=Strength.SESSION)
    await web.env.manifests.apply(admin, Manifest(workspace=WorkspaceSource(self_approval=True)))
    assert (await decide(web, before, dave)).code == "self_approval"
    later = await gate(web, dave, **any_of("dave", "ann"))
    assert (await decide(web, later, dave)).status == 200
    open_yet = await gate(web, dave, **any_of("dave", "ann"))
    await web.env.manifests.apply(admin, Manifest(workspace=WorkspaceSource(self_approval=False)))
    assert (await decide(web, open_yet, dave)).code == "self_approval"  # what is taken away is so at once
    assert await web.env.findings() == []


async def test_requester_cannot_advance_escalation_by_removing_people(web: WebEnv, dave: str) -> None:
    ladder = {"escalate": [{"after": "5h", "to": ["bob@acme.example"]}]}
    asked = {who: await gate(web, who, **any_of("ann"), **ladder) for who in (dave, "rita")}
    gone = await web.call("PATCH", "/v1/people/per_ann", {"active": False}, dave)
    assert len(gone["warnings"]) == 2
    while await web.env.understaffed_checks.once() < 1:
        pass
    said = {who: (await web.answer(task, "rejected", "bob")).code for who, task in asked.items()}
    assert said == {dave: "not_an_approver", "rita": ""}
    web.clock.move(timedelta(hours=6))
    await web.env.timekeeper.once()
    assert (await web.answer(asked[dave], "rejected", "bob")).status == 200


async def test_escalation_level_without_remaining_people_is_skipped(web: WebEnv, dave: str) -> None:
    task_id = await gate(web, dave, **any_of("ann"), escalate=[{"after": "5h", "to": ["bob@acme.example"]}])
    for who in ("ann", "bob"):
        assert (await web.call("PATCH", f"/v1/people/per_{who}", {"active": False}, "oscar")).status == 200
    while await web.env.understaffed_checks.once() < 1:
        pass
    web.clock.move(timedelta(hours=6))
    await web.env.timekeeper.once()
    assert (await web.get(f"/v1/intents/{task_id[:-4]}0000", "rita"))["intent"]["ending"] == "undeliverable"
