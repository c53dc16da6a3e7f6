"""Hostile text in every message: shown as data, never interpreted, and never a reason not to send a message."""

import json
import re
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from signoff.core.intent import commands as c
from signoff.core.intent.notifications import Notification, NotificationKind
from signoff.core.text.hidden_characters import hidden
from signoff.core.text.json_diff import Leaf
from signoff.engine.clock import FixedClock
from signoff.notify.apprise import Apprise
from signoff.notify.console import Console
from signoff.notify.email import as_html, compose, parse_smtp
from signoff.notify.personal_message import PersonalMessage
from signoff.notify.slack.card import render_card
from signoff.store.store import Store
from tests.builders import ANN
from tests.engine.http_sink import HttpSink, http_sink
from tests.hostile import CORPUS, HUGE, LAST_LINE, UNPAIRED
from tests.notify.messaging_env import BASE, asked, email
from tests.notify.slack_env import SlackEnv, slack_env
from tests.notify.slackfake import texts
from tests.notify.smtp_sink import SmtpSink, smtp_sink

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


OURS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "div",
    "p",
    "h1",
    "a",
    "table",
    "tr",
    "th",
    "td",
    "span",
    "br",
}


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.links += [
            value or "" for name, value in attrs if name in ("href", "src", "action", "background")
        ]


def payload(text: str) -> bytes:
    value = {"a": text, f"k{text}"[:60]: "v", "list": [text]}
    return json.dumps(value).encode()


async def send_everywhere(slack: SlackEnv, text: str, **fields: Any) -> None:
    """Open, answer and end a task with the text in every place that a requester or approver controls."""
    plan = asked("per_ann", "per_otto", description=text[:2000])
    step = replace(plan.steps[0], task=replace(plan.steps[0].task, title=text[:500] or "x"))  # type: ignore[union-attr]
    intent = await slack.messaging.submit(
        replace(plan, steps=(step,), source="request"),
        payload=payload(text),
        claimed_from=text[:200],
        **fields,
    )
    await slack.messaging.carry()
    await slack.messaging.do(intent.id, c.Answer("rejected", comment=text[:2000]), ANN)
    await slack.messaging.carry()


def visible_everywhere(
    server: SmtpSink, slack: SlackEnv, hook: HttpSink, service: HttpSink, lines: list[str]
) -> None:
    """Assert that no surface has hidden characters or active content."""
    for mail in server.mails:
        text, page = (part.get_content() for part in mail.iter_parts())
        assert not [x for x in text if hidden(x) and x != "\r"]
        assert not [x for x in page if hidden(x) and x != "\r"]
        tags = Tags(page)
        assert tags.found <= OURS
        assert all(link.startswith(BASE) for link in tags.links)
        assert len(tags.links) == 1
        assert {"to", "bcc", "cc"} & {name.lower() for name in mail.keys()} == {"to"}  # noqa: SIM118
        assert re.fullmatch(
            r"(A decision is needed|Rejected): Approve or reject: infra change", mail["Subject"]
        )
    for card in slack.fake.cards.values():  # shapes, sizes and mrkdwn are checked by the fake itself
        assert not [x for x in card.text if hidden(x)]
        assert "<" not in card.body["text"]
    for line in lines:
        assert not [x for x in line if hidden(x)]
    for posted in service.got:
        said = json.loads(posted.body)
        assert not [x for x in said["message"] + said["title"] if hidden(x)]
        assert "infra change" in said["title"]
    for posted in hook.got:
        said = json.loads(posted.body.decode())  # strict JSON, strict UTF-8
        assert "infra change" in said["title"]


async def surfaces(
    store: Store, clock: FixedClock, *texts: str
) -> tuple[SmtpSink, SlackEnv, HttpSink, HttpSink, list[str]]:
    """All surfaces after a task with each text was opened and answered."""
    async with http_sink() as hook, http_sink() as service, smtp_sink() as server:
        apprise = Apprise((service.url.replace("http://", "ntfy://") + "/decisions",))
        async with slack_env(store, clock, hook=f"{hook.url}/hook", **email(server.url)) as slack:
            slack.messaging.channels.opened["apprise"] = apprise
            await slack.messaging.people_are(otto={"preferences": {"channels": ["email"]}})
            lines: list[str] = []
            console = Console(lines.append)
            for text in texts:
                await send_everywhere(slack, text)
            for posted in hook.got:
                data = json.loads(posted.body)["data"]
                console.show([msgspec.convert(data, Notification)])
            assert len(server.to("otto@acme.example")) == 2 * len(texts)
            assert len(slack.fake.cards_of("U0ANN")) == len(texts)
            assert all("Rejected" in card.text for card in slack.fake.cards.values())
            assert len(lines) >= 2 * len(texts)
            assert len(service.got) == 2 * len(texts)
            assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
            return server, slack, hook, service, lines


