"""``signoff demo`` as a new user runs it, and what happens to its intent when the process is killed."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from tests.live import PATIENCE, Live
from tests.stories.servers import environment, signoff

Done = subprocess.CompletedProcess[str]
ROOT = Path(__file__).parents[2]


@contextmanager
def server(folder: Path) -> Iterator[Live]:
    """``signoff up`` on the folder that a demo left behind."""
    live = Live(folder / ".signoff")
    try:
        yield live.start()
    finally:
        live.stop()


@pytest.fixture(scope="module")
def auto_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """(the folder, the output) of a demo that answers by itself."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, signoff(folder, "demo", "--auto", "--port", "0")


def trouble_in(said: str) -> list[str]:
    """The lines on stderr other than the agent's message that it is connected."""
    return [line for line in said.splitlines() if not line.startswith("signoff: connected to ")]


def intent_of(text: str) -> str:
    found = re.search(r"Intent +([0-9a-f-]{36})", text)
    assert found is not None, text
    return found[1]


def test_demo_runs_to_its_end_and_verifies(auto_demo: tuple[Path, Done]) -> None:
    _, done = auto_demo
    assert (done.returncode, trouble_in(done.stderr)) == (0, [])
    assert re.search(r"Result +COMPLETED +outcome approved", done.stdout)
    trail = done.stdout.split("Audit trail")[1]
    (answered,) = [line for line in trail.splitlines() if "answered 'approved'" in line]
    # when, who, through which channel
    assert re.match(r" +\d+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z +.*\bOwner\b", answered)
    assert re.search(r"\bperson\b.*\bvia api\b", answered)
    assert re.search(r"head [0-9a-f]{64}\n", trail)
    assert "verified: every event is what was hashed" in trail


def test_exported_history_verifies_on_this_machine(auto_demo: tuple[Path, Done]) -> None:
    folder, done = auto_demo
    intent_id = intent_of(done.stdout)
    with server(folder):
        proved = signoff(folder, "audit", "verify", intent_id)
    assert proved.returncode == 0, proved.stderr
    head = re.search(r"head ([0-9a-f]{64})", done.stdout)
    assert head is not None
    assert head[1] in proved.stdout


@pytest.mark.parametrize(("seq", "byte"), [(6, "letter"), (3, "first")])
def test_changed_byte_of_an_event_is_found_and_named(
    auto_demo: tuple[Path, Done], tmp_path: Path, seq: int, byte: str
) -> None:
    folder, done = auto_demo
    intent_id = intent_of(done.stdout)
    shutil.copytree(folder / ".signoff", tmp_path / ".signoff")
    change(tmp_path / ".signoff" / "signoff.db", intent_id, seq, byte)
    with server(tmp_path):
        refused = signoff(tmp_path, "audit", "verify", intent_id)
    assert refused.returncode == 1
    assert "failed verification" in refused.stderr
    assert f"event {seq}:" in refused.stderr
    examined = signoff(tmp_path, "doctor")
    assert examined.returncode == 1
    assert re.search(rf"problem +history +.*{intent_id}, event {seq}: ", examined.stdout)


def change(database: Path, intent_id: str, seq: int, which: str) -> None:
    """Change one byte of a stored event, as somebody who falsifies the history would."""
    connection = apsw.Connection(str(database))
    where = "where intent_id = ? and seq = ?"
    ((body,),) = connection.execute(f"select body from events {where}", (intent_id, seq))
    assert isinstance(body, bytes)
    at = {"first": 0, "letter": body.find(b"approved")}[which]
    changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    connection.execute(f"update events set body = ? {where}", (changed, intent_id, seq))
    connection.close()


def test_ctrl_c_leaves_an_intent_that_a_later_server_finishes(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "signoff.cli", "demo", "--port", "0"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if "in another terminal:" in line:
                    break
            # Ctrl-C reaches everything in the terminal, the agent's process too.
            os.killpg(process.pid, signal.SIGINT)
            rest, trouble = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Nothing is lost" in rest
    assert re.search(r"^  \S.* up$", rest, re.MULTILINE)
    assert "Traceback" not in trouble
    intent_id, task = intent_of("".join(said)), said[-1].split()[-1]
    with server(tmp_path):
        waiting = signoff(tmp_path, "intents", "get", intent_id, "--json", "status,waiting_reason")
        assert '"WAITING_FOR_HUMAN"' in waiting.stdout
        approved = signoff(tmp_path, "tasks", "approve", task, "--yes")
        assert approved.returncode == 0, approved.stderr
        watched = signoff(tmp_path, "intents", "watch", intent_id, "--timeout", "60s")
        assert watched.returncode == 0, watched.stderr
        assert signoff(tmp_path, "audit", "verify", intent_id).returncode == 0


def started(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "signoff.cli", "demo", "--port", "0"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(("outcome", "code"), [("approve", 0), ("reject", 10)])
def test_demo_serves_its_pages_until_ctrl_c_and_reports_the_ending(
    tmp_path: Path, outcome: str, code: int
) -> None:
    with started(tmp_path) as process:
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if "in another terminal:" in line:
                    done = signoff(tmp_path, "tasks", outcome, line.split()[-1], "--yes")
                    assert done.returncode == 0, done.stderr
                if "Ctrl-C stops it" in line:
                    break
            looked = signoff(tmp_path, "tasks", "get", "".join(said).split("tasks approve ")[1].split()[0])
            assert looked.returncode == 0, "the server is gone with its receipt"
            assert process.poll() is None
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == code
    assert re.search(
        r"^  Risk of this decision, .*: (low|medium|high|critical)$", "".join(said), re.MULTILINE
    )


def test_second_demo_in_the_same_folder_works(auto_demo: tuple[Path, Done]) -> None:
    folder, first = auto_demo
    again = signoff(folder, "demo", "--auto", "--port", "0")
    assert (again.returncode, trouble_in(again.stderr)) == (0, [])
    assert intent_of(again.stdout) != intent_of(first.stdout)


def test_make_demo_exits_0_on_ctrl_c_after_an_approval(tmp_path: Path) -> None:
    # At a terminal Ctrl-C reaches make as well, unless the demo is a job of its own.
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execvp("make", ["make", "demo", f"ARGS=--port 0 --data {tmp_path}/.signoff"])
    said = read_until(terminal, "or here:")
    task = re.search(r"tasks approve (\S+)", said)
    assert task is not None, said
    approved = signoff(tmp_path, "tasks", "approve", task[1], "--yes")
    assert approved.returncode == 0, approved.stderr
    read_until(terminal, "Ctrl-C stops it")
    os.write(terminal, b"\x03")
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("seen", ["Server  ", "or here:"])
def test_make_demo_exits_0_on_ctrl_c_at_any_time(tmp_path: Path, seen: str) -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execvp("make", ["make", "demo", f"ARGS=--port 0 --data {tmp_path}/.signoff"])
    read_until(terminal, seen)
    os.write(terminal, b"\x03")
    read_until(terminal, "Stopped.")
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0


def read_until(terminal: int, words: str) -> str:
    """The terminal's output up to ``words``; fails if the process ends without them."""
    said = ""
    while words not in said:
        try:
            said += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # Linux says so when the other side is closed
            raise AssertionError(f"{words!r} was not shown:\n{said}") from None
    return said
