"""Durable execution with human approval built in. These are the public names; everything else may change.

They are imported on first use: the server lives in this package too and does not need an HTTP client to start.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from signoff.client.agent import Agent
    from signoff.client.aio import AsyncClient
    from signoff.client.errors import (
        AlreadyDecided,
        AlreadyUsed,
        AuthenticationFailed,
        ClientClosed,
        Conflict,
        ConnectionFailed,
        IntentCanceled,
        IntentExpired,
        IntentFailed,
        IntentRejected,
        IntentSuperseded,
        IntentTimedOut,
        IntentUndeliverable,
        IntentWithdrawn,
        Invalid,
        InvalidEdit,
        NotConfigured,
        NotFound,
        PermissionDenied,
        RateLimited,
        RequestRefused,
        ServerBusy,
        ServerFailed,
        SignoffError,
        StaleRevision,
        StepFailed,
        WaitTimeout,
        WrongResponse,
    )
    from signoff.client.gate import AsyncPendingCall, PendingCall, gate
    from signoff.client.sync import Client
    from signoff.client.types import (
        Account,
        Actor,
        AgentHealth,
        AppliedScenario,
        AppliedWorkflow,
        AuditEvent,
        AuditTrail,
        Delivery,
        Event,
        Health,
        Intent,
        Key,
        Me,
        Result,
        ScenarioCheck,
        StepError,
        Task,
        Vote,
        Workflow,
    )

__version__ = "0.1.0"
_HOMES: Final = {
    "agent": ("Agent",),
    "aio": ("AsyncClient",),
    "errors": (
        "AlreadyDecided",
        "AlreadyUsed",
        "AuthenticationFailed",
        "ClientClosed",
        "Conflict",
        "ConnectionFailed",
        "IntentCanceled",
        "IntentExpired",
        "IntentFailed",
        "IntentRejected",
        "IntentSuperseded",
        "IntentTimedOut",
        "IntentUndeliverable",
        "IntentWithdrawn",
        "Invalid",
        "InvalidEdit",
        "NotConfigured",
        "NotFound",
        "PermissionDenied",
        "RateLimited",
        "RequestRefused",
        "ServerBusy",
        "ServerFailed",
        "SignoffError",
        "StaleRevision",
        "StepFailed",
        "WaitTimeout",
        "WrongResponse",
    ),
    "gate": ("AsyncPendingCall", "PendingCall", "gate"),
    "sync": ("Client",),
    "types": (
        "Account",
        "Actor",
        "AgentHealth",
        "AppliedScenario",
        "AppliedWorkflow",
        "AuditEvent",
        "AuditTrail",
        "Delivery",
        "Event",
        "StepError",
        "Health",
        "Intent",
        "Key",
        "Me",
        "Result",
        "ScenarioCheck",
        "Task",
        "Vote",
        "Workflow",
    ),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [
    "Account",
    "Actor",
    "Agent",
    "AgentHealth",
    "AlreadyDecided",
    "AlreadyUsed",
    "AppliedScenario",
    "AppliedWorkflow",
    "AsyncClient",
    "AsyncPendingCall",
    "AuditEvent",
    "AuditTrail",
    "AuthenticationFailed",
    "Client",
    "ClientClosed",
    "Conflict",
    "ConnectionFailed",
    "Delivery",
    "Event",
    "Health",
    "Intent",
    "IntentCanceled",
    "IntentExpired",
    "IntentFailed",
    "IntentRejected",
    "IntentSuperseded",
    "IntentTimedOut",
    "IntentUndeliverable",
    "IntentWithdrawn",
    "Invalid",
    "InvalidEdit",
    "Key",
    "Me",
    "NotConfigured",
    "NotFound",
    "PendingCall",
    "PermissionDenied",
    "RateLimited",
    "RequestRefused",
    "Result",
    "ScenarioCheck",
    "ServerBusy",
    "ServerFailed",
    "SignoffError",
    "StaleRevision",
    "StepError",
    "StepFailed",
    "Task",
    "Vote",
    "WaitTimeout",
    "Workflow",
    "WrongResponse",
    "__version__",
    "gate",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"signoff.client.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
