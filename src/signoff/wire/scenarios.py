"""AXP's scenario bundles."""

from typing import Annotated, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, DeadlineAt, Object, Ok
from signoff.wire.fields import (
    AccountId,
    AgentAddress,
    CreatedAt,
    IntentId,
    SameAccountId,
    ScenarioId,
    Status,
    Warnings,
    about,
)
from signoff.wire.intents import PendingWith


class BundleRequest(Struct, kw_only=True):
    """An AXP ScenarioBundle."""

    _EXAMPLE: ClassVar = ("scenario_id", "agents", "humans", "workflow")

    scenario_id: Annotated[str, about("The bundle's own id.", "nightly-migration")] = ""
    title: Annotated[str, about("What it is, in one line.", "Nightly migration")] = ""
    description: Annotated[str, about("What it is for.", "Migrates the tables at night.")] = ""
    idempotency_key: Annotated[
        str, about("Repeating a request with the same key does not start it again.", "night-2030-01-31")
    ] = ""
    agents: Annotated[
        list[Object],
        about(
            "The agents that it needs.",
            [{"role": "validator", "address": "infra-validator", "create_if_missing": True}],
        ),
    ] = []
    humans: Annotated[
        list[Object], about("The people that it asks.", [{"role": "approver", "contact": "ann@acme.example"}])
    ] = []
    workflow: Annotated[
        Object | None, about("The steps.", {"steps": [{"step_id": "check", "assigned_to": "validator"}]})
    ] = None
    intent: Annotated[
        Object, about("The intent to start.", {"type": "intent.db.migrate.v1", "payload": {"table": "users"}})
    ]


class Provisioned(Struct, kw_only=True):
    """An agent of a bundle, and whether this apply created it."""

    role: Annotated[str, about("Its role in the bundle.", "validator")]
    address: Annotated[str, about("Its address.", "agent://acme/prod/infra-validator")]
    agent_address: AgentAddress
    service_account_id: AccountId
    sa_id: SameAccountId
    created: Annotated[bool, about("Whether this apply created it.", True)]


class ScenarioApplied(Ok, kw_only=True):
    """A started scenario bundle."""

    intent_id: IntentId
    scenario_id: ScenarioId
    status: Status
    compile_id: Annotated[
        str,
        about(
            "The digest of the compiled plan.",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
    ]
    workflow_compile_id: Annotated[
        str,
        about("The same as compile_id.", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ]
    agents: Annotated[tuple[Provisioned, ...], about("The agents of the bundle.")]
    agents_provisioned: Annotated[tuple[Provisioned, ...], about("The same as agents.")]
    pending_with: Annotated[PendingWith, about("Who has to act.")]
    idempotent: Annotated[bool, about("Whether an earlier request had started it.", False)] = False
    created_at: CreatedAt
    deadline_at: DeadlineAt = ABSENT
    warnings: Warnings = ()


class ScenarioCheckResponse(Ok, kw_only=True):
    """Whether a bundle would be accepted, and why not."""

    valid: Annotated[bool, about("Whether it would be accepted.", True)]
    errors: Annotated[tuple[str, ...], about("Why not.", ["intent.type: missing"])]
    warnings: Annotated[tuple[str, ...], about("Warnings for the caller.", ["unknown field, ignored: color"])]
