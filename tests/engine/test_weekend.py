"""A simulated weekend: the notifications that ``explain`` predicts on Friday are sent to exactly these people at these
moments, although the server is replaced halfway.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.formats.axp_intent import compile_axp_intent
from signoff.core.formats.manifest import compile_manifest
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent.answering_rights import requesters_side
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Task
from signoff.core.intent.notifications import Notification, NotificationKind, notifications_of
from signoff.engine.directory.contact_schedule import explain
from signoff.engine.directory.eligible_people import recipients
from tests.builders import SERVICE, WORKSPACE
from tests.engine.engine_env import ROOT, EngineEnv, settle

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
FRIDAY = datetime(2026, 3, 6, 13, 30, tzinfo=UTC)  # 14:30 in Berlin, 08:30 in New York
STEP = timedelta(minutes=5)
Contact = tuple[str, datetime, tuple[str, ...]]


def email(name: str) -> str:
    return f"{name}@acme.example"


def policy(zone: str) -> dict[str, Any]:
    return {
        "approve": [{"any": ["team:sre"]}, {"any": [email("dora")]}],
        "remind": {"after": "1h", "every": "4h", "at_most": 3},
        "escalate": [{"after": "6h", "to": [email("fay")]}, {"after": "12h", "to": ["team:platform"]}],
        "deadline": "6d",
        "hours": {"zone": zone, "days": "mon-fri", "from": "08:00", "to": "18:00"},
    }


MANIFEST: dict[str, Any] = {
    "people": {email(name): {} for name in ("ann", "bob", "dora", "emil", "fay", "gus")}
    | {
        email("dora"): {
            "zone": BERLIN,
            "absences": [{"from": "2026-03-06", "until": "2026-03-09", "delegate": email("emil")}],
        }
    },
    "teams": {
        "sre": {
            "members": [email("ann"), email("bob")],
            "rotation": {"handover": "mon 10:00", "zone": BERLIN, "anchor": "2026-03-02"},
        },
        "platform": {"members": [email("gus"), email("fay")]},
    },
    "policies": {"east": policy(BERLIN), "west": policy(NEW_YORK)},
    "workflows": [
        {"workflow": name, "intent_type": f"{name}.v1", "steps": [{"id": "ok", "human": {"policy": name}}]}
        for name in ("east", "west")
    ],
}


async def submitted(env: EngineEnv, name: str) -> str:
    request = compile_axp_intent({"intent_type": f"{name}.v1", "payload": {"where": name}})
    payload = b'{"where":"' + name.encode() + b'"}'
    submission = await env.planner.plan_request(
        WORKSPACE, request, payload, hashlib.sha256(payload).hexdigest(), SERVICE.sponsors
    )
    done = await env.engine.submit(SERVICE, submission)
    assert done.change is not None
    return done.change.after.id


async def explained(env: EngineEnv, intent_id: str, until: datetime) -> list[Contact]:
    """The notifications predicted now, up to a moment."""
    intent = await env.intent(intent_id)
    assert isinstance(intent.open, Task)
    directory = await env.directory.of(WORKSPACE)
    made = explain(intent, intent.open, directory, env.clock.now())
    found = [(one.contact.kind.value, one.contact.at, one.people) for one in made.contacts]
    return [contact for contact in found if contact[1] < until]


async def happened(env: EngineEnv, intent_id: str) -> list[Contact]:
    """The notifications that were sent, each with its moment and recipients."""
    intent = await env.intent(intent_id)
    directory = await env.directory.of(WORKSPACE)
    kinds = {e.Reminded: "reminder", e.Escalated: "escalation", e.Decided: "deadline"}
    rows = await env.store.intents.history(intent_id)
    facts = [unseal(row.body, row.private) for row in rows]
    found: list[Contact] = []
    heard: dict[str, None] = {}
    for fact in facts:
        if isinstance(
            fact.event, e.TaskOpened | e.StagePassed
        ):  # of a stage before it is not expected_contacts
            heard = dict.fromkeys(recipients(directory, recipients_of(fact, intent), fact.at))
        elif type(fact.event) in kinds and fact.actor.kind is ActorKind.SYSTEM:
            people = recipients(directory, recipients_of(fact, intent), fact.at)
            if isinstance(fact.event, e.Decided):  # the end is for all who were told, and for who asked
                side = [one for one in sorted(requesters_side(intent)) if one in directory.active_people]
                people = tuple(dict.fromkeys((*heard, *side)))
            heard |= dict.fromkeys(people)
            found.append((kinds[type(fact.event)], fact.at, people))
    return found


def recipients_of(fact: e.Fact, intent: Any) -> tuple[str, ...]:
    """The recipients of the fact's notification, from the outbox; for a decision, those of its stage."""
    if isinstance(fact.event, e.Escalated):
        return fact.event.to
    spec = intent.plan.by_id["ok"].task
    return tuple(spec.stages[0 if fact.at < MONDAY_NOON else 1].approvers)


