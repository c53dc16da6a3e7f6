"""Builds intents in a given state by applying commands, never by setting columns."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind, system
from signoff.core.ids import new_intent_id
from signoff.core.intent import commands as c
from signoff.core.intent.advance import Change, advance
from signoff.core.intent.answer_target import target_of
from signoff.core.intent.eligibility import Membership
from signoff.core.intent.hash_chain import Sealed
from signoff.core.intent.model import Intent, Requester, Task
from signoff.core.intent.notifications import Notification
from signoff.core.plan.plan import AgentStep, HumanStep, Plan, check_plan
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, TaskSpec

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WORKSPACE = "ws_1"
VALIDATOR = "agent://acme/prod/validator"


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def person(name: str, *roles: str, self_approval: bool = False) -> Actor:
    """Rita requests, Ann approves, Otto is on call, Sam is a stranger."""
    names = frozenset({f"per_{name}", f"{name}@acme.example", *(f"role:{r}" for r in roles)})
    return Actor(
        ActorKind.PERSON,
        f"per_{name}",
        WORKSPACE,
        names=names,
        roles=frozenset(roles),
        sponsors=(f"per_{name}",),
        self_approval=self_approval,
    )


RITA = person("rita", "member")
ANN = person("ann", "approver")
OTTO = person("otto", "approver")
SAM = Actor(ActorKind.PERSON, "per_sam", "ws_other", roles=frozenset({"owner"}), sponsors=("per_sam",))
ADA = person("ada", "admin")
AUDITOR = person("aud", "auditor")
SERVICE = Actor(ActorKind.SERVICE, "sa_ci", WORKSPACE, sponsors=("per_rita",))
AGENT = Actor(ActorKind.AGENT, "sa_validator", WORKSPACE, address=VALIDATOR)
OTHER_AGENT = Actor(ActorKind.AGENT, "sa_other", WORKSPACE, address="agent://acme/prod/other")
SYSTEM = system(WORKSPACE)


def validate(**fields: object) -> AgentStep:
    return AgentStep(**{"id": "validate", "agent": VALIDATOR, **fields})  # type: ignore[arg-type]


def approve(**fields: object) -> HumanStep:
    task = TaskSpec(
        title="Run the migration?",
        remind=Reminders(minutes(5), minutes(5), 3),
        escalate=(Escalation(minutes(30), ("per_otto",)),),
    )
    return HumanStep(**{"id": "approve", "task": task, "deadline": minutes(480), **fields})  # type: ignore[arg-type]


def gate(*steps: object, **fields: object) -> Plan:
    return check_plan(Plan(tuple(steps) or (validate(), approve()), **fields))  # type: ignore[arg-type]


class Story:
    """One intent and its history."""

    def __init__(
        self,
        plan: Plan | None = None,
        by: Actor = SERVICE,
        deadline_at: datetime | None = None,
        membership: Membership | None = None,
    ) -> None:
        self.membership = membership
        self.now = START
        self.facts: list[Sealed] = []
        self.notifications: list[Notification] = []
        self.plan = plan or gate()
        self.intent: Intent = None  # type: ignore[assignment]
        self._apply(
            by,
            c.Submit(
                id=new_intent_id(1_700_000_000_000, b"0123456789"),
                workspace=WORKSPACE,
                type="intent.infra.change.v1",
                requester=Requester(by.kind, by.id, by.address, "", by.sponsors),
                plan=self.plan,
                plan_digest="p" * 64,
                payload_digest="d" * 64,
                deadline_at=deadline_at,
            ),
            None,
        )

    def _apply(self, actor: Actor, command: c.Command, intent: Intent | None) -> Change:
        change = advance(actor, intent, command, self.now, b"0123456789abcdef", self.membership)
        self.intent = change.after
        self.facts.extend(change.facts)
        self.notifications.extend(change.notifications)
        return change

    def do(self, command: c.Command, by: Actor = AGENT, after: timedelta = timedelta(0)) -> Change:
        """Move the clock by ``after`` (without a tick), then apply the command."""
        self.now += after
        held = self.intent.open
        if isinstance(command, c.Answer) and isinstance(held, Task) and not command.shown:
            command = replace(command, shown=frozenset({target_of(held)}))  # whoever answers has looked
        return self._apply(by, command, self.intent)

    def tick(self, after: timedelta = timedelta(0)) -> Change:
        return self.do(c.Tick(), SYSTEM, after)

    def validated(self) -> "Story":
        self.do(c.Report(result={"passed": True}))
        return self

    @property
    def task(self) -> Task:
        assert isinstance(self.intent.open, Task)
        return self.intent.open

    @property
    def rows(self) -> list[tuple[int, bytes, bytes | None, str]]:
        return [(s.fact.seq, s.body, s.private, s.hash) for s in self.facts]


def happened(change: Change) -> list[str]:
    """The events of a change with this name."""
    return [type(s.fact.event).__name__ for s in change.facts]
