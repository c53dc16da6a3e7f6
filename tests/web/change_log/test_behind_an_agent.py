"""People who control an agent or a service are on the requester's side of what it requests."""

from datetime import timedelta
from typing import Any

from tests.web.inbox.reading import Reader
from tests.web.requester_steps import TWO, code
from tests.web.web_env import PLAIN, WebEnv

ADMINS = ("ann", "otto", "emma")


async def gate(web: WebEnv, who: str, **fields: Any) -> str:
    intent_id = await web.send(who, intent_type=PLAIN, **{"human_task": TWO, **fields})
    return intent_id[:-4] + "0001"


async def with_admins(web: WebEnv) -> None:
    for name in ADMINS:
        said = {"roles": ["admin", "approver"]}
        assert (await web.call("PATCH", f"/v1/people/per_{name}", said, "oscar")).status == 200


async def key_of(web: WebEnv, name: str, who: str, **holder: Any) -> None:
    made = await web.post("/v1/keys", holder, who)
    assert made.status == 200, made.text
    web.keys[name] = made["api_key"]


async def barred(web: WebEnv, asker: str) -> set[str]:
    """The people who may not decide the requester's tasks because they control it."""
    found = set()
    for name in ("oscar", *ADMINS):
        intent_id = await web.send(
            asker,
            intent_type=PLAIN,
            human_task={"title": "?", "assignees": ["role:owner", "role:admin", "per_rita"]},
        )
        if await code(web, intent_id[:-4] + "0001", name) == "self_approval":
            found.add(name)
    return found


async def test_registrar_key_creator_and_url_editor_are_on_the_agents_side(web: WebEnv) -> None:
    await with_admins(web)
    made = await web.post("/v1/service-accounts", {"name": "robot"}, "oscar")
    await key_of(web, "robot", "ann", agent="robot")
    assert await barred(web, "robot") == {"oscar", "ann"}
    path = f"/v1/service-accounts/{made['id']}"
    await web.call("PATCH", path, {"display_name": "Robot", "description": "does things"}, "otto")
    assert await barred(web, "robot") == {"oscar", "ann"}
    await web.call("PATCH", path, {"callback_url": "https://otto.example/hook"}, "otto")
    assert await barred(web, "robot") == {"oscar", "ann", "otto"}
    assert (await web.call("PATCH", path, {"rotate_webhook_secret": True}, "emma")).status == 200
    assert await barred(web, "robot") == {"oscar", "ann", "otto", "emma"}


async def test_person_whose_change_no_longer_applies_is_not_on_the_agents_side(web: WebEnv) -> None:
    await with_admins(web)
    made = await web.post("/v1/service-accounts", {"name": "robot"}, "oscar")
    path = f"/v1/service-accounts/{made['id']}"
    await web.call("PATCH", path, {"callback_url": "https://otto.example/hook"}, "otto")
    await web.call("PATCH", path, {"callback_url": "https://robot.example/hook"}, "oscar")
    await key_of(web, "robot", "ann", agent="robot")
    assert await barred(web, "robot") == {"oscar", "ann"}


async def test_restored_agent_has_on_its_side_who_restored_it(web: WebEnv) -> None:
    await with_admins(web)
    made = await web.post("/v1/service-accounts", {"name": "robot"}, "oscar")
    assert (await web.call("DELETE", f"/v1/service-accounts/{made['id']}", None, "oscar")).status == 200
    again = await web.post("/v1/service-accounts", {"name": "robot"}, "otto")
    assert (again["id"], again["service_account"]["created_by_actor_id"]) == (made["id"], "per_otto")
    await key_of(web, "robot", "ann", agent="robot")
    assert await barred(web, "robot") == {"otto", "ann"}


async def test_agent_of_a_service_has_the_services_side(web: WebEnv) -> None:
    await with_admins(web)
    await key_of(web, "second", "ann", service="ci")  # registered by Oscar
    made = await web.post("/v1/service-accounts", {"name": "robot"}, "second")
    assert made.status == 200
    await key_of(web, "robot", "otto", agent="robot")
    assert await barred(web, "robot") == {"oscar", "ann", "otto"}
    await key_of(web, "other", "second", agent="robot")
    assert await barred(web, "other") == {"oscar", "ann"}


async def test_creator_of_anothers_key_is_barred_in_every_workspace(
    web: WebEnv,
) -> None:
    await with_admins(web)
    await key_of(web, "ritas", "otto", person="rita@acme.example")
    assert await code(web, await gate(web, "ritas"), "otto") == "self_approval"
    said = {"workspace": {"protected": True}}
    assert (await web.post("/v1/apply", said, "oscar")).status == 200
    web.clock.move(timedelta(seconds=1))
    assert await code(web, await gate(web, "ritas"), "otto") == "self_approval"
    assert await code(web, await gate(web, "ritas"), "ann") == ""
    # nor does Otto decide what he asked for himself: as her, with the key that he has, or signed in with it
    task_id = await gate(web, "otto", human_task={"title": "?", "assignees": ["per_rita", "per_ann"]})
    assert await code(web, task_id, "ritas") == "self_approval"
    page = await Reader(web, "ritas").sign_in(key=True)
    shown = await page.get(f"/tasks/{task_id}")
    assert (shown.status, [form for form in shown.forms if form["action"] == f"/tasks/{task_id}"]) == (
        200,
        [],
    )
    assert await code(web, task_id, "rita") == ""  # with a key of her own she does
    await key_of(web, "ottos", "otto", person="otto@acme.example")
    assert (await web.post("/v1/keys", {"person": "rita@acme.example"}, "otto")).code == "protected_workspace"
