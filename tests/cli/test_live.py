"""The CLI in real processes against a real server: credentials, output, exit codes."""

import json
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from signoff import Client
from tests.cli.shell import Shell
from tests.live import PATIENCE, Live, free_port
from tests.stories.servers import environment, signoff

WORKFLOW = """
workflow: expense
intent_type: intent.office.expense.v1
steps:
  - id: approve
    human: {type: approval, title: Pay this?, approvers: ["role:owner"]}
    deadline: 2d
"""
BUNDLE = {
    "scenario_id": "two-steps.demo.v1",
    "agents": [{"role": "checker", "address": "checker", "create_if_missing": True}],
    "humans": [{"role": "operator"}],
    "workflow": {
        "steps": [
            {"step_id": "check", "tool_id": "tool.agent.task.v1", "assigned_to": "checker"},
            {"step_id": "ask", "tool_id": "tool.approval.human_signoff", "assigned_to": "operator"},
        ]
    },
    "intent": {"type": "intent.demo.two_steps.v1", "payload": {"n": 1}},
}


@pytest.fixture
def sh(live: Live) -> Shell:
    return Shell(live)


def test_up_prints_its_address_and_writes_credentials_for_the_owner_alone(live: Live) -> None:
    said = live.log.read_text()
    assert re.search(rf"Address +{live.url}\n", said)
    assert re.search(rf"Inbox +{live.url}/\n", said)
    assert "signoff db signin-link" in said
    assert "/login/" not in said  # a log is read by others
    assert re.search(r"Database +sqlite:///", said)
    assert "Ctrl-C" in said
    credentials = live.data / "credentials.json"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert set(live.credentials) == {"url", "api_key", "organization", "workspace", "person"}
    assert live.owner_key not in said


def test_up_refuses_a_folder_or_port_in_use(sh: Shell, tmp_path: Path) -> None:
    folder = signoff(sh.folder, "up", "--port", "0")
    port = signoff(tmp_path, "up", "--port", str(sh.live.port))
    for refused, why in ((folder, "Another server is using"), (port, f"127.0.0.1:{sh.live.port}")):
        assert refused.returncode not in (0, 130)
        assert refused.stderr.startswith("error: ")
        assert why in refused.stderr


def test_up_exits_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "signoff.cli", "up", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any(line.startswith("Stop it with") for line in process.stdout)
            process.send_signal(signal.SIGINT)
            _, trouble = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    unexpected = [
        line
        for line in trouble.splitlines()
        if " info " not in line and " has a known vulnerability, " not in line
    ]
    assert (process.returncode, unexpected) == (0, [])
    assert (tmp_path / ".signoff" / "signoff.db").is_file()
    assert not (tmp_path / ".signoff" / "signoff.db-wal").exists()


def test_key_belongs_to_one_holder_and_ends_when_it_is_revoked(sh: Shell) -> None:
    for option, holder, address in (
        ("--agent", "cli-agent", "agent://local/default/cli-agent"),
        ("--person", "ann@acme.example", "ann@acme.example"),
        ("--service", "ci", None),
    ):
        made = sh.json("keys", "create", option, holder)
        assert {"address", "key_id", "api_key"} <= set(made)
        assert made["address"] == address or address is None
    sh("intents", "list", "-o", "id", SIGNOFF_API_KEY=made["api_key"])
    holders = {key["key_id"]: key["holder_name"] for key in sh.json("keys", "list")}
    assert holders[made["key_id"]] == "ci"
    assert re.search(r"person +active +ann@acme.example", sh("keys", "list"))
    sh("keys", "revoke", made["key_id"], "--yes")
    sh("intents", "list", code=4, SIGNOFF_API_KEY=made["api_key"])
    sh("keys", "create", "--agent", "a", "--service", "b", code=2)


