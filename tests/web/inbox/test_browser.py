"""The pages in a real browser: every task type on desktop and phone, with and without scripts, light and dark."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tests.web.inbox.chromium import DESKTOP, PHONE, Window, chromium, window
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv

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
    ("clarification", {}, {"In your words": "The second one."}, "Send the answer"),
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
    web: WebEnv, ann: Window, kind: tuple[str, dict[str, Any], dict[str, str], str], checked: bool
) -> None:
    word, asked, filled, button = kind
    intent_id, task_id = await web.ask(task_type=word, assignees=ANN, **asked)
    await ann.open("/")
    await ann.page.locator(f"#t-{task_id}").click()
    await ann.page.wait_for_url(f"**/tasks/{task_id}")
    if checked:
        await ann.check()
    for label, text in filled.items():
        await ann.page.locator(
            f"label:has-text('{label}') ~ input, label:has-text('{label}') ~ textarea"
        ).fill(text)
    if word == "form":
        await ann.page.get_by_label("How required").select_option("safe")
        await ann.page.get_by_label("finance").check()
    await ann.page.get_by_role("button", name=button, exact=True).click()
    await ann.page.get_by_text("You decided").wait_for()
    if checked:
        await ann.check()
    assert await web.status(intent_id) == "COMPLETED"


@pytest.mark.parametrize("setting", SETTINGS)
async def test_person_decides_every_kind_of_task(web: WebEnv, setting: dict[str, Any]) -> None:
    scripts = setting.get("java_script_enabled", True)
    async with serving(web) as url, chromium() as browser, window(browser, url, **setting) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        for kind in KINDS:
            await decide(web, ann, kind, scripts)


async def test_inbox_updates_by_itself_and_keeps_the_focus(web: WebEnv) -> None:
    _, first = await web.ask(assignees=ANN)
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
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


async def test_open_card_reports_an_earlier_answer(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=PHONE) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/tasks/{task_id}")
        await ann.page.get_by_label("Comment").fill("I was writing")
        await web.answer(task_id, "rejected", "otto")
        await ann.page.get_by_text("This has been decided since this page was loaded.").wait_for()
        assert await ann.page.get_by_label("Comment").input_value() == "I was writing"
        await ann.page.get_by_role("link", name="Show the current state").click()
        await ann.page.get_by_text("Otto decided").wait_for()


async def test_timeline_updates_while_it_is_open(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/intents/{intent_id}")
        await web.answer(task_id, "approved", "otto")
        await ann.page.locator(".timeline .good").first.wait_for()
        await ann.page.locator("#status").get_by_text("completed").wait_for()


async def test_page_is_usable_by_keyboard_alone(web: WebEnv) -> None:
    intent_id, task_id = await web.ask(assignees=ANN)
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/tasks/{task_id}")
        for _ in range(40):
            await ann.page.keyboard.press("Tab")
            if await ann.page.evaluate("document.activeElement.value") == "approved":
                break
        await ann.page.keyboard.press("Enter")
        await ann.page.get_by_text("You decided").wait_for()
        assert await web.status(intent_id) == "COMPLETED"


async def test_host_name_on_the_lan_works_over_plain_http(web: WebEnv) -> None:
    """Such browsers send no Sec-Fetch-Site and, under no-referrer, an Origin of null."""
    intent_id, task_id = await web.ask(assignees=ANN)
    web.state.settings = replace(web.state.settings, allowed_hosts=("gate.test",))
    async with serving(web) as address, chromium("--host-resolver-rules=MAP gate.test 127.0.0.1") as browser:
        url = address.replace("127.0.0.1", "gate.test")
        async with window(browser, url, viewport=PHONE) as ann:
            await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
            await ann.open(f"/tasks/{task_id}")
            await ann.page.get_by_role("button", name="Approve").click()
            await ann.page.get_by_text("You decided").wait_for()
    assert await web.status(intent_id) == "COMPLETED"


async def test_hostile_text_runs_nothing(web: WebEnv) -> None:
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
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
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


# -- the story around the button


SCRIPT = "\n".join(f"echo {n}" for n in range(500)) + "\nDROP TABLE users;"


@pytest.mark.parametrize("setting", [SETTINGS[0], SETTINGS[3]])
async def test_folded_values_are_opened_without_losing_typed_text(
    web: WebEnv, setting: dict[str, Any]
) -> None:
    made = await web.send(
        intent_type="intent.other.v1", payload={"script": SCRIPT}, human_task={"assignees": ANN}
    )
    async with serving(web) as url, chromium() as browser, window(browser, url, **setting) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/tasks/{made}")
        assert await ann.page.get_by_role("button", name="Approve", exact=True).count() == 0
        if setting.get("java_script_enabled", True):
            await ann.page.keyboard.press("a")
            assert await ann.page.evaluate("document.activeElement.textContent") == "Show everything"
        await ann.page.get_by_label("Comment").fill("I read all of it.")
        await ann.page.get_by_role("button", name="Show everything").click()
        await ann.page.get_by_text("DROP TABLE users;").first.wait_for()
        await ann.page.wait_for_load_state()  # the page scrolls to #changes: a click before that can miss
        assert await ann.page.get_by_label("Comment").input_value() == "I read all of it."
        await ann.page.get_by_role("button", name="Approve", exact=True).click()
        await ann.page.get_by_text("You decided").wait_for()
        await ann.page.get_by_text("I read all of it.").wait_for()


@pytest.mark.parametrize("setting", [SETTINGS[1], SETTINGS[2]])
async def test_stale_answer_shows_the_difference_and_asks_again(web: WebEnv, setting: dict[str, Any]) -> None:
    _, task_id = await web.ask(assignees=["ann@acme.example", "otto@acme.example"])
    async with serving(web) as url, chromium() as browser, window(browser, url, **setting) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/tasks/{task_id}")
        changed = {"payload": {"change_type": "database_migration", "target": "staging"}}
        assert (await web.post(f"/v1/tasks/{task_id}/revise", changed, "otto")).status == 200
        await ann.page.get_by_role("button", name="Approve", exact=True).click()
        different = ann.page.get_by_label("What has changed")
        await different.get_by_text("prod-postgres-main").wait_for()
        await different.get_by_text("staging").wait_for()
        if setting.get("java_script_enabled", True):
            await ann.check()
        await ann.page.get_by_role("button", name="Approve", exact=True).click()
        await ann.page.get_by_text("You decided").wait_for()
        ann.complaints = [said for said in ann.complaints if "status of 409" not in said]


async def test_search_filters_the_list_and_is_kept_in_the_address(web: WebEnv) -> None:
    _, invoices = await web.ask(assignees=ANN, title="About invoices")
    _, servers = await web.ask(assignees=ANN, title="About servers")
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.page.keyboard.press("/")
        await ann.page.keyboard.type("invoices")
        await ann.page.locator(f"#t-{servers}").wait_for(state="detached")
        assert await ann.page.locator(f"#t-{invoices}").count() == 1
        await ann.page.wait_for_url("**/?*q=invoices*")
        await ann.page.reload()
        assert await ann.page.locator(f"#t-{servers}").count() == 0
        await ann.page.keyboard.press("j")
        await ann.page.keyboard.press("Enter")
        await ann.page.wait_for_url(f"**/tasks/{invoices}")


async def test_script_formats_times_as_the_server_does(web: WebEnv) -> None:
    web.clock.move(datetime(2027, 9, 9, 9, 5, tzinfo=UTC) - web.clock.now())
    _, task_id = await web.at_gate()
    berlin = {"viewport": PHONE, "timezone_id": "Europe/Berlin"}
    async with serving(web) as url, chromium() as browser, window(browser, url, **berlin) as oscar:
        await oscar.sign_in(await web.state.sessions.login_link(HOME, "per_oscar"))
        await oscar.open(f"/tasks/{task_id}")
        said = await oscar.page.locator(".question .due time").inner_text()
        assert said.startswith("9 Sep 2027, 19:05 ")


async def test_times_are_in_the_zone_of_the_person_or_else_of_the_browser(web: WebEnv) -> None:
    assert (await web.call("PATCH", "/v1/people/per_ann", {"zone": "Asia/Tokyo"}, "oscar")).status == 200
    _, task_id = await web.at_gate()
    due = web.clock.now() + timedelta(hours=8)
    in_tokyo = f"{due.astimezone(ZoneInfo('Asia/Tokyo')):%-d %b %Y, %H:%M JST}"
    in_berlin = f"{due.astimezone(ZoneInfo('Europe/Berlin')):%-d %b %Y, %H:%M CET}"
    berlin = {"viewport": PHONE, "timezone_id": "Europe/Berlin", "locale": "en-US"}
    cases = (
        ("ann", {"java_script_enabled": False, "viewport": PHONE}, in_tokyo),
        ("ann", berlin, in_tokyo),
        ("oscar", berlin, in_berlin),
    )
    async with serving(web) as url, chromium() as browser:
        for who, settings, said in cases:
            async with window(browser, url, **settings) as reader:
                await reader.sign_in(await web.state.sessions.login_link(HOME, f"per_{who}"))
                await reader.open(f"/tasks/{task_id}")
                assert await reader.page.locator(".question .due time").inner_text() == said


async def test_keyboard_shortcuts_can_be_switched_off(web: WebEnv) -> None:
    _, first = await web.ask(assignees=ANN)
    focused = "document.activeElement.id"
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.page.get_by_role("button", name="Turn keys off").click()
        await ann.page.reload()
        await ann.page.keyboard.press("j")
        assert await ann.page.evaluate(focused) != f"t-{first}"
        await ann.page.get_by_role("button", name="Turn keys on").click()
        await ann.page.evaluate("document.activeElement.blur()")
        await ann.page.keyboard.press("j")
        assert await ann.page.evaluate(focused) == f"t-{first}"


async def test_values_are_changed_without_editing_json(web: WebEnv) -> None:
    made = await web.send(
        intent_type="intent.x.v1",
        payload={"amount": 4200, "currency": "EUR"},
        human_task={"assignees": ["ann@acme.example", "otto@acme.example"]},
    )
    task_id = made[:-4] + "0001"
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=PHONE) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.open(f"/tasks/{task_id}")
        await ann.page.get_by_text("Propose a change").first.click()
        await ann.check()
        await ann.page.get_by_label("amount", exact=True).fill("3000")
        await ann.page.get_by_role("button", name="Propose this change").click()
        await ann.page.get_by_text("revision 2").first.wait_for()
        await ann.page.get_by_text("You are on the requester's side").wait_for()
    assert (await web.get(f"/v1/tasks/{task_id}"))["task"]["payload"]["amount"] == 3000
