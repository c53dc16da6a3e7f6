"""Policies: each as text, with the schedule for a task that opens now, and its versions with their authors."""

from functools import partial
from typing import Any

import msgspec

from signoff.core.errors import NotFound
from signoff.core.policy.fields import clauses
from signoff.core.text import json_value
from signoff.engine.directory.contact_schedule import ContactSchedule, preview
from signoff.engine.directory.snapshot import NamedPolicy, Snapshot
from signoff.engine.read.approvers import UpcomingContact, contact_text, soon
from signoff.engine.read.policy_text import PolicyNames
from signoff.web.http.call import Page
from signoff.web.pages.admin.change_log import about
from signoff.web.pages.kit.handler import PageRequest


async def policies(request: PageRequest) -> Page:
    """GET /policies"""
    directory = await request.directory()
    size = sum(len(flow.source) for flow in directory.workflows.values())
    flows = await request.state.off_loop.run(request.actor, partial(flows_by_policy, directory), size)
    names = PolicyNames(directory)
    rows = [
        {
            "row": found.row,
            "risk": found.policy.risk.value if not found.fault else "",
            "by": directory.display(found.row.applied_by),
            "clauses": clauses(found.policy, names) if not found.fault else (),
            "fault": found.fault,
            "flows": flows.get(found.row.name, []),
        }
        for found in sorted(directory.policies.values(), key=lambda found: found.row.name)
    ]
    return await request.page("policies.html", rows=rows)


async def policy(request: PageRequest) -> Page:
    """GET /policies/{name}"""
    directory = await request.directory()
    found = directory.policies.get(request.params["name"])
    if found is None:
        raise NotFound("policy_not_found", f"There is no policy {request.params['name'][:128]!r}.")
    foretell = partial(preview, found, directory, request.state.clock.now(), request.actor.workspace)
    made, flows = await request.state.off_loop.run(
        request.actor, lambda: (foretell(), flows_by_policy(directory))
    )
    shown, omitted = soon(made.contacts)
    return await request.page(
        "policy.html",
        row=found.row,
        risk=found.policy.risk.value,
        by=directory.display(found.row.applied_by),
        clauses=clauses(found.policy, PolicyNames(directory)),
        flows=flows.get(found.row.name, []),
        deciders=_deciders(made, directory),
        contacts=[UpcomingContact(one.contact.at, contact_text(one, made, directory)) for one in shown],
        omitted=omitted,
        source=_source(found),
        changes=await about(request, f"policy:{found.row.name}"),
    )


def _deciders(made: ContactSchedule, directory: Snapshot) -> list[tuple[str, str]]:
    """(name, why) of the people who could decide the policy's first stage now."""
    return [
        (directory.display(reach.person), reach.why.replace("team:", "team ").replace("role:", ""))
        for reach in made.may_decide
    ]


def _source(found: NamedPolicy) -> str:
    return msgspec.json.format(found.row.source, indent=2).decode()


def flows_by_policy(directory: Snapshot) -> dict[str, list[str]]:
    """For each policy, the workflows that use it; for the default policy, requests without a workflow as well. Each
    workflow is read once, no matter how many policies there are.
    """
    flows: dict[str, list[str]] = {}
    for flow in sorted(directory.workflows.values(), key=lambda flow: flow.name):
        for policy in _named(json_value.decode(flow.source)):
            flows.setdefault(policy, []).append(flow.name)
    if default := directory.workspace.default_policy:
        flows.setdefault(default, []).append("types without a workflow")
    return flows


def _named(source: Any) -> set[str]:
    steps = source.get("steps", []) if isinstance(source, dict) else []
    humans = [step.get("human") for step in steps if isinstance(step, dict)]
    policies = [human.get("policy") for human in humans if isinstance(human, dict)]
    listed = [entry for one in policies for entry in (one if isinstance(one, list) else [{"use": one}])]
    return {str(entry.get("use")) for entry in listed if isinstance(entry, dict)}