def test_intents_are_sent_listed_followed_canceled_and_retried(sh: Shell) -> None:
    parts = ("--type", "intent.cli.one.v1", "--to", "cli-runner", "--payload", '{"n": 1}')
    intent_id = sh("intents", "send", *parts)
    found = sh.json("intents", "get", intent_id[-12:-4])
    assert (found["intent_id"], found["status"], found["payload"]) == (intent_id, "DELIVERED", {"n": 1})
    assert intent_id in sh("intents", "list", "--status", "pending", "-o", "id").splitlines()
    sh("intents", "watch", intent_id, "--timeout", "0.2s", code=7)
    sh("intents", "cancel", intent_id, code=2)
    assert sh.ask("GET", f"/v1/intents/{intent_id}")["status"] == "DELIVERED"
    assert "CANCELED" in sh("intents", "cancel", intent_id, "--yes", "--reason", "typed wrong")
    sh("intents", "cancel", intent_id, "--yes", code=6)
    watched = sh("intents", "watch", intent_id, "-o", "jsonl", code=12)
    assert [json.loads(line)["event_type"] for line in watched.splitlines()][-1] == "intent.canceled"
    again = sh("intents", "retry", intent_id)
    assert sh.ask("GET", f"/v1/intents/{again}")["intent"]["retry_of"] == intent_id
    sh("intents", "get", "00000000-0000-7000-8000-000000000000", code=5)
    sh("intents", "send", "--type", "not a type", code=2)


def test_task_is_read_approved_and_verified_with_channel_cli(sh: Shell) -> None:
    intent_id = sh.asked(title="Pay \u202e 9 euros?")
    task = next(task for task in sh.json("tasks", "list", "--mine") if task["intent_id"] == intent_id)
    shown = sh("tasks", "get", task["task_id"])
    assert r"Pay \u202e 9 euros?" in shown
    sh("tasks", "approve", task["task_id"], "--yes", "--digest", "0" * 64, code=6)
    assert sh.ask("GET", f"/v1/tasks/{intent_id}")["task"]["state"] == "open"
    sh("tasks", "approve", intent_id, "--yes", "-m", "paid", "--digest", task["digest"])
    closed = sh.ask("GET", f"/v1/tasks/{intent_id}")["task"]
    assert (closed["state"], closed["outcome"], closed["via"]) == ("closed", "approved", "cli")
    assert closed["votes"][0]["comment"] == "paid"
    sh("tasks", "approve", task["task_id"], "--yes", code=6)
    assert "approved by" in sh.remarks
    listed = sh("tasks", "list", "--state", "closed")
    assert re.search(r"OUTCOME +DECIDED BY +DECIDED", listed)
    assert re.search(r"approved +Owner ", listed)
    # What is closed is still called by its short id, as `tasks list --state closed` shows it.
    sh("tasks", "reject", task["task_id"][-12:], "--yes", code=6)
    assert sh.json("tasks", "get", task["task_id"][-12:])["outcome"] == "approved"
    assert re.search(r"COMPLETED +completed +by Owner", sh("intents", "watch", intent_id))
    assert re.search(r"Owner +cli ", sh("audit", "show", intent_id))
    proved = sh.json("audit", "verify", intent_id)
    assert (proved["verified"], proved["problem"], len(proved["head"])) == (True, "", 64)


def test_watch_exits_with_different_codes_for_rejection_and_expiry(sh: Shell) -> None:
    intent_id = sh.asked()
    sh("tasks", "reject", intent_id, "--yes", "-m", "no")
    sh("intents", "watch", intent_id, code=10)
    step = {"id": "ask", "human": {"title": "Anybody?"}, "deadline": "1s"}
    with Client(sh.live.url, sh.live.owner_key) as client:
        client.apply_workflow({"workflow": "soon", "intent_type": "intent.cli.soon.v1", "steps": [step]})
    sh("intents", "send", "--type", "intent.cli.soon.v1", "--watch", "--timeout", "60s", code=11)


