"""Describes the fields of requests and responses, with examples, for the API's description and for readers.

A field that several structs share is a type here; ``about`` describes a field in place. Nothing here changes how a
value is read: an enumeration lists the words that this release sends, and a later one may send more.
"""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta

Words: TypeAlias = tuple[str, ...]

STATUSES: Final[Words] = (
    "CREATED", "SUBMITTED", "DELIVERED", "ACKNOWLEDGED", "IN_PROGRESS", "WAITING", "COMPLETED", "FAILED", "CANCELED",
    "TIMED_OUT",
)  # fmt: skip
WAITING_REASONS: Final[Words] = (
    "WAITING_FOR_HUMAN", "WAITING_FOR_AGENT", "WAITING_FOR_TOOL", "WAITING_FOR_TIME"
)  # fmt: skip
ENDINGS: Final[Words] = ("approved", "rejected", "expired", "withdrawn", "superseded", "undeliverable")
ACTORS: Final[Words] = ("person", "agent", "service", "system")
RISKS: Final[Words] = ("low", "medium", "high", "critical")
STRENGTHS: Final[Words] = ("link", "session", "step_up")
TASK_TYPES: Final[Words] = (
    "approval", "review", "confirmation", "form", "clarification", "assignment", "manual_action", "override"
)  # fmt: skip
STEPS: Final[Words] = ("agent", "human", "delay", "notify")
DELIVERY_MODES: Final[Words] = ("stream", "poll", "http", "inbox")
CHANGE_KINDS: Final[Words] = ("person", "team", "policy", "workflow", "workspace", "agent")
EVENT_TYPES: Final[Words] = (
    "intent.created", "intent.delivered", "intent.acknowledged", "intent.delivery_failed", "intent.in_progress",
    "intent.human_task_assigned", "intent.reminder", "intent.escalated", "intent.answered", "intent.stage_passed",
    "intent.delegated", "intent.reassigned", "intent.review_marked", "intent.snoozed", "intent.unsnoozed",
    "intent.commented", "intent.revised", "intent.understaffed", "intent.nobody_reached", "intent.waiting",
    "intent.updated", "intent.completed", "intent.failed", "intent.canceled", "intent.timed_out",
)  # fmt: skip

SOME_INTENT: Final = "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000"
SOME_TASK: Final = "01998a3c-7d40-7b1e-9c52-6f0e8a4d0002"
SOME_TIME: Final = "2030-01-31T09:30:00Z"
SOME_AGENT: Final = "agent://acme/prod/infra-validator"
SOME_DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


# A struct's ``_EXAMPLE`` names the optional fields that its example shows in addition to the required ones.
def about(text: str, *examples: Any, words: Words = ()) -> Meta:
    """Describe a field, with examples of its value. words: all possible values."""
    more = {"enum": [*words]} if words else None
    return Meta(description=text, examples=[*examples] or None, extra_json_schema=more)


def time(text: str, example: str = SOME_TIME) -> Meta:
    """Describe a field that is a time."""
    return Meta(description=text, examples=[example], extra_json_schema={"format": "date-time"})


Succeeded: TypeAlias = Annotated[bool, about("True: the request was carried out.", True)]

