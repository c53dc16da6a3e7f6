"""Policies: each in plain words, what it would do to a task that opens now, its versions and who made them."""

from functools import partial
from typing import Any

import msgspec

from signoff.core.errors import NotFound
from signoff.core.policy.fields import clauses
from signoff.core.text import json_value
from signoff.engine.directory.contact_schedule import Explanation, hypothetical
from signoff.engine.directory.snapshot import NamedPolicy, Snapshot
from signoff.engine.read.approvers import Contact, contact_words, soon
from signoff.engine.read.policy_text import PolicyNames
from signoff.web.http.call import Page
from signoff.web.pages.admin.changes import about
from signoff.web.pages.kit.handler import Visit


async def policies(visit: Visit) -> Page:
    """GET /policies"""
    book = await visit.parts.directory.of(visit.actor.workspace)
    rows = [
        {
            "row": found.row,
            "risk": found.policy.risk.value if not found.fault else "",
            "by": book.display(found.row.applied_by),
            "clauses": clauses(found.policy, PolicyNames(book)) if not found.fault else (),
            "fault": found.fault,
            "flows": _flows(found.row.name, book),
        }
        for found in sorted(book.policies.values(), key=lambda found: found.row.name)
    ]
    return await visit.page("policies.html", rows=rows)


async def policy(visit: Visit) -> Page:
    """GET /policies/{name}"""
    book = await visit.parts.directory.of(visit.actor.workspace)
    found = book.policies.get(visit.params["name"])
    if found is None:
        raise NotFound("policy_not_found", f"There is no policy {visit.params['name'][:128]!r}.")
    foretell = partial(hypothetical, found, book, visit.parts.clock.now(), visit.actor.workspace)
    made = await visit.parts.aside.run(visit.actor, foretell)
    shown, unsaid = soon(made.contacts)
    return await visit.page(
        "policy.html", row=found.row, risk=found.policy.risk.value, by=book.display(found.row.applied_by),
        clauses=clauses(found.policy, PolicyNames(book)),
        flows=_flows(found.row.name, book), deciders=_deciders(made, book),
        contacts=[Contact(one.contact.at, contact_words(one, made, book)) for one in shown], unsaid=unsaid,
        source=_source(found), changes=await about(visit, f"policy:{found.row.name}"),
    )  # fmt: skip


def _deciders(made: Explanation, book: Snapshot) -> list[tuple[str, str]]:
    """(name, why) of those who could decide its first stage now."""
    return [
        (book.display(reach.person), reach.why.replace("team:", "team ").replace("role:", ""))
        for reach in made.may_decide
    ]


def _source(found: NamedPolicy) -> str:
    return msgspec.json.format(found.row.source, indent=2).decode()


def _flows(name: str, book: Snapshot) -> list[str]:
    """The workflows that have a step under this policy; and all that has none, where this decides that."""
    flows = sorted(
        flow.name for flow in book.workflows.values() if name in _named(json_value.decode(flow.source))
    )
    return [*flows, *(["whatever has no workflow"] if book.workspace.default_policy == name else [])]


def _named(source: Any) -> set[str]:
    steps = source.get("steps", []) if isinstance(source, dict) else []
    humans = [step.get("human") for step in steps if isinstance(step, dict)]
    said = [human.get("policy") for human in humans if isinstance(human, dict)]
    listed = [entry for one in said for entry in (one if isinstance(one, list) else [{"use": one}])]
    return {str(entry.get("use")) for entry in listed if isinstance(entry, dict)}
