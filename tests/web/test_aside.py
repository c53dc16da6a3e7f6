"""What takes long is done beside the event loop: whoever else asks is answered meanwhile."""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import TypeVar

from signoff.core.directory.actors import Actor, ActorKind
from signoff.web.off_loop import Aside
from tests.web.inbox.reading import Shown, reader
from tests.web.web_env import HOME, Answer, WebEnv

T = TypeVar("T")

ANN, OTTO = (Actor(ActorKind.PERSON, f"per_{name}", HOME) for name in ("ann", "otto"))
CROWD = {f"p{number}@acme.example": {"roles": ["approver"]} for number in range(60)}
POLICY = {"approve": {"any": ["role:approver"]}, "deadline": "8h", "remind": {"after": "1h", "every": "1h"}}


async def on_the_loop(act: Callable[[], Awaitable[T]], of: str) -> tuple[T, int]:
    """What it gives, and how often a function of that name is called by the event loop's own thread."""
    count = 0

    def called(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_name == of

    sys.setprofile(called)
    try:
        return await act(), count
    finally:
        sys.setprofile(None)


async def test_who_is_told_when_is_worked_out_beside_the_loop(web: WebEnv) -> None:
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


async def test_of_one_actor_one_piece_of_work_is_done_at_a_time() -> None:
    aside, begun, go_on = Aside(), list[str](), threading.Event()

    def work(name: str) -> str:
        begun.append(name)
        assert go_on.wait(30)
        return name

    asking = [
        asyncio.create_task(aside.run(who, partial(work, name)))
        for who, name in ((ANN, "one"), (ANN, "two"), (OTTO, "other"))
    ]
    while len(begun) < 2:
        await asyncio.sleep(0)
    assert sorted(begun) == ["one", "other"]
    go_on.set()
    assert await asyncio.gather(*asking) == ["one", "two", "other"]
