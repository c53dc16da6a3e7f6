"""Every change of rights and recipients is recorded: who, when, by which channel, before and after."""

import asyncio
from datetime import timedelta
from typing import Any

from signoff.engine.delivery.chat_answers import Chat
from tests.web.policy_steps import MANIFEST, applied, policy
from tests.web.web_env import HOME, WebEnv

AGENT = {
    "name": "deployer",
    "callback_url": "https://agent.example/hook?token=hunter2",
    "delivery_mode": "http",
}


async def record(web: WebEnv, about: str = "", who: str = "aud") -> list[Any]:
    """The whole change log, oldest first, read page by page."""
    found: list[Any] = []
    cursor = ""
    while True:
        path = (
            f"/v1/changes?limit=3{'&about=' + about if about else ''}{'&cursor=' + cursor if cursor else ''}"
        )
        page = await web.get(path, who)
        assert page.status == 200, page.text
        found += page["changes"]
        cursor = page.json.get("next_cursor", "")
        if not cursor:
            return found[::-1]


async def last(web: WebEnv, about: str = "") -> Any:
    return (await record(web, about))[-1]


def summary_of(change: Any) -> tuple[str, str, str, str]:
    return change["action"], change["kind"], change["actor"]["id"], change["via"]


async def test_keys_are_recorded_by_id_and_never_by_secret(web: WebEnv) -> None:
    made = await web.post("/v1/keys", {"agent": "validator", "expires_in_seconds": 3600}, "oscar")
    change = await last(web, "agent:validator")
    assert summary_of(change) == ("create", "key", "per_oscar", "api")
    assert change["name"] == made["key_id"]
    until = (web.clock.now() + timedelta(hours=1)).isoformat()
    assert (change["after"]["until"], "before" in change) == (until, False)
    assert (await web.post(f"/v1/keys/{made['key_id']}/revoke", {}, "oscar")).status == 200
    assert (
        await web.post(f"/v1/keys/{made['key_id']}/revoke", {}, "oscar")
    ).status == 200  # nothing more to do
    change = await last(web, "agent:validator")
    assert summary_of(change) == ("remove", "key", "per_oscar", "api")
    assert (change["before"]["id"], "after" in change) == (made["key_id"], False)
    everything = str([dict(one) for one in await record(web)])
    assert made["api_key"].split("_")[3] not in everything


async def test_key_of_a_person_is_listed_among_the_changes_of_the_person(web: WebEnv) -> None:
    made = await web.post("/v1/keys", {"person": "new@acme.example", "name": "New"}, "oscar")
    assert made.status == 200
    changes = await record(web, "person:new@acme.example")
    assert [summary_of(one)[:3] for one in changes] == [
        ("create", "person", "per_oscar"),
        ("create", "key", "per_oscar"),
    ]
    assert changes[1]["name"] == made["key_id"]


async def test_agents_are_recorded_from_registration_to_removal(web: WebEnv) -> None:
    made = await web.post("/v1/service-accounts", AGENT, "ci")
    account, secret = made["id"], made["webhook_secret"]
    change = await last(web, "agent:deployer")
    assert summary_of(change) == ("create", "agent", (await web.actor("ci")).id, "api")
    assert change["after"]["delivery_mode"] == "http"
    await web.post("/v1/keys", {"agent": "deployer"}, "oscar")
    path = f"/v1/service-accounts/{account}"
    await web.call("PATCH", path, {"callback_url": "https://agent.example/hook?token=hunter3"}, "ci")
    change = await last(web, "agent:deployer")
    assert (summary_of(change)[2], change["actor"]["kind"], change["fields"]) == (
        (await web.actor("ci")).id,
        "service",
        ["callback_url"],
    )
    new = (await web.call("PATCH", path, {"rotate_webhook_secret": True}, "oscar"))["webhook_secret"]
    assert (await last(web, "agent:deployer"))["fields"] == ["signs_with"]
    assert (await web.call("PATCH", path, {"delivery_mode": "http"}, "oscar")).status == 200  # as it is
    assert (await last(web, "agent:deployer"))["fields"] == ["signs_with"]
    assert (await web.call("DELETE", path, None, "oscar")).status == 200
    ended = (await record(web, f"account:{account}"))[-2:]
    assert [summary_of(one)[:2] for one in ended] == [("remove", "agent"), ("remove", "key")]
    everything = str(await record(web))
    assert not any(word in everything for word in (secret, new, "hunter2", "hunter3"))


