"""What may be asked of an intent: imperatives, one class each. ``step_run`` 0 means whatever step is open now."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from signoff.core.intent.events import RerunStarted
from signoff.core.intent.model import Requester, StepError
from signoff.core.plan.plan import DEFAULT_LEASE, Plan


class Submit(msgspec.Struct, frozen=True, kw_only=True):
    """Create the intent ``id`` with a checked plan and start its first step; ``carried``: the decision under which it
    starts at another, which may be used up to ``carried_until``.
    """

    id: str
    workspace: str
    type: str
    requester: Requester
    plan: Plan
    plan_digest: str
    payload_digest: str
    to_agent: str = ""
    reply_to: str = ""
    correlation_id: str = ""
    scenario_id: str = ""
    retry_of: str = ""
    deadline_at: datetime | None = None
    carried: RerunStarted | None = None
    carried_until: datetime | None = None


class Claim(msgspec.Struct, frozen=True):
    """Take the ready delivery under a lease."""

    holder: str
    lease: timedelta = DEFAULT_LEASE


class Renew(msgspec.Struct, frozen=True):
    step_run: int
    token: int
    lease: timedelta = DEFAULT_LEASE


class Release(msgspec.Struct, frozen=True):
    """Give a claimed delivery back unstarted: it does not count as an attempt."""

    step_run: int
    token: int


class Report(msgspec.Struct, frozen=True):
    """An agent's result (``fault`` None) or failure. Without a token only an unclaimed delivery can be reported."""

    step_run: int = 0
    token: int = 0
    result: dict[str, Any] = {}
    fault: StepError | None = None


class AcceptPush(msgspec.Struct, frozen=True):
    """The pushed delivery was taken (2xx)."""

    step_run: int
    attempt: int


class FailPush(msgspec.Struct, frozen=True):
    """The pushed delivery could not be handed over."""

    step_run: int
    attempt: int
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """One person's answer to one task, at one stage, of one revision.

    ``step_run`` (0: not said), ``stage`` (from 0), ``revision`` and ``digest`` name what was shown; None from clients
    that cannot say. ``number``: the how-manieth answer of this person at this stage it is, where the caller says so.
    ``shown``: each (visit, stage, revision) of this intent that the person is on record as having been shown.
    """

    outcome: str
    step_run: int = 0
    comment: str = ""
    data: dict[str, Any] = {}
    stage: int | None = None
    revision: int | None = None
    digest: str | None = None
    number: int | None = None
    shown: frozenset[tuple[int, int, int]] = frozenset()
    active_people: dict[str, frozenset[str]] | None = None


class Delegate(msgspec.Struct, frozen=True):
    """Hand one's own say in the task over to another person (``to``: a person's id)."""

    to: str
    step_run: int = 0
    comment: str = ""


class Reassign(msgspec.Struct, frozen=True):
    """Ask other people at this stage (an admin's act). ``to``: parties, as a policy names them; ``keep``: those who are
    asked already stay whom they were when it was asked.
    """

    to: tuple[str, ...]
    step_run: int = 0
    comment: str = ""
    keep: bool = False


class MarkReviewing(msgspec.Struct, frozen=True):
    """Say that one is looking at the task (``free``: that one is not any more). Others see it; nothing is locked."""

    step_run: int = 0
    free: bool = False


class Snooze(msgspec.Struct, frozen=True):
    """Put off one's own copy of the task: no reminder reaches one until then."""

    until: datetime
    step_run: int = 0


class Unsnooze(msgspec.Struct, frozen=True):
    """Take that back."""

    step_run: int = 0


class AddComment(msgspec.Struct, frozen=True):
    """Say something about the task without answering it."""

    comment: str
    step_run: int = 0


class Revise(msgspec.Struct, frozen=True):
    """Change what is being decided (approve-with-changes): earlier votes are void, the editor joins the requester.
    ``payload``: in canonical bytes; whoever has the policy chosen by it looks there.
    """

    payload_digest: str
    step_run: int = 0
    comment: str = ""
    digest: str | None = None
    payload: bytes = b""


class ReportUnreachable(msgspec.Struct, frozen=True):
    """Nobody who was to be told of the task at this stage could be reached. ``level``: the rung of the ladder that was
    to be told (0: the stage's own people); ``heard``: whether somebody else of this stage did hear of it.
    """

    step_run: int
    reason: str
    stage: int = 0
    level: int = 0
    heard: bool = False


class CheckStaffing(msgspec.Struct, frozen=True):
    """People, teams or roles have changed: whether enough people are left for the task (of this visit) is looked at."""

    step_run: int


class ReportProgress(msgspec.Struct, frozen=True):
    """AXP's control resume outside a human wait: note that work goes on, end nothing."""

    reason: str = ""


class Resolve(msgspec.Struct, frozen=True):
    """End the intent from outside: COMPLETED with a result, or FAILED with ``fault``."""

    result: dict[str, Any] = {}
    fault: StepError | None = None


class Cancel(msgspec.Struct, frozen=True):
    """End the intent. ``step_run``: of the task that is taken back, if it is still open; 0: wherever the intent is."""

    reason: str = "canceled"
    step_run: int = 0


class PatchControls(msgspec.Struct, frozen=True):
    """Change the intent's AXP control or policy maps, if ``expected`` is still the generation."""

    controls: dict[str, Any] = {}
    grants: dict[str, Any] = {}
    envelope: dict[str, Any] = {}
    expected: int | None = None


class Tick(msgspec.Struct, frozen=True):
    """Let time act: whatever is due by now happens, once."""


Command = (
    Submit
    | Claim
    | Renew
    | Release
    | Report
    | AcceptPush
    | FailPush
    | Answer
    | ReportProgress
    | Resolve
    | Cancel
    | PatchControls
    | Tick
    | Delegate
    | Reassign
    | MarkReviewing
    | Snooze
    | Unsnooze
    | AddComment
    | Revise
    | ReportUnreachable
    | CheckStaffing
)
