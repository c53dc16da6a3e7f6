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


def test_programs_see_their_own_and_people_see_their_workspace() -> None:
    story = Story(gate(validate(), approve()))
    assert [access.can_see(one, story.intent) for one in (SERVICE, AGENT, RITA, ANN, AUDITOR, SYSTEM)] == [
        True
    ] * 6
    assert [access.can_see(one, story.intent) for one in (OTHER_SERVICE, OTHER_AGENT, SAM)] == [False] * 3


def test_an_agent_sees_what_is_sent_to_it_or_is_to_be_answered_to_it() -> None:
    intent = Story(gate(approve())).intent
    assert not access.can_see(AGENT, intent)
    assert access.can_see(AGENT, replace(intent, to_agent=VALIDATOR))
    assert access.can_see(AGENT, replace(intent, reply_to=VALIDATOR))
    assert not access.can_see(OTHER_SERVICE, replace(intent, to_agent="")), "no address is nobody's address"


@pytest.mark.parametrize(
    "command", [c.Cancel(), c.Answer("approved"), c.Report(), c.Resolve(), c.PatchControls()]
)
def test_what_an_actor_may_not_see_is_not_there(command: c.Command) -> None:
    assert code(SAM, command, Story()) == "intent_not_found"
    assert not access.allowed(SAM, command, Story().intent)


# -- the server's own commands


@pytest.mark.parametrize(
    "command",
    [c.Tick(), c.AcceptPush(1, 1), c.FailPush(1, 1, "x"), c.ReportUnreachable(1, "x"), c.CheckStaffing(1)],
)
def test_what_time_and_delivery_bring_is_nobodys_to_ask_for(command: c.Command) -> None:
    assert {code(one, command, Story()) for one in (ADA, SERVICE, AGENT)} == {"system_only"}
    assert code(SYSTEM, command, Story()) == ""


# -- submitting, running again


def test_whoever_only_reads_does_not_submit() -> None:
    assert [code(one, SUBMIT, None) for one in (RITA, ANN, ADA, SERVICE, AGENT)] == [""] * 5
    assert [code(one, SUBMIT, None) for one in (AUDITOR, NOBODY)] == ["role_required"] * 2
    assert code(RITA, SUBMIT, Story()) == "not_allowed"


def test_only_the_requester_or_an_admin_runs_it_again() -> None:
    intent = Story().intent
    for actor in (SERVICE, RITA, ADA):
        access.may_rerun(actor, intent)
    assert refusal(lambda: access.may_rerun(ANN, intent)).code == "not_yours"
    assert refusal(lambda: access.may_rerun(AUDITOR, intent)).code == "role_required"
    assert refusal(lambda: access.may_rerun(OTHER_SERVICE, intent)).code == "intent_not_found"
    assert refusal(lambda: access.may_rerun(AGENT, intent)).code == "not_yours"


def test_only_the_requester_or_an_admin_uses_its_outcome_once_it_is_final() -> None:
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
def test_an_agents_work_is_its_own_or_an_admins_in_its_place(command: c.Command) -> None:
    story = Story(gate(validate(), approve()))
    assert code(AGENT, command, story) == ""
    assert code(ADA, command, story) == ""
    assert {code(one, command, story) for one in (ANN, RITA, SERVICE)} == {"agent_required"}


def test_an_agent_does_not_take_anothers_step_but_hears_of_one_that_is_over() -> None:
    other = OTHER_AGENT.address
    story = Story(gate(validate(), validate(id="second", agent=other), approve()))
    assert code(OTHER_AGENT, c.Report(), story) == "not_your_delivery"
    assert code(OTHER_AGENT, c.Report(step_run=1), story) == "not_your_delivery"
    assert code(OTHER_AGENT, c.Report(step_run=7), story) == ""
    story.validated()
    assert code(OTHER_AGENT, c.Report(), story) == ""


def test_who_sent_a_direct_request_may_do_it_and_takes_no_deliveries_by_that() -> None:
    direct, asks = Story(gate(validate(), direct=True)), Story(gate(validate(), approve()))
    assert [code(SERVICE, work, direct) for work in (c.Report(), c.ReportProgress())] == ["", ""]
    assert code(SERVICE, c.Claim("w"), direct) == "agent_required"
    assert code(RITA, c.Report(), direct) == "agent_required"
    assert code(SERVICE, c.Report(), asks) == "agent_required"


def test_deliveries_are_taken_by_their_agent_or_for_it() -> None:
    for actor in (AGENT, ADA, SYSTEM):
        access.require_delivery_access(actor, VALIDATOR)
    assert refusal(lambda: access.require_delivery_access(OTHER_AGENT, VALIDATOR)).code == "not_your_address"
    for actor in (ANN, SERVICE, RITA):
        assert (
            refusal(lambda actor=actor: access.require_delivery_access(actor, VALIDATOR)).code
            == "agent_required"
        )


# -- ending


