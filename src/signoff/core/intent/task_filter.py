"""The filters of a list of open tasks, by risk, team, requester and type: the conditions, and where to look for
matching tasks. Pure.
"""

from collections.abc import Callable

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.intent.answering_rights import asked
from signoff.core.intent.checks import checked, worst_risk
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.worklist import Search, everything, of_team, requested_by


class TaskFilter(msgspec.Struct, frozen=True):
    """``risk``: the policy's or a check's, whichever is higher; ``team``: a ``team:NAME`` that is asked now;
    ``requesters``: ids of the requester or the person whom the request is for; ``types``: intent types. An empty
    value means no condition. ``program``: a requester that is a program, because tasks are indexed by programs.
    """

    risk: str = ""
    team: str = ""
    requesters: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    program: str = ""

    def fits(self, intent: Intent, task: Task) -> bool:
        """Whether the open task meets all conditions."""
        if self.types and intent.type not in self.types:
            return False
        if self.requesters and self.requesters.isdisjoint((intent.requester.id, *intent.requester.persons)):
            return False
        if self.team and self.team not in asked(intent, task):
            return False
        if not self.risk:
            return True
        return (
            worst_risk(spec_of(intent, task).risk, checked(intent, task.step).current)[0].value == self.risk
        )

    def among(self, actor: Actor, search: Callable[[Actor], Search] | None) -> Search | None:
        """Where to look: in the requested list, or in a narrower one that a condition implies. None means all tasks
        that the actor may see.
        """
        if search is not None and search is not everything:
            return search(actor)
        if self.team:
            return of_team(actor, self.team)
        if self.program:
            keys = everything(actor).keys
            return Search((keys[0], (requested_by(self.program),), keys[2]), lambda intent, task: True)
        return search(actor) if search is not None else None
