"""A small company for screenshots: teams, a two-stage policy, one open task of each of the eight types, and requests
with every ending. The pictures and the tests of all pages use it.
"""

from datetime import timedelta
from typing import Any, Final

from msgspec import Struct

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

HOURS: Final = {"zone": "Europe/Berlin", "days": "mon-fri", "from": "08:00", "to": "18:00"}
MANIFEST: Final[dict[str, Any]] = {
    "people": {
        "ann@acme.example": {"name": "Ann Lee", "zone": "Europe/Berlin", "hours": HOURS},
        "otto@acme.example": {"name": "Otto Berg", "zone": "Europe/Berlin"},
        "emma@acme.example": {
            "name": "Emma Stone",
            "zone": "America/New_York",
        },
        "rita@acme.example": {"name": "Rita Moreau"},
        "oscar@acme.example": {"name": "Oscar Lind"},
        "aud@acme.example": {"name": "Aud Holm"},
    },
    "teams": {
        "sre-oncall": {
            "members": ["ann@acme.example", "otto@acme.example"],
            "rotation": {"handover": "mon 09:00", "zone": "Europe/Berlin"},
        },
        "dba": {"members": ["otto@acme.example", "emma@acme.example", "ann@acme.example"]},
    },
    "policies": {
        "prod-change": {
            "approve": [
                {"any": ["team:sre-oncall"]},
                {"any": ["team:dba"], "need": 2, "reject_after": 2},
            ],
            "self_approval": False,
            "remind": {"after": "5m", "every": "30m", "at_most": 5},
            "escalate": [
                {"after": "30m", "to": ["otto@acme.example"]},
                {"after": "2h", "to": ["team:dba"]},
            ],
            "deadline": "8h",
            "hours": HOURS,
            "strength": "session",
            "risk": "high",
        },
        "everyday": {"remind": "2h", "deadline": "2d", "risk": "low"},
    },
}
MIGRATION: Final = "intent.infra.change_approval.v1"
GATES: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    # type of task: (workflow, its gate, how long)
    "approval": (
        "database-migration",
        {"title": "Run this database migration?", "policy": "prod-change"},
        "8h",
    ),
    "review": ("customer-mail", {"title": "Send {campaign} to {recipients} customers?"}, "50m"),
    "confirmation": ("wire-transfer", {"title": "Did {amount} from {from_account} arrive?"}, "1d"),
    "form": (
        "new-customer",
        {
            "title": "Set the limits for a new customer",
            "form": {
                "type": "object",
                "required": ["limit", "plan"],
                "properties": {
                    "limit": {
                        "type": "integer",
                        "title": "Credit limit in EUR",
                        "description": "Whole euros; 50,000 at most.",
                        "maximum": 50000,
                    },
                    "plan": {"enum": ["monthly", "yearly"], "title": "Billing"},
                    "tell": {"type": "array", "title": "Tell", "items": {"enum": ["sales", "finance"]}},
                    "watch": {"type": "boolean", "title": "Review again in three months"},
                },
            },
        },
        "2d",
    ),
    "clarification": ("invoice-question", {"title": "Which of the two invoices is meant?"}, "4h"),
    "assignment": ("incident", {"title": "Who takes this incident?"}, "30m"),
    "manual_action": ("key-rotation", {"title": "Rotate the signing key by hand, then say so"}, "7d"),
    "override": ("release-freeze", {"title": "Let this release pass the freeze?"}, "3h"),
}
INDEX: Final[dict[str, Any]] = {
    "change_type": "database_migration",
    "target": "prod-postgres-main",
    "migration": "add_index_users_email",
    "lock_timeout": {"before": "30s", "after": "5s"},
    "statement": {
        "before": "create index users_email\n  on users (email);",
        "after": "create index concurrently users_email\n  on users (lower(email));",
    },
    "reason": "Sign-in searches by e-mail take 900 ms at the 99th percentile; the index brings them under 5 ms.",
    "doubt": "I have not tried it with more than 2 million rows.",
}
CHECKED: Final[dict[str, Any]] = {
    "passed": True,
    "locks_table": False,
    "reversible": True,
    "rollback": "drop index concurrently users_email",
    "rows_affected": 1840221,
}
ASKED: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    # type of task: (what is asked, what the check said)
    "approval": (INDEX, CHECKED),
    "review": (
        {
            "campaign": "autumn-prices",
            "recipients": 48210,
            "subject": {"before": "Your new price", "after": "Your price from 1 October"},
            "body": "Dear customer,\n\nfrom 1 October your plan costs 12 EUR a month.\nYou can cancel until then.\n",
        },
        {"passed": True, "spelling": "no findings", "reversible": False, "recipients": 48210},
    ),
    "confirmation": (
        {"amount": "18400.00", "currency": "EUR", "from_account": "Nordholm GmbH", "reference": "R-2291"},
        {"matched": "nothing yet"},
    ),
    "form": (
        {"customer": "Nordholm GmbH", "revenue": "1.2 million EUR", "country": "DE"},
        {"ok": True, "score": 81},
    ),
    "clarification": (
        {"order": "A-4721", "invoices": ["2026-118", "2026-131"], "question": "Both are over 4,200 EUR."},
        {"duplicates": 1},
    ),
    "assignment": (
        {"incident": "INC-883", "service": "checkout", "summary": "Payments fail for 2 % of orders."},
        {},
    ),
    "manual_action": ({"key": "webhook-signing-2026", "environment": "production"}, {"reversible": True}),
    "override": (
        {"release": "checkout 4.18.2", "environment": "production", "freeze": "year end, until 2 January"},
        {"passed": False, "failed_rule": "no releases in a freeze", "risk": "critical", "reversible": True},
    ),
}


