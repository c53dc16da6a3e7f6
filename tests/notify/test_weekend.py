"""A simulated weekend with outages and kills: exactly the predicted messages arrive, none of them twice."""

import asyncio
import json
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from msgspec.structs import replace

from signoff.core.directory.model import Team
from signoff.core.directory.rotation import Absence, Rotation
from signoff.core.intent import commands as c
from signoff.core.intent.model import Task
from signoff.core.intent.upcoming import ContactKind
from signoff.core.plan.plan import Plan
from signoff.core.plan.task_types import Stage, TaskSpec
from signoff.core.plan.working_hours import Hours
from signoff.engine.clock import FixedClock
from signoff.engine.directory.contact_schedule import explain
from signoff.store.opening import open_store
from signoff.store.store import Store
from tests.builders import ANN, OTTO, RITA, WORKSPACE, approve, gate, person
from tests.conftest import delete_rows
from tests.engine.engine_env import EngineEnv, settle
from tests.notify.messaging_env import BASE, Escalation, MessagingEnv, Reminders, email, messaging_env
from tests.notify.smtp_sink import SmtpSink, smtp_sink
from tests.stories.servers import environment

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


async def furnish(env: EngineEnv) -> None:
    await settle(env, people=(ANN, OTTO, RITA, BOB, DINA, EVE))
    rota = Rotation(("per_ann", "per_otto"), date(2026, 3, 23), zone="Europe/Berlin")
    row = Team("oncall", ("per_ann", "per_otto"), rota, WORKSPACE, FRIDAY)
    await env.store.people.save([row])
    away = Absence(FRIDAY + timedelta(days=2), FRIDAY + timedelta(days=9), "per_rita")
    for one in await env.store.directory.people(WORKSPACE):
        if one.id == "per_otto":
            await env.store.people.save([replace(one, absences=(away,))])
        if one.id == "per_eve":  # asleep or at lunch whenever the ladder gets to her
            night = Hours("Pacific/Auckland", start=time(8), end=time(12))
            await env.store.people.save([replace(one, hours=night)])
    env.directory.changed(WORKSPACE)


async def expected_contacts(env: MessagingEnv, intent_id: str) -> Counter[tuple[str, str]]:
    """(kind, person) of each notification of the current stage that ``explain`` lists, including the opening."""
    intent = await env.intent(intent_id)
    assert isinstance(intent.open, Task)
    said = explain(intent, intent.open, await env.directory.of(WORKSPACE), env.clock.now())
    found = Counter(("opened", who) for who in said.asked)
    for one in said.contacts:
        if one.contact.kind is not ContactKind.DEADLINE:
            rung = one.contact.kind is ContactKind.ESCALATION  # its number stands in no subject
            kind = one.contact.kind.value if rung else f"{one.contact.kind.value} {one.contact.number}"
            found.update((kind, who) for who in one.people)
    return found


def arrived(server: SmtpSink) -> Counter[tuple[str, str]]:
    kinds = {"A decision is needed": "opened", "Escalated to you": "escalation"}
    found: Counter[tuple[str, str]] = Counter()
    for mail in {mail["Message-ID"]: mail for mail in server.mails}.values():
        kind = mail["Subject"].partition(":")[0]
        who = "per_" + mail["To"].partition("@")[0]
        found[kinds.get(kind, kind.lower()), who] += 1
    return found


async def until(env: MessagingEnv, at: datetime) -> None:
    while env.clock.now() < at:
        await env.pass_time(STEP)
        await env.carry()


