"""Every page of the table in a real browser, with a company's data on it: axe finds nothing, nothing sticks out, the
landmarks are there, and everything on it can be read without sight.
"""

from datetime import timedelta
from typing import Any

import pytest

from signoff.web.pages.routes import ROWS
from tests.web.inbox.chromium import DESKTOP, PHONE, Window, chromium, window
from tests.web.inbox.demo_workspace import CHARTER, DemoWorkspace, furnish
from tests.web.inbox.reading import reader
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv

pytestmark = pytest.mark.browser

SETTINGS = [
    pytest.param({"viewport": DESKTOP, "color_scheme": "light"}, id="desktop light"),
    pytest.param({"viewport": PHONE, "color_scheme": "dark"}, id="phone dark"),
]
REFUSED = (
    "the server responded with a status of 4"  # links that are over, pages for admins: looked at on purpose
)
# What a screen reader is told of each page: one main, one first heading, no control and no table without a name.
_HEARD = """() => {
  const named = (e) => (e.labels?.length || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')
    || e.textContent.trim() || e.caption);
  const odd = [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a, table, nav')]
    .filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 120));
  const levels = [...document.querySelectorAll('h1, h2, h3')].map((e) => +e.tagName[1]);
  return {odd, mains: document.querySelectorAll('main').length, first: levels.filter((l) => l === 1).length,
    skipped: levels.some((l, i) => i && l > levels[i - 1] + 1), lang: document.documentElement.lang,
    title: document.title};
}"""


async def paths_of(web: WebEnv, demo: DemoWorkspace) -> dict[str, list[str]]:
    """Addresses by row of the table: each page, and each look that it can have."""
    approval = demo.tasks["approval"]
    shown = (await web.get(f"/v1/tasks/{approval}"))["task"]
    sessions = web.state.sessions
    link = await sessions.task_link(HOME, "per_otto", shown["intent_id"], 2, shown["digest"])
    web.state.channels = ("email", "webhook")
    tasks = [*demo.tasks.values(), *demo.ended.values(), demo.second]
    return {
        "/": ["/", "/?view=team", "/?view=all", "/?view=done", "/?q=nothing", "/?sort=age"],
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
        "/teams": ["/teams"],
        "/teams/{name}": ["/teams/sre-oncall", "/teams/dba"],
        "/policies": ["/policies"],
        "/policies/{name}": ["/policies/prod-change", "/policies/everyday"],
        "/changes": ["/changes", "/changes?about=person:per_ann", "/changes?about=moon:1"],
        "/proposals": ["/proposals"],
        "/proposals/{proposal_id}": [f"/proposals/{id}" for id in await propose(web)] + ["/proposals/x"],
        "/keys": ["/keys"],
        "/logout": ["/logout"],
        "/login": ["/login"],
        "/login/{token}": [f"/login/{await sessions.login_link(HOME, 'per_ann')}", "/login/none"],
    }


async def propose(web: WebEnv) -> list[str]:
    """Proposals in a protected workspace: what waits for Oscar, his own, a stale one, one refused, one confirmed."""
    admin = {"people": {"otto@acme.example": {"roles": ["admin", "approver"]}}}
    assert (await web.post("/v1/apply", admin | {"workspace": {"protected": True}}, "oscar")).status == 200
    policy = CHARTER["policies"]["everyday"]

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


async def heard(page: Window, path: str) -> None:
    found = await page.page.evaluate(_HEARD)
    assert found.pop("title").endswith("Signoff"), path
    assert found == {"odd": [], "mains": 1, "first": 1, "skipped": False, "lang": "en"}, path


async def test_no_page_is_left_out(web: WebEnv) -> None:
    pages = {row.path for row in ROWS if row.method == "GET"} - {
        "/live",
        "/live/{intent_id}",
        "/static/{name}",
    }
    assert pages == set(await paths_of(web, await furnish(web)))


@pytest.mark.parametrize("who", ["", "oscar", "ann"])
@pytest.mark.parametrize("setting", SETTINGS)
async def test_axe_finds_nothing_on_any_page(web: WebEnv, setting: dict[str, Any], who: str) -> None:
    """Nobody sees what needs no sign-in, the owner all pages, an approver those that are others for an approver."""
    rows = await paths_of(web, await furnish(web))
    signed_out = [rows.pop("/login"), rows.pop("/login/{token}"), rows.pop("/t/{token}")]
    for_ann = [rows[name] for name in ("/", "/tasks/{task_id}", "/people/{person_id}", "/me", "/keys")]
    chosen = {"": signed_out, "oscar": list(rows.values()), "ann": for_ann}[who]
    async with serving(web) as url, chromium() as browser, window(browser, url, **setting) as person:
        if who:
            await person.sign_in(await web.state.sessions.login_link(HOME, f"per_{who}"))
        for path in (path for paths in chosen for path in paths):
            await look(person, path)
        person.complaints = [said for said in person.complaints if REFUSED not in said]


async def look(person: Window, path: str) -> None:
    """The page as it comes, and with all that can be unfolded."""
    await person.open(path)
    await heard(person, path)
    await person.page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
    await person.check()
