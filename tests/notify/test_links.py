"""Opening every address in every message, as link scanners do, changes nothing, and no address contains an outcome."""

import re
from urllib.parse import urlsplit

from signoff.core.intent import commands as c
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN
from tests.conftest import TABLES
from tests.notify.messaging_env import BASE, asked, email
from tests.notify.slack_env import SlackEnv, slack_env
from tests.notify.smtp_sink import smtp_sink
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


async def addresses_in_messages(slack: SlackEnv, server: object) -> list[str]:
    """All addresses in all messages, about open and closed tasks."""
    env = slack.messaging
    await env.people_are(otto={"preferences": {"channels": ["email"]}})
    done = await env.submit(asked("per_ann", "per_otto"))
    await env.submit(asked("per_ann", "per_otto"))
    await env.carry()
    await env.do(done.id, c.Answer("approved"), ANN)
    await env.carry()
    text = ""
    for mail in server.mails:  # type: ignore[attr-defined]
        text += "\n".join(part.get_content() for part in mail.iter_parts()) + "\n"
    for card in slack.fake.cards.values():
        text += "\n".join(button.get("url", "") for button in card.buttons) + "\n"
    return sorted(set(re.findall(r"https?://[^\s\"<>]+", text)))


async def test_link_scanner_changes_nothing_and_finds_no_outcome(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, slack_env(store, clock, **email(server.url)) as slack:
        links = await addresses_in_messages(slack, server)
        assert (
            len([link for link in links if "/t/" in link]) == 3
        )  # of Ann's two cards one is decided, and has none any more
        assert all(link.startswith(BASE) for link in links)
        assert not [link for link in links if re.search(r"approve|reject|outcome|\?", link)]
        before = await everything(store)
        for link in links:
            path = urlsplit(link).path
            for method in ("GET", "HEAD", "OPTIONS", "GET"):
                answer = await slack.web.http.request(method, path, headers=PREFETCH)
                assert answer.status_code < 500
            await slack.web.http.get(path + "?outcome=approved&open=1")
        assert await everything(store) == before


async def test_opening_a_link_decides_nothing_and_the_button_does(store: Store, clock: FixedClock) -> None:
    from tests.web.serving import serving

    async with (
        smtp_sink() as server,
        slack_env(store, clock, **email(server.url)) as slack,
        chromium() as browser,
    ):
        links = await addresses_in_messages(slack, server)
        server.mails.clear()
        intent = await slack.messaging.submit(asked("per_otto"))
        await slack.messaging.carry()
        [link] = re.findall(rf"{BASE}(/t/\S+)", server.mails[0].get_body(("plain",)).get_content())
        async with serving(slack.web) as url:
            page = await browser.new_page()
            before = await everything(store)
            for path in (link, *(urlsplit(found).path for found in links)):
                await loiter(page, url + path)
            assert await everything(store) == before
            await page.goto(url + link)
            await page.get_by_role("button", name=re.compile("^Approve")).first.click()
            await page.get_by_text("You decided").wait_for()
        assert (await slack.messaging.intent(intent.id)).ending == "approved"
        await slack.messaging.carry()
        assert server.mails[-1]["Subject"].startswith("Approved")
