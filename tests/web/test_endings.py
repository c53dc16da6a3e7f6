"""The six endings are the same in events, task, intent, the SDK's exceptions and the CLI's exit codes."""

from datetime import timedelta
from typing import Any

import pytest

import signoff
from signoff.cli.failures import ExitCode
from signoff.cli.watching import ending
from signoff.core.directory.actors import system
from signoff.core.intent.commands import ReportUnreachable
from tests.web.web_env import HOME, WebEnv

TYPE = "asked.v1"
STATUS = {"approved": "COMPLETED", "withdrawn": "CANCELED"}
ENDINGS: dict[str, tuple[type[signoff.IntentFailed] | None, ExitCode]] = {
    "approved": (None, ExitCode.OK),
    "rejected": (signoff.IntentRejected, ExitCode.REJECTED),
    "expired": (signoff.IntentExpired, ExitCode.EXPIRED),
    "withdrawn": (signoff.IntentWithdrawn, ExitCode.WITHDRAWN),
    "superseded": (signoff.IntentSuperseded, ExitCode.SUPERSEDED),
    "undeliverable": (signoff.IntentUndeliverable, ExitCode.UNDELIVERABLE),
}


async def asked(web: WebEnv) -> str:
    """A review that ends after an hour without an answer; returns its task's id."""
    human = {"type": "review", "approvers": ["ann@acme.example"]}
    step = {"id": "ok", "human": human, "deadline": "1h"}
    flow = {"workflow": "asked", "intent_type": TYPE, "steps": [step], "max_revisions": 0}
    assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
    return (await web.send(intent_type=TYPE))[:-4] + "0001"


async def end(web: WebEnv, task_id: str, how: str) -> None:
    match how:
        case "approved" | "rejected":
            await web.answer(task_id, how, "ann")
        case "superseded":
            await web.answer(task_id, "changes_requested", "ann", comment="smaller, please")
        case "expired":
            await web.env.pass_time(timedelta(hours=1))
        case "withdrawn":
            await web.post(f"/v1/tasks/{task_id}/withdraw", {}, "ci")
        case "undeliverable":
            await web.env.do(task_id, ReportUnreachable(1, "nobody"), system(HOME))


@pytest.mark.parametrize("how", ENDINGS)
async def test_each_ending_is_distinct_on_every_surface(web: WebEnv, how: str) -> None:
    task_id = await asked(web)
    await end(web, task_id, how)
    intent_id = f"{task_id[:-4]}0000"
    intent: dict[str, Any] = (await web.get(f"/v1/intents/{intent_id}"))["intent"]
    assert (intent["ending"], intent["status"]) == (how, STATUS.get(how, "FAILED"))
    task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert (task["state"], task["ending"]) == ("closed", how)
    events = (await web.get(f"/v1/intents/{intent_id}/events"))["events"]
    assert [e["details"]["ending"] for e in events if "ending" in e["details"]] == [
        how,
        how,
    ]  # the decision's and the last
    late = await web.answer(task_id, "approved", "ann")
    assert (late.code, late["error"]["details"]["ending"]) == ("already_decided", how)
    kind, code = ENDINGS[how]
    result = signoff.Result.read(intent)
    assert (result.ending, result.approved, ending(result)) == (how, how == "approved", code)
    if kind is None:
        assert result.raise_for_status() is result
        return
    with pytest.raises(signoff.IntentFailed) as failed:
        result.raise_for_status()
    assert type(failed.value) is kind


async def test_no_two_endings_share_a_type_or_a_code() -> None:
    assert (
        len({kind for kind, _ in ENDINGS.values()})
        == len({code for _, code in ENDINGS.values()})
        == len(ENDINGS)
    )
