"""Every address in every message, opened as scanners open them: nothing changes, and no address says an outcome."""

import re
from urllib.parse import urlsplit

from signoff.core.intent import commands as c
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN
from tests.conftest import TABLES
from tests.notify.office import Office, office
from tests.notify.post import post
from tests.notify.town import BASE, asked, email
from tests.web.inbox.chromium import chromium, loiter

PREFETCH = {
    "sec-purpose": "prefetch",
    "purpose": "prefetch",
    "user-agent": "Mozilla/5.0 Chrome/140.0 Safari/537.36",
}


async def everything(store: Store) -> dict[str, list[str]]:
    return {
        table: sorted(map(repr, await store.read(f"select * from {table}")))
        for table in (*TABLES, "sessions", "links")
    }


async def told(desk: Office, server: object) -> list[str]:
    """All addresses of all messages: of what is open, and of what is over."""
    it = desk.it
    await it.people_are(otto={"preferences": {"channels": ["email"]}})
    done = await it.submit(asked("per_ann", "per_otto"))
    await it.submit(asked("per_ann", "per_otto"))
    await it.carry()
    await it.do(done.id, c.Answer("approved"), ANN)
    await it.carry()
    text = ""
    for mail in server.mails:  # type: ignore[attr-defined]
        text += "\n".join(part.get_content() for part in mail.iter_parts()) + "\n"
    for card in desk.fake.cards.values():
        text += "\n".join(button.get("url", "") for button in card.buttons) + "\n"
    return sorted(set(re.findall(r"https?://[^\s\"<>]+", text)))


async def test_a_scanner_changes_nothing_and_finds_no_outcome(store: Store, clock: FixedClock) -> None:
    async with post() as server, office(store, clock, **email(server.url)) as desk:
        links = await told(desk, server)
        assert (
            len([link for link in links if "/t/" in link]) == 3
        )  # of Ann's two cards one is decided, and has none any more
        assert all(link.startswith(BASE) for link in links)
        assert not [link for link in links if re.search(r"approve|reject|outcome|\?", link)]
        before = await everything(store)
        for link in links:
            path = urlsplit(link).path
            for method in ("GET", "HEAD", "OPTIONS", "GET"):
                answer = await desk.world.http.request(method, path, headers=PREFETCH)
                assert answer.status_code < 500
            await desk.world.http.get(path + "?outcome=approved&open=1")
        assert await everything(store) == before


async def test_a_browser_that_only_looks_decides_nothing_and_a_press_does(
    store: Store, clock: FixedClock
) -> None:
    from tests.web.serving import serving

    async with post() as server, office(store, clock, **email(server.url)) as desk, chromium() as browser:
        links = await told(desk, server)
        server.mails.clear()
        intent = await desk.it.submit(asked("per_otto"))
        await desk.it.carry()
        [link] = re.findall(rf"{BASE}(/t/\S+)", server.mails[0].get_body(("plain",)).get_content())
        async with serving(desk.world) as url:
            page = await browser.new_page()
            before = await everything(store)
            for path in (link, *(urlsplit(found).path for found in links)):
                await loiter(page, url + path)
            assert await everything(store) == before
            await page.goto(url + link)
            await page.get_by_role("button", name=re.compile("^Approve")).first.click()
            await page.get_by_text("You decided").wait_for()
        assert (await desk.it.intent(intent.id)).ending == "approved"
        await desk.it.carry()
        assert server.mails[-1]["Subject"].startswith("Approved")
