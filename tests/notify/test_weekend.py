"""A simulated weekend with everything that goes wrong: exactly the contacts that were foretold, none twice."""

import asyncio
import json
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import pytest
from msgspec.structs import replace

from signoff.core import commands as c
from signoff.core.hours import Hours
from signoff.core.model import Task
from signoff.core.outlook import ContactKind
from signoff.core.people import Absence, Rotation
from signoff.core.plan import Plan
from signoff.core.tasks import Stage, TaskSpec
from signoff.engine.clock import FixedClock
from signoff.engine.explain import explain
from signoff.store.entries import TeamRow
from signoff.store.store import Store
from tests.builders import ANN, OTTO, RITA, WORKSPACE, approve, gate, person
from tests.engine.works import Works, settle
from tests.notify.post import Post, post
from tests.notify.town import Escalation, Reminders, Town, email, town

FRIDAY = datetime(2026, 3, 27, 15, tzinfo=UTC)  # clocks go forward on the Sunday
BOB, DINA, EVE = person("bob", "approver"), person("dina", "approver"), person("eve", "owner")
HOURS = {
    "Berlin": Hours("Europe/Berlin", start=time(8), end=time(18)),
    "New York": Hours("America/New_York", days=(0, 1, 2, 3, 4, 5), start=time(9), end=time(17)),
}
STEP = timedelta(minutes=15)


def two_stages(hours: Hours) -> Plan:
    task = TaskSpec(
        title="Move the customers?",
        stages=(Stage(("team:oncall",)), Stage(("per_dina",))),
        remind=Reminders(timedelta(hours=1), timedelta(hours=2), 3),
        escalate=(
            Escalation(timedelta(hours=4), ("per_bob",)),
            Escalation(timedelta(hours=6), ("role:owner",)),
        ),
        hours=hours,
    )
    return gate(approve(task=task, deadline=timedelta(days=6)), source="workflow:move@1")


async def furnish(it: Works) -> None:
    await settle(it, people=(ANN, OTTO, RITA, BOB, DINA, EVE))
    rota = Rotation(("per_ann", "per_otto"), date(2026, 3, 23), zone="Europe/Berlin")
    row = TeamRow(WORKSPACE, "oncall", ("per_ann", "per_otto"), rota, FRIDAY)
    await it.store.people.save([row])
    away = Absence(FRIDAY + timedelta(days=2), FRIDAY + timedelta(days=9), "per_rita")
    for one in await it.store.directory.people(WORKSPACE):
        if one.id == "per_otto":
            await it.store.people.save([replace(one, absences=(away,))])
        if one.id == "per_eve":  # asleep or at lunch whenever the ladder gets to her
            night = Hours("Pacific/Auckland", start=time(8), end=time(12))
            await it.store.people.save([replace(one, hours=night)])
    it.directory.changed(WORKSPACE)


async def foretold(it: Town, intent_id: str) -> Counter[tuple[str, str]]:
    """What ``explain`` says of the present stage: (kind, person), the opening included."""
    intent = await it.intent(intent_id)
    assert isinstance(intent.open, Task)
    said = explain(intent, intent.open, await it.directory.of(WORKSPACE), it.clock.now())
    found = Counter(("opened", who) for who in said.asked)
    for one in said.contacts:
        if one.contact.kind is not ContactKind.DEADLINE:
            rung = one.contact.kind is ContactKind.ESCALATION  # its number stands in no subject
            kind = one.contact.kind.value if rung else f"{one.contact.kind.value} {one.contact.number}"
            found.update((kind, who) for who in one.people)
    return found


def arrived(server: Post) -> Counter[tuple[str, str]]:
    kinds = {"A decision is needed": "opened", "Escalated to you": "escalation"}
    found: Counter[tuple[str, str]] = Counter()
    for mail in {mail["Message-ID"]: mail for mail in server.mails}.values():
        kind = mail["Subject"].partition(":")[0]
        who = "per_" + mail["To"].partition("@")[0]
        found[kinds.get(kind, kind.lower()), who] += 1
    return found


async def until(it: Town, at: datetime) -> None:
    while it.clock.now() < at:
        await it.pass_time(STEP)
        await it.carry()


async def killed_while_sending(it: Town, server: Post) -> None:
    """As ``kill -9`` leaves it: some mail has arrived, and nobody noted it."""
    server.hold = asyncio.Event()
    server.arrived.clear()
    for _ in range(2000):
        await it.pass_time(STEP)
        sending = asyncio.create_task(it.courier.once())
        await asyncio.wait(
            {sending, asyncio.create_task(server.arrived.wait())}, return_when="FIRST_COMPLETED"
        )
        if server.arrived.is_set():
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            server.hold.set()
            server.hold = None
            return
    raise AssertionError("nothing was sent")


@pytest.mark.parametrize("where", list(HOURS))
async def test_exactly_the_contacts_that_were_foretold(where: str, store: Store, clock: FixedClock) -> None:
    clock.at = FRIDAY
    async with post() as server, town(store, clock, email(server.url)) as it:
        for table in ("people", "workspaces"):
            await store.write((f"delete from {table}", {}))
        await furnish(it)
        intent = await it.submit(two_stages(HOURS[where]), payload=json.dumps({"customers": 12}).encode())
        expected = await foretold(it, intent.id)
        assert {kind for kind, _ in expected} >= {"reminder 3", "escalation"}
        await it.carry()
        await killed_while_sending(it, server)
        port = server.port
    async with town(
        store, clock, email(server.url)
    ) as it:  # another process; the mail server is down for a day
        await until(it, clock.now() + timedelta(days=1))
        earlier = server
        async with post(port) as server:
            server.mails = earlier.mails
            await until(it, FRIDAY + timedelta(days=5))
            assert arrived(server) == expected
            assert "Undelivered" not in await it.happened(intent.id)
            twice = Counter(mail["Message-ID"] for mail in server.mails)
            assert (
                sum(twice.values()) - len(twice) == 1
            )  # the one that was under way when the process was killed
            server.mails = []
            await it.do(intent.id, c.Answer("approved"), BOB)
            second = await foretold(it, intent.id)
            assert ("opened", "per_dina") in second
            await it.carry()
            await it.do(intent.id, c.Answer("approved"), DINA)
            await it.carry()
            told = {mail["To"] for mail in server.mails if mail["Subject"].startswith("Approved")}
            everybody = {who for _, who in expected} | {"per_dina", "per_rita"}
            assert told == {f"{who.removeprefix('per_')}@acme.example" for who in everybody}
            assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
