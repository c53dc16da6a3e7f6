"""docs/how-to/many-requests.md: its program runs unchanged, and its commands decide as described."""

import subprocess
import sys

from tests.cli.shell import Shell
from tests.cli.shell import live as live
from tests.docs.blocks import DOCS, blocks
from tests.live import Live

PAGE = DOCS / "how-to" / "many-requests.md"
FLOW = {
    "workflow": "refund",
    "intent_type": "intent.payments.refund.v1",
    "steps": [{"id": "ok", "human": {"type": "approval", "title": "Pay it?", "policy": {"risk": "low"}}}],
}


def test_program_and_command_of_the_page_decide_equal_requests(live: Live) -> None:
    shell = Shell(live)
    shell.ask("POST", "/v1/workflows", FLOW)

    def asked(count: int) -> list[str]:
        ids = []
        for number in range(count):
            said = {"intent_type": FLOW["intent_type"], "payload": {"customer": "4711", "amount": number}}
            ids.append(str(shell.ask("POST", "/v1/intents", said)["intent_id"]))
        return ids

    ids = asked(3)
    [program] = blocks(PAGE, "python")
    variables = {"SIGNOFF_URL": live.url, "SIGNOFF_API_KEY": live.owner_key}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=variables
    )
    assert done.stdout == "Recorded for 3 of 3 tasks, each separately: approved. 0\n", done.stderr
    assert {shell.json("intents", "get", one)["status"] for one in ids} == {"COMPLETED"}

    asked(2)
    said = shell("tasks", "reject", "--all", "--search", "customer 4711", "--yes")
    assert said == "Recorded for 2 of 2 tasks, each separately: rejected.\n2 are decided."
