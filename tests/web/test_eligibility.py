"""Eligibility for an open task cannot be changed by a key alone, by the requester, or by later changes."""

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.web.inbox.reading import reader
from tests.web.people_steps import AWAY, decide, gate, manifest, shown
from tests.web.web_env import VALIDATOR, WebEnv


async def away(web: WebEnv, who: str, delegate: str, by: str) -> Any:
    body = {"absences": [{**AWAY, "delegate": f"{delegate}@acme.example"}]}
    return await web.call("PATCH", f"/v1/people/{who}@acme.example", body, by)


async def test_stolen_key_of_an_admin_appoints_nobody_for_open_tasks(web: WebEnv) -> None:
    await web.join("carol", "admin")
    task_id = await gate(web, risk="high")
    made = await web.post("/v1/people", {"email": "mallory@evil.example", "roles": ["approver"]}, "carol")
    assert made.status == 200
    body = {"absences": [{**AWAY, "delegate": "mallory@evil.example"}]}
    moved = await web.call("PATCH", "/v1/people/ann@acme.example", body, "carol")
    assert (moved.status, moved.code) == (403, "stronger_sign_in_required")
    # and where an admin does it with the stronger sign-in, or Ann herself: it counts for what is asked from then on
    assert (await web.call("PATCH", "/v1/people/ann@acme.example", body, "ann")).status == 200
    web.keys["mallory"] = await key_of(web, "mallory@evil.example")
    mallory = await reader(web, "mallory")
    assert "Approve" not in re.findall(r"\w+", (await mallory.get(f"/tasks/{task_id}")).text)
    assert (await decide(web, task_id, "mallory", "rejected")).code == "not_an_approver"
    assert (await decide(web, await gate(web), "mallory")).status == 200


async def key_of(web: WebEnv, email: str) -> str:
    from signoff.core.directory.actors import ActorKind
    from tests.web.web_env import HOME

    directory = await web.env.directory.anew(HOME)
    person = next(one for one in directory.people.values() if one.email == email)
    return (await web.env.keys.create(HOME, ActorKind.PERSON, person.id, person.id)).secret


async def test_earlier_delegate_keeps_the_vote_when_the_dates_change(web: WebEnv) -> None:
    body = {"absences": [{"from": "2026-03-20", "until": "2026-03-25", "delegate": "emma@acme.example"}]}
    assert (await web.call("PATCH", "/v1/people/per_ann", body, "ann")).status == 200
    task_id = await gate(web)
    assert (await decide(web, task_id, "emma")).code == "not_an_approver"  # Ann is here
    assert (await away(web, "ann", "emma", "ann")).status == 200
    assert (await decide(web, task_id, "emma")).status == 200
    assert (await away(web, "ann", "otto", "ann")).status == 200
    again = await gate(web)
    assert (await away(web, "ann", "emma", "ann")).status == 200
    assert (await decide(web, again, "emma")).code == "not_an_approver"  # named after it was asked


async def test_requester_does_not_choose_the_approvers_even_as_admin(web: WebEnv) -> None:
    await web.join("dave", "admin")
    await web.join("mem", "member")
    await manifest(web)
    task_id = (await web.send("dave", intent_type="intent.guarded.v1"))[:-4] + "0001"
    await web.join("ada", "admin")
    for to in ("mem@acme.example", "team:sre", "role:admin"):
        refused = await web.post(f"/v1/tasks/{task_id}/reassign", {"to": [to]}, "dave")
        assert refused.code in ("self_approval", "stronger_sign_in_required"), refused.text
    web.keys["helper"] = (await web.post("/v1/keys", {"agent": "helper"}, "dave"))["api_key"]
    assert (await web.post(f"/v1/tasks/{task_id}/reassign", {"to": ["per_mem"]}, "helper")).status == 404
    team = {"members": ["ann@acme.example", "bob@acme.example", "mem@acme.example"]}
    assert (await web.call("PUT", "/v1/teams/sre", team, "dave")).status == 200
    assert (await decide(web, task_id, "mem")).code == "not_an_approver"