MONDAY_NOON = datetime(2026, 3, 9, 12, 0, tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)


async def pass_until(env: EngineEnv, moment: datetime) -> None:
    while env.clock.now() < moment:
        await env.pass_time(min(STEP, moment - env.clock.now()))


async def person(env: EngineEnv, name: str) -> Actor:
    directory = await env.directory.of(WORKSPACE)
    found = directory.person(email(name))
    assert found is not None
    actor = await env.keys.person(WORKSPACE, found.id, "test")
    assert actor is not None
    return actor


async def test_contacts_over_a_weekend_are_exactly_those_explained(env: EngineEnv) -> None:
    await settle(env)
    env.clock.move(FRIDAY - env.clock.now())
    await env.manifests.apply(ROOT, compile_manifest(MANIFEST))
    gates = [await submitted(env, name) for name in ("east", "west")]
    expected_contacts = {gate: await explained(env, gate, MONDAY_NOON) for gate in gates}
    await pass_until(env, datetime(2026, 3, 8, 3, tzinfo=UTC))

    # The server is gone in the night to Sunday; another one goes on from the database alone.
    again = EngineEnv(env.store, env.clock)
    async with again.running():
        await pass_until(again, MONDAY_NOON)
        for gate in gates:
            assert await happened(again, gate) == expected_contacts[gate]
        await again.do(gates[0], c.Answer("approved"), await person(again, "bob"))
        second = await explained(again, gates[0], datetime.max.replace(tzinfo=UTC))
        rest = await explained(again, gates[1], datetime.max.replace(tzinfo=UTC))
        await pass_until(again, FRIDAY + timedelta(days=6, hours=1))
        assert await happened(again, gates[0]) == expected_contacts[gates[0]] + second
        assert [one[:2] for one in await happened(again, gates[1])] == [
            one[:2] for one in expected_contacts[gates[1]] + rest
        ]
        for gate in gates:
            intent = await again.intent(gate)
            assert (intent.status.value, intent.ending and intent.ending.value) == ("FAILED", "expired")
        assert await again.findings() == []


async def test_contact_times_over_a_weekend_are_as_computed_by_hand(env: EngineEnv) -> None:
    await settle(env)
    env.clock.move(FRIDAY - env.clock.now())
    await env.manifests.apply(ROOT, compile_manifest(MANIFEST))
    east, west = [await explained(env, await submitted(env, name), MONDAY_NOON) for name in ("east", "west")]
    names = {p.id: p.email.partition("@")[0] for p in (await env.directory.of(WORKSPACE)).people.values()}

    def said(contacts: list[Contact], zone: str) -> list[tuple[str, str, list[str]]]:
        return [
            (kind, at.astimezone(ZoneInfo(zone)).strftime("%a %H:%M"), [names[one] for one in to])
            for kind, at, to in contacts
        ]

    # Ann is on call until Monday 10:00, then Bob; six working hours after Friday 14:30 are Monday 10:30.
    assert said(east, BERLIN) == [
        ("reminder", "Fri 15:30", ["ann"]),
        ("reminder", "Mon 09:30", ["ann"]),
        ("escalation", "Mon 10:30", ["fay"]),
    ]
    # In New York it is 08:30: nearly a whole working day is left, and on the 8th the clocks go forward.
    assert said(west, NEW_YORK) == [
        ("reminder", "Fri 09:30", ["ann"]),
        ("reminder", "Fri 13:30", ["ann"]),
        ("escalation", "Fri 14:30", ["fay"]),
        ("reminder", "Fri 17:30", ["ann"]),
    ]


async def test_new_stage_notifies_its_people_and_an_absent_ones_delegate(
    env: EngineEnv,
) -> None:
    await settle(env)
    env.clock.move(FRIDAY - env.clock.now())
    await env.manifests.apply(ROOT, compile_manifest(MANIFEST))
    gate = await submitted(env, "east")
    change = await env.do(gate, c.Answer("approved"), await person(env, "ann"))
    [passed] = [s.fact for s in change.facts if isinstance(s.fact.event, e.StagePassed)]
    notification: Notification
    [notification] = notifications_of(change.before, passed, change.after)
    assert (notification.kind, notification.to) == (NotificationKind.TASK_OPENED, (email("dora"),))
    directory = await env.directory.of(WORKSPACE)
    emil, dora = directory.person(email("emil")), directory.person(email("dora"))
    assert emil
    assert dora
    assert recipients(directory, notification.to, env.clock.now()) == (emil.id,)
    assert recipients(directory, notification.to, datetime(2026, 3, 9, 23, tzinfo=UTC)) == (dora.id,)
    change = await env.do(gate, c.Answer("approved"), await person(env, "emil"))
    [answered] = [s.fact.event for s in change.facts if isinstance(s.fact.event, e.Answered)]
    assert answered.principal == dora.id
    assert change.after.status.value == "COMPLETED"
