"""Attacks on policies while tasks are open: an open task keeps the requirements that it was opened with."""

from datetime import timedelta

from signoff.core.intent.commands import Answer
from signoff.engine.delivery.chat_answers import Chat
from tests.web.policy_steps import MANIFEST, applied, decide, gate, policy, quorum
from tests.web.web_env import WebEnv


async def test_lowering_the_quorum_does_not_affect_an_open_task(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    await applied(web, policy(risk="medium"))
    task_id = await gate(web)
    await applied(web, policy(risk="medium", approve=[{"any": ["team:sre"], "need": 1}]))
    assert (await decide(web, task_id, "ann"))["task"]["state"] == "open"
    assert await quorum(web, task_id) == 2
    assert (await decide(web, task_id, "otto"))["intent"]["status"] == "COMPLETED"


async def test_adding_a_team_member_does_not_affect_an_open_task(web: WebEnv) -> None:
    await applied(web, {**MANIFEST, "teams": {"sre": {"members": ["ann@acme.example", "otto@acme.example"]}}})
    await applied(web, policy(risk="medium"))
    task_id = await gate(web)
    await applied(web, {"teams": MANIFEST["teams"]})
    await applied(web, {"people": {"rita@acme.example": {"roles": ["owner"]}}})
    for who in ("emma", "rita"):
        assert (await decide(web, task_id, who)).code == "not_an_approver"
    assert (await decide(web, task_id, "ann")).status == 200


async def test_changing_a_slack_link_does_not_affect_an_open_task(web: WebEnv) -> None:
    env = web.env
    chat = Chat("slack", env.engine, env.store, env.keys, env.directory, web.clock)
    await chat.link("T1", "UANN", (await chat.code(await web.actor("ann"))).text)
    await applied(web, MANIFEST)
    await applied(web, policy(risk="medium"))
    task_id = await gate(web)
    digest = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["digest"]

    async def press(account: str) -> str:
        answer = Answer("approved", revision=1, digest=digest)
        return await chat.answer("T1", account, answer, task_id)

    web.clock.move(timedelta(seconds=1))
    await chat.link("T1", "UEVE", (await chat.code(await web.actor("otto"))).text)  # Eve gets Otto's say
    assert "before your account" in await press("UEVE")
    assert (await press("UANN")).startswith("Recorded")
    await chat.link("T1", "UANN", (await chat.code(await web.actor("otto"))).text)  # and then Ann's account
    assert "before your account" in await press("UANN")
    task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert (task["state"], await quorum(web, task_id)) == ("open", 2)
    web.clock.move(timedelta(seconds=1))
    later = await gate(web)
    digest = (await web.get(f"/v1/tasks/{later}", "ann"))["task"]["digest"]
    task_id = later
    assert (await press("UANN")).startswith("Recorded")  # what is asked from then on
