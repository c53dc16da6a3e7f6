"""Rows of one workspace's directory."""

from signoff.core.directory.model import Account, ApiKey, NamedWorkflow, Person, Workspace
from signoff.core.plan.plan import Plan
from signoff.store.rows import plan_digest
from tests.conftest import NOON
from tests.store.samples import AGENT, PLAN

SPACE = Workspace("wsp_1", "local", "default", True, NOON)
ANN = Person("per_ann", "wsp_1", "ann@acme.example", "Ann", ("owner", "approver"), NOON)
BOT = Account(
    id="sa_bot",
    workspace="wsp_1",
    kind="agent",
    name="Validator Bot",
    slug="validator-bot",
    address=AGENT,
    display_name="Validator",
    description="",
    delivery_mode="stream",
    callback_url="",
    webhook_secret="",
    status="active",
    created_by="per_ann",
    created_at=NOON,
    updated_at=NOON,
)
KEY = ApiKey("sak_1", "wsp_1", "agent", "sa_bot", "h" * 64, "sgn_…abcd", "per_ann", NOON)


def workflow(version: int, plan: Plan = PLAN, type: str = "intent.a.v1") -> NamedWorkflow:
    return NamedWorkflow("wsp_1", "change", type, version, plan_digest(plan), b"{}", "per_ann", NOON)
