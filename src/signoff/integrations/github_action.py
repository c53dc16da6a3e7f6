"""The step of the GitHub action in ``clients/github-action``: asks people about this job, waits, and exits according to
the decision.

Exit codes are those of ``signoff intents watch``: 0 approved, 10 rejected, 11 nobody decided in time, 1 anything
else. Each attempt of a run asks again; a step that is repeated within one attempt continues to wait for the same
request.
"""

import io
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from signoff.client.call_request import canonical_json
from signoff.client.errors import InvalidEdit, SignoffError
from signoff.client.gate import Gate
from signoff.client.gated_call import NOBODY_ASKED, Decision
from signoff.client.records import Json

# Our names with GitHub's names. People decide on these values, and nobody may change them.
_CONTEXT: Final = {
    "repository": "GITHUB_REPOSITORY", "commit": "GITHUB_SHA", "ref": "GITHUB_REF", "workflow": "GITHUB_WORKFLOW",
    "job": "GITHUB_JOB", "actor": "GITHUB_ACTOR", "run": "GITHUB_RUN_ID", "attempt": "GITHUB_RUN_ATTEMPT",
}  # fmt: skip
_SERVER: Final = {"url": "SIGNOFF_URL", "api-key": "SIGNOFF_API_KEY"}
_EXITS: Final = {"rejected": 10, "expired": 11}


def main(environ: Mapping[str, str]) -> int:
    """Run the step; returns its exit code."""
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # a reason that cannot be written must not change the exit code
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # An empty input would otherwise be looked up in the checked-out files.
        if empty := [name for name, variable in _SERVER.items() if not environ.get(variable, "").strip()]:
            raise ValueError(f"{' and '.join(empty)} must not be empty")
        context = {name: environ[variable] for name, variable in _CONTEXT.items() if environ.get(variable)}
        payload = _object(environ.get("GATE_PAYLOAD") or "{}")
        if clash := sorted(payload.keys() & _CONTEXT.keys()):
            raise ValueError(f"payload must not contain {', '.join(clash)}: these are taken from the run")
        gate = Gate(
            environ.get("GATE_INTENT_TYPE") or "intent.github.deploy.v1",
            title=environ.get("GATE_TITLE") or "Run {name}?",
            on_behalf_of=environ.get("GATE_ON_BEHALF_OF", ""),
        )
        name = f"{context.get('workflow', 'workflow')}/{context.get('job', 'job')}"
        key = canonical_json([environ.get("GITHUB_ACTION", ""), context])
        seconds = 60 * float(environ.get("GATE_WAIT_MINUTES") or 350)
        decision = gate.decide(name, {**payload, **context}, key, timeout=seconds)
        changed = [one for one in context if decision.approved and decision.arguments[one] != context[one]]
        if changed:
            raise InvalidEdit(f"The approval is for another run: {', '.join(changed)} was edited.")
    except (SignoffError, ValueError, TypeError) as error:
        return _failed(environ, str(error), 1)
    _put(environ, "intent-id", decision.result.intent_id)
    _summarize(environ, decision)
    if not decision.approved:
        return _failed(environ, decision.reason, _EXITS.get(decision.result.ending, 1))
    _put(environ, "payload", canonical_json({one: decision.arguments[one] for one in payload}))
    _put(environ, "comment", decision.reason)
    if not decision.result.ending:
        print(NOBODY_ASKED)
    else:
        print("Approved." if not decision.edited else "Approved with changes.")
    return 0


def _object(text: str) -> Json:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"payload is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("payload is not a JSON object")
    return value


def _failed(environ: Mapping[str, str], reason: str, code: int) -> int:
    # What people wrote must not form a command of the runner.
    text = reason.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error title=Not approved::{text}")
    return code


def _put(environ: Mapping[str, str], name: str, value: str) -> None:
    """Write an output of the step. The author of the value cannot guess the delimiter."""
    if path := environ.get("GITHUB_OUTPUT"):
        mark = secrets.token_hex(16)
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{name}<<{mark}\n{value}\n{mark}\n")


def _summarize(environ: Mapping[str, str], decision: Decision) -> None:
    if path := environ.get("GITHUB_STEP_SUMMARY"):
        sentence = "approved" if decision.approved else "not approved"
        if decision.approved and not decision.result.ending:
            sentence = "nobody was asked"
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"Signoff request `{decision.result.intent_id}`: **{sentence}**.\n")


if __name__ == "__main__":
    sys.exit(main(os.environ))