def test_a_gate_is_not_declared_passed_from_outside() -> None:
    story = Story(gate(validate(), approve()))
    for actor in (SERVICE, ADA, AGENT):
        assert code(actor, c.Resolve(), story) == "gate_not_passed"
    assert code(SERVICE, c.Resolve(fault=Failure("x", "y")), story) == ""


def test_whoever_holds_a_request_that_asks_nobody_ends_it() -> None:
    story = Story(gate(validate(), direct=True))
    assert [code(one, c.Resolve(), story) for one in (SERVICE, RITA, ADA, AGENT)] == [""] * 4
    assert code(ANN, c.Resolve(), story) == "not_yours"


@pytest.mark.parametrize("command", [c.Cancel(), c.PatchControls()])
def test_the_requesters_side_and_admins_steer(command: c.Command) -> None:
    story = Story(gate(validate(), approve()))
    assert [code(one, command, story) for one in (SERVICE, RITA, ADA)] == [""] * 3
    assert [code(one, command, story) for one in (ANN, AGENT, AUDITOR)] == ["not_yours"] * 3


# -- answering


@pytest.mark.parametrize("program", [AGENT, SERVICE])
def test_a_program_answers_no_task(program: Actor) -> None:
    story = Story(gate(validate(), approve())).validated()
    assert code(program, c.Answer("approved"), story) == "person_required"
    holder = "an agent" if program is AGENT else "a service"
    assert holder in str(
        refusal(lambda: access.authorize_command(program, c.Answer("approved"), story.intent))
    )


def test_whoever_sees_it_may_ask_and_the_program_that_asked_may_reply() -> None:
    story = Story(gate(validate(), approve())).validated()
    assert [code(one, c.AddComment("?"), story) for one in (ANN, RITA, AUDITOR, SERVICE)] == [""] * 4
    assert code(AGENT, c.AddComment("?"), story) == "person_required"


def test_where_no_task_is_open_the_state_answers() -> None:
    assert code(ANN, c.Answer("approved"), Story()) == ""


def test_a_direct_request_is_ended_in_its_agents_place_by_admins_only() -> None:
    story = Story(gate(validate(), direct=True))
    assert code(ANN, c.Answer("approved"), story) == "admin_required"
    assert code(ADA, c.Answer("approved"), story) == ""


def test_whom_an_earlier_stage_asked_hears_that_it_is_complete() -> None:
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
def test_a_link_decides_nothing_where_a_sign_in_is_demanded(command: c.Command) -> None:
    story = review(strength=Strength.SESSION)
    assert code(by_link(ANN), command, story) == "stronger_sign_in_required"
    assert code(ANN, command, story) == ""


@pytest.mark.parametrize(
    "command",
    [c.Answer("rejected", **SEEN), c.MarkReviewing(), c.Snooze(START), c.Unsnooze(), c.AddComment("?")],
)
def test_a_no_and_what_decides_nothing_take_no_stronger_sign_in(command: c.Command) -> None:
    assert code(by_link(ANN), command, review(strength=Strength.SESSION)) == ""


def test_whoever_asks_others_shows_as_surely_who_they_are() -> None:
    story = asking(strength=Strength.SESSION)
    assert code(by_link(ADA), c.Reassign(("per_otto",)), story) == "stronger_sign_in_required"
    assert code(ADA, c.Reassign(("per_otto",)), story) == ""


def test_an_answer_to_what_was_not_seen_counts_as_a_links() -> None:
    assert code(ANN, c.Answer("approved"), asking(strength=Strength.SESSION)) == "stronger_sign_in_required"
    assert code(ANN, c.Answer("approved"), asking()) == ""


def test_a_form_that_says_no_is_a_no_whatever_its_outcome_is_called() -> None:
    story = asking(strength=Strength.SESSION, form={"properties": {"approved": {}}})
    assert code(by_link(ANN), c.Answer("approved", data={"approved": False}, **SEEN), story) == ""


def checked(result: dict[str, Any], **spec: Any) -> Story:
    story = Story(gate(validate(), approve(task=asking(**spec).plan.human_step("ask").task)))
    story.do(c.Report(result=result))
    return story


def test_a_risk_that_a_check_found_demands_more_and_never_less() -> None:
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


def test_what_a_task_answered_itself_demands_nothing_of_it() -> None:
    story = asking()
    intent = replace(story.intent, results={"ask": {"risk": "high"}})
    assert access.required_assurance(intent, story.task) is Strength.LINK
    assert (
        access.required_assurance(replace(intent, results={"other": {"risk": "high"}}), story.task)
        is Strength.SESSION
    )


def test_whether_a_command_would_pass_is_known_without_trying() -> None:
    story = Story(gate(), SERVICE)
    assert access.allowed(SERVICE, c.Cancel(), story.intent)
    assert not access.allowed(SAM, c.Cancel(), story.intent)
    assert access.may_cancel(SERVICE, story.intent)
    assert not access.may_cancel(SAM, story.intent)
    story.do(c.Cancel(), SERVICE)
    assert not access.may_cancel(SERVICE, story.intent)
