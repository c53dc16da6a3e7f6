"""Which changes of people, teams, policies, workflows and settings loosen who decides. Read from the record of the
change alone, what was and what will be, so that the one who confirms it and the rule see the same.
"""

from collections.abc import Mapping
from typing import Any

from signoff.core.loosening import policy_loosens
from signoff.core.policy import compile_policy
from signoff.core.standing import DECIDING

Said = Mapping[str, Any]


def loosens(kind: str, before: Said | None, after: Said, actor: str) -> bool:
    """Whether this change, made by the person ``actor``, could let through what would not have passed before."""
    match kind:
        case "workspace":
            return _settings(before or {}, after)
        case "person":
            return _person(before, after, actor)
        case "team":  # a new one stands in no policy yet; fewer members are fewer who may decide
            return before is not None and not set(after["members"]) <= set(before["members"])
        case "policy":
            return before is not None and policy_loosens(
                compile_policy(before["source"]), compile_policy(after["source"])
            )
        case "workflow":  # any other plan than before may ask for less
            return before is not None and before["plan"] != after["plan"]
    return True


def _settings(before: Said, after: Said) -> bool:
    opened = any(after.get(name) and not before.get(name) for name in ("self_approval", "positive_fallback"))
    return opened or bool(before.get("protected") and not after.get("protected"))


def _person(before: Said | None, after: Said, actor: str) -> bool:
    roles = set(after["roles"])
    if before is None:
        return not DECIDING.isdisjoint(roles)
    gained = bool(roles - set(before["roles"])) or (after["active"] and not before["active"])
    moved = after["addresses"] != before["addresses"]  # where the links to decide go to
    stands_in = after["id"] != actor and _delegates(after) - _delegates(before)
    return bool(gained or moved or stands_in)


def _delegates(said: Said) -> set[tuple[Any, Any, str]]:
    """The absences in which somebody else gets this person's say."""
    return {(one["start"], one["end"], one["delegate"]) for one in said["absences"] if one.get("delegate")}