@pytest.mark.parametrize(("changed", "code"), [({"rows": True}, 15), ({"rows": 1}, 0)])
def test_watch_tells_a_changed_payload_from_the_one_that_was_sent(
    sh: Shell, changed: dict[str, object], code: int
) -> None:
    kind = f"intent.cli.changed{code}.v1"
    with Client(sh.live.url, sh.live.owner_key) as client:
        step = {"id": "ask", "human": {"title": "Run it?"}}
        client.apply_workflow({"workflow": f"changed{code}", "intent_type": kind, "steps": [step]})
    send = ("intents", "send", "--type", kind, "--payload", '{"rows": 1}', "--idempotency-key", kind)
    intent_id = sh(*send).split()[0]
    if code:
        sh("tasks", "revise", intent_id, "--yes", "--payload", json.dumps(changed))
    sh("tasks", "approve", intent_id, "--yes")
    sh(*send, "--watch", code=0)
    sh(*send, "--watch", "--unchanged", code=code)
    sh(*send, "--unchanged", code=2)
    sh("intents", "send", "--type", kind, "--watch", "--unchanged", code=2)


def test_watch_prints_who_answered_while_it_continues(sh: Shell) -> None:
    stages = [{"any": ["role:owner"]}, {"any": ["role:owner"]}]
    sh.ask("POST", "/v1/policies", {"name": "cli-twice", "policy": {"approve": stages}})
    step = {"id": "ask", "human": {"title": "Twice?", "policy": "cli-twice"}}
    with Client(sh.live.url, sh.live.owner_key) as client:
        client.apply_workflow({"workflow": "twice", "intent_type": "intent.cli.twice.v1", "steps": [step]})
        intent_id = client.send_intent({"intent_type": "intent.cli.twice.v1"})
    sh("tasks", "approve", intent_id, "--yes")
    sh("tasks", "approve", intent_id, "--yes")
    watched = sh("intents", "watch", intent_id)
    assert re.search(r"WAITING +answered +by Owner; waits for ", watched), watched
    assert not re.search(r"human_task_assigned +by ", watched), watched


def test_a_request_names_the_people_it_still_waits_for(sh: Shell) -> None:
    people = [f"board{n}@acme.example" for n in range(5)]
    for person in people:
        sh("people", "add", person, "--name", person.split("@")[0].capitalize(), "--role", "approver")
    sh("teams", "set", "board", *(part for person in people for part in ("--member", person)))
    both = {"any": ["team:board", "role:owner"], "need": 2}
    sh.ask("POST", "/v1/policies", {"name": "cli-board", "policy": {"approve": [both]}})
    step = {"id": "ask", "human": {"title": "Buy it?", "policy": "cli-board"}}
    with Client(sh.live.url, sh.live.owner_key) as client:
        client.apply_workflow({"workflow": "buy", "intent_type": "intent.cli.buy.v1", "steps": [step]})
        intent_id = client.send_intent({"intent_type": "intent.cli.buy.v1"})
    assert re.search(r"waits for +Board0, Board1, Board2 and 3 more \(", sh("intents", "get", intent_id))
    sh("tasks", "approve", intent_id, "--yes")
    told = sh("intents", "get", intent_id)
    assert re.search(r"waits for +Board0, Board1, Board2 and 2 more \(team:board, role:owner\)\n", told), told
    assert re.search(r"answered +approved by Owner", told)


def test_watching_a_step_run_reports_the_ending_of_the_request(sh: Shell) -> None:
    ask = {"id": "ask", "human": {"title": "Drop it?"}, "on_success": "end", "on_failure": "tell"}
    tell = {"id": "tell", "notify": {"to": ["role:owner"], "message": "It was refused."}}
    with Client(sh.live.url, sh.live.owner_key) as client:
        flow = {"workflow": "told", "intent_type": "intent.cli.told.v1", "steps": [ask, tell]}
        client.apply_workflow(flow)
        intent_id = client.send_intent({"intent_type": "intent.cli.told.v1"})
        sh("tasks", "reject", intent_id, "--yes", "-m", "no")
        step = f"{intent_id[:-4]}0002"
        assert client.get_intent(step).status == "COMPLETED", "the message was sent"
        sh("intents", "watch", step, code=10)
        sh("intents", "watch", f"{intent_id[:-4]}0001", code=10)
        for timeout in (0, 60):
            result = client.wait_for(step, timeout=timeout)
            assert (result.intent_id, result.status, result.ending) == (intent_id, "FAILED", "rejected")


