"""Answering tasks: the digest that was shown is sent, a yes must be confirmed, a late answer is reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from signoff.cli.failures import ExitCode
from signoff.wire.tasks import TaskOut
from tests.cli.conftest import Run
from tests.cli.terminal import at_a_terminal
from tests.client.stub import INTENT, Answer, Stub, refused

TASK = "0198c0de-0000-7000-8000-000000000002"
PATH = f"/v1/tasks/{TASK}"
DIGEST = "ab" * 32
SRC = Path(__file__).parents[2] / "src"


def task(state: str = "open", **more: Any) -> Answer:
    told = {
        "task_id": TASK,
        "intent_id": INTENT,
        "intent_type": "intent.infra.change_approval.v1",
        "state": state,
        "task_type": "approval",
        "title": "Run the migration\x1b[2J?",
        "description": "Adds an index.\ndigest       0000",
        "allowed_outcomes": ["approved", "rejected"],
        "payload": {"migration": "add_index"},
        "requester": {"kind": "service", "id": "sa_1", "name": "ci"},
        "revision": 3,
        "digest": DIGEST,
        "on_expiry": "Without an answer nothing happens.",
    }
    return Answer({"ok": True, "task": {**told, **more}})


DECIDED = {
    "outcome": "approved",
    "decided_by_name": "Ann",
    "decided_at": "2026-03-01T12:00:00Z",
    "via": "api",
}


def test_approve_sends_the_revision_and_digest_that_were_shown(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task())
    stub.on("POST", f"{PATH}/answer", task("closed", **DECIDED))
    result = run("tasks", "approve", TASK, "--yes", "--comment", "fine")
    assert result.exit_code == 0
    sent = stub.asked[-1].body
    assert sent == {"outcome": "approved", "comment": "fine", "revision": 3, "digest": DIGEST}
    for shown in (
        "ci (sa_1)",
        '"migration": "add_index"',
        DIGEST,
        "Run the migration\\x1b[2J?",
        "\n    digest  ",
    ):
        assert shown in result.stderr
    said = "Run the migration\\x1b[2J?: approved by Ann at 2026-03-01T12:00:00Z via api\n"
    assert result.stdout == f"{said}revision 3, digest {DIGEST}\n"


def test_approve_without_a_terminal_requires_the_yes_option(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task())
    result = run("tasks", "approve", TASK, input="y\n")
    assert result.exit_code == ExitCode.USAGE
    assert "Repeat the command with --yes" in result.stderr
    assert stub.seen("POST", f"{PATH}/answer") == []


@pytest.mark.parametrize("flags", [(), ("--yes",), ("--yes", "--digest", DIGEST)])
def test_key_that_cannot_decide_is_refused_at_once_with_the_address_of_the_page(
    run: Run, stub: Stub, flags: tuple[str, ...]
) -> None:
    stub.on("GET", PATH, task(strength="session", risk="high"))
    for command in (["approve"], ["reject"], ["submit", "--outcome", "approved"]):
        result = run("tasks", *command, TASK, *flags)
        assert result.exit_code == ExitCode.FORBIDDEN
        assert result.stderr.splitlines() == [
            "error: This decision requires a sign-in by e-mail; a key is not enough, so nothing was recorded.",
            f"  Decide on its page; --open opens it here: {stub.url}/tasks/{TASK}",
        ]
    assert stub.seen("POST", f"{PATH}/answer") == []


@pytest.mark.parametrize("risk", ["high", "critical"])
def test_no_option_confirms_a_high_risk_approval(run: Run, stub: Stub, risk: str) -> None:
    stub.on("GET", PATH, task(strength="link", risk=risk))
    result = run("tasks", "approve", TASK, "--yes")
    assert result.exit_code == ExitCode.USAGE
    assert f"The risk is {risk}: --yes is not accepted." in result.stderr
    assert stub.seen("POST", f"{PATH}/answer") == []


def test_reject_sends_the_comment(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task())
    stub.on("POST", f"{PATH}/answer", task("closed", outcome="rejected"))
    assert run("tasks", "reject", TASK, "-y", "-m", "not now").exit_code == 0
    assert stub.asked[-1].body["outcome"] == "rejected"


def test_approve_of_a_decided_task_exits_with_6_and_names_who_decided(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task("closed", **DECIDED))
    result = run("tasks", "approve", TASK, "--yes")
    assert result.exit_code == ExitCode.CONFLICT
    assert "Already decided: approved by Ann at 2026-03-01T12:00:00Z via api." in result.stderr


def test_approve_that_loses_a_race_exits_with_6(run: Run, stub: Stub) -> None:
    details = {
        "outcome": "rejected",
        "decided_by": "per_otto",
        "decided_by_name": "Otto",
        "decided_at": "2026-03-01T12:00:00Z",
        "via": "web",
    }
    stub.on("GET", PATH, task())
    stub.on(
        "POST",
        f"{PATH}/answer",
        refused(409, "already_decided", details=details),
        refused(409, "stale_revision"),
    )
    late = run("tasks", "approve", TASK, "--yes")
    assert late.exit_code == ExitCode.CONFLICT
    assert "Already decided: rejected by Otto at 2026-03-01T12:00:00Z via web." in late.stderr
    stale = run("tasks", "approve", TASK, "--yes")
    assert stale.exit_code == ExitCode.CONFLICT
    assert "Read it again" in stale.stderr


def test_approve_refuses_a_digest_other_than_the_one_shown(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task())
    stub.on("POST", f"{PATH}/answer", task("closed"))
    assert run("tasks", "approve", TASK, "--yes", "--digest", "cd" * 32).exit_code == ExitCode.CONFLICT
    assert stub.seen("POST", f"{PATH}/answer") == []
    assert run("tasks", "approve", TASK, "--yes", "--digest", DIGEST).exit_code == 0


def test_missing_required_comment_error_names_the_flag(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task(comment_required=True))
    result = run("tasks", "approve", TASK, "--yes")
    assert result.exit_code == ExitCode.USAGE
    assert "--comment TEXT" in result.stderr


def test_submit_converts_form_fields_to_their_types(run: Run, stub: Stub) -> None:
    schema = {"properties": {"amount": {"type": "integer"}}}
    stub.on("GET", PATH, task(task_type="form", allowed_outcomes=["submitted"], form_schema=schema))
    stub.on("POST", f"{PATH}/answer", task("closed", outcome="submitted"))
    result = run("tasks", "submit", TASK, "--yes", "-f", "amount=5", "--data", '{"why": "x"}')
    assert result.exit_code == 0
    sent = stub.asked[-1].body
    assert (sent["outcome"], sent["data"]) == ("submitted", {"why": "x", "amount": 5})


def test_submit_requires_an_outcome_if_there_are_several(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task())
    result = run("tasks", "submit", TASK, "--yes")
    assert result.exit_code == ExitCode.USAGE
    assert "approved, rejected" in result.stderr


def test_evidence_is_sent_in_the_field_that_the_server_reads(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task(evidence_required=True))
    stub.on("POST", f"{PATH}/answer", task("closed"))
    assert run("tasks", "approve", TASK, "-y", "--evidence", "ticket 7").exit_code == 0
    assert stub.asked[-1].body["data"] == {"evidence": "ticket 7"}


def test_list_shows_each_task_on_one_escaped_line(run: Run, stub: Stub) -> None:
    answer = task()
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": [answer.body["task"]]}))
    result = run("tasks", "list", "--mine")
    assert len(result.stdout.splitlines()) == 2
    assert "Run the migration\\x1b[2J?" in result.stdout
    assert stub.asked[0].query["mine"] == "true"
    assert json.loads(run("tasks", "list", "--json", "task_id").stdout) == [{"task_id": TASK}]
    assert run("tasks", "get", "000000000002", "--json").exit_code == ExitCode.NOT_FOUND
    assert set(answer.body["task"]) <= set(TaskOut.__struct_fields__)


APPROVE = ("tasks", "approve", TASK)


def test_approve_in_a_terminal_asks_for_confirmation(stub: Stub) -> None:
    stub.on("GET", PATH, task())
    stub.on("POST", f"{PATH}/answer", task("closed", **DECIDED))
    code, screen = at_a_terminal(stub, APPROVE, [(b"[y/N]", b"y\n")])
    assert code == 0
    assert screen.index(DIGEST) < screen.index("Answer 'approved'? [y/N]") < screen.index("approved by Ann")
    assert len(stub.seen("POST", f"{PATH}/answer")) == 1


def test_any_reply_other_than_yes_cancels_the_approval(stub: Stub) -> None:
    stub.on("GET", PATH, task())
    for keys in (b"\n", b"n\n", b"yep\n"):
        code, screen = at_a_terminal(stub, APPROVE, [(b"[y/N]", keys)])
        assert code == ExitCode.DECLINED
        assert "Canceled: nothing was changed." in screen
    assert stub.seen("POST", f"{PATH}/answer") == []


def test_end_of_an_intent_id_resolves_to_its_open_task(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": [task().body["task"]]}))
    stub.on("GET", PATH, task())
    assert run("tasks", "get", "800000000000", "-o", "id").stdout == TASK + "\n"
    assert run("tasks", "get", "0198c0de", "-o", "id").stdout == TASK + "\n"


def test_steps_after_approval_are_shown_before_the_confirmation(run: Run, stub: Stub) -> None:
    steps = [
        {
            "step_id": "apply",
            "kind": "agent",
            "after": ["yes"],
            "agent": "agent://x/y/runner",
            "input": {"command": "DROP TABLE users"},
        },
        {
            "step_id": "tell",
            "kind": "notify",
            "after": ["yes", "no"],
            "to": ["ann"],
            "message": "Done\x1b[2J.",
        },
        {"step_id": "clean", "kind": "agent", "after": ["no", "silence"], "agent": "agent://x/y/cleaner"},
    ]
    stub.on("GET", PATH, task(next_steps=steps))
    stub.on("POST", f"{PATH}/answer", task("closed", **DECIDED))
    assert "DROP TABLE users" in run("tasks", "get", TASK).stdout
    shown = run("tasks", "approve", TASK, "--yes").stderr
    assert "after a yes  apply: agent://x/y/runner runs it" in shown
    assert '"command": "DROP TABLE users"' in shown
    assert "told         Done\\x1b[2J." in shown
    assert "after no or silence" in shown


def test_quiet_approve_shows_the_task_unless_yes_is_given(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task())
    asked = run("tasks", "approve", TASK, "--quiet")
    assert asked.exit_code == ExitCode.USAGE
    assert "digest " in asked.stderr
    stub.on("POST", f"{PATH}/answer", task(state="closed", outcome="approved"))
    assert run("tasks", "approve", TASK, "--quiet", "--yes").stderr == ""


def test_secrets_are_masked_in_text_json_and_the_card(run: Run, stub: Stub) -> None:
    holding = {"db": {"password": "hunter2"}, "url": "postgresql://app:hunter2@db/x", "target": "prod"}
    stub.on("GET", PATH, task(payload=holding, previous_results={"check": {"headers": ["Bearer hunter2"]}}))
    stub.on("POST", f"{PATH}/answer", task("closed", payload=holding, **DECIDED))
    stub.on(
        "GET", "/v1/tasks", Answer({"ok": True, "tasks": [task(payload=holding).body["task"]], "total": 1})
    )
    for command in (("get", TASK), ("get", TASK, "--json"), ("list", "--json"), ("approve", TASK, "--yes")):
        result = run("tasks", *command)
        assert result.exit_code == 0
        assert "hunter2" not in result.output + result.stderr
        assert "prod" in result.output + result.stderr


SIXTY = [f"line {number}: value" for number in range(60)]
CHANGING = {
    "target": "prod\x1b[2J",
    "lock_timeout": {"before": "30s", "after": "5s"},
    "manifest": {"before": "\n".join(SIXTY), "after": "\n".join([*SIXTY[:31], "line\x1b 31", *SIXTY[32:]])},
    "config": {"old": {f"k{n}": n for n in range(9)}, "new": {f"k{n}": n for n in range(8)}},
    "db_password": {"before": "hunter2-one", "after": "hunter2-two"},
    "blob": {"before": ",x" * 70_000, "after": ".y" * 70_000},
}


def test_changes_are_shown_as_on_the_page(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task(payload=CHANGING, risk="medium"))
    stub.on("POST", f"{PATH}/answer", task("closed", **DECIDED))
    text = run("tasks", "get", TASK).stdout
    for part in (
        "payload      4 changed, 1 removed\n    target: prod\\x1b[2J\n    lock_timeout: 30s → 5s\n",
        "    manifest: +1 −1\n        … 28 unchanged lines\n          line 28: value\n",
        "        - line 31: value\n        + line\\x1b 31\n",
        "    … 8 unchanged values\n    config.k8: 8 → (removed)\n",
        "Too long to compare word by word",
    ):
        assert part in text
    assert "hunter2" not in text
    assert "line 2: value" not in text
    for shown in (run("tasks", "get", TASK, "--whole").stdout, run("tasks", "approve", TASK, "--yes").stderr):
        assert "          line 2: value\n" in shown
        assert "    config.k1: 1 (unchanged)\n" in shown


def test_low_risk_task_is_decided_from_its_hunks(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task(payload=CHANGING, risk="low"))
    stub.on("POST", f"{PATH}/answer", task("closed", **DECIDED))
    shown = run("tasks", "approve", TASK, "--yes").stderr
    assert "… 28 unchanged lines" in shown
    assert "line 2: value" not in shown


def test_removed_and_added_lines_are_colored(run: Run, stub: Stub) -> None:
    stub.on("GET", PATH, task(payload=CHANGING))
    colored = run("tasks", "get", TASK, "--color", "always").stdout
    assert "\x1b[31m        - line 31: value\x1b[0m\n\x1b[32m        + line\\x1b 31\x1b[0m\n" in colored
    assert "\x1b[2m        … 28 unchanged lines\x1b[0m" in colored
    assert "\x1b" not in run("tasks", "get", TASK).stdout


def test_revision_shows_long_values_as_line_differences(run: Run, stub: Stub) -> None:
    changed = [{"path": "sql", "before": "a\nb", "after": "a\nc"}, {"path": "new", "after": "x"}]
    stub.on("GET", PATH, task(changes=[{"from_revision": 1, "to_revision": 2, "changed": changed}]))
    text = run("tasks", "get", TASK).stdout
    assert "    sql: +1 −1\n          a\n        - b\n        + c\n    new: (not there) → x\n" in text


@pytest.mark.parametrize(
    ("missing", "line"), [(2, "needed       2 more approvals"), (1, "needed       1 more approval")]
)
def test_task_shows_how_many_approvals_it_needs(run: Run, stub: Stub, missing: int, line: str) -> None:
    stub.on("GET", PATH, task(approvals_missing=missing))
    assert line in run("tasks", "get", TASK).stdout.splitlines()
