"""The explanation of a task on the wire: who may decide, what each stage requires, every scheduled contact."""

from zoneinfo import ZoneInfo

from signoff.core.intent.answering_rights import lets_requesters_decide
from signoff.core.intent.checks import checked, with_check_results, worst_risk
from signoff.core.plan.task_types import Strength
from signoff.core.plan.wording import NO_MAIL, PROOFS
from signoff.engine.directory.contact_schedule import ContactSchedule, EligiblePerson, ExpectedContact
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.shapes.common import maybe
from signoff.web.shapes.people import email_of
from signoff.web.shapes.tasks import on_expiry
from signoff.wire.common import ABSENT
from signoff.wire.tasks import ContactOut, DeciderOut, ExplainOut, StageOut


def explain_out(made: ContactSchedule, directory: Snapshot, mails: bool, task_id: str = "") -> ExplainOut:
    """The explanation of a task. ``mails``: whether the server can e-mail sign-in links."""
    allowed = lets_requesters_decide(made.spec, made.intent, directory.workspace.self_approval)
    results = checked(made.intent, made.task.step)
    strength = with_check_results(made.spec.strength, made.spec.risk, results.all)
    return ExplainOut(
        policy=maybe(made.spec.policy),
        because=maybe(made.spec.because),
        task_id=maybe(task_id),
        opened_at=made.task.opened_at,
        due_at=made.task.deadline_at or ABSENT,
        strength=strength.value,
        proof=PROOFS[strength] + ("" if mails or strength is Strength.LINK else f". {NO_MAIL}"),
        risk=worst_risk(made.spec.risk, results.current)[0].value,
        self_approval=allowed,
        may_decide=[_decider(reach, directory) for reach in made.may_decide],
        requesters_side=[email_of(directory, person) for person in made.barred],
        asked=[email_of(directory, person) for person in made.asked],
        stages=[
            StageOut(
                number=view.number,
                state=view.state,
                of=view.stage.approvers,
                every=view.stage.every,
                need=view.needed,
                missing=view.missing,
                reject_after=view.stage.reject_after,
            )
            for view in made.stages
        ],
        contacts=[_contact(expected, made, directory) for expected in made.contacts],
        on_expiry=on_expiry(made.intent, made.step, made.task.deadline_at),
    )


def _decider(reach: EligiblePerson, directory: Snapshot) -> DeciderOut:
    return DeciderOut(
        person=email_of(directory, reach.person),
        name=directory.display(reach.person),
        instead_of=maybe(email_of(directory, reach.instead_of) if reach.instead_of else ""),
        why=reach.why,
        voted=maybe(reach.voted),
    )


def _contact(expected: ExpectedContact, made: ContactSchedule, directory: Snapshot) -> ContactOut:
    contact, zone = expected.contact, expected.zone or made.zone
    return ContactOut(
        kind=contact.kind.value,
        number=contact.number,
        at=contact.at,
        local=f"{contact.at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M %Z}",
        zone=zone,
        to=contact.to,
        people=[email_of(directory, person) for person in expected.people],
    )
