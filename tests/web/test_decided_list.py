"""The list of decided tasks on page and API, the newest decision first, page by page from an index."""

import re
from datetime import timedelta

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

ASK = {"title": "May we?", "assignees": ["ann@acme.example"]}
MINUTE = timedelta(minutes=1)


async def decided(web: WebEnv, order: str, kind: str = "a.first.v1") -> dict[str, str]:
    """Send requests in alphabetical order and decide them in this order, a minute apart; returns them by name."""
    sent = {
        name: await web.send(intent_type=kind, human_task=ASK, payload={"n": name}, correlation_id=name)
        for name in sorted(order)
    }
    for name in order:
        await web.answer(f"{sent[name][:-4]}0001", who="ann")
        web.clock.move(MINUTE)
    return sent


async def listed(web: WebEnv, query: str = "", who: str = "ann", limit: int = 2) -> tuple[list[str], int]:
    """The intents of all pages, and the number of pages."""
    found: list[str] = []
    cursor, pages = "", 0
    while pages < 50:
        page = (await web.get(f"/v1/tasks?state=closed&limit={limit}{query}{cursor}", who)).json
        found += [one["intent_id"] for one in page["tasks"]]
        pages += 1
        if "next_cursor" not in page:
            return found, pages
        cursor = f"&cursor={page['next_cursor']}"
    raise AssertionError("the pages do not end")


async def test_api_lists_the_newest_decision_first_without_gaps(web: WebEnv) -> None:
    sent = await decided(web, "cabedgf")
    newest_first = [sent[name] for name in reversed("cabedgf")]
    for limit in (1, 2, 3, 7, 50):
        assert (await listed(web, limit=limit))[0] == newest_first
    assert (await listed(web, "&mine=true"))[0] == newest_first
    assert (await listed(web, "&mine=true", "otto"))[0] == []


async def test_decisions_of_one_moment_are_each_listed_once(web: WebEnv) -> None:
    sent = [await web.send(intent_type="a.first.v1", human_task=ASK) for _ in range(5)]
    for one in sent:
        await web.answer(f"{one[:-4]}0001", who="ann")
    assert (await listed(web))[0] == sent[::-1]


async def test_decision_between_two_pages_is_neither_missed_nor_repeated(web: WebEnv) -> None:
    sent = await decided(web, "bac")
    late = await web.send(intent_type="a.first.v1", human_task=ASK)
    first = await web.get("/v1/tasks?state=closed&limit=1", "ann")
    await web.answer(f"{late[:-4]}0001", who="ann")
    rest = await web.get(f"/v1/tasks?state=closed&cursor={first['next_cursor']}", "ann")
    assert [one["intent_id"] for one in (*first["tasks"], *rest["tasks"])] == [sent[name] for name in "cab"]
    assert (await listed(web))[0] == [late, sent["c"], sent["a"], sent["b"]]


async def test_filters_keep_the_order(web: WebEnv) -> None:
    first = await decided(web, "ba")
    second = await decided(web, "dc", "a.second.v1")
    assert (await listed(web, "&intent_type=a.first.v1"))[0] == [first["a"], first["b"]]
    assert (await listed(web, "&intent_type=a.second.v1"))[0] == [second["c"], second["d"]]
    assert (await listed(web, "&intent_type=a.third.v1")) == ([], 1)
    assert (await listed(web, "&correlation_id=d"))[0] == [second["d"]]
    assert (await listed(web, "&q=may%20we"))[0] == [second["c"], second["d"], first["a"], first["b"]]


async def test_service_sees_the_decisions_about_its_own_requests(web: WebEnv) -> None:
    sent = await decided(web, "ba")
    others = await web.send(intent_type="a.first.v1", human_task=ASK, who="oscar")
    await web.answer(f"{others[:-4]}0001", who="ann")
    assert (await listed(web, who="ci"))[0] == [sent["a"], sent["b"]]


@pytest.mark.parametrize(
    "cursor", ["x", "1.x", ".", "1764540000000000", "0190a7de-1111-7222-8333-444455550000"]
)
async def test_invalid_cursor_is_refused(web: WebEnv, cursor: str) -> None:
    refused = await web.get(f"/v1/tasks?state=closed&cursor={cursor}", "ann")
    assert (refused.status, refused["error"]["field"]) == (422, "cursor")


async def test_page_lists_the_newest_decision_first_with_its_time(web: WebEnv) -> None:
    await decided(web, "cab")
    ann = await reader(web, "ann")
    page = await ann.get("/?view=done")
    rows = re.findall(r"n ([abc]) approved approval from ci decided by Ann (\dm) ago", page.text)
    assert rows == [("b", "1m"), ("a", "2m"), ("c", "3m")]
    only = await ann.get("/?view=done&type=a.other.v1")
    assert "No tasks match the filter." in only.text
