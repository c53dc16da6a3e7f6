"""``signoff export``, ``apply --check``, ``remove``, ``erase`` and ``support-bundle`` on a real server."""

import contextlib
import csv
import io
import json
import zipfile
from typing import Any

import pytest

from signoff.cli.export import _write
from tests.cli.shell import Shell
from tests.live import Live

SECRET = "hunter2-in-a-payload"
MANIFEST: dict[str, Any] = {
    "people": {"ann@acme.example": {"name": "Ann", "roles": ["approver"]}},
    "teams": {"dba": {"members": ["ann@acme.example"]}},
    "policies": {"prod": {"approve": [{"any": ["team:dba"]}], "deadline": "8h", "risk": "low"}},
}


@pytest.fixture
def sh(live: Live) -> Shell:
    return Shell(live)


def given(sh: Shell, document: dict[str, Any], name: str = "who.json") -> str:
    (sh.folder / name).write_text(json.dumps(document), encoding="utf-8")
    return name


def test_check_reports_drift_from_a_manifest_by_exit_code_and_diff(sh: Shell) -> None:
    sh("apply", "-f", given(sh, MANIFEST), "--yes")
    assert sh("apply", "-f", given(sh, MANIFEST), "--check") == "No differences."
    changed = {**MANIFEST, "policies": {"prod": {**MANIFEST["policies"]["prod"], "deadline": "4h"}}}
    said = sh("apply", "-f", given(sh, changed), "--check", code=1)
    assert "policy prod:" in said
    assert '-    "deadline": "8h"' in said
    assert '+    "deadline": "4h"' in said
    assert sh("apply", "-f", given(sh, MANIFEST), "--check") == "No differences."  # nothing was applied
    fewer = {"teams": {}, "people": MANIFEST["people"]}
    assert sh("apply", "-f", given(sh, fewer), "--check") == "No differences."
    extra = sh("apply", "-f", given(sh, fewer), "--check", "--exact", code=1)
    assert extra.splitlines() == [
        "person owner@localhost: only on the server",
        "team dba: only on the server",
    ]


def test_exported_manifest_has_no_differences(sh: Shell) -> None:
    sh("apply", "-f", given(sh, MANIFEST), "--yes")
    (sh.folder / "exported.json").write_text(sh("export", "manifest"), encoding="utf-8")
    assert sh("apply", "-f", "exported.json", "--check", "--exact") == "No differences."


def test_exact_comparison_matches_names_as_the_server_does(sh: Shell) -> None:
    """Names of teams and policies are case-sensitive; people can be named in several ways."""
    sh("apply", "-f", given(sh, MANIFEST), "--yes")
    ann, prod = MANIFEST["people"]["ann@acme.example"], MANIFEST["policies"]["prod"]
    other = {"teams": {"DBA": {"members": ["ann@acme.example"]}}, "policies": {"PROD": prod}}
    sh("apply", "-f", given(sh, other), "--yes")
    own = json.loads(sh("export", "manifest"))["people"]["owner@localhost"]
    people = {"person:Ann@acme.example": ann, " owner@localhost": own}
    extra = sh("apply", "-f", given(sh, {**MANIFEST, "people": people}), "--check", "--exact", code=1)
    assert extra.splitlines() == ["team DBA: only on the server", "policy PROD: only on the server"]
    gone = {"remove": {"policies": ["PROD"], "teams": ["DBA"]}}  # the server is that of other tests too
    sh("apply", "-f", given(sh, gone), "--yes")


def test_exact_comparison_reports_fields_that_the_file_omits(sh: Shell) -> None:
    """Applying a file leaves an omitted field unchanged, but an exact comparison reports the difference."""
    sh("apply", "-f", given(sh, MANIFEST), "--yes")
    (sh.folder / "exported.json").write_text(sh("export", "manifest"), encoding="utf-8")
    since = {
        "zone": "Europe/Paris",
        "hours": {"zone": "Europe/Paris", "from": "09:00", "to": "17:00"},
        "preferences": {"digest": "15m"},
    }
    sh("apply", "-f", given(sh, {"people": {"ann@acme.example": since}}), "--yes")
    own = {"absences": [{"from": "2040-01-01", "until": "2040-02-01"}]}
    sh("apply", "-f", given(sh, {"people": {"owner@localhost": own}}), "--yes")
    exported = json.loads((sh.folder / "exported.json").read_text(encoding="utf-8"))
    del exported["workspace"]["self_approval"]  # the export of a new server does not name it
    sh("apply", "-f", given(sh, {"workspace": {"self_approval": True}}), "--yes")
    given(sh, exported, "exported.json")
    assert sh("apply", "-f", "exported.json", "--check") == "No differences."
    extra = sh("apply", "-f", "exported.json", "--check", "--exact", code=1)
    assert extra.splitlines() == [
        "person ann@acme.example, zone: only on the server",
        "person ann@acme.example, hours: only on the server",
        "person ann@acme.example, preferences: only on the server",
        "person owner@localhost, absences: only on the server",
        "workspace self_approval: only on the server",
    ]
    sh("apply", "-f", given(sh, {"workspace": {"self_approval": False}}), "--yes")


def send_secret(sh: Shell) -> None:
    payload = json.dumps({"password": SECRET})
    sh("intents", "send", "--type", "intent.x.v1", "--payload", payload, "--to", "nobody")


