"""The pages in a real browser for a reader whose assurance is too low: no overflow, nothing from axe, and one button
that leads on, with and without scripts.
"""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.web.inbox.assurance_gate import gate
from tests.web.inbox.chromium import DESKTOP, PHONE, chromium, window
from tests.web.inbox.mailing import mailing
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv

pytestmark = pytest.mark.browser

SETTINGS = [
    pytest.param({"viewport": DESKTOP, "color_scheme": "light"}, id="desktop light"),
    pytest.param({"viewport": PHONE, "color_scheme": "dark"}, id="phone dark"),
    pytest.param({"viewport": PHONE, "color_scheme": "light", "java_script_enabled": False}, id="no script"),
]
PROTECTED = {
    "workspace": {"protected": True},
    "people": {"otto@acme.example": {"roles": ["admin", "approver"]}},
}
LOOSER = {"people": {"emma@acme.example": {"roles": ["admin", "approver"]}}}


@pytest.mark.parametrize("setting", SETTINGS)
async def test_card_names_the_missing_sign_in_and_keeps_typed_text(
    web: WebEnv, setting: dict[str, Any]
) -> None:
    task_id = await gate(web)
    scripts = setting.get("java_script_enabled", True)
    async with (
        mailing(web),
        serving(web) as url,
        chromium() as browser,
        window(browser, url, **setting) as ann,
    ):
        page = ann.page
        await ann.open(f"/login?next=/tasks/{task_id}")
        if scripts:
            await ann.check()
        await page.get_by_label("Or your key").fill(web.keys["ann"])
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(
            page.get_by_text("You are signed in with a key. This decision requires a sign-in by e-mail.")
        ).to_be_visible()
        if scripts:
            await ann.check()
        await page.get_by_label("Comment").fill("Checked with Otto.")
        await page.get_by_role("button", name="Mail me a sign-in link").click()
        await expect(
            page.get_by_role("status").get_by_text("is on its way to ann@acme.example")
        ).to_be_visible()
        await expect(page.get_by_label("Comment")).to_have_value("Checked with Otto.")
        if scripts:
            await ann.check()
        token = await web.state.sessions.login_link(HOME, "per_ann")
        await ann.open(f"/login/{token}?next=/tasks/{task_id}")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_label("Comment")).to_have_value("Checked with Otto.")
        await page.get_by_role("button", name="Approve", exact=True).click()
        await expect(page.get_by_text("You are signed in with a key.")).to_have_count(0)
        await expect(page.get_by_role("heading", name="Your decision")).to_have_count(0)


@pytest.mark.parametrize("setting", SETTINGS[:2])
@pytest.mark.parametrize("by_key", [True, False])
async def test_proposal_is_confirmed_on_its_page_after_a_sign_in_by_mail(
    web: WebEnv, setting: dict[str, Any], by_key: bool
) -> None:
    for document, who in ((PROTECTED, "oscar"), (LOOSER, "otto")):
        answer = await web.post("/v1/apply", document, who)
        assert answer.status == 200
    path = f"/proposals/{answer['proposal']['id']}"
    async with serving(web) as url, chromium() as browser, window(browser, url, **setting) as oscar:
        if by_key:
            await oscar.open(f"/login?next={path}")
            await oscar.page.get_by_label("Your key").fill(web.keys["oscar"])
            await oscar.page.get_by_role("button", name="Sign in", exact=True).click()
            await expect(oscar.page.get_by_text("Confirming requires a sign-in by e-mail.")).to_be_visible()
            await oscar.check()
            return
        await oscar.sign_in(await web.state.sessions.login_link(HOME, "per_oscar"))
        await oscar.open(path)
        await oscar.check()
        await oscar.page.get_by_role("button", name="Confirm the change").click()
        await expect(oscar.page.get_by_text("Confirmed by Oscar")).to_be_visible()
