"""A change that waits for a second admin is told to the others, its end to whoever proposed it. On real channels."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from signoff.core.formats.manifest import compile_charter
from signoff.core.intent.model import Actor
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, OTTO, WORKSPACE
from tests.notify.office import office
from tests.notify.post import post
from tests.notify.town import BASE, Town, email, town

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


async def actor(it: Town, who: Actor) -> Actor:
    found = await it.keys.person(WORKSPACE, who.id, "cli")
    assert found is not None
    return found


async def protect(it: Town) -> None:
    await it.people_are(ann={"roles": ("owner",)})
    await it.registry.apply(await actor(it, ANN), compile_charter(PEOPLE))


async def propose(it: Town, who: Actor = OTTO, document: dict[str, Any] = LOOSER) -> str:
    by = await actor(it, who)
    _, proposal = await it.registry.apply_or_propose(by, compile_charter(document), document)
    assert proposal is not None
    return proposal.row.id


def words(mail: EmailMessage) -> str:
    return str(next(mail.iter_parts()).get_content())  # type: ignore[attr-defined]


async def test_the_other_admins_are_asked_and_the_proposer_hears_what_became_of_it(
    store: Store, clock: FixedClock
) -> None:
    async with post() as server, town(store, clock, email(server.url)) as it:
        await protect(it)
        id = await propose(it)
        await it.carry()
        [mail] = server.mails
        assert mail["To"] == "ann@acme.example"  # neither Otto, who proposed it, nor Rita, who is no admin
        assert mail["Subject"] == "A second admin is needed: Change the rules of who decides?"
        said = words(mail)
        for part in (
            "otto@acme.example",
            "policy guarded",
            "there is more time for a yes",
            f"{BASE}/proposals/{id}",
        ):
            assert part in said, part
        assert "CET (" in said  # her own clock
        await it.registry.confirm(await actor(it, ANN), id)
        await it.carry()
        [_, mail] = server.mails
        assert (mail["To"], "confirmed" in mail["Subject"]) == ("otto@acme.example", True)
        assert "ann@acme.example" in words(mail)
        clock.move(timedelta(days=8))
        await it.carry()
        assert (len(server.mails), (await store.outbox.counts())["waiting"]) == (2, 0)


async def test_who_takes_it_back_is_not_told_and_nobody_is_asked_any_more(
    store: Store, clock: FixedClock
) -> None:
    async with post() as server, town(store, clock, email(server.url)) as it:
        await protect(it)
        id = await propose(it)
        await it.registry.proposals.refuse(await actor(it, OTTO), id)
        await it.carry()
        assert server.mails == []


async def test_what_nobody_confirmed_in_time_is_told_to_the_proposer(store: Store, clock: FixedClock) -> None:
    async with post() as server, town(store, clock, email(server.url)) as it:
        await protect(it)
        await propose(it)
        await it.carry()
        clock.move(timedelta(days=7))
        await it.carry()
        assert [(mail["To"], "expired" in mail["Subject"]) for mail in server.mails] == [
            ("ann@acme.example", False), ("otto@acme.example", True),
        ]  # fmt: skip


async def test_a_mail_server_that_is_away_delays_it_and_an_address_that_is_not_there_ends_it(
    store: Store, clock: FixedClock
) -> None:
    async with post() as server, town(store, clock, email(server.url)) as it:
        await protect(it)
        server.down = True
        await propose(it)
        await it.carry()
        server.down = False
        clock.move(timedelta(minutes=1))
        await it.carry()
        assert [mail["To"] for mail in server.mails] == ["ann@acme.example"]
        server.refused["otto@acme.example"] = "550 no such mailbox"
        await propose(it, ANN)
        await it.carry()
        assert (await store.outbox.counts())["dead"] == 1


async def test_it_goes_by_slack_and_where_that_fails_for_good_by_mail(
    store: Store, clock: FixedClock
) -> None:
    async with post() as server, office(store, clock, **email(server.url)) as desk:
        await protect(desk.it)
        id = await propose(desk.it)
        await desk.it.carry()
        card = desk.card("U0ANN")
        assert "there is more time for a yes" in card.text
        assert f"{BASE}/proposals/{id}" in str(card.body)
        assert (card.buttons == [] or "answer:" not in str(card.buttons), server.mails) == (True, [])
        desk.fake.error = "account_inactive"
        await propose(desk.it, ANN)
        await desk.it.carry()
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"]


async def test_nobody_to_tell_and_no_channel_leave_nothing_behind(store: Store, clock: FixedClock) -> None:
    async with town(store, clock, {}) as it:
        await protect(it)
        await propose(it)
        await it.carry()
        assert (await store.outbox.counts()) == {"waiting": 1, "dead": 0}  # for when it expires
        clock.move(timedelta(days=7))
        await it.carry()
        assert (await store.outbox.counts())["waiting"] == 0
