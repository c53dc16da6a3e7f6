"""What a person is shown after every action on a task: what was recorded, what happens next, and how to undo it. The
text is the same on the page, in the API, on the command line and in chat. Pure: it follows from the recorded fact and
the current state, so a receipt that is read again later is still accurate.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias, assert_never, get_args

import msgspec

from signoff.core.intent import events as e
from signoff.core.intent.answering_rights import stage_now
from signoff.core.intent.model import Intent, Status, Task
from signoff.core.intent.quorum import Names, count
from signoff.core.intent.snoozes import active_snooze
from signoff.core.plan.task_types import Ending, Meaning
from signoff.core.plan.wording import ended, outcome_text

UNSNOOZE: Final = "unsnooze"
UNMARK: Final = "unmark-reviewing"
AGAIN: Final = "answer"
_PLACES: Final = {
    Status.COMPLETED: "The request is completed",
    Status.FAILED: "The request has failed",
    Status.CANCELED: "The request was canceled",
    Status.TIMED_OUT: "The request has timed out",
}
# What a person can do to a task. Each has a text in ``_worded``; a test asserts that each command leads to one of them.
Act: TypeAlias = (
    e.Answered
    | e.Commented
    | e.Delegated
    | e.Reassigned
    | e.ReviewMarked
    | e.Snoozed
    | e.Unsnoozed
    | e.Revised
    | e.Canceled
)
_ACTS: Final[tuple[type[Act], ...]] = get_args(Act)


class Receipt(msgspec.Struct, frozen=True):
    """``recorded``: what was recorded; ``then``: what happens next; ``undo``: the action that undoes it, "" if there is
    none; ``seq``: the number of the event, 0 if nothing new was recorded.
    """

    recorded: str
    then: str
    undo: str = ""
    seq: int = 0


UNCHANGED: Final = Receipt("Nothing new was recorded.", "It was already in this state.")


def bulk_receipt(tasks: int, recorded: int, decided: int, outcome: str) -> Receipt:
    """The receipt of one answer to many tasks. ``outcome``: as its name, or as text."""
    waiting, refused = recorded - decided, tasks - recorded
    sentence = (
        f"Recorded for {recorded} of {tasks} {_tasks(tasks)}, each separately: {outcome.replace('_', ' ')}."
    )
    if not recorded:
        return Receipt("Nothing was recorded.", f"All {tasks} are listed with the reason.")
    then = [f"{decided} {'is' if decided == 1 else 'are'} decided."] if decided else []
    then += [f"{waiting} {'is' if waiting == 1 else 'are'} not decided yet."] if waiting else []
    then += (
        [f"{refused} {'was' if refused == 1 else 'were'} refused; see the reason of each."] if refused else []
    )
    return Receipt(sentence, " ".join(then))


def _tasks(count: int) -> str:
    return "task" if count == 1 else "tasks"


class Formats(NamedTuple):
    """How a surface formats people and times; ``names``: the current names of all active people."""

    name: Callable[[str], str]
    moment: Callable[[datetime], str]
    names: Names | None = None


def act_in(facts: Iterable[e.Fact], person: str, step_run: int = 0) -> e.Fact | None:
    """The person's latest action among these facts. ``step_run``: only actions on this task."""
    found = None
    for fact in facts:
        mine = fact.actor.id == person and isinstance(fact.event, _ACTS)
        if mine and step_run in (0, getattr(fact.event, "step_run", step_run)):
            found = fact
    return found


def receipt(fact: e.Fact, intent: Intent, step: str, words: Formats) -> Receipt:
    """The receipt of one action on the task of this step. ``intent``: the current state."""
    event = fact.event
    if not isinstance(event, Act):
        raise TypeError("only what a person does has a receipt")
    recorded, then, undo = _worded(fact, event, intent, step, words)
    task = intent.open
    still = isinstance(task, Task) and task.step_run == getattr(fact.event, "step_run", 0)
    return Receipt(recorded, then, undo if still else "", fact.seq)


def place(intent: Intent) -> str:
    """The current state of the request."""
    if intent.open is not None:
        again = f", for revision {intent.revision}" if intent.ending is Ending.SUPERSEDED else ""
        return f"The request is at step “{intent.open.step}”{again}"
    return _PLACES.get(intent.status, "")


