"""A task's pages, and its recorded votes."""

from typing import Any

from tests.web.web_env import WebEnv

ANN = ["ann@acme.example"]


async def task(web: WebEnv, **human_task: Any) -> str:
    """A task for Ann."""
    return (await web.ask(assignees=ANN, **human_task))[1]


async def votes(web: WebEnv, task_id: str) -> Any:
    return (await web.get(f"/v1/tasks/{task_id}"))["task"]
