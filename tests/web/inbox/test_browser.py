"""The pages in a real browser: every kind of task on desktop and phone, with and without scripts, in light and dark."""

from typing import Any

import pytest

from tests.web.inbox.chromium import DESKTOP, PHONE, Window, chromium, window
from tests.web.serving import serving
from tests.web.world import HOME, World

pytestmark = pytest.mark.browser

ANN = ["ann@acme.example"]
FORM = {
    "type": "object",
    "required": ["count", "how"],
    "properties": {
        "count": {"type": "integer", "title": "How many"},
        "how": {"enum": ["fast", "safe"], "title": "How"},
        "tell": {"type": "array", "title": "Tell", "items": {"enum": ["ops", "finance"]}},
        "sure": {"type": "boolean", "title": "I am sure"},
    },
}
KINDS: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    ("approval", {}, {}, "Approve"),
    ("review", {}, {"Comment": "Fine."}, "Approve"),
    ("confirmation", {}, {}, "Confirm"),
    ("form", {"form_schema": FORM}, {"How many": "3"}, "Submit"),
    ("clarification", {}, {"Your answer": "The second one."}, "Send the answer"),
    ("assignment", {}, {"Assign to": "otto@acme.example"}, "Assign"),
    ("manual_action", {}, {"Evidence": "ticket 4711"}, "Mark as done"),
    ("override", {}, {"Justification": "It burns."}, "Allow the exception"),
]
SETTINGS = [
    pytest.param({"viewport": DESKTOP, "color_scheme": "light"}, id="desktop light"),
    pytest.param({"viewport": PHONE, "color_scheme": "dark"}, id="phone dark"),
    pytest.param(
        {"viewport": DESKTOP, "color_scheme": "dark", "java_script_enabled": False},
        id="desktop dark no script",
    ),
    pytest.param(
        {"viewport": PHONE, "color_scheme": "light", "java_script_enabled": False}, id="phone light no script"
    ),
]


async def decide(
    web: World, ann: Window, kind: tuple[str, dict[str, Any], dict[str, str], str], checked: bool
) -> None:
    word, asked, filled, button = kind
    intent_id, task_id = await web.ask(task_type=word, assignees=ANN, **asked)
    await ann.open("/")
    await ann.page.locator(f"#t-{task_id}").click()
    if checked:
        await ann.check()
    for label, text in filled.items():
        await ann.page.locator(
            f"label:has-text('{label}') ~ input, label:has-text('{label}') ~ textarea"
        ).fill(text)
    if word == "form":
        await ann.page.get_by_label("How needed").select_option("safe")
        await ann.page.get_by_label("finance").check()
    await ann.page.get_by_role("button", name=button, exact=True).click()
    await ann.page.get_by_text("You decided").wait_for()
    if checked:
        await ann.check()
    assert await web.status(intent_id) == "COMPLETED"


@pytest.mark.parametrize("setting", SETTINGS)
async def test_a_person_decides_every_kind_of_task(web: World, setting: dict[str, Any]) -> None:
    scripts = setting.get("java_script_enabled", True)
    async with serving(web) as url, chromium() as browser, window(browser, url, **setting) as ann:
        await ann.sign_in(await web.parts.sessions.login_link(HOME, "per_ann"))
        for kind in KINDS:
            await decide(web, ann, kind, scripts)


async def test_the_inbox_fills_by_itself_and_keeps_the_focus(web: World) -> None:
    _, first = await web.ask(assignees=ANN)
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.parts.sessions.login_link(HOME, "per_ann"))
        await ann.page.keyboard.press("j")
        focused = "document.activeElement.id"
        assert await ann.page.evaluate(focused) == f"t-{first}"
        _, second = await web.ask(assignees=ANN)
        await ann.page.locator(f"#t-{second}").wait_for()
        assert await ann.page.evaluate(focused) == f"t-{first}"
        await ann.page.keyboard.press("j")
        assert await ann.page.evaluate(focused) == f"t-{second}"
        await ann.page.keyboard.press("k")
        await ann.page.keyboard.press("Enter")
        await ann.page.wait_for_url(f"**/tasks/{first}")


async def test_an_open_card_says_that_somebody_was_faster(web: World) -> None:
    _, task_id = await web.at_gate()
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=PHONE) as ann:
        await ann.sign_in(await web.parts.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/tasks/{task_id}")
        await ann.page.get_by_label("Comment").fill("I was writing")
        await web.answer(task_id, "rejected", "otto")
        await ann.page.get_by_text("This was decided meanwhile.").wait_for()
        assert await ann.page.get_by_label("Comment").input_value() == "I was writing"
        await ann.page.get_by_role("link", name="Show it as it is now").click()
        await ann.page.get_by_text("Otto decided").wait_for()


async def test_a_timeline_grows_while_one_looks(web: World) -> None:
    intent_id, task_id = await web.at_gate()
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.parts.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/intents/{intent_id}")
        await web.answer(task_id, "approved", "otto")
        await ann.page.locator(".timeline .good").first.wait_for()
        await ann.page.locator("#status").get_by_text("completed").wait_for()


async def test_the_keyboard_alone_is_enough(web: World) -> None:
    intent_id, task_id = await web.ask(assignees=ANN)
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.parts.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/tasks/{task_id}")
        for _ in range(40):
            await ann.page.keyboard.press("Tab")
            if await ann.page.evaluate("document.activeElement.value") == "approved":
                break
        await ann.page.keyboard.press("Enter")
        await ann.page.get_by_text("You decided").wait_for()
        assert await web.status(intent_id) == "COMPLETED"


async def test_a_name_on_the_lan_works_over_plain_http(web: World) -> None:
    """Such browsers send neither Sec-Fetch-Site nor, under no-referrer, an Origin that says anything."""
    intent_id, task_id = await web.ask(assignees=ANN)
    async with serving(web) as address, chromium("--host-resolver-rules=MAP gate.test 127.0.0.1") as browser:
        url = address.replace("127.0.0.1", "gate.test")
        async with window(browser, url, viewport=PHONE) as ann:
            await ann.sign_in(await web.parts.sessions.login_link(HOME, "per_ann"))
            await ann.open(f"/tasks/{task_id}")
            await ann.page.get_by_role("button", name="Approve").click()
            await ann.page.get_by_text("You decided").wait_for()
    assert await web.status(intent_id) == "COMPLETED"


async def test_hostile_text_runs_nothing(web: World) -> None:
    text = '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'"><form action="https://evil.test"><button>Approve'
    made = await web.post(
        "/v1/intents",
        {
            "intent_type": "intent.x.v1",
            "payload": {"a": text, "reason": text, text[:50]: 1},
            "human_task": {"title": text, "description": text, "assignees": ANN},
        },
    )
    task_id = made["intent_id"][:-4] + "0001"
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=PHONE) as ann:
        await ann.sign_in(await web.parts.sessions.login_link(HOME, "per_ann"))
        for path in (
            "/",
            f"/tasks/{task_id}",
            f"/intents/{made['intent_id']}",
            f"/audit/{made['intent_id']}",
        ):
            await ann.open(path)
            assert "owned" not in await ann.page.title()
            assert await ann.page.locator("img, form[action^=http]").count() == 0
            await ann.check()
