"""Who may do what with an intent; for someone who may not see it, it does not exist."""

from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.errors import Forbidden, NotFound
from signoff.core.intent import authorization as access
from signoff.core.intent import commands as c
from signoff.core.intent.model import Failure, Requester
from signoff.core.plan.task_types import Risk, Stage, Strength
from tests.builders import (
    ADA,
    AGENT,
    ANN,
    AUDITOR,
    OTHER_AGENT,
    RITA,
    SAM,
    SERVICE,
    START,
    SYSTEM,
    VALIDATOR,
    WORKSPACE,
    Story,
    approve,
    gate,
    person,
    validate,
)
from tests.core.asking import asking, refusal, review

OTHER_SERVICE = Actor(ActorKind.SERVICE, "sa_other", WORKSPACE, sponsors=("per_otto",))
NOBODY = person("nils")
SUBMIT = c.Submit(
    id="i",
    workspace=WORKSPACE,
    type="t",
    requester=Requester(ActorKind.SERVICE, "sa_ci"),
    plan=gate(),
    plan_digest="p",
    payload_digest="d",
)


def code(actor: Actor, command: c.Command, story: Story | None) -> str:
    """The refusal's code, or "" if the command is allowed."""
    intent = story.intent if story else None
    try:
        access.authorize_command(actor, command, intent)
    except (Forbidden, NotFound) as met:
        return met.code
    return ""


# -- seeing


def test_programs_see_their_own_intents_and_people_their_workspace() -> None:
    story = Story(gate(validate(), approve()))
    assert [access.can_see(one, story.intent) for one in (SERVICE, AGENT, RITA, ANN, AUDITOR, SYSTEM)] == [
        True
    ] * 6
    assert [access.can_see(one, story.intent) for one in (OTHER_SERVICE, OTHER_AGENT, SAM)] == [False] * 3


def test_agent_sees_intents_sent_to_it_or_answered_to_it() -> None:
    intent = Story(gate(approve())).intent
    assert not access.can_see(AGENT, intent)
    assert access.can_see(AGENT, replace(intent, to_agent=VALIDATOR))
    assert access.can_see(AGENT, replace(intent, reply_to=VALIDATOR))
    assert not access.can_see(OTHER_SERVICE, replace(intent, to_agent="")), "no address is nobody's address"


@pytest.mark.parametrize(
    "command", [c.Cancel(), c.Answer("approved"), c.Report(), c.Resolve(), c.PatchControls()]
)
def test_intent_that_an_actor_may_not_see_is_not_found(command: c.Command) -> None:
    assert code(SAM, command, Story()) == "intent_not_found"
    assert not access.allowed(SAM, command, Story().intent)


# -- the server's own commands


@pytest.mark.parametrize(
    "command",
    [c.Tick(), c.AcceptPush(1, 1), c.FailPush(1, 1, "x"), c.ReportUnreachable(1, "x"), c.CheckStaffing(1)],
)
def test_system_commands_are_refused_to_every_other_actor(command: c.Command) -> None:
    assert {code(one, command, Story()) for one in (ADA, SERVICE, AGENT)} == {"system_only"}
    assert code(SYSTEM, command, Story()) == ""


# -- submitting, running again


def test_read_only_actor_cannot_submit() -> None:
    assert [code(one, SUBMIT, None) for one in (RITA, ANN, ADA, SERVICE, AGENT)] == [""] * 5
    assert [code(one, SUBMIT, None) for one in (AUDITOR, NOBODY)] == ["role_required"] * 2
    assert code(RITA, SUBMIT, Story()) == "not_allowed"


def test_only_the_requester_or_an_admin_reruns_an_intent() -> None:
    intent = Story().intent
    for actor in (SERVICE, RITA, ADA):
        access.may_rerun(actor, intent)
    assert refusal(lambda: access.may_rerun(ANN, intent)).code == "not_yours"
    assert refusal(lambda: access.may_rerun(AUDITOR, intent)).code == "role_required"
    assert refusal(lambda: access.may_rerun(OTHER_SERVICE, intent)).code == "intent_not_found"
    assert refusal(lambda: access.may_rerun(AGENT, intent)).code == "not_yours"


def test_only_the_requester_or_an_admin_uses_the_outcome_of_a_final_intent() -> None:
    open_one, done = Story(), Story()
    done.do(c.Cancel(), SERVICE)
    for actor in (SERVICE, RITA, ADA):
        access.may_use(actor, done.intent)
        assert refusal(lambda actor=actor: access.may_use(actor, open_one.intent)).code == "not_final"
    assert refusal(lambda: access.may_use(ANN, done.intent)).code == "not_yours"
    assert refusal(lambda: access.may_use(AGENT, done.intent)).code == "not_yours"
    assert refusal(lambda: access.may_use(OTHER_SERVICE, done.intent)).code == "intent_not_found"


