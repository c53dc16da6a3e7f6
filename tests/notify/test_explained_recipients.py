"""The recipients are those that ``explain`` names; admins are notified of a task with too few people left."""

from datetime import timedelta

from msgspec.structs import replace

from signoff.core.directory.actors import system
from signoff.core.intent.commands import CheckStaffing
from signoff.core.intent.model import Task
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, Stage, TaskSpec
from signoff.engine.clock import FixedClock
from signoff.engine.directory.contact_schedule import explain
from signoff.store.store import Store
from tests.builders import ADA, ANN, OTTO, RITA, WORKSPACE, approve, gate, minutes
from tests.engine.engine_env import settle
from tests.notify.messaging_env import email, messaging_env
from tests.notify.smtp_sink import smtp_sink

ASKED = TaskSpec(
    stages=(Stage(("per_ann",)),),
    remind=Reminders(minutes(3), minutes(2), 4),
    escalate=(Escalation(minutes(6), ("per_otto",)),),
)


async def test_recipients_of_the_ending_are_those_that_explain_lists(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as box, messaging_env(store, clock, email(box.url)) as env:
        intent = await env.submit(gate(approve(task=ASKED, deadline=minutes(12))), by=RITA)
        directory = await env.directory.of(WORKSPACE)
        assert isinstance(intent.open, Task)
        *before, end = explain(intent, intent.open, directory, clock.now()).contacts
        named = {directory.people[person].email for person in end.people}
        assert named == {"ann@acme.example", "otto@acme.example", "rita@acme.example"}
        await env.carry()
        expected_contacts = [(one.contact.at, one.people) for one in before]
        for at, people in expected_contacts:
            clock.move(at - clock.now())
            sent = {person: len(box.to(directory.people[person].email)) for person in directory.people}
            await env.keep_time()
            await env.carry()
            heard = {
                person
                for person in directory.people
                if len(box.to(directory.people[person].email)) > sent[person]
            }
            assert heard == set(people), at
        sent = {person: len(box.to(directory.people[person].email)) for person in directory.people}
        await env.pass_time(timedelta(minutes=12))
        await env.carry()
        heard = {
            directory.people[one].email
            for one in sent
            if len(box.to(directory.people[one].email)) > sent[one]
        }
        assert heard == named


async def test_admins_are_notified_of_an_understaffed_task(store: Store, clock: FixedClock) -> None:
    await settle_with_admin(store, clock)
    async with smtp_sink() as box, messaging_env(store, clock, email(box.url)) as env:
        intent = await env.submit(gate(approve(task=replace(ASKED, escalate=()), deadline=None)), by=RITA)
        await env.people_are(ann={"active": False})
        await env.store.people.save([])
        directory = await env.directory.anew(WORKSPACE)
        [short] = (await env.understaffed_checks.short(WORKSPACE, directory.membership))[0]
        assert short.task[:-4] == intent.id[:-4]
        assert isinstance(intent.open, Task)
        check = CheckStaffing(intent.open.step_run)
        await env.engine.handle(system(WORKSPACE), intent.id, check)
        await env.carry()
        told = [mail.get_body().get_content() for mail in box.to("ada@acme.example")]  # type: ignore[union-attr]
        assert [text for text in told if "nobody is left of those who were eligible" in text]
        assert (await env.intent(intent.id)).ending == "undeliverable"
        assert await env.findings() == []


async def settle_with_admin(store: Store, clock: FixedClock) -> None:
    from tests.engine.engine_env import EngineEnv

    await settle(EngineEnv(store, clock), people=(ANN, OTTO, RITA, ADA))
