"""Commands that control who may decide: apply, absences, policy explanations, reassignment."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from signoff.cli.failures import ExitCode
from tests.cli.links import token_in
from tests.cli.shell import Shell
from tests.live import PATIENCE
from tests.stories.servers import serving

MANIFEST = """
people:
  ann@acme.example: {name: Ann, zone: Europe/Berlin}
  bob@acme.example: {name: Bob}
teams:
  sre:
    members: [ann@acme.example, bob@acme.example]
    rotation: {handover: "mon 09:00", zone: Europe/Berlin, anchor: 2026-03-02}
policies:
  prod: {approve: [{any: [team:sre, role:owner]}], remind: 5m, deadline: 8h}
workflows:
  - {workflow: mig, intent_type: intent.mig.v1, steps: [{id: ok, human: {title: Migrate?, policy: prod}}]}
workspace: {self_approval: true}
"""


@pytest.fixture
def sh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """A server for one test, with the manifest in a file next to it."""
    with serving(request, tmp_path / ".signoff") as live:
        shell = Shell(live)
        (shell.folder / "who.yaml").write_text(MANIFEST, encoding="utf-8")
        yield shell


@pytest.fixture
def applied(sh: Shell) -> Shell:
    """Like ``sh``, with the manifest applied."""
    sh("apply", "-f", "who.yaml", "--yes")
    return sh


def press(link: str, button: str) -> None:
    """Open the sign-in link and press its button."""
    with httpx2.Client(timeout=PATIENCE) as browser:
        for path in (link, button):
            page = browser.get(link if path == link else button.removesuffix("/confirm")).text
            answer = browser.post(path, data={"form_token": token_in(page)})
            assert answer.status_code == 303, answer.text


def test_apply_shows_the_changes_asks_and_changes_nothing_the_second_time(sh: Shell) -> None:
    assert "+ create policy prod" in sh("apply", "-f", "who.yaml", "--dry-run")
    sh("apply", "-f", "who.yaml", code=ExitCode.USAGE)  # nobody can be asked here
    assert sh("apply", "-f", "who.yaml", "--yes") == "applied: 6 changed"
    assert sh("apply", "-f", "who.yaml").endswith("No changes.")
    assert [p["name"] for p in sh.json("policies", "list")] == ["prod"]
    assert sh.json("teams", "list")[0]["rotation"]["on_call"]


def test_people_are_added_changed_and_marked_absent(applied: Shell) -> None:
    sh = applied
    assert "added: cem@acme.example" in sh(
        "people", "add", "cem@acme.example", "--name", "Cem", "--role", "member"
    )
    sh("people", "set", "cem@acme.example", "--zone", "Mars/Olympus", code=ExitCode.USAGE)
    sh("people", "set", "cem@acme.example", "--inactive")
    said = ("--address", "email=cem.private@acme.example")
    sh("people", "set", "cem@acme.example", *said, code=ExitCode.FORBIDDEN)  # where sign-in links go
    sh("people", "set", "cem@acme.example", "--address", "pager=P7", code=ExitCode.USAGE)
    sh("people", "set", "cem@acme.example", "--address", "slack=U1", code=ExitCode.USAGE)
    assert "the person links it" in sh.remarks
    berlin = ["--zone", "Europe/Berlin"]
    hours = sh.json("people", "set", "ann@acme.example", "--hours", "mon-fri 09:00-17:00", *berlin)["hours"]
    assert (hours["zone"], hours["days"][-1], hours["from"], hours["to"]) == (
        "Europe/Berlin",
        "fri",
        "09:00",
        "17:00",
    )
    sh("people", "set", "ann@acme.example", "--hours", "9 to 5", *berlin, code=ExitCode.USAGE)
    sh("people", "set", "ann@acme.example", "--hours", "mon-fri 09:00-17:00", code=ExitCode.USAGE)
    assert "hours" not in sh.json("people", "set", "ann@acme.example", "--hours", "none")
    away = ["--from", "2026-03-02", "--until", "2026-03-06", "--delegate", "bob@acme.example"]
    sh("people", "absent", "ann@acme.example", *away, code=ExitCode.FORBIDDEN)  # she says it herself
    sh("people", "absent", "owner@localhost", *away)
    found = {p["email"]: p for p in sh.json("people", "list")}
    assert found["cem@acme.example"]["active"] is False
    assert found["owner@localhost"]["absences"][0]["from"] == "2026-03-02T00:00:00Z"
    sh("people", "absent", "owner@localhost", "--clear")
    sh("people", "absent", "zoe@acme.example", *away, code=ExitCode.NOT_FOUND)


def test_a_dry_run_names_people_by_their_addresses(applied: Shell) -> None:
    sh = applied
    less = MANIFEST.replace("members: [ann@acme.example, bob@acme.example]", "members: [bob@acme.example]")
    (sh.folder / "less.yaml").write_text(less, encoding="utf-8")
    shown = sh("apply", "-f", "less.yaml", "--dry-run")
    assert "ann@acme.example → " in shown
    assert "per_" not in shown
    assert "per_" not in sh("apply", "-f", "less.yaml", "--check", code=ExitCode.FAILURE)
    sh("people", "remove", "ann@acme.example", code=ExitCode.USAGE)
    assert "members #1: ann@acme.example → " in sh.remarks


def test_removing_a_team_member_asks_for_confirmation(applied: Shell) -> None:
    sh = applied
    sh("teams", "set", "sre", "-m", "ann@acme.example", code=ExitCode.USAGE)  # nobody can be asked here
    assert "bob@acme.example leaves the team." in sh.remarks
    assert "The team loses its rotation." in sh.remarks
    assert len(sh.json("teams", "list")[0]["members"]) == 2
    sh("intents", "send", "--type", "intent.mig.v1")
    turns = ("--handover", "mon 09:00", "--zone", "Europe/Berlin")
    sh("teams", "set", "sre", "-m", "ann@acme.example", *turns, code=ExitCode.USAGE)
    assert "Open tasks that ask them: 1 (signoff people waiting bob@acme.example)." in sh.remarks
    sh("teams", "set", "sre", "-m", "ann@acme.example", *turns, "--yes")
    assert sh.json("teams", "list")[0]["members"] == ["ann@acme.example"]
    ann = next(one["id"] for one in sh.json("people", "list") if one["email"] == "ann@acme.example")
    sh("teams", "set", "sre", "-m", ann, "-m", "bob@acme.example", *turns)  # nothing is lost: no question


def test_removing_a_role_from_a_person_with_open_tasks_asks_for_confirmation(applied: Shell) -> None:
    sh = applied
    sh("people", "set", "bob@acme.example", "--role", "member")  # no open task asks him
    sh("people", "set", "bob@acme.example", "--role", "approver", "--role", "member")
    sh("intents", "send", "--type", "intent.mig.v1")
    sh("people", "set", "ann@acme.example", "--role", "member", code=ExitCode.USAGE)
    assert "Migrate?" in sh.remarks
    assert sh.json("people", "list")[0]["roles"] == ["approver"]
    sh("people", "set", "ann@acme.example", "--role", "member", "--yes")
    assert sh.json("people", "list")[0]["roles"] == ["member"]


def test_task_is_explained_delegated_commented_watched_and_withdrawn(applied: Shell) -> None:
    sh = applied
    intent_id = sh("intents", "send", "--type", "intent.mig.v1", "--payload", "{}", "-o", "id")
    explained = sh("policies", "explain", intent_id)
    assert "reminder 1; notified: " in explained
    assert "the task expires; notified: " in explained
    assert [
        c["kind"] for c in sh.json("policies", "explain", "prod", "--at", "2026-03-09T09:00:00Z")["contacts"]
    ] == (["reminder"] * 3 + ["deadline"])
    sh("policies", "explain", "nope!", code=ExitCode.NOT_FOUND)
    sh("tasks", "snooze", intent_id, code=ExitCode.USAGE)
    snoozed = sh("tasks", "snooze", intent_id, "--for", "2h")
    assert "Migrate?: Snoozed until 2" in snoozed
    assert "You get no reminders until then" in snoozed
    assert "Undo: signoff tasks unsnooze " in snoozed
    assert [one["until"] for one in sh.json("tasks", "get", intent_id)["snoozed"]]
    assert "The snooze is canceled. Reminders resume." in sh("tasks", "unsnooze", intent_id).replace(
        "\n", " "
    )
    assert not sh.json("tasks", "get", intent_id).get("snoozed")
    sh("tasks", "delegate", intent_id, "bob@acme.example")
    sh("tasks", "comment", intent_id, "why now?")
    sh("tasks", "reassign", intent_id, "team:sre")
    assert "Migrate?" in sh("tasks", "watch", "--looks", "1")
    assert json.loads(sh("tasks", "watch", "--looks", "1", "-o", "jsonl"))["title"] == "Migrate?"
    assert sh.json("tasks", "messages", intent_id) == []
    assert "withdrawn" in sh("tasks", "withdraw", intent_id, "--yes")
    sh("intents", "watch", intent_id, code=ExitCode.WITHDRAWN)


def test_task_is_marked_as_reviewed_and_revised_with_the_difference_shown(applied: Shell) -> None:
    sh = applied
    asked = '{"limit": 30, "where": {"db": "main", "table": "users"}}'
    intent_id = sh("intents", "send", "--type", "intent.mig.v1", "--payload", asked, "-o", "id")
    assert "Migrate?: It is marked as being reviewed by you." in sh("tasks", "mark-reviewing", intent_id)
    assert sh.json("tasks", "get", intent_id)["reviewed_by"]
    assert "Your review mark is cleared." in sh("tasks", "mark-reviewing", intent_id, "--clear")
    assert "reviewed_by" not in sh.json("tasks", "get", intent_id)
    sh("tasks", "revise", intent_id, "--payload", asked, "--yes", code=ExitCode.USAGE)
    assert "The payload is unchanged." in sh.remarks
    sh("tasks", "revise", intent_id, "--payload", "[]", "--yes", code=ExitCode.USAGE)
    new = '{"where": {"db": "copy", "table": "users"}, "note": "a\\u202eb"}'
    assert "Migrate?: Revision 2 is recorded." in sh(
        "tasks", "revise", intent_id, "--payload", new, "-m", "try it", "--yes"
    )
    for said in ("limit: 30 → (removed)", "where.db: main → copy", "note: (not there) → "):
        assert said in sh.remarks
    assert "where.table" not in sh.remarks
    assert "\u202e" not in sh.remarks, "what turns text round is shown by its code point"
    assert sh.json("tasks", "get", intent_id)["payload"]["where"]["db"] == "copy"


def test_relaxation_in_a_protected_workspace_is_confirmed_by_another_admin(applied: Shell) -> None:
    sh = applied
    sh("people", "set", "bob@acme.example", "--role", "admin", "--role", "approver")
    bob = sh.json("keys", "create", "--person", "bob@acme.example")["api_key"]
    (sh.folder / "guard.yaml").write_text("workspace: {protected: true}", encoding="utf-8")
    assert sh("apply", "-f", "guard.yaml", "--yes") == "applied: 1 changed"
    looser = MANIFEST.replace("deadline: 8h", "deadline: 9h")
    (sh.folder / "who.yaml").write_text(looser, encoding="utf-8")
    shown = sh("apply", "-f", "who.yaml", "--dry-run")
    assert "relaxes the rules on who decides: " in shown
    assert "Applying it proposes this to another admin." in shown
    assert "waits" not in shown  # nothing waits after a dry run
    assert "    source.deadline: 8h → 9h" in shown
    told = sh("apply", "-f", "who.yaml", "--yes")
    assert re.search(r"waits for another admin until \d{4}-\d\d-\d\d \d\d:\d\d UTC", told)
    change = told.partition("signoff changes confirm ")[2].split()[0]
    assert [one["id"] for one in sh.json("changes", "pending")] == [change]
    assert "change policy prod (source, version)" in sh("changes", "show", change)
    sh("changes", "confirm", change, code=ExitCode.FAILURE, SIGNOFF_API_KEY=bob)
    assert "change policy prod" in sh.remarks  # it is shown, and where it is confirmed
    assert f"--open opens it here: {sh.live.url}/proposals/{change}" in sh.remarks
    press(sh("db", "signin-link", "bob@acme.example"), f"{sh.live.url}/proposals/{change}/confirm")
    sh("changes", "pending")
    assert "There are no pending proposals." in sh.remarks
    [recorded] = [c for c in sh.json("changes", "list") if c.get("confirmed_by")]
    assert (recorded["name"], recorded["confirmed_by"]["name"]) == ("prod", "Bob")
    sh("people", "add", "zoe@acme.example", code=ExitCode.CONFLICT)
    (sh.folder / "guard.yaml").write_text("people: {zoe@acme.example: {}}", encoding="utf-8")
    proposal = sh.json("apply", "-f", "guard.yaml", "--yes")["proposal"]
    assert "refused" in sh("changes", "refuse", proposal["id"])
