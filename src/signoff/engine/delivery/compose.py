"""Compose the message about a notification for one person. Text by Signoff, by an admin and by the requester is
kept apart, and omitted values are counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from signoff.core.directory.approver_names import TEAM
from signoff.core.ids import step_run_id
from signoff.core.intent.answering_rights import answered_by, requesters_side
from signoff.core.intent.checks import (
    Checked,
    check_verdicts,
    checked,
    current_verdicts,
    grave,
    with_check_results,
    worst_risk,
)
from signoff.core.intent.continuation import at_expiry
from signoff.core.intent.events import Answered, Fact
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.notifications import ASKING, Notification, NotificationKind
from signoff.core.intent.wake import ends_at
from signoff.core.plan.lookahead import After, UpcomingStep, upcoming_steps
from signoff.core.plan.plan import AgentStep, HumanStep
from signoff.core.plan.task_types import Ending, Meaning, Risk, Strength, TaskSpec, Trait
from signoff.core.plan.wording import (
    ended,
    from_workflow,
    label,
    on_expiry_text,
    outcome_text,
    question,
    type_text,
    what_now,
)
from signoff.core.text import json_value
from signoff.core.text.durations import format_duration
from signoff.core.text.json_diff import changed_leaves
from signoff.core.text.masking import mask_text
from signoff.core.text.times import local_time_text
from signoff.engine.delivery.open_task_facts import Approvers, open_task_facts
from signoff.engine.delivery.payload_excerpt import cut, difference_line, render_payload
from signoff.engine.delivery.recipients import is_team
from signoff.engine.directory.snapshot import Snapshot
from signoff.notify.personal_message import MessageAnswer, PersonalMessage
from signoff.notify.registry import label_of
from signoff.store.transaction import OutboxRow, Stored

# The built-in answers that one press can give. All others need a page: a form, a comment, evidence.
_PRESSED: Final = frozenset({"approved", "rejected", "confirmed", "denied"})
_THROUGH: Final = {
    "web": "its page", "link": "a link", "api": "the API", "cli": "the command line",
}  # fmt: skip
_LONGEST_QUOTE: Final = 1000
_MOST_RUN: Final = 3
_MOST_CHANGED: Final = 8


def choices(intent: Intent, task: Task, spec: TaskSpec) -> tuple[MessageAnswer, ...]:
    """The answers that a message may offer: those that take one press, if a link is sufficient assurance."""
    results = {step: result for step, result in intent.results.items() if step != task.step}
    risk, _ = worst_risk(spec.risk, results)
    simple = not (spec.comment_required or spec.evidence_required or spec.form is not None)
    if not simple or risk not in (Risk.LOW, Risk.MEDIUM) or spec.strength is not Strength.LINK:
        return ()
    pressed = _PRESSED | {one.name for one in spec.own if one.meaning is not Meaning.REQUESTS_CHANGES}
    if Trait.ONE_PRESS not in spec.type.traits or not pressed.issuperset(spec.outcomes):
        return ()
    careful = grave(risk, current_verdicts(intent, task.step).values())
    return tuple(
        MessageAnswer(
            word,
            label(spec, word),
            danger=spec.meaning(word) is Meaning.REJECTS,
            number=spec.outcomes.index(word) if word in spec.outcomes else 0,
            grave=careful,
        )
        for word in spec.open_to(task.agreed)
    )


def _runs(coming: Sequence[UpcomingStep]) -> Iterator[tuple[str, str]]:
    """The agents that run after an approval: the next ones, and how many more may follow."""
    on_yes = [(one, one.step) for one in coming if After.YES in one.after]
    agents = [(one, step) for one, step in on_yes if isinstance(step, AgentStep)]
    next_ones = [f"{step.agent} runs step {step.id!r}" for one, step in agents if not one.detour][:_MOST_RUN]
    more = len(agents) - len(next_ones)
    texts = [", then ".join(next_ones)] if next_ones else []
    texts += [f"{more} more may run; see the page"] if more else []
    if texts:
        yield "After an approval", "; ".join(texts)


def _of(results: Checked, step: str) -> str:
    return f"revision {results.of[step]}" if step in results.of else "an earlier revision"


def _by_revision(results: Checked) -> dict[str, Any]:
    """The results by step; stale ones are labeled with their revision."""
    stale = {f"{step} (of {_of(results, step)})": result for step, result in results.stale.items()}
    return {**results.current, **stale}


class MessageComposer:
    """Composes the messages about one notification."""

    def __init__(  # noqa: PLR0913
        self,
        row: OutboxRow,
        notification: Notification,
        stored: Stored,
        directory: Snapshot,
        base_url: str,
        answers: Sequence[Fact] = (),
        old: Mapping[int, bytes] | None = None,
        approvers: Approvers | None = None,
    ) -> None:
        """``answers``: the answers that led to a decision; ``old``: payloads that were replaced, by the last revision
        that had them; ``approvers``: a cache of who may decide.
        """
        self._row = row
        self._notification = notification
        self._intent = stored.intent
        self._payload = stored.payload
        self._directory = directory
        self._base_url = base_url
        self._answers = answers
        self._old = old or {}
        self._approvers = approvers or Approvers()
        step = stored.intent.plan.by_id.get(notification.step)
        self._step = step if isinstance(step, HumanStep) else None

    def compose(
        self, person_id: str, to: str, link: str, earlier: tuple[str, ...], now: datetime
    ) -> PersonalMessage:
        notification = self._notification
        task = self._intent.open
        ref = step_run_id(notification.intent, notification.step_run)
        thread = f"{ref}.{person_id}".replace(":", ".")
        common: dict[str, Any] = {
            "id": self._row.id, "kind": notification.kind, "at": now, "to": to, "thread": thread,
            "question": self._question(), "asked_by": self._asked_by(), "task": ref, "earlier": earlier,
            "shared": is_team(person_id),
        }  # fmt: skip
        zone = self._zone(person_id)
        if notification.kind in ASKING and isinstance(task, Task) and self._step is not None:
            return PersonalMessage(**common, link=link, **self._asking(task, self._step.task, person_id, now))
        if (
            notification.kind is NotificationKind.PROGRESS
            and isinstance(task, Task)
            and self._step is not None
        ):
            return self._progress(common, task, self._step.task, person_id, link, now)
        if notification.kind is NotificationKind.COMMENTED:
            common |= {"earlier": (), "below": earlier[-1] if earlier else ""}
            return PersonalMessage(
                **common, link=f"{self._base_url}/tasks/{ref}", **self._commented(person_id, zone)
            )
        if notification.kind is NotificationKind.CHANGED:
            return PersonalMessage(
                **common, link=f"{self._base_url}/tasks/{ref}", **self._changed(person_id, zone)
            )
        if notification.kind is NotificationKind.DECIDED:
            return PersonalMessage(
                **common,
                link=f"{self._base_url}/tasks/{ref}",
                rewrite_only=person_id == notification.by,  # it is no news to the person who decided
                **self._decided(zone),
            )
        return PersonalMessage(
            **common, link=f"{self._base_url}/intents/{notification.intent}", **self._message(zone)
        )

    def _zone(self, person: str) -> str:
        """The time zone for times that are shown to the recipient; for a team, its rotation's time zone."""
        if not is_team(person):
            return self._directory.people[person].zone
        team = self._directory.teams.get(person.removeprefix(TEAM))
        return team.rotation.zone if team is not None and team.rotation is not None else ""

    def _asking(self, task: Task, spec: TaskSpec, person: str, now: datetime) -> dict[str, Any]:
        zone = self._zone(person)
        results = checked(self._intent, task.step)
        coming = upcoming_steps(self._intent.plan, self._intent.plan.human_step(task.step))
        found = render_payload(self._payload, _by_revision(results), coming)
        theirs = self._requester_text(spec)
        whole = found.whole and len(theirs) <= _LONGEST_QUOTE
        return {
            "headline": self._headline(person),
            "facts": (
                *self._facts(task, spec, results, person, now),
                *_runs(coming),
                *self._void(person),
            ),
            "closing": self._on_expiry(task, zone),
            "quoted": theirs,
            "quoted_by": self._requester_text_source(),
            "leaves": found.leaves,
            "given": found.given,
            "reports": found.reports,
            "rest": found.rest,
            "link_label": "Review and decide",
            "choices": choices(self._intent, task, spec) if whole else (),
            "digest": task.digest,
            "revision": task.revision,
            "stage": task.stage + 1,
        }

    def _facts(
        self, task: Task, spec: TaskSpec, results: Checked, person: str, now: datetime
    ) -> Iterator[tuple[str, str]]:
        """The facts of the message, starting with those that determine how fast and how carefully to review."""
        zone = self._zone(person)
        due_at = ends_at(self._intent, task)
        if due_at is not None:
            left = f", {format_duration(due_at - now)} left" if due_at > now else ""
            yield "Answer by", local_time_text(due_at, zone) + left
        rated, by = worst_risk(spec.risk, results.current)
        yield "Risk", f"{rated.value}, reported by the check in step {by}" if by else rated.value
        if with_check_results(spec.strength, spec.risk, results.all) is Strength.SESSION:
            yield "Sign-in", "by mail, before you can approve"
        verdicts = [
            f"{step}: {verdict}" if step in results.current else f"{step}: of {_of(results, step)}, void"
            for step, verdict in check_verdicts(self._intent.plan, results.all).items()
        ]
        yield "Checked", ", ".join(verdicts) or "nothing has been checked automatically"
        able = self._approvers.of(self._intent, task, self._directory, now)
        yield from open_task_facts(self._intent, task, self._directory, person, able, now)
        yield "Requested by", self._requester()
        if self._intent.requester.claimed:
            yield "Calls itself", f"{self._intent.requester.claimed} (not verified)"
        if task.revision > 1:
            yield "Revision", f"{task.revision}; earlier answers are void"
            yield from self._different()
        yield "Waiting since", local_time_text(task.opened_at, zone)

    def _different(self) -> Iterator[tuple[str, str]]:
        """Which values differ from the first revision that is kept; their current values follow below."""
        if not self._old:
            return
        first = min(self._old)
        found = changed_leaves(json_value.decode(self._old[first]), json_value.decode(self._payload))
        differences = [difference_line(leaf) for leaf in found[:_MOST_CHANGED]]
        differences += [f"and {len(found) - _MOST_CHANGED} more"] if len(found) > _MOST_CHANGED else []
        yield f"Changed since revision {first}", "; ".join(differences) or "nothing in the request itself"

    def _question(self) -> str:
        intent = self._intent
        if self._step is None:
            return f"About: {type_text(intent.type)}"
        return question(intent.plan, self._step, intent.type, self._payload)

    def _on_expiry(self, task: Task, zone: str) -> str:
        if self._step is None:
            return ""
        intent = self._intent
        step, refused = at_expiry(intent, self._step)
        return on_expiry_text(
            step, task.deadline_at, intent.deadline_at, lambda at: local_time_text(at, zone), refused
        )

    def _progress(
        self, common: Mapping[str, Any], task: Task, spec: TaskSpec, person: str, link: str, now: datetime
    ) -> PersonalMessage:
        """The message that asked for an answer, rewritten for the task's current state. It has buttons only while the
        task waits for this person.
        """
        if link:
            asking = self._asking(task, spec, person, now)
            kind = NotificationKind.TASK_OPENED
            return PersonalMessage(**{**common, "kind": kind}, link=link, rewrite_only=True, **asking)
        zone = self._zone(person)
        results = checked(self._intent, task.step)
        found = render_payload(self._payload, _by_revision(results))
        voted = person in answered_by(task)
        return PersonalMessage(
            **common,
            rewrite_only=True,
            link=f"{self._base_url}/tasks/{common['task']}",
            link_label="See its state",
            headline="You have answered; it has not been decided yet"
            if voted
            else "This is not waiting for you now",
            facts=tuple(self._facts(task, spec, results, person, now)),
            closing=self._on_expiry(task, zone),
            leaves=found.leaves,
            reports=found.reports,
            rest=found.rest,
        )

    def _void(self, person: str) -> Iterator[tuple[str, str]]:
        """This person's answer to the previous revision, which is void."""
        if self._notification.kind is not NotificationKind.DECIDED:
            for fact in self._answers:
                if fact.actor.id == person:
                    words = self._answered(fact)
                    yield (
                        "Your answer",
                        f"{words} (void: it was for revision {self._notification.revision - 1})",
                    )

    def _commented(self, person: str, zone: str) -> dict[str, Any]:
        notification = self._notification
        own = person in requesters_side(self._intent)
        words = [fact.note.comment for fact in self._answers if fact.note is not None and fact.note.comment]
        facts = (
            ("From", self._who(notification.by, notification.via)),
            ("When", local_time_text(notification.at, zone)),
        )
        return {
            "headline": f"A comment on {'your request' if own else 'a task that you commented on'}",
            "facts": facts,
            "quoted": cut(mask_text("\n".join(words)), _LONGEST_QUOTE),
            "quoted_by": "The comment",
            "closing": "A comment decides nothing. A reply on the page notifies its author.",
            "link_label": "Read and reply",
        }

    def _changed(self, person: str, zone: str) -> dict[str, Any]:
        notification = self._notification
        voided = person in notification.voided
        facts = [
            ("Changed by", self._who(notification.by, notification.via)),
            ("When", local_time_text(notification.at, zone)),
        ]
        facts += [("Revision", str(notification.revision)), *self._different(), *self._void(person)]
        found = render_payload(self._payload, {})
        return {
            "headline": "Changed after you answered" if voided else "Your request was changed",
            "facts": tuple(facts),
            "leaves": found.leaves,
            "rest": found.rest,
            "link_label": "See the changes",
            "closing": "Your answer no longer counts. You will be asked again if your answer is needed."
            if voided
            else "It needs a new decision.",
        }

    def _headline(self, person: str) -> str:
        match self._notification.kind:
            case NotificationKind.REMINDER:
                return f"Reminder {self._notification.number}: a decision is still needed"
            case NotificationKind.SNOOZE_ENDED:
                return "Snooze ended: a decision is still needed"
            case NotificationKind.ESCALATED:
                return "Escalated to you: a decision is needed"
            case NotificationKind.REVISED:
                answered = person in self._notification.voided
                return f"Changed{' after you answered' if answered else ''}: a new decision is needed"
        return "A decision is needed"

    def _requester_text(self, spec: TaskSpec) -> str:
        """The requester's own title and description; or an admin's description, from the workflow."""
        parts = (spec.description,) if from_workflow(self._intent.plan) else (spec.title, spec.description)
        return cut(mask_text("\n".join(part for part in parts if part)), _LONGEST_QUOTE)

    def _requester_text_source(self) -> str:
        if from_workflow(self._intent.plan):
            return "From the workflow"
        return "In the requester's words (not verified)"

    def _requester(self) -> str:
        requester = self._intent.requester
        name = self._directory.display(requester.id)
        return f"{name} ({requester.kind.value})" if not requester.address else f"{name}, {requester.address}"

    def _asked_by(self) -> str:
        """Who wrote the values shown: the requester, or the people who have changed them since."""
        changed = dict.fromkeys((*self._intent.editors, *self._intent.approving_editors))
        if not changed:
            return f"as {self._requester()} sent it"
        names = " and ".join(self._directory.display(person) for person in changed)
        return f"as {names} changed it after {self._requester()} sent it"

    def _decided(self, zone: str) -> dict[str, Any]:
        notification = self._notification
        ending = Ending(notification.ending)
        spec = self._step.task if self._step else None
        head = ended(ending, notification.outcome, spec)
        plain = head.lower() == ending.value or ending is Ending.SUPERSEDED
        facts = [] if plain else [("Ended as", ending.value)]
        if notification.by != "system":
            own = next((fact for fact in reversed(self._answers) if fact.actor.id == notification.by), None)
            facts.append(("By", self._who(notification.by, notification.via, own)))
        others = [
            fact for fact in self._answers if fact.actor.id != notification.by or notification.by == "system"
        ]
        facts += [
            ("Answered", f"{self._answered(fact)}, by {self._who(fact.actor.id, fact.via, fact)}")
            for fact in others
        ]
        facts += [("When", local_time_text(notification.at, zone)), ("Requested by", self._requester())]
        comments = [
            f"{self._directory.display(fact.actor.id)}: {fact.note.comment}"
            for fact in self._answers
            if fact.note is not None and fact.note.comment
        ]
        found = render_payload(self._payload, {})
        return {
            "headline": head,
            "tone": "good" if ending is Ending.APPROVED else "bad",
            "facts": tuple(facts),
            "closing": what_now(ending, notification.outcome, notification.means),
            "leaves": found.leaves,
            "rest": found.rest,
            "quoted": cut(mask_text("\n".join(comments)), _LONGEST_QUOTE),
            "quoted_by": "Comments",
            "link_label": "See what happened",
        }

    def _answered(self, fact: Fact) -> str:
        outcome = fact.event.outcome if isinstance(fact.event, Answered) else ""
        return outcome_text(self._step.task, outcome) if self._step else outcome.replace("_", " ")

    def _who(self, person: str, via: str, answer: Fact | None = None) -> str:
        """The person and the channel. ``answer``: the fact of their answer, which may name the person on whose behalf
        it was given.
        """
        event = answer.event if answer is not None else None
        principal = event.principal if isinstance(event, Answered) else ""
        on_behalf_of = f" for {self._directory.display(principal)}" if principal not in ("", person) else ""
        return (
            f"{self._directory.display(person)}{on_behalf_of}, through {_THROUGH.get(via) or label_of(via)}"
        )

    def _message(self, zone: str) -> dict[str, Any]:
        notification = self._notification
        facts = (("Requested by", self._requester()), ("When", local_time_text(notification.at, zone)))
        return {
            "headline": "For your information",
            "facts": facts,
            "quoted": cut(mask_text(notification.text), _LONGEST_QUOTE),
            "quoted_by": self._requester_text_source(),
            "link_label": "See what happened",
        }
