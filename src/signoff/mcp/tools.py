"""The tools: request an approval, follow, list and withdraw requests, report a result. None of them can decide."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import mcp_types as types
import msgspec
from msgspec import Meta, Struct

from signoff.client.calls import SubmittedIntent
from signoff.client.records import Json
from signoff.client.results import fault_in
from signoff.mcp import tool_results
from signoff.mcp.requests import DEFAULT_TYPE, LONGEST_WAIT, Heartbeat, Requests
from signoff.mcp.tool_results import CORRECT, Answer, Listed, Problem, ToolFailed, answer_of, schema_of

DEFAULT_WAIT: Final = 45.0
_ID: Final = Meta(description="The request_id of an earlier answer.", min_length=1, max_length=64)
Wait = Annotated[
    float,
    Meta(
        ge=0,
        le=LONGEST_WAIT,
        description="Seconds to wait for the decision before this call returns; the request continues afterwards. "
        "Most hosts end a call after 60 seconds.",
    ),
]


class RequestApproval(Struct, kw_only=True, forbid_unknown_fields=True):
    """Asks for an approval, in the words of the API."""

    title: Annotated[str, Meta(min_length=1, description="The question that people answer, in one line.")]
    payload: Annotated[
        dict[str, Any],
        Meta(description="Exactly what is to be done, as data. People may edit it before they approve."),
    ] = {}
    intent_type: Annotated[
        str,
        Meta(
            description="The type of the request. If the workspace has a workflow for it, that determines who decides."
        ),
    ] = DEFAULT_TYPE
    description: Annotated[str | None, Meta(description="More about it, for the people who decide.")] = None
    assignees: Annotated[
        list[str] | None, Meta(description="Who may decide: e-mail addresses, team:NAME, role:NAME.")
    ] = None
    task_type: Annotated[
        str | None, Meta(description="approval (default), review, confirmation, form, ...")
    ] = None
    allowed_outcomes: list[str] | None = None
    required_comment: bool | None = None
    evidence_required: bool | None = None
    form_schema: Annotated[dict[str, Any] | None, Meta(description="JSON Schema of fields to fill in.")] = (
        None
    )
    notify_email: list[str] | None = None
    deadline_at: Annotated[str | None, Meta(description="RFC 3339. Silence is never consent.")] = None
    remind_after_seconds: int | None = None
    remind_interval_seconds: int | None = None
    max_reminders: int | None = None
    escalate_to: str | None = None
    on_behalf_of: Annotated[str | None, Meta(description="The person it is for; they may not decide it.")] = (
        None
    )
    wait_seconds: Wait = DEFAULT_WAIT
    request_key: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=255,
                description="Your own name for this request: the same name means the same request. Without it, the "
                "same content continues a request that is still open.",
            ),
        ]
        | None
    ) = None


class GetRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Reads or follows one request."""

    request_id: Annotated[str, _ID]
    wait_seconds: Wait = 0.0


class ListRequests(Struct, kw_only=True, forbid_unknown_fields=True):
    """Lists the requests of this key."""

    status: Annotated[
        str | None, Meta(description="pending, or one of WAITING, COMPLETED, FAILED, CANCELED, TIMED_OUT.")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=50)] = 20


class WithdrawRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Withdraws a request of this key."""

    request_id: Annotated[str, _ID]
    reason: Annotated[str, Meta(max_length=2000)] = ""


class ReportedError(Struct, kw_only=True, forbid_unknown_fields=True):
    """Why the step failed."""

    code: Annotated[str, Meta(min_length=1, max_length=128)]
    message: Annotated[str, Meta(max_length=2000)]
    retryable: bool = False


class ReportResult(Struct, kw_only=True, forbid_unknown_fields=True):
    """Reports the agent's own step: a result, or an error."""

    request_id: Annotated[str, _ID]
    result: dict[str, Any] | None = None
    error: ReportedError | None = None


@dataclass(frozen=True)
class ToolCall:
    """One call: the requests of its key, how to report that it is still waiting, and whether it may return before the
    decision.
    """

    requests: Requests
    heartbeat: Heartbeat | None = None
    waits: bool = True


@dataclass(frozen=True)
class ToolSpec:
    """One tool: its arguments, what it does, and its annotations."""

    arguments: type[Struct]
    run: Callable[[ToolCall, Any], Awaitable[Answer | Listed]]
    title: str
    text: str
    returns: type[Struct] = Answer
    reads: bool = False
    destroys: bool = False
    idempotent: bool = True


