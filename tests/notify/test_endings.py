"""Each ending notifies the requester and the people asked; a revision notifies those whose answers it invalidates."""

from datetime import timedelta
from hashlib import sha256

import pytest

from signoff.core.directory.model import Person
from signoff.core.intent import commands as c
from signoff.core.intent.model import Intent
from signoff.core.plan.plan import Plan
from signoff.core.plan.task_types import Stage, TaskType
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, OTTO, RITA, SERVICE, WORKSPACE, person
from tests.notify.mails import text_of
from tests.notify.messaging_env import MessagingEnv, asked, email, messaging_env
from tests.notify.slack_env import ACCOUNTS, slack_env
from tests.notify.smtp_sink import smtp_sink

ENDINGS = ("approved", "rejected", "expired", "withdrawn", "superseded", "undeliverable")
SAID = {
    "approved": "Approved",
    "rejected": "Rejected",
    "expired": "Expired",
    "withdrawn": "Withdrawn",
    "superseded": "Changes requested",
    "undeliverable": "No approver could be reached",
}


BEFORE, AFTER = b'{"target":"prod-db"}', b'{"online":true,"target":"prod-db"}'


def plan_for(ending: str) -> Plan:
    if ending == "superseded":
        outcomes = ("approved", "changes_requested", "rejected")
        return asked(type=TaskType.REVIEW, outcomes=outcomes)
    return asked()


async def bring_to(ending: str, env: MessagingEnv, intent: Intent) -> None:
    match ending:
        case "approved" | "rejected":
            await env.do(intent.id, c.Answer(ending), ANN)
        case "superseded":
            await env.do(intent.id, c.Answer("changes_requested", comment="Smaller, please."), ANN)
        case "withdrawn":
            await env.do(intent.id, c.Cancel(), SERVICE)
        case "expired":
            await env.pass_time(timedelta(hours=9))
    await env.carry()


@pytest.mark.parametrize("ending", ENDINGS)
async def test_mail_about_each_ending_reaches_requester_and_undecided_approvers(
    ending: str, store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        if ending == "undeliverable":
            server.refused = {"ann@acme.example": "550 no such mailbox"}
        intent = await env.submit(plan_for(ending))
        await env.carry()
        await bring_to(ending, env, intent)
        assert (await env.intent(intent.id)).ending == ending
    told = {mail["To"]: mail for mail in server.mails if not mail["Subject"].startswith("A decision")}
    # Ann decides the others herself, or is not reached
    ann = ["ann@acme.example"] if ending in ("expired", "withdrawn") else []
    reached = [*ann, "rita@acme.example"]
    assert sorted(told) == reached
    for mail in told.values():
        assert mail["Subject"] == f"{SAID[ending]}: Run the migration on prod?"
        assert "superseded" not in text_of(mail), "a word of the protocol, not of the reader"
        in_words = ending == "superseded" or SAID[ending].lower() == ending
        assert (f"Ended as: {ending}" in text_of(mail)) is not in_words


@pytest.mark.parametrize("ending", ENDINGS)
async def test_slack_reports_each_ending_to_the_requester_and_updates_the_approvers_cards(
    ending: str, store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        await slack.link(RITA, "U0RITA")
        if ending == "undeliverable":
            slack.fake.members.pop(ACCOUNTS[ANN.id])
        intent = await slack.messaging.submit(plan_for(ending))
        await slack.messaging.carry()
        await bring_to(ending, slack.messaging, intent)
        [news] = slack.fake.cards_of("U0RITA")
        assert news.body["text"] == f"{SAID[ending]}: Run the migration on prod?"
        if ending != "undeliverable":
            [card] = slack.fake.cards_of(ACCOUNTS[ANN.id])
            assert card.body["text"] == news.body["text"]


async def test_person_whose_answer_a_revision_voids_is_notified(store: Store, clock: FixedClock) -> None:
    """Ann is asked again; Otto, of the second stage, is not yet; Rita, the requester, is notified."""
    plan = asked(stages=(Stage(("per_ann",)), Stage(("per_otto",)), Stage(("per_gus", "per_ann"))))
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.store.directory.add_person(
            Person("per_gus", WORKSPACE, "gus@acme.example", "", ("approver",), clock.now())
        )
        env.directory.changed(WORKSPACE)
        intent = await env.submit(plan, payload=BEFORE)
        await env.do(intent.id, c.Answer("approved"), ANN)
        await env.do(intent.id, c.Answer("approved"), OTTO)
        await env.carry()
        server.mails.clear()
        await env.engine.revise(
            person("gus", "approver"), intent.id, c.Revise(sha256(AFTER).hexdigest()), BEFORE, AFTER
        )
        await env.carry()
        assert sorted(mail["To"].partition("@")[0] for mail in server.mails) == ["ann", "otto", "rita"]
        [ann] = server.to("ann@acme.example")
        assert ann["Subject"].startswith("Changed after you answered: a new decision is needed")
        assert "Your answer: approved (void: it was for revision 1)" in text_of(ann)
        assert "Changed since revision 1: " in text_of(ann)
        [otto] = server.to("otto@acme.example")
        assert otto["Subject"].startswith("Changed after you answered")
        assert "/t/" not in text_of(otto)  # nothing to answer yet
        for said in (
            "Your answer: approved (void",
            "no longer counts",
            "online: true",
            "Changed by: ",
        ):
            assert said in text_of(otto)
        [rita] = server.to("rita@acme.example")
        assert rita["Subject"].startswith("Your request was changed")
