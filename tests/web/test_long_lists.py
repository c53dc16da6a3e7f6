"""A list's reads depend on what it shows, not on the number of open tasks: counted in statements and rows."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from signoff.core.intent.worklist import everything, mine, of_my_teams
from signoff.engine.commit.recent import RecentCommits
from signoff.engine.read.lists import START, Lists
from signoff.engine.read.view import View
from signoff.store.store import Store
from signoff.store.tables.intents import Intents
from signoff.store.transaction import Filter, Stored
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

ANN, OTTO = ["ann@acme.example"], ["otto@acme.example"]


class CountedReads:
    """A store that counts its reads of intents."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.plans = store.plans
        self.intents = Intents(self)  # type: ignore[arg-type]
        self.statements = self.rows = 0

    async def read(self, sql: str, **values: Any) -> list[Any]:
        rows = await self.store.read(sql, **values)
        self.statements += 1
        self.rows += len(rows)
        return rows


def anything(stored: Stored) -> bool:
    return True


async def cost(web: WebEnv) -> dict[str, tuple[int, int]]:
    """(statements, rows) of each list for a person with few tasks."""
    reads, ann = CountedReads(web.env.store), await web.actor("ann")
    lists = Lists(reads)  # type: ignore[arg-type]
    calls: dict[str, Callable[[], Any]] = {
        "badge": lambda: lists.count_mine(ann, 100),
        "inbox": lambda: lists.worklist(ann, mine(ann), anything, START, 30),
        "oldest first": lambda: lists.worklist(ann, mine(ann), anything, START, 30, by_age=True),
        "teams": lambda: lists.worklist(ann, of_my_teams(ann), anything, START, 30),
        "everything": lambda: lists.worklist(ann, everything(ann), anything, START, 5),
        "me/tasks": lambda: lists.walk_tasks(ann, "", anything, 200, mine(ann), bare=True),
        "mine, searched": lambda: lists.walk_tasks(ann, "", lambda one: False, 50, mine(ann)),
        "tasks": lambda: lists.walk_tasks(ann, "", anything, 5),
    }
    found: dict[str, tuple[int, int]] = {}
    for name, call in calls.items():
        reads.statements = reads.rows = 0
        await call()
        found[name] = reads.statements, reads.rows
    return found


async def test_list_cost_does_not_grow_with_open_tasks(web: WebEnv) -> None:
    for _ in range(3):
        await web.ask(assignees=ANN)
    for _ in range(10):
        await web.ask(assignees=OTTO)
    few = await cost(web)
    for _ in range(60):
        await web.ask(assignees=OTTO)
    assert await cost(web) == few


@pytest.mark.parametrize("sort", ["due", "age"])
async def test_pages_of_the_inbox_have_no_gaps_or_repetitions(web: WebEnv, sort: str) -> None:
    asked = {(await web.ask(assignees=ANN))[1] for _ in range(65)}
    late = sorted(asked)[2]
    until = (web.clock.now() + timedelta(hours=1)).isoformat()
    assert (await web.post(f"/v1/tasks/{late}/snooze", {"until": until}, "ann")).status == 200
    ann, path, seen, pages = await reader(web, "ann"), f"/?sort={sort}", list[str](), 0
    while path:
        page = await ann.get(path)
        found = dict.fromkeys(re.findall(r'href="/tasks/([0-9a-f-]{36})"', page.html))
        seen += found
        pages += 1
        more = re.search(r'href="(/\?[^"]*after=[^"]*)"', page.html)
        path = more[1].replace("&amp;", "&") if more else ""
        if more:  # what is answered meanwhile moves nothing out of its place
            assert (await web.answer(seen[-1])).status == 200
    assert pages > 2
    assert [*dict.fromkeys(seen)] == seen
    assert {*seen} == asked
    assert seen[-1] == late


async def test_answered_tasks_are_read_in_one_query(web: WebEnv) -> None:
    async def decide(count: int) -> None:
        for _ in range(count):
            task = (await web.ask(assignees=ANN))[1]
            assert (await web.post(f"/v1/tasks/{task}/answer", {"outcome": "approved"}, "ann")).status == 200

    async def read() -> tuple[int, int]:
        reads, ann = CountedReads(web.env.store), await web.actor("ann")
        view = View(reads, RecentCommits(alone=True))  # type: ignore[arg-type]
        found = await Lists(reads).page(ann, Filter(workspace=ann.workspace, limit=200))
        reads.statements = 0
        histories = await view.last_decided(ann, found)
        assert all(one and one.decided and list(one.votes) == ["per_ann"] for one in histories)
        return reads.statements, len(histories)

    await decide(2)
    assert await read() == (1, 2)
    await decide(8)
    assert await read() == (1, 10)
    listed = await web.get("/v1/tasks?state=closed&limit=4", "ann")
    rest = await web.get(f"/v1/tasks?state=closed&cursor={listed['next_cursor']}", "ann")
    assert (len(listed["tasks"]), len(rest["tasks"])) == (4, 6)
    assert {one["votes"][0]["person"] for one in (*listed["tasks"], *rest["tasks"])} == {"per_ann"}


async def test_lists_contain_no_comments(web: WebEnv) -> None:
    """Comments can be long; only the task itself includes them."""
    task = (await web.ask(assignees=ANN))[1]
    assert (await web.post(f"/v1/tasks/{task}/comment", {"comment": "Why?"}, "ann")).status == 200
    assert (await web.post(f"/v1/tasks/{task}/answer", {"outcome": "approved"}, "ann")).status == 200
    [listed] = (await web.get("/v1/tasks?state=closed", "ann"))["tasks"]
    assert ("comments" in listed, len(listed["votes"])) == (False, 1)
    assert len((await web.get(f"/v1/tasks/{task}", "ann"))["task"]["comments"]) == 1
