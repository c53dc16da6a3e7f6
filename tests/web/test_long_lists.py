"""What a list reads depends on what it shows, not on how many tasks are open: counted in rows."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from signoff.engine.commit.recent import RecentCommits
from signoff.engine.read.view import View
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

ANN, OTTO = ["ann@acme.example"], ["otto@acme.example"]


class Counted:
    """Rows and statements that the store has read."""

    def __init__(self) -> None:
        self.rows = self.statements = 0


@pytest.fixture
def counted(web: WebEnv, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    count, read = Counted(), web.env.store.read

    async def counting(sql: str, **values: Any) -> list[Any]:
        rows = await read(sql, **values)
        count.rows += len(rows)
        count.statements += 1
        return rows

    monkeypatch.setattr(web.env.store, "read", counting)
    return count


PATHS = ("/v1/me/tasks", "/v1/tasks?mine=true", "/v1/tasks?limit=5", "/v1/tasks?mine=true&q=nothing")


async def cost(web: WebEnv, counted: Counted) -> dict[str, tuple[int, int]]:
    """(statements, rows) of each list, of the badge and of the inbox of somebody with few tasks, once all is warm."""
    found: dict[str, tuple[int, int]] = {}
    ann, page = await web.actor("ann"), await reader(web, "ann")
    for path in (*PATHS, "/", "/?sort=age", "badge"):
        for _ in range(2):
            counted.rows = counted.statements = 0
            if path == "badge":
                await View(web.env.store, RecentCommits(alone=True)).count_mine(ann, 100)
            elif path in PATHS:
                assert (await web.get(path, "ann")).status == 200
            else:
                assert (await page.get(path)).status == 200
        found[path] = counted.statements, counted.rows
    return found


async def test_a_list_reads_what_it_shows_however_many_tasks_are_open(web: WebEnv, counted: Counted) -> None:
    for _ in range(3):
        await web.ask(assignees=ANN)
    for _ in range(10):
        await web.ask(assignees=OTTO)
    few = await cost(web, counted)
    for _ in range(60):
        await web.ask(assignees=OTTO)
    assert await cost(web, counted) == few


async def test_the_pages_of_the_inbox_have_no_holes_and_repeat_nothing(
    web: WebEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signoff.web.pages.lists.inbox._PAGE", 3)
    asked = {(await web.ask(assignees=ANN))[1] for _ in range(7)}
    late = sorted(asked)[2]
    until = (web.clock.now() + timedelta(hours=1)).isoformat()
    assert (await web.post(f"/v1/tasks/{late}/snooze", {"until": until}, "ann")).status == 200
    for sort in ("due", "age"):
        ann, path, seen = await reader(web, "ann"), f"/?sort={sort}", []
        while path:
            page = await ann.get(path)
            seen += re.findall(r'href="/tasks/([0-9a-f-]{36})"', page.html)
            more = re.search(r'href="(/\?[^"]*after=[^"]*)"', page.html)
            path = more[1].replace("&amp;", "&") if more else ""
            if seen and more:
                await web.answer(seen[-1])  # what is answered meanwhile moves nothing out of its place
        assert [*dict.fromkeys(seen)] == seen
        assert {*seen} == asked
        assert seen[-1] == late
        asked -= {
            task for task in asked if (await web.get(f"/v1/tasks/{task}", "ann"))["task"]["state"] != "open"
        }
