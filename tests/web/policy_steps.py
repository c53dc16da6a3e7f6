"""Applies policies and decides under them."""

from typing import Any

from tests.web.inbox.reading import Shown, reader
from tests.web.web_env import WebEnv

TYPE = "guarded.v1"
POLICY: dict[str, Any] = {
    "approve": [{"any": ["team:sre", "role:owner"], "need": 2}],
    "escalate": [{"after": "1h", "to": ["emma@acme.example"]}],
    "deadline": "8h",
    "risk": "high",
}
MANIFEST: dict[str, Any] = {
    "people": {"otto@acme.example": {"roles": ["admin", "approver"]}},
    "teams": {"sre": {"members": ["ann@acme.example", "otto@acme.example", "emma@acme.example"]}},
    "policies": {"guarded": POLICY},
    "workflows": [
        {"workflow": "guarded", "intent_type": TYPE, "steps": [{"id": "ok", "human": {"policy": "guarded"}}]}
    ],
}
PROTECTED = {**MANIFEST, "workspace": {"protected": True, "self_approval": False}}


async def applied(web: WebEnv, document: dict[str, Any], who: str = "oscar") -> Any:
    answer = await web.post("/v1/apply", document, who)
    assert answer.status == 200, answer.text
    return answer


def policy(**changes: Any) -> dict[str, Any]:
    return {"policies": {"guarded": {**POLICY, **changes}}}


async def gate(web: WebEnv) -> str:
    return (await web.send(intent_type=TYPE))[:-4] + "0001"


async def decide(web: WebEnv, task_id: str, who: str) -> Any:
    task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    return await web.answer(task_id, "approved", who, digest=task["digest"])


async def quorum(web: WebEnv, task_id: str) -> int:
    explained = await web.get(f"/v1/tasks/{task_id}/explain", "ann")
    return int(explained["stages"][0]["need"])


async def confirmed(web: WebEnv, id: str, who: str = "oscar") -> Shown:
    """The result when a person who signed in by e-mail presses the button."""
    return await (await reader(web, who)).post(f"/proposals/{id}/confirm")


STRICTER: dict[str, dict[str, Any]] = {
    "more people": policy(approve=[{"any": ["team:sre", "role:owner"], "need": 3}]),
    "not all of them": policy(approve=[{"any": ["team:sre"], "need": 2}]),
    "a stage more": policy(approve=[*POLICY["approve"], {"any": ["role:approver"]}]),
    "less time": policy(deadline="4h"),
    "reminders": policy(remind="1h"),
    "a higher risk": policy(risk="critical"),
    "a policy beside it": {"policies": {"other": {}}},
    "one less in the team": {"teams": {"sre": {"members": ["ann@acme.example", "otto@acme.example"]}}},
    "somebody leaves": {"people": {"ann@acme.example": {"active": False}}},
    "a role less": {"people": {"otto@acme.example": {"roles": ["admin"]}}},
    "somebody new who only asks": {"people": {"new@acme.example": {"roles": ["member"]}}},
    "on call": {
        "teams": {"sre": {**MANIFEST["teams"]["sre"], "rotation": {"handover": "mon 09:00", "zone": "UTC"}}}
    },
}
