"""Long work runs outside the event loop, so that other requests are answered meanwhile."""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Any

from signoff.core.directory.actors import Actor, ActorKind
from signoff.engine.off_loop import OffLoop
from tests.on_loop import on_the_loop
from tests.web.inbox.reading import Shown, reader
from tests.web.web_env import HOME, Answer, WebEnv

ANN, OTTO = (Actor(ActorKind.PERSON, f"per_{name}", HOME) for name in ("ann", "otto"))
CROWD = {f"p{number}@acme.example": {"roles": ["approver"]} for number in range(60)}
POLICY = {"approve": {"any": ["role:approver"]}, "deadline": "8h", "remind": {"after": "1h", "every": "1h"}}


async def test_upcoming_contacts_are_computed_off_the_event_loop(web: WebEnv) -> None:
    manifest = {"people": CROWD, "policies": {"all": POLICY}}
    assert (await web.post("/v1/apply", manifest, "oscar")).status == 200
    _, task = await web.at_gate()
    ann = await reader(web, "ann")
    acts: tuple[Callable[[], Awaitable[Answer | Shown]], ...] = (
        lambda: web.get("/v1/policies/all/explain", "ann"),
        lambda: web.get(f"/v1/tasks/{task}/explain", "ann"),
        lambda: ann.get("/policies/all"),
        lambda: ann.get(f"/tasks/{task}"),
    )
    for act in acts:
        answer, times = await on_the_loop(act, of="_foretold")
        assert (answer.status, times) == (200, 0)


async def test_many_people_are_listed_off_the_event_loop(web: WebEnv) -> None:
    assert (await web.post("/v1/apply", {"people": CROWD}, "oscar")).status == 200
    ann = await reader(web, "ann")
    acts: tuple[tuple[str, Callable[[], Awaitable[Answer | Shown]]], ...] = (
        ("person_out", lambda: web.get("/v1/people", "ann")),
        ("listed", lambda: ann.get("/people")),
        ("render", lambda: ann.get("/people?q=p7")),
        ("render", lambda: ann.get("/teams")),
    )
    for of, act in acts:
        answer, times = await on_the_loop(act, of=of)
        assert (answer.status, times) == (200, 0), of


async def test_other_requests_are_answered_while_a_long_manifest_is_applied(web: WebEnv) -> None:
    manifest = {
        "people": CROWD,
        "teams": {f"t{n}": {"members": list(CROWD)} for n in range(20)},
        "policies": {f"p{n}": POLICY for n in range(20)},
    }
    entries, at_once = {"plan_person": 0, "plan_team": 0, "plan_policy": 0}, list[int]()

    def called(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code.co_name in entries:
            entries[frame.f_code.co_name] += 1

    sys.setprofile(called)
    try:
        applying = asyncio.create_task(web.post("/v1/apply?dry_run=true", manifest, "oscar"))
        while not applying.done():
            before = sum(entries.values())
            await asyncio.sleep(0)
            at_once.append(sum(entries.values()) - before)
    finally:
        sys.setprofile(None)
    assert applying.result().status == 200
    assert min(entries.values()) >= 20
    assert max(at_once) == 1


async def test_one_expensive_task_per_actor_runs_at_a_time() -> None:
    off_loop, begun, go_on = OffLoop(), list[str](), threading.Event()

    def work(name: str) -> str:
        begun.append(name)
        assert go_on.wait(30)
        return name

    asking = [
        asyncio.create_task(off_loop.run(who, partial(work, name)))
        for who, name in ((ANN, "one"), (ANN, "two"), (OTTO, "other"))
    ]
    while len(begun) < 2:
        await asyncio.sleep(0)
    assert sorted(begun) == ["one", "other"]
    go_on.set()
    assert await asyncio.gather(*asking) == ["one", "two", "other"]


LONG: dict[str, Any] = {"token": "abc"} | {
    f"k{number}": {"before": "x y", "after": f"needle {number}"} for number in range(400)
}


async def test_long_values_are_masked_compared_and_searched_off_the_event_loop(web: WebEnv) -> None:
    """Otherwise searching or listing one long request would delay everyone."""
    await web.apply_workflow(
        steps=[
            {"id": "approve", "human": {"type": "review", "title": "Go?", "approvers": ["role:approver"]}}
        ],
    )
    intent = await web.send(payload=LONG)
    task = intent[:-4] + "0001"
    changed = {**LONG, "k1": {"before": "x y", "after": "needle other"}}
    assert (await web.post(f"/v1/tasks/{task}/revise", {"payload": changed}, "ann")).status == 200
    ann = await reader(web, "ann")
    acts: tuple[Callable[[], Awaitable[Answer | Shown]], ...] = (
        lambda: web.get("/v1/intents?q=needle", "ann"),
        lambda: web.get("/v1/tasks?q=needle", "ann"),
        lambda: web.post("/v1/intents/bulk-cancel", {"q": "needle", "dry_run": True}, "ann"),
        lambda: web.get(f"/v1/tasks/{task}", "ann"),
        lambda: ann.get("/?q=needle"),
        lambda: ann.get("/"),
        lambda: ann.get("/intents?q=needle"),
        lambda: ann.get("/intents"),
        lambda: ann.get(f"/intents/{intent}"),
        lambda: ann.get(f"/tasks/{task}"),
        lambda: ann.get("/?view=done&q=needle"),
    )
    for number, act in enumerate(acts):
        answer, times = await on_the_loop(act, of="_masked")
        assert (number, answer.status, times) == (number, 200, 0)


async def test_long_history_is_read_off_the_event_loop(web: WebEnv) -> None:
    """Otherwise opening a request with many comments would delay everyone."""
    intent, task = await web.ask()
    for number in range(60):
        body = {"comment": f"{number} " + "See https://user:word@host/x. " * 100}
        assert (await web.post(f"/v1/tasks/{task}/comment", body, "ci")).status == 200
    ann = await reader(web, "ann")
    acts: tuple[Callable[[], Awaitable[Answer | Shown]], ...] = (
        lambda: ann.get(f"/tasks/{task}"),
        lambda: ann.get(f"/intents/{intent}"),
        lambda: ann.get(f"/audit/{intent}"),
        lambda: web.get(f"/v1/tasks/{task}", "ann"),
        lambda: web.get(f"/v1/intents/{intent}/audit", "ann"),
        lambda: web.get(f"/v1/intents/{intent}/events", "ann"),
        lambda: web.post(f"/v1/tasks/{task}/mark-reviewing", {}, "ann"),
    )
    for number, act in enumerate(acts):
        for work in ("unseal", "masked_text", "task_history", "verify", "event_summary"):
            answer, times = await on_the_loop(act, of=work)
            # the change itself is folded onto what was read, and an intent's page has a sentence or two of its own
            assert (number, work, answer.status, min(times // 3, 1)) == (number, work, 200, 0)
