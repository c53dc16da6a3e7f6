"""The SDK's public names are one list."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import signoff
from signoff.client.sync import Client

pytestmark = pytest.mark.windows

NAMES = {
    "Account", "Actor", "Agent", "AgentHealth", "AlreadyDecided", "AlreadyUsed", "AppliedScenario",
    "AppliedWorkflow", "AsyncClient", "AsyncPendingCall",
    "AuditEvent", "AuditTrail", "AuthenticationFailed", "Client", "ClientClosed", "Conflict", "ConnectionFailed",
    "Delivery", "Event", "StepError", "Health", "Intent", "IntentCanceled", "IntentExpired", "IntentFailed",
    "IntentRejected", "IntentSuperseded", "IntentTimedOut", "IntentUndeliverable", "IntentWithdrawn",
    "Invalid", "InvalidEdit", "Key", "Me", "NotConfigured", "NotFound", "PendingCall",
    "PermissionDenied", "RateLimited", "RequestRefused", "Result", "ScenarioCheck", "ServerBusy",
    "ServerFailed", "SignoffError", "StaleRevision", "StepFailed", "Task", "Vote", "WaitTimeout",
    "Workflow", "WrongResponse", "gate",
}  # fmt: skip
ROOT = Path(__file__).parents[2]


def test_public_names_are_listed() -> None:
    assert sorted(signoff.__all__) == sorted([*NAMES, "__version__"])
    assert set(dir(signoff)) >= NAMES


def test_every_public_name_can_be_imported_and_no_other() -> None:
    for name in NAMES:
        assert getattr(signoff, name).__name__ == name
    assert signoff.Client is Client
    assert not hasattr(signoff, "Manager")


def test_version_is_that_of_the_distribution() -> None:
    assert importlib.metadata.version("signoff") == signoff.__version__


def test_package_import_loads_no_http_client_and_client_import_no_server() -> None:
    script = (
        "import sys, signoff; assert 'httpx2' not in sys.modules;"
        "signoff.Client; assert 'httpx2' in sys.modules;"
        "assert not {'starlette', 'apsw', 'asyncpg', 'signoff.core'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT / "src")}
    )
