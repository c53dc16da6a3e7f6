"""Digests: one message to a person for all low-risk tasks that open within a window."""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.model import Team
from signoff.core.directory.rotation import Rotation
from signoff.core.intent import commands as c
from signoff.core.plan.task_types import Risk
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, RITA, WORKSPACE, gate, validate
from tests.notify.messaging_env import MessagingEnv, Reminders, asked, email, messaging_env, minutes
from tests.notify.slack_env import slack_env
from tests.notify.smtp_sink import SmtpSink, smtp_sink

LOW = {"risk": Risk.LOW}
DIGEST = {"preferences": {"digest": "15m"}}


async def at_the_end_of_the_window(env: MessagingEnv) -> None:
    now = int(env.clock.now().timestamp())
    await env.pass_time(timedelta(seconds=900 - now % 900))
    for _ in range(5):
        await env.carry()


def text_of(server: SmtpSink, to: str) -> list[str]:
    return [mail.get_body(("plain",)).get_content() for mail in server.to(to)]


async def test_questions_within_the_window_are_sent_as_one_message_per_person(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann=DIGEST, otto=DIGEST)
        intents = [await env.submit(asked("per_ann", "per_otto", **LOW)) for _ in range(60)]
        urgent = await env.submit(asked("per_ann", risk=Risk.MEDIUM, title="Drop the table?"))
        await env.carry()
        assert [mail["Subject"] for mail in server.mails] == ["A decision is needed: Drop the table?"]
        await env.do(intents[0].id, c.Answer("approved"), ANN)  # nobody has to be asked any longer
        await env.carry()
        server.mails.clear()
        await at_the_end_of_the_window(env)
        for who in ("ann@acme.example", "otto@acme.example"):
            [text] = text_of(server, who)
            assert text.startswith("59 decisions are needed")
            assert "Run the migration on prod?; requested by" in text
            assert "More: 29 more in the inbox" in text
            assert "/t/" not in text
        assert len(server.mails) == 2
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
        states = await env.states(intents[1].id)
        assert ("task.opened", "per_ann", "email", "sent") in states
        assert ("task.opened", "per_ann", "email", "skipped") in await env.states(intents[0].id)
        server.mails.clear()
        await env.do(intents[1].id, c.Answer("approved"), ANN)
        await env.carry()
        assert [mail["To"] for mail in server.mails] == ["rita@acme.example"]  # whose request it is
        assert (await env.intent(urgent.id)).ending is None


async def test_single_question_is_an_ordinary_message_and_reminders_are_separate(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        await slack.messaging.people_are(ann=DIGEST)
        plan = asked("per_ann", remind=Reminders(minutes(30), minutes(30), 1), **LOW)
        await slack.messaging.submit(plan)
        await slack.messaging.carry()
        assert slack.fake.cards == {}
        await at_the_end_of_the_window(slack.messaging)
        card = slack.card("U0ANN")
        assert card.press("approved")
        await slack.messaging.pass_time(minutes(30))
        await slack.messaging.carry()
        assert len(slack.fake.cards_of("U0ANN")) == 2


async def test_policy_enables_the_roundup_and_a_person_can_disable_it(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(otto={"preferences": {"digest": False}})
        for _ in range(3):
            await env.submit(asked("per_ann", "per_otto", digest=minutes(15), **LOW))
        await env.carry()
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"] * 3
        await at_the_end_of_the_window(env)
        assert [text.split("\n")[0].strip() for text in text_of(server, "ann@acme.example")] == [
            "3 decisions are needed"
        ]


@pytest.mark.parametrize(("deadline", "at_once"), [(20, True), (29, True), (30, False)])
async def test_task_with_a_near_deadline_is_sent_at_once(
    deadline: int, at_once: bool, store: Store, clock: FixedClock
) -> None:
    """After the digest, at least the length of the window remains until the deadline."""
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann=DIGEST)
        plan = asked("per_ann", **LOW)
        [step] = plan.steps
        await env.submit(replace(plan, steps=(replace(step, deadline=minutes(deadline)),)))
        await env.carry()
        assert [mail["To"] for mail in server.mails] == ["ann@acme.example"] * at_once


@pytest.mark.parametrize("digest", ["", "soon", "15 minutes", "-15m"])
async def test_invalid_stored_window_disables_the_roundup(
    digest: str, store: Store, clock: FixedClock
) -> None:
    """An older release may have stored it: the person is then asked at once, whatever the policy says."""
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann={"preferences": {"digest": digest}})
        await env.submit(asked("per_ann", digest=minutes(15), **LOW))
        await env.carry()
        assert [mail["To"] for mail in server.mails] == ["ann@acme.example"]


