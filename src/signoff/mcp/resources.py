"""The resources: policies, workflows and the key's own requests, as far as the key may read them, as JSON."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import mcp_types as types
import msgspec
from mcp.shared.exceptions import MCPError

from signoff.mcp.requests import Requests
from signoff.mcp.tool_results import DATA_FOLLOWS, answer_of, shown

_JSON: Final = "application/json"
_ID: Final = r"[0-9A-Fa-f-]{36}"
_NEWEST: Final = 50
NOT_FOUND: Final = -32002


async def _policies(requests: Requests) -> Any:
    return await requests.client.directory.policies()


async def _workflows(requests: Requests) -> Any:
    return [workflow.raw for workflow in await requests.client.workflows()]


async def _requests(requests: Requests) -> Any:
    found = await requests.list(None, _NEWEST)
    return [msgspec.to_builtins(answer_of(intent, requests.page(intent))) for intent in found]


async def _decision(requests: Requests, request_id: str) -> Any:
    intent = await requests.get(request_id)
    return msgspec.to_builtins(answer_of(intent, requests.page(intent)))


async def _audit(requests: Requests, request_id: str) -> Any:
    return (await requests.client.audit(request_id)).raw


LISTED: Final[dict[str, tuple[str, str, Callable[[Requests], Awaitable[Any]]]]] = {
    "signoff://policies": ("Policies", "Who decides, and how. Only people's keys may read it.", _policies),
    "signoff://workflows": (
        "Workflows",
        "Which types of request have a workflow, and its steps.",
        _workflows,
    ),
    "signoff://requests": ("Requests", "The newest requests of this key, with their decisions.", _requests),
}
TEMPLATES: Final[dict[str, tuple[str, str, Callable[[Requests, str], Awaitable[Any]]]]] = {
    "signoff://requests/{request_id}": ("Decision", "One request and its current state.", _decision),
    "signoff://requests/{request_id}/audit": (
        "Audit trail",
        "Every event of a request, hash-chained.",
        _audit,
    ),
}


def listing() -> types.ListResourcesResult:
    return types.ListResourcesResult(
        resources=[
            types.Resource(
                uri=uri, name=uri.rpartition("/")[2], title=title, description=text, mime_type=_JSON
            )
            for uri, (title, text, _) in LISTED.items()
        ]
    )


def templates() -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(
        resource_templates=[
            types.ResourceTemplate(
                uri_template=uri,
                name=title.lower().replace(" ", "_"),
                title=title,
                description=text,
                mime_type=_JSON,
            )
            for uri, (title, text, _) in TEMPLATES.items()
        ]
    )


async def read(requests: Requests, uri: str) -> types.ReadResourceResult:
    """Return the resource; raises MCPError if there is none at this address."""
    found = await _value(requests, uri)
    text = shown({"note": DATA_FOLLOWS, "value": found})
    return types.ReadResourceResult(
        contents=[types.TextResourceContents(uri=uri, mime_type=_JSON, text=text)],
        ttl_ms=0,
        cache_scope="private",
    )


async def _value(requests: Requests, uri: str) -> Any:
    if uri in LISTED:
        return await LISTED[uri][2](requests)
    for template, (_, _, value) in TEMPLATES.items():
        pattern = re.escape(template).replace(re.escape("{request_id}"), f"({_ID})")
        if found := re.fullmatch(pattern, uri):
            return await value(requests, found[1])
    raise MCPError(NOT_FOUND, "There is no such resource.", {"uri": uri[:200]})
