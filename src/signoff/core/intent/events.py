"""The events of an intent, one class each, and the record around them.

A ``Fact`` is an event with its position and its author. Its body is encoded once, and exactly these bytes are hashed
and stored. Personal text (comments) is kept in ``note``, apart from the body, which contains only its digest, so that
it can be erased without breaking the chain.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from signoff.core.directory.actors import ActorRef
from signoff.core.intent.model import Failure, Requester
from signoff.core.plan.task_types import Ending, Meaning

# The tags, and the names in ``field(name=...)``, are part of the bytes that are hashed and stored: changing one would
# break the hash chain of every history that contains it. So they stay, even where a class has been renamed:
#   delivered -> Offered, accepted -> PushAccepted, lapsed -> AttemptFailed, taken -> ReviewMarked, woken -> Unsnoozed,
#   remarked -> Commented, undelivered -> NobodyReached, delayed -> DelayStarted, elapsed -> DelayEnded,
#   progressed -> ProgressReported, patched -> ControlsPatched, carried -> RerunStarted;
#   visit -> step_run, sign -> meaning.
# Nor may the meaning of a tag change. A new field needs a default, so that facts without it still decode.


class Event(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, tag_field="type"):
    """Base of all events. An event that is not ``kept``, such as a lease renewal, changes the row but is not part of
    the history.
    """

    kept: ClassVar[bool] = True


class Created(Event, frozen=True, tag="created", kw_only=True):
    """``delegates``: the delegates of the people whom the plan asks; None if it asks no one, and in requests from
    before delegates were pinned. ``self_approval``: whether the workspace let the requester's side decide at that
    time; None if that was not pinned. ``traceparent``: the requester's trace (W3C Trace Context), "" if it has none.
    ``by_admin``: whether an owner or admin was on the requester's side at that time, if the plan asks anyone.
    """

    workspace: str
    intent_type: str
    requester: Requester
    payload_digest: str
    plan_digest: str
    to_agent: str = ""
    reply_to: str = ""
    correlation_id: str = ""
    scenario_id: str = ""
    retry_of: str = ""
    rerun_of: str = ""
    deadline_at: datetime | None = None
    delegates: dict[str, tuple[str, ...]] | None = msgspec.field(default=None, name="stand_ins")
    self_approval: bool | None = None
    traceparent: str = ""
    by_admin: bool = False


class Offered(Event, frozen=True, tag="delivered"):
    """An agent step became claimable: its first attempt, or the next one."""

    step_run: int = msgspec.field(name="visit")
    step: str
    agent: str
    attempt: int = 1
    deadline_at: datetime | None = None
    push: bool = False


class Claimed(Event, frozen=True, tag="claimed"):
    """A worker claimed the delivery until ``lease_until``. ``token``: the fencing token; ``holder``: the worker's name
    for itself.
    """

    step_run: int = msgspec.field(name="visit")
    attempt: int
    token: int
    holder: str
    lease_until: datetime


class Renewed(Event, frozen=True, tag="renewed"):
    """The lease was extended. Not kept: a worker renews so often that the history would consist of it."""

    kept: ClassVar[bool] = False
    lease_until: datetime


class Released(Event, frozen=True, tag="released"):
    """The worker returned the delivery without a result; another one can claim it. ``token``: that of the claim."""

    step_run: int = msgspec.field(name="visit")
    token: int


class PushAccepted(Event, frozen=True, tag="accepted"):
    """A push was accepted; ``lease_until``: by when the agent has to report progress."""

    step_run: int = msgspec.field(name="visit")
    attempt: int
    lease_until: datetime | None = None


class AttemptFailed(Event, frozen=True, tag="lapsed"):
    """A delivery attempt failed; ``retry_at`` is None for the last one."""

    step_run: int = msgspec.field(name="visit")
    attempt: int
    reason: str
    retry_at: datetime | None = None


class Reported(Event, frozen=True, tag="reported"):
    """The agent's result or failure. ``retry_at``: when the step will be retried; ``revision``: the revision of the
    request that the work was done for (0 in facts from before this field).
    """

    step_run: int = msgspec.field(name="visit")
    step: str
    result: dict[str, Any] = {}
    fault: Failure | None = None
    retry_at: datetime | None = None
    revision: int = 0


class TaskOpened(Event, frozen=True, tag="task_opened", kw_only=True):
    """A task opened, which pins eligibility. ``joined`` and ``left``: how the members of approver entries differ from
    the plan's; ``delegates``: the delegates, if they differ from those at submission.
    """

    step_run: int = msgspec.field(name="visit")
    step: str
    digest: str
    revision: int = 1
    title: str = ""
    deadline_at: datetime | None = None
    joined: dict[str, tuple[str, ...]] = {}
    left: dict[str, tuple[str, ...]] = {}
    delegates: dict[str, tuple[str, ...]] | None = msgspec.field(default=None, name="stand_ins")


class Reminded(Event, frozen=True, tag="reminded"):
    """A reminder is due. ``number``: counted from 1 at this stage."""

    step_run: int = msgspec.field(name="visit")
    number: int


class Escalated(Event, frozen=True, tag="escalated"):
    """The task reached an escalation level (counted from 1): the people of ``to`` are notified and may decide too."""

    step_run: int = msgspec.field(name="visit")
    level: int
    to: tuple[str, ...]


class Answered(Event, frozen=True, tag="answered", kw_only=True):
    """One vote. ``sent``: the outcome as the caller spelled it, if that differs. ``number``: the number of this
    person's answer at the stage (0 in facts from before answers were counted). ``behind``: the other people who have
    the key that was used. ``bulk``: how many tasks the person answered at once, 0 if only this one. ``edited``:
    whether they changed the request to this revision at the same time.
    """

    step_run: int = msgspec.field(name="visit")
    outcome: str
    meaning: Meaning = msgspec.field(name="sign")
    stage: int = 0
    sent: str = ""
    revision: int = 1
    digest: str = ""
    unseen: bool = False
    data: dict[str, Any] = {}
    principal: str = ""
    for_names: frozenset[str] = frozenset()
    number: int = 0
    behind: tuple[str, ...] = ()
    bulk: int = 0
    edited: bool = False


class StagePassed(Event, frozen=True, tag="stage_passed"):
    """A stage's quorum is complete. ``stage``: the next stage; ``outcome``: the outcome that the next stage is asked
    to confirm.
    """

    step_run: int = msgspec.field(name="visit")
    stage: int
    outcome: str = ""


class Delegated(Event, frozen=True, tag="delegated"):
    """``delegate`` casts the vote of ``delegator``. ``names``: the approver entries for which that vote counts."""

    step_run: int = msgspec.field(name="visit")
    delegator: str = msgspec.field(name="giver")
    delegate: str = msgspec.field(name="taker")
    names: frozenset[str] = frozenset()


class Reassigned(Event, frozen=True, tag="reassigned"):
    """Other people are asked. ``pinned_members``: the members of each team and role of ``to`` at that time;
    ``delegates``: their delegates; ``behind``: the admin who chose them, and the other people who have the key that was
    used.
    """

    step_run: int = msgspec.field(name="visit")
    to: tuple[str, ...]
    pinned_members: dict[str, tuple[str, ...]] = msgspec.field(default={}, name="roster")
    delegates: dict[str, tuple[str, ...]] = msgspec.field(default={}, name="stand_ins")
    behind: tuple[str, ...] = ()


class ReviewMarked(Event, frozen=True, tag="taken"):
    """The review mark was set or cleared. ``person``: who is reviewing the task, empty if it was cleared."""

    step_run: int = msgspec.field(name="visit")
    person: str = ""


class Snoozed(Event, frozen=True, tag="snoozed"):
    """The person gets no reminders until ``until``; deadline, escalation and other approvers are unaffected."""

    step_run: int = msgspec.field(name="visit")
    until: datetime


class Unsnoozed(Event, frozen=True, tag="woken"):
    """A snooze ended: its time ran out, or the person canceled it."""

    step_run: int = msgspec.field(name="visit")
    person: str


class Commented(Event, frozen=True, tag="remarked"):
    """Somebody commented; the text is in the note."""

    step_run: int = msgspec.field(name="visit")


class Revised(Event, frozen=True, tag="revised"):
    """What is decided was changed: it has a new revision and digest, and all earlier votes are void. ``behind``: the
    other people who have the key that was used. ``approved``: whether the editor approved it at the same time, as the
    policy allows, and does not join the requester's side. ``by_admin``: whether one of them was an owner or admin at
    that time.
    """

    step_run: int = msgspec.field(name="visit")
    revision: int
    payload_digest: str
    digest: str
    behind: tuple[str, ...] = ()
    approved: bool = False
    by_admin: bool = False


class NobodyReached(Event, frozen=True, tag="undelivered"):
    """None of the people to notify could be reached."""

    step_run: int = msgspec.field(name="visit")
    reason: str


class Understaffed(Event, frozen=True, tag="understaffed"):
    """A stage (counted from 0) needs more eligible people than remain: the task escalates immediately."""

    step_run: int = msgspec.field(name="visit")
    stage: int
    takes: int
    left: int


class Decided(Event, frozen=True, tag="decided"):
    """The task was closed: by votes, by time, or by withdrawal."""

    step_run: int = msgspec.field(name="visit")
    step: str
    outcome: str
    ending: Ending
    meaning: Meaning = msgspec.field(name="sign")


class DelayStarted(Event, frozen=True, tag="delayed"):
    """A delay step began; the next step starts at ``until``."""

    step_run: int = msgspec.field(name="visit")
    step: str
    until: datetime


class DelayEnded(Event, frozen=True, tag="elapsed"):
    """A delay step ended."""

    step_run: int = msgspec.field(name="visit")
    step: str


class Notified(Event, frozen=True, tag="notified"):
    """A notify step ran: the people of ``to`` get ``message``. Nothing waits for it to be delivered."""

    step_run: int = msgspec.field(name="visit")
    step: str
    to: tuple[str, ...] = ()
    message: str = ""


class StepTimedOut(Event, frozen=True, tag="step_timed_out"):
    """An agent step passed its deadline. ``after``: the deadline that the plan sets."""

    step_run: int = msgspec.field(name="visit")
    step: str
    after: timedelta | None = None


class ProgressReported(Event, frozen=True, tag="progressed"):
    """Work is in progress; ``lease_until``: until when a delivery that was accepted by push belongs to the agent."""

    reason: str = ""
    lease_until: datetime | None = None


class ControlsPatched(Event, frozen=True, tag="patched"):
    """The intent's AXP maps were changed: each entry replaces the one with its key. ``generation``: the new policy
    generation.
    """

    generation: int
    controls: dict[str, Any] = {}
    grants: dict[str, Any] = {}
    envelope: dict[str, Any] = {}


class RerunStarted(Event, frozen=True, tag="carried", kw_only=True):
    """The approval under which this intent repeats a step of another one. source: that intent; seq, step, visit,
    digest, outcome, decided_at: its decision; start: the step that failed; results, revision: the state at that time.
    """

    source: str
    seq: int
    step: str
    step_run: int = msgspec.field(name="visit")
    digest: str
    outcome: str
    decided_at: datetime
    start: str
    results: dict[str, Any] = {}
    revision: int = 1


class Completed(Event, frozen=True, tag="completed"):
    """The intent completed. ``result``: given only if it came from outside; otherwise it follows from the steps'
    results. ``ending``: how the last decision ended, None if no person was asked (and in facts of releases that did
    not write it).
    """

    result: dict[str, Any] | None = None
    ending: Ending | None = None


class Failed(Event, frozen=True, tag="failed"):
    """The intent failed. ``ending``: as in ``Completed``."""

    fault: Failure
    ending: Ending | None = None


class Canceled(Event, frozen=True, tag="canceled"):
    """The intent was canceled by its requester, its agent or an admin. ``ending``: as in ``Completed``."""

    reason: str = ""
    ending: Ending | None = None


class TimedOut(Event, frozen=True, tag="timed_out"):
    """The intent's own ``deadline_at`` has passed. ``ending``: as in ``Completed``."""

    ending: Ending | None = None


