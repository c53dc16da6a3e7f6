"""Workflows, which users apply from files in their repository. Applying the same file twice changes nothing."""

from signoff.core.directory.authorization import PROGRAMS
from signoff.core.directory.model import NamedWorkflow
from signoff.core.errors import NotFound
from signoff.core.formats.manifest import Manifest, WorkflowSpec
from signoff.core.formats.workflow import compile_workflow
from signoff.core.plan.plan import Plan
from signoff.engine.admin.apply_manifest import unregistered_agents
from signoff.engine.admin.manifest_diff import UNCHANGED
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.planning.planner import plan_warnings
from signoff.web.http import json_intake
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes.accounts import workflow_out
from signoff.wire.common import ABSENT
from signoff.wire.workflows import AppliedOut, WorkflowOut, WorkflowResponse, WorkflowsResponse


async def apply(call: Call) -> AppliedOut:
    """POST /v1/workflows"""
    source = json_intake.parse_object(call.body).value
    template = compile_workflow(source)
    dry_run = call.flag("dry_run")
    manifest = Manifest(workflows=(WorkflowSpec(template, source),))
    agents = list(unregistered_agents(await directory_of(call), manifest))
    [planned] = (await call.state.manifests.apply(call.actor, manifest, dry_run)).planned
    if not isinstance(planned.entry, NamedWorkflow):
        raise TypeError("a workflow was not added")
    directory = await directory_of(call)
    absent = await call.state.workers.absent(template.plan, directory, call.state.clock.now())
    return AppliedOut(
        changed=planned.action != UNCHANGED or bool(agents),
        dry_run=dry_run,
        agents=agents,
        workflow=_shown(call, planned.entry, template.plan, directory),
        warnings=(*absent, *plan_warnings(template.plan, directory)),
    )


async def page(call: Call) -> WorkflowsResponse:
    """GET /v1/workflows"""
    directory = await directory_of(call)
    flows = list(directory.workflows.values())
    plans = await call.state.planner.plans_of(flows)
    return WorkflowsResponse(
        workflows=[_shown(call, flow, plan, directory) for flow, plan in zip(flows, plans, strict=True)]
    )


async def get(call: Call) -> WorkflowResponse:
    """GET /v1/workflows/{intent_type}"""
    directory = await directory_of(call)
    workflow = directory.workflows.get(call.params["intent_type"])
    if workflow is None:
        raise NotFound(
            "workflow_not_found", f"No workflow is active for {call.params['intent_type'][:128]!r}."
        )
    return WorkflowResponse(
        workflow=_shown(call, workflow, await call.state.planner.plan_of(workflow), directory)
    )


def _shown(call: Call, workflow: NamedWorkflow, plan: Plan, directory: Snapshot) -> WorkflowOut:
    """A workflow with its steps as they were compiled when it was applied, in any release. A program sees the
    steps, but not whom they ask.
    """
    out = workflow_out(workflow, plan, directory.display(workflow.applied_by))
    if call.actor.kind in PROGRAMS:
        out.source, out.applied_by = ABSENT, ABSENT
    return out