def test_form_is_filled_in_field_by_field(sh: Shell) -> None:
    form = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "integer"}}}
    intent_id = sh.asked(task_type="form", form_schema=form)
    sh("tasks", "submit", intent_id, "--yes", "-f", "rows=many", code=2)
    sh("tasks", "submit", intent_id, "--yes", "-f", "rows=7")
    assert sh.ask("GET", f"/v1/intents/{intent_id}")["result"]["rows"] == 7


def test_scenarios_are_validated_and_applied(sh: Shell) -> None:
    (sh.folder / "bundle.json").write_text(json.dumps(BUNDLE))
    (sh.folder / "wrong.json").write_text(json.dumps(BUNDLE | {"intent": {}}))
    assert sh.json("scenarios", "validate", "bundle.json")["valid"] is True
    assert sh.json("scenarios", "validate", "wrong.json", code=1)["errors"]
    sh("scenarios", "apply", "bundle.json", "--watch", "--timeout", "0.3s", code=7)
    assert "agent://local/default/checker" in sh("agents", "list")
    sh("scenarios", "apply", "wrong.json", code=2)


def test_agent_is_killed_and_resumed(sh: Shell) -> None:
    sh("keys", "create", "--agent", "rogue")
    assert sh("agents", "kill", "rogue", "--yes") == "killed: agent://local/default/rogue"
    [found] = [one for one in sh.json("agents", "list") if one["name"] == "rogue"]
    assert (found["status"], bool(found["killed_by"]), bool(found["killed_at"])) == ("killed", True, True)
    assert f"killed by {found['killed_by']}" in sh("agents", "list")
    [check] = [
        one for one in sh.json("doctor", code=0) if one["subject"] == "agent agent://local/default/rogue"
    ]
    assert check["level"] == "warning"
    assert f"It was killed by {found['killed_by']} at " in check["found"]
    assert check["next"] == "signoff agents resume agent://local/default/rogue"
    assert sh.json("agents", "resume", "rogue")["health_status"] == "unknown"
    assert sh("agents", "resume", "agent://local/default/rogue") == "resumed: agent://local/default/rogue"
    assert "killed by" not in sh("agents", "list")
    sh("agents", "kill", "nobody", "--yes", code=5)


def test_senders_and_limits_of_an_agent_are_set_and_shown(sh: Shell) -> None:
    sh("keys", "create", "--agent", "bounded")
    bot = "agent://local/default/bounded"
    assert sh("agents", "senders", "bounded") == f"{bot}: open"
    assert sh("agents", "add-sender", "bounded", "ci").splitlines() == [
        f"{bot}: open",
        "  agent://local/default/ci",
    ]
    assert sh("agents", "set-senders", "bounded", "allowlist").startswith(f"{bot}: allowlist")
    sh("intents", "send", "--type", "a.b.v1", "--to", "bounded", code=8)
    assert sh("agents", "remove-sender", "bounded", "agent://local/default/ci") == f"{bot}: allowlist"
    sh("agents", "set-senders", "bounded", "open")
    sh("agents", "set-limits", "bounded", code=2)
    sh("agents", "set-limits", "bounded", "--none", "--per-day", "1", code=2)
    assert sh.json("agents", "set-limits", "bounded", "--per-day", "1")["max_intents_per_day"] == 1
    sh("intents", "send", "--type", "a.b.v1", "--to", "bounded")
    assert "requests in a day: 1 (1 today)" in sh("agents", "limits", "bounded")
    assert "requests in a day: no limit (1 today)" in sh("agents", "set-limits", "bounded", "--none")


def test_workflows_are_applied_from_files(sh: Shell) -> None:
    (sh.folder / "expense.yaml").write_text(WORKFLOW)
    assert sh("workflows", "apply", "expense.yaml", "--dry-run").startswith("would change")
    assert all(flow["name"] != "expense" for flow in sh.ask("GET", "/v1/workflows")["workflows"])
    assert sh("workflows", "apply", "expense.yaml").startswith("in force")
    assert sh("workflows", "apply", "expense.yaml").startswith("unchanged")
    listed = sh.json("workflows", "list")
    assert [flow["version"] for flow in listed if flow["name"] == "expense"] == [1]
    sh("workflows", "apply", "-", input=json.dumps({"workflow": "x", "steps": []}), code=2)


