"""A policy in plain words: who decides, who is told when, what silence leads to. Pure; the same words on every page."""

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from signoff.core.directory.roles import DECIDING_PARTIES, ROLES
from signoff.core.intent.quorum import needed
from signoff.core.plan.task_types import BUILT_IN, Fallback, Sign, Stage, meaning_of
from signoff.core.plan.wording import PROOFS
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.policy import DAYS, Policy
from signoff.engine.directory.snapshot import Snapshot

_NAMED = 6


class Clause(msgspec.Struct, frozen=True):
    """One thing that the policy says."""

    about: str
    text: str


def party(name: str, book: Snapshot) -> str:
    """What a task calls its approvers, as a person reads it: roles and teams with whom they mean today."""
    if name.startswith(("role:", "team:")):
        kind, _, word = name.partition(":")
        people = sorted(p.name or p.email for p in book.people.values() if name in book.names_of(p))
        more = len(people) - _NAMED
        listed = ", ".join(people[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"{kind} {word} ({listed or 'nobody at the moment'})"
    person = next((p for p in book.people.values() if name in book.names_of(p)), None)
    return (person.name or person.email) if person else name


def parties(names: Iterable[str], book: Snapshot) -> str:
    """Several of them."""
    return "; ".join(party(name, book) for name in names)


def whoever(names: Iterable[str], book: Snapshot) -> str:
    """Those who may decide at a stage; where nobody is named, everybody with a deciding role."""
    listed = [*names]
    held = {role for person in book.people.values() if person.active for role in person.roles}
    deciding = [f"role:{role}" for role in ROLES if f"role:{role}" in DECIDING_PARTIES and role in held]
    return parties(listed, book) if listed else "whoever may approve: " + parties(deciding, book)


def stage_words(stage: Stage, book: Snapshot) -> str:
    """``2 different people of team dba (Ann, Emma, Otto)``."""
    count = needed(stage)
    whom = whoever(stage.approvers, book)
    if stage.every and count > 1:
        said = f"one person of each, a different one each: {whom}"
    elif count > 1:
        said = f"{count} different people of {whom}"
    else:
        said = f"one yes, of {whom}"
    return said + (f"; {stage.reject_after} rejections end it" if stage.reject_after > 1 else "")


def hours_words(hours: Hours) -> str:
    """``mon to fri, 08:00 to 18:00, Europe/Berlin``."""
    days = [DAYS[day] for day in hours.days]
    row = [*hours.days] == [*range(hours.days[0], hours.days[0] + len(days))] and len(days) > 2
    listed = f"{days[0]} to {days[-1]}" if row else ", ".join(days)
    return f"{listed}, {hours.start:%H:%M} to {hours.end:%H:%M}, {hours.zone}"


def length(of: timedelta) -> str:
    """``8 h``, ``2 d 12 h``: all of it."""
    minutes, seconds = divmod(int(of.total_seconds()), 60)
    parts = [(minutes // 1440, "d"), (minutes % 1440 // 60, "h"), (minutes % 60, "min"), (seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "less than 1 s"


def clauses(policy: Policy, book: Snapshot) -> tuple[Clause, ...]:
    """All that it says, in the order in which it matters."""
    many = len(policy.stages) > 1
    found = [
        Clause(f"Stage {number}" if many else "Who decides", stage_words(stage, book))
        for number, stage in enumerate(policy.stages, 1)
    ]
    found.append(Clause("Own requests", _own(policy, book)))
    if policy.remind is not None:
        remind = policy.remind
        again = f", then every {length(remind.every)}" if remind.at_most > 1 else ""
        found.append(Clause("Reminders", f"after {length(remind.after)}{again}, at most {remind.at_most}"))
    found += [
        Clause(f"After {length(rung.after)}", f"{parties(rung.to, book)} may decide too, and hear of it")
        for rung in policy.escalate
    ]
    found.append(Clause("On silence", silence_words(policy)))
    if policy.hours is not None:
        still = (
            "reminders, escalation and the deadline"
            if policy.deadline_in_hours
            else "reminders and escalation"
        )
        found.append(Clause("Hours", f"{hours_words(policy.hours)}; outside them {still} stand still"))
    found.append(Clause("Proof", PROOFS[policy.strength]))
    return tuple(found)


def _own(policy: Policy, book: Snapshot) -> str:
    allowed = book.workspace.self_approval if policy.self_approval is None else policy.self_approval
    by = "this policy" if policy.self_approval is not None else "the workspace"
    return (
        f"allowed by {by}: who asks may decide, and the record says so"
        if allowed
        else f"barred by {by}: nobody on the requester's side counts"
    )


def silence_words(policy: Policy) -> str:
    """What follows when nobody answers."""
    if policy.deadline is None:
        return "nothing happens: the task stays open"
    after = f"after {length(policy.deadline)} the task expires"
    if policy.goto:
        way = (
            ", which counts as a success"
            if policy.goto_as
            else " and then fails, unless somebody approves there"
        )
        return f"{after} and the request goes on with step {policy.goto}{way}; nothing is approved"
    if policy.fallback is Fallback.OUTCOME and meaning_of(policy.fallback_outcome) is Sign.POSITIVE:
        return f"{after} and the request goes on as {policy.fallback_outcome}, because its risk is low"
    if policy.fallback is Fallback.EXPIRE:
        return f"{after}; nothing is approved"
    if policy.fallback is Fallback.OUTCOME and policy.fallback_outcome not in BUILT_IN:
        return f"{after} and the request goes on as {policy.fallback_outcome}, as its workflow defines that"
    return f"{after} and counts as {policy.fallback_outcome or 'rejected'}; nothing is approved"
