"""A task that needs two approvals, and the code of a refusal."""

from tests.web.web_env import WebEnv

TWO = {"title": "May we?", "assignees": ["ann@acme.example", "otto@acme.example", "role:owner", "role:admin"]}


async def code(web: WebEnv, task_id: str, who: str) -> str:
    return (await web.answer(task_id, "approved", who)).code