async def test_requesting_admin_adds_nobody_between_request_and_task(web: WebEnv) -> None:
    await web.join("dave", "admin")
    await web.join("mem", "member")
    flow = {
        "workflow": "two",
        "intent_type": "two.v1",
        "steps": [{"id": "check", "agent": "validator"}, {"id": "ok", "human": {"approvers": ["team:sre"]}}],
    }
    await manifest(web, workflows=[flow])
    asked_by = {who: await web.send(who, intent_type="two.v1") for who in ("dave", "rita")}
    team = {"members": ["ann@acme.example", "bob@acme.example", "mem@acme.example"]}
    assert (await web.call("PUT", "/v1/teams/sre", team, "dave")).status == 200
    for who, expected in (("dave", "not_an_approver"), ("rita", "")):
        step = asked_by[who][:-4] + "0001"
        done = await web.post(f"/v1/intents/{step}/resume", {"action": "complete", "ok": 1}, "agent")
        assert done.status == 200, done.text
        assert (await decide(web, asked_by[who][:-4] + "0002", "mem")).code == expected


async def test_own_request_cannot_be_decided_through_a_key_one_created(web: WebEnv) -> None:
    await web.join("dave", "admin")
    await manifest(web)
    task_id = (await web.send("dave", intent_type="intent.guarded.v1"))[:-4] + "0001"
    web.keys["bob"] = (await web.post("/v1/keys", {"person": "bob@acme.example"}, "dave"))["api_key"]
    answer = await web.answer(task_id, "approved", "bob")
    assert (answer.status, answer.code) == (403, "self_approval")
    bob = await reader(web, "bob")  # the session of that key is no more than the key
    page = await bob.get(f"/tasks/{task_id}")
    assert 'value="approved"' not in page.text


async def test_eligible_person_rejects_with_any_credential(web: WebEnv) -> None:
    task_id = await gate(web, risk="high")
    assert (await decide(web, task_id, "ann")).code == "stronger_sign_in_required"
    assert (await decide(web, task_id, "emma", "rejected")).code == "not_an_approver"
    said = await decide(web, task_id, "ann", "rejected")
    assert (said.status, said["intent"]["ending"]) == (200, "rejected")


async def test_service_submits_and_observes_its_own_intents(web: WebEnv) -> None:
    await web.apply_workflow()
    intent_id = await web.send("rita")
    web.keys["pipe"] = (await web.post("/v1/keys", {"service": "pipe"}, "oscar"))["api_key"]
    step = intent_id[:-4] + "0001"
    for path, body in (
        (f"/v1/intents/{intent_id}/resolve", {"status": "CANCELED"}),
        (f"/v1/intents/{intent_id}/resolve", {"status": "FAILED"}),
        (f"/v1/intents/{step}/resume", {"outcome": "completed", "result": {"risk": "low"}}),
        (f"/v1/intents/{intent_id}/controls", {"controls_patch": {"a": 1}}),
        (f"/v1/tasks/{step}/withdraw", {}),
    ):
        assert (await web.post(path, body, "pipe")).status == 404, path
    for path in (f"/v1/intents/{intent_id}", f"/v1/intents/{intent_id}/audit", f"/v1/tasks/{intent_id}"):
        assert (await web.get(path, "pipe")).status == 404
    for path in ("/v1/people", "/v1/teams", "/v1/policies", "/v1/changes"):
        assert (await web.get(path, "pipe")).status == 403
    assert (await web.get("/v1/intents", "pipe"))["intents"] == []
    assert (await web.get("/v1/tasks", "pipe"))["tasks"] == []
    everything = {"older_than_hours": 0}
    web.clock.move(timedelta(seconds=1))
    assert (await web.post("/v1/intents/bulk-cancel", everything, "pipe"))["would_cancel"] == 0
    assert (await web.post("/v1/intents/bulk-cancel", everything, "oscar"))["would_cancel"] == 1
    for path in (f"/v1/agents/{VALIDATOR}/intents", f"/v1/agents/{VALIDATOR}/intents/stream"):
        assert (await web.get(path, "pipe")).status == 403
    # nor by a key that it makes for an agent of others
    assert (await web.post("/v1/keys", {"agent": "validator"}, "pipe")).code == "not_yours"
    own = await web.send("pipe")
    assert [one["intent_id"] for one in (await web.get("/v1/intents", "pipe"))["intents"]] == [own]
    assert (await web.post(f"/v1/intents/{own}/resolve", {"status": "CANCELED"}, "pipe")).status == 200


