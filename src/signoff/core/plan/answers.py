"""What an answer to a task means, and whether it has all that the task requires.

Only a clear approval counts as one: routes and callers fail closed.
"""

from typing import Any, Final

from signoff.core.errors import Invalid
from signoff.core.plan.task_types import BUILT_IN, Meaning, TaskSpec, TaskType, meaning_of
from signoff.core.text.hidden_characters import shows

_PLAIN: Final = {
    **dict.fromkeys(("approve", "accept", "accepted", "confirm", "yes", "true", "ok"), Meaning.APPROVES),
    **dict.fromkeys(("reject", "deny", "decline", "refuse", "refused", "no", "false"), Meaning.REJECTS),
}


def usual_meaning(word: str) -> Meaning | None:
    """What people usually mean by a word, in upper or lower case; None if that is unclear."""
    word = word.strip().lower()
    return meaning_of(word) if word in BUILT_IN else _PLAIN.get(word)


def could_mean_yes(word: str) -> bool:
    """Whether the word may be an approval in some task, because a workflow may define any word that is not built in."""
    return word not in BUILT_IN or meaning_of(word) is Meaning.APPROVES


def meaning_of_answer(spec: TaskSpec, outcome: str, data: dict[str, Any]) -> Meaning:
    """The meaning of an answer. A form that says approved: false is a rejection, no matter what the outcome is
    called.
    """
    meaning = spec.meaning(outcome)
    denied = data.get("approved") is False or data.get("acknowledged") is False
    return Meaning.REJECTS if denied and meaning is Meaning.APPROVES else meaning


def canonical_outcome(spec: TaskSpec, outcome: str, agreed: str = "") -> str:
    """The task's outcome for the word that was sent. ``approved`` and ``rejected`` stand for its approving and its
    rejecting outcome; if several approve, the caller must name one.
    """
    allowed = spec.open_to(agreed)
    if outcome in allowed:
        return outcome
    yes = tuple(word for word in allowed if spec.meaning(word) is Meaning.APPROVES)
    if outcome == "approved" and len(yes) == 1 and outcome not in spec.outcomes:
        return yes[0]
    if outcome == "rejected" and (no := spec.outcomes_meaning(Meaning.REJECTS)):
        return no[0]
    if outcome == "rejected" and spec.asks_for_a_yes:
        return outcome
    hint = "Allowed: " + ", ".join(allowed) + "."
    if agreed and outcome in spec.outcomes:
        hint = f"The previous stage has chosen {agreed!r}; a later stage can only agree to that. {hint}"
    raise Invalid(
        "outcome_not_allowed",
        f"{outcome!r} is not an outcome of this {spec.type} task.",
        field="outcome",
        hint=hint,
        details={"allowed_outcomes": list(allowed)},
    )


def required_answer(spec: TaskSpec) -> str:
    """What an approval of this task requires in addition to the outcome, as text; "" if nothing."""
    if spec.form is not None:
        return "a completed form"
    if spec.evidence_required:
        return "evidence"
    if spec.comment_required:
        return "a comment"
    return "an assignee" if spec.type is TaskType.ASSIGNMENT else ""


def check_answer(
    spec: TaskSpec, outcome: str, comment: str, data: dict[str, Any], agreed: str = ""
) -> tuple[str, Meaning]:
    """Return the canonical outcome and its meaning; raise Invalid if something that the task requires is missing."""
    outcome = canonical_outcome(spec, outcome, agreed)
    meaning = meaning_of_answer(spec, outcome, data)
    if spec.comment_required and not shows(comment):
        raise Invalid("comment_required", "This task asks for a comment.", field="comment", hint="Say why.")
    if spec.evidence_required and meaning is Meaning.APPROVES and not shows(data.get("evidence")):
        raise Invalid(
            "evidence_required",
            "This task asks for evidence.",
            field="data.evidence",
            hint="Give text or links that show it was done.",
        )
    if meaning is Meaning.APPROVES and spec.form is not None:
        _refuse_blanks(spec.form, data)
    elif meaning is Meaning.APPROVES and spec.type is TaskType.ASSIGNMENT and not _names_assignee(data):
        raise Invalid(
            "assignee_required",
            "This task requires an assignee.",
            field="data.assignee",
            hint="Name the person in data.assignee.",
        )
    return outcome, meaning


def _names_assignee(data: dict[str, Any]) -> bool:
    """Whether an answer names an assignee; AXP's clients also write ``assignee_email``."""
    return any(shows(value) for name, value in data.items() if "assign" in name.lower())


def _refuse_blanks(form: dict[str, Any], data: dict[str, Any]) -> None:
    """Raise Invalid for required text that is blank."""
    required = form.get("required")
    for name in required if isinstance(required, list) else ():
        if isinstance(data.get(name), str) and not shows(data[name]):
            raise Invalid(
                "form_invalid",
                f"The form has errors: {name}: contains no visible text.",
                field="data",
                details={"errors": [f"{name}: contains no visible text"]},
                hint="Correct this field and answer again; nothing was recorded.",
            )
