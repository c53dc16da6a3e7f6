"""Each of the six endings reaches whoever asked, and whoever was asked; and so does a change of what is decided, to
those whose answers it makes void.
"""

from datetime import timedelta
from email.message import EmailMessage
from hashlib import sha256

import pytest

from signoff.core.intent import commands as c
from signoff.core.intent.model import Intent
from signoff.core.plan.plan import Plan
from signoff.core.plan.task_types import Stage, TaskType
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from signoff.store.tables.entries import Person
from tests.builders import ANN, OTTO, RITA, SERVICE, WORKSPACE, person
from tests.notify.office import ACCOUNTS, office
from tests.notify.post import post
from tests.notify.town import Town, asked, email, town

ENDINGS = ("approved", "rejected", "expired", "withdrawn", "superseded", "undeliverable")
SAID = {
    "approved": "Approved", "rejected": "Rejected", "expired": "Expired", "withdrawn": "Withdrawn",
    "superseded": "Changes requested", "undeliverable": "Nobody could be reached",
}  # fmt: skip


BEFORE, AFTER = b'{"target":"prod-db"}', b'{"online":true,"target":"prod-db"}'


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


def plan_for(ending: str) -> Plan:
    if ending == "superseded":
        outcomes = ("approved", "changes_requested", "rejected")
        return asked(type=TaskType.REVIEW, outcomes=outcomes)
    return asked()


async def bring_to(ending: str, it: Town, intent: Intent) -> None:
    match ending:
        case "approved" | "rejected":
            await it.do(intent.id, c.Answer(ending), ANN)
        case "superseded":
            await it.do(intent.id, c.Answer("changes_requested", comment="Smaller, please."), ANN)
        case "withdrawn":
            await it.do(intent.id, c.Cancel(), SERVICE)
        case "expired":
            await it.pass_time(timedelta(hours=9))
    await it.carry()


@pytest.mark.parametrize("ending", ENDINGS)
async def test_by_mail_each_ending_reaches_who_asked_and_who_was_asked(
    ending: str, store: Store, clock: FixedClock
) -> None:
    async with post() as server, town(store, clock, email(server.url)) as it:
        if ending == "undeliverable":
            server.refused = {"ann@acme.example": "550 no such mailbox"}
        intent = await it.submit(plan_for(ending))
        await it.carry()
        await bring_to(ending, it, intent)
        assert (await it.intent(intent.id)).ending == ending
    told = {mail["To"]: mail for mail in server.mails if not mail["Subject"].startswith("A decision")}
    reached = (
        ["rita@acme.example"] if ending == "undeliverable" else ["ann@acme.example", "rita@acme.example"]
    )
    assert sorted(told) == reached
    for mail in told.values():
        assert mail["Subject"] == f"{SAID[ending]}: Run the migration on prod?"
        assert (f"Ended as: {ending}" in text_of(mail)) is (SAID[ending].lower() != ending)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_by_slack_each_ending_reaches_who_asked_and_updates_the_card_of_who_was_asked(
    ending: str, store: Store, clock: FixedClock
) -> None:
    async with office(store, clock) as desk:
        await desk.link(RITA, "U0RITA")
        if ending == "undeliverable":
            desk.fake.members.pop(ACCOUNTS[ANN.id])
        intent = await desk.it.submit(plan_for(ending))
        await desk.it.carry()
        await bring_to(ending, desk.it, intent)
        [news] = desk.fake.cards_of("U0RITA")
        assert news.body["text"] == f"{SAID[ending]}: Run the migration on prod?"
        if ending != "undeliverable":
            [card] = desk.fake.cards_of(ACCOUNTS[ANN.id])
            assert card.body["text"] == news.body["text"]


async def test_whoever_answered_before_a_change_is_told_that_it_does_not_count_any_more(
    store: Store, clock: FixedClock
) -> None:
    """Ann is asked anew; Otto, who is of the second stage, is not for now; Rita asked, and hears what became of it."""
    plan = asked(stages=(Stage(("per_ann",)), Stage(("per_otto",)), Stage(("per_gus", "per_ann"))))
    async with post() as server, town(store, clock, email(server.url)) as it:
        await it.store.directory.add_person(
            Person("per_gus", WORKSPACE, "gus@acme.example", "", ("approver",), clock.now())
        )
        it.directory.changed(WORKSPACE)
        intent = await it.submit(plan, payload=BEFORE)
        await it.do(intent.id, c.Answer("approved"), ANN)
        await it.do(intent.id, c.Answer("approved"), OTTO)
        await it.carry()
        server.mails.clear()
        await it.engine.revise(
            person("gus", "approver"), intent.id, c.Revise(sha256(AFTER).hexdigest()), BEFORE, AFTER
        )
        await it.carry()
        assert sorted(mail["To"].partition("@")[0] for mail in server.mails) == ["ann", "otto", "rita"]
        [ann] = server.to("ann@acme.example")
        assert ann["Subject"].startswith("Changed after you answered: a decision is needed anew")
        assert "Your answer: approved; void, as it was for revision 1" in text_of(ann)
        assert "Changed since revision 1: " in text_of(ann)
        [otto] = server.to("otto@acme.example")
        assert otto["Subject"].startswith("Changed after you answered")
        assert "/t/" not in text_of(otto)  # nothing to answer yet
        for said in (
            "Your answer: approved; void",
            "does not count any more",
            "online: true",
            "Changed by: ",
        ):
            assert said in text_of(otto)
        [rita] = server.to("rita@acme.example")
        assert rita["Subject"].startswith("What you asked for was changed")
