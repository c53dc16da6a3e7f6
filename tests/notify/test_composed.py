"""What a message offers and shows: its answers, how much of the request, and a count of what it omits."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.model import Person, Team, Workspace
from signoff.core.directory.rotation import Rotation
from signoff.core.intent import commands as c
from signoff.core.intent.events import Fact
from signoff.core.intent.notifications import Notification, NotificationKind
from signoff.core.plan.lookahead import After, UpcomingStep
from signoff.core.plan.plan import AgentStep
from signoff.core.plan.task_types import Meaning, Outcome, Risk, Stage, Strength, TaskType
from signoff.engine.delivery.compose import MessageComposer, choices
from signoff.engine.delivery.payload_excerpt import cut, render_payload
from signoff.engine.directory.snapshot import Snapshot
from signoff.notify.personal_message import PersonalMessage
from signoff.store.transaction import OutboxKind, OutboxRow, Stored
from tests.builders import ANN, OTTO, START, VALIDATOR, WORKSPACE, Story, gate, validate
from tests.core.asking import asking, review, step

HOUR = timedelta(hours=1)
NAMES = ("ann", "otto", "rita", "emma")


def offered(story: Story, **spec: Any) -> list[str]:
    step = story.plan.human_step(story.task.step)
    return [one.outcome for one in choices(story.intent, story.task, replace(step.task, **spec))]


# -- answers


@pytest.mark.parametrize(
    ("spec", "buttons"),
    [
        ({}, ["approved", "rejected"]),
        ({"risk": Risk.LOW}, ["approved", "rejected"]),
        ({"risk": Risk.MEDIUM}, ["approved", "rejected"]),
        ({"risk": Risk.HIGH}, []),
        ({"risk": Risk.CRITICAL}, []),
        ({"comment_required": True}, []),
        ({"evidence_required": True}, []),
        ({"form": {"properties": {}}}, []),
        ({"strength": Strength.SESSION}, []),
        ({"type": TaskType.MANUAL_ACTION}, []),
        ({"outcomes": ("approved", "completed")}, []),
    ],
)
def test_message_offers_outcomes_that_need_one_click_and_a_link(
    spec: dict[str, Any], buttons: list[str]
) -> None:
    assert offered(asking(), **spec) == buttons


def test_request_for_changes_is_given_on_the_page_only() -> None:
    assert offered(review()) == []
    own = (Outcome("go", Meaning.APPROVES), Outcome("stop", Meaning.REJECTS))
    wish = Outcome("change it", Meaning.REQUESTS_CHANGES)
    assert offered(asking(outcomes=("go", "stop"), own=own)) == ["go", "stop"]
    assert offered(asking(outcomes=("go", "stop", "change it"), own=(*own, wish))) == []


@pytest.mark.parametrize(
    ("report", "buttons"), [({"risk": "high"}, 0), ({"risk": "medium"}, 2), ({"passed": False}, 2)]
)
def test_risk_reported_by_a_check_removes_buttons(report: dict[str, Any], buttons: int) -> None:
    story = Story(gate(validate(), step()))
    story.do(c.Report(result=report))
    assert len(offered(story)) == buttons


def test_failed_check_makes_the_approval_grave_and_earlier_form_fields_do_not() -> None:
    form = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    for passed, data in ((True, {"ok": False}), (False, {"ok": True})):
        story = Story(gate(validate(), step(name="survey", form=form), step()))
        story.do(c.Report(result={"passed": passed}))
        story.do(c.Answer("approved", data=data), ANN)
        found = choices(story.intent, story.task, story.plan.human_step(story.task.step).task)
        assert [one.grave for one in found] == [not passed] * 2


def test_risk_in_an_answer_to_the_task_itself_does_not_count() -> None:
    story = asking()
    story.intent = replace(story.intent, results={story.task.step: {"risk": "critical"}})
    assert offered(story) == ["approved", "rejected"]


def test_later_stage_offers_the_agreed_outcome_and_marks_rejections() -> None:
    own = (
        Outcome("canary", Meaning.APPROVES),
        Outcome("full", Meaning.APPROVES),
        Outcome("stop", Meaning.REJECTS),
    )
    story = asking(Stage(), Stage(), outcomes=("canary", "full", "stop"), own=own)
    assert offered(story) == ["canary", "full", "stop"]
    story.do(c.Answer("full"), ANN)
    found = choices(story.intent, story.task, story.plan.human_step(story.task.step).task)
    assert [(one.outcome, one.danger, one.number) for one in found] == [("full", False, 1), ("stop", True, 2)]


# -- how much is shown


def shown(payload: Any, results: Any = None, coming: tuple[UpcomingStep, ...] = ()) -> Any:
    return render_payload(json.dumps(payload).encode(), results or {}, coming)


def coming_with(given: dict[str, Any]) -> tuple[UpcomingStep, ...]:
    return (UpcomingStep(AgentStep(id="run", agent=VALIDATOR, input=given), (After.YES,)),)


@pytest.mark.parametrize(
    ("length", "hidden"), [(400, 0), (401, 1)], ids=["as long as a value may be", "one longer"]
)
def test_long_value_is_cut_and_the_rest_is_counted(length: int, hidden: int) -> None:
    found = shown({"sql": "x" * length})
    assert (len(found.leaves[0].text), found.leaves[0].hidden, found.whole) == (400, hidden, not hidden)


def test_number_of_shown_values_is_limited_and_the_others_are_counted() -> None:
    assert (len(shown(dict.fromkeys(map(str, range(30)), 1)).leaves), shown({"a": 1}).rest) == (30, 0)
    found = shown(dict.fromkeys(map(str, range(31)), 1))
    assert (len(found.leaves), found.rest, found.whole) == (30, 1, False)


def test_later_sections_get_the_remaining_space_and_omissions_end_the_message() -> None:
    request = {str(number): 1 for number in range(20)}
    found = shown(request, {"check": {str(number): 1 for number in range(20)}}, coming_with({"mode": "fast"}))
    assert (len(found.leaves), len(found.given), len(found.reports), found.rest) == (20, 1, 9, 11)
    found = shown(dict.fromkeys(map(str, range(31)), 1), {"check": {"ok": 1}}, coming_with({"mode": "fast"}))
    assert (len(found.given), len(found.reports), found.rest) == (0, 0, 3)
    long = {str(number): "x" * 390 for number in range(6)}  # 6 * 391 = 2,346 of 2,400 characters
    found = shown(long, {"check": {"log": "y" * 100}})
    [report] = found.reports
    assert len(report.path) + len(report.text) == 2_400 - 2_346
    assert len(report.text) + report.hidden == 100


def test_name_that_does_not_fit_ends_the_shown_values() -> None:
    long = {str(number): "x" * 390 for number in range(6)}
    found = shown({**long, "n" * 60: "", "later": 1})
    assert ([leaf.path for leaf in found.leaves], found.rest) == (list(long), 2)
    after = shown({**long, "n" * 60: ""}, {"check": {"ok": 1}})
    assert (after.reports, after.rest) == ((), 2), "it would fit, but something before it is missing"


def test_message_with_a_masked_input_is_not_complete() -> None:
    assert shown({"a": 1}, coming=coming_with({"mode": "fast"})).whole
    found = shown({"a": 1}, coming=coming_with({"password": "hunter2"}))
    assert (found.secret, found.whole) == (True, False)
    assert "hunter2" not in repr(found)


def test_cut_text_says_how_much_is_left() -> None:
    assert cut("x" * 10, 10) == "x" * 10
    assert cut("x" * 11, 10) == "x" * 10 + " … [1 more characters on the page]"


# -- messages


def composed(
    story: Story,
    kind: NotificationKind,
    who: str = "per_ann",
    answers: tuple[Fact, ...] = (),
    old: dict[int, bytes] | None = None,
    payload: bytes = b"{}",
    teams: dict[str, Team] | None = None,
    **fields: Any,
) -> PersonalMessage:
    people = {
        f"per_{name}": Person(
            f"per_{name}", WORKSPACE, f"{name}@acme.example", name.title(), ("approver",), START
        )
        for name in NAMES
    }
    space = Workspace(WORKSPACE, "acme", "prod", False, START)
    directory = Snapshot(space, {}, {}, people, {}, teams or {})
    intent, task = story.intent, story.intent.open
    place = {name: getattr(task, name) for name in ("step", "step_run", "stage", "revision") if task}
    notification = Notification(
        kind=kind,
        intent=intent.id,
        workspace=WORKSPACE,
        seq=intent.seq,
        intent_type=intent.type,
        **{"at": story.now, "step": "ask", **place, **fields},
    )
    row = OutboxRow("row", WORKSPACE, intent.id, 1, OutboxKind.PERSON, "email", who, b"", story.now)
    stored = Stored(intent, payload)
    composer = MessageComposer(row, notification, stored, directory, "https://s.example", answers, old)
    return composer.compose(who, "x@acme.example", "https://s.example/t/x", (), story.now)


def answered(story: Story) -> tuple[Fact, ...]:
    return tuple(one.fact for one in story.facts if type(one.fact.event).__name__ == "Answered")


def fact(message: PersonalMessage, label: str) -> list[str]:
    return [value for name, value in message.facts if name == label]


def test_question_with_a_text_too_long_to_show_has_no_buttons() -> None:
    story = asking(title="T", description="d" * 998)
    assert composed(story, NotificationKind.TASK_OPENED).choices
    longer = asking(title="T", description="d" * 999)
    assert composed(longer, NotificationKind.TASK_OPENED).choices == ()


def test_remaining_time_is_shown_until_the_deadline() -> None:
    story = asking(deadline=HOUR)
    assert fact(composed(story, NotificationKind.TASK_OPENED), "Answer by") == [
        "Mon 02 Mar 2026, 10:00 UTC, 1h left"
    ]
    story.now += HOUR
    assert fact(composed(story, NotificationKind.TASK_OPENED), "Answer by") == ["Mon 02 Mar 2026, 10:00 UTC"]


def test_revision_is_compared_with_the_first_kept_one_and_lists_a_limited_number() -> None:
    story = asking()
    assert fact(composed(story, NotificationKind.TASK_OPENED), "Revision") == []
    story.do(c.Revise("e" * 64), OTTO)
    assert fact(composed(story, NotificationKind.TASK_OPENED), "Revision") == ["2; earlier answers are void"]
    story.do(c.Revise("f" * 64), ANN)
    now = {str(number): 2 for number in range(9)}
    old = {1: json.dumps(dict.fromkeys(now, 1)).encode(), 2: json.dumps({**now, "0": 3}).encode()}
    asked = composed(story, NotificationKind.TASK_OPENED, old=old, payload=json.dumps(now).encode())
    assert fact(asked, "Revision") == ["3; earlier answers are void"]
    [changes] = fact(asked, "Changed since revision 1")
    assert changes.endswith("; and 1 more")
    assert changes.count(";") == 8
    eight = dict.fromkeys(list(now)[:8], 1)
    asked = composed(
        story,
        NotificationKind.TASK_OPENED,
        old={1: json.dumps(eight).encode()},
        payload=json.dumps(dict.fromkeys(eight, 2)).encode(),
    )
    assert "more" not in fact(asked, "Changed since revision 1")[0]


def test_only_the_readers_own_answer_is_reported_as_void() -> None:
    story = asking(Stage(need=3))
    story.do(c.Answer("approved"), ANN)
    votes = answered(story)
    story.do(c.Revise("e" * 64), OTTO)
    fields: dict[str, Any] = {"answers": votes, "voided": ("per_ann",)}
    own = composed(story, NotificationKind.REVISED, "per_ann", **fields)
    assert fact(own, "Your answer") == ["approved (void: it was for revision 1)"]
    assert own.headline == "Changed after you answered: a new decision is needed"
    other = composed(story, NotificationKind.REVISED, "per_otto", **fields)
    assert (fact(other, "Your answer"), other.headline) == ([], "Changed: a new decision is needed")
    for who, headline in (
        ("per_ann", "Changed after you answered"),
        ("per_rita", "Your request was changed"),
    ):
        assert composed(story, NotificationKind.CHANGED, who, **fields).headline == headline


def test_comment_headline_says_why_the_reader_is_notified() -> None:
    story = asking(Stage(need=2))
    for who, said in (("per_rita", "your request"), ("per_emma", "a task that you commented on")):
        message = composed(story, NotificationKind.COMMENTED, who, by="per_ann", via="web")
        assert message.headline == f"A comment on {said}"


def test_comments_and_texts_are_masked_in_every_message() -> None:
    secret = "see postgres://app:hunter2@db/x"
    story = asking(Stage(need=2), title=secret, description=secret)
    story.do(c.AddComment(secret), OTTO)
    said = composed(story, NotificationKind.COMMENTED, "per_rita", (story.facts[-1].fact,), by="per_otto")
    story.do(c.Answer("rejected", comment=secret), ANN)
    end = composed(
        story,
        NotificationKind.DECIDED,
        "per_otto",
        answered(story),
        by="per_ann",
        ending="rejected",
        outcome="rejected",
    )
    texts = (
        composed(asking(title=secret), NotificationKind.TASK_OPENED),
        said,
        end,
        composed(story, NotificationKind.MESSAGE, text=secret),
    )
    for message in texts:
        assert "postgres://app:" in message.quoted
        assert "hunter2" not in repr(message)


def test_ending_is_good_only_if_it_approves_and_names_who_decided_and_who_else_answered() -> None:
    story = asking(Stage(need=2))
    story.do(c.Answer("approved"), OTTO)
    story.do(c.Answer("approved"), ANN)
    end: dict[str, Any] = {
        "answers": answered(story),
        "outcome": "approved",
        "ending": "approved",
        "via": "web",
    }
    message = composed(story, NotificationKind.DECIDED, "per_rita", by="per_ann", **end)
    assert (message.tone, message.headline, fact(message, "Ended as")) == ("good", "Approved", [])
    assert fact(message, "By") == ["Ann, through its page"]
    assert [said.partition(", through")[0] for said in fact(message, "Answered")] == ["approved, by Otto"]
    system = {**end, "ending": "expired", "outcome": ""}
    message = composed(story, NotificationKind.DECIDED, "per_rita", by="system", **system)
    assert (message.tone, fact(message, "By"), len(fact(message, "Answered"))) == ("bad", [], 2)


def test_next_agents_are_named_and_the_others_counted() -> None:
    agents = [validate(id=f"a{number}") for number in range(1, 6)]
    for count, more in (
        (1, ""),
        (3, ""),
        (4, "; 1 more may run; see the page"),
        (5, "; 2 more may run; see the page"),
    ):
        story = Story(gate(step(), *agents[:count]))
        named = [f"{VALIDATOR} runs step 'a{number}'" for number in range(1, min(count, 3) + 1)]
        asked = composed(story, NotificationKind.TASK_OPENED)
        assert fact(asked, "After an approval") == [", then ".join(named) + more]
    assert fact(composed(asking(), NotificationKind.TASK_OPENED), "After an approval") == []


def test_agent_of_a_failure_route_is_counted_and_not_named() -> None:
    run = validate(id="run", on_failure="undo", on_success="end")
    undo = validate(id="undo", on_success="end")
    story = Story(gate(replace(step(), on_failure="mourn"), run, undo, validate(id="mourn")))
    [said] = fact(composed(story, NotificationKind.TASK_OPENED), "After an approval")
    assert said == f"{VALIDATOR} runs step 'run'; 1 more may run; see the page"


def test_answers_of_people_are_not_shown_as_checks() -> None:
    story = Story(gate(step(name="first"), validate(), step(name="second")))
    story.do(c.Answer("approved"), ANN)
    story.do(c.Report(result={"passed": True}))
    asked = composed(story, NotificationKind.TASK_OPENED, "per_otto")
    assert fact(asked, "Checked") == ["validate: passed"]


def test_title_of_an_admin_is_not_repeated_as_the_requesters_text() -> None:
    story = asking(title="Run it?", description="As planned.")
    assert composed(story, NotificationKind.TASK_OPENED).quoted == "Run it?\nAs planned."
    plan = replace(story.plan, source="workflow:x@1")
    assert composed(Story(plan), NotificationKind.TASK_OPENED).quoted == "As planned."


def test_channel_of_a_team_shows_times_in_the_zone_of_its_rotation() -> None:
    turns = Rotation(("per_ann",), date(2026, 3, 2), zone="Asia/Tokyo")
    for rotation, at in ((turns, "18:00 JST (09:00 UTC)"), (None, "09:00 UTC")):
        team = Team("oncall", ("per_ann",), rotation, WORKSPACE, START)
        asked = composed(asking(), NotificationKind.TASK_OPENED, "team:oncall", teams={"oncall": team})
        assert fact(asked, "Waiting since") == [f"Mon 02 Mar 2026, {at}"]


def test_decision_names_the_person_represented_by_a_delegate_only() -> None:
    story = asking(Stage(need=2))
    story.do(c.Answer("approved"), ANN)
    [vote] = answered(story)
    for principal, said in (
        ("", "Ann, through the"),
        ("per_ann", "Ann, through the"),
        ("per_emma", "Ann for Emma,"),
    ):
        given = replace(vote, event=replace(vote.event, principal=principal))
        end = composed(
            story,
            NotificationKind.DECIDED,
            "per_rita",
            (given,),
            by="per_ann",
            ending="approved",
            via="api",
            outcome="approved",
        )
        assert fact(end, "By")[0].startswith(said)


def test_editor_of_a_request_is_named_beside_its_requester() -> None:
    story = asking()
    assert composed(story, NotificationKind.TASK_OPENED).asked_by.startswith("as sa_ci")
    for field in ("editors", "approving_editors"):
        changed = asking()
        changed.intent = replace(changed.intent, **{field: frozenset({"per_otto"})})
        said = composed(changed, NotificationKind.TASK_OPENED).asked_by
        assert said.startswith("as Otto changed it after sa_ci"), field
