"""The sentences that people read about a task: the question, how it ended, what follows expiry. They are the same on
pages, in mail, in chat and in the terminal, and never contain the requester's text.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from msgspec.structs import replace

from signoff.core.plan import title_template
from signoff.core.plan.plan import END, NO_PLAN, HumanStep, Plan, Route
from signoff.core.plan.task_types import (
    BUILT_IN,
    Ending,
    Meaning,
    Strength,
    TaskSpec,
    expiry_approves,
    meaning_of,
)
from signoff.core.text import json_value
from signoff.core.text.describe import nearest, printable

Payload = Mapping[str, Any] | bytes | None  # parsed or as stored; None if there is none
_COMPARED: Final = 50  # fields of a workflow that are compared with a title's
_LONGEST_NAME: Final = 64
_MOST_STAGES: Final = 3  # named in one sentence
# The text for a custom outcome.
MEANT: Final = {
    Ending.APPROVED: "approved",
    Ending.REJECTED: "rejected",
    Ending.SUPERSEDED: "changes requested",
}
# Texts for endings without an answer.
_ENDED: Final = {
    Ending.EXPIRED: "Expired",
    Ending.WITHDRAWN: "Withdrawn",
    Ending.UNDELIVERABLE: "No approver could be reached",
}
_NEXT: Final = {
    Ending.EXPIRED: "No decision before the deadline. Silence is never consent.",
    Ending.WITHDRAWN: "There is nothing left to decide.",
    Ending.UNDELIVERABLE: "No eligible approver could be reached, so nothing was decided.",
}
# Texts about the required assurance, and how to get it.
PROOFS: Final = {
    Strength.LINK: "a link from a message, a chat account or a key is enough",
    Strength.SESSION: "the approver must sign in by e-mail; "
    "a key, a chat account or a link from a message is not enough",
    Strength.STEP_UP: "the approver must verify their identity again",
}
NO_MAIL: Final = (
    "This server sends no mail: its operator can create a sign-in link with signoff db signin-link EMAIL"
)


def question(plan: Plan, step: HumanStep, intent_type: str, payload: Payload) -> str:
    """The question: the workflow's title, if an admin wrote it; never a requester's. ``payload``: has the fields that
    the title names.
    """
    if from_workflow(plan):
        return title_of(plan, step, payload)
    return f"{step.task.type.question}: {type_text(intent_type)}"


def title_of(plan: Plan, step: HumanStep, payload: Payload) -> str:
    """The task's title, with the values of the fields that a workflow's title names."""
    title = step.task.title
    if not (title_template.has_fields(title) and from_workflow(plan)):
        return title
    return filled_from(title, payload)


def filled_from(title: str, payload: Payload) -> str:
    """A workflow's title with the payload's values."""
    return title_template.filled(title, _fields(payload))


def missing_from_titles(plan: Plan, payload: Payload) -> tuple[str, ...]:
    """A sentence for each field that a workflow's titles name and the payload lacks or leaves empty: approvers are
    shown its name instead of a value.
    """
    if not from_workflow(plan):
        return ()
    titles = {step.id: step.task.title for step in plan.steps if isinstance(step, HumanStep)}
    if not any(map(title_template.has_fields, titles.values())):
        return ()
    fields = _fields(payload)
    return tuple(
        f"step {step!r}: its title names {{{one.name}}}, which the payload lacks or leaves empty; "
        f"approvers see [{one.name}]" + (f". Did you mean {printable(one.meant)!r}?" if one.meant else "")
        for step, title in titles.items()
        for one in title_template.missing(title, fields)
    )


def misspelled_in_titles(plan: Plan) -> tuple[str, ...]:
    """A sentence for each field that a title names and that is probably another one, which the workflow's ``target``
    or a condition names. A workflow declares no other fields of its payload.
    """
    people = [step for step in plan.steps if isinstance(step, HumanStep)]
    conditions = (one for step in people for choice in step.choices for one in choice.when)
    declared = dict.fromkeys((*plan.target, *(one.field for one in conditions)))
    short = [name for name in declared if len(name) <= _LONGEST_NAME][:_COMPARED]
    return tuple(
        f"step {step.id!r}: its title names {{{name}}}, but the workflow's other fields name "
        f"{printable(meant)!r}. Did you mean that?"
        for step in people
        for name in title_template.named(step.task.title)
        if name not in declared and (meant := nearest(name, short))
    )


def question_template(plan: Plan, step: HumanStep, intent_type: str) -> str:
    """The question with the names of fields in place of their values, for ``title_template.filled``."""
    return step.task.title if from_workflow(plan) else question(plan, step, intent_type, None)


def record_title(plan: Plan, step: HumanStep) -> str:
    """The task's title with the names of fields instead of their values, for records that are kept after the payload
    is deleted.
    """
    return title_template.unfilled(step.task.title) if from_workflow(plan) else step.task.title


def _fields(payload: Payload) -> Mapping[str, Any] | None:
    if not isinstance(payload, bytes):
        return payload
    found = json_value.decode(payload) if payload else None
    return found if isinstance(found, Mapping) else None


def from_workflow(plan: Plan) -> bool:
    """Whether an admin of the workspace wrote the plan. All other plans came with the request."""
    return plan.source.startswith("workflow")


@lru_cache(maxsize=1024)
def type_text(intent_type: str) -> str:
    """``intent.infra.change_approval.v1`` as text: infra change approval."""
    parts = [part for part in intent_type.split(".") if part and part != "intent"]
    if len(parts) > 1 and parts[-1][:1] == "v" and parts[-1][1:].isdigit():
        parts.pop()
    return " ".join(part.replace("_", " ").replace("-", " ") for part in parts)[:120] or intent_type[:120]


def label(spec: TaskSpec, word: str) -> str:
    """The label of an outcome's button. An outcome that a requester defined is shown by its name."""
    own = next((one for one in spec.own if one.name == word), None)
    if own is not None:
        return own.label or (
            BUILT_IN[word].label if word in BUILT_IN else word.replace("_", " ").capitalize()
        )
    return BUILT_IN[word].label if word in BUILT_IN else f"Answer “{word}”"