class DemoWorkspace(Struct, frozen=True):
    """``tasks``: the open task of each type; ``ended``: a request with each ending; ``second``: one in stage two."""

    tasks: dict[str, str]
    ended: dict[str, str]
    second: str


async def apply(web: WebEnv) -> None:
    """Apply the manifest, and set Emma's absence with her own key."""
    applied = await web.post("/v1/apply", MANIFEST, "oscar")
    assert applied.status == 200, applied.text
    leave = {"from": "2030-07-01", "until": "2030-07-14", "delegate": "otto@acme.example"}
    assert (await web.call("PATCH", "/v1/people/per_emma", {"absences": [leave]}, "emma")).status == 200


async def furnish(web: WebEnv) -> DemoWorkspace:
    web.keys["bot"] = (await web.post("/v1/keys", {"agent": "infra-validator"}, "oscar"))["api_key"]
    await apply(web)
    for kind, (name, gate, deadline) in GATES.items():
        steps = [
            {"id": "check", "agent": "infra-validator", "deadline": "3h"},
            {"id": "decide", "human": {"type": kind, **gate}, "deadline": deadline},
        ]
        flow = {"workflow": name, "intent_type": _type(kind), "steps": steps}
        answer = await web.post("/v1/workflows", flow, "oscar")
        assert answer.status == 200, answer.text
    ended = await _ended(web)
    second = await ask(web, "approval", migration="drop_index_users_phone", lock_timeout="5s")
    otto = await reader(web, "otto")
    said = await otto.decide(second, "approved", "?open=1", comment="Quiet hours, fine by me.")
    assert said.status == 303, said.text
    tasks = {kind: await ask(web, kind) for kind in reversed(GATES)}
    web.clock.move(timedelta(minutes=4))
    return DemoWorkspace(tasks, ended, second)


async def ask(web: WebEnv, kind: str, **changed: Any) -> str:
    """Create a request of this type and report its agent's step; returns the task's id."""
    payload, result = ASKED[kind]
    intent_id = await web.send(intent_type=_type(kind), payload=payload | changed)
    step = intent_id[:-4] + "0001"
    answer = await web.post(f"/v1/intents/{step}/resume", {"action": "complete", **result}, "bot")
    assert answer.status == 200, answer.text
    return intent_id[:-4] + "0002"


async def _ended(web: WebEnv) -> dict[str, str]:
    found = {}
    for ending, outcome, comment in (
        ("approved", "confirmed", "It is on the account since this morning."),
        ("rejected", "denied", "Only half of it arrived."),
    ):
        found[ending] = await ask(web, "confirmation", reference=f"R-{ending}")
        assert (await web.answer(found[ending], outcome, "ann", comment=comment)).status == 200
    found["superseded"] = await ask(web, "review", campaign="summer")
    said = await web.answer(
        found["superseded"], "changes_requested", "ann", comment="Name the old price too."
    )
    assert said.status == 200, said.text
    found["withdrawn"] = await ask(web, "form", customer="Vester AS")
    taken = await web.post(
        f"/v1/tasks/{found['withdrawn']}/withdraw", {"comment": "They went elsewhere."}, "ci"
    )
    assert taken.status == 200, taken.text
    found["expired"] = await ask(web, "assignment", incident="INC-871")
    await web.env.pass_time(timedelta(minutes=31))
    return found


def _type(kind: str) -> str:
    return MIGRATION if kind == "approval" else f"intent.{GATES[kind][0].replace('-', '_')}.v1"