async def _request_approval(call: ToolCall, asked: RequestApproval) -> Answer:
    sent, repeated = await submit(call.requests, asked)
    intent = await call.requests.get(sent.intent_id)
    if call.waits:
        intent = await call.requests.wait(intent, asked.wait_seconds, call.heartbeat)
        await call.requests.returned(intent)
    page = call.requests.page(intent)
    return answer_of(intent, page, repeated=repeated, warnings=sent.warnings)


async def submit(requests: Requests, asked: RequestApproval) -> tuple[SubmittedIntent, bool]:
    """Return the request for this approval, and whether it existed before."""
    fields: Json = {
        name: value
        for name, value in msgspec.to_builtins(asked).items()
        if value is not None and name not in ("wait_seconds", "request_key")
    }
    task = {name: fields.pop(name) for name in _TASK if name in fields}
    return await requests.submit({**fields, "human_task": task}, asked.request_key)


_TASK: Final = (
    "title",
    "description",
    "task_type",
    "allowed_outcomes",
    "required_comment",
    "evidence_required",
    "assignees",
    "notify_email",
    "form_schema",
)


async def _get_request(call: ToolCall, asked: GetRequest) -> Answer:
    intent = await call.requests.get(asked.request_id)
    intent = await call.requests.wait(intent, asked.wait_seconds, call.heartbeat)
    await call.requests.returned(intent)
    return answer_of(intent, call.requests.page(intent))


async def _list_requests(call: ToolCall, asked: ListRequests) -> Listed:
    found = await call.requests.list(asked.status, asked.limit)
    return Listed(requests=[answer_of(intent, call.requests.page(intent)) for intent in found])


async def _withdraw_request(call: ToolCall, asked: WithdrawRequest) -> Answer:
    intent = await call.requests.withdraw(asked.request_id, asked.reason)
    return answer_of(intent, call.requests.page(intent))


async def _report_result(call: ToolCall, asked: ReportResult) -> Answer:
    if (asked.result is None) == (asked.error is None):
        raise ToolFailed(
            Problem(
                code="validation_error", message="A report has either a result or an error.", field="result"
            )
        )
    error = msgspec.to_builtins(asked.error) if asked.error is not None else None
    intent = await call.requests.report(asked.request_id, asked.result, error)
    return answer_of(intent, call.requests.page(intent))


TOOLS: Final[dict[str, ToolSpec]] = {
    "request_approval": ToolSpec(
        RequestApproval,
        _request_approval,
        "Request approval",
        "Ask people to approve something before you do it. Waits for the decision up to wait_seconds; if none has "
        "come, state is waiting: follow the request with get_request. Act only if approved is true, once, and on "
        "exactly data.payload, which people may have edited. Repeating the call while it waits does not ask again.",
    ),
    "get_request": ToolSpec(
        GetRequest,
        _get_request,
        "Follow a request",
        "Read a request, or wait up to wait_seconds for its decision.",
        reads=True,
    ),
    "list_requests": ToolSpec(
        ListRequests,
        _list_requests,
        "List own requests",
        "List the newest requests that were made with this key.",
        returns=Listed,
        reads=True,
    ),
    "withdraw_request": ToolSpec(
        WithdrawRequest,
        _withdraw_request,
        "Withdraw a request",
        "Withdraw a request that you made and no longer need.",
        destroys=True,
        idempotent=False,
    ),
    "report_result": ToolSpec(
        ReportResult,
        _report_result,
        "Report a result",
        "Report the result, or the error, of the workflow's step that waits for you as its agent. It decides nothing.",
        idempotent=False,
    ),
}


def listing() -> list[types.Tool]:
    """The tools as MCP lists them."""
    return [
        types.Tool(
            name=name,
            title=spec.title,
            description=spec.text,
            input_schema=schema_of(spec.arguments),
            output_schema=schema_of(spec.returns),
            annotations=types.ToolAnnotations(
                title=spec.title,
                read_only_hint=spec.reads,
                destructive_hint=spec.destroys,
                idempotent_hint=spec.idempotent,
                open_world_hint=False,
            ),
        )
        for name, spec in TOOLS.items()
    ]


def arguments_of(spec: ToolSpec, values: Json | None) -> Struct:
    """Return the checked arguments; raises ToolFailed with what is wrong with them."""
    problem = Problem(code="validation_error", message="", next=CORRECT)
    if fault := fault_in(values or {}, "arguments"):
        problem.message = f"This cannot be sent as JSON: {fault}."
        raise ToolFailed(problem)
    try:
        return msgspec.convert(values or {}, spec.arguments)
    except msgspec.ValidationError as error:
        problem.message = str(error)
        raise ToolFailed(problem) from None


def result_of(answer: Answer | Listed) -> types.CallToolResult:
    return tool_results.list_of(answer) if isinstance(answer, Listed) else tool_results.result_of(answer)