def _worded(fact: e.Fact, event: Act, intent: Intent, step: str, words: Formats) -> tuple[str, str, str]:
    """What was recorded, what happens next, and the action that undoes it."""
    task = intent.open if isinstance(intent.open, Task) else None
    match event:
        case e.Answered():
            return _answered(fact, event, intent, step, words)
        case e.Commented():
            return (
                "Your comment was recorded.",
                "The requester and earlier commenters are notified. It decides nothing.",
                "",
            )
        case e.Delegated(delegate=delegate):
            name = words.name(delegate)
            return (
                f"Delegated to {name}.",
                f"{name} now decides for you; you no longer can. An owner or an admin can reassign it.",
                "",
            )
        case e.Reassigned(to=to):
            return (
                f"Reassigned to {', '.join(map(words.name, to))}.",
                "They replace the approvers of this stage. Existing votes are kept.",
                "",
            )
        case e.ReviewMarked(person=""):
            return "Your review mark is cleared.", "Others see that no one is reviewing it.", ""
        case e.ReviewMarked(person=person):
            if task is not None and task.reviewed_by != person:
                return "You marked it as being reviewed by you.", "The mark is no longer set.", ""
            return (
                "It is marked as being reviewed by you.",
                "Others see that. Nothing is locked.",
                UNMARK,
            )
        case e.Snoozed(until=until):
            if task is not None and active_snooze(task, fact.actor.id) is None:
                return f"Snoozed until {words.moment(until)}.", "The snooze has ended.", ""
            return (
                f"Snoozed until {words.moment(until)}.",
                "You get no reminders until then, and a notification when it ends. The deadline, escalation and other "
                "approvers are unaffected.",
                UNSNOOZE,
            )
        case e.Unsnoozed():
            return "The snooze is canceled.", "Reminders resume.", ""
        case e.Revised(revision=revision):
            return _revised(revision, intent)
        case e.Canceled():
            return "The request is withdrawn.", "Everyone who was asked is notified.", ""
        case unknown:
            assert_never(unknown)


def _answered(
    fact: e.Fact, event: e.Answered, intent: Intent, step: str, words: Formats
) -> tuple[str, str, str]:
    spec = intent.plan.human_step(step).task
    behalf = f" for {words.name(event.principal)}" if event.principal not in ("", fact.actor.id) else ""
    where = f" in stage {event.stage + 1} of {len(spec.stages)}" if len(spec.stages) > 1 else ""
    edited = f", with your change as revision {event.revision}" if event.edited else ""
    recorded = f"Recorded{behalf}{where}{edited}: {outcome_text(spec, event.outcome)}."
    task = intent.open
    if not isinstance(task, Task) or task.step_run != event.step_run:
        return recorded, _decided(intent, step), ""
    if task.digest != event.digest:
        return recorded, "The request has changed since, so this answer no longer counts.", ""
    if task.stage != event.stage:
        return recorded, f"Stage {event.stage + 1} is complete; stage {task.stage + 1} is open now.", ""
    return (
        recorded,
        f"{_missing(event, task, intent, words)} Until the decision you can change your answer.",
        AGAIN,
    )


def _missing(event: e.Answered, task: Task, intent: Intent, words: Formats) -> str:
    stage = stage_now(intent, task)
    if event.meaning is Meaning.APPROVES:
        more = count(stage, task.stage, task.votes, words.names, event.outcome).missing
        return f"{more} more {'approval is' if more == 1 else 'approvals are'} needed." if more else _OPEN
    if event.meaning is Meaning.REJECTS:
        more = stage.reject_after - count(stage, task.stage, task.votes, words.names).rejections
        if more > 0:
            return f"{more} more {'rejection ends' if more == 1 else 'rejections end'} the task."
    return _OPEN


_OPEN: Final = "It has not been decided yet."


def _decided(intent: Intent, step: str) -> str:
    """How the task ended, and where the request is now."""
    result: Any = intent.results.get(step)
    now = f"{place(intent)}."
    if not isinstance(result, dict) or "ending" not in result:
        return now
    spec = intent.plan.human_step(step).task
    how = ended(Ending(str(result["ending"])), str(result.get("outcome", "")), spec)
    return f"This is decided: {how[:1].lower()}{how[1:]}. {now}"


def _revised(revision: int, intent: Intent) -> tuple[str, str, str]:
    if intent.revision != revision:
        return (
            f"Revision {revision} is recorded.",
            f"It has since been changed again, to revision {intent.revision}.",
            "",
        )
    return (
        f"Revision {revision} is recorded.",
        "Earlier votes are void, and those who gave them are notified. You are now on the requester's side: somebody "
        "else decides, unless self-approval is on.",
        "",
    )