IntentId: TypeAlias = Annotated[str, about("The intent's id.", SOME_INTENT)]
TaskId: TypeAlias = Annotated[str, about("The task's id.", SOME_TASK)]
ThreadId: TypeAlias = Annotated[str, about("The thread's id: the intent's.", SOME_INTENT)]
IntentType: TypeAlias = Annotated[
    str, about("The type of the request, which chooses its workflow.", "intent.db.migrate.v1")
]
StepId: TypeAlias = Annotated[str, about("The id of the step in the plan.", "approve")]
CorrelationId: TypeAlias = Annotated[
    str,
    about(
        "The requester's own id for requests that belong together; the intent's id by default.", "release-42"
    ),
]
Status: TypeAlias = Annotated[
    str,
    about(
        "The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final.",
        "WAITING",
        words=STATUSES,
    ),
]
LifecycleStatus: TypeAlias = Annotated[
    str, about("The same as status, where AXP's clients look for it.", "WAITING", words=STATUSES)
]
WaitingReason: TypeAlias = Annotated[
    str, about("What it waits for, while it waits.", "WAITING_FOR_HUMAN", words=WAITING_REASONS)
]
LifecycleWaitingReason: TypeAlias = Annotated[
    str,
    about(
        "The same as waiting_reason, where AXP's clients look for it.",
        "WAITING_FOR_HUMAN",
        words=WAITING_REASONS,
    ),
]
Ending: TypeAlias = Annotated[
    str, about("How the decision ended; expiry is not a rejection.", "approved", words=ENDINGS)
]
Outcome: TypeAlias = Annotated[str, about("The outcome that was chosen.", "approved")]
Risk: TypeAlias = Annotated[
    str, about("The risk: the policy's or a check's, whichever is higher.", "high", words=RISKS)
]
Strength: TypeAlias = Annotated[
    str,
    about("The sign-in that is required to decide.", "session", words=STRENGTHS),
]
TaskType: TypeAlias = Annotated[
    str, about("The type of the task, which sets its outcomes.", "approval", words=TASK_TYPES)
]
StepKind: TypeAlias = Annotated[str, about("What the step is.", "human", words=STEPS)]
ActorKind: TypeAlias = Annotated[str, about("What the actor is.", "person", words=ACTORS)]
Via: TypeAlias = Annotated[
    str, about("The channel of the action: api, cli, web, link, a chat such as slack, or system.", "web")
]
FromAgent: TypeAlias = Annotated[
    str, about("The address of the requester, from its key.", "agent://acme/prod/release-bot")
]
ToAgent: TypeAlias = Annotated[str, about("The address of the agent that it is for.", SOME_AGENT)]
ReplyTo: TypeAlias = Annotated[
    str, about("The address whose inbox gets the result.", "agent://acme/prod/release-bot")
]
Digest: TypeAlias = Annotated[
    str, about("Identifies exactly what is decided: the payload, its revision and what follows.", SOME_DIGEST)
]
Revision: TypeAlias = Annotated[int, about("The number of the payload's revision, from 1.", 1)]
Stage: TypeAlias = Annotated[int, about("The stage of the decision, from 1.", 1)]
PolicyGeneration: TypeAlias = Annotated[
    int, about("How often the grants, controls or envelope were patched.", 0)
]
ExpectedPolicyGeneration: TypeAlias = Annotated[
    int, about("The generation that the caller has seen; if it is another one now, nothing is changed.", 0)
]
IgnoredActor: TypeAlias = Annotated[
    str, about("As AXP's clients send it; only the key determines the actor.", "release-bot")
]
IgnoredOwner: TypeAlias = Annotated[
    str,
    about("As AXP's clients send it; only the key determines the actor.", "agent://acme/prod/release-bot"),
]
IgnoredScheduler: TypeAlias = Annotated[
    bool, about("As AXP's clients send it; only the key determines the actor.", False)
]
ParentIntentId: TypeAlias = Annotated[
    str, about("For a step that is shown as an intent: the whole intent.", SOME_INTENT)
]
DeliveryAttempt: TypeAlias = Annotated[int, about("The number of the attempt at this step, from 1.", 1)]
Retryable: TypeAlias = Annotated[bool, about("Whether a retry could help.", False)]

CreatedAt: TypeAlias = Annotated[datetime, time("When it was created.")]
UpdatedAt: TypeAlias = Annotated[datetime, time("When it last changed.")]
At: TypeAlias = Annotated[datetime, time("When it happened.")]
KilledAt: TypeAlias = Annotated[datetime, time("When it was killed; absent if it was not, or was resumed.")]
ExpiresAt: TypeAlias = Annotated[datetime, time("When it stops being valid.", "2030-03-01T00:00:00Z")]
DecidedAt: TypeAlias = Annotated[datetime, time("When it was decided.")]
DueAt: TypeAlias = Annotated[datetime, time("When the open task expires.", "2030-02-01T18:00:00Z")]
OpenedAt: TypeAlias = Annotated[datetime, time("When the task was opened.")]
AppliedAt: TypeAlias = Annotated[datetime, time("When this version was applied.")]
LeaseUntil: TypeAlias = Annotated[
    datetime, time("When the lease ends unless it is renewed.", "2030-01-31T09:30:30Z")
]

