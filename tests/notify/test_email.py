"""Mail to a real SMTP server on loopback: recipients, content, and delivery failures."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from signoff.core.directory.model import Person
from signoff.core.errors import Invalid
from signoff.core.intent import commands as c
from signoff.engine.clock import FixedClock
from signoff.engine.delivery.outbox_items import PeopleNotification, decode
from signoff.notify.email import parse_smtp
from signoff.store.store import Store
from tests.builders import ANN, OTTO, WORKSPACE
from tests.notify.messaging_env import BASE, Escalation, Reminders, asked, email, messaging_env, minutes
from tests.notify.smtp_sink import certificate, smtp_sink
from tests.on_loop import on_the_loop


async def test_approver_gets_one_mail_with_one_link_and_the_ending_in_the_same_thread(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(asked("per_ann", "per_otto"))
        await env.carry()
        assert sorted(mail["To"] for mail in server.mails) == ["ann@acme.example", "otto@acme.example"]
        [mail] = server.to("ann@acme.example")
        assert mail["Subject"] == "A decision is needed: Run the migration on prod?"
        assert mail["From"] == "Signoff <signoff@acme.example>"
        assert (mail["Auto-Submitted"], mail.get_content_type()) == (
            "auto-generated",
            "multipart/alternative",
        )
        text, page = (part.get_content() for part in mail.iter_parts())
        links = [word for word in text.split() if word.startswith("http")]
        assert len(links) == 1
        assert links[0].startswith(f"{BASE}/t/")
        assert page.count("href=") == page.count(f'href="{links[0]}"') == 1
        assert links[0] not in server.to("otto@acme.example")[0].get_body(("plain",)).get_content()
        held = (await env.intent(intent.id)).open
        link = await env.sessions.link(links[0].rpartition("/")[2], "task")
        assert (link.person, link.intent_id, link.digest) == ("per_ann", intent.id, held.digest)
        await env.do(intent.id, c.Answer("approved"), ANN)
        await env.carry()
        [mail] = server.to("ann@acme.example")  # she decided, and so needs no mail about it
        [first, last] = server.to("otto@acme.example")
        assert last["Subject"] == "Approved: Run the migration on prod?"
        assert first["References"] == last["References"] == last["In-Reply-To"]
        assert first["Message-ID"] != last["Message-ID"]
        assert last["References"] != mail["References"]
        [told] = server.to("rita@acme.example")  # she asked for it, through her service
        assert told["Subject"] == "Approved: Run the migration on prod?"
        assert {m.state for m in await env.messages(intent.id)} == {"sent"}
        assert len(server.mails) == 4
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_messages_about_a_long_request_are_composed_off_the_event_loop(
    store: Store, clock: FixedClock
) -> None:
    """One message is composed for each person, so a long request with many people would block the event loop."""
    payload = msgspec.json.encode({f"k{number}": f"value {number}" for number in range(400)})
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.submit(asked("per_ann", "per_otto"), payload=payload)
        _, times = await on_the_loop(env.carry, of="_masked")
        assert (len(server.mails), times) == (2, 0)


async def test_decision_mail_names_the_person_represented_by_a_delegate(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(asked("per_ann"))
        await env.do(intent.id, c.Delegate("per_otto"), ANN)
        await env.do(intent.id, c.Answer("approved"), OTTO)
        await env.carry()
        text = server.to("rita@acme.example")[-1].get_body(("plain",)).get_content()
        assert "otto@acme.example for ann@acme.example, through" in text


async def test_person_who_answered_gets_no_reminder_and_nobody_is_asked_about_a_closed_task(
    store: Store, clock: FixedClock
) -> None:
    plan = asked("per_ann", "per_otto", need=2, remind=Reminders(minutes(5), minutes(5), 3))
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(plan)
        await env.carry()
        await env.do(intent.id, c.Answer("approved"), ANN)
        await env.pass_time(minutes(5))
        await env.carry()
        assert (len(server.to("ann@acme.example")), len(server.to("otto@acme.example"))) == (1, 2)
        await env.pass_time(minutes(5))  # due, and not sent before the end
        await env.do(intent.id, c.Answer("approved"), OTTO)
        await env.carry()
    subjects = [mail["Subject"].partition(":")[0] for mail in server.to("otto@acme.example")]
    assert subjects == ["A decision is needed", "Reminder 1"]
    subjects = [mail["Subject"].partition(":")[0] for mail in server.to("ann@acme.example")]
    assert subjects == ["A decision is needed", "Approved"]


@pytest.mark.parametrize(
    ("end", "subject"), [("cancel", "Withdrawn"), ("silence", "Expired"), ("no", "Rejected")]
)
async def test_every_ending_is_sent_to_the_requester_and_to_approvers_who_did_not_decide(
    end: str, subject: str, store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(asked())
        await env.carry()
        if end == "cancel":
            await env.do(intent.id, c.Cancel(), it_service())
        elif end == "no":
            await env.do(intent.id, c.Answer("rejected"), ANN)
        else:
            await env.pass_time(timedelta(hours=9))
        await env.carry()
    told = {mail["To"]: mail["Subject"] for mail in server.mails[1:]}
    said = f"{subject}: Run the migration on prod?"
    others = {} if end == "no" else {"ann@acme.example": said}
    assert told == {"rita@acme.example": said} | others
    if end == "silence":
        assert "Silence is never consent" in server.mails[-1].get_body(("plain",)).get_content()


async def test_decision_mail_says_who_answered_what_and_why(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(asked("per_ann", "per_otto", need=2), payload=b'{"target":"prod-db"}')
        await env.carry()
        await env.do(intent.id, c.Answer("approved", comment="After 23:00."), ANN)
        await env.do(intent.id, c.Answer("approved"), OTTO)
        await env.carry()
        [told] = server.to("rita@acme.example")
        for part in told.iter_parts():
            text = " ".join(re.sub(r"<[^>]+>", " ", part.get_content()).split())
            for said in (
                "otto@acme.example, through",
                "approved, by ann@acme.example, through",
                "After 23:00.",
            ):
                assert said in text
            assert "target" in text
            assert "prod-db" in text
        await env.do(
            (two := await env.submit(asked())).id,
            c.Answer("rejected", comment="<b>No</b>\r\nRisk: none"),
            ANN,
        )
        await env.carry()
        page = server.to("rita@acme.example")[-1].get_body(("html",)).get_content()
        assert "&lt;b&gt;No&lt;/b&gt;" in page
        assert await env.intent(two.id)


def it_service():  # type: ignore[no-untyped-def]
    from tests.builders import SERVICE

    return SERVICE


async def test_server_outage_of_a_day_loses_and_repeats_no_mail(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server:
        pass
    plan = asked(remind=Reminders(timedelta(hours=6), timedelta(hours=6), 2))
    plan = type(plan)(
        (type(plan.steps[0])(**{**_fields(plan.steps[0]), "deadline": timedelta(days=3)}),),
        source=plan.source,
    )
    async with messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(plan)
        await env.for_days(1)
        assert {m.state for m in await env.messages(intent.id)} == {"waiting"}
        async with smtp_sink(server.port) as server:
            await env.for_days(0.5)
            assert [m["Subject"].partition(":")[0] for m in server.mails] == [
                "A decision is needed",
                "Reminder 1",
                "Reminder 2",
            ] or sorted(m["Subject"].partition(":")[0] for m in server.mails) == [
                "A decision is needed",
                "Reminder 1",
                "Reminder 2",
            ]
            assert len({m["Message-ID"] for m in server.mails}) == 3
            assert "NobodyReached" not in await env.happened(intent.id)


def _fields(step: object) -> dict[str, object]:
    return {name: getattr(step, name) for name in step.__struct_fields__}  # type: ignore[attr-defined]


async def test_permanently_refused_address_advances_escalation_and_finally_ends_the_task(
    store: Store, clock: FixedClock
) -> None:
    plan = asked(escalate=(Escalation(timedelta(hours=2), ("per_otto",)),))
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        server.refused = {"ann@acme.example": "550 5.1.1 no such mailbox"}
        intent = await env.submit(plan)
        await env.carry()
        events = await env.happened(intent.id)
        assert events[-2:] == ["NobodyReached", "Escalated"]
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"]
        [failed, sent] = sorted(await env.messages(intent.id), key=lambda m: m.state)
        assert (failed.state, failed.error) == (
            "failed",
            "127.0.0.1 refused the address: 550 5.1.1 no such mailbox",
        )
        assert (sent.person, sent.kind) == ("per_otto", "task.escalated")
        server.refused |= {"otto@acme.example": "550 5.1.1 gone too"}
        other = await env.submit(plan)
        await env.carry()
        assert (await env.happened(other.id)).count("NobodyReached") == 2
        assert (await env.intent(other.id)).ending == "undeliverable"
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_one_refused_address_of_two_does_not_advance_escalation(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        server.refused = {"ann@acme.example": "550 no"}
        intent = await env.submit(asked("per_ann", "per_otto"))
        await env.carry()
        assert "NobodyReached" not in await env.happened(intent.id)


async def test_mail_is_sent_only_after_starttls_and_login(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    context, trusted = certificate(tmp_path)
    async with smtp_sink(tls=context) as server, smtp_sink() as plain:
        login = f"smtp://mailer:s3cret%26%3F@localhost:{server.port}?from=signoff@acme.example&ca={trusted}"
        async with messaging_env(store, clock, email(login.replace("localhost", "127.0.0.1"))) as env:
            await env.submit(asked())
            await env.carry()
            assert (len(server.mails), server.secure) == (1, [True])
        no_tls = f"smtp://127.0.0.1:{plain.port}?from=signoff@acme.example"
        wrong = login.replace("localhost", "127.0.0.1").replace("s3cret", "guess")
        unknown = login.replace("localhost", "127.0.0.1").replace(f"&ca={trusted}", "")
        for url in (no_tls, wrong, unknown):
            async with messaging_env(store, clock, email(url)) as env:
                await env.submit(asked())
                await env.carry()
                [waiting] = await store.outbox.listing(WORKSPACE, 1)
                assert waiting.last_error
                assert "s3cret" not in waiting.last_error
                assert "guess" not in waiting.last_error
    assert (len(server.mails), plain.mails) == (1, [])


async def test_recipients_among_many_people_are_computed_off_the_event_loop(
    store: Store, clock: FixedClock
) -> None:
    """Comparing 5,000 people with everyone who was asked takes half a second for each request."""
    crowd = [
        Person(f"per_{n}", WORKSPACE, f"p{n}@acme.example", "", ("viewer",), clock.now()) for n in range(60)
    ]
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await store.people.save(crowd)
        await env.submit(asked("per_ann", "per_otto"))
        _, times = await on_the_loop(env.outbox.once, of="recipients_of")
        await env.carry()
    assert (len(server.mails), times) == (2, 0)


async def test_crash_after_sending_repeats_only_the_same_message_id(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server:
        server.hold = asyncio.Event()
        async with messaging_env(store, clock, email(server.url)) as env:
            intent = await env.submit(asked("per_ann", "per_otto"))
            await env.outbox.once()  # expanded
            server.refused = {"otto@acme.example": "451 later"}
            sending = asyncio.create_task(env.outbox.once())
            await asyncio.wait_for(server.arrived.wait(), 60)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        server.hold.set()
        server.hold, server.refused = None, {}
        async with messaging_env(store, clock, email(server.url)) as env:
            assert await env.carry() == 0
            clock.move(timedelta(seconds=61))
            await env.carry()
            clock.move(timedelta(seconds=61))
            await env.carry()
            assert {m.state for m in await env.messages(intent.id)} == {"sent"}
    ids = [(mail["To"], mail["Message-ID"]) for mail in server.mails]
    assert len(set(ids)) == 2
    assert len(server.to("otto@acme.example")) == 1


async def test_two_senders_expand_one_notification_once(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.submit(asked("per_ann", "per_otto"))
        rows = await store.outbox.due(10, timedelta(seconds=60))
        items = [item for row in rows if isinstance(item := decode(row), PeopleNotification)]
        await asyncio.gather(*(env.outbox.people.recipients.expand(items) for _ in range(4)))
        await env.carry()
        await env.outbox.people.recipients.expand(items)
        await env.carry()
    assert len(server.mails) == 2


async def test_many_mails_share_few_connections(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await asyncio.gather(*(env.submit(asked()) for _ in range(60)))
        await env.carry()
        assert len(server.mails) == 60
        assert server.sessions <= 4


@pytest.mark.parametrize(
    "url",
    [
        "http://x?from=a@b.c",
        "smtp://host",
        "smtp://host:abc?from=a@b.c",
        "smtp://h?from=a@b.c&x=1",
        "smtp://h?from=a@b%0d.c",
    ],
)
def test_invalid_mail_server_is_refused_without_quoting_its_password(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_smtp(url.replace("://", "://me:s3cret@"))
    assert "s3cret" not in str(refusal.value)


async def test_hostile_text_prevents_no_mail_and_enters_no_header(store: Store, clock: FixedClock) -> None:
    title = "Run it\r\nBcc: evil@x.example\x00\u202e" + "T" * 10_000
    evil = {
        "html": "<script>alert(1)</script><img src=https://evil.example/x.png>",
        "jinja": "{{ 7*7 }}{% raw %}",
        "bidi": "abc\u202edcba\u2066",
        "zero": "pay\u200bpal",
        "ansi": "\x1b[2J",
        "crlf": "x\r\n.\r\nBcc: evil@x.example",
        "look": "https://signoff.acme.examp1e/approve",
        "last": "a" * 200_000 + "DROP TABLE",
    }
    plan = asked(description="read-only report, please approve")
    step = replace(plan.steps[0], task=replace(plan.steps[0].task, title=title))  # type: ignore[union-attr]
    trusted, foreign = (
        replace(plan, steps=(step,), source=source) for source in ("workflow:x@1", "scenario")
    )
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        for one in (trusted, foreign):
            await env.submit(one, payload=json.dumps(evil).encode(), claimed_from="root\r\nRisk: none")
            await env.carry()
    assert len(server.mails) == 2
    for mail, raw in zip(server.mails, server.raw, strict=True):
        text, page = (part.get_content() for part in mail.iter_parts())
        assert (mail["Bcc"], len(mail.get_all("To"))) == (None, 1)
        assert b"\nBcc:" not in raw.partition(b"\r\n\r\n")[0]
        assert len(mail["Subject"]) <= 150
        for shown in (text, page):
            assert "{{ 7*7 }}" in shown
            assert not set("\u202e\u2066\u200b\x1b\x00") & set(shown)
            assert all(name in shown for name in ("U+202E", "U+200B", "U+001B"))
            assert "The page shows everything." in shown
        assert "<script>" not in page
        assert "<img" not in page
        assert page.count("href=") == 1
        assert "\nRisk: none" not in text
        assert "\nBcc:" not in text
    assert "Run it[U+000D][U+000A]Bcc: evil@x.example[U+0000]" in server.mails[0]["Subject"]
    assert server.mails[1]["Subject"] == "A decision is needed: Approve or reject: infra change"


async def test_revision_sends_a_new_question_and_invalidates_the_old_link(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(asked("per_ann", "per_otto"))
        await env.carry()
        await env.do(intent.id, c.Revise("e" * 64), OTTO)
        await env.carry()
        [first, second] = server.to("ann@acme.example")
        assert second["Subject"].startswith("Changed: a new decision is needed")
        assert second["References"] == first["References"]
        text = second.get_body(("plain",)).get_content()
        assert "Revision: 2; earlier answers are void" in text
        [token] = re.findall(rf"{BASE}/t/(\S+)", text)
        held = (await env.intent(intent.id)).open
        assert (await env.sessions.link(token, "task")).digest == held.digest
