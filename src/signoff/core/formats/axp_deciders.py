"""Unknown fields of AXP's documents that say who decides, which steps run, or that people are asked at all. AXP's
documents ignore unknown fields; these are refused, because ignoring them would leave the decision to more people than
the author intended, or to nobody. Inside a step or a ``human_task``, only notes for readers are ignored, because any
other field could have such a meaning.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from signoff.core.formats.axp_roles import person_behind
from signoff.core.text.document_reader import Fields

# Names that other products, and our own workflows, use for who decides and for how many people must. AXP supports few
# of them: if no policy applies, ignoring the others would open a task to more people than the caller meant.
_NAMERS: Final = (
    "assignees",
    "approvers",
    "approver",
    "assignee",
    "assigned_role",
    "assigned_to",
    "human_task",
)
_IN_TASK: Final = (
    *_NAMERS, "policy", "policies", "approve", "stages", "need", "reject_after", "self_approval", "strength", "role",
    "roles", "team", "teams", "group", "groups", "person", "persons", "people", "user", "users", "owner", "owners",
)  # fmt: skip
_OF_HUMAN: Final = ("contact", "contacts", "email", "emails", "mail", "address", "person", "user")
# A field whose name contains one of these words also says who decides: assignee_email, min_approvals.
_WHO: Final = frozenset(
    (
        "approver", "approvers", "approvals", "assign", "assigned", "assignee", "assignees", "reviewer", "reviewers",
        "decider", "deciders", "quorum",
    )
)  # fmt: skip
# In a request without a payload, the unknown fields are the payload. These names are unlikely in data.
_FLAT_DEMANDS: Final = (*_NAMERS, "requires_approval", "approval_required", "min_approvals")
_FLAT: Final = (
    *_FLAT_DEMANDS, "assignee_email", "reviewers", "gatekeepers", "quorum", "min_votes", "reject_after",
    "self_approval", "policy", "policies", "on_behalf_of",
)  # fmt: skip
# Names of fields that ask for people's decisions.
_DEMANDS: Final = ("human_task", "requires_approval", "approval_required", "human", "humans", "hitl")
_ASKING: Final = _WHO | {"approval", "signoff", "human"}
# Names of fields whose value says what kind of step it is.
_KIND: Final = frozenset(("type", "kind", "step_type", "step_kind", "mode"))
_OF_NOBODY: Final = frozenset(("action", "agent", "agent_task", "step", "task", "tool"))
_APPROVAL: Final = frozenset(("approval", "human", "human_approval", "human_task", "task"))
_OF_PEOPLE: Final = frozenset(("approval", "human", "signoff", "review"))
# Fields that only inform readers.
_NOTES: Final = frozenset(
    (
        "$schema", "annotations", "category", "comment", "comments", "context", "description", "details",
        "display_name", "documentation", "icon", "id", "info", "instructions", "label", "labels", "link", "links",
        "metadata", "name", "note", "notes", "priority", "summary", "tags", "title", "url", "version",
    )
)  # fmt: skip
# How many unknown fields are compared with the known ones, or named, at most, so that the cost stays linear.
_COMPARED: Final = 20
_ALIKE: Final = 0.85
_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def deciders(fields: Fields, known: Iterable[str]) -> tuple[str, ...]:
    """The fields other than ``known`` that would narrow who decides, but have no effect where they were given: in a
    ``human_task``, next to it, in a human step or around the steps. Every unknown field that names people counts.
    """
    return _misspelt(fields, known, _IN_TASK, (*_NAMERS, "on_behalf_of", "humans"), _WHO, by_value=True)


def flat_deciders(fields: Fields, known: Iterable[str]) -> tuple[str, ...]:
    """``deciders`` next to the task of a request without a payload. Its other unknown fields are its payload, even
    those that name people: ``requested_by`` and ``team`` are data there.
    """
    return _misspelt(fields, known, _FLAT, _FLAT, frozenset())


def flat_demands(fields: Fields, known: Iterable[str]) -> tuple[str, ...]:
    """``demands`` for a request without a payload: only fields that are unlikely to be data."""
    return _misspelt(fields, known, _FLAT_DEMANDS, _FLAT_DEMANDS, frozenset())


def deciders_in_task(ask: Fields, known: Iterable[str]) -> tuple[str, ...]:
    """The fields of a ``human_task`` other than ``known`` that might narrow who decides, or how: all except notes."""
    found = (*deciders(ask, known), *map(ask.at, _meant(ask, known, asks=True)))
    return tuple(dict.fromkeys(found))[:_COMPARED]


def deciders_in_human(human: Fields, known: Iterable[str]) -> tuple[str, ...]:
    """The unknown fields that name a person in an entry of a bundle's humans. Used if none of its known fields names
    anybody.
    """
    return _misspelt(human, known, _OF_HUMAN, _OF_HUMAN, _WHO, by_value=True)


def demands(fields: Fields, known: Iterable[str]) -> tuple[str, ...]:
    """The fields other than ``known`` that ask for people's decisions, in a plan without any."""
    known = frozenset(known)
    kinds = tuple(
        fields.at(name) for name in _given(fields, known) if _is_people_kind(name, fields.value[name])
    )
    alike = ("human_task", "requires_approval", "approval_required")
    return (*_misspelt(fields, known, _DEMANDS, alike, _ASKING), *kinds)


