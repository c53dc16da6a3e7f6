"""The JSON of the API, declared once: the requests and responses that the server, the SDK and the command line
share.

One module per resource, with structs only. It imports nothing else from Signoff.
"""

from signoff.wire import (
    accounts,
    audit,
    deliveries,
    export,
    intents,
    keys,
    manifests,
    mesh,
    messages,
    people,
    policies,
    scenarios,
    system,
    tasks,
    teams,
    workflows,
    workspaces,
)

__all__ = [
    "accounts",
    "audit",
    "deliveries",
    "export",
    "intents",
    "keys",
    "manifests",
    "mesh",
    "messages",
    "people",
    "policies",
    "scenarios",
    "system",
    "tasks",
    "teams",
    "workflows",
    "workspaces",
]