def test_doctor_config_version_and_completion_work(sh: Shell) -> None:
    checks = sh.json("doctor")
    found = {check["subject"]: check["level"] for check in checks}
    assert found == {
        "server": "ok",
        "key": "ok",
        "self-approval": "warning",
        "channels": "note",
        "database": "ok",
        "retention": "ok",
        "open tasks": "ok",
    }
    shown = sh("config", "show", "--origin")
    assert re.search(rf"url +{sh.live.url} ", shown)
    assert sh.live.owner_key not in shown
    version = sh.json("version")
    assert version["version"] == version["server"]
    assert "_SIGNOFF_COMPLETE=bash_complete" in sh("completion", "bash")


def test_doctor_warns_if_only_the_server_knows_the_database(sh: Shell, tmp_path: Path) -> None:
    """The folder has a key but no database, as after ``signoff up --database postgresql://...``."""
    key = tmp_path / "credentials.json"
    key.write_bytes((sh.live.data / key.name).read_bytes())
    key.chmod(0o600)
    at = {"SIGNOFF_DATA": str(tmp_path)}
    checks = json.loads(sh("doctor", "--json", **at))
    [found] = [one for one in checks if one["subject"] == "database"]
    assert found["level"] == "warning"
    assert found["next"] == "Pass its URL with --database, or set SIGNOFF_DATABASE."
    checks = json.loads(sh("doctor", "--json", "--data", str(tmp_path), code=1, **at))
    assert [one["level"] for one in checks if one["subject"] == "database"] == ["problem"]


@pytest.mark.parametrize("key", [{}, {"SIGNOFF_API_KEY": "sk_other"}])
def test_doctor_warns_of_a_database_that_may_belong_to_another_server(sh: Shell, key: dict[str, str]) -> None:
    """The database comes from the folder, the server from SIGNOFF_URL."""
    dead = {"SIGNOFF_URL": "http://127.0.0.1:9", **key}
    checks = json.loads(sh("doctor", "--json", code=1, **dead))
    assert checks[0]["level"] == "problem"
    note, ok = (one for one in checks if one["subject"] == "database")
    assert (note["level"], ok["level"]) == ("note", "ok")
    assert (
        f"may not be the database of the server {'at http://127.0.0.1:9' if key else 'in SIGNOFF_URL'}"
        in note["found"]
    )
    assert ok["found"].startswith("sqlite:///.signoff/signoff.db: ")
    named = json.loads(sh("doctor", "--json", "--data", str(sh.live.data), code=1, **dead))
    assert [one["level"] for one in named if one["subject"] == "database"] == ["ok"]


def test_database_is_migrated_backed_up_and_checked(sh: Shell, tmp_path: Path) -> None:
    sh("db", "migrate", "--data", str(tmp_path))
    assert (tmp_path / "signoff.db").is_file()
    intent_id = sh.asked()
    target = tmp_path / "copy" / "signoff.db"
    target.parent.mkdir()
    sh("db", "backup", str(target))
    sh("db", "backup", str(target), code=6)
    checks = sh.json("doctor", "--data", str(target.parent))
    assert [check["level"] for check in checks if check["subject"] == "database"] == ["ok"]
    copy = Live(target.parent)
    (target.parent / "credentials.json").write_bytes((sh.live.data / "credentials.json").read_bytes())
    try:
        copy.start()
        assert copy.call("GET", f"/v1/intents/{intent_id}")[0] == 200
    finally:
        copy.stop()


def test_missing_server_or_key_is_reported_with_the_next_step(sh: Shell, tmp_path: Path) -> None:
    nowhere = signoff(tmp_path, "intents", "list", HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path))
    assert nowhere.returncode == 4
    assert "signoff up" in nowhere.stderr
    sh("tasks", "list", code=4, SIGNOFF_API_KEY="sgn_person_wrong")
    sh("tasks", "list", code=9, SIGNOFF_URL=f"http://127.0.0.1:{free_port()}", SIGNOFF_API_KEY="sgn_person_x")
    assert "signoff up" in sh.remarks