def refuse_misspelt(fields: Fields, known: Iterable[str], names: Sequence[str]) -> None:
    """Raise Invalid for a misspelling of one of ``names``, which decide which steps run and in which order: if it were
    ignored, a step could run without its approval.
    """
    for name in _given(fields, known)[:_COMPARED]:
        if close := get_close_matches(_plain(name), names, 1, _ALIKE):
            raise fields.invalid(name, f"has no effect; the field is called {close[0]}")


def refuse_unknown(
    fields: Fields, known: Iterable[str], judged: Iterable[str] = (), *, asks: bool = False
) -> None:
    """Raise Invalid for an unknown field, unless it is a note or one of the paths that are ``judged`` elsewhere. Such
    a field in a step could say when, by whom or whether the step is done. ``asks``: whether the step asks people.
    """
    known, judged = tuple(known), frozenset(judged)
    for name in _meant(fields, known, asks=asks):
        if fields.at(name) not in judged:
            close = get_close_matches(_plain(name), known, 1, _ALIKE)
            hint = f"The field is called {close[0]}." if close else "Omit it, or put it under metadata."
            raise fields.invalid(name, "unknown field", hint=hint, code="unknown_field")


def _meant(fields: Fields, known: Iterable[str], *, asks: bool) -> list[str]:
    """The unknown fields that are not notes. ``asks``: whether they are in a task or a step for people."""
    return [name for name in _given(fields, known) if not _is_note(_plain(name), fields.value[name], asks)]


def _is_note(plain: str, value: object, asks: bool) -> bool:
    if plain in _KIND and isinstance(value, str):
        return _plain(value) in (_APPROVAL if asks else _OF_NOBODY)
    return plain in _NOTES or plain.startswith("x_")


def _misspelt(
    fields: Fields,
    known: Iterable[str],
    names: Sequence[str],
    alike: Sequence[str],
    parts: frozenset[str],
    *,
    by_value: bool = False,
) -> tuple[str, ...]:
    """The fields other than ``known`` whose name is one of ``names`` in any case style, is close to one of ``alike``,
    or contains one of ``parts``; ``by_value``: also those whose value names people.
    """
    found = []
    for place, name in enumerate(_given(fields, known)):
        plain = _plain(name)
        if (
            plain in names
            or not parts.isdisjoint(plain.split("_"))
            or (place < _COMPARED and get_close_matches(plain, alike, 1, _ALIKE))
            or (by_value and _names_people(fields.value[name]))
        ):
            found.append(fields.at(name))
    return tuple(found)


def _given(fields: Fields, known: Iterable[str]) -> list[str]:
    known = frozenset(known)
    return [name for name in fields.value if name not in known and fields.says(name)]


def _plain(name: str) -> str:
    """The name of a field in snake_case."""
    return _WORD_START.sub("_", name[:64].strip()).replace("-", "_").replace(" ", "_").lower()


def _is_people_kind(name: str, value: object) -> bool:
    """Whether a field says that its step is for people: ``type: human_approval``."""
    is_kind = isinstance(value, str) and _plain(name) in _KIND
    return is_kind and not _OF_PEOPLE.isdisjoint(_plain(str(value)).split("_"))


def _names_people(value: object) -> bool:
    names = value[:_COMPARED] if isinstance(value, list) else [value]
    return any(
        isinstance(name, str) and len(name) < 256 and person_behind(name.strip(), {}) for name in names
    )
