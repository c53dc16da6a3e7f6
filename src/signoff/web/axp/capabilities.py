"""What AXP's clients ask for first: the server's capabilities, and its scenario templates."""

from typing import Annotated, Any, Final

from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.wire.common import Ok
from signoff.wire.fields import about

CAPABILITIES: Final = (
    "intents",
    "tasks",
    "approvals",
    "agents",
    "scenarios",
    "service-accounts",
    "inbox",
    "mesh",
)


class Capabilities(Ok, kw_only=True):
    """What this server supports of AXP."""

    capabilities: Annotated[
        list[str],
        about("The families of AXP's endpoints that are supported, at least in part.", [*CAPABILITIES]),
    ]
    supported_intent_types: Annotated[
        list[str],
        about(
            "The intent types with a workflow. Other types are accepted too, unless the workspace refuses them.",
            ["intent.db.migrate.v1"],
        ),
    ]


class Macros(Ok, kw_only=True):
    """AXP scenario templates: this server has none."""

    macros: Annotated[list[dict[str, Any]], about("Always empty.", [])]


async def capabilities(call: Call) -> Capabilities:
    """GET /v1/capabilities"""
    workflows = (await directory_of(call)).workflows
    return Capabilities(capabilities=[*CAPABILITIES], supported_intent_types=sorted(workflows))


async def macros(_call: Call) -> Macros:
    """GET /v1/tool-registry/macros"""
    return Macros(macros=[])
