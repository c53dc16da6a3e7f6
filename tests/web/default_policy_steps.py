"""A default policy, and the tasks that it makes stricter."""

from typing import Any

from tests.web.web_env import WebEnv

STRICT: dict[str, Any] = {
    "approve": [{"any": ["otto@acme.example", "emma@acme.example"], "need": 2}],
    "self_approval": False,
    "deadline": "8h",
}
LAX: dict[str, Any] = {"approve": [{"any": ["ann@acme.example"]}], "self_approval": True, "risk": "low"}
MANIFEST: dict[str, Any] = {
    "policies": {"strict": STRICT, "lax": LAX},
    "workspace": {"default_policy": "strict"},
}


def closed(unlisted: str) -> dict[str, Any]:
    return {**MANIFEST, "workspace": {"default_policy": "strict", "unlisted_types": unlisted}}


def task_of(intent_id: str, step_run: int = 1) -> str:
    return f"{intent_id[:-4]}{step_run:04x}"


async def rule(web: WebEnv, task_id: str) -> Any:
    explained = await web.get(f"/v1/tasks/{task_id}/explain", "otto")
    assert explained.status == 200, explained.text
    return explained


async def assert_strict(web: WebEnv, task_id: str) -> None:
    """Assert that Otto and Emma must approve and that nobody else's answer counts."""
    made = await rule(web, task_id)
    assert (made["policy"], made["risk"], made["self_approval"]) == ("strict@1", "medium", False)
    assert made["because"] == "this type of request has no workflow"
    assert [(stage["need"], stage["of"]) for stage in made["stages"]] == [
        (2, ["otto@acme.example", "emma@acme.example"])
    ]
    assert {decider["person"] for decider in made["may_decide"]} == {"otto@acme.example", "emma@acme.example"}
    assert {contact["kind"] for contact in made["contacts"]} == {"deadline"}
    for who in ("ann", "oscar", "rita"):
        assert (await web.answer(task_id, "approved", who)).code in {"not_an_approver", "self_approval"}
    assert (await web.answer(task_id, "approved", "otto"))["task"]["state"] == "open"
