"""Durable execution with human approval built in. These are the public names; everything else may change.

They are loaded when first used: the server lives in this package too, and needs no HTTP client to start.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signoff.client import (
        Account,
        Actor,
        Agent,
        AlreadyDecided,
        AppliedScenario,
        AppliedWorkflow,
        AsyncClient,
        AuditEvent,
        AuditTrail,
        AuthenticationFailed,
        Client,
        Conflict,
        ConnectionFailed,
        Delivery,
        Event,
        Fault,
        Health,
        Intent,
        IntentCanceled,
        IntentFailed,
        IntentRejected,
        IntentTimedOut,
        Invalid,
        Key,
        Me,
        NotConfigured,
        NotFound,
        PermissionDenied,
        RateLimited,
        RequestRefused,
        Result,
        ScenarioCheck,
        ServerBusy,
        ServerFailed,
        SignoffError,
        StaleRevision,
        StepFailed,
        Task,
        Vote,
        WaitTimeout,
        Workflow,
    )

__version__ = "0.1.0"
__all__ = [
    "Account",
    "Actor",
    "Agent",
    "AlreadyDecided",
    "AppliedScenario",
    "AppliedWorkflow",
    "AsyncClient",
    "AuditEvent",
    "AuditTrail",
    "AuthenticationFailed",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Delivery",
    "Event",
    "Fault",
    "Health",
    "Intent",
    "IntentCanceled",
    "IntentFailed",
    "IntentRejected",
    "IntentTimedOut",
    "Invalid",
    "Key",
    "Me",
    "NotConfigured",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "RequestRefused",
    "Result",
    "ScenarioCheck",
    "ServerBusy",
    "ServerFailed",
    "SignoffError",
    "StaleRevision",
    "StepFailed",
    "Task",
    "Vote",
    "WaitTimeout",
    "Workflow",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from signoff import client

    value = getattr(client, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
