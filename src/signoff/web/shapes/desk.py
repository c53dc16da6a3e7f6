"""What a task will lead to, on the wire: who may decide, what each stage takes, every contact to come; and the bodies
of what people do with a task beside answering it.
"""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import UNSET, Meta, Struct, UnsetType

from signoff.core.intent.assurance import checked, demanded, worst_risk
from signoff.core.intent.conclusion import stays
from signoff.core.plan.task_types import Strength
from signoff.core.plan.wording import NO_MAIL, PROOFS
from signoff.engine.directory.contact_schedule import Explanation, Foretold, Reach
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.shapes.common import JsonObject, Ok, Text, maybe
from signoff.web.shapes.people import email_of
from signoff.web.shapes.requests import Comment, Object, Strict
from signoff.web.shapes.tasks import on_expiry


class Hand(Strict, kw_only=True):
    """To whom: a person's address or id."""

    to: str
    comment: Comment = ""


class Reask(Strict, kw_only=True):
    """Whom to ask instead: people, teams, roles."""

    to: Annotated[list[str], Meta(min_length=1, max_length=50)]
    comment: Comment = ""


class Sleep(Strict, kw_only=True, rename={"lasts": "for"}):
    """Until when: a moment (RFC 3339), or ``for`` how long: seconds, or text such as 90m, 2h, 1d."""

    until: datetime | None = None
    lasts: str | int | float | None = None


class Bare(Strict, kw_only=True):
    """Nothing to say: words would stand nowhere, so they are refused."""


class Say(Strict, kw_only=True):
    """Words about the task."""

    comment: Comment = ""


class Revision(Strict, kw_only=True):
    """What to decide instead. ``digest``: of what was shown; a mismatch is a 409."""

    payload: Object
    comment: Comment = ""
    digest: str | None = None


class PayloadOut(Struct, kw_only=True):
    """A payload, and the last revision that it was decided on under."""

    revision: int
    payload: JsonObject


class Revisions(Ok, kw_only=True):
    """Every payload that the intent has had, oldest first; the last is the present one. ``payload_deleted``: they are
    not there any more.
    """

    intent_id: str
    payload_deleted: bool | UnsetType = UNSET
    revisions: list[PayloadOut]


class DeciderOut(Struct, kw_only=True):
    """Somebody who may decide now, and why."""

    person: str
    name: str
    instead_of: Text = UNSET
    why: str
    voted: Text = UNSET


class StageOut(Struct, kw_only=True):
    """A stage. state: done, open or next; ``every``: one person of each of ``of``, else ``need`` of any of them."""

    number: int
    state: str
    of: tuple[str, ...]
    every: bool
    need: int
    missing: int
    reject_after: int


class ContactOut(Struct, kw_only=True):
    """A contact to come: at what moment (``local``: in ``zone``), and whom it will reach as things stand. kind: opening
    (for whom it waits until their working hours begin), reminder, escalation, deadline.
    """

    kind: str
    number: int
    at: datetime
    local: str
    zone: str
    to: tuple[str, ...]
    people: list[str]


class ExplainOut(Ok, kw_only=True):
    """What a task will lead to if nobody answers, and who can."""

    policy: Text = UNSET
    because: Text = UNSET
    task_id: Text = UNSET
    opened_at: datetime
    due_at: datetime | UnsetType = UNSET
    strength: str
    proof: str
    risk: str
    self_approval: bool
    may_decide: list[DeciderOut]
    requesters_side: list[str]
    asked: list[str]
    stages: list[StageOut]
    contacts: list[ContactOut]
    on_expiry: str


def explain_out(made: Explanation, book: Snapshot, mails: bool, task_id: str = "") -> ExplainOut:
    """``mails``: whether the server can mail sign-in links."""
    allowed = book.workspace.self_approval if made.spec.self_approval is None else made.spec.self_approval
    results = checked(made.intent, made.task.step)
    strength = demanded(made.spec.strength, made.spec.risk, results.all)
    return ExplainOut(
        policy=maybe(made.spec.policy),
        because=maybe(made.spec.because),
        task_id=maybe(task_id),
        opened_at=made.task.opened_at,
        due_at=made.task.deadline_at or UNSET,
        strength=strength.value,
        proof=PROOFS[strength] + ("" if mails or strength is Strength.LINK else f". {NO_MAIL}"),
        risk=worst_risk(made.spec.risk, results.current)[0].value,
        self_approval=allowed,
        may_decide=[_decider(reach, book) for reach in made.may_decide],
        requesters_side=[email_of(book, person) for person in made.barred],
        asked=[email_of(book, person) for person in made.asked],
        stages=[
            StageOut(
                number=view.number, state=view.state, of=view.stage.approvers, every=view.stage.every, need=view.needed,
                missing=view.missing, reject_after=view.stage.reject_after,
            )
            for view in made.stages
        ],
        contacts=[_contact(foretold, made, book) for foretold in made.contacts],
        on_expiry=on_expiry(
            made.step, made.task.deadline_at, made.intent.deadline_at, stays(made.intent, made.step) is not None
        ),
    )  # fmt: skip


def _decider(reach: Reach, book: Snapshot) -> DeciderOut:
    return DeciderOut(
        person=email_of(book, reach.person),
        name=book.display(reach.person),
        instead_of=maybe(email_of(book, reach.instead_of) if reach.instead_of else ""),
        why=reach.why,
        voted=maybe(reach.voted),
    )


def _contact(foretold: Foretold, made: Explanation, book: Snapshot) -> ContactOut:
    contact, zone = foretold.contact, foretold.zone or made.zone
    return ContactOut(
        kind=contact.kind.value,
        number=contact.number,
        at=contact.at,
        local=f"{contact.at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M %Z}",
        zone=zone,
        to=contact.to,
        people=[email_of(book, person) for person in foretold.people],
    )
