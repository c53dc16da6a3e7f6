"""People and teams of a manifest, and decisions by them."""

from typing import Any

from tests.web.web_env import WebEnv

TYPE = "intent.guarded.v1"
MANIFEST: dict[str, Any] = {
    "people": {
        "bob@acme.example": {"name": "Bob", "zone": "Europe/Berlin"},
        "ann@acme.example": {"zone": "America/New_York", "preferences": {"channels": ["slack"]}},
    },
    "teams": {
        "sre": {
            "members": ["ann@acme.example", "bob@acme.example"],
            "rotation": {"handover": "mon 09:00", "zone": "Europe/Berlin", "anchor": "2026-03-02"},
        }
    },
    "policies": {
        "guarded": {
            "approve": [{"any": ["team:sre"]}, {"any": ["person:otto@acme.example", "role:owner"]}],
            "remind": {"after": "5m", "every": "30m", "at_most": 2},
            "escalate": [{"after": "1h", "to": ["emma@acme.example"]}],
            "deadline": "8h",
            "risk": "high",
        }
    },
    "workflows": [
        {"workflow": "guarded", "intent_type": TYPE, "steps": [{"id": "ok", "human": {"policy": "guarded"}}]}
    ],
}


async def manifest(web: WebEnv, **changes: Any) -> None:
    answer = await web.post("/v1/apply", {**MANIFEST, **changes}, "oscar")
    assert answer.status == 200, answer.text


async def gate(web: WebEnv, risk: str = "medium") -> str:
    """A task under the policy ``guarded``; a high-risk one requires more than a key."""
    await manifest(web, policies={"guarded": {**MANIFEST["policies"]["guarded"], "risk": risk}})
    return (await web.send(intent_type=TYPE))[:-4] + "0001"


async def shown(web: WebEnv, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    return task


async def decide(web: WebEnv, task_id: str, who: str, outcome: str = "approved") -> Any:
    task = await shown(web, task_id)
    return await web.answer(task_id, outcome, who, revision=task["revision"], digest=task["digest"])


AWAY = {"from": "2026-03-01T08:00:00Z", "until": "2026-03-09T10:00:00Z"}
