"""A change of people, teams or roles that leaves an open task with too few people is reported, and the task goes on."""

from typing import Any

from signoff.core.directory.actors import ActorKind
from signoff.core.formats.manifest import compile_manifest
from signoff.engine.admin.manifest_diff import ManifestDiff
from signoff.engine.commit.understaffed_checks import UnderstaffedChecks
from tests.web.web_env import HOME, WebEnv

MANIFEST: dict[str, Any] = {
    "people": {"gil@acme.example": {}, "hal@acme.example": {}, "ida@acme.example": {}},
    "teams": {"sre": {"members": ["gil@acme.example", "hal@acme.example"]}},
    "policies": {
        "one": {"approve": [{"any": ["gil@acme.example"]}], "deadline": "1h"},
        "two": {"approve": [{"any": ["team:sre"], "need": 2}]},
        "ladder": {
            "approve": [{"any": ["gil@acme.example"]}],
            "escalate": [
                {"after": "1h", "to": ["hal@acme.example"]},
                {"after": "2h", "to": ["ida@acme.example"]},
            ],
        },
        "later": {"approve": [{"any": ["hal@acme.example"]}, {"any": ["gil@acme.example"]}]},
    },
}


async def gate(web: WebEnv, policy: str) -> str:
    flow = {
        "workflow": policy,
        "intent_type": f"{policy}.v1",
        "steps": [{"id": "ok", "human": {"policy": policy}}],
    }
    answer = await web.post("/v1/apply", {**MANIFEST, "workflows": [flow]}, "oscar")
    assert answer.status == 200, answer.text
    await settled(web)
    return await web.send(intent_type=f"{policy}.v1")


async def settled(web: WebEnv) -> None:
    while await web.env.understaffed_checks.once() < 1:
        pass


async def without(web: WebEnv, who: str = "gil") -> Any:
    answer = await web.call("PATCH", f"/v1/people/{who}@acme.example", {"active": False}, "oscar")
    assert answer.status == 200, answer.text
    return answer


async def test_departure_of_the_last_approver_is_reported_and_ends_the_task(web: WebEnv) -> None:
    intent_id = await gate(web, "one")
    [warning] = (await without(web))["warnings"]
    assert intent_id[:-4] in warning
    assert "stage 1 needs 1, nobody eligible left. It ends as undeliverable" in warning
    short = await web.get("/v1/tasks/understaffed", "oscar")
    assert [(one["needed"], one["remaining"]) for one in short["tasks"]] == [(1, 0)]
    await settled(web)
    found = await web.get(f"/v1/intents/{intent_id}")
    assert (found["status"], found["intent"]["ending"]) == ("FAILED", "undeliverable")
    assert (await web.get("/v1/tasks/understaffed", "oscar"))["tasks"] == []
    happened = await web.env.happened(intent_id)
    assert happened[-3:] == ["Understaffed", "Decided", "Failed"]
    assert await web.env.findings() == []


async def test_departure_is_reported_even_if_another_server_ends_the_task_first(web: WebEnv) -> None:
    intent_id = await gate(web, "one")

    async def save(draft: ManifestDiff) -> ManifestDiff:
        await web.env.manifests.save(draft)
        await settled(web)
        return draft

    gil_leaves = compile_manifest({"people": {"gil@acme.example": {"active": False}}})
    [warning] = (
        await web.env.manifests.with_current_state(await web.actor("oscar"), gil_leaves, save)
    ).warnings
    assert intent_id[:-4] in warning
    assert (await web.get(f"/v1/intents/{intent_id}"))["intent"]["ending"] == "undeliverable"


async def test_departure_of_one_of_two_needed_approvers_is_reported(web: WebEnv) -> None:
    intent_id = await gate(web, "two")
    team = {"members": ["gil@acme.example", "ida@acme.example"]}
    dry = await web.post("/v1/apply?dry_run=true", {"teams": {"sre": team}}, "oscar")
    assert len(dry["warnings"]) == 1
    [warning] = (await web.call("PUT", "/v1/teams/sre", team, "oscar"))["warnings"]
    assert "needs 2, 1 eligible left" in warning
    await settled(web)
    assert (await web.get(f"/v1/intents/{intent_id}"))["intent"]["ending"] == "undeliverable"


