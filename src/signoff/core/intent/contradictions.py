"""An answer must be unambiguous. If two of its parts contradict each other, it is refused and nothing is recorded."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from signoff.core.errors import Invalid
from signoff.core.plan.answers import canonical_outcome, usual_meaning
from signoff.core.plan.task_types import Meaning, TaskSpec

# Members of an answer's data that approve or reject, with the meaning of true.
_FLAGS: Final = {
    "approved": True, "acknowledged": True, "confirmed": True, "accepted": True, "approve": True, "accept": True,
    "rejected": False, "denied": False, "declined": False, "reject": False, "deny": False, "decline": False,
    "approvecurrentstep": True,
}  # fmt: skip
# Members that contain an answer in the bodies of other endpoints, as ``spelled`` returns them.
_WITHIN: Final = ("taskresult", "taskresults", "data", "result", "results", "outcome", "decision")
# A form's own field with this name is the answer, whatever else the form asks.
_ALWAYS: Final = ("approved", "acknowledged")
_WORDS: Final = ("outcome", "decision")
_STATES: Final = ("status", "result", "action")
_TRUE: Final = ("true", "yes", "1")
_FALSE: Final = ("false", "no", "0")


def as_flag(value: object) -> bool | None:
    """Whether a member of a body means yes or no, given as a JSON boolean, a number, or a word (AXP's command line
    sends text); None if it means neither.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None
    return None


def spelled(name: str) -> str:
    """A member's name without its spelling: ``taskresult`` for ``task_result``, ``taskResult`` and ``Task-Result ``."""
    return "".join(character for character in name.lower() if character.isalnum())


def refuse_contradiction(spec: TaskSpec, outcome: str, data: Mapping[str, Any], agreed: str = "") -> None:
    """Raise Invalid if the data contradicts the outcome. ``agreed``: the approving outcome that an earlier stage
    chose.
    """
    outcome = canonical_outcome(spec, outcome, agreed)
    if data:
        _refuse(spec, outcome, data, agreed, "data")


def _refuse(spec: TaskSpec, outcome: str, data: Mapping[str, Any], agreed: str, place: str) -> None:
    approves = spec.meaning(outcome) is Meaning.APPROVES
    for field, yes in flags(data, spec):
        if yes is not approves:
            raise contradiction("outcome", outcome, f"{place}.{field}", data[field])
    for field in _WORDS:
        word = data.get(field)
        if field in form_fields(spec) or word is None or word == "":
            continue
        flag = as_flag(word)
        other = flag is None and isinstance(word, str) and _known(spec, word, agreed) not in (None, outcome)
        if other or flag not in (None, approves):
            raise contradiction("outcome", outcome, f"{place}.{field}", word)
    for field, word in refusals(data, spec) if approves else ():
        raise contradiction("outcome", outcome, f"{place}.{field}", word)
    for field, inner in _within(data, spec):
        _refuse(spec, outcome, inner, agreed, f"{place}.{field}")


def _within(data: Mapping[str, Any], spec: TaskSpec | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The members that contain an answer themselves."""
    own = form_fields(spec)
    for name, value in data.items():
        if isinstance(value, Mapping) and name not in own and spelled(name) in _WITHIN:
            yield name, value


def refusals(data: Mapping[str, Any], spec: TaskSpec | None) -> Iterator[tuple[str, str]]:
    """(member, word) for each member that describes a result and contradicts the outcome."""
    own = form_fields(spec)
    for field, word in data.items():
        if field in own or field in _WORDS or field.lower() not in (*_STATES, *_WORDS):
            continue
        # A check's verdict, not a rejection.
        if not isinstance(word, str) or word.strip().lower() == "failed":
            continue
        if usual_meaning(word) not in (None, Meaning.APPROVES):
            yield field, word


def flags(data: Mapping[str, Any], spec: TaskSpec | None) -> Iterator[tuple[str, bool]]:
    """The (member, whether it says yes) pairs of the members that say yes or no, in any spelling."""
    own = form_fields(spec)
    for name, value in data.items():
        meaning, flag = _FLAGS.get(spelled(name)), as_flag(value)
        if meaning is not None and flag is not None and (name in _ALWAYS or name not in own):
            yield name, flag is meaning


def decides(data: Mapping[str, Any], words: Collection[str]) -> bool:
    """Whether these members alone read as a decision: an outcome in ``words`` or a built-in one, a member that
    says no, or one named like an answer.
    """
    for field in (*_WORDS, "action"):
        word = data.get(field)
        if as_flag(word) is not None:
            return True
        if isinstance(word, str) and (word in words or usual_meaning(word) is not None):
            return True
    return rejecting_member(data) is not None or any(name in _ALWAYS for name, _ in flags(data, None))


def rejecting_member(data: Mapping[str, Any]) -> tuple[str, object] | None:
    """The path and the value of the member of a body that says no, if there is one: a flag, or a word that reads as
    no. An answer inside the body counts too.
    """
    for field, word in data.items():
        known = spelled(field)
        if known in _WORDS and as_flag(word) is False:
            return field, word
        if known not in (*_WORDS, "status", "result"):
            continue
        if isinstance(word, str) and usual_meaning(word) not in (None, Meaning.APPROVES):
            return field, word
    for name, yes in flags(data, None):
        if not yes:
            return name, data[name]
    for name, inner in _within(data, None):
        if (found := rejecting_member(inner)) is not None:
            return f"{name}.{found[0]}", found[1]
    return None


def form_fields(spec: TaskSpec | None) -> Mapping[str, Any]:
    """The fields that the form itself asks for, in which these words mean what the form says."""
    found = ((spec.form if spec else None) or {}).get("properties", {})
    return found if isinstance(found, Mapping) else {}


_SHORT: Final = {"approve": "approved", "reject": "rejected", "deny": "rejected"}


def _known(spec: TaskSpec, word: str, agreed: str) -> str | None:
    """The outcome for a word; None if it is not one of this task's."""
    word = word.strip()
    try:
        return canonical_outcome(spec, _SHORT.get(word.lower(), word), agreed)
    except Invalid:
        return None


def one_meaning(members: Mapping[str, object], spec: TaskSpec | None, agreed: str = "") -> str | None:
    """The single outcome that the members of a body name; None if none of them names one. ``members``: the values by
    the member's path, in order of precedence; a yes or no counts as ``approved`` or ``rejected``. Raises Invalid with
    the names of two members that differ.
    """
    first, chosen = "", ""
    for field, value in members.items():
        if value is not None and not isinstance(value, str | bool):
            raise Invalid("validation_error", f"{field} has to be text.", field=field)
        word = _word(value)
        if word is None:
            continue
        if not first:
            first, chosen = field, word
        elif not _alike(spec, chosen, word, agreed):
            raise contradiction(first, members[first], field, value)
    return chosen or None


def _word(value: object) -> str | None:
    if isinstance(value, bool):
        return "approved" if value else "rejected"
    return value.strip() or None if isinstance(value, str) else None


def _alike(spec: TaskSpec | None, one: str, other: str, agreed: str) -> bool:
    one, other = (_SHORT.get(word.lower(), word) for word in (one, other))
    if one == other or spec is None:
        return one == other
    return _known(spec, one, agreed) == _known(spec, other, agreed) is not None


def contradiction(one: str, value: object, other: str, opposite: object) -> Invalid:
    return Invalid(
        "contradictory_answer",
        f"{one} is {_shown(value)}, but {other} is {_shown(opposite)}; nothing was recorded.",
        field=other,
        hint="Use the same value in both, or omit one.",
        details={"fields": [one, other]},
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)[:66]
