"""Changes of who decides are recorded, do not affect open tasks, and take two admins in a protected workspace."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.web.inbox.mailing import mailing, mails_sent
from tests.web.inbox.reading import Reader, reader
from tests.web.policy_steps import (
    MANIFEST,
    POLICY,
    PROTECTED,
    STRICTER,
    applied,
    confirmed,
    decide,
    gate,
    policy,
    quorum,
)
from tests.web.web_env import WebEnv

# -- what waits already


async def test_lower_quorum_applies_to_later_tasks_only(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    await applied(web, policy(risk="medium"))
    task_id = await gate(web)
    await applied(web, policy(approve=[{"any": ["team:sre"], "need": 1}], escalate=[], risk="medium"))
    assert (await decide(web, task_id, "ann"))["task"]["state"] == "open"
    assert (await quorum(web, task_id), await quorum(web, await gate(web))) == (2, 1)
    assert (await decide(web, task_id, "otto"))["intent"]["status"] == "COMPLETED"


async def test_role_or_team_gained_later_decides_no_open_task(web: WebEnv) -> None:
    await applied(web, {**MANIFEST, "teams": {"sre": {"members": ["ann@acme.example", "otto@acme.example"]}}})
    await applied(web, policy(risk="medium"))
    task_id = await gate(web)
    await applied(web, {"people": {"rita@acme.example": {"roles": ["owner"]}}, "teams": MANIFEST["teams"]})
    for who in ("rita", "emma"):
        assert (await decide(web, task_id, who)).code == "not_an_approver"
    assert (await decide(web, await gate(web), "rita")).status == 200


async def test_changed_times_apply_to_later_tasks_only(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    task_id = await gate(web)
    before = await web.get(f"/v1/tasks/{task_id}/explain", "ann")
    await applied(web, policy(deadline="30d", escalate=[{"after": "1m", "to": ["rita@acme.example"]}]))
    after = await web.get(f"/v1/tasks/{task_id}/explain", "ann")
    assert (after["contacts"], after["due_at"]) == (before["contacts"], before["due_at"])


async def test_every_change_records_its_author_and_the_state_before(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    await applied(web, policy(deadline="4h"), "otto")
    otto = await reader(web, "otto")
    there = [("role", "approver"), ("active", "1"), ("name", "Ann"), ("address_email", "ann@else.example")]
    web.clock.move(timedelta(milliseconds=1))  # what is done in one millisecond has no order
    assert (await otto.post("/people/per_ann/details", there)).status == 303
    address, changed = (await web.get("/v1/changes?limit=2", "aud"))["changes"]
    assert (changed["kind"], changed["name"], changed["actor"]["id"]) == ("policy", "guarded", "per_otto")
    assert (changed["before"]["version"], changed["after"]["version"]) == (1, 2)
    assert (changed["before"]["source"]["deadline"], changed["after"]["source"]["deadline"]) == ("8h", "4h")
    assert (address["fields"], address["actor"]["id"]) == (["addresses"], "per_otto")


# -- two admins


LOOSER: dict[str, dict[str, Any]] = {
    "fewer people": policy(approve=[{"any": ["team:sre", "role:owner"], "need": 1}]),
    "more rejections": policy(approve=[{"any": ["team:sre", "role:owner"], "need": 2, "reject_after": 2}]),
    "other people": policy(approve=[{"any": ["team:sre", "role:owner", "role:member"], "need": 2}]),
    "no second stage": policy(approve=[{"any": ["role:owner", "role:admin", "role:approver"]}]),
    "the requester too": policy(self_approval=True),
    "a lower risk and with it a weaker sign-in": policy(risk="medium"),
    "a lower risk": policy(risk="medium", strength="session"),
    "a longer ladder": policy(escalate=[{"after": "1h", "to": ["emma@acme.example", "rita@acme.example"]}]),
    "an earlier ladder": policy(escalate=[{"after": "1m", "to": ["emma@acme.example"]}]),
    "more time": policy(deadline="9h"),
    "no deadline": {"policies": {"guarded": {n: v for n, v in POLICY.items() if n != "deadline"}}},
    "a way on after silence": policy(on_timeout="goto:ok"),
    "one more in the team": {
        "teams": {"sre": {"members": [f"{n}@acme.example" for n in ("ann", "otto", "emma", "rita")]}}
    },
    "one more role": {"people": {"rita@acme.example": {"roles": ["member", "approver"]}}},
    "somebody new who decides": {"people": {"new@acme.example": {}}},
    "another address": {"people": {"ann@acme.example": {"addresses": {"email": "eve@evil.example"}}}},
    "a say for the one who changes it": {
        "people": {
            "ann@acme.example": {
                "absences": [{"from": "2026-03-02", "until": "2026-04-02", "delegate": "otto@acme.example"}]
            }
        }
    },
    "another plan": {
        "workflows": [{**MANIFEST["workflows"][0], "steps": [{"id": "go", "agent": "validator"}]}]
    },
    "self-approval": {"workspace": {"self_approval": True}},
    "no protection": {"workspace": {"protected": False}},
}


@pytest.mark.parametrize("what", LOOSER)
async def test_relaxation_waits_for_a_second_admin(web: WebEnv, what: str) -> None:
    await applied(web, PROTECTED)
    before = [
        (await web.get(path, "otto")).json
        for path in ("/v1/policies", "/v1/teams", "/v1/people", "/v1/workflows")
    ]
    dry = await web.post("/v1/apply?dry_run=true", LOOSER[what], "otto")
    assert (dry["proposal"]["id"], dry["changed"]) == ("", True), dry.text
    assert (await web.get("/v1/proposals", "otto"))["proposals"] == []
    proposal = (await applied(web, LOOSER[what], "otto"))["proposal"]
    assert (proposal["state"], proposal["proposed_by"]["id"]) == ("waiting", "per_otto")
    now = [
        (await web.get(path, "otto")).json
        for path in ("/v1/policies", "/v1/teams", "/v1/people", "/v1/workflows")
    ]
    assert now == before
    path = f"/v1/proposals/{proposal['id']}/confirm"
    assert (await web.post(path, {}, "otto")).code == "second_person_required"
    assert (await web.post(path, {}, "ann")).code == "admin_required"
    assert (await web.post(path, {}, "ci")).code == "admin_required"
    assert (await web.post(path, {}, "sam")).code == "proposal_not_found"
    assert (await web.post(path, {}, "oscar")).code == "stronger_sign_in_required"
    assert (await confirmed(web, proposal["id"])).status == 303
    assert (await web.get(f"/v1/proposals/{proposal['id']}", "oscar"))["proposal"]["state"] == "confirmed"
    assert (await web.post(path, {}, "oscar")).code == "proposal_ended"
    recorded = (await web.get("/v1/changes?limit=1", "aud"))["changes"][0]
    assert (recorded["actor"]["id"], recorded["confirmed_by"]["id"]) == ("per_otto", "per_oscar")
    assert not (await web.post("/v1/apply?dry_run=true", LOOSER[what], "otto"))["changed"]


@pytest.mark.parametrize("what", STRICTER)
async def test_equal_or_stricter_change_applies_at_once(web: WebEnv, what: str) -> None:
    await applied(web, PROTECTED)
    answer = await applied(web, STRICTER[what], "otto")
    assert (answer["changed"], "proposal" in answer.json) == (True, False)


AGAIN: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "team": (
        {"teams": {"extra": {"members": ["ann@acme.example", "emma@acme.example"]}}},
        {"teams": {"extra": {"members": ["ann@acme.example"]}}},
        {"teams": {"extra": {"members": ["ann@acme.example", "rita@acme.example"]}}},
    ),
    "policy": (
        {"policies": {"extra": POLICY}},
        {"policies": {"extra": {**POLICY, "deadline": "4h"}}},
        {"policies": {"extra": {**POLICY, "approve": [{"any": ["role:member"]}]}}},
    ),
}


@pytest.mark.parametrize("kind", AGAIN)
async def test_removed_and_added_entry_is_compared_with_its_earlier_state(web: WebEnv, kind: str) -> None:
    """Requests and proposals may name it, so adding it again counts as changing it."""
    first, stricter, looser = AGAIN[kind]
    plural = "policies" if kind == "policy" else "teams"
    await applied(web, PROTECTED)
    for document in (first, {"remove": {plural: ["extra"]}}, stricter, {"remove": {plural: ["extra"]}}):
        answer = await applied(web, document, "otto")
        assert (answer["changed"], "proposal" in answer.json) == (True, False)
    proposal = (await applied(web, looser, "otto"))["proposal"]
    assert proposal["state"] == "waiting"
    assert (await confirmed(web, proposal["id"])).status == 303
    assert not (await web.post("/v1/apply?dry_run=true", looser, "otto"))["changed"]


class CountedReads:
    """A database that counts reads of the change log."""

    def __init__(self, database: Any) -> None:
        self.database, self.count = database, 0

    async def read(self, sql: str, **values: Any) -> Any:
        self.count += "from changes" in sql
        return await self.database.read(sql, **values)


async def test_earlier_states_of_many_new_entries_are_read_in_one_query(
    web: WebEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    await applied(web, PROTECTED)
    people = web.env.store.people
    reads = CountedReads(people._db)
    many = {
        "teams": {f"t{number}": {"members": ["ann@acme.example"]} for number in range(30)},
        "policies": {f"p{number}": POLICY for number in range(30)},
    }
    with monkeypatch.context() as patched:
        patched.setattr(people, "_db", reads)
        assert (await web.post("/v1/apply?dry_run=true", many, "otto")).status == 200
    assert reads.count == 2  # the manifest is compared twice


async def test_second_admin_cannot_be_bypassed(web: WebEnv) -> None:
    await applied(web, PROTECTED)
    task_id = await gate(web)
    ways = [
        ("PATCH", "/v1/people/per_rita", {"roles": ["approver"]}),
        ("POST", "/v1/people", {"email": "new@acme.example"}),
        ("POST", "/v1/keys", {"person": "new@acme.example"}),
        ("PUT", "/v1/teams/sre", LOOSER["one more in the team"]["teams"]["sre"]),
        ("POST", "/v1/policies", {"name": "guarded", "policy": {}}),
        ("POST", "/v1/workflows", LOOSER["another plan"]["workflows"][0]),
        ("POST", "/v1/workflows?dry_run=true", LOOSER["another plan"]["workflows"][0]),
    ]
    for method, path, body in ways:
        refused = await web.call(method, path, body, "otto")
        assert (refused.status, refused.code) == (409, "confirmation_needed"), path
        assert "signoff apply" in refused["error"]["hint"]
    assert (await web.post("/v1/keys", {"person": "ann@acme.example"}, "otto")).code == "protected_workspace"
    admin = await reader(web, "otto")
    for beyond in (["rita@acme.example", "per_ann"], ["role:auditor", "role:member", "per_ann"]):
        by_key = await web.post(f"/v1/tasks/{task_id}/reassign", {"to": beyond}, "otto")
        assert by_key.code == "stronger_sign_in_required"
        asked = await admin.post(f"/tasks/{task_id}/reassign", [("approver", name) for name in beyond])
        assert (asked.status, "The workspace is protected" in asked.text) == (403, True)
    others = [("approver", "per_emma"), ("approver", "per_ann")]
    assert (await (await reader(web, "otto")).post(f"/tasks/{task_id}/reassign", others)).status == 303


async def test_all_stage_keeps_every_entry_in_a_protected_workspace(web: WebEnv) -> None:
    """Otherwise two people of one team could replace one person of each."""
    await web.join("dan", "approver")
    both = {"dba": ["per_ann", "per_dan"], "audit": ["per_emma", "per_otto"]}
    policies = {"each": {"approve": [{"all": ["team:dba", "team:audit"]}]}}
    teams = {name: {"members": members} for name, members in both.items()}
    people = {"otto@acme.example": {"roles": ["admin", "approver"]}}
    await applied(web, {"people": people, "teams": teams, "policies": policies})
    await applied(web, {"workspace": {"protected": True, "self_approval": False}})
    await web.apply_workflow(steps=[{"id": "approve", "human": {"title": "Go?", "policy": "each"}}])
    task_id = (await web.send())[:-4] + "0001"
    admin = await reader(web, "otto")
    for to, status in ((("per_ann", "per_dan"), 403), (("per_ann",), 403), (("per_ann", "per_emma"), 303)):
        asked = await admin.post(f"/tasks/{task_id}/reassign", [("approver", name) for name in to])
        assert asked.status == status, asked.text


async def test_confirmation_applies_only_what_was_shown(web: WebEnv) -> None:
    await applied(web, PROTECTED)
    proposal = (await applied(web, LOOSER["fewer people"], "otto"))["proposal"]
    await applied(web, STRICTER["less time"], "oscar")
    assert "have changed since this was proposed" in (await confirmed(web, proposal["id"])).text
    again = (await applied(web, LOOSER["fewer people"], "otto"))["proposal"]
    assert (await applied(web, {"people": {"otto@acme.example": {"roles": ["approver"]}}}))["changed"]
    assert (
        "The author of this proposal may no longer make this change."
        in (await confirmed(web, again["id"])).text
    )


async def test_proposal_can_be_refused_expires_and_is_applied_once(web: WebEnv) -> None:
    await applied(
        web, {**PROTECTED, "people": {f"{n}@acme.example": {"roles": ["admin"]} for n in ("otto", "emma")}}
    )
    refused, late, raced = [
        (await applied(web, LOOSER["more time"], "otto"))["proposal"]["id"] for _ in range(3)
    ]
    assert len((await web.get("/v1/proposals", "aud"))["proposals"]) == 3
    assert (await web.post(f"/v1/proposals/{refused}/refuse", {}, "otto"))["proposal"]["state"] == "refused"
    assert (await web.post(f"/v1/proposals/{refused}/confirm", {}, "oscar")).code == "proposal_ended"
    both = [confirmed(web, raced, who) for who in ("oscar", "emma")]
    assert sorted(page.status for page in await asyncio.gather(*both)) == [303, 409]
    web.clock.move(timedelta(days=7))
    assert (await web.get(f"/v1/proposals/{late}", "aud"))["proposal"]["state"] == "expired"
    assert (await web.post(f"/v1/proposals/{late}/confirm", {}, "oscar")).code == "proposal_ended"
    assert (await web.get("/v1/proposals", "aud"))["proposals"] == []
    assert (await web.get("/v1/proposals", "agent")).code == "person_required"
    changed = [c for c in (await web.get("/v1/changes", "aud"))["changes"] if c["kind"] == "policy"]
    assert len(changed) == 2


async def test_workspace_with_one_admin_cannot_be_protected(web: WebEnv) -> None:
    refused = await web.post("/v1/apply", {"workspace": {"protected": True}}, "oscar")
    assert (refused.status, refused.code) == (422, "too_few_admins")


async def test_people_set_their_own_absences_and_delegates(web: WebEnv) -> None:
    await applied(web, PROTECTED)
    away = {"absences": [{"from": "2026-03-02", "until": "2026-03-06", "delegate": "emma@acme.example"}]}
    assert (await web.call("PATCH", "/v1/people/per_ann", away, "ann")).status == 200


async def test_proposal_page_confirms_after_a_sign_in_by_mail_only(web: WebEnv) -> None:
    await applied(web, PROTECTED)
    id = (await applied(web, LOOSER["more time"], "otto"))["proposal"]["id"]
    path = f"/proposals/{id}"
    by_key = await Reader(web, "oscar").sign_in(key=True)
    page = await by_key.get(path)
    assert "You are signed in with a key. Confirming requires a sign-in by e-mail." in page.text
    assert "signoff db signin-link oscar@acme.example" in page.text
    assert [form["action"] for form in page.forms] == [f"{path}/refuse"]
    stolen = await by_key.post(f"{path}/confirm")
    assert (stolen.status, "requires a sign-in by e-mail" in stolen.text) == (403, True)
    own = await (await reader(web, "otto")).get(path)
    assert "Withdraw" in own.text
    assert [form["action"] for form in own.forms] == [f"{path}/refuse"]
    assert [form["action"] for form in (await (await reader(web, "ann")).get(path)).forms] == []
    oscar = await reader(web, "oscar")
    seen = await oscar.get(path)
    for said in ("Proposed by Otto", "policy guarded", "Confirm the change"):
        assert said in seen.text, said
    assert (await oscar.post(f"{path}/confirm")).where == path
    assert "Confirm the change" not in (await oscar.get(path)).text
    assert (await oscar.post(f"{path}/confirm")).status == 409


# -- what a stolen key of an admin does not open


async def test_key_cannot_redirect_sign_in_links_and_the_old_address_is_notified(
    web: WebEnv,
) -> None:
    there = {"addresses": {"email": "eve@evil.example"}}
    for who in ("per_ann", "per_oscar"):
        refused = await web.call("PATCH", f"/v1/people/{who}", there, "oscar")
        assert (refused.status, refused.code) == (403, "stronger_sign_in_required")
    whole = {"people": {"ann@acme.example": there}}
    assert (await web.post("/v1/apply", whole, "oscar")).code == "stronger_sign_in_required"
    fields = [("role", "approver"), ("active", "1"), ("name", "Ann"), ("address_email", "ann@new.example")]
    by_key = await Reader(web, "oscar").sign_in(key=True)
    assert (await by_key.post("/people/per_ann/details", fields)).status == 403
    async with mailing(web) as server:
        assert (await (await reader(web, "oscar")).post("/people/per_ann/details", fields)).status == 303
        await mails_sent(web)
        [mail] = server.mails
        assert mail["To"] == "ann@acme.example"
        text = mail.get_body(("plain",)).get_content()
        assert "go to another address now" in text
        assert "Oscar" in text
        assert "evil" not in text
        # what else of a person is changed moves nothing
        assert (
            await web.call("PATCH", "/v1/people/per_ann", {"zone": "Europe/Berlin"}, "oscar")
        ).status == 200
        await mails_sent(web)
        assert len(server.mails) == 1


async def test_key_cannot_enable_self_approval(web: WebEnv) -> None:
    opened = {"workspace": {"self_approval": True}}
    for who in ("oscar", "sam"):
        assert (await web.post("/v1/apply", opened, who)).code == "stronger_sign_in_required"


async def test_proposal_names_the_open_tasks_that_it_would_leave_understaffed(web: WebEnv) -> None:
    await applied(web, PROTECTED)
    task_id = await gate(web)
    alone = {"teams": {"sre": {"members": ["rita@acme.example"]}}}
    answer = await applied(web, alone, "otto")
    [warning] = answer["warnings"]
    assert task_id in warning
    path = f"/v1/proposals/{answer['proposal']['id']}"
    assert (await web.get(path, "oscar"))["proposal"]["warnings"] == [warning]
    page = await (await reader(web, "oscar")).get(f"/proposals/{answer['proposal']['id']}")
    assert "Open tasks that it leaves with too few people" in page.text
    assert task_id in page.text
    assert (await confirmed(web, answer["proposal"]["id"])).status == 303
    assert "warnings" not in (await web.get(path, "oscar"))["proposal"]
