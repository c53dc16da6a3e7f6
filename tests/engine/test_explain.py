"""``explain`` predicts what the rules do at each moment: who is on duty then, and who is whose delegate."""

from datetime import UTC, date, datetime, timedelta

from signoff.core.directory.model import Person, Team, Workspace
from signoff.core.directory.rotation import Absence, Rotation
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Stage, TaskSpec
from signoff.engine.directory.contact_schedule import explain
from signoff.engine.directory.eligible_people import asked_times
from signoff.engine.directory.snapshot import Snapshot
from tests.builders import START, WORKSPACE, Story, approve, gate
from tests.work import calls

DAY = timedelta(days=1)


def person(name: str, *absences: Absence) -> Person:
    email = f"{name}@acme.example"
    return Person(f"per_{name}", WORKSPACE, email, "", ("approver",), START, absences=absences)


def test_each_contact_lists_who_is_reachable_at_its_time() -> None:
    away = Absence(datetime(2026, 3, 12, tzinfo=UTC), datetime(2026, 3, 14, tzinfo=UTC), "per_eve")
    people = [person("ann"), person("otto", away), person("eve")]
    turns = Rotation(("per_ann", "per_otto"), date(2026, 3, 2), zone="Europe/Berlin")
    directory = Snapshot(
        Workspace(WORKSPACE, "acme", "prod", False, START),
        {},
        {},
        {p.id: p for p in people},
        {},
        teams={"oncall": Team("oncall", ("per_ann", "per_otto"), turns)},
    )
    spec = TaskSpec(stages=(Stage(("team:oncall",)),), remind=Reminders(DAY, DAY, 20))
    story = Story(gate(approve(task=spec, deadline=30 * DAY)), membership=directory.membership)
    *reminders, deadline = explain(story.intent, story.task, directory, story.now).contacts
    for told in reminders:
        at = told.contact.at
        when = asked_times(story.intent, story.task, told.contact.to, directory, at)
        assert when == tuple((who, at) for who in told.people)
    reached = list(dict.fromkeys(told.people for told in reminders))
    assert reached == [("per_ann",), ("per_otto",), ("per_eve",)]
    assert deadline.people == ("per_ann", "per_otto", "per_eve")  # all who were told


def test_eligibility_is_computed_once_per_contact() -> None:
    people = [person(f"p{number}") for number in range(200)]
    teams = {f"t{number}": Team(f"t{number}", tuple(p.id for p in people)) for number in range(10)}
    directory = Snapshot(
        Workspace(WORKSPACE, "acme", "prod", False, START),
        {},
        {},
        {p.id: p for p in people},
        {},
        teams=teams,
    )
    spec = TaskSpec(stages=(Stage(tuple(f"team:{name}" for name in teams)),))
    story = Story(gate(approve(task=spec, deadline=30 * DAY)), membership=directory.membership)
    explain(story.intent, story.task, directory, story.now)
    judged = calls(lambda: explain(story.intent, story.task, directory, story.now), of="answer_right")
    assert judged <= 4 * len(people)  # who may decide, who was asked, who is told of silence