async def test_person_on_call_is_notified_at_once(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann=DIGEST, otto=DIGEST)
        turns = Rotation(("per_ann", "per_otto"), date(2026, 2, 2))
        members = ("per_ann", "per_otto")
        await store.people.save(
            [
                Team("oncall", members, turns, WORKSPACE, clock.now()),
                Team("dba", members, None, WORKSPACE, clock.now()),
            ]
        )
        env.directory.changed(WORKSPACE)
        await env.submit(asked("team:dba", **LOW))
        await env.carry()
        assert server.mails == []
        await env.submit(asked("team:oncall", **LOW))
        await env.carry()
        assert len(server.mails) == 1


async def test_delegated_task_is_sent_at_once(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann=DIGEST, otto=DIGEST)
        intent = await env.submit(asked("per_ann", **LOW))
        await env.carry()
        assert server.mails == []
        await env.pass_time(minutes(1))
        await env.do(intent.id, c.Delegate("per_otto"), ANN)
        await env.carry()
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"]


@pytest.mark.parametrize(
    ("report", "at_once"),
    [({"passed": True}, 0), ({"passed": True, "risk": "medium"}, 1), ({"passed": True, "risk": "low"}, 0)],
)
async def test_task_with_a_risk_reported_by_a_check_is_sent_at_once(
    report: dict[str, Any], at_once: int, store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann=DIGEST)
        both = gate(validate(), *asked("per_ann", **LOW).steps, source="workflow:migration@1")
        intent = await env.submit(both)
        await env.do(intent.id, c.Report(result=report))
        await env.carry()
        assert len(server.mails) == at_once


async def test_line_masks_a_secret_in_a_title_and_names_the_type_if_there_is_none(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann=DIGEST)
        for _ in range(2):
            await env.submit(asked("per_ann", title="Open postgres://app:hunter2@db/prod?", **LOW))
        await env.submit(asked("per_ann", title="", **LOW))
        await at_the_end_of_the_window(env)
        [text] = text_of(server, "ann@acme.example")
        assert "hunter2" not in text
        assert ": infra change; requested by" in text
        assert text.count(": Open postgres://app:") == 2


async def test_failed_roundup_is_retried_and_nothing_is_lost(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann=DIGEST)
        intents = [await env.submit(asked("per_ann", **LOW)) for _ in range(3)]
        await env.carry()
        server.refused["ann@acme.example"] = "450 4.2.1 later"
        await at_the_end_of_the_window(env)
        assert server.mails == []
        server.refused.clear()
        for _ in range(4):
            await env.pass_time(timedelta(seconds=40))
            await env.carry()
        assert [text.split("\n")[0].strip() for text in text_of(server, "ann@acme.example")] == [
            "3 decisions are needed"
        ]
        for intent in intents:
            assert ("task.opened", "per_ann", "email", "sent") in await env.states(intent.id)


async def test_each_line_shows_the_values_of_its_title(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann=DIGEST)
        for amount in (1000, 2500):
            payload = b'{"amount":%d,"currency":"EUR"}' % amount
            await env.submit(asked("per_ann", title="Refund {amount}?", **LOW), payload=payload)
        await at_the_end_of_the_window(env)
        [text] = text_of(server, "ann@acme.example")
        assert "Refund “1,000 EUR”?; requested by" in text
        assert "Refund “2,500 EUR”?; requested by" in text
        assert "{amount}" not in text


# -- approvals, for the requester's side


async def approve_three(env: MessagingEnv, comment: str = "") -> list[str]:
    """Three approved requests of Rita."""
    await env.people_are(rita=DIGEST)
    ids = []
    for amount in (100, 250, 900):
        plan = asked("per_ann", title="Refund {amount}?", **LOW)
        intent = await env.submit(plan, payload=b'{"amount":%d,"currency":"EUR"}' % amount)
        await env.pass_time(timedelta(seconds=1))
        await env.do(intent.id, c.Answer("approved", comment=comment), ANN)
        ids.append(intent.id)
    await env.carry()
    return ids


