"""The history of one task so far: an open task's from its request's row, a closed one's by folding its events.

Pages, the API and messages all render this value.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

import msgspec
from msgspec import Struct

from signoff.core.intent import events as e
from signoff.core.intent.model import Task


class TaskHistory(Struct, kw_only=True):
    """The history of one task. ``votes``: the facts of each person's last vote; ``comments``: None if no events were
    read.
    """

    step_run: int
    step: str
    opened_at: datetime
    digest: str
    revision: int
    deadline_at: datetime | None
    stage: int = 0
    agreed: str = ""
    assigned: tuple[str, ...] = ()
    reviewed_by: str = ""
    reminded: int = 0
    escalated: int = 0
    votes: dict[str, e.Fact] = {}
    comments: tuple[e.Fact, ...] | None = None
    decided: e.Fact | None = None

    @classmethod
    def of_row(cls, task: Task) -> "TaskHistory":
        """The history of an open task that nobody has answered yet."""
        return cls(
            step_run=task.step_run,
            step=task.step,
            opened_at=task.opened_at,
            digest=task.digest,
            revision=task.revision,
            deadline_at=task.deadline_at,
            stage=task.stage,
            agreed=task.agreed,
            assigned=task.assigned,
            reviewed_by=task.reviewed_by,
            reminded=task.reminded,
            escalated=task.escalated,
        )


def task_history(
    facts: Iterable[e.Fact], step_run: int, begun: TaskHistory | None = None
) -> TaskHistory | None:
    """Return the history of a step run from the request's facts, continuing from ``begun``; None if the step run was
    not a task.
    """
    history = msgspec.structs.replace(begun) if begun else None
    votes = dict(begun.votes) if begun else {}
    comments = list(begun.comments or ()) if begun else []
    for fact in facts:
        event = fact.event
        if getattr(event, "step_run", 0) != step_run:
            continue
        match event:
            case e.TaskOpened():
                history = TaskHistory(
                    step_run=step_run,
                    step=event.step,
                    opened_at=fact.at,
                    digest=event.digest,
                    revision=event.revision,
                    deadline_at=event.deadline_at,
                    comments=(),
                )
                votes, comments = {}, []
            case e.Answered():
                votes[fact.actor.id] = fact
            case e.Commented():
                comments.append(fact)
            case _ if history is not None:
                _go_on(history, fact, votes)
    if history is not None:
        history.votes = votes
        history.comments = tuple(comments) if history.comments is not None else None
    return history


def _go_on(history: TaskHistory, fact: e.Fact, votes: dict[str, e.Fact]) -> None:
    """Apply the next event of an open task that is neither a vote nor a comment."""
    match fact.event:
        case e.Reminded(number=number):
            history.reminded = number
        case e.Escalated(level=level):
            history.escalated = level
        case e.StagePassed(stage=stage, outcome=agreed):
            history.stage, history.agreed, history.assigned, history.reviewed_by = stage, agreed, (), ""
            history.reminded = history.escalated = 0
        case e.Reassigned(to=to):
            history.assigned = to
        case e.ReviewMarked(person=person):
            history.reviewed_by = person
        case e.Revised(revision=revision, digest=digest):
            history.revision, history.digest = revision, digest
            votes.clear()
            history.assigned = () if history.stage else history.assigned
            history.stage, history.agreed, history.reviewed_by = 0, "", ""
            history.reminded = history.escalated = 0
        case e.Decided():
            history.decided = fact
        # These are not part of a task's history, or change nothing that it shows.
        case (
            e.Created() | e.Offered() | e.Claimed() | e.Renewed() | e.Released() | e.PushAccepted() | e.AttemptFailed()
            | e.Reported() | e.TaskOpened() | e.Answered() | e.Commented() | e.Delegated() | e.Snoozed() | e.Unsnoozed()
            | e.NobodyReached() | e.Understaffed() | e.DelayStarted() | e.DelayEnded() | e.Notified() | e.StepTimedOut()
            | e.ProgressReported() | e.ControlsPatched() | e.RerunStarted() | e.Completed() | e.Failed() | e.Canceled()
            | e.TimedOut()
        ):  # fmt: skip
            pass
        case unknown:
            assert_never(unknown)
