"""Workflows: a file in the user's repository, applied. The same template applied twice changes nothing."""

from signoff.core.errors import NotFound
from signoff.core.workflow import compile_workflow
from signoff.engine.directory import Snapshot
from signoff.engine.planning import plan_summary
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
    body = strict.parse_object(call.body)
    template = compile_workflow(body.value)
    dry_run = call.flag("dry_run")
    source = strict.canonical(body.value, plain=body.plain)
    applied = await call.parts.registry.apply_workflow(call.actor, template, source, dry_run)
    book = await book_of(call)
    shown = workflow_out(
        applied.workflow, plan_summary(template.plan), book.display(applied.workflow.applied_by)
    )
    return AppliedOut(changed=applied.changed, dry_run=dry_run, workflow=shown)


async def page(call: Call) -> Workflows:
    """GET /v1/workflows"""
    book = await book_of(call)
    return Workflows(workflows=[_shown(workflow, book) for workflow in book.workflows.values()])


async def get(call: Call) -> WorkflowAnswer:
    """GET /v1/workflows/{intent_type}"""
    book = await book_of(call)
    workflow = book.workflows.get(call.params["intent_type"])
    if workflow is None:
        raise NotFound(
            "workflow_not_found", f"No workflow is in force for {call.params['intent_type'][:128]!r}."
        )
    return WorkflowAnswer(workflow=_shown(workflow, book))


def _shown(workflow: Workflow, book: Snapshot) -> WorkflowOut:
    """As it is shown: the steps from the source it was applied with."""
    plan = compile_workflow(strict.parse(workflow.source).value).plan
    return workflow_out(workflow, plan_summary(plan), book.display(workflow.applied_by))
