"""Programs that crash stories run and kill: an agent, and an initiator who waits. What they did stands in files.

``python -m tests.stories.programs agent FOLDER`` works for ``validator``; ``client FOLDER`` sends one intent.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from signoff import Agent, Client, Delivery

KIND = "intent.crash.change.v1"
LEASE = 2.0


def _note(file: Path, value: Mapping[str, Any]) -> None:
    line = json.dumps(value).encode() + b"\n"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, line)
    os.close(descriptor)


def run_agent(folder: Path) -> None:
    """Processes each delivery once FOLDER/go names its number; notes every run in FOLDER/runs before and after."""
    agent = Agent("validator", concurrency=8, lease=LEASE, grace=0.0)

    @agent.on(KIND)
    def validate(delivery: Delivery) -> dict[str, Any]:
        run = {"intent": delivery.intent_id, "attempt": delivery.attempt, "token": delivery.token}
        _note(folder / "runs", run | {"key": delivery.idempotency_key})
        number = delivery.payload["number"]
        while not (folder / "go").exists() or int((folder / "go").read_text() or 0) <= number:
            time.sleep(0.02)  # polls another process, up to a deadline
        return {"checked": number}

    agent.run()


def run_client(folder: Path) -> None:
    """The four-line client, with an Idempotency-Key so that a second start sends the same request."""
    client = Client(retry_for=300.0)
    number = int(folder.name)
    intent = {"intent_type": KIND, "to_agent": "validator", "payload": {"number": number}}
    intent_id = client.send_intent(intent, idempotency_key=f"crash-{number}")
    _note(folder / "sent", {"intent": intent_id})
    result = client.wait_for(intent_id)
    _note(folder / "result", {"intent": intent_id, "status": result.status, "outcome": result.outcome})


if __name__ == "__main__":
    {"agent": run_agent, "client": run_client}[sys.argv[1]](Path(sys.argv[2]))
