"""Every page in a real browser with a company's data: axe reports nothing, nothing overflows, the landmarks exist, and
everything is accessible to screen readers.
"""

from typing import Any

import pytest

from signoff.web.pages.routes import ROWS
from tests.web.inbox.chromium import DESKTOP, PHONE, Window, chromium, window
from tests.web.inbox.demo_workspace import furnish
from tests.web.inbox.paths import paths_of
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


async def check_structure(page: Window, path: str) -> None:
    found = await page.page.evaluate(_HEARD)
    assert found.pop("title").endswith("Signoff"), path
    assert found == {"odd": [], "mains": 1, "first": 1, "skipped": False, "lang": "en"}, path


async def test_every_page_is_covered(web: WebEnv) -> None:
    pages = {row.path for row in ROWS if row.method == "GET"} - {
        "/live",
        "/live/{intent_id}",
        "/static/{name}",
    }
    assert pages == set(await paths_of(web, await furnish(web)))


@pytest.mark.parametrize("who", ["", "oscar", "ann"])
@pytest.mark.parametrize("setting", SETTINGS)
async def test_axe_finds_no_violation_on_any_page(web: WebEnv, setting: dict[str, Any], who: str) -> None:
    """Signed out for the public pages, the owner for all, an approver for those that differ for approvers."""
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
    """The page as it opens, and with everything expanded."""
    await person.open(path)
    await check_structure(person, path)
    await person.page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
    await person.check()
