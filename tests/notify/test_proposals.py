"""A change that needs a second admin notifies the other admins, and its outcome notifies the one who proposed it."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from signoff.core.directory.actors import Actor
from signoff.core.formats.manifest import compile_manifest
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, OTTO, WORKSPACE
from tests.notify.messaging_env import BASE, MessagingEnv, email, messaging_env
from tests.notify.slack_env import slack_env
from tests.notify.smtp_sink import smtp_sink

PEOPLE: dict[str, Any] = {
    "people": {
        "ann@acme.example": {"roles": ["owner"], "zone": "Europe/Berlin"},
        "otto@acme.example": {"roles": ["admin", "approver"]},
    },
    "policies": {
        "guarded": {"approve": [{"any": ["role:owner", "role:admin"], "need": 2}], "deadline": "8h"}
    },
    "workspace": {"protected": True},
}
LOOSER: dict[str, Any] = {"policies": {"guarded": {**PEOPLE["policies"]["guarded"], "deadline": "9h"}}}


async def actor(env: MessagingEnv, who: Actor) -> Actor:
    found = await env.keys.person(WORKSPACE, who.id, "cli")
    assert found is not None
    return found


async def protect(env: MessagingEnv) -> None:
    await env.people_are(ann={"roles": ("owner",)})
    await env.manifests.apply(await actor(env, ANN), compile_manifest(PEOPLE))


async def propose(env: MessagingEnv, who: Actor = OTTO, document: dict[str, Any] = LOOSER) -> str:
    by = await actor(env, who)
    _, proposal = await env.proposals.apply(by, compile_manifest(document), document)
    assert proposal is not None
    return proposal.row.id


def words(mail: EmailMessage) -> str:
    return str(next(mail.iter_parts()).get_content())  # type: ignore[attr-defined]


async def test_other_admins_are_notified_and_the_proposer_learns_the_result(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await protect(env)
        id = await propose(env)
        await env.carry()
        [mail] = server.mails
        assert mail["To"] == "ann@acme.example"  # neither Otto, who proposed it, nor Rita, who is no admin
        assert mail["Subject"] == "A second admin is needed: Confirm a change to who decides?"
        said = words(mail)
        for part in (
            "otto@acme.example",
            "policy guarded",
            "there is more time to approve",
            f"{BASE}/proposals/{id}",
        ):
            assert part in said, part
        assert "CET (" in said  # her own clock
        await env.proposals.confirm(await actor(env, ANN), id)
        await env.carry()
        [_, mail] = server.mails
        assert (mail["To"], "confirmed" in mail["Subject"]) == ("otto@acme.example", True)
        assert "ann@acme.example" in words(mail)
        clock.move(timedelta(days=8))
        await env.carry()
        assert (len(server.mails), (await store.outbox.counts())["waiting"]) == (2, 0)


async def test_canceled_proposal_notifies_neither_its_proposer_nor_others(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await protect(env)
        id = await propose(env)
        await env.proposals.refuse(await actor(env, OTTO), id)
        await env.carry()
        assert server.mails == []


async def test_expired_proposal_is_reported_to_the_proposer(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await protect(env)
        await propose(env)
        await env.carry()
        clock.move(timedelta(days=7))
        await env.carry()
        assert [(mail["To"], "expired" in mail["Subject"]) for mail in server.mails] == [
            ("ann@acme.example", False),
            ("otto@acme.example", True),
        ]


async def test_mail_outage_delays_the_notification_and_an_unknown_address_ends_it(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await protect(env)
        server.down = True
        await propose(env)
        await env.carry()
        server.down = False
        clock.move(timedelta(minutes=1))
        await env.carry()
        assert [mail["To"] for mail in server.mails] == ["ann@acme.example"]
        server.refused["otto@acme.example"] = "550 no such mailbox"
        await propose(env, ANN)
        await env.carry()
        assert (await store.outbox.counts())["dead"] == 1


async def test_proposal_is_sent_by_slack_and_by_mail_if_that_fails_permanently(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, slack_env(store, clock, **email(server.url)) as slack:
        await protect(slack.messaging)
        id = await propose(slack.messaging)
        await slack.messaging.carry()
        card = slack.card("U0ANN")
        assert "there is more time to approve" in card.text
        assert f"{BASE}/proposals/{id}" in str(card.body)
        assert (card.buttons == [] or "answer:" not in str(card.buttons), server.mails) == (True, [])
        slack.fake.error = "account_inactive"
        await propose(slack.messaging, ANN)
        await slack.messaging.carry()
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"]


async def test_no_recipient_or_channel_leaves_no_outbox_row(store: Store, clock: FixedClock) -> None:
    async with messaging_env(store, clock, {}) as env:
        await protect(env)
        await propose(env)
        await env.carry()
        assert (await store.outbox.counts()) == {"waiting": 1, "dead": 0}  # for when it expires
        clock.move(timedelta(days=7))
        await env.carry()
        assert (await store.outbox.counts())["waiting"] == 0