@pytest.mark.parametrize("who", ["rita", "ann", "ci"])
async def test_only_the_agent_or_an_admin_claims_and_reports_its_work(web: WebEnv, who: str) -> None:
    await web.apply_workflow()
    intent_id = await web.send()
    claim = f"/v1/agents/{VALIDATOR}/deliveries/claim"
    assert (await web.post(claim, {}, who)).code == "agent_required"
    step = intent_id[:-4] + "0001"
    done = await web.post(f"/v1/intents/{step}/resume", {"action": "complete", "ok": 1}, who)
    assert (done.status, done.code) == (403, "agent_required")
    [taken] = (await web.post(claim, {}, "oscar"))["deliveries"]
    path = f"/v1/deliveries/{taken['delivery_id']}/report"
    assert (await web.post(path, {"token": taken["token"], "result": {"ok": 1}}, "oscar")).status == 200
    trail = (await web.get(f"/v1/intents/{intent_id}/audit", "oscar"))["events"]
    [reported] = [one for one in trail if one["type"] == "reported"]
    assert reported["summary"] == "Oscar finished step 'validate' as an admin, for the agent"


async def test_audit_trail_names_the_person_a_delegate_answered_for(web: WebEnv) -> None:
    assert (await away(web, "ann", "emma", "ann")).status == 200
    task_id = await gate(web)
    assert (await decide(web, task_id, "emma")).status == 200
    trail = (await web.get(f"/v1/intents/{task_id}/audit", "otto"))["events"]
    [answered] = [one for one in trail if one["type"] == "answered"]
    assert answered["summary"] == "Emma answered 'approved' for Ann"


async def test_hints_to_a_program_name_nobody(web: WebEnv) -> None:
    task_id = await gate(web)
    for who in ("agent", "ci"):
        asked = await web.post(
            "/v1/intents",
            {"intent_type": "x.v1", "human_task": {"title": "?"}, "on_behalf_of": "annn@acme.example"},
            who,
        )
        assert (asked.status, asked.code) == (422, "unknown_person")
        assert "ann@" not in asked.text.replace("annn@", "")
        for to in ("team:sr", "annn@acme.example"):
            refused = await web.post(f"/v1/tasks/{task_id}/reassign", {"to": [to]}, who)
            assert refused.status in (403, 404)
            assert "sre" not in refused.text
    person = await web.post(f"/v1/tasks/{task_id}/delegate", {"to": "annn@acme.example"}, "ann")
    assert "ann@acme.example" in person["error"]["hint"]
    assert (await shown(web, task_id))["votes"] == []


async def test_last_key_of_the_last_owner_is_kept_if_no_sign_in_link_can_be_mailed(web: WebEnv) -> None:
    async def keys_of(who: str) -> list[str]:
        found = (await web.get("/v1/keys", "oscar"))["keys"]
        return [k["key_id"] for k in found if k["holder_id"] == f"per_{who}" and k["status"] == "active"]

    [last] = await keys_of("oscar")
    refused = await web.post(f"/v1/keys/{last}/revoke", {}, "oscar")
    assert (refused.status, refused.code) == (409, "last_owner")
    short = await web.post("/v1/keys", {"person": "oscar@acme.example", "expires_in_seconds": 3600}, "oscar")
    web.clock.move(timedelta(hours=2))
    assert short.status == 200
    assert (await web.post(f"/v1/keys/{last}/revoke", {}, "oscar")).code == "last_owner"  # the other is over
    web.state.accounts.mails = lambda: True
    assert (await web.post(f"/v1/keys/{last}/revoke", {}, "oscar")).status == 200
