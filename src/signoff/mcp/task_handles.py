"""The tasks extension (``io.modelcontextprotocol/tasks``): a request for approval as a task that outlives the call.

A task is the request itself, and its id is the request's id: nothing is stored here, so tasks survive a restart.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from signoff.client.errors import Conflict, Invalid, NotFound
from signoff.client.records import Json
from signoff.client.types import Intent
from signoff.mcp.failures import failing_as_protocol
from signoff.mcp.requests import NotMine, Requests, decided
from signoff.mcp.tool_results import answer_of, result_of

EXTENSION: Final = "io.modelcontextprotocol/tasks"
POLL_MS: Final = 5000
MISSING_CAPABILITY: Final = -32021
Context: TypeAlias = ServerRequestContext[Any, Any]
Caller = Callable[[Context], Awaitable[Requests]]


class TaskParams(types.RequestParams):
    """Names a task."""

    task_id: str


class UpdateParams(TaskParams):
    """The client's answers to a task's questions. Our tasks do not ask the client anything: people are asked
    elsewhere.
    """

    input_responses: dict[str, Any] = {}


def understands(ctx: Context) -> bool:
    """Whether the client of this request accepts a task as a response."""
    known = ctx.session.client_capabilities
    return (
        ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        and known is not None
        and EXTENSION in (known.extensions or {})
    )


def created(intent: Intent) -> Json:
    """The response to ``tools/call``: a task instead of a result."""
    return {"resultType": "task", **_task(intent, "working")}


def add(server: Server[Any], caller: Caller) -> None:
    """Serve the extension's methods."""

    async def get(ctx: Context, params: TaskParams) -> Json:
        requests = await _asked(ctx, caller)
        intent = await _found(requests, params.task_id)
        if not decided(intent):
            return {"resultType": "complete", **_task(intent, "working")}
        if intent.status == "CANCELED":
            return {"resultType": "complete", **_task(intent, "cancelled")}
        await requests.returned(intent)
        result = result_of(answer_of(intent, requests.page(intent)))
        dumped = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        return {"resultType": "complete", **_task(intent, "completed"), "result": dumped}

    async def update(ctx: Context, params: UpdateParams) -> Json:
        await _found(await _asked(ctx, caller), params.task_id)
        return {"resultType": "complete"}

    async def cancel(ctx: Context, params: TaskParams) -> Json:
        requests = await _asked(ctx, caller)
        intent = await _found(requests, params.task_id)
        with suppress(Conflict):  # it has been decided; MCP lets a server ignore a cancellation
            await requests.withdraw(intent.intent_id, "the agent canceled its task")
        return {"resultType": "complete"}

    server.extensions[EXTENSION] = {}
    server.add_request_handler("tasks/get", TaskParams, get)
    server.add_request_handler("tasks/update", UpdateParams, update)
    server.add_request_handler("tasks/cancel", TaskParams, cancel)


async def _asked(ctx: Context, caller: Caller) -> Requests:
    if not understands(ctx):
        needed: Json = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise MCPError(MISSING_CAPABILITY, "This method needs the tasks extension.", needed)
    return await failing_as_protocol(lambda: caller(ctx))


async def _found(requests: Requests, task_id: str) -> Intent:
    async def run() -> Intent:
        try:
            return await requests.own(task_id)
        except (NotFound, Invalid, NotMine):
            raise MCPError(types.INVALID_PARAMS, "There is no such task.") from None

    return await failing_as_protocol(run)


def _task(intent: Intent, status: str) -> Json:
    task: Json = {
        "taskId": intent.intent_id,
        "status": status,
        "createdAt": _time(intent.created_at),
        "lastUpdatedAt": _time(intent.updated_at),
        "ttlMs": None,
        "pollIntervalMs": POLL_MS,
    }
    if status == "working":
        task["statusMessage"] = "Waiting for people to decide."
    return task


def _time(at: Any) -> str:
    return str(at.isoformat()) if at is not None else ""
