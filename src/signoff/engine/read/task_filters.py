"""Reads the filters of a list of tasks from a query. A value that names nothing is refused, because a filter that
silently matched nothing, or everything, would be misleading.
"""

from collections.abc import Mapping
from typing import Final

from signoff.core.errors import Invalid
from signoff.core.intent.task_filter import TaskFilter
from signoff.core.plan.task_types import Risk
from signoff.engine.directory.snapshot import Snapshot

NAMES: Final = ("risk", "team", "requester", "workflow")
_TEAM: Final = "team:"


def task_filter(query: Mapping[str, str], directory: Snapshot) -> TaskFilter:
    """The filter for the query parameters ``risk``, ``team``, ``requester`` and ``workflow``."""
    fields = {name: query.get(name, "").strip() for name in NAMES}
    if fields["risk"] and fields["risk"] not in tuple(Risk):
        raise _unknown("risk", fields["risk"], ", ".join(Risk) + ".")
    team = fields["team"].removeprefix(_TEAM)
    if team and team not in directory.teams:
        raise _unknown("team", team, directory.suggest(team, directory.teams) or "See: signoff teams list.")
    requesters, program = (
        _requesters(fields["requester"], directory) if fields["requester"] else (frozenset[str](), "")
    )
    types = frozenset(
        one.intent_type
        for one in directory.workflows.values()
        if fields["workflow"] in (one.name, one.intent_type)
    )
    if fields["workflow"] and not types:
        known = {one.name for one in directory.workflows.values()}
        hint = directory.suggest(fields["workflow"], known) or "See: signoff workflows list."
        raise _unknown("workflow", fields["workflow"], hint)
    return TaskFilter(fields["risk"], _TEAM + team if team else "", requesters, types, program)


def _requesters(name: str, directory: Snapshot) -> tuple[frozenset[str], str]:
    """Return (ids, the program's id). A person is named by id or address, an agent or a service by id, name or
    address.
    """
    person = directory.anybody(name.lower())
    if person is not None:
        return frozenset({person.id}), ""
    known = (*directory.by_name.values(), *directory.by_address.values(), *directory.accounts.values())
    found = {one.id for one in known if name in (one.id, one.name, one.address)}
    if not found:
        raise _unknown("requester", name, "A person's address, or the name of an agent or a service.")
    return frozenset(found), next(iter(found)) if len(found) == 1 else ""


def _unknown(field: str, word: str, hint: str) -> Invalid:
    return Invalid("validation_error", f"{field}: there is no {word[:64]!r}.", field=field, hint=hint)
