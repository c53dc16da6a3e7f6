"""The commands on an intent, one class each. ``step_run`` 0 means the open step."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from signoff.core.intent.events import RerunStarted, Viewed
from signoff.core.intent.model import Failure, Requester
from signoff.core.plan.plan import DEFAULT_LEASE, Plan


class Submit(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """Create the intent ``id`` with a checked plan and start its first step. ``rerun``: for a rerun, the decision
    under which it starts at another step, valid until ``rerun_until``.
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
    rerun: RerunStarted | None = None
    rerun_until: datetime | None = None
    traceparent: str = ""


class Claim(msgspec.Struct, gc=False, frozen=True):
    """Claim the offered delivery under a lease."""

    holder: str
    lease: timedelta = DEFAULT_LEASE


class Renew(msgspec.Struct, gc=False, frozen=True):
    step_run: int
    token: int
    lease: timedelta = DEFAULT_LEASE


class Release(msgspec.Struct, gc=False, frozen=True):
    """Return a claimed delivery unstarted; this does not count as an attempt."""

    step_run: int
    token: int


class Recall(msgspec.Struct, gc=False, frozen=True):
    """Take the step back from its agent, which was killed: its attempt has failed."""

    agent: str
    step_run: int


class Report(msgspec.Struct, gc=False, frozen=True):
    """An agent's result (``fault`` None) or failure. Without a token only an unclaimed delivery can be reported."""

    step_run: int = 0
    token: int = 0
    result: dict[str, Any] = {}
    fault: Failure | None = None


class AcceptPush(msgspec.Struct, gc=False, frozen=True):
    """The push was accepted (2xx)."""

    step_run: int
    attempt: int


class FailPush(msgspec.Struct, gc=False, frozen=True):
    """The push was not accepted. ``retry_after``: how long the agent's server asked the server to wait."""

    step_run: int
    attempt: int
    reason: str
    retry_after: timedelta = timedelta(0)


class Answer(msgspec.Struct, gc=False, frozen=True):
    """One person's answer to one task, at one stage, of one revision.

    ``step_run`` (0: not given), ``stage`` (from 0), ``revision`` and ``digest`` name what was shown; None from
    clients that do not send them. ``number``: the number of the person's answer at this stage, if given.
    ``shown``: each (step run, stage, revision) of this intent that the person is known to have been shown. ``bulk``:
    how many tasks the person answers at once, 0 if only this one. ``viewed``: how the person saw the task.
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
    bulk: int = 0
    viewed: Viewed | None = None


class Delegate(msgspec.Struct, gc=False, frozen=True):
    """Delegate the actor's own vote to another person. ``to``: that person's id."""

    to: str
    step_run: int = 0
    comment: str = ""


class Reassign(msgspec.Struct, gc=False, frozen=True):
    """Ask other people at this stage (for admins). ``to``: approvers, as in a policy; ``keep``: whether the people
    asked so far stay pinned; ``stage``: the stage that was shown, None for the current one.
    """

    to: tuple[str, ...]
    step_run: int = 0
    comment: str = ""
    keep: bool = False
    stage: int | None = None


class MarkReviewing(msgspec.Struct, gc=False, frozen=True):
    """Mark the task as being reviewed (``free``: clear the mark). Others see it; nothing is locked."""

    step_run: int = 0
    free: bool = False


class Snooze(msgspec.Struct, gc=False, frozen=True):
    """Snooze the task for the caller: suppresses reminders until ``until``."""

    until: datetime
    step_run: int = 0


class Unsnooze(msgspec.Struct, gc=False, frozen=True):
    """Cancel a snooze."""

    step_run: int = 0


class AddComment(msgspec.Struct, gc=False, frozen=True):
    """Comment on the task without answering it."""

    comment: str
    step_run: int = 0


class Revise(msgspec.Struct, gc=False, frozen=True):
    """Change what is being decided (propose a change): earlier votes become void, and the editor joins the
    requester's side. ``payload``: canonical bytes, which also choose the policy if there are several. ``outcome``:
    approve the change at the same time, with this outcome and ``data``, if the policy allows it; the editor then does
    not join the requester's side. ``stage``: the one that was shown; ``same_fields``: whether only values differ;
    ``viewed``: how the person saw the task, for the record of the approval.
    """

    payload_digest: str
    step_run: int = 0
    comment: str = ""
    digest: str | None = None
    payload: bytes = b""
    outcome: str = ""
    data: dict[str, Any] = {}
    stage: int | None = None
    same_fields: bool = True
    active_people: dict[str, frozenset[str]] | None = None
    viewed: Viewed | None = None


class ReportUnreachable(msgspec.Struct, gc=False, frozen=True):
    """No recipient of the task at this stage could be reached. ``level``: the escalation level, 0 for the stage's own
    people; ``others_reached``: whether another person of this stage was reached.
    """

    step_run: int
    reason: str
    stage: int = 0
    level: int = 0
    others_reached: bool = False


class CheckStaffing(msgspec.Struct, gc=False, frozen=True):
    """Check whether enough eligible people are left for the task of this step run, after people, teams or roles have
    changed.
    """

    step_run: int


class ReportProgress(msgspec.Struct, gc=False, frozen=True):
    """Record that work continues (AXP's control resume while no task is open); this ends nothing."""

    reason: str = ""


class Resolve(msgspec.Struct, gc=False, frozen=True):
    """End the intent: COMPLETED with a result, or FAILED with ``fault``."""

    result: dict[str, Any] = {}
    fault: Failure | None = None


class Cancel(msgspec.Struct, gc=False, frozen=True):
    """Cancel the intent. ``step_run``: cancel it only while the task of this step run is open; 0 means in any state."""

    reason: str = "canceled"
    step_run: int = 0


class PatchControls(msgspec.Struct, gc=False, frozen=True):
    """Change the intent's AXP control or policy maps, if ``expected`` is still the current generation."""

    controls: dict[str, Any] = {}
    grants: dict[str, Any] = {}
    envelope: dict[str, Any] = {}
    expected: int | None = None


class Tick(msgspec.Struct, gc=False, frozen=True):
    """Apply everything that is due by now, once. ``asked``: whether anyone who may decide the open task was notified
    of its stage; without that its expiry approves nothing.
    """

    asked: bool = True


Command = (
    Submit
    | Claim
    | Renew
    | Release
    | Recall
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