def later_stages_text(numbers: Sequence[int]) -> str:
    """``Stage 2 asks``, ``Stages 2 and 4 ask``; at most three are named, the rest counted."""
    if len(numbers) == 1:
        return f"Stage {numbers[0]} asks"
    named = [str(number) for number in numbers[:_MOST_STAGES]]
    more = len(numbers) - len(named)
    last = f"{more} more" if more else named.pop()
    return f"Stages {', '.join(named)} and {last} ask"


def outcome_text(spec: TaskSpec, outcome: str) -> str:
    """A chosen outcome as text: the label of a custom one, or else its name in words."""
    own = next((one for one in spec.own if one.name == outcome and one.label), None)
    return own.label if own is not None else outcome.replace("_", " ")


def ended(ending: Ending, outcome: str, spec: TaskSpec | None = None) -> str:
    """How the task ended, in a few words: the outcome, if there is one."""
    if ending is Ending.REJECTED and meaning_of(outcome) is Meaning.APPROVES:  # a form that rejects
        return "Rejected"
    if text := _ENDED.get(ending):
        return text
    word = (outcome_text(spec, outcome) if spec else outcome.replace("_", " ")) or ending.value
    word = word[:1].upper() + word[1:]
    return word if outcome in BUILT_IN or not outcome else f"{word} ({MEANT.get(ending, ending.value)})"


def what_now(ending: Ending, outcome: str, means: str = "") -> str:
    """What the ending means, if its name does not say so, else "". ``means``: the outcome's meaning, if the task
    defines it.
    """
    if ending is Ending.EXPIRED and (means or meaning_of(outcome)) == Meaning.APPROVES:
        return (
            f"No decision before the deadline. Its policy continues it as {outcome!r}; no person approved it."
        )
    return _NEXT.get(ending, "")


def on_expiry_text(
    step: HumanStep,
    due_at: datetime | None,
    intent_due_at: datetime | None,
    when: Callable[[datetime], str],
    refused: bool = False,
) -> str:
    """What happens if nobody answers, as a sentence. Silence is never consent. ``refused``: whether there was a
    rejection or a failure before, which an expiry leaves unchanged.
    """
    ends = intent_due_at is not None and (due_at is None or intent_due_at <= due_at)
    if ends and intent_due_at is not None:
        return f"If nobody answers by {when(intent_due_at)}, the request times out; nothing is approved."
    if due_at is None:
        return "Without an answer nothing happens: the task stays open."
    return f"If nobody answers by {when(due_at)}, the task expires and {_expiry_text(step, refused)}."


def _expiry_text(step: HumanStep, refused: bool) -> str:
    spec = step.task
    if expiry_approves(spec):
        target = spec.outcome(spec.fallback_outcome).goto or step.on_success
        goes_on = (
            "the request continues"
            if target in (None, END)
            else f"the request continues with step {target!r}"
        )
        ends = " and then fails, unless somebody approves" if refused else ""
        return f"{goes_on} as {spec.fallback_outcome!r}, as its policy defines{ends}"
    route = NO_PLAN.after_expiry(step)
    if route is not None and refused:
        route = replace(route, success=False)
    return after_no(route) + "; nothing is approved"


def after_no(route: Route | None) -> str:
    """Where a rejection or expiry leads, and how the request then ends."""
    if route is None or (route.target == END and not route.success):
        return "the request fails"
    if route.target == END:
        return "the request completes, as its plan declares"
    if route.success:
        return f"the request continues with step {route.target!r}, which its plan declares a success"
    return f"the request continues with step {route.target!r} and then fails, unless somebody approves there"