def test_requests_and_histories_are_exported_without_secrets(sh: Shell) -> None:
    intent = sh.asked(title="=cmd()")
    send_secret(sh)
    lines = [json.loads(line) for line in sh("export", "audit").splitlines()]
    assert intent in {line["intent_id"] for line in lines}
    rows = list(csv.DictReader(io.StringIO(sh("export", "intents", "--format", "csv"))))
    assert {row["intent_id"] for row in rows} == {line["intent_id"] for line in lines}
    assert SECRET not in str(lines) + str(rows)
    changes = [json.loads(line) for line in sh("export", "changes").splitlines()]
    assert changes[-1]["number"] == 1
    listed = sh("export", "audit", "--format", "csv").splitlines()
    assert not [cell for line in csv.reader(listed) for cell in line if cell[:1] in ("=", "+", "@")]


def test_no_csv_cell_is_a_formula_or_contains_control_characters() -> None:
    formulas = ("=cmd()", "+1", "-1+1", "@sum", "\t=cmd()", "\n=cmd()", " =cmd()", "\uff1dcmd()")
    texts = [*formulas, "\x1b]0;x\x07", "\x9b2J", "\r=cmd()", "a\u202eb", "two\nlines", "a;=cmd()"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        _write(iter([*({"x": text} for text in texts), {"x": -5}, {"x": {"y": texts}}, {}]), "csv", ["x"])
    cells = [cell for [cell] in csv.reader(io.StringIO(out.getvalue()))][1:]
    assert [cell[0] for cell in cells[: len(formulas)]] == ["'"] * len(formulas)
    assert cells[len(formulas) : -2] == [
        "\\x1b]0;x\\x07",
        "\\x9b2J",
        "\\r=cmd()",
        "a\\u202eb",
        "two\nlines",
        "a;=cmd()",
        "-5",
    ]
    assert json.loads(cells[-2]) == {"y": texts}
    assert cells[-1] == ""
    assert '"a;=cmd()"' in out.getvalue()
    assert not [character for character in "\x1b\x07\x9b\u202e\t\r" if character in out.getvalue()]


def test_hashed_bytes_are_refused_as_csv(sh: Shell) -> None:
    sh("export", "audit", "--bodies", "--format", "csv", code=2)
    assert "--format ndjson" in sh.remarks


def test_entries_are_removed_and_the_text_of_a_person_is_erased(sh: Shell) -> None:
    sh("apply", "-f", given(sh, MANIFEST), "--yes")
    sh("teams", "remove", "dba", "--yes", code=6)  # the policy names it
    assert "policy prod" in sh.remarks
    for kind, name in (("policies", "prod"), ("teams", "dba"), ("people", "ann@acme.example")):
        sh(kind, "remove", name, "--yes")
    sh("teams", "remove", "dba", "--yes", code=5)
    said = sh("people", "erase", "ann@acme.example", "--yes")
    assert said.startswith("erased: per_")
    assert "ann@acme.example" not in sh("changes", "list", "--json")


def test_support_bundle_contains_no_secret(sh: Shell) -> None:
    planted = {
        "SIGNOFF_DATABASE_URL": "postgresql://signoff:pl4nted-db@127.0.0.1:1/none",
        "SIGNOFF_SMTP_URL": "smtp://mailer:pl4nted%2Dsmtp@127.0.0.1:1",
        "SIGNOFF_WEBHOOK_URL": "https://hooks.example/signoff",
        "SIGNOFF_WEBHOOK_SECRET": "pl4nted-webhook-secret-of-forty-characters",
        "SIGNOFF_SLACK_BOT_TOKEN": "xoxb-1111111111-pl4ntedslack",
    }
    log = "\n".join(
        [f"connecting with {value}" for value in planted.values()]
        + [
            "authorization: Bearer pl4nted.bearer.0123456789",
            f"key {sh.live.owner_key} used",
            "pl4nted-db alone",
            '{"password": "pl4nted-json"}',
            "pl4nted-smtp alone",
            "-----BEGIN PRIVATE KEY-----",
            "pl4ntedkey1",
            "pl4ntedkey2",
            "-----END PRIVATE KEY-----",
            "GET /login/pl4nted-sign-in-link?next=/ 200",
            "GET /t/pl4nted_task_link 200",
        ]
    )
    (sh.folder / "server.log").write_text(log, encoding="utf-8")
    environ = {**planted, "SIGNOFF_URL": sh.live.url, "SIGNOFF_API_KEY": sh.live.owner_key}
    send_secret(sh)
    sh("support-bundle", "--file", "bundle.zip", "--log", "server.log", "--log", "missing.log", **environ)
    with zipfile.ZipFile(sh.folder / "bundle.zip") as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert {
        "README.txt",
        "versions.json",
        "settings.json",
        "server.json",
        "doctor.json",
        "metrics.txt",
        "logs/1-server.log",
        "logs/2-missing.log",
    } == set(texts)
    for name, text in texts.items():
        assert "pl4nted" not in text, (name, text)
        assert sh.live.owner_key not in text, name
        assert SECRET not in text, name
    assert "signoff_up 1.0" in texts["metrics.txt"]
    assert json.loads(texts["server.json"])["ready"]["ready"] is True
    assert "FileNotFoundError" in texts["logs/2-missing.log"]
    assert "connecting with" in texts["logs/1-server.log"]
    assert (sh.folder / "bundle.zip").stat().st_mode & 0o077 == 0
    sh("support-bundle", "--file", "bundle.zip", code=6)


def test_support_bundle_is_written_if_the_server_does_not_respond(sh: Shell) -> None:
    sh(
        "support-bundle",
        "--file",
        "dead.zip",
        SIGNOFF_URL="http://127.0.0.1:9",
        SIGNOFF_API_KEY=sh.live.owner_key,
    )
    with zipfile.ZipFile(sh.folder / "dead.zip") as bundle:
        assert "not available" in bundle.read("metrics.txt").decode()
        assert "problem" in bundle.read("doctor.json").decode()
