"""AXP's scenario bundles."""

from datetime import datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, Object, Ok, OrNone
from signoff.wire.intents import PendingWith


class BundleRequest(Struct, kw_only=True):
    """An AXP ScenarioBundle."""

    scenario_id: str = ""
    title: str = ""
    description: str = ""
    idempotency_key: str = ""
    agents: list[Object] = []
    humans: list[Object] = []
    workflow: Object | None = None
    intent: Object


class Provisioned(Struct, kw_only=True):
    """An agent of a bundle, and whether this apply created it."""

    role: str
    address: str
    agent_address: str
    service_account_id: str
    sa_id: str
    created: bool


class ScenarioApplied(Ok, kw_only=True):
    """A started scenario bundle."""

    intent_id: str
    scenario_id: str
    status: str
    compile_id: str
    workflow_compile_id: str
    agents: tuple[Provisioned, ...]
    agents_provisioned: tuple[Provisioned, ...]
    pending_with: PendingWith
    idempotent: bool = False
    created_at: datetime
    deadline_at: OrNone[datetime] = ABSENT
    warnings: tuple[str, ...] = ()


class ScenarioCheckAnswer(Ok, kw_only=True):
    """Whether a bundle would be accepted, and why not."""

    valid: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