@asynccontextmanager
async def opened(url: str, clock: FixedClock) -> AsyncIterator[Store]:
    """Open the database for one process at a time."""
    store = open_store(url, wall=clock.wall, clock=clock.of)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def killed_while_sending(database: str, server: SmtpSink, at: datetime, folder: Path) -> EmailMessage:
    """Run a separate server at this moment and kill it with SIGKILL after the SMTP server received a mail and before
    it responded, so that the record does not say whether it arrived. Returns the mail.
    """
    before = len(server.mails)
    server.hold = asyncio.Event()
    server.arrived.clear()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.notify.fixed_clock_server",
        database,
        server.url,
        at.isoformat(),
        str(folder),
        cwd=Path(__file__).parents[2],
        env=environment(),
    )
    try:
        async with asyncio.timeout(120):
            await server.arrived.wait()
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
        server.hold.set()
        server.hold = None
    [mail] = server.mails[before:]
    return mail


def known_by(mail: EmailMessage) -> tuple[str, ...]:
    """The headers and text by which readers and their mail program recognize a message that they already have."""
    return (mail["Message-ID"], mail["To"], mail["Subject"], mail["References"])


async def leads_to(env: MessagingEnv, mail: EmailMessage) -> tuple[str, str, str]:
    """Who may give which answer by the link in the mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    [token] = re.findall(rf"{BASE}/t/(\S+)", body.get_content())
    link = await env.sessions.link(token, "task")
    return (link.person, link.intent_id, link.digest)


@pytest.mark.parametrize("where", list(HOURS))
async def test_contacts_are_exactly_those_listed(
    where: str, store_url: str, clock: FixedClock, tmp_path: Path
) -> None:
    clock.at = FRIDAY
    async with smtp_sink() as server:
        async with opened(store_url, clock) as store:
            if store_url.startswith("postgresql"):
                await delete_rows(store)
            await furnish(EngineEnv(store, clock))
            async with messaging_env(store, clock, email(server.url)) as env:
                plan, payload = two_stages(HOURS[where]), json.dumps({"customers": 12}).encode()
                intent = await env.submit(plan, payload=payload)
                expected = await expected_contacts(env, intent.id)
                assert {kind for kind, _ in expected} >= {"reminder 3", "escalation"}
                await env.carry()
                due = await store.intents.next_wake()
        assert due is not None
        clock.at = due
        doubtful = await killed_while_sending(store_url, server, due, tmp_path / "killed")
    async with opened(store_url, clock) as store, messaging_env(store, clock, email(server.url)) as env:
        # Another process; the mail server is down for a day.
        states = {m.state for m in await env.messages(intent.id) if m.kind == "task.reminder"}
        assert states == {"waiting"}, "whoever was killed noted nothing"
        await until(env, clock.now() + timedelta(days=1))
        earlier = server
        async with smtp_sink(server.port) as server:
            server.mails = earlier.mails
            await until(env, FRIDAY + timedelta(days=5))
            assert arrived(server) == expected
            assert "NobodyReached" not in await env.happened(intent.id)
            # At least once: there is one more of what may or may not have arrived, and it is the same message.
            [(again, copies)] = Counter(mail["Message-ID"] for mail in server.mails).most_common(1)
            first, second = [mail for mail in server.mails if mail["Message-ID"] == again]
            assert (first, copies, len(server.mails)) == (doubtful, 2, expected.total() + 1)
            assert known_by(first) == known_by(second)
            assert await leads_to(env, first) == await leads_to(env, second)
            await decided(env, server, intent.id, expected)


async def decided(
    env: MessagingEnv, server: SmtpSink, intent_id: str, expected: Counter[tuple[str, str]]
) -> None:
    """Both stages approved: everyone who was asked is notified, except Dina, who decided; so is the requester."""
    server.mails = []
    await env.do(intent_id, c.Answer("approved"), BOB)
    second = await expected_contacts(env, intent_id)
    assert ("opened", "per_dina") in second
    await env.carry()
    await env.do(intent_id, c.Answer("approved"), DINA)
    await env.carry()
    told = {mail["To"] for mail in server.mails if mail["Subject"].startswith("Approved")}
    everybody = {who for _, who in expected} - {"per_dina"} | {"per_rita"}
    assert told == {f"{who.removeprefix('per_')}@acme.example" for who in everybody}
    assert await env.store.outbox.counts() == {"waiting": 0, "dead": 0}