@pytest.mark.parametrize("name", CORPUS)
async def test_text_of_an_agent_is_escaped_in_every_message_and_prevents_none(
    name: str, store: Store, clock: FixedClock
) -> None:
    server, slack, hook, service, lines = await surfaces(store, clock, CORPUS[name])
    visible_everywhere(server, slack, hook, service, lines)


@pytest.mark.parametrize("text", [UNPAIRED, *CORPUS.values()])
async def test_no_text_in_a_message_prevents_it(text: str, clock: FixedClock) -> None:
    """This includes lone surrogates, which the API refuses."""
    message = PersonalMessage(
        id="1",
        kind=NotificationKind.TASK_OPENED,
        at=clock.now(),
        to="ann@acme.example",
        thread="t",
        headline="Asked",
        question=text,
        facts=(("Says it is", text),),
        asked_by=text,
        quoted=text,
        quoted_by="They say",
        leaves=(Leaf(path=text, text=text),),
        reports=(Leaf(path=text, text=text),),
        link=f"{BASE}/t/x",
        link_label="Look",
    )
    mail = message_from_bytes(compose(message, parse_smtp("smtp://h?from=a@b.example")), policy=default)
    shown = [mail["Subject"], *(part.get_content() for part in mail.iter_parts())]  # type: ignore[attr-defined]
    json.dumps(card := render_card(message)).encode()
    shown += [card["text"], *texts(card["blocks"])]
    notification = Notification(
        kind=NotificationKind.MESSAGE,
        intent="019cadc6-9a80-7e70-8d66-926d58fb0000",
        workspace="ws",
        seq=1,
        at=clock.now(),
        intent_type=text,
        text=text,
        requesters_title=text,
    )
    Console(shown.append).show([notification])
    for one in shown:
        one.encode()
        assert not [x for x in one if hidden(x) and x not in "\r\n"]


def test_no_text_in_a_mail_is_markup(clock: FixedClock) -> None:
    """Our own parts are not either: a headline has an outcome's name, and a label has a field's."""
    text = '<b onclick="x">a</b> &amp; <a href="javascript:x">'
    leaf = Leaf(path=text, text=text)
    message = PersonalMessage(
        id="1",
        kind=NotificationKind.DECIDED,
        at=clock.now(),
        to="ann@acme.example",
        thread="t",
        headline=text,
        question=text,
        facts=((text, text),),
        asked_by=text,
        quoted=text,
        quoted_by=text,
        closing=text,
        leaves=(leaf, replace(leaf, before=text, change="changed")),
        given=(leaf,),
        reports=(leaf,),
        link=f'{BASE}/t/x"onclick="x',
        link_label=text,
        rest=1,
    )
    page = as_html(message)
    tags = Tags(page)
    assert tags.found <= OURS | {"i"}
    assert tags.links == [message.link]
    assert page.count("&lt;b onclick=&#34;x&#34;&gt;a&lt;/b&gt; &amp;amp;") == page.count("&lt;b onclick")
    assert "<b onclick" not in page


async def test_long_payload_with_a_dangerous_last_line_removes_the_buttons(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, slack_env(store, clock, **email(server.url)) as slack:
        await slack.messaging.people_are(otto={"preferences": {"channels": ["email"]}})
        assert len(HUGE) > 200_000
        await slack.messaging.submit(asked("per_ann", "per_otto"), payload=json.dumps({"sql": HUGE}).encode())
        await slack.messaging.carry()
        card, [mail] = slack.card("U0ANN"), server.mails
        assert [b["action_id"] for b in card.buttons] == ["open"]
        for shown in (card.text, *(part.get_content() for part in mail.iter_parts())):
            assert LAST_LINE not in shown
            assert re.search(r"Not shown here: 2\d\d,\d\d\d more characters of the values above\.", shown)
        assert "approve" not in mail.get_body(("html",)).get_content().lower().replace("is approved", "")


async def test_value_named_as_a_secret_is_in_no_message(store: Store, clock: FixedClock) -> None:
    async with (
        http_sink() as hook,
        smtp_sink() as server,
        slack_env(store, clock, hook=hook.url, **email(server.url)) as slack,
    ):
        await slack.messaging.people_are(otto={"preferences": {"channels": ["email"]}})
        secrets = {
            "db": {"password": "hunter2-canary"},
            "api_key": "sk-canary",
            "token": "t-canary",
            "pin": "no",
        }
        intent = await slack.messaging.submit(
            asked("per_ann", "per_otto"), payload=json.dumps(secrets).encode()
        )
        await slack.messaging.carry()
        await slack.messaging.do(intent.id, c.Answer("approved"), ANN)
        await slack.messaging.carry()
        everything = b"".join([*server.raw, *(posted.body for posted in hook.got)]).decode()
        everything += "".join(card.text for card in slack.fake.cards.values())
        assert "canary" not in everything
        assert "14 characters, fingerprint" in slack.card("U0ANN").text
