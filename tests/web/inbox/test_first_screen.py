"""What an ordinary request is decided by is on the first screen of a desktop and the first two of a phone, once."""

from typing import Any

import pytest

from tests.web.inbox.chromium import Window, chromium, window
from tests.web.inbox.demo_workspace import ASKED, furnish
from tests.web.inbox.reading import reader
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PARTS = ("h1", "#changes", "#checks", "#decide .choices .choice:last-child button")
# Screens of a phone. A review has three answers, and here a warning before them.
KINDS = {"approval": 2, "confirmation": 2, "review": 2.25}


async def lowest(shown: Window, path: str) -> dict[str, float]:
    """The lower edge of each part, in pixels from the top of the page."""
    await shown.open(path)
    found = {}
    for part in PARTS:
        box = await shown.page.locator(part).first.bounding_box()
        assert box is not None, part
        found[part] = box["y"] + box["height"]
    return found


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_key_facts_are_visible_near_the_top(web: WebEnv, scheme: Any) -> None:
    demo = await furnish(web)
    async with serving(web) as url, chromium() as browser:
        for size in (DESK, PHONE):
            async with window(browser, url, viewport=size, color_scheme=scheme) as ann:
                await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
                for kind, screens in KINDS.items():
                    edges = await lowest(ann, f"/tasks/{demo.tasks[kind]}")
                    most = size["height"] * (1 if size is DESK else screens)
                    assert max(edges.values()) <= most, (kind, size, edges)
                    await ann.check()


async def test_card_shows_each_value_once(web: WebEnv) -> None:
    demo = await furnish(web)
    text = (await (await reader(web, "ann")).get(f"/tasks/{demo.tasks['approval']}")).text
    before, _, rest = text.partition(" Your decision ")
    card = before + rest.partition(" Propose this change ")[2]  # the forms hold the values again
    for said in (
        "prod-postgres-main",
        "add_index_users_email",
        "drop index concurrently users_email",
        "1,840,221",
        "passed",
        "high risk",
        "Oscar Lind",
        "I have not tried it",
    ):
        assert card.count(said) == 1, (said, card)
    assert "1840221" not in card


async def test_details_of_a_check_are_shown_with_it_unless_shown_elsewhere(web: WebEnv) -> None:
    """A failed check keeps its details, a secret container its values, a difference its lines."""
    await furnish(web)
    result = {"passed": False, "valid": True, "credentials": {"count": 5}, "rows": {"before": 1, "after": 2}}
    intent_id = await web.send(intent_type="intent.infra.change_approval.v1", payload=ASKED["approval"][0])
    done = await web.post(f"/v1/intents/{intent_id[:-4]}0001/resume", {"action": "complete", **result}, "bot")
    assert done.status == 200, done.text
    text = (await (await reader(web, "ann")).get(f"/tasks/{intent_id[:-4]}0002")).text
    assert "✗ failed" in text
    assert "valid true" in text
    assert "credentials.count 5" in text
    assert "rows before: 1 → after: 2" in text


@pytest.mark.parametrize(("passed", "style"), [(True, "yes"), (False, "yes grave")])
async def test_approve_button_is_not_green_after_a_failed_check(
    web: WebEnv, passed: bool, style: str
) -> None:
    await web.apply_workflow()
    intent_id = await web.send()
    result = {"action": "complete", "passed": passed}
    done = await web.post(f"/v1/intents/{intent_id[:-4]}0001/resume", result, "agent")
    assert done.status == 200, done.text
    page = await (await reader(web, "ann")).get(f"/tasks/{intent_id[:-4]}0002")
    assert f'value="approved" class="{style}"' in page.html