async def test_manifest_and_scenario_record_registered_agents(web: WebEnv) -> None:
    await web.apply_workflow(
        steps=[{"id": "validate", "agent": "newcomer"}, {"id": "ok", "human": {"title": "Well?"}}]
    )
    assert summary_of(await last(web, "agent:newcomer")) == ("create", "agent", "per_oscar", "api")


async def test_linked_chat_accounts_are_recorded(web: WebEnv) -> None:
    env = web.env
    chat = Chat("slack", env.engine, env.store, env.keys, env.directory, web.clock)

    async def link(who: str, account: str) -> str:
        return await chat.link("T1", account, (await chat.code(await web.actor(who))).text)

    assert "is now linked to" in await link("ann", "U1")
    change = await last(web, "person:ann@acme.example")
    assert summary_of(change) == ("create", "slack", "per_ann", "slack")
    assert (change["name"], change["after"]["account"]) == ("ann@acme.example", "U1")
    first = await env.store.chats.person("slack", "T1", "U1")
    web.clock.move(timedelta(hours=1))
    count = len(await record(web))
    assert "is now linked to" in await link("ann", "U1")  # the same again
    assert (len(await record(web)), await env.store.chats.person("slack", "T1", "U1")) == (count, first)
    await link("ann", "U2")
    change = await last(web, "person:ann@acme.example")
    assert (change["before"]["account"], change["after"]["account"]) == ("U1", "U2")
    await link("otto", "U2")  # Ann's account becomes Otto's: on both records, by Otto
    assert summary_of(await last(web, "person:ann@acme.example")) == ("remove", "slack", "per_otto", "slack")
    assert summary_of(await last(web, "person:otto@acme.example")) == ("create", "slack", "per_otto", "slack")
    assert "unlinked" in await chat.unlink("T1", "U2")
    assert summary_of(await last(web, "person:otto@acme.example")) == ("remove", "slack", "per_otto", "slack")
    assert "No account was linked" in await chat.unlink("T1", "U2")


async def test_changes_of_one_moment_are_ordered_and_paged_without_gaps(web: WebEnv) -> None:
    await applied(web, {"people": {f"p{n}@acme.example": {"roles": ["member"]} for n in range(5)}})
    documents = [{"teams": {f"t{n}": {"members": ["ann@acme.example"]}}} for n in range(8)]
    answers = await asyncio.gather(*(web.post("/v1/apply", one, "oscar") for one in documents))
    assert [one.status for one in answers] == [200] * 8
    walked = await record(web)
    numbers = [one["number"] for one in walked]
    assert numbers == list(range(1, len(numbers) + 1))
    # what is changed between two pages is on neither, and moves nothing
    page = await web.get("/v1/changes?limit=4", "aud")
    await applied(web, {"teams": {"later": {"members": ["ann@acme.example"]}}})
    rest = await web.get(f"/v1/changes?limit=200&cursor={page['next_cursor']}", "aud")
    assert [one["number"] for one in (*page["changes"], *rest["changes"])] == numbers[::-1]


async def test_each_of_many_concurrent_changes_records_the_state_before(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    wishes = [policy(deadline=f"{hours}h") for hours in range(2, 8)]
    answers = await asyncio.gather(*(web.post("/v1/apply", one, "oscar") for one in wishes))
    made = [one.status for one in answers].count(200)
    assert (made > 0, {one.code for one in answers} - {"", "changed_meanwhile"}) == (True, set())
    changes = await record(web, "policy:guarded")
    assert [one["after"]["version"] for one in changes] == list(range(1, made + 2))
    assert [one["before"] for one in changes[1:]] == [one["after"] for one in changes[:-1]]


async def test_change_log_refuses_unknown_subjects_and_cursors(web: WebEnv) -> None:
    for about, status, code in (
        ("person:nobody@acme.example", 404, "subject_not_found"),
        ("agent:nobody", 404, "subject_not_found"),
        ("moon:1", 422, "validation_error"),
        ("policy:", 422, "validation_error"),
    ):
        answer = await web.get(f"/v1/changes?about={about}", "aud")
        assert (answer.status, answer.code) == (status, code), about
    assert (await web.get("/v1/changes?cursor=x", "aud"))["error"]["field"] == "cursor"
    assert (await web.get("/v1/changes?about=policy:none", "aud"))["changes"] == []
    assert (await web.get("/v1/changes", "agent")).code == "person_required"
    assert await record(web, who="sam") != await record(web)
    assert HOME not in str(await record(web, who="sam"))