PersonId: TypeAlias = Annotated[str, about("The person's id.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")]
PersonName: TypeAlias = Annotated[str, about("The display name.", "Ann Berg")]
Email: TypeAlias = Annotated[str, about("The e-mail address, which names the person.", "ann@acme.example")]
Zone: TypeAlias = Annotated[str, about("The IANA time zone.", "Europe/Berlin")]
AccountId: TypeAlias = Annotated[
    str, about("The id of the agent or service.", "sa_01998a3c6f007d1e8a4bc35d9e7f1b21")
]
AgentAddress: TypeAlias = Annotated[str, about("The address of the agent.", SOME_AGENT)]
OrgId: TypeAlias = Annotated[str, about("The organization.", "acme")]
WorkspaceId: TypeAlias = Annotated[
    str, about("The id of the workspace.", "ws_01998a3c6f007d1e8a4bc35d9e7f1b22")
]
KeyId: TypeAlias = Annotated[
    str, about("The id of the key; not the secret.", "key_01998a3c6f007d1e8a4bc35d9e7f1b23")
]
Secret: TypeAlias = Annotated[
    str, about("The secret: shown once, and not stored.", "sgn_the-secret-of-the-key")
]
DeliveryMode: TypeAlias = Annotated[
    str, about("How the agent gets its work.", "stream", words=DELIVERY_MODES)
]
CallbackUrl: TypeAlias = Annotated[
    str,
    about(
        "The URL to which its work is pushed, if its delivery mode is http.",
        "https://validator.acme.example/work",
    ),
]
DisplayName: TypeAlias = Annotated[str, about("The display name.", "Infra validator")]
IgnoredCreator: TypeAlias = Annotated[
    str, about("As AXP's clients send it; the key determines the creator.", "release-bot")
]
ScenarioId: TypeAlias = Annotated[str, about("The scenario that it was started from.", "nightly-migration")]
ChannelName: TypeAlias = Annotated[str, about("The channel.", "email")]
Title: TypeAlias = Annotated[str, about("The question, in one line.", "Migrate users to schema 42?")]

Warnings: TypeAlias = Annotated[
    tuple[str, ...],
    about(
        "Warnings for the caller, as text; the request was still carried out.",
        ["unknown field, ignored: priority"],
    ),
]
DryRun: TypeAlias = Annotated[bool, about("Whether this was only a dry run.", False)]
SameAccountId: TypeAlias = Annotated[
    str, about("The same as service_account_id.", "sa_01998a3c6f007d1e8a4bc35d9e7f1b21")
]
Complete: TypeAlias = Annotated[bool, about("Whether these are all.", True)]
PreviousResults: TypeAlias = Annotated[
    dict[str, Any],
    about("The results of the steps before it, by step.", {"validate": {"rows": 1200, "reversible": True}}),
]
ResultRevisions: TypeAlias = Annotated[
    dict[str, int], about("The revision that each previous result belongs to.", {"validate": 1})
]
AllowedOutcomes: TypeAlias = Annotated[
    tuple[str, ...], about("The outcomes that can be chosen.", ["approved", "rejected"])
]
CommentRequired: TypeAlias = Annotated[bool, about("Whether an answer needs a comment.", False)]
EvidenceRequired: TypeAlias = Annotated[bool, about("Whether an answer has to name its evidence.", False)]
ReminderCount: TypeAlias = Annotated[int, about("The number of reminders sent.", 0)]
ShownRevision: TypeAlias = Annotated[
    int | None, about("The revision that the task showed; if it is another one now, nothing is answered.", 1)
]
ShownDigest: TypeAlias = Annotated[
    str | None,
    about(
        "The digest that the task showed; if it is another one now, nothing is answered.",
        SOME_DIGEST,
    ),
]
