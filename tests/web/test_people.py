"""Who decides, over HTTP: people, teams, policies, the manifest, and actions on a task other than answering it."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import system
from signoff.core.errors import Invalid
from signoff.core.formats.manifest import compile_manifest
from signoff.notify.registry import personal_channels
from tests.web.inbox.reading import reader
from tests.web.people_steps import MANIFEST, TYPE, decide, gate, manifest, shown
from tests.web.web_env import ELSEWHERE, HOME, WebEnv


async def test_manifest_is_previewed_applied_and_changes_nothing_the_second_time(web: WebEnv) -> None:
    dry = await web.post("/v1/apply?dry_run=true", MANIFEST, "oscar")
    wanted = [
        ("create", "person", "bob@acme.example"),
        ("change", "person", "ann@acme.example"),
        ("create", "team", "sre"),
        ("create", "policy", "guarded"),
        ("create", "workflow", TYPE),
    ]
    assert [(c["action"], c["kind"], c["name"]) for c in dry["changes"]] == wanted
    assert (await web.get("/v1/teams", "ann"))["teams"] == []
    await manifest(web)
    again = await web.post("/v1/apply", MANIFEST, "oscar")
    assert (again["changed"], {c["action"] for c in again["changes"]}) == (False, {"unchanged"})
    recorded = (await web.get("/v1/changes", "oscar"))["changes"]
    assert [(c["kind"], c["name"]) for c in reversed(recorded[:5])] == [
        (kind, name) for _, kind, name in wanted
    ]
    assert recorded[0]["actor"]["id"] == "per_oscar"
    [ann] = [c for c in recorded if c["name"] == "ann@acme.example"]
    assert (ann["fields"], ann["before"]["zone"], ann["after"]["zone"]) == (
        ["preferences", "zone"],
        "",
        "America/New_York",
    )


async def test_mistake_in_the_manifest_changes_nothing(web: WebEnv) -> None:
    wrong = {**MANIFEST, "policies": {"guarded": {"approve": [{"any": ["team:sr"]}]}}}
    answer = await web.post("/v1/apply", wrong, "oscar")
    assert (answer.status, answer.code) == (422, "unknown_team")
    assert "sre" in answer["error"]["hint"]
    assert (await web.get("/v1/teams", "ann"))["teams"] == []
    assert (await web.get("/v1/policies", "ann"))["policies"] == []


async def test_only_admins_apply_and_people_change_their_own_settings(web: WebEnv) -> None:
    assert (await web.post("/v1/apply", MANIFEST, "ann")).code == "admin_required"
    assert (await web.post("/v1/apply", MANIFEST, "ci")).code == "admin_required"
    own = {"absences": [{"from": "2026-03-02", "until": "2026-03-06", "delegate": "otto@acme.example"}]}
    changed = await web.call("PATCH", "/v1/people/per_ann", own, "ann")
    assert changed["person"]["absences"] == [
        {"from": "2026-03-02T00:00:00Z", "until": "2026-03-07T00:00:00Z", "delegate": "otto@acme.example"}
    ]
    for body in ({"roles": ["owner"]}, {"active": True}, {"addresses": {"email": "x@y.example"}}):
        assert (await web.call("PATCH", "/v1/people/per_ann", body, "ann")).code == "admin_required"
    assert (await web.call("PATCH", "/v1/people/per_otto", own, "ann")).code == "admin_required"
    assert (await web.call("PATCH", "/v1/people/per_oscar", {"active": False}, "oscar")).code == "last_owner"


async def test_two_stages_are_decided_by_their_own_people_in_turn(web: WebEnv) -> None:
    task_id = await gate(web)
    early = await decide(web, task_id, "otto")
    assert (early.status, early.code) == (403, "not_an_approver")
    first = await decide(web, task_id, "ann")
    assert first["task"]["state"] == "open"
    assert (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"]["stage"] == 2
    done = await decide(web, task_id, "otto")
    assert (done["intent"]["status"], done["task"]["ending"]) == ("COMPLETED", "approved")


async def test_policy_that_requires_a_session_refuses_a_key_with_the_reason(web: WebEnv) -> None:
    task_id = await gate(web, risk="high")
    task = await shown(web, task_id)
    for client in ("signoff-cli/1.0", "axme/1.0", "curl/8"):
        seen = {"outcome": "approved", "revision": task["revision"], "digest": task["digest"]}
        answer = await web.call("POST", f"/v1/tasks/{task_id}/answer", seen, "ann", user_agent=client)
        assert (answer.status, answer.code) == (403, "stronger_sign_in_required")
        assert answer["error"]["message"] == (
            "This decision requires a sign-in by e-mail; a key, a chat account or a link from a message is not enough."
        )
        assert "task's page" in answer["error"]["hint"]
    assert (await shown(web, task_id))["votes"] == []
    ann = await reader(web, "ann")
    assert (await ann.decide(task_id, "approved", "?open=1")).status == 303
    assert [vote["person"] for vote in (await shown(web, task_id))["votes"]] == ["per_ann"]


async def test_open_task_keeps_its_people_and_policy(web: WebEnv) -> None:
    task_id = await gate(web)
    looser = {**MANIFEST["policies"]["guarded"], "approve": [{"any": ["role:member", "role:approver"]}]}
    team = {**MANIFEST["teams"]["sre"], "members": ["bob@acme.example", "emma@acme.example"]}
    await manifest(web, policies={"guarded": looser}, teams={"sre": team})
    assert (await decide(web, task_id, "rita")).code in {"not_an_approver", "self_approval"}
    assert (await decide(web, task_id, "emma")).code == "not_an_approver"  # joined after it was asked
    assert (await decide(web, task_id, "ann")).code == "not_an_approver"  # left meanwhile
    assert (await web.get(f"/v1/tasks/{task_id}/explain", "ann"))["policy"] == "guarded@1"


async def test_human_step_that_only_the_requesters_side_could_pass_is_refused(web: WebEnv) -> None:
    flow = {
        "workflow": "own",
        "intent_type": "own.v1",
        "steps": [{"id": "ok", "human": {"approvers": ["role:owner"]}}],
    }
    await manifest(web, workflows=[flow])
    refused = await web.post(
        "/v1/intents", {"intent_type": "own.v1", "payload": {}}, "ci"
    )  # its key is oscar's
    assert (refused.status, refused.code) == (422, "nobody_eligible")


async def test_delegate_answers_exactly_during_the_absence(
    web: WebEnv,
) -> None:
    away = {"from": "2026-03-02T08:00:00Z", "until": "2026-03-02T10:00:00Z", "delegate": "emma@acme.example"}
    assert (await web.call("PATCH", "/v1/people/per_ann", {"absences": [away]}, "ann")).status == 200
    task_id = await gate(web)
    explained = await web.get(f"/v1/tasks/{task_id}/explain", "otto")
    assert {(d["person"], d.get("instead_of")) for d in explained["may_decide"]} >= {
        ("emma@acme.example", "ann@acme.example")
    }
    assert explained["asked"] == ["emma@acme.example"]
    web.clock.move(timedelta(hours=1))
    assert (await decide(web, task_id, "emma")).code == "not_an_approver"
    web.clock.move(timedelta(minutes=-1))
    voted = await decide(web, task_id, "emma")
    assert voted.status == 200
    trail = (await web.get(f"/v1/intents/{task_id}/audit", "ann"))["events"]
    [answered] = [e["event"] for e in trail if e["type"] == "answered"]
    assert answered["principal"] == "per_ann"


async def test_task_is_delegated_once_and_never_to_the_requesters_side(web: WebEnv) -> None:
    task_id = await gate(web)
    path = f"/v1/tasks/{task_id}/delegate"
    assert (await web.post(path, {"to": "oscar@acme.example"}, "ann")).code == "self_approval"
    assert (await web.post(path, {"to": "aud@acme.example"}, "ann")).code == "not_an_approver"
    assert (await web.post(path, {"to": "oto@acme.example"}, "ann")).code == "unknown_person"
    assert (await web.post(path, {"to": "emma@acme.example", "comment": "please"}, "ann")).status == 200
    assert (await web.post(path, {"to": "otto@acme.example"}, "emma")).code == "delegation_not_transitive"
    assert (await decide(web, task_id, "ann")).code == "not_an_approver"
    assert (await decide(web, task_id, "emma")).status == 200


async def test_only_an_admin_reassigns(web: WebEnv) -> None:
    await web.join("adam", "admin")
    task_id = await gate(web)
    path = f"/v1/tasks/{task_id}/reassign"
    assert (await web.post(path, {"to": ["emma@acme.example"]}, "ann")).code == "admin_required"
    own = await web.post(path, {"to": ["emma@acme.example"]}, "oscar")  # who stands behind the key that asked
    assert own.code == "self_approval"
    for to, code in (
        ([], "validation_error"),
        (["team:nope"], "unknown_team"),
        (["nobody"], "nobody_eligible"),
    ):
        refused = await web.post(path, {"to": to}, "adam")
        assert (refused.code, refused.json["error"]["field"]) == (code, "to")
    assert (await web.post(path, {"to": ["person:Emma@acme.example"]}, "adam")).status == 200
    assert (await decide(web, task_id, "ann")).code == "not_an_approver"
    assert (await decide(web, task_id, "emma")).status == 200


async def test_task_is_marked_commented_and_withdrawn(web: WebEnv) -> None:
    task_id = await gate(web)
    assert (await web.post(f"/v1/tasks/{task_id}/mark-reviewing", {}, "ann"))["task"][
        "reviewed_by"
    ] == "per_ann"
    assert "reviewed_by" not in (await web.post(f"/v1/tasks/{task_id}/unmark-reviewing", {}, "ann"))["task"]
    assert (await web.post(f"/v1/tasks/{task_id}/comment", {"comment": "why now?"}, "aud")).status == 200
    assert (
        await web.post(f"/v1/tasks/{task_id}/comment", {"comment": " "}, "ann")
    ).code == "comment_required"
    assert (await web.post(f"/v1/tasks/{task_id}/withdraw", {}, "ann")).code == "not_yours"
    gone = await web.post(f"/v1/tasks/{task_id}/withdraw", {"comment": "not needed"}, "ci")
    assert (gone["intent"]["status"], gone["intent"]["ending"]) == ("CANCELED", "withdrawn")
    assert (await web.post(f"/v1/tasks/{task_id}/withdraw", {}, "ci")).code == "already_decided"


async def test_time_zone_can_be_cleared(web: WebEnv) -> None:
    path = "/v1/people/ann@acme.example"
    for zone in ("Europe/Berlin", ""):
        answer = await web.call("PATCH", path, {"zone": zone}, "ann")
        assert (answer.status, answer["person"]["zone"]) == (200, zone)
    ann = await reader(web, "ann")
    for zone in ("Europe/Berlin", ""):
        assert (await ann.post("/people/per_ann/time", zone=zone)).status == 303
        [shown] = [p for p in (await web.get("/v1/people", "ann"))["people"] if p["id"] == "per_ann"]
        assert shown["zone"] == zone


async def test_empty_comment_is_refused(web: WebEnv) -> None:
    task_id = await gate(web)
    for act in ("mark-reviewing", "unmark-reviewing", "unsnooze"):
        answer = await web.post(f"/v1/tasks/{task_id}/{act}", {"comment": "on it"}, "ann")
        assert (answer.status, answer.code) == (422, "unknown_field"), act
    empty = await web.post(f"/v1/tasks/{task_id}/comment", {"comment": " "}, "ann")
    assert (empty.status, empty["error"]["field"]) == (422, "comment")


async def test_revision_replaces_the_request_and_puts_its_editor_on_the_requesters_side(
    web: WebEnv,
) -> None:
    task_id = await gate(web)
    old = await shown(web, task_id)
    path = f"/v1/tasks/{task_id}/revise"
    assert (await web.post(path, {"payload": old["payload"]}, "ann")).code == "nothing_changed"
    assert (await web.post(path, {"payload": {"a": 1}, "digest": "0" * 64}, "ann")).code == "stale_revision"
    revised = await web.post(
        path, {"payload": {"a": 1}, "comment": "smaller", "digest": old["digest"]}, "ann"
    )
    assert (revised["task"]["revision"], revised["task"]["payload"]) == (2, {"a": 1})
    stale = await web.answer(task_id, "approved", "ann", digest=old["digest"])
    assert stale.code in {"stale_revision", "self_approval"}
    assert (await decide(web, task_id, "ann")).code == "self_approval"
    assert (await web.get(f"/v1/intents/{task_id[:-4]}0000", "ann"))["payload"] == {"a": 1}
    kept = await web.get(f"/v1/intents/{task_id[:-4]}0000/revisions", "otto")
    assert [(r["revision"], r["payload"]) for r in kept["revisions"]] == [(1, old["payload"]), (2, {"a": 1})]
    assert (await web.get(f"/v1/intents/{task_id[:-4]}0000/audit", "ann"))["verified"] is True


async def test_explanation_names_eligible_people_and_every_upcoming_contact(web: WebEnv) -> None:
    task_id = await gate(web)
    explained = await web.get(f"/v1/tasks/{task_id}/explain", "ann")
    assert [(s["number"], s["state"], s["missing"]) for s in explained["stages"]] == [
        (1, "open", 1),
        (2, "next", 1),
    ]
    contacts = [(c["kind"], c["at"][11:16], c["people"]) for c in explained["contacts"]]
    assert contacts == [
        ("reminder", "09:05", ["ann@acme.example"]),
        ("reminder", "09:35", ["ann@acme.example"]),
        ("escalation", "10:00", ["emma@acme.example"]),
        ("deadline", "17:00", ["ann@acme.example", "emma@acme.example", "oscar@acme.example"]),
    ]
    later = await web.get("/v1/policies/guarded/explain?at=2026-03-09T09:00:00%2B01:00", "ann")
    assert later["asked"] == ["bob@acme.example"]
    assert later["contacts"][0]["people"] == ["bob@acme.example"]
    assert (await web.get("/v1/policies/nope/explain", "ann")).code == "policy_not_found"
    assert (await web.get("/v1/policies/guarded/explain?at=soon", "ann")).code == "validation_error"


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"aprove": []}, "policy.aprove"),
        ({"approve": [{"any": ["x"]}]}, "policy.approve[0].any"),
        ({"strength": "step_up"}, "policy.strength"),
        ({"strength": "link", "risk": "high"}, "policy.strength"),
        ({"deadline": "1h", "on_timeout": "outcome:approved"}, "policy.on_timeout"),
        ({"on_timeout": "reject"}, "policy.on_timeout"),
        ({"hours": {"zone": "Berlin"}}, "policy.hours.zone"),
        ({"remind": "2h", "deadline": "1h"}, "policy.remind"),
    ],
)
async def test_invalid_policy_is_refused_by_field(web: WebEnv, policy: Any, field: str) -> None:
    refused = await web.post("/v1/policies", {"name": "p", "policy": policy}, "oscar")
    assert (refused.status, refused["error"]["field"]) == (422, field)
    assert refused["error"]["hint"]


async def test_approval_by_expiry_requires_low_risk_and_the_workspace_setting(web: WebEnv) -> None:
    lenient = {"deadline": "1h", "risk": "low", "on_timeout": "outcome:approved"}
    flow = {"workflow": "x", "intent_type": "x.v1", "steps": [{"id": "ok", "human": {"policy": "lenient"}}]}
    manifests = {"policies": {"lenient": lenient}, "workflows": [flow]}
    assert (await web.post("/v1/apply", manifests, "oscar")).code == "positive_fallback"
    allowed = {**manifests, "workspace": {"positive_fallback": True}}
    assert (await web.post("/v1/apply", allowed, "oscar")).status == 200
    intent_id = await web.send(intent_type="x.v1")
    await web.env.pass_time(timedelta(hours=1))
    intent = (await web.get(f"/v1/intents/{intent_id}"))["intent"]
    assert (intent["status"], intent["ending"]) == ("COMPLETED", "expired")


@pytest.mark.parametrize("dry_run", [True, False])
async def test_turning_approval_by_expiry_off_names_the_policies_that_rely_on_it(
    web: WebEnv, dry_run: bool
) -> None:
    lenient = {"deadline": "1h", "risk": "low", "on_timeout": "outcome:approved"}
    policies = {f"p{number:02}": lenient for number in range(11)}
    flow = {"workflow": "x", "intent_type": "x.v1", "steps": [{"id": "ok", "human": {"policy": "p00"}}]}
    manifest = {"policies": policies, "workflows": [flow], "workspace": {"positive_fallback": True}}
    assert (await web.post("/v1/apply", manifest, "oscar")).status == 200
    before = await web.send(intent_type="x.v1")
    query = "?dry_run=true" if dry_run else ""
    off = await web.post(f"/v1/apply{query}", {"workspace": {"positive_fallback": False}}, "oscar")
    [warning] = off["warnings"]
    assert "p00, p01, p02, p03, p04, p05, p06, p07, p08, p09 and 1 more; open tasks are unaffected" in warning
    again = await web.post(f"/v1/apply{query}", {"workspace": {"positive_fallback": dry_run}}, "oscar")
    assert again["warnings"] == []
    if not dry_run:
        refused = await web.post("/v1/intents", {"intent_type": "x.v1", "payload": {}}, "ci")
        assert refused.code == "positive_fallback"
    await web.env.pass_time(timedelta(hours=1))
    assert await web.status(before) == "COMPLETED"


@pytest.mark.parametrize(
    ("asks", "word"),
    [
        ({"type": "form", "form": {"properties": {"n": {"type": "integer"}}}}, "submitted"),
        ({"type": "manual_action"}, "completed"),
        ({"type": "clarification"}, "provided"),
        ({"type": "assignment"}, "assigned"),
        ({"type": "approval", "comment_required": True}, "approved"),
    ],
)
async def test_approval_by_expiry_is_refused_for_a_task_that_requires_input(
    web: WebEnv, asks: dict[str, Any], word: str
) -> None:
    policy = {"deadline": "1h", "risk": "low", "on_timeout": f"outcome:{word}"}
    flow = {
        "workflow": "x",
        "intent_type": "x.v1",
        "steps": [{"id": "ok", "human": {**asks, "policy": policy}}],
    }
    applied = {"workspace": {"positive_fallback": True}, "workflows": [flow]}
    refused = await web.post("/v1/apply", applied, "oscar")
    assert (refused.status, refused.code) == (422, "positive_fallback"), refused.text
    assert "an expiry cannot count" in refused["error"]["message"]


async def test_inactive_person_can_do_nothing_and_their_earlier_vote_does_not_count(
    web: WebEnv,
) -> None:
    two = {"approve": [{"any": ["ann@acme.example", "otto@acme.example", "emma@acme.example"], "need": 2}]}
    flow = {"workflow": "two", "intent_type": "two.v1", "steps": [{"id": "ok", "human": {"policy": two}}]}
    await manifest(web, workflows=[flow])
    task_id = (await web.send(intent_type="two.v1"))[:-4] + "0001"
    assert (await decide(web, task_id, "otto")).status == 200
    assert (await web.call("PATCH", "/v1/people/otto@acme.example", {"active": False}, "oscar")).status == 200
    assert (await web.get("/v1/me", "otto")).status == 401
    assert (await decide(web, task_id, "ann"))["task"]["state"] == "open"
    assert (await decide(web, task_id, "emma"))["intent"]["status"] == "COMPLETED"


async def test_withdrawal_is_idempotent(web: WebEnv) -> None:
    task_id = await gate(web)
    once = await web.post(f"/v1/tasks/{task_id}/withdraw", {"comment": "no"}, "ci", idempotency_key="one")
    again = await web.post(f"/v1/tasks/{task_id}/withdraw", {"comment": "no"}, "ci", idempotency_key="one")
    assert (again.status, again.text) == (once.status, once.text) == (200, once.text)


async def test_adding_a_second_person_warns_that_requesters_may_approve(web: WebEnv) -> None:
    there = await web.env.store.directory.workspace(ELSEWHERE)
    assert there is not None
    await web.env.store.people.save([replace(there, self_approval=True)])  # as the first start makes it
    web.env.directory.changed(ELSEWHERE)
    for path, body in (
        ("/v1/people", {"email": "second@other.example"}),
        ("/v1/people", {"email": "third@other.example"}),
        ("/v1/apply", {"workspace": {"self_approval": False}}),
        ("/v1/people", {"email": "fourth@other.example"}),
    ):
        answer = await web.post(path, body, "sam")
        assert answer.status == 200, answer.text
        said = "self-approval is allowed here" in str(answer["warnings"])
        assert said == (body == {"email": "second@other.example"}), answer.text


async def test_every_spelling_of_a_mailbox_is_one_person(web: WebEnv) -> None:
    for email in ("ann@acme.example.", "ann@acme。example", "<ann@acme.example>", "a@b.example,c@d.example"):
        refused = await web.post("/v1/people", {"email": email, "roles": ["approver"]}, "oscar")
        assert (refused.status, refused.code) == (422, "invalid_email"), email
    there = await web.post("/v1/people", {"email": "person:ann@acme.example", "roles": ["member"]}, "oscar")
    assert (there.status, there.code) == (422, "invalid_email")
    key = await web.post("/v1/keys", {"person": "person:ann@acme.example", "roles": ["member"]}, "oscar")
    assert (key.status, key.code) == (422, "invalid_email")
    made = await web.post("/v1/people", {"email": "uwe@bücher.example", "roles": ["approver"]}, "oscar")
    assert made.status == 200
    same = {"email": "uwe@xn--bcher-kva.example", "roles": ["approver"]}
    assert (await web.post("/v1/people", same, "oscar")).code == "mailbox_taken"
    other = {"email": "u@acme.example", "addresses": {"email": "uwe@bücher.example"}}
    assert (await web.post("/v1/people", other, "oscar")).code == "mailbox_taken"
    # whose account is closed has it no more, and gets it back only while nobody else has it
    id = made["person"]["id"]
    assert (await web.call("PATCH", f"/v1/people/{id}", {"active": False}, "oscar")).status == 200
    assert (await web.post("/v1/people", same, "oscar")).status == 200
    assert (await web.call("PATCH", f"/v1/people/{id}", {"active": True}, "oscar")).code == "mailbox_taken"


async def test_person_described_twice_is_refused(web: WebEnv) -> None:
    twice = {"Zoe@acme.example": {"roles": ["member"]}, "zoe@acme.example": {"roles": ["approver"]}}
    refused = await web.post("/v1/apply", {"people": twice}, "oscar")
    assert (refused.status, refused.code) == (422, "duplicate_person")
    ann = {"ann@acme.example": {"name": "Ann"}, "person:ann@acme.example": {"roles": ["owner"]}}
    assert (await web.post("/v1/apply", {"people": ann}, "oscar")).code == "duplicate_person"


@pytest.mark.parametrize(
    ("who", "change"),
    [
        ("ann", {"roles": ["owner"]}),
        ("ann", {"roles": ["approver", "owner"], "name": "Ann"}),
        ("ada", {"roles": ["admin", "owner"]}),
        ("olga", {"roles": ["admin"]}),
        ("olga", {"roles": []}),
        ("olga", {"active": False}),
    ],
)
async def test_only_an_owner_grants_and_removes_the_owner_role(
    who: str, change: dict[str, Any], web: WebEnv
) -> None:
    await web.join("ada", "admin")
    await web.join("olga", "owner")
    path, before = f"/v1/people/{who}@acme.example", (await web.env.directory.of(HOME)).people[f"per_{who}"]
    for refused in (
        await web.call("PATCH", path, change, "ada"),
        await web.post("/v1/apply", {"people": {f"{who}@acme.example": change}}, "ada"),
        await web.post("/v1/people", {"email": "new@acme.example", "roles": ["owner"]}, "ada"),
    ):
        assert (refused.status, refused.code) == (403, "owner_required")
    directory = await web.env.directory.anew(HOME)
    assert directory.people[f"per_{who}"] == before
    assert "new@acme.example" not in directory.by_email
    assert (await web.call("PATCH", path, change, "oscar")).status == 200


async def test_admin_changes_other_fields_of_an_owner(web: WebEnv) -> None:
    await web.join("ada", "admin")
    await web.join("olga", "owner")
    path = "/v1/people/olga@acme.example"
    for change in ({"name": "Olga"}, {"roles": ["owner", "approver"]}, {"active": True}):
        assert (await web.call("PATCH", path, change, "ada")).status == 200
    assert (await web.call("PATCH", path, {"active": False}, "oscar")).status == 200
    back = await web.call("PATCH", path, {"active": True}, "ada")
    assert (back.status, back.code) == (403, "owner_required"), "an owner has taken it away"
    assert (await web.call("PATCH", path, {"active": True}, "oscar")).status == 200


async def test_protection_needs_two_active_admins_and_continues_with_one(web: WebEnv) -> None:
    protect = {"workspace": {"protected": True}}
    await web.join("ada", "admin")
    ada = "/v1/people/ada@acme.example"
    assert (await web.call("PATCH", ada, {"active": False}, "oscar")).status == 200
    refused = await web.post("/v1/apply", protect, "oscar")
    assert (refused.code, refused["error"]["field"]) == ("too_few_admins", "workspace.protected")
    assert (await web.call("PATCH", ada, {"active": True}, "oscar")).status == 200
    assert (await web.post("/v1/apply", protect, "oscar")).status == 200
    assert (await web.call("PATCH", ada, {"active": False}, "oscar")).status == 200
    assert (await web.post("/v1/apply", protect, "oscar"))["changed"] is False


async def test_renamed_workflow_is_a_new_version(web: WebEnv) -> None:
    steps = [{"id": "ok", "human": {"title": "Go?"}}]
    for name, version in (("first", 1), ("first", 1), ("second", 2)):
        flow = {"workflow": name, "intent_type": "intent.named.v1", "steps": steps}
        assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
        shown = (await web.get("/v1/workflows/intent.named.v1", "oscar"))["workflow"]
        assert (shown["name"], shown["version"]) == (name, version)


async def test_nobody_gets_the_mail_of_another_person(web: WebEnv) -> None:
    for address, taken in (("emma@acme.example", True), ("ann@elsewhere.example", False)):
        said = {"people": {"ann@acme.example": {"addresses": {"email": address}}}}
        changed = web.env.manifests.apply(system(HOME), compile_manifest(said, personal_channels()))
        if taken:
            with pytest.raises(Invalid, match="is the mailbox of emma"):
                await changed
        else:
            await changed


async def test_absence_must_have_a_duration(web: WebEnv) -> None:
    begin = "2026-03-10T09:00:00Z"
    for end, status in ((begin, 422), ("2026-03-10T09:00:01Z", 200)):
        away = {"absences": [{"from": begin, "until": end}]}
        answer = await web.call("PATCH", "/v1/people/ann@acme.example", away, "ann")
        assert answer.status == status, answer.text


async def test_inactive_person_stays_a_team_member_and_cannot_be_added(web: WebEnv) -> None:
    members = {"members": ["ann@acme.example", "otto@acme.example"]}
    assert (await web.call("PUT", "/v1/teams/old", members, "oscar")).status == 200
    gone = await web.call("PATCH", "/v1/people/otto@acme.example", {"active": False}, "oscar")
    assert gone.status == 200
    assert (await web.call("PUT", "/v1/teams/old", members, "oscar")).status == 200
    assert (
        await web.call("PUT", "/v1/teams/other", {"members": ["ann@acme.example"]}, "oscar")
    ).status == 200
    for team in ("new", "other"):
        refused = await web.call("PUT", f"/v1/teams/{team}", members, "oscar")
        assert (refused.status, refused.code) == (422, "unknown_person")


async def test_rotation_applied_again_continues(web: WebEnv) -> None:
    members = ["ann@acme.example", "otto@acme.example"]
    turns = {"handover": "monday 09:00", "zone": "UTC"}
    team = {"teams": {"oncall": {"members": members, "rotation": turns}}}
    assert (await web.post("/v1/apply", team, "oscar"))["changed"] is True
    first = (await web.env.directory.of(HOME)).teams["oncall"].rotation
    web.clock.move(timedelta(days=8))
    assert (await web.post("/v1/apply", team, "oscar"))["changed"] is False
    assert (await web.env.directory.anew(HOME)).teams["oncall"].rotation == first
    turns["handover"] = "tuesday 09:00"
    assert (await web.post("/v1/apply", team, "oscar"))["changed"] is True


@pytest.mark.parametrize(
    ("policy", "code", "field"),
    [
        ({"approve": [{"any": ["ann@acme.example"], "need": 2}]}, "nobody_eligible", "approve[0]"),
        ({"approve": [{"any": ["nobody@acme.example"]}]}, "unknown_person", "approve[0]"),
        ({"approve": [{"any": ["per_nobody", "per_ann"]}]}, "unknown_person", "approve[0]"),
        ({"approve": [{"any": ["team:nobodies"]}]}, "unknown_team", "approve[0]"),
        ({"escalate": [{"after": "1h", "to": ["nobody@acme.example"]}]}, "unknown_person", "escalate[0]"),
        ({"escalate": [{"after": "1h", "to": ["team:nobodies"]}]}, "unknown_team", "escalate[0]"),
    ],
)
async def test_policy_must_name_enough_existing_people(
    policy: dict[str, Any], code: str, field: str, web: WebEnv
) -> None:
    whole = {"approve": [{"any": ["ann@acme.example"]}], "deadline": "8h", **policy}
    for path, body in (
        ("/v1/policies", {"name": "p", "policy": whole}),
        ("/v1/apply", {"policies": {"p": whole}}),
    ):
        refused = await web.post(path, body, "oscar")
        assert (refused.status, refused.code, refused["error"]["field"]) == (422, code, f"policies.p.{field}")
    assert (await web.get("/v1/policies", "oscar"))["policies"] == []
