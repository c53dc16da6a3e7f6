"""Only people who can then answer are asked; if there are none, this is reported and the escalation continues."""

from datetime import timedelta

import pytest

from signoff.core.errors import Busy, Forbidden
from signoff.core.intent import commands as c
from signoff.core.intent.model import Status
from signoff.core.plan.task_types import Fallback, Risk, Stage, TaskSpec
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ADA, ANN, OTTO, approve, gate
from tests.notify.messaging_env import Escalation, MessagingEnv, Reminders, asked, email, messaging_env
from tests.notify.smtp_sink import smtp_sink

HOUR = timedelta(hours=1)


async def test_requesters_side_gets_no_question_or_reminder_but_the_ending(
    store: Store, clock: FixedClock
) -> None:
    plan = asked(
        "per_otto",
        "per_rita",
        remind=Reminders(HOUR, HOUR, 1),
        escalate=(Escalation(2 * HOUR, ("per_ann", "per_rita")),),
        notify=("per_rita",),
    )
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(plan)  # through the service, behind which Rita stands
        await env.for_days(0.25)
        told = [(mail["To"].partition("@")[0], mail["Subject"].partition(":")[0]) for mail in server.mails]
        assert told == [("otto", "A decision is needed"), ("otto", "Reminder 1"), ("ann", "Escalated to you")]
        await env.do(intent.id, c.Answer("approved"), OTTO)
        await env.carry()
        assert [mail["Subject"].partition(":")[0] for mail in server.to("rita@acme.example")] == ["Approved"]


async def test_person_who_delegated_is_no_longer_notified(store: Store, clock: FixedClock) -> None:
    plan = asked("per_otto", remind=Reminders(HOUR, HOUR, 1))
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(plan)
        await env.carry()
        await env.do(intent.id, c.Delegate("per_ann"), OTTO)
        await env.for_days(0.1)
        told = [(mail["To"].partition("@")[0], mail["Subject"].partition(":")[0]) for mail in server.mails]
        assert told == [
            ("otto", "A decision is needed"),
            ("ann", "A decision is needed"),
            ("ann", "Reminder 1"),
        ]


async def test_empty_escalation_level_is_recorded_and_followed_by_the_next_at_once(
    store: Store, clock: FixedClock
) -> None:
    rungs = (
        Escalation(HOUR, ("per_rita",)),
        Escalation(3 * HOUR, ("per_ann",)),
        Escalation(5 * HOUR, ("per_gone",)),
    )
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(asked("per_otto", escalate=rungs))
        await env.for_days(0.1)
        assert (await env.happened(intent.id))[-3:] == ["Escalated", "NobodyReached", "Escalated"]
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example", "ann@acme.example"]
        await env.for_days(0.15)
        assert (await env.happened(intent.id))[-2:] == ["Escalated", "NobodyReached"]
        await env.do(intent.id, c.Answer("approved"), OTTO)
        assert (await env.intent(intent.id)).ending == "approved"
        await env.carry()
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_task_without_remaining_approvers_ends_as_undeliverable(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(asked("per_otto"))
        await env.people_are(otto={"active": False})
        await env.carry()
        assert (await env.happened(intent.id))[-3:] == ["NobodyReached", "Decided", "Failed"]
        assert (await env.intent(intent.id)).ending == "undeliverable"
        assert [mail["To"] for mail in server.mails] == ["rita@acme.example"]  # that it ended, as who asked


async def test_unreachable_report_that_cannot_be_written_now_is_not_lost(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(asked("per_otto"))
        await env.people_are(otto={"active": False})
        full = MessagingEnv(store, clock, env.channels.opened)
        full.committer.queued = full.config.queue_limit
        with pytest.raises(Busy, match="waiting to be written"):
            await full.carry()
        assert (await env.happened(intent.id))[-1] == "TaskOpened"
        clock.move(timedelta(minutes=1))
        await env.carry()
        assert (await env.intent(intent.id)).ending == "undeliverable"


async def test_people_in_notify_are_notified_without_being_approvers(store: Store, clock: FixedClock) -> None:
    plan = asked("per_otto", remind=Reminders(HOUR, HOUR, 1), notify=("per_ann",))
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(plan)
        await env.for_days(0.1)
        told = [(mail["To"].partition("@")[0], mail["Subject"].partition(":")[0]) for mail in server.mails]
        assert sorted(told) == [
            ("ann", "A decision is needed"),
            ("ann", "Reminder 1"),
            ("otto", "A decision is needed"),
            ("otto", "Reminder 1"),
        ]
        with pytest.raises(Forbidden):
            await env.do(intent.id, c.Answer("approved"), ANN)


@pytest.mark.parametrize(
    ("mail", "approves"), [("sent", True), ("retried", False), ("queued", False), ("none", True)]
)
async def test_expiry_approves_nothing_if_nobody_was_notified(
    store: Store, clock: FixedClock, mail: str, approves: bool
) -> None:
    """This also holds while a message is still being retried at the deadline. Without any channel, the pages ask
    people.
    """
    spec = TaskSpec(
        title="Clear the cache?",
        stages=(Stage(("per_otto",)),),
        risk=Risk.LOW,
        fallback=Fallback.OUTCOME,
        fallback_outcome="approved",
    )
    async with smtp_sink() as server:
        channels = {} if mail == "none" else email(server.url)
        async with messaging_env(store, clock, channels) as env:
            server.refused = {"otto@acme.example": "451 4.3.0 try again later"} if mail == "retried" else {}
            intent = await env.submit(gate(approve(task=spec, deadline=HOUR)))
            if mail != "queued":
                await env.carry()
            await env.pass_time(HOUR)
            ended = await env.intent(intent.id)
            assert "NobodyReached" not in await env.happened(intent.id)
            assert (ended.ending, ended.status) == (
                "expired",
                Status.COMPLETED if approves else Status.FAILED,
            )
            assert bool(server.to("otto@acme.example")) is (mail == "sent")


@pytest.mark.parametrize("way", ["notified only", "reassigned", "left", "delegated", "answer"])
async def test_only_eligible_people_count_as_notified(store: Store, clock: FixedClock, way: str) -> None:
    """People who are only informed, or can no longer decide, do not consent by silence."""
    spec = TaskSpec(
        title="Clear the cache?",
        stages=(Stage(("per_otto",)),),
        risk=Risk.LOW,
        fallback=Fallback.OUTCOME,
        fallback_outcome="approved",
        notify=("per_ann",) if way == "notified only" else (),
    )
    refused = {"notified only": "otto", "reassigned": "ann", "delegated": "ann"}.get(way)
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        server.refused = {f"{refused}@acme.example": "451 4.3.0 try again later"} if refused else {}
        intent = await env.submit(gate(approve(task=spec, deadline=HOUR)))
        await env.carry()
        match way:
            case "reassigned":
                await env.do(intent.id, c.Reassign(("per_ann",)), ADA)
            case "delegated":
                await env.do(intent.id, c.Delegate("per_ann"), OTTO)
            case "left":
                await env.people_are(otto={"active": False})
        await env.carry()
        await env.pass_time(HOUR)
        ended = await env.intent(intent.id)
        expected = Status.COMPLETED if way == "answer" else Status.FAILED
        assert (ended.ending, ended.status) == ("expired", expected)
