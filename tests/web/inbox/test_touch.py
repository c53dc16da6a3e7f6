"""Phones: large touch targets, a single-row navigation, long text at full width."""

import pytest

from tests.web.inbox.chromium import PHONE, chromium, window
from tests.web.inbox.demo_workspace import furnish
from tests.web.inbox.paths import paths_of
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv

pytestmark = pytest.mark.browser

# Whatever is pressed, but links inside a sentence or a heading: those may be as high as the line.
_SMALL = """() => [...document.querySelectorAll('button, summary, select, textarea, a, label.inline, input')]
  .filter((e) => !e.matches('[type=hidden], [type=checkbox]'))
  .filter((e) => !e.matches('a') || getComputedStyle(e).display !== 'inline')
  .map((e) => [e, e.getBoundingClientRect()])
  .filter(([e, box]) => box.width && box.height && box.height < 43.5 && !e.matches('.skip'))
  .map(([e, box]) => `${e.outerHTML.slice(0, 80)} is ${Math.round(box.height)} high`)"""
_ROWS = "() => new Set([...document.querySelectorAll('#pages a')].map((e) => e.offsetTop)).size"
_WIDE = """(name) => {
  const rows = [...document.querySelectorAll('.leaves tr')];
  const cell = rows.find((e) => e.querySelector('th')?.textContent === name).querySelector('td');
  return cell.clientWidth / cell.closest('section').clientWidth;
}"""


async def test_touch_targets_are_large_enough_on_a_phone(web: WebEnv) -> None:
    rows = await paths_of(web, await furnish(web))
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=PHONE) as oscar:
        await oscar.sign_in(await web.state.sessions.login_link(HOME, "per_oscar"))
        for path in (
            found for name, paths in rows.items() if name != "/login/{token}" for found in paths[:2]
        ):
            await oscar.open(path)
            await oscar.page.evaluate(
                "document.querySelectorAll('details').forEach((e) => { e.open = true })"
            )
            assert await oscar.page.evaluate(_SMALL) == [], path
        oscar.complaints = [said for said in oscar.complaints if "status of 4" not in said]


async def test_navigation_stays_on_one_row(web: WebEnv) -> None:
    for _ in range(100):
        await web.ask(assignees=["ann@acme.example"])
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=PHONE) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.page.get_by_text("99+").wait_for()
        assert await ann.page.evaluate(_ROWS) == 1
        await ann.check()


async def test_long_text_has_the_full_width_and_folded_values_open_in_place(web: WebEnv) -> None:
    script = "\n".join(f"alter table t{n} add column c int;" for n in range(40))
    made = await web.send(
        intent_type="intent.x.v1",
        payload={"script": script, "target": "db"},
        human_task={"assignees": ["ann@acme.example"]},
    )
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=PHONE) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/tasks/{made[:-4]}0001")
        assert await ann.page.evaluate(_WIDE, "script") > 0.8
        await ann.check()
        await ann.page.get_by_role("button", name="Show everything").click()
        await ann.page.get_by_role("button", name="Approve", exact=True).wait_for()
        assert ann.page.url.endswith("#changes"), "one goes on reading where it was collapsed"
        await ann.page.emulate_media(media="print", color_scheme="dark")
        assert await ann.page.locator(".side").is_hidden()
        ink = await ann.page.evaluate("getComputedStyle(document.documentElement).color")
        assert ink == "rgb(22, 25, 29)", "a print is dark on white, whatever the screen is"
