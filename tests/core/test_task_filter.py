"""Which open tasks a filter shows, and where it searches for them."""

from signoff.core.intent import commands as c
from signoff.core.intent.task_filter import TaskFilter
from signoff.core.intent.worklist import EVERYBODY, everything, mine
from signoff.core.plan.task_types import Risk, Stage
from tests.builders import ANN, RITA, Story, gate, validate
from tests.core.asking import asking, step


def fits(story: Story, **wanted: object) -> bool:
    return TaskFilter(**wanted).fits(story.intent, story.task)  # type: ignore[arg-type]


def test_each_condition_matches_a_field_of_the_task() -> None:
    story = asking(Stage(("team:sre",)), risk=Risk.LOW)
    assert fits(story)
    assert fits(
        story,
        risk="low",
        team="team:sre",
        requesters=frozenset({"sa_ci"}),
        types=frozenset({story.intent.type}),
    )
    assert fits(story, requesters=frozenset({"per_rita"})), "for whom it was requested"
    assert not fits(story, risk="high")
    assert not fits(story, team="team:dba")
    assert not fits(story, requesters=frozenset({"per_ann"}))
    assert not fits(story, types=frozenset({"intent.other.v1"}))


def test_risk_filter_uses_the_risk_reported_by_checks() -> None:
    story = Story(gate(validate(), step(risk=Risk.LOW)))
    story.do(c.Report(result={"passed": True, "risk": "high"}))
    assert (fits(story, risk="high"), fits(story, risk="low")) == (True, False)


def test_filter_searches_the_smallest_list() -> None:
    story = asking(Stage(("team:sre",)))
    team = TaskFilter(team="team:sre").among(ANN, everything)
    assert team is not None
    assert team.keys[1] == ("asked:team:sre",)
    assert team.fits(story.intent, story.task)
    program = TaskFilter(program="sa_ci").among(RITA, None)
    assert program is not None
    assert program.keys == (("early:per_rita",), ("requester:sa_ci",), ("late:per_rita",)), (
        "also what is snoozed"
    )
    assert program.fits(story.intent, story.task)
    whole = TaskFilter(risk="low").among(ANN, everything)
    assert whole is not None
    assert whole.keys[1] == (EVERYBODY,)
    assert TaskFilter(risk="low").among(ANN, None) is None
    own = TaskFilter(team="team:sre").among(ANN, mine)
    assert own is not None
    assert own.keys[1] == mine(ANN).keys[1]
