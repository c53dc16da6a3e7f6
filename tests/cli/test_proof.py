"""An agent with a shell on an approver's laptop has the key, the terminal and the files, but cannot approve a
high-risk task. Without mail, the server's operator can still let the approver sign in.
"""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from signoff.cli.failures import ExitCode
from tests.cli.links import token_in
from tests.cli.shell import Shell
from tests.live import PATIENCE
from tests.stories.servers import environment, serving

MANIFEST = """
people:
  owner@localhost: {name: Olga}
  ann@acme.example: {name: Ann, roles: [approver]}
policies:
  guarded: {approve: [{any: [ann@acme.example]}], risk: high, self_approval: false}
  everyday: {approve: [{any: [ann@acme.example]}], self_approval: false}
workflows:
  - {workflow: wipe, intent_type: intent.wipe.v1, steps: [{id: ok, human: {title: "Wipe it?", policy: guarded}}]}
  - {workflow: tidy, intent_type: intent.tidy.v1, steps: [{id: ok, human: {title: "Tidy up?", policy: everyday}}]}
"""
REFUSED = "This decision requires a sign-in by e-mail"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def sh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder: Path = tmp_path_factory.mktemp("laptop")
    with serving(request, folder / ".signoff", request.param) as live:
        shell = Shell(live)
        (shell.folder / "who.yaml").write_text(MANIFEST, encoding="utf-8")
        shell("apply", "-f", "who.yaml", "--yes")
        yield shell


@pytest.fixture(scope="module")
def ann(sh: Shell) -> dict[str, str]:
    """Files and settings that a program finds on Ann's laptop."""
    made = sh.json("keys", "create", "--person", "ann@acme.example")
    return {"SIGNOFF_URL": sh.live.url, "SIGNOFF_API_KEY": made["api_key"]}


def asked(sh: Shell, kind: str = "wipe") -> str:
    service = sh.json("keys", "create", "--service", "ci")["api_key"]
    command = ("intents", "send", "--type", f"intent.{kind}.v1", "--payload", "{}", "-o", "id")
    return f"{sh(*command, SIGNOFF_API_KEY=service)[:-4]}0001"


def votes(sh: Shell, task_id: str) -> list[Any]:
    return list(sh.json("tasks", "get", task_id)["votes"])


def test_subprocess_without_a_terminal_decides_no_high_risk_task(sh: Shell, ann: dict[str, str]) -> None:
    task_id = asked(sh)
    for flags in ((), ("--yes",)):
        sh("tasks", "approve", task_id, *flags, code=ExitCode.FORBIDDEN, input="y\n", **ann)
        assert REFUSED in sh.remarks
        assert f"{sh.live.url}/tasks/{task_id}" in sh.remarks
    assert votes(sh, task_id) == []
    everyday = asked(sh, "tidy")
    sh("tasks", "approve", everyday, code=ExitCode.USAGE, input="y\n", **ann)
    assert "Repeat the command with --yes." in sh.remarks
    # Ann's key was made by whoever made the service's, who so stands behind both: a no is all that it is good for.
    sh("tasks", "approve", everyday, "--yes", code=ExitCode.FORBIDDEN, **ann)
    assert "the requester's side" in sh.remarks
    assert votes(sh, everyday) == []


def test_program_with_a_pseudo_terminal_decides_no_high_risk_task(sh: Shell, ann: dict[str, str]) -> None:
    task_id = asked(sh)
    mine, theirs = pty.openpty()
    os.write(mine, b"y\ny\nyes\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "signoff.cli", "tasks", "approve", task_id],
        cwd=sh.folder,
        env=environment(**ann),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = b""
    while True:
        try:
            chunk = os.read(mine, 4096)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        screen += chunk
    os.close(mine)
    assert process.wait(PATIENCE) == ExitCode.FORBIDDEN
    assert REFUSED in screen.decode()
    assert votes(sh, task_id) == []


def test_copied_credentials_file_decides_no_high_risk_task(
    sh: Shell, ann: dict[str, str], tmp_path: Path
) -> None:
    task_id = asked(sh)
    folder = tmp_path / ".signoff"
    folder.mkdir()
    shutil.copy(sh.live.data / "credentials.json", folder)
    for key in (ann["SIGNOFF_API_KEY"], sh.live.owner_key):
        with httpx2.Client(base_url=sh.live.url, timeout=PATIENCE) as browser:
            page = browser.get("/login").text
            entered = browser.post("/login", data={"key": key, "next": "/", "form_token": token_in(page)})
            assert entered.status_code == 303
            page = browser.get(f"/tasks/{task_id}").text
            shown = sh.json("tasks", "get", task_id)
            said = {"outcome": "approved", "revision": "1", "digest": shown["digest"]}
            answer = browser.post(f"/tasks/{task_id}", data={**said, "form_token": token_in(page)})
            assert answer.status_code == 403
    assert votes(sh, task_id) == []


def decided_by_link(sh: Shell, link: str, task_id: str) -> httpx2.Response:
    """The result of an approval by the link."""
    with httpx2.Client(timeout=PATIENCE) as browser:
        page = browser.get(link).text
        entered = browser.post(link, data={"next": f"/tasks/{task_id}", "form_token": token_in(page)})
        if entered.status_code != 303:
            return entered
        page = browser.get(f"{sh.live.url}/tasks/{task_id}").text
        shown = sh.json("tasks", "get", task_id)
        said = {"outcome": "approved", "revision": "1", "digest": shown["digest"]}
        return browser.post(f"{sh.live.url}/tasks/{task_id}", data={**said, "form_token": token_in(page)})


def test_operator_creates_a_single_use_sign_in_link_that_is_recorded(sh: Shell) -> None:
    task_id = asked(sh)
    database = {"SIGNOFF_DATABASE_URL": sh.live.database} if sh.live.database else {}
    link = sh("db", "signin-link", "Ann@ACME.example", **database)
    assert link.startswith(f"{sh.live.url}/login/")
    assert "Signs Ann in, once, until" in sh.remarks
    assert decided_by_link(sh, link, task_id).status_code == 303
    assert [vote["name"] for vote in votes(sh, task_id)] == ["Ann"]
    assert httpx2.get(link, timeout=PATIENCE).status_code == 410
    [made] = [change for change in sh.json("changes", "list") if change["kind"] == "sign-in link"]
    assert (made["name"], made["actor"]["kind"], made["actor"]["id"], made["via"]) == (
        "ann@acme.example",
        "system",
        "operator",
        "cli",
    )
    assert link.rpartition("/")[2] not in str(made)
    sh("db", "signin-link", "nobody@acme.example", code=ExitCode.NOT_FOUND, **database)


def test_doctor_and_explain_report_the_required_sign_in_and_missing_mail(sh: Shell) -> None:
    database = {"SIGNOFF_DATABASE_URL": sh.live.database} if sh.live.database else {}
    found = {check["subject"]: check for check in json.loads(sh("doctor", "--json", **database))}
    assert found["sign-in"]["level"] == "warning"
    assert "policy guarded" in found["sign-in"]["found"]
    assert "everyday" not in found["sign-in"]["found"]
    explained = sh("policies", "explain", "guarded")
    assert "the approver must sign in by e-mail; a key" in explained
    assert "signoff db signin-link EMAIL" in explained
    assert "is enough" in sh("policies", "explain", "everyday")
