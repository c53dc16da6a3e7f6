"""Which changes to people, teams, policies, workflows and settings relax the rules on who decides. Computed only from
the former and new values in the change log, so that the second admin and the rule see the same.
"""

from collections.abc import Mapping
from typing import Any, Final

from signoff.core.directory.model import ALONE
from signoff.core.directory.roles import DECIDING
from signoff.core.errors import Invalid
from signoff.core.policy.fields import compile_policy, why_relaxed

EntryData = Mapping[str, Any]


def relaxations_of(kind: str, before: EntryData | None, after: EntryData | None, actor: str) -> list[str]:
    """How this change by the person ``actor`` relaxes the rules on who decides, as text; empty if it does not.
    ``after`` is None for a removal, which relaxes nothing except for a workflow: nothing may name a removed entry, and
    fewer people can decide.
    """
    if after is None:
        return ["requests of this type no longer follow it"] if kind == "workflow" else []
    match kind:
        case "workspace":
            return _settings(before or {}, after)
        case "person":
            return _person(before, after, actor)
        case "team":  # a new one is not in any policy yet; fewer members are fewer possible approvers
            joined = set(after["members"]) - set(before["members"]) if before is not None else set()
            return [f"{_people(len(joined))} more"] if joined else []
        case "policy":
            return _policy(before, after) if before is not None else []
        case "workflow":  # any other plan than before may require less
            changed = before is not None and before["plan"] != after["plan"]
            return ["another plan, which may require less"] if changed else []
    return ["its former state is unknown"]


def _policy(before: EntryData, after: EntryData) -> list[str]:
    try:
        was = compile_policy(before["source"])
    except Invalid:  # no request uses it yet
        return ["this release cannot use the former version"]
    return why_relaxed(was, compile_policy(after["source"]))


_OPENED: Final = {
    "self_approval": "requesters may decide, if the policy does not forbid it",
    "positive_fallback": "an unanswered task may count as approved if the risk is low",
}


def _settings(before: EntryData, after: EntryData) -> list[str]:
    # self-approval for one person only is less than for everybody
    opened = [
        why
        for name, why in _OPENED.items()
        if after.get(name) and (not before.get(name) or (before[name] == ALONE and after[name] != ALONE))
    ]
    bare = before.get("protected") and not after.get("protected")
    return [*opened, *(["a single admin may relax the rules"] if bare else [])]


def _person(before: EntryData | None, after: EntryData, actor: str) -> list[str]:
    roles = set(after["roles"])
    if before is None:
        held = sorted(roles & DECIDING)
        return [f"a new person who may decide, as {' and '.join(held)}"] if held else []
    found = []
    if gained := sorted(roles - set(before["roles"])):
        found.append(f"gets the role {' and '.join(gained)}")
    if after["active"] and not before["active"]:
        found.append("gets access again")
    if after["addresses"] != before["addresses"]:
        found.append("links to tasks go to a different address")
    if after["id"] != actor and _delegates(after) - _delegates(before):
        found.append("another person decides for them")
    return found


def _people(count: int) -> str:
    return "one person" if count == 1 else f"{count} people"


def _delegates(entry: EntryData) -> set[tuple[Any, Any, str]]:
    """The absences in which a delegate may cast this person's vote."""
    return {(one["start"], one["end"], one["delegate"]) for one in entry["absences"] if one.get("delegate")}