FINAL_EVENTS = (Completed, Failed, Canceled, TimedOut)
AnyEvent = (
    Created
    | Offered
    | Claimed
    | Renewed
    | Released
    | PushAccepted
    | AttemptFailed
    | Reported
    | TaskOpened
    | Reminded
    | Escalated
    | Answered
    | Decided
    | DelayStarted
    | DelayEnded
    | Notified
    | StepTimedOut
    | ProgressReported
    | ControlsPatched
    | Completed
    | Failed
    | Canceled
    | TimedOut
    | StagePassed
    | Delegated
    | Reassigned
    | ReviewMarked
    | Commented
    | Revised
    | NobodyReached
    | Understaffed
    | Snoozed
    | Unsnoozed
    | RerunStarted
)


class Viewed(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """How a person saw the task before their answer, as far as the server knows. ``first_at``, ``last_at``: when they
    opened it; ``channels``: where; ``folded``: whether they expanded the collapsed parts of its page: ``none`` if there
    were none, ``opened``, ``closed``, or "" if unknown.
    """

    first_at: datetime | None = None
    last_at: datetime | None = None
    channels: tuple[str, ...] = ()
    folded: str = ""


class Note(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The personal data of a fact: a comment ("" if there is none), and how the person saw the task. It is salted, so
    that its digest reveals nothing after it is erased.
    """

    comment: str
    salt: str
    viewed: Viewed | None = None


class Fact(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, kw_only=True):
    """An event with its position in the intent's history, its time, its author, and its channel."""

    intent: str
    seq: int
    at: datetime
    actor: ActorRef
    via: str
    event: AnyEvent
    note_digest: str = ""
    note: Note | None = None