async def test_escalation_skips_levels_whose_people_left(web: WebEnv) -> None:
    intent_id = await gate(web, "ladder")
    await without(web, "hal")
    assert "intent.escalated" not in str(await web.env.happened(intent_id))
    await without(web, "gil")
    await settled(web)
    task = (await web.env.intent(intent_id)).open
    assert task is not None
    assert getattr(task, "escalated", 0) == 2
    await web.join("jo", "admin")
    keys = web.env.keys
    directory = await web.env.directory.anew(HOME)
    ida = next(p for p in directory.people.values() if p.email == "ida@acme.example")
    web.keys["ida"] = (await keys.create(HOME, ActorKind.PERSON, ida.id, ida.id)).secret
    assert (await web.answer(intent_id[:-4] + "0001", "approved", "ida")).status == 200


async def test_later_stage_without_remaining_people_ends_the_task(web: WebEnv) -> None:
    intent_id = await gate(web, "later")
    [warning] = (await without(web))["warnings"]
    assert "stage 2 needs 1" in warning
    await settled(web)
    assert (await web.get(f"/v1/intents/{intent_id}"))["intent"]["ending"] == "undeliverable"


async def test_pending_staffing_checks_survive_a_restart_and_are_read_in_pages(web: WebEnv) -> None:
    state = web.env.engine, web.env.store, web.env.directory
    ids = [await gate(web, "one")] + [await web.send(intent_type="one.v1") for _ in range(4)]
    await without(web)
    assert await UnderstaffedChecks(*state, page=2).once() < 1
    assert len([one for one in ids if "Understaffed" in await web.env.happened(one)]) == 2
    fresh = UnderstaffedChecks(*state, page=2)  # another process
    while await fresh.once() < 1:
        pass
    assert not [one for one in ids if "Understaffed" not in await web.env.happened(one)]
    assert await web.env.store.directory.unchecked() == []


async def test_change_that_removes_nobody_checks_nothing(web: WebEnv) -> None:
    await gate(web, "one")
    assert (await web.call("PATCH", "/v1/people/ida@acme.example", {"name": "Ida"}, "oscar"))[
        "warnings"
    ] == []
    assert await web.env.understaffed_checks.once() < 1
    assert await web.env.store.directory.unchecked() == []


async def test_everything_waiting_for_one_person_is_reassigned_in_one_call(web: WebEnv) -> None:
    await web.join("jo", "admin")
    ids = [await gate(web, "one"), await gate(web, "two")]
    mine = await web.send("jo", intent_type="one.v1")
    waits = await web.get("/v1/people/gil@acme.example/waiting", "oscar")
    assert [(one["task_id"][:-4], one["only_eligible"]) for one in waits["tasks"]] == [
        (ids[0][:-4], True),
        (ids[1][:-4], False),
        (mine[:-4], True),
    ]
    assert (await web.get("/v1/people/gil@acme.example/waiting", "ann")).code == "admin_required"
    path = "/v1/people/gil@acme.example/reassign"
    for who, code in (("ann", "admin_required"), ("ci", "admin_required")):
        assert (await web.post(path, {"to": "emma@acme.example"}, who)).code == code
    done = await web.post(path, {"to": "emma@acme.example", "comment": "Gil goes."}, "jo")
    assert [one[:-4] for one in done["reassigned"]] == [ids[0][:-4], ids[1][:-4]]
    assert [(one["task_id"][:-4], one["code"]) for one in done["refused"]] == [(mine[:-4], "self_approval")]
    assert len((await without(web))["warnings"]) == 1, "what was not handed over"
    assert (await web.answer(ids[0][:-4] + "0001", "approved", "emma")).status == 200
    assert (await web.answer(ids[1][:-4] + "0001", "approved", "emma")).status == 200
    assert await web.env.findings() == []


async def test_reassigning_makes_nobody_else_eligible(web: WebEnv) -> None:
    await web.join("jo", "admin")
    intent_id = await gate(web, "two")
    team = {"members": ["gil@acme.example", "hal@acme.example", "otto@acme.example"]}
    assert (await web.call("PUT", "/v1/teams/sre", team, "oscar")).status == 200
    done = await web.post("/v1/people/gil@acme.example/reassign", {"to": "emma@acme.example"}, "jo")
    assert len(done["reassigned"]) == 1
    task_id = intent_id[:-4] + "0001"
    assert (await web.answer(task_id, "approved", "otto")).code == "not_an_approver"
    assert (await web.answer(task_id, "approved", "emma")).status == 200
