"""Workflows."""

from typing import Annotated

from msgspec import Struct

from signoff.wire.common import ABSENT, JsonObject, Object, Ok, OrEmpty, Strict, Text
from signoff.wire.fields import STRENGTHS, AppliedAt, DryRun, IntentType, StepKind, Warnings, about


class WorkflowRequest(Strict, kw_only=True):
    """A workflow as in its file."""

    workflow: Annotated[str, about("The workflow's name.", "migrate")]
    intent_type: IntentType
    steps: Annotated[
        list[Object],
        about(
            "The steps, as in the file.",
            [{"id": "approve", "human": {"title": "Migrate users?", "approvers": ["team:sre"]}}],
        ),
    ]
    max_revisions: Annotated[int, about("How often its requests may be revised.", 5)] = 5
    target: Annotated[
        str | list[str],
        about("Payload fields that say what a request is about, such as cluster.", ["cluster"]),
    ] = []


class StepOut(Struct, kw_only=True):
    """A step of a workflow."""

    id: Annotated[str, about("The step's id.", "approve")]
    kind: StepKind


class WorkflowOut(Struct, kw_only=True):
    """A named, versioned template of a plan, chosen by intent type. strength: the highest assurance that one of its
    own steps requires; a named policy may require more. source (which names people) and applied_by are shown only to
    people.
    """

    name: Annotated[str, about("The workflow's name.", "migrate")]
    intent_type: IntentType
    version: Annotated[int, about("The version of this name, from 1.", 3)]
    strength: Annotated[
        str, about("The strongest sign-in that one of its own steps requires.", "session", words=STRENGTHS)
    ]
    steps: Annotated[tuple[StepOut, ...], about("Its steps.")]
    source: Annotated[
        OrEmpty[JsonObject],
        about("The document as it was applied; shown only to people.", {"workflow": "migrate"}),
    ] = ABSENT
    applied_by: Annotated[Text, about("Who applied this version.", "Oscar Owner")] = ABSENT
    applied_at: AppliedAt


class WorkflowResponse(Ok, kw_only=True):
    """One workflow."""

    workflow: Annotated[WorkflowOut, about("The workflow.")]


class AppliedOut(Ok, kw_only=True):
    """An applied workflow. ``changed``: False if the same template was active and its agents registered;
    warnings: what may block it, as text.
    """

    changed: Annotated[bool, about("False if the same template was active and its agents registered.", True)]
    dry_run: DryRun
    workflow: Annotated[WorkflowOut, about("The workflow.")]
    agents: Annotated[
        list[str],
        about("The addresses of the agents that it registers.", ["agent://acme/prod/validator"]),
    ]
    warnings: Warnings


class WorkflowsResponse(Ok, kw_only=True):
    """The active workflow of each intent type."""

    workflows: Annotated[list[WorkflowOut], about("The workflows.")]