# -- an agent's work


@pytest.mark.parametrize(
    "command", [c.Claim("w"), c.Report(), c.ReportProgress(), c.Renew(1, 1), c.Release(1, 1)]
)
def test_agents_work_is_reported_by_the_agent_or_an_admin(command: c.Command) -> None:
    story = Story(gate(validate(), approve()))
    assert code(AGENT, command, story) == ""
    assert code(ADA, command, story) == ""
    assert {code(one, command, story) for one in (ANN, RITA, SERVICE)} == {"agent_required"}


def test_report_on_another_agents_step_is_refused() -> None:
    other = OTHER_AGENT.address
    story = Story(gate(validate(), validate(id="second", agent=other), approve()))
    assert code(OTHER_AGENT, c.Report(), story) == "not_your_delivery"
    assert code(OTHER_AGENT, c.Report(step_run=1), story) == "not_your_delivery"
    assert code(OTHER_AGENT, c.Report(step_run=7), story) == ""
    story.validated()
    assert code(OTHER_AGENT, c.Report(), story) == ""


def test_sender_of_a_direct_request_may_report_it_but_not_claim_it() -> None:
    direct, asks = Story(gate(validate(), direct=True)), Story(gate(validate(), approve()))
    assert [code(SERVICE, work, direct) for work in (c.Report(), c.ReportProgress())] == ["", ""]
    assert code(SERVICE, c.Claim("w"), direct) == "agent_required"
    assert code(RITA, c.Report(), direct) == "agent_required"
    assert code(SERVICE, c.Report(), asks) == "agent_required"


def test_deliveries_are_claimed_by_their_agent_or_on_its_behalf() -> None:
    for actor in (AGENT, ADA, SYSTEM):
        access.require_delivery_access(actor, VALIDATOR)
    assert refusal(lambda: access.require_delivery_access(OTHER_AGENT, VALIDATOR)).code == "not_your_address"
    for actor in (ANN, SERVICE, RITA):
        assert (
            refusal(lambda actor=actor: access.require_delivery_access(actor, VALIDATOR)).code
            == "agent_required"
        )


# -- ending


def test_task_is_not_resolved_as_approved_from_outside() -> None:
    story = Story(gate(validate(), approve()))
    for actor in (SERVICE, ADA, AGENT):
        assert code(actor, c.Resolve(), story) == "gate_not_passed"
    assert code(SERVICE, c.Resolve(fault=Failure("x", "y")), story) == ""


def test_request_without_a_task_is_resolved_by_requesters_side_agent_or_admin() -> None:
    story = Story(gate(validate(), direct=True))
    assert [code(one, c.Resolve(), story) for one in (SERVICE, RITA, ADA, AGENT)] == [""] * 4
    assert code(ANN, c.Resolve(), story) == "not_yours"


@pytest.mark.parametrize("command", [c.Cancel(), c.PatchControls()])
def test_requesters_side_and_admins_control_an_intent(command: c.Command) -> None:
    story = Story(gate(validate(), approve()))
    assert [code(one, command, story) for one in (SERVICE, RITA, ADA)] == [""] * 3
    assert [code(one, command, story) for one in (ANN, AGENT, AUDITOR)] == ["not_yours"] * 3


# -- answering


@pytest.mark.parametrize("program", [AGENT, SERVICE])
def test_program_cannot_answer_a_task(program: Actor) -> None:
    story = Story(gate(validate(), approve())).validated()
    assert code(program, c.Answer("approved"), story) == "person_required"
    holder = "an agent" if program is AGENT else "a service"
    assert holder in str(
        refusal(lambda: access.authorize_command(program, c.Answer("approved"), story.intent))
    )


def test_people_who_see_an_intent_may_comment_and_its_program_may_reply() -> None:
    story = Story(gate(validate(), approve())).validated()
    assert [code(one, c.AddComment("?"), story) for one in (ANN, RITA, AUDITOR, SERVICE)] == [""] * 4
    assert code(AGENT, c.AddComment("?"), story) == "person_required"


def test_answer_without_an_open_task_is_left_to_the_state_table() -> None:
    assert code(ANN, c.Answer("approved"), Story()) == ""


def test_only_admins_resolve_a_direct_request_for_its_agent() -> None:
    story = Story(gate(validate(), direct=True))
    assert code(ANN, c.Answer("approved"), story) == "admin_required"
    assert code(ADA, c.Answer("approved"), story) == ""


