"""The paths of every page."""

from datetime import timedelta
from typing import Any

from signoff.engine.delivery.channel_registry import ChannelRegistry
from tests.web.inbox.demo_workspace import MANIFEST, DemoWorkspace
from tests.web.inbox.reading import reader
from tests.web.web_env import HOME, WebEnv


async def paths_of(web: WebEnv, demo: DemoWorkspace) -> dict[str, list[str]]:
    """Paths by row of the table: each page in each of its states."""
    approval = demo.tasks["approval"]
    shown = (await web.get(f"/v1/tasks/{approval}"))["task"]
    sessions = web.state.sessions
    link = await sessions.task_link(HOME, "per_otto", shown["intent_id"], 2, shown["digest"])
    web.state.channels = ChannelRegistry(dict.fromkeys(("email", "webhook")))
    tasks = [*demo.tasks.values(), *demo.ended.values(), demo.second]
    return {
        "/": ["/", "/?view=team", "/?view=all", "/?view=done", "/?q=nothing", "/?sort=age"],
        "/bulk": ["/bulk", f"/bulk?task={approval}"],
        "/tasks/{task_id}": [f"/tasks/{task}" for task in tasks] + [f"/tasks/{approval}?open=1", "/tasks/x"],
        "/t/{token}": [f"/t/{link}", "/t/none"],
        "/intents": ["/intents", "/intents?status=FAILED", "/intents?status=TIMED_OUT"],
        "/intents/{intent_id}": [f"/intents/{task}" for task in (approval, *demo.ended.values())],
        "/audit/{intent_id}": [f"/audit/{approval}"],
        "/workflows": ["/workflows"],
        "/agents": ["/agents"],
        "/people": ["/people"],
        "/people/{person_id}": ["/people/per_emma", "/people/per_otto"],
        "/me": ["/me"],
        "/channels": ["/channels"],
        "/workspaces": ["/workspaces"],
        "/teams": ["/teams"],
        "/teams/{name}": ["/teams/sre-oncall", "/teams/dba"],
        "/policies": ["/policies"],
        "/policies/{name}": ["/policies/prod-change", "/policies/everyday"],
        "/changes": ["/changes", "/changes?about=person:per_ann", "/changes?about=moon:1"],
        "/proposals": ["/proposals"],
        "/proposals/{proposal_id}": [f"/proposals/{id}" for id in await propose(web)] + ["/proposals/x"],
        "/keys": ["/keys"],
        "/logout": ["/logout"],
        "/device": ["/device"],
        "/login": ["/login"],
        "/login/{token}": [f"/login/{await sessions.login_link(HOME, 'per_ann')}", "/login/none"],
    }


async def propose(web: WebEnv) -> list[str]:
    """Proposals in a protected workspace: one for Oscar, his own, an outdated, a refused and a confirmed one."""
    admin = {"people": {"otto@acme.example": {"roles": ["admin", "approver"]}}}
    assert (await web.post("/v1/apply", admin | {"workspace": {"protected": True}}, "oscar")).status == 200
    policy = MANIFEST["policies"]["everyday"]

    async def ask(who: str, **changes: Any) -> str:
        web.clock.move(timedelta(seconds=1))
        answer = await web.post("/v1/apply", {"policies": {"everyday": policy | changes}}, who)
        return str(answer["proposal"]["id"])

    stale = await ask("otto", deadline="30d")
    refused, confirmed = await ask("otto", self_approval=True), await ask("oscar", deadline="3d")
    assert (await web.post(f"/v1/proposals/{refused}/refuse", {}, "oscar")).status == 200
    assert (await (await reader(web, "otto")).post(f"/proposals/{confirmed}/confirm")).status == 303
    both = {"teams": {"dba": {"members": [f"{n}@acme.example" for n in ("otto", "emma", "ann", "rita")]}}}
    waiting = (await web.post("/v1/apply", both | {"people": {"new@acme.example": {}}}, "otto"))["proposal"][
        "id"
    ]
    return [waiting, await ask("oscar", deadline="9d"), stale, refused, confirmed]
