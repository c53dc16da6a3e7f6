"""The text of a policy on a page: ``core.policy.fields`` provides the sentences, the directory the people's names."""

from collections.abc import Iterable
from heapq import nsmallest

from signoff.core.directory.roles import DECIDING_ROLES, ROLES
from signoff.engine.directory.snapshot import Snapshot

_NAMED = 6


class PolicyNames:
    """Names the people of a directory in the descriptions of policies; each approver is looked up once."""

    def __init__(self, directory: Snapshot) -> None:
        self._directory = directory
        self._texts: dict[str, str] = {}
        self.self_approval = directory.self_approval

    def approvers(self, names: Iterable[str]) -> str:
        """People by name, and roles and teams with their current members."""
        return "; ".join(map(self._approver, names))

    def anyone(self) -> str:
        """The default approvers: every deciding role that at least one person has."""
        held = {role for person in self._directory.people.values() if person.active for role in person.roles}
        deciding = (f"role:{role}" for role in ROLES if role in held)
        return self.approvers(name for name in deciding if name in DECIDING_ROLES)

    def _approver(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = self._listed(name)
        return self._texts[name]

    def _listed(self, name: str) -> str:
        members = map(self._directory.people.__getitem__, self._directory.membership.members(name))
        people = [person.name or person.email for person in members]
        if not name.startswith(("role:", "team:")):
            return people[0] if people else name
        kind, _, word = name.partition(":")
        more = len(people) - _NAMED
        listed = ", ".join(nsmallest(_NAMED, people)) + (f" and {more} more" if more > 0 else "")
        return f"{kind} {word} ({listed or 'currently no one'})"