def test_approver_of_a_passed_stage_is_told_that_it_is_complete() -> None:
    story = asking(Stage(("per_ann",)), Stage(("per_otto",)))
    story.do(c.Answer("approved"), ANN)
    late = refusal(
        lambda: access.authorize_command(ANN, c.Answer("approved", step_run=1, stage=0), story.intent)
    )
    assert late.code == "stale_stage"
    assert refusal(
        lambda: access.authorize_command(ANN, c.Answer("approved", step_run=1, stage=1), story.intent)
    ).code == ("not_an_approver")
    assert (
        refusal(lambda: access.authorize_command(ANN, c.Answer("approved", stage=0), story.intent)).code
        == "not_an_approver"
    )
    assert (
        refusal(lambda: access.authorize_command(ANN, c.MarkReviewing(step_run=1), story.intent)).code
        == "not_an_approver"
    )


# -- how surely it is known who decides


def by_link(actor: Actor) -> Actor:
    return replace(actor, strength=Strength.LINK)


SEEN = {"digest": "0" * 64}


@pytest.mark.parametrize(
    "command",
    [c.Answer("approved", **SEEN), c.Delegate("per_otto"), c.Revise("e" * 64), c.Answer("nonsense", **SEEN)],
)
def test_link_decides_nothing_where_a_session_is_required(command: c.Command) -> None:
    story = review(strength=Strength.SESSION)
    assert code(by_link(ANN), command, story) == "stronger_sign_in_required"
    assert code(ANN, command, story) == ""


@pytest.mark.parametrize(
    "command",
    [c.Answer("rejected", **SEEN), c.MarkReviewing(), c.Snooze(START), c.Unsnooze(), c.AddComment("?")],
)
def test_rejection_and_comments_require_no_stronger_sign_in(command: c.Command) -> None:
    assert code(by_link(ANN), command, review(strength=Strength.SESSION)) == ""


def test_reassigning_requires_the_assurance_of_the_policy() -> None:
    story = asking(strength=Strength.SESSION)
    assert code(by_link(ADA), c.Reassign(("per_otto",)), story) == "stronger_sign_in_required"
    assert code(ADA, c.Reassign(("per_otto",)), story) == ""


def test_answer_to_an_unseen_task_counts_as_given_by_link() -> None:
    assert code(ANN, c.Answer("approved"), asking(strength=Strength.SESSION)) == "stronger_sign_in_required"
    assert code(ANN, c.Answer("approved"), asking()) == ""


def test_form_that_rejects_requires_no_stronger_sign_in() -> None:
    story = asking(strength=Strength.SESSION, form={"properties": {"approved": {}}})
    assert code(by_link(ANN), c.Answer("approved", data={"approved": False}, **SEEN), story) == ""


def checked(result: dict[str, Any], **spec: Any) -> Story:
    story = Story(gate(validate(), approve(task=asking(**spec).plan.human_step("ask").task)))
    story.do(c.Report(result=result))
    return story


def test_risk_found_by_a_check_can_only_raise_the_required_assurance() -> None:
    found, calm = checked({"risk": "high"}), checked({"risk": "low"}, strength=Strength.SESSION)
    assert access.required_assurance(found.intent, found.task) is Strength.SESSION
    assert access.required_assurance(calm.intent, calm.task) is Strength.SESSION
    plain = checked({})
    assert access.required_assurance(plain.intent, plain.task) is Strength.LINK
    assert access.meets_assurance(by_link(ANN), plain.intent, plain.task)
    assert not access.meets_assurance(by_link(ANN), found.intent, found.task)
    assert access.meets_assurance(replace(ANN, strength=Strength.STEP_UP), found.intent, found.task)
    critical = asking(risk=Risk.CRITICAL)
    assert access.required_assurance(critical.intent, critical.task) is Strength.SESSION


def test_answer_of_the_task_itself_does_not_raise_its_assurance() -> None:
    story = asking()
    intent = replace(story.intent, results={"ask": {"risk": "high"}})
    assert access.required_assurance(intent, story.task) is Strength.LINK
    assert (
        access.required_assurance(replace(intent, results={"other": {"risk": "high"}}), story.task)
        is Strength.SESSION
    )


def test_allowed_predicts_whether_a_command_passes() -> None:
    story = Story(gate(), SERVICE)
    assert access.allowed(SERVICE, c.Cancel(), story.intent)
    assert not access.allowed(SAM, c.Cancel(), story.intent)
    assert access.may_cancel(SERVICE, story.intent)
    assert not access.may_cancel(SAM, story.intent)
    story.do(c.Cancel(), SERVICE)
    assert not access.may_cancel(SERVICE, story.intent)
