"""Long lists of people and workflows are paged in order, and a search finds every entry."""

import re

from tests.web.inbox.reading import Reader, reader
from tests.web.web_env import WebEnv

PERSON = re.compile(r'href="/people/(per_\w+)" data-row')
FLOW = re.compile(r"<h2>(flow-\d+)")


async def walk(at: Reader, path: str, found: re.Pattern[str]) -> list[list[str]]:
    """The entries of a list's pages, following their links."""
    pages: list[list[str]] = []
    while True:
        page = await at.get(path)
        assert page.status == 200, page.text
        pages.append(found.findall(page.html))
        following = re.search(r'href="([^"]+)">Next page', page.html)
        if following is None:
            return pages
        path = following[1].replace("&amp;", "&")


async def add_people(web: WebEnv, count: int) -> None:
    people = {f"p{n:03}@acme.example": {"name": f"Person {n:03}", "roles": ["member"]} for n in range(count)}
    assert (await web.post("/v1/apply", {"people": people}, "oscar")).status == 200


async def test_every_person_is_on_one_page_of_the_list(web: WebEnv) -> None:
    before = [one for page in await walk(await reader(web, "ann"), "/people", PERSON) for one in page]
    await add_people(web, 120)
    at = await reader(web, "ann")
    pages = await walk(at, "/people", PERSON)
    listed = [one for page in pages for one in page]
    assert [len(page) for page in pages[:-1]] == [50] * (len(pages) - 1)
    assert len(set(listed)) == len(listed) == len(before) + 120
    found = await at.get("/people?q=person+117")
    assert len(PERSON.findall(found.html)) == 1
    assert "p117@acme.example" in found.text
    assert [len(page) for page in await walk(at, "/people?q=p0", PERSON)] == [50, 50]
    assert "No one matches" in (await at.get("/people?q=nobody-at-all")).text
    assert (await at.get("/people?after=per_nobody")).status == 404


async def test_every_workflow_is_on_one_page_of_the_list(web: WebEnv) -> None:
    step = {"id": "ask", "human": {"title": "Pay?"}}
    flows = [
        {"workflow": f"flow-{n:02}", "intent_type": f"intent.n{n:02}.v1", "steps": [step]} for n in range(60)
    ]
    assert (await web.post("/v1/apply", {"workflows": flows}, "oscar")).status == 200
    at = await reader(web, "ann")
    pages = await walk(at, "/workflows", FLOW)
    assert [one for page in pages for one in page] == [f"flow-{n:02}" for n in range(60)]
    assert len(pages) == 3
    assert await walk(at, "/workflows?q=intent.n41", FLOW) == [["flow-41"]]
    assert "No workflow matches" in (await at.get("/workflows?q=none-such")).text
    # The page goes on in its place although the workflow where it began was removed.
    gone = {"remove": {"workflows": ["intent.n24.v1"]}}
    assert (await web.post("/v1/apply", gone, "oscar")).status == 200
    page = await at.get("/workflows?after=flow-24&type=intent.n24.v1")
    assert FLOW.findall(page.html)[0] == "flow-25"
