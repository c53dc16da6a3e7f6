"""Filters of open tasks in API, page and core: their results, and how little they read."""

from typing import Any

import pytest

from signoff.store.tables.intents import Intents
from tests.web.inbox.reading import reader
from tests.web.web_env import Answer, WebEnv

ANN = "ann@acme.example"


async def furnish(web: WebEnv) -> dict[str, str]:
    """Tasks that differ in one property each, by that property."""
    await _team(web)
    found = {}
    for name, policy in {
        "plain": {"approve": [{"any": [ANN]}]},
        "low": {"approve": [{"any": [ANN]}], "risk": "low"},
        "team": {"approve": [{"any": ["team:sre"]}]},
    }.items():
        flow = {
            "workflow": f"flow-{name}",
            "intent_type": f"intent.{name}.v1",
            "steps": [{"id": "ok", "human": {"type": "approval", "policy": policy}}],
        }
        assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
        found[name] = (await web.send(intent_type=f"intent.{name}.v1", payload={"order": name}))[:-4] + "0001"
    found["rita"] = (await web.send("rita", intent_type="intent.plain.v1", payload={"order": "r"}))[
        :-4
    ] + "0001"
    return found


async def _team(web: WebEnv) -> None:
    assert (await web.call("PUT", "/v1/teams/sre", {"members": [ANN]}, "oscar")).status == 200


async def listed(web: WebEnv, query: str, who: str = "ann") -> set[str]:
    answer = await web.get(f"/v1/tasks?{query}", who)
    assert answer.status == 200, answer.text
    return {task["task_id"] for task in answer["tasks"]}


FILTERS = {
    "risk=low": {"low"},
    "risk=medium": {"plain", "team", "rita"},
    "risk=high": set(),
    "team=sre": {"team"},
    "team=team:sre": {"team"},
    "requester=rita@acme.example": {"rita"},
    "requester=ci": {"plain", "low", "team"},
    "workflow=flow-low": {"low"},
    "workflow=intent.team.v1": {"team"},
    "q=order+low": {"low"},
    "requester=ci&risk=medium": {"plain", "team"},
    "team=sre&requester=rita@acme.example": set(),
}


@pytest.mark.parametrize("also", ["", "&mine=true"])
async def test_each_filter_selects_matching_tasks(web: WebEnv, also: str) -> None:
    found = await furnish(web)
    for query, names in FILTERS.items():
        assert await listed(web, query + also) == {found[name] for name in names}, query


async def test_page_filters_alike_and_links_to_the_first_page(web: WebEnv) -> None:
    found = await furnish(web)
    ann = await reader(web, "ann")
    for query, names in FILTERS.items():
        page = await ann.get(f"/?view=all&{query}")
        rows = {attrs["id"][2:] for _, attrs in page.tags if "data-row" in attrs}
        assert rows == {found[name] for name in names}, query
    assert (await ann.get("/?risk=none")).status == 422


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("risk=huge", "risk"),
        ("team=dba", "team"),
        ("requester=nobody", "requester"),
        ("workflow=none", "workflow"),
        ("state=closed&risk=low", "risk"),
    ],
)
async def test_invalid_filter_value_is_refused(web: WebEnv, query: str, field: str) -> None:
    answer: Answer = await web.get(f"/v1/tasks?{query}", "ann")
    assert (answer.status, answer.code, answer["error"]["field"]) == (422, "validation_error", field)


class Counted(Intents):
    """A store's intents that counts its reads."""

    read = 0

    async def some(self, ids: Any, *, bare: bool = False) -> Any:
        self.read += len(ids)
        return await super().some(ids, bare=bare)


async def test_filter_reads_a_bounded_part_and_its_pages_have_no_gaps(web: WebEnv) -> None:
    await furnish(web)
    for _ in range(1400):
        await web.send(intent_type="intent.plain.v1", payload={})
    rare = (await web.send(intent_type="intent.low.v1", payload={"order": "last"}))[:-4] + "0001"
    last_team = (await web.send(intent_type="intent.team.v1", payload={}))[:-4] + "0001"
    web.env.store.intents = counted = Counted(web.env.store)
    ann = await reader(web, "ann")
    page = await ann.get("/?view=all&team=sre")
    assert f"t-{last_team}" in page.html
    assert counted.read < 140, "by its index; a hundred of them for the badge"
    seen, there, turns = set[str](), "/?view=all&risk=low", 0
    while there:
        counted.read = 0
        page = await ann.get(there)
        seen |= {attrs["id"][2:] for _, attrs in page.tags if "data-row" in attrs}
        assert counted.read <= 1200, "a page reads a bounded part"
        links = [
            attrs["href"] for tag, attrs in page.tags if tag == "a" and "after=" in attrs.get("href", "")
        ]
        there, turns = (links or [""])[0], turns + 1
    assert (rare in seen, len(seen), turns) == (True, 2, 2)
    assert "Back to the first page" in page.text
    assert rare in await listed(web, "workflow=flow-low&mine=true") | await listed_on(
        web, "workflow=flow-low"
    )


async def listed_on(web: WebEnv, query: str) -> set[str]:
    """All pages of the API's list."""
    found, cursor = set[str](), ""
    while True:
        answer = await web.get(f"/v1/tasks?{query}&limit=10" + (f"&cursor={cursor}" if cursor else ""), "ann")
        found |= {task["task_id"] for task in answer["tasks"]}
        cursor = answer.json.get("next_cursor", "")
        if not cursor:
            return found
