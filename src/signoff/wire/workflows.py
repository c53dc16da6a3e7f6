"""Workflows."""

from datetime import datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, JsonObject, Object, Ok, OrEmpty, Strict, Text


class WorkflowRequest(Strict, kw_only=True):
    """A workflow as in its file."""

    workflow: str
    intent_type: str
    steps: list[Object]
    max_revisions: int = 5


class StepOut(Struct, kw_only=True):
    """A step of a workflow."""

    id: str
    kind: str


class WorkflowOut(Struct, kw_only=True):
    """A named, versioned template of a plan, chosen by intent type. strength: the highest assurance that one of its own
    steps requires; a named policy may require more. source, which names people, and applied_by: for people only.
    """

    name: str
    intent_type: str
    version: int
    strength: str
    steps: tuple[StepOut, ...]
    source: OrEmpty[JsonObject] = ABSENT
    applied_by: Text = ABSENT
    applied_at: datetime


class WorkflowAnswer(Ok, kw_only=True):
    """One workflow."""

    workflow: WorkflowOut


class AppliedOut(Ok, kw_only=True):
    """``changed`` is False if the same template was already active; warnings: what may block it, as text."""

    changed: bool
    dry_run: bool
    workflow: WorkflowOut
    warnings: tuple[str, ...]


class WorkflowsAnswer(Ok, kw_only=True):
    """The active workflow of each intent type."""

    workflows: list[WorkflowOut]
