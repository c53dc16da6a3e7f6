"""Workflows: a file in the user's repository, applied. The same template applied twice changes nothing."""

from msgspec import UNSET

from signoff.core.access import PROGRAMS
from signoff.core.charter import Charter, WorkflowWish
from signoff.core.errors import NotFound
from signoff.core.plan import Plan
from signoff.core.workflow import compile_workflow
from signoff.engine.directory import Snapshot
from signoff.engine.draft import UNCHANGED
from signoff.store.entries import Workflow
from signoff.web import strict
from signoff.web.api.reading import book_of
from signoff.web.api.shapes.directory import (
    AppliedOut,
    WorkflowAnswer,
    WorkflowOut,
    Workflows,
    workflow_out,
)
from signoff.web.call import Call


async def apply(call: Call) -> AppliedOut:
    """POST /v1/workflows"""
    source = strict.parse_object(call.body).value
    template = compile_workflow(source)
    dry_run = call.flag("dry_run")
    charter = Charter(workflows=(WorkflowWish(template, source),))
    [planned] = await call.parts.registry.apply(call.actor, charter, dry_run)
    if not isinstance(planned.entry, Workflow):
        raise TypeError("a workflow was not taken up")
    book = await book_of(call)
    return AppliedOut(
        changed=planned.action != UNCHANGED, dry_run=dry_run, workflow=_shown(call, planned.entry, template.plan, book),
        warnings=await call.parts.workers.absent(template.plan, book, call.parts.clock.now()),
    )  # fmt: skip


async def page(call: Call) -> Workflows:
    """GET /v1/workflows"""
    book = await book_of(call)
    plan_of = call.parts.planner.plan_of
    return Workflows(
        workflows=[_shown(call, flow, await plan_of(flow), book) for flow in book.workflows.values()]
    )


async def get(call: Call) -> WorkflowAnswer:
    """GET /v1/workflows/{intent_type}"""
    book = await book_of(call)
    workflow = book.workflows.get(call.params["intent_type"])
    if workflow is None:
        raise NotFound(
            "workflow_not_found", f"No workflow is in force for {call.params['intent_type'][:128]!r}."
        )
    return WorkflowAnswer(workflow=_shown(call, workflow, await call.parts.planner.plan_of(workflow), book))


def _shown(call: Call, workflow: Workflow, plan: Plan, book: Snapshot) -> WorkflowOut:
    """As it is shown: the steps as they were compiled when it was applied, whatever a later release makes of them.
    A program sees which steps there are, not whom they ask.
    """
    out = workflow_out(workflow, plan, book.display(workflow.applied_by))
    if call.actor.kind in PROGRAMS:
        out.source, out.applied_by = UNSET, UNSET
    return out
