"""Removing people, teams, policies and workflows, and erasing a person's text."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.rotation import Absence
from signoff.engine.delivery.chat_answers import Chat
from signoff.engine.read.integrity import check_integrity
from tests.web.inbox.reading import everything, reader
from tests.web.policy_steps import PROTECTED, TYPE, applied, gate
from tests.web.web_env import HOME, WebEnv

POLICY = {"approve": [{"any": ["team:sre"]}], "deadline": "8h", "risk": "low"}
FLOW = {
    "workflow": "f",
    "intent_type": TYPE,
    "steps": [{"id": "ok", "human": {"policy": "p", "title": "Go?"}}],
}
ALL = {
    "teams": {"sre": {"members": ["ann@acme.example", "otto@acme.example"]}},
    "policies": {"p": POLICY},
    "workflows": [FLOW],
}


async def remove(web: WebEnv, who: str = "oscar", dry_run: bool = False, **names: str) -> Any:
    document = {"remove": {kind: [name] for kind, name in names.items()}}
    return await web.post("/v1/apply" + ("?dry_run=true" if dry_run else ""), document, who)


async def test_entry_in_use_is_named_and_kept(web: WebEnv) -> None:
    await applied(web, ALL)
    team = await remove(web, teams="sre")
    assert (team.code, team["error"]["details"]["used_by"]) == ("in_use", ["policy p"])
    policy = await remove(web, policies="p")
    assert (policy.code, policy["error"]["details"]["used_by"]) == ("in_use", [f"workflow {TYPE}"])
    own = {"workflows": [{**FLOW, "steps": [{"id": "ok", "human": {"approvers": ["ann@acme.example"]}}]}]}
    await applied(web, own)
    person = await remove(web, people="ann@acme.example")
    assert person["error"]["details"]["used_by"] == [f"workflow {TYPE}"]
    await applied(web, {"workspace": {"default_policy": "p"}, "remove": {"workflows": [TYPE]}})
    assert (await remove(web, policies="p"))["error"]["details"]["used_by"] == ["workspace.default_policy"]


@pytest.mark.parametrize(
    ("kind", "name", "entry"),
    [
        ("people", "per_emma", {"emma@acme.example": {"name": "Emma"}}),
        ("people", "New@acme.example", {"new@acme.example": {"roles": ["member"]}}),
        ("teams", "sre", ALL["teams"]),
        ("policies", "p", {"p": {"approve": [{"any": ["role:approver"]}]}}),
        ("workflows", TYPE, [{**FLOW, "steps": [{"id": "ok", "human": {"title": "Go?"}}]}]),
    ],
)
async def test_manifest_cannot_both_describe_and_remove_an_entry(
    web: WebEnv, kind: str, name: str, entry: Any
) -> None:
    """Each time it was applied, it would create and remove the entry."""
    document = {kind: entry, "remove": {kind: [name]}}
    for path in ("/v1/apply?dry_run=true", "/v1/apply"):
        answer = await web.post(path, document, "oscar")
        assert (answer.status, answer.code) == (422, "invalid_field"), answer.text
        assert answer["error"]["field"] == f"remove.{kind}"
    everyone = (await web.env.directory.of(HOME)).people
    assert everyone["per_emma"].name != ""
    assert "new@acme.example" not in {one.email for one in everyone.values()}


async def test_entry_named_twice_is_removed_once(web: WebEnv) -> None:
    await applied(web, {"teams": ALL["teams"]})
    names = ["emma@acme.example", "per_emma", "person:Emma@acme.example"]
    done = await applied(web, {"remove": {"people": names, "teams": ["sre", "sre"]}})
    assert [(one["kind"], one["action"]) for one in done["changes"]] == [
        ("team", "remove"),
        ("person", "remove"),
    ]


@pytest.mark.parametrize("where", ["policy", "workflow"])
async def test_team_in_an_escalation_is_in_use(where: str, web: WebEnv) -> None:
    rungs = {"escalate": [{"after": "1h", "to": ["team:sre", "per_emma"]}]}
    policy = {"approve": [{"any": ["per_otto"]}], "deadline": "8h", **(rungs if where == "policy" else {})}
    human = {"title": "Go?", "approvers": ["per_otto"], **rungs} if where == "workflow" else {"policy": "p"}
    flow = {**FLOW, "steps": [{"id": "ok", "human": {"title": "Go?", **human}, "deadline": "8h"}]}
    await applied(web, {**ALL, "policies": {"p": policy}, "workflows": [flow]})
    user = "policy p" if where == "policy" else f"workflow {TYPE}"
    assert (await remove(web, teams="sre"))["error"]["details"]["used_by"] == [user]
    assert (await remove(web, people="per_emma"))["error"]["details"]["used_by"] == [user]


async def test_policy_chosen_by_the_payload_is_in_use(web: WebEnv) -> None:
    choices = [{"when": {"amount": {"above": 1000}}, "use": "strict"}, {"use": "p"}]
    flow = {**FLOW, "steps": [{"id": "ok", "human": {"policy": choices, "title": "Go?"}}]}
    await applied(web, {**ALL, "policies": {"p": POLICY, "strict": POLICY}, "workflows": [flow]})
    for name in ("p", "strict"):
        assert (await remove(web, policies=name))["error"]["details"]["used_by"] == [f"workflow {TYPE}"]


async def test_ten_of_many_users_are_named_and_the_others_counted(web: WebEnv) -> None:
    names = [f"p{number:02}" for number in range(12)]
    await applied(web, {"teams": ALL["teams"], "policies": dict.fromkeys(names, POLICY)})
    error = (await remove(web, teams="sre"))["error"]
    assert error["details"]["used_by"] == [f"policy {name}" for name in names]
    assert error["message"].endswith("policy p09 and 2 more.")
    for name in names[10:]:
        assert (await remove(web, policies=name)).status == 200
    assert (await remove(web, teams="sre"))["error"]["message"].endswith("policy p08, policy p09.")


async def test_one_document_removes_everything_and_open_tasks_keep_their_policy(web: WebEnv) -> None:
    await applied(web, ALL)
    task = await gate(web)
    planned = await remove(web, dry_run=True, workflows=TYPE, policies="p", teams="sre")
    assert [(c["action"], c["kind"]) for c in planned["changes"]] == [
        ("remove", "workflow"),
        ("remove", "policy"),
        ("remove", "team"),
    ]
    assert (await web.get("/v1/policies", "ann"))["policies"] != []
    await remove(web, workflows=TYPE, policies="p", teams="sre")
    for path, name in (("policies", "policies"), ("teams", "teams"), ("workflows", "workflows")):
        assert (await web.get(f"/v1/{path}", "oscar"))[name] == []
    assert (await web.get(f"/v1/workflows/{TYPE}", "oscar")).status == 404
    # Its members are no longer members: the task follows its policy, as it does when people leave.
    assert (await web.answer(task, who="otto")).code == "not_an_approver"
    assert task in (await web.get("/v1/tasks/understaffed", "oscar")).text
    await web.join("ada", "admin")
    moved = await web.post(f"/v1/tasks/{task}/reassign", {"to": ["emma@acme.example"]}, "ada")
    assert moved.status == 200, moved.text
    assert (await web.answer(task, who="emma")).status == 200
    assert await web.status(task[:-4] + "0000") == "COMPLETED"
    [entry] = (await web.get("/v1/changes?about=policy:p&limit=1", "oscar"))["changes"]
    assert (entry["action"], entry["actor"]["name"]) == ("remove", "Oscar")
    again = await remove(web, policies="p")
    assert again["changed"] is False
    # What comes back goes on counting: a version in a history means one policy.
    await applied(web, ALL)
    assert [(p["name"], p["version"]) for p in (await web.get("/v1/policies", "oscar"))["policies"]] == [
        ("p", 3)
    ]
    assert (await web.get(f"/v1/workflows/{TYPE}", "oscar"))["workflow"]["version"] == 3
    assert [finding async for finding in check_integrity(web.env.store)] == []


async def test_removed_person_has_no_access_and_leaves_the_teams(web: WebEnv) -> None:
    await applied(web, ALL)
    otto = (await web.env.directory.of(HOME)).people["per_otto"]
    away = Absence(web.clock.now(), web.clock.now() + timedelta(days=9), "per_ann")
    await web.env.store.people.save([replace(otto, absences=(away,))])
    web.env.directory.changed(HOME)
    intent, task = await web.ask(assignees=["ann@acme.example", "emma@acme.example"])
    assert (await web.answer(task, comment="fine by me")).status == 200
    assert (await remove(web, people="ann@acme.example")).status == 200
    assert (await web.get("/v1/me", "ann")).status == 401
    people = (await web.get("/v1/people", "oscar"))["people"]
    assert "ann@acme.example" not in {p["email"] for p in people}
    assert (await web.get("/v1/teams/sre", "oscar"))["team"]["members"] == ["otto@acme.example"]
    shown = next(p for p in people if p["id"] == "per_otto")
    assert "delegate" not in shown["absences"][0]
    told = (await web.get(f"/v1/intents/{intent}/audit", "oscar")).text
    assert '"name":"Ann"' in told, "the history keeps the name"
    keys = [k for k in (await web.get("/v1/keys", "oscar"))["keys"] if k["holder_id"] == "per_ann"]
    assert [k["status"] for k in keys] == ["revoked"]
    # Somebody with that address is a new person.
    new = (await web.post("/v1/people", {"email": "ann@acme.example"}, "oscar"))["person"]
    assert new["id"] != "per_ann"


async def test_person_is_named_by_id_or_address(web: WebEnv) -> None:
    await applied(web, {"policies": {"p": {**POLICY, "approve": [{"any": ["per_ann"]}]}}})
    for who in ("ann@acme.example", "per_ann"):
        assert (await remove(web, people=who))["error"]["details"]["used_by"] == ["policy p"]


async def test_removed_person_is_no_delegate_and_other_delegates_stay(web: WebEnv) -> None:
    otto, now = (await web.env.directory.of(HOME)).people["per_otto"], web.clock.now()
    first, second = timedelta(days=2), timedelta(days=9)
    away = (Absence(now, now + first, "per_ann"), Absence(now + first, now + second, "per_emma"))
    await web.env.store.people.save([replace(otto, absences=away)])
    web.env.directory.changed(HOME)
    assert (await remove(web, people="ann@acme.example")).status == 200
    after = (await web.env.directory.of(HOME)).people["per_otto"]
    assert [one.delegate for one in after.absences] == ["", "per_emma"]


@pytest.mark.parametrize(
    ("order", "left"),
    [
        (["ann", "otto"], ["per_otto"]),
        (["ann"], ["per_otto", "per_emma"]),  # nobody is left in it: all members take turns
        (["otto"], ["per_otto"]),
    ],
)
async def test_removed_person_leaves_the_rotation(order: list[str], left: list[str], web: WebEnv) -> None:
    members = [f"{name}@acme.example" for name in ("ann", "otto", "emma")]
    turns = {"order": [f"{name}@acme.example" for name in order], "handover": "monday 09:00", "zone": "UTC"}
    await applied(web, {"teams": {"oncall": {"members": members, "rotation": turns}}})
    assert (await remove(web, people="ann@acme.example")).status == 200
    team = (await web.env.directory.of(HOME)).teams["oncall"]
    assert team.members == ("per_otto", "per_emma")
    assert team.rotation is not None
    assert list(team.rotation.order) == left


async def test_removed_person_cannot_be_restored(web: WebEnv) -> None:
    assert (await remove(web, people="ann@acme.example")).status == 200
    for said in ({"active": True}, {"roles": ["owner"], "active": True}, {"name": "Ann"}):
        back = await web.call("PATCH", "/v1/people/per_ann", said, "oscar")
        assert (back.status, back.code) == (404, "person_not_found")
        entry = await web.post("/v1/apply", {"people": {"per_ann": said}}, "oscar")
        assert (entry.status, entry.code) == (404, "person_not_found")
    team = await web.post("/v1/apply", {"teams": {"solo": {"members": ["per_ann"]}}}, "oscar")
    assert team.status in (404, 422)
    assert (await remove(web, people="oscar@acme.example")).code == "last_owner"


async def test_only_member_and_last_owner_cannot_be_removed(web: WebEnv) -> None:
    await applied(web, {"teams": {"solo": {"members": ["ann@acme.example"]}}})
    assert "only member" in (await remove(web, people="ann@acme.example"))["error"]["message"]
    assert (await remove(web, people="oscar@acme.example")).code == "last_owner"


async def test_only_admins_remove_people_and_only_an_owner_removes_an_owner(web: WebEnv) -> None:
    await web.join("ada", "admin")
    await web.join("olga", "owner")
    for who in ("ann", "aud", "agent", "ci"):
        assert (await remove(web, who, people="rita@acme.example")).code in (
            "admin_required",
            "person_required",
        )
    assert (await remove(web, "ada", people="olga@acme.example")).code == "owner_required"
    assert (await remove(web, "ada", people="rita@acme.example")).status == 200


async def test_removing_a_workflow_takes_two_admins_in_a_protected_workspace(web: WebEnv) -> None:
    await applied(web, PROTECTED)
    asked = await remove(web, workflows=TYPE)
    assert asked["proposal"]["why"] == [f"workflow {TYPE}: requests of this type no longer follow it"]
    assert (await web.get(f"/v1/workflows/{TYPE}", "oscar")).status == 200
    confirmed = await web.post(f"/v1/proposals/{asked['proposal']['id']}/confirm", {}, "otto")
    if confirmed.code == "stronger_sign_in_required":
        page = await reader(web, "otto")
        assert (await page.post(f"/proposals/{asked['proposal']['id']}/confirm")).status == 303
    assert (await web.get(f"/v1/workflows/{TYPE}", "oscar")).status == 404


async def test_pages_remove_what_they_show(web: WebEnv) -> None:
    await applied(web, ALL)
    page = await reader(web, "oscar")
    in_use = await page.post("/remove", kind="teams", name="sre")
    assert (in_use.status, "policy p" in in_use.text) == (409, True)
    for kind, name in (("workflows", TYPE), ("policies", "p"), ("teams", "sre")):
        assert (await page.post("/remove", kind=kind, name=name)).where == f"/{kind}"
    await web.ask(assignees=["ann@acme.example", "otto@acme.example"], title="Wait for Ann?")
    asking = await page.post("/remove", kind="people", name="per_ann")
    assert "Open tasks of Ann" in asking.text
    gone = await page.post("/remove", kind="people", name="per_ann", confirmed="1")
    assert gone.where == "/people/per_ann"
    assert "Removed from this workspace" in (await page.get("/people/per_ann")).text
    assert "Ann" not in (await page.get("/people")).text
    assert (await page.post("/remove", kind="moons", name="x")).status == 404
    assert (await (await reader(web, "otto")).post("/remove", kind="people", name="per_rita")).status == 403


# -- erasure


async def decided_by_ann(web: WebEnv) -> str:
    await applied(web, ALL)
    task = await gate(web)
    assert (await web.post(f"/v1/tasks/{task}/comment", {"comment": "hush-remark"}, "ann")).status == 200
    assert (await web.post(f"/v1/tasks/{task}/comment", {"comment": "of otto"}, "otto")).status == 200
    assert (await web.answer(task, comment="hush-reason")).status == 200
    return task[:-4] + "0000"


async def whole(web: WebEnv) -> str:
    """Everything stored, as text."""
    return repr(await everything(web))


async def test_erasure_leaves_no_text_of_the_person_and_the_chain_verifies(web: WebEnv) -> None:
    await applied(web, {"people": {"ann@acme.example": {"name": "Hush-Ann", "zone": "Europe/Berlin"}}})
    final = await decided_by_ann(web)
    before = await web.get(f"/v1/intents/{final}/audit", "oscar")
    assert (await web.post("/v1/people/per_ann/erase", {}, "oscar")).code == "person_not_removed"
    await remove(web, people="ann@acme.example")
    done = await web.post("/v1/people/ann@acme.example/erase", {}, "oscar")
    assert (done["person_id"], done["comments"], done["waiting"]) == ("per_ann", 2, 0)
    stored = await whole(web)
    for text in ("hush-remark", "hush-reason", "Hush-Ann", "ann@acme.example"):
        assert text not in stored, text
    assert "of otto" in stored
    assert "otto@acme.example" in stored
    after = await web.get(f"/v1/intents/{final}/audit", "oscar")
    assert [one["hash"] for one in after["events"]] == [one["hash"] for one in before["events"]]
    assert [finding async for finding in check_integrity(web.env.store)] == []
    assert "Erased person" in after.text
    assert "hush" not in (await web.get(f"/v1/intents/{final}", "oscar")).text
    [entry, *_] = (await web.get("/v1/changes", "oscar"))["changes"]
    assert entry["actor"]["name"] == "Oscar"
    assert entry["after"]["erased"]["comments"] == 2
    again = await web.post("/v1/people/per_ann/erase", {}, "oscar")
    assert (again["comments"], again["waiting"]) == (0, 0)


async def test_erased_text_is_removed_from_the_servers_cache(web: WebEnv) -> None:
    final = await decided_by_ann(web)
    path = f"/v1/intents/{final}/events/stream?wait_seconds=1"
    assert "hush-reason" in (await web.get(path, "oscar")).text
    await remove(web, people="ann@acme.example")
    assert (await web.post("/v1/people/per_ann/erase", {}, "oscar")).status == 200
    stream = await web.get(path, "oscar")
    assert "answered" in stream.text
    assert "hush" not in stream.text


@pytest.mark.parametrize("channel", ["telegram", "msteams", "slack"])
async def test_erasure_removes_accounts_and_openings(web: WebEnv, channel: str) -> None:
    env = web.env
    chat = Chat(channel, env.engine, env.store, env.keys, env.directory, env.clock)
    for who, account in (("ann", "hush-former"), ("ann", "hush-account"), ("otto", "of-otto")):
        code = await chat.code(await web.actor(who))
        assert "now linked" in await chat.link("T1", account, code.text)
    final, task = await web.ask(assignees=["ann@acme.example"])
    assert (await web.get(f"/v1/tasks/{task}", "ann")).status == 200
    assert (await web.answer(task)).status == 200
    _, both = await web.ask(assignees=["ann@acme.example", "otto@acme.example"])
    for who in ("ann", "otto"):
        assert (await web.get(f"/v1/tasks/{both}", who)).status == 200
    before = await everything(web)
    for table in ("views", "showings", "chat_people"):
        assert "per_ann" in repr(before[table]), table
    await remove(web, people="ann@acme.example")
    assert (await web.post("/v1/people/per_ann/erase", {}, "oscar")).status == 200
    stored = await everything(web)
    for text in ("hush-former", "hush-account"):
        assert text not in repr(stored), text
    assert "of-otto" in repr(stored)
    for table in ("views", "showings", "chat_people", "chat_codes", "sessions", "links"):
        assert "per_ann" not in repr(stored[table]), table
    for table in ("views", "showings", "chat_people"):
        assert "per_otto" in repr(stored[table]), table
    assert "first_at" not in repr(
        await env.store.read("select private from events where private is not null")
    )
    told = await web.get(f"/v1/intents/{final}/audit", "oscar")
    assert '"viewed"' not in told.text
    assert [finding async for finding in check_integrity(env.store)] == []


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [
        ("hush-reason", None, None),  # who decided last said nothing: the comment is still the first one's
        ("looks fine", "looks fine", "looks fine"),
        ("hush-reason", "of emma", "of emma"),
    ],
)
async def test_result_keeps_the_comment_of_another_approver(
    web: WebEnv, first: str, last: str | None, left: str | None
) -> None:
    await applied(
        web,
        {
            "policies": {"two": {"approve": [{"need": 2, "any": ["ann@acme.example", "emma@acme.example"]}]}},
            "workflows": [{**FLOW, "steps": [{"id": "ok", "human": {"policy": "two", "title": "Go?"}}]}],
        },
    )
    task = await gate(web)
    assert (await web.answer(task, comment=first)).status == 200
    assert (await web.answer(task, who="emma", **({"comment": last} if last else {}))).status == 200
    intent = task[:-4] + "0000"
    await applied(web, {"policies": {"two": {"approve": [{"any": ["emma@acme.example"]}]}}})
    await remove(web, people="ann@acme.example")
    assert (await web.post("/v1/people/per_ann/erase", {}, "oscar"))["comments"] == 1
    stored = await web.env.store.intents.get(intent)
    assert stored is not None
    assert stored.intent.results["ok"].get("comment") == left
    assert "hush" not in await whole(web)
    assert [finding async for finding in check_integrity(web.env.store)] == []


async def test_open_task_is_erased_after_its_end(web: WebEnv) -> None:
    intent, task = await web.ask(assignees=["emma@acme.example", "ann@acme.example"])
    await web.post(f"/v1/tasks/{task}/comment", {"comment": "hush-open"}, "ann")
    await remove(web, people="ann@acme.example")
    assert (await web.post("/v1/people/per_ann/erase", {}, "oscar"))["waiting"] == 1
    assert (await web.answer(task, who="emma")).status == 200
    assert (await web.post("/v1/people/per_ann/erase", {}, "oscar"))["waiting"] == 0
    assert "hush-open" not in await whole(web)
    assert await web.status(intent) == "COMPLETED"
    assert [finding async for finding in check_integrity(web.env.store)] == []


@pytest.mark.parametrize("who", ["ada", "ann", "aud", "agent", "ci", "sam"])
async def test_only_an_owner_of_the_workspace_erases(web: WebEnv, who: str) -> None:
    await web.join("ada", "admin")
    await remove(web, people="rita@acme.example")
    answer = await web.post("/v1/people/per_rita/erase", {}, who)
    assert answer.code == ("person_not_found" if who == "sam" else "owner_required")
