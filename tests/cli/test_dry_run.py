"""``--dry-run`` prints the request of every command that changes something and sends nothing."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click
import pytest
from click.testing import CliRunner

from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.failures import ExitCode
from signoff.cli.main import main
from signoff.cli.session import Remote
from signoff.wire.tasks import MOST_TASKS
from tests.cli.conftest import Run
from tests.cli.shell import Shell
from tests.cli.shell import live as live
from tests.client.stub import INTENT, Answer, Asked, Stub
from tests.live import Live

pytestmark = pytest.mark.windows

TASK = "0198c0de-0000-7000-8000-000000000002"
OPEN = {
    "task_id": TASK,
    "intent_id": INTENT,
    "intent_type": "a.b.v1",
    "state": "open",
    "task_type": "approval",
    "title": "Ship it?",
    "allowed_outcomes": ["approved", "rejected"],
    "outcomes": [],
    "payload": {"n": 1},
    "digest": "ab" * 32,
    "revision": 1,
    "stage": 1,
    "stages": 1,
    "risk": "low",
    "bulk_form": "x",
    "required_strength": "key",
    "comment_required": False,
    "requester": {"id": "svc"},
    "votes": [],
}
ANN = {"id": "per_ann", "email": "ann@acme.example", "roles": ["approver"], "absences": []}
READ: dict[str, Any] = {
    f"/v1/tasks/{TASK}": {"task": OPEN},
    f"/v1/tasks/{TASK[:-1]}3": {"task": OPEN | {"task_id": f"{TASK[:-1]}3"}},
    "/v1/tasks": {"tasks": [OPEN]},
    "/v1/people": {"people": [ANN]},
    "/v1/people/ann%40acme.example/waiting": {"tasks": []},
    "/v1/teams": {"teams": []},
    f"/v1/intents/{INTENT}": {"intent": {"intent_id": INTENT, "intent_type": "a.b.v1", "status": "CREATED"}},
    "/v1/me": {"actor": {"id": "per_ann", "kind": "person"}},
}
COMMANDS = (
    "agents add-sender bot ci", "agents kill bot", "agents remove-sender bot ci", "agents resume bot",
    "agents set-limits bot --per-day 9", "agents set-senders bot allowlist",
    "changes refuse chg_1", f"intents cancel {INTENT} --reason late",
    f"intents rerun {INTENT}", f"intents retry {INTENT}",
    "intents send --type a.b.v1 --to bot --idempotency-key k", "keys create --agent bot", "keys revoke key_1",
    "people absent ann@acme.example --from 2026-03-02 --until 2026-03-09", "people add ann@acme.example",
    "people erase per_ann", "people reassign ann@acme.example otto@acme.example",
    "people set ann@acme.example --name Ann", "people sign-out", "people test-message",
    "scenarios apply - --idempotency-key k", f"tasks approve {TASK}", f"tasks comment {TASK} why",
    f"tasks delegate {TASK} otto@acme.example", f"tasks mark-reviewing {TASK}",
    f"tasks reassign {TASK} role:owner", f"tasks reject {TASK} -m no",
    f'tasks revise {TASK} --payload {{"n":2}}', f"tasks snooze {TASK} --for 2h",
    f"tasks submit {TASK} --outcome approved", f"tasks unsnooze {TASK}", f"tasks withdraw {TASK}",
    "teams set sre -m ann@acme.example", "workspaces create lab", "workspaces rename lab",
)  # fmt: skip
BY_SERVER = (
    "apply -f -",
    "workflows apply -",
    "people remove ann@acme.example",
    "teams remove sre",
    "policies remove prod",
    "workflows remove a.b.v1",
)
AT_A_TERMINAL = "tasks next"  # it asks for an outcome first
ASKS = ("agents kill", "approve", "cancel", "revoke", "erase", "reject", "revise", "submit", "withdraw")


def changing(group: click.Group, path: str = "") -> Iterator[tuple[str, ChangingCommand]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from changing(command, f"{path}{name} ")
        elif isinstance(command, ChangingCommand):
            yield f"{path}{name}", command


def test_every_changing_command_is_covered_here() -> None:
    tried = {" ".join(written.split()[:2]) for written in (*COMMANDS, *BY_SERVER)} | {AT_A_TERMINAL}
    assert tried == {name if " " in name else f"{name} -f" for name, _ in changing(main)}
    assert sum(command.judged for _, command in changing(main)) == len(BY_SERVER)


@pytest.mark.parametrize("written", COMMANDS)
def test_dry_run_sends_nothing_and_prints_what_the_real_run_sends(run: Run, stub: Stub, written: str) -> None:
    for path, body in READ.items():
        stub.on("GET", path, Answer({"ok": True} | body))
    arguments, document = written.split(), '{"scenario_id": "s"}'
    dry = run(*arguments, "--dry-run", "--json", input=document)
    assert (dry.exit_code, sent(stub)) == (0, []), dry.output
    said = json.loads(dry.stdout)

    run(*arguments, *(["--yes"] if any(word in written for word in ASKS) else []), input=document)
    [real] = sent(stub)
    printed = urlsplit(said["path"])
    assert (said["method"], printed.path, dict(parse_qsl(printed.query))) == (
        real.method,
        real.path,
        real.query,
    )
    assert said["body"] == real.body
    if "--idempotency-key" in arguments:
        assert said["idempotency_key"] == real.headers["idempotency-key"] == "k"
    else:
        assert "idempotency_key" not in said


@pytest.mark.parametrize("written", BY_SERVER)
def test_dry_run_uses_the_servers_own_dry_run_where_there_is_one(run: Run, stub: Stub, written: str) -> None:
    change = {"action": "remove", "kind": "team", "name": "sre", "fields": []}
    stub.on("POST", "/v1/apply", Answer({"ok": True, "dry_run": True, "changed": True, "changes": [change]}))
    flow = {"name": "w", "intent_type": "a.b.v1", "version": "1"}
    applied = {"ok": True, "dry_run": True, "changed": True, "workflow": flow, "warnings": []}
    stub.on("POST", "/v1/workflows", Answer(applied))
    stub.on("GET", "/v1/people/ann%40acme.example/waiting", Answer({"ok": True, "tasks": []}))
    done = run(*written.split(), "--dry-run", input="{}")
    assert done.exit_code == 0, done.output
    assert [one.query for one in sent(stub)] == [{"dry_run": "true"}]
    assert ("- remove team sre" if "/v1/apply" in sent(stub)[0].path else "would change") in done.stdout


def test_dry_run_prints_the_request_and_that_nothing_was_sent(run: Run, stub: Stub) -> None:
    stub.on("GET", f"/v1/tasks/{TASK}", Answer({"ok": True, "task": OPEN}))
    done = run("tasks", "approve", TASK, "-m", "fine", "--dry-run")
    assert done.stdout.startswith(f"POST /v1/tasks/{TASK}/answer\n{{\n")
    assert '"comment": "fine"' in done.stdout
    assert done.stderr.endswith("Nothing was sent. Without --dry-run, this would be:\n")
    assert "Ship it?" in done.stderr  # the card, as before a real answer


def test_dry_run_masks_secrets(run: Run, stub: Stub) -> None:
    payload = '{"api_token": "sk_live_abcdef0123456789"}'
    done = run("intents", "send", "--type", "a.b.v1", "--to", "bot", "--payload", payload, "--dry-run")
    assert "api_token" in done.stdout
    assert "sk_live" not in done.output


def test_dry_run_prints_each_of_several_requests(run: Run, stub: Stub) -> None:
    many = [
        OPEN | {"task_id": f"0198c0de-0000-7000-8000-{n:012}", "bulk_form": "x"}
        for n in range(MOST_TASKS + 50)
    ]
    stub.on("GET", "/v1/tasks", Answer({"ok": True, "tasks": many}))
    done = run("tasks", "approve", "--all", "--limit", "1000", "--dry-run", "-o", "jsonl")
    bodies = [json.loads(line)["body"] for line in done.stdout.splitlines()]
    assert [len(body["tasks"]) for body in bodies] == [MOST_TASKS, 50]
    assert sent(stub) == []


def test_mistake_is_reported_before_the_dry_run_prints_anything(run: Run, stub: Stub) -> None:
    done = run("teams", "set", "sre", "-m", "ann@acme.example", "--zone", "Europe/Berlin", "--dry-run")
    assert (done.exit_code, done.stdout) == (ExitCode.USAGE, "")


def test_read_only_command_cannot_send_a_changing_request(stub: Stub) -> None:
    """A changing request from a command that is declared as reading raises an error and is not sent."""

    @click.command("list", cls=RemoteCommand)
    @click.pass_obj
    def wrong(session: Remote) -> None:
        session.client.revoke_key("key_1")

    settings = {"SIGNOFF_URL": stub.url, "SIGNOFF_API_KEY": "sgn_person_test_secret"}
    done = CliRunner().invoke(wrong, [], env=settings)
    assert isinstance(done.exception, TypeError)
    assert sent(stub) == []


@pytest.mark.parametrize(
    "written",
    [
        "login http://127.0.0.1:1",
        "db migrate",
        "db restore file",
        "db owner-key",
        "db signin-link ann@acme.example",
        "db add-workspace acme/lab --owner ann@acme.example",
    ],
)
def test_command_without_a_dry_run_refuses_the_option_by_name(run: Run, written: str) -> None:
    done = run(*written.split(), "--dry-run")
    assert done.exit_code == ExitCode.USAGE
    assert " has no dry run: " in done.stderr
    assert "--dry-run" not in run(*written.split()[: 2 if written.startswith("db") else 1], "--help").stdout


def test_dry_run_changes_nothing_on_a_real_server(live: Live) -> None:
    sh = Shell(live)
    task = sh.asked()
    before = sh.json("tasks", "get", task), sh.json("changes", "list"), sh.json("people", "list")
    for command in (
        ("tasks", "approve", task),
        ("people", "add", "new@acme.example"),
        ("teams", "set", "sre", "-m", "new@acme.example"),
    ):
        assert json.loads(sh(*command, "--dry-run", "--json"))["dry_run"]
    after = sh.json("tasks", "get", task), sh.json("changes", "list"), sh.json("people", "list")
    assert after == before


def sent(stub: Stub) -> list[Asked]:
    """The requests that are not reads."""
    return [asked for asked in stub.asked if asked.method != "GET"]
