"""Commands that call a server: their requests, output and exit codes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from signoff.cli.audit import broken
from signoff.cli.failures import ExitCode
from signoff.cli.policies import explained
from signoff.cli.watching import ending
from tests.cli.conftest import Run
from tests.client.stub import INTENT, Answer, Stub, event, idle, intent, refused

pytestmark = pytest.mark.windows

TASK = "0198c0de-0000-7000-8000-000000000002"


def test_send_prints_only_the_id(run: Run, stub: Stub) -> None:
    stub.on("POST", "/v1/intents", Answer({"ok": True, "intent_id": INTENT}))
    result = run(
        "intents",
        "send",
        "--type",
        "a.b.v1",
        "--to",
        "bot",
        "--payload",
        '{"n": 1}',
        "--idempotency-key",
        "k",
    )
    assert (result.exit_code, result.stdout) == (0, INTENT + "\n")
    [asked] = stub.asked
    assert asked.body == {"intent_type": "a.b.v1", "to_agent": "bot", "payload": {"n": 1}}
    assert asked.headers["idempotency-key"] == "k"


def test_warnings_of_send_go_to_stderr(run: Run, stub: Stub) -> None:
    warning = "step 'agent': no agent is registered as agent://a/b/bot; it waits until one listens"
    stub.on("POST", "/v1/intents", Answer({"ok": True, "intent_id": INTENT, "warnings": [warning]}))
    result = run("intents", "send", "--type", "a.b.v1", "--to", "bot")
    assert (result.exit_code, result.stdout, result.stderr) == (0, INTENT + "\n", f"warning: {warning}\n")


def test_flag_overrides_a_field_of_the_document_on_standard_input(run: Run, stub: Stub) -> None:
    stub.on("POST", "/v1/intents", Answer({"ok": True, "intent_id": INTENT}))
    text = '{"intent_type": "a.b.v1", "to_agent": "bot"}'
    result = run("intents", "send", "-", "--to", "other", "--json", input=text)
    assert json.loads(result.stdout) == {"intent_id": INTENT, "warnings": []}
    assert stub.asked[0].body["to_agent"] == "other"


def test_standard_input_is_read_as_yaml(run: Run, stub: Stub) -> None:
    stub.on("POST", "/v1/intents", Answer({"ok": True, "intent_id": INTENT}))
    run("intents", "send", "-", input="intent_type: a.b.v1\nto_agent: bot\n")
    assert stub.asked[0].body["to_agent"] == "bot"


def test_list_prints_a_table_with_the_chosen_fields(run: Run, stub: Stub) -> None:
    found = {
        "intent_id": INTENT,
        "status": "WAITING",
        "waiting_reason": "WAITING_FOR_HUMAN",
        "intent_type": "a.b.v1",
    }
    stub.on("GET", "/v1/intents", Answer({"ok": True, "intents": [found]}))
    assert "WAITING for human" in run("intents", "list", "--status", "pending").stdout
    assert stub.asked[0].query["status"] == "pending"
    picked = run("intents", "list", "--json", "intent_id,status").stdout
    assert json.loads(picked) == [{"intent_id": INTENT, "status": "WAITING"}]
    assert run("intents", "list", "-o", "id").stdout == INTENT + "\n"


def test_json_flag_before_an_id_does_not_consume_the_id(run: Run, stub: Stub) -> None:
    stub.on("GET", f"/v1/intents/{INTENT}", intent("COMPLETED"))
    result = run("intents", "get", "--json", INTENT)
    assert json.loads(result.stdout)["status"] == "COMPLETED"
    assert json.loads(run("intents", "get", "--json", "status", INTENT).stdout) == {"status": "COMPLETED"}


def test_short_id_is_looked_up(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/intents", Answer({"ok": True, "intents": [{"intent_id": INTENT}]}))
    stub.on("GET", f"/v1/intents/{INTENT}", intent("COMPLETED"))
    assert run("intents", "get", "0198c0de").exit_code == 0
    assert run("intents", "get", "beef").exit_code == ExitCode.NOT_FOUND


def test_get_escapes_hostile_payloads(run: Run, stub: Stub) -> None:
    stub.on(
        "GET",
        f"/v1/intents/{INTENT}",
        intent("COMPLETED", payload={"x": "\x1b[2J\u202e"}, intent_type="a\x07b"),
    )
    text = run("intents", "get", INTENT).stdout
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "a\\x07b" in text


@pytest.mark.parametrize(
    ("status", "more", "code"),
    [
        ("COMPLETED", {}, ExitCode.OK),
        (
            "FAILED",
            {"error": {"code": "human_rejected", "message": "No."}, "ending": "rejected"},
            ExitCode.REJECTED,
        ),
        ("FAILED", {"error": {"code": "human_rejected", "message": "An agent says so."}}, ExitCode.FAILURE),
        ("FAILED", {"error": {"code": "step_timeout", "message": "Late."}}, ExitCode.EXPIRED),
        ("FAILED", {"error": {"code": "delivery_failed", "message": "Gone."}}, ExitCode.FAILURE),
        ("FAILED", {"error": {"code": "boom", "message": "x"}, "ending": "rejected"}, ExitCode.FAILURE),
        ("FAILED", {"ending": "rejected"}, ExitCode.REJECTED),
        ("FAILED", {"ending": "expired"}, ExitCode.EXPIRED),
        ("FAILED", {}, ExitCode.FAILURE),
        ("TIMED_OUT", {}, ExitCode.EXPIRED),
        ("CANCELED", {}, ExitCode.WITHDRAWN),
        ("CANCELED", {"ending": "withdrawn"}, ExitCode.WITHDRAWN),
        ("FAILED", {"error": {"code": "human_rejected"}, "ending": "approved"}, ExitCode.FAILURE),
        ("FAILED", {"error": {"code": "step_timeout"}, "ending": "approved"}, ExitCode.EXPIRED),
        ("COMPLETED", {"ending": "rejected"}, ExitCode.OK),
    ],
)
def test_watch_exits_with_the_code_of_the_final_status(
    run: Run, stub: Stub, status: str, more: dict[str, Any], code: ExitCode
) -> None:
    stub.on("GET", f"/v1/intents/{INTENT}", intent(status, **more))
    final = event(4, status, status.lower())
    stub.on("GET", f"/v1/intents/{INTENT}/events/stream", Answer(chunks=[event(2, "DELIVERED"), final]))
    result = run("intents", "watch", INTENT, "-o", "jsonl")
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == [2, 4]
    assert result.exit_code == code
    assert ending({"status": status, **more}) is code


@pytest.mark.parametrize("status", ["CANCELED", "FAILED", "TIMED_OUT"])
def test_request_that_ended_after_its_approval_does_not_read_as_approved(
    run: Run, stub: Stub, status: str
) -> None:
    ended = intent(status, ending="approved", outcome="approved")
    stub.on("GET", "/v1/intents", Answer({"ok": True, "intents": [ended.body["intent"]]}))
    stub.on("GET", f"/v1/intents/{INTENT}", ended)
    stub.on("GET", f"/v1/intents/{INTENT}/events/stream", Answer(chunks=[event(4, status, status.lower())]))
    assert f"{status} after approval" in run("intents", "list", "--status", status).stdout
    assert f"{status} after approval" in run("intents", "get", INTENT).stdout
    watched = run("intents", "watch", INTENT)
    assert watched.exit_code != ExitCode.OK
    assert f"The intent ended {status} after approval." in watched.stderr


def test_watch_that_times_out_exits_with_7(run: Run, stub: Stub) -> None:
    stub.on("GET", f"/v1/intents/{INTENT}", intent("WAITING"))
    stub.on("GET", f"/v1/intents/{INTENT}/events", Answer({"events": []}))
    stub.on("GET", f"/v1/intents/{INTENT}/events/stream", Answer(chunks=[idle(0)]))
    result = run("intents", "watch", INTENT, "--timeout", "0.05s")
    assert result.exit_code == ExitCode.TIMEOUT
    assert f"signoff intents watch {INTENT}" in result.stderr


def test_cancel_without_a_terminal_requires_the_yes_option(run: Run, stub: Stub) -> None:
    stub.on("GET", f"/v1/intents/{INTENT}", intent("WAITING"))
    stub.on("POST", f"/v1/intents/{INTENT}/resolve", intent("CANCELED"))
    assert run("intents", "cancel", INTENT, input="y\n").exit_code == ExitCode.USAGE
    assert stub.seen("POST", f"/v1/intents/{INTENT}/resolve") == []
    assert run("intents", "cancel", INTENT, "--yes", "--reason", "late").exit_code == 0
    assert stub.asked[-1].body == {"status": "CANCELED", "reason": "late"}


def test_retry_prints_the_new_id(run: Run, stub: Stub) -> None:
    stub.on("POST", f"/v1/intents/{INTENT}/retry", Answer({"ok": True, "intent_id": TASK}))
    assert run("intents", "retry", INTENT).stdout == TASK + "\n"


def test_keys_create_prints_only_the_key(run: Run, stub: Stub) -> None:
    made = {
        "kind": "agent",
        "address": "agent://local/default/bot",
        "key_id": "sak_1",
        "api_key": "sgn_agent_x",
    }
    stub.on("POST", "/v1/keys", Answer({"ok": True, **made}))
    assert run("keys", "create", "--agent", "bot").stdout == "sgn_agent_x\n"
    assert stub.asked[0].body == {"agent": "bot"}
    assert json.loads(run("keys", "create", "--agent", "bot", "--json").stdout) == made


def test_keys_are_listed_and_revoked(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/keys", Answer({"ok": True, "keys": [{"key_id": "sak_1", "kind": "agent"}]}))
    stub.on("POST", "/v1/keys/sak_1/revoke", Answer({"ok": True}))
    assert run("keys", "list", "-o", "id").stdout == "sak_1\n"
    assert run("keys", "revoke", "sak_1").exit_code == ExitCode.USAGE
    assert run("keys", "revoke", "sak_1", "--yes").stdout == "revoked: sak_1\n"


def test_scenarios_validate_fails_for_an_invalid_bundle(run: Run, stub: Stub) -> None:
    told = {"ok": True, "valid": False, "errors": ["unknown tool_id: x"], "warnings": ["w"]}
    stub.on("POST", "/v1/scenarios/validate", Answer(told), Answer({"ok": True, "valid": True}))
    result = run("scenarios", "validate", "-", input="{}")
    assert result.exit_code == ExitCode.FAILURE
    assert "unknown tool_id: x" in result.stdout
    assert run("scenarios", "validate", "-", input="{}").exit_code == 0


def test_people_add_says_what_else_it_changes(run: Run, stub: Stub) -> None:
    person = {"email": "ann@acme.example", "roles": ["auditor"]}
    stub.on("POST", "/v1/people", Answer({"ok": True, "person": person, "warnings": ["self-approval ends"]}))
    result = run("people", "add", "ann@acme.example", "--role", "auditor")
    assert result.stdout == "added: ann@acme.example (auditor)\nwarning: self-approval ends\n"


def test_scenarios_apply_prints_the_intent(run: Run, stub: Stub) -> None:
    stub.on("POST", "/v1/scenarios/apply", Answer({"ok": True, "intent_id": INTENT, "warnings": ["odd"]}))
    result = run("scenarios", "apply", "-", input='{"scenario_id": "s"}')
    assert (result.stdout, result.stderr) == (INTENT + "\n", "warning: odd\n")


def test_all_workflow_files_are_read_before_the_first_is_applied(run: Run, stub: Stub) -> None:
    result = run("workflows", "apply", "-", "missing.json", input='{"workflow": "w"}')
    assert (result.exit_code, stub.asked) == (ExitCode.USAGE, [])
    flow = {"name": "w", "intent_type": "a.b.v1", "version": 2}
    stub.on("POST", "/v1/workflows", Answer({"ok": True, "changed": True, "workflow": flow}))
    result = run("workflows", "apply", "-", "--dry-run", input='{"workflow": "w"}')
    assert result.stdout == "would change: w for a.b.v1, version 2\n"
    assert stub.asked[0].query == {"dry_run": "true"}


def test_agents_are_listed(run: Run, stub: Stub) -> None:
    stub.on(
        "GET",
        "/v1/agents",
        Answer({"ok": True, "agents": [{"address": "agent://o/w/bot", "status": "active"}]}),
    )
    assert run("agents", "list", "-o", "id").stdout == "agent://o/w/bot\n"


def test_version_shows_the_servers_version_and_warns_of_a_mismatch(run: Run, stub: Stub) -> None:
    stub.on("GET", "/health", Answer({"ok": True, "service": "signoff", "version": "9.0.0"}))
    result = run("version")
    assert f"server 9.0.0 at {stub.url}" in result.stdout
    assert "incompatible versions" in result.stderr
    stub.stop()
    assert json.loads(run("version", "--json").stdout)["server"] == ""


def test_doctor_reports_problems_and_allowed_exceptions(run: Run, stub: Stub) -> None:
    me = {"ok": True, "actor": {"kind": "person", "name": "Ann"}, "workspace": "w", "organization": "o"}
    stub.on("GET", "/ready", Answer({"ok": True}))
    stub.on("GET", "/v1/me", Answer({**me, "self_approval": True}), refused(401, "key_revoked"))
    stub.on("GET", "/v1/policies", Answer({"ok": True, "policies": [{"name": "good"}]}))
    stub.on("GET", "/v1/agents", Answer({"ok": True, "agents": []}))
    stub.on("GET", "/v1/workflows", Answer({"ok": True, "workflows": []}))
    result = run("doctor", "--json")
    assert result.exit_code == 0
    assert [(c["level"], c["subject"]) for c in json.loads(result.stdout)] == [
        ("ok", "server"),
        ("ok", "key"),
        ("warning", "self-approval"),
    ]
    assert run("doctor").exit_code == ExitCode.FAILURE


@pytest.mark.parametrize(
    ("setting", "level", "words"),
    [("alone", "note", "ends when a second person is added"), ("on", "warning", "only for trials")],
)
def test_doctor_reports_which_self_approval_applies(
    run: Run, stub: Stub, setting: str, level: str, words: str
) -> None:
    me = {"ok": True, "actor": {"kind": "agent", "name": "a"}, "workspace": "w", "organization": "o"}
    stub.on("GET", "/ready", Answer({"ok": True}))
    stub.on("GET", "/v1/me", Answer({**me, "self_approval": True, "self_approval_setting": setting}))
    [check] = [c for c in json.loads(run("doctor", "--json").stdout) if c["subject"] == "self-approval"]
    assert (check["level"], words in check["found"]) == (level, True)


def test_apply_is_refused_if_the_directory_changed_after_the_preview(
    run: Run, stub: Stub, tmp_path: Path
) -> None:
    (tmp_path / "who.json").write_text("{}")
    team = {"action": "create", "kind": "team", "name": "sre", "fields": []}
    planned = {"ok": True, "dry_run": True, "changed": True, "changes": [team], "seen": "abc"}
    now = planned | {"changes": [team | {"action": "change", "fields": ["members"]}], "seen": "def"}
    stub.on("POST", "/v1/apply", Answer(planned), refused(409, "stale_manifest"), Answer(now))
    result = run("apply", "-f", str(tmp_path / "who.json"), "--yes")
    assert result.exit_code == ExitCode.CONFLICT
    assert [request.query for request in stub.asked] == [
        {"dry_run": "true"},
        {"seen": "abc"},
        {"dry_run": "true"},
    ]
    assert result.stderr.index("+ create team sre") < result.stderr.index("~ change team sre (members)")


def test_doctor_names_a_stored_policy_that_the_server_cannot_read(run: Run, stub: Stub) -> None:
    me = {"ok": True, "actor": {"kind": "service", "name": "ci"}, "workspace": "w", "organization": "o"}
    found = [{"name": "good"}, {"name": "old", "broken": "policies.old.until: unknown field\x1b[2J."}]
    stub.on("GET", "/ready", Answer({"ok": True}))
    stub.on("GET", "/v1/me", Answer(me))
    stub.on("GET", "/v1/policies", Answer({"ok": True, "policies": found}))
    result = run("doctor", "--json")
    assert result.exit_code == ExitCode.FAILURE
    [check] = [c for c in json.loads(result.stdout) if c["subject"].startswith("polic")]
    assert (check["level"], check["subject"]) == ("problem", "policy old")
    assert "policies.old.until: unknown field\\x1b[2J." in check["found"]


@pytest.mark.parametrize(
    ("said", "level", "words"),
    [
        ({"unlisted_types": "allow"}, "note", "the requester chooses who decides, if anyone"),
        ({"unlisted_types": "allow", "default_policy": "strict"}, "note", "policy strict; it may have none"),
        (
            {"unlisted_types": "gate", "default_policy": "strict"},
            "ok",
            "policy strict before any agent works",
        ),
        ({"unlisted_types": "refuse"}, "ok", "is refused"),
        ({"unlisted_types": "allow", "self_approval": True}, "", ""),
        ({}, "", ""),
    ],
)
def test_doctor_reports_who_decides_types_without_a_workflow(
    run: Run, stub: Stub, said: dict[str, Any], level: str, words: str
) -> None:
    me = {"ok": True, "actor": {"kind": "service", "name": "ci"}, "workspace": "w", "organization": "o"}
    stub.on("GET", "/ready", Answer({"ok": True}))
    stub.on("GET", "/v1/me", Answer({**me, **said}))
    found = [c for c in json.loads(run("doctor", "--json").stdout) if c["subject"] == "unlisted types"]
    assert [(check["level"], words in check["found"]) for check in found] == (
        [(level, True)] if level else []
    )


def test_explain_says_why_the_policy_was_chosen() -> None:
    assert explained({"policy": "two@1", "because": "amount is above 1000"})[0] == (
        "policy       two@1, because amount is above 1000"
    )
    assert explained({"policy": "two@1"})[0] == "policy       two@1"


def sealed(*bodies: dict[str, Any]) -> dict[str, Any]:
    previous, events = "", []
    for seq, body in enumerate(bodies, start=1):
        text = json.dumps({"intent": INTENT, "seq": seq, **body})
        previous = hashlib.sha256(b"signoff/event/v1\0" + bytes.fromhex(previous) + text.encode()).hexdigest()
        events.append({"seq": seq, "body": text, "hash": previous, "type": "created", "via": "api"})
    return {
        "ok": True,
        "intent_id": INTENT,
        "seq": len(events),
        "head": previous,
        "verified": True,
        "events": events,
    }


def test_verify_recomputes_the_hash_chain(run: Run, stub: Stub) -> None:
    trail = sealed({"event": {"type": "created"}}, {"event": {"type": "completed"}})
    stub.on("GET", f"/v1/intents/{INTENT}/audit", Answer(trail))
    result = run("audit", "verify", INTENT)
    assert (result.exit_code, result.stdout) == (0, f"verified: 2 events, head {trail['head']}\n")
    assert "created" in run("audit", "show", INTENT).stdout


def test_verify_does_not_rely_on_the_servers_result() -> None:
    trail = sealed({"event": {"type": "created"}}, {"event": {"type": "completed"}})
    assert broken(trail) == ""
    changed = json.loads(json.dumps(trail))
    changed["events"][0]["body"] = changed["events"][0]["body"].replace("created", "invented")
    assert broken(changed).startswith("event 1: its bytes")
    assert broken({**trail, "events": trail["events"][:1]}).startswith("the head")
    assert broken({**trail, "events": trail["events"][1:]}).startswith("event 1")
    assert broken({**trail, "intent_id": TASK}).startswith("event 1: its body belongs to another position")
    assert broken({"events": [], "head": ""}) == "it has no events"


def test_verify_exits_with_1_for_a_broken_chain(run: Run, stub: Stub) -> None:
    stub.on("GET", f"/v1/intents/{INTENT}/audit", Answer({**sealed({"event": {}}), "head": "00"}))
    assert run("audit", "verify", INTENT).exit_code == ExitCode.FAILURE
    told = run("audit", "verify", INTENT, "--json")
    assert (told.exit_code, json.loads(told.stdout)["verified"]) == (ExitCode.FAILURE, False)
