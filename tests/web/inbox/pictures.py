"""The pictures of the README, taken from the real pages: ``python -m tests.web.inbox.pictures``."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace
from playwright.async_api import Browser

from signoff.engine.clock import Clock
from signoff.store.store import open_store
from tests.web.inbox.chromium import chromium, window
from tests.web.serving import serving
from tests.web.world import HOME, World, world

IMAGES: Final = Path(__file__).parents[3] / "docs" / "images"
DESK: Final = {"viewport": {"width": 1000, "height": 760}, "device_scale_factor": 1.25}
PHONE: Final = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 1.5,
    "color_scheme": "dark",
    "is_mobile": True,
}
FLAT: Final = ".jump{display:none!important}"

MIGRATION: Final[dict[str, Any]] = {
    "workflow": "database-migration",
    "intent_type": "intent.infra.change_approval.v1",
    "steps": [
        {"id": "validate", "agent": "infra-validator", "deadline": "10m"},
        {
            "id": "approve",
            "human": {
                "type": "approval",
                "title": "Run this database migration?",
                "description": "The validator has checked it. Approving lets it run against production.",
                "approvers": ["ann@acme.example", "otto@acme.example"],
                "remind": {"after": "5m", "every": "30m", "at_most": 5},
                "escalate": [{"after": "2h", "to": ["emma@acme.example"]}],
            },
            "deadline": "8h",
        },
    ],
}
MAIL: Final[dict[str, Any]] = {
    "workflow": "customer-mail",
    "intent_type": "intent.mail.send.v1",
    "steps": [
        {"id": "draft", "agent": "infra-validator"},
        {
            "id": "review",
            "human": {
                "type": "review",
                "title": "Send this mail to customers?",
                "approvers": ["ann@acme.example"],
            },
            "deadline": "50m",
        },
    ],
}
INDEX: Final = {
    "change_type": "database_migration",
    "target": "prod-postgres-main",
    "migration": "add_index_users_email",
    "lock_timeout": {"before": "30s", "after": "5s"},
    "reason": "Sign-in searches by e-mail take 900 ms at the 99th percentile; the index brings them under 5 ms.",
}
CHECKED: Final = {
    "passed": True,
    "locks_table": False,
    "reversible": True,
    "rollback": "drop index concurrently",
    "rows_affected": 1840221,
}


async def gate(web: World, kind: str, payload: dict[str, Any], result: dict[str, Any]) -> str:
    """An intent whose agent has done its part; its id without the last four digits."""
    first = (await web.send(intent_type=kind, payload=payload))[:-4]
    answer = await web.post(f"/v1/intents/{first}0001/resume", {"action": "complete", **result}, "infra")
    assert answer.status == 200, answer.text
    return first


async def furnish(web: World) -> str:
    web.keys["infra"] = (await web.post("/v1/keys", {"agent": "infra-validator"}, "oscar"))["api_key"]
    for workflow in (MIGRATION, MAIL):
        assert (await web.post("/v1/workflows", workflow, "oscar")).status == 200
    rows = web.works.store.directory
    for name, full in {"ann": "Ann Lee", "otto": "Otto Berg", "emma": "Emma Stone"}.items():
        person = await rows.person(f"per_{name}")
        assert person is not None
        await web.works.store.people.save([replace(person, name=full)])
    web.works.directory.changed(HOME)
    for outcome, comment in (("approved", "Traffic is low now."), ("rejected", "Not on a Friday.")):
        first = await gate(web, MIGRATION["intent_type"], INDEX, CHECKED)
        await web.answer(f"{first}0002", outcome, "ann", comment=comment)
    kind = "intent.billing.refund.v1"
    await web.post(
        "/v1/intents",
        {
            "intent_type": kind,
            "payload": {"order": "A-4721", "amount": "4200.00", "currency": "EUR"},
            "human_task": {
                "task_type": "approval",
                "title": "Refund order A-4721",
                "assignees": ["ann@acme.example"],
            },
        },
    )
    await gate(
        web, MAIL["intent_type"], {"campaign": "autumn", "recipients": 48210}, {"subject": "Your invoice"}
    )
    await gate(
        web,
        MIGRATION["intent_type"],
        {**INDEX, "migration": "drop_column_users_phone", "target": "prod-postgres-eu"},
        {"passed": False, "locks_table": True, "reversible": False, "risk": "high"},
    )
    return await gate(web, MIGRATION["intent_type"], INDEX, CHECKED)


async def shoot(web: World, browser: Browser, url: str, first: str) -> None:
    token = web.parts.sessions.login_link
    async with window(browser, url, **DESK) as ann, window(browser, url, **PHONE) as phone:
        await ann.sign_in(await token(HOME, "per_ann"))
        await phone.sign_in(await token(HOME, "per_ann"))
        await ann.page.screenshot(path=IMAGES / "inbox.png")
        for shown, name in ((ann, "card.png"), (phone, "card-phone-dark.png")):
            await shown.open(f"/tasks/{first}0002")
            await shown.page.evaluate(
                "css => { const s = new CSSStyleSheet(); s.replaceSync(css); document.adoptedStyleSheets = [s] }",
                FLAT,
            )
            await shown.page.screenshot(path=IMAGES / name, full_page=True)
        await ann.page.get_by_label("Comment").fill("Index builds concurrently; go.")
        await ann.page.get_by_role("button", name="Approve").click()
        await ann.page.get_by_text("You decided").wait_for()
        await ann.page.screenshot(path=IMAGES / "receipt.png")
        await ann.open(f"/intents/{first}0000")
        await ann.page.locator("#timeline").scroll_into_view_if_needed()
        await ann.page.screenshot(path=IMAGES / "timeline.png", full_page=True)


async def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/signoff.db", wall=clock.wall, clock=clock.of)
        await store.open()
        async with world(store, clock) as web:
            first = await furnish(web)
            clock.move(timedelta(minutes=4))
            async with serving(web) as url, chromium() as browser:
                await shoot(web, browser, url, first)
        await store.close()


if __name__ == "__main__":
    asyncio.run(main())