async def test_approvals_within_the_window_are_sent_to_the_requester_as_one_message(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        ids = await approve_three(env, "Token is sk_live_51HxQmKJ2eZvKYlo2C0aBcD, fine")
        assert text_of(server, "rita@acme.example") == []
        assert ("task.decided", "per_rita", "email", "waiting") in await env.states(ids[0])
        await at_the_end_of_the_window(env)
        [text] = text_of(server, "rita@acme.example")
        assert text.startswith("3 requests were approved")
        assert "Refund “250 EUR”?; approved by ann@acme.example, " in text
        assert text.count("; ann@acme.example: Token is") == 3
        assert "sk_live_51HxQmKJ2eZvKYlo2C0aBcD" not in text
        assert text.index("100 EUR") < text.index("250 EUR") < text.index("900 EUR")
        assert "/intents" in text
        for id in ids:
            assert ("task.decided", "per_rita", "email", "sent") in await env.states(id)
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_single_approval_is_an_ordinary_message_at_the_end_of_the_window(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(rita=DIGEST)
        intent = await env.submit(asked("per_ann", **LOW))
        await env.do(intent.id, c.Answer("approved"), ANN)
        await env.carry()
        await at_the_end_of_the_window(env)
        assert [mail["Subject"] for mail in server.to("rita@acme.example")] == [
            "Approved: Run the migration on prod?"
        ]


@pytest.mark.parametrize(
    ("outcome", "more"),
    [
        ("rejected", LOW),
        ("changes_requested", {**LOW, "outcomes": ("approved", "changes_requested")}),
        ("approved", {"risk": Risk.MEDIUM}),
    ],
)
async def test_other_ending_or_higher_risk_is_reported_at_once(
    outcome: str, more: dict[str, Any], store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(rita=DIGEST)
        intent = await env.submit(asked("per_ann", **more))
        await env.do(intent.id, c.Answer(outcome, comment="See the runbook."), ANN)
        await env.carry()
        assert len(server.to("rita@acme.example")) == 1


async def test_policy_collects_approvals_unless_the_requester_has_disabled_it(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        for choice, at_once in (({}, 0), ({"preferences": {"digest": False}}, 1)):
            await env.people_are(rita=choice)
            server.mails.clear()
            intent = await env.submit(asked("per_ann", digest=minutes(15), **LOW))
            await env.do(intent.id, c.Answer("approved"), ANN)
            await env.carry()
            assert len(server.to("rita@acme.example")) == at_once


async def test_roundup_of_approvals_says_which_requests_have_failed_since(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(rita=DIGEST)
        ids = []
        for _ in range(2):
            both = gate(*asked("per_ann", **LOW).steps, validate(), source="workflow:migration@1")
            intent = await env.submit(both)
            await env.do(intent.id, c.Answer("approved"), ANN)
            ids.append(intent.id)
        await env.do(ids[1], c.Cancel("not needed"), RITA)
        await env.carry()
        await at_the_end_of_the_window(env)
        [text] = text_of(server, "rita@acme.example")
        assert text.count("the request has since ended as CANCELED") == 1


async def test_failed_roundup_of_approvals_is_retried_and_nothing_is_lost(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        ids = await approve_three(env)
        server.refused["rita@acme.example"] = "450 4.2.1 later"
        await at_the_end_of_the_window(env)
        server.refused.clear()
        for _ in range(4):
            await env.pass_time(timedelta(seconds=40))
            await env.carry()
        assert [text.split("\n")[0].strip() for text in text_of(server, "rita@acme.example")] == [
            "3 requests were approved"
        ]
        for id in ids:
            assert ("task.decided", "per_rita", "email", "sent") in await env.states(id)


async def test_roundup_is_not_sent_again_after_a_crash(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server:
        async with messaging_env(store, clock, email(server.url)) as env:
            await env.people_are(rita=DIGEST)
            ids = [(await env.submit(asked("per_ann", **LOW))).id for _ in range(60)]
            for id in ids:
                await env.do(id, c.Answer("approved"), ANN)
            await env.carry()
            await env.pass_time(timedelta(seconds=900 - int(clock.now().timestamp()) % 900))
            while not server.to("rita@acme.example"):
                await env.outbox.once()
        async with messaging_env(store, clock, email(server.url)) as env:  # knows nothing of what was sent
            await env.pass_time(timedelta(seconds=90))
            await env.carry()
            [text] = text_of(server, "rita@acme.example")
            assert text.startswith("60 requests were approved")
            for id in ids:
                assert ("task.decided", "per_rita", "email", "sent") in await env.states(id)
            assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_questions_and_approvals_are_sent_in_separate_roundups(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await approve_three(env)
        for _ in range(2):
            await env.submit(asked("per_rita", "per_ann", **LOW, self_approval=True))
        await at_the_end_of_the_window(env)
        assert sorted(text.split("\n")[0].strip() for text in text_of(server, "rita@acme.example")) == [
            "2 decisions are needed",
            "3 requests were approved",
        ]
