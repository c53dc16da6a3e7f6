"""The owner's sign-in link is printed only on a terminal, at the first start, for a server on this machine with one
person.
"""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from signoff.config import Config
from signoff.serving import running
from tests.live import PATIENCE


async def links(**settings: object) -> list[str]:
    """The links that two consecutive starts print."""
    found = []
    for _ in range(2):
        async with running(Config(**settings), list[str]().append) as server:  # type: ignore[arg-type]
            found.append(server.login_url)
    return found


async def test_sign_in_link_is_created_on_the_first_start_only(own_url: str, tmp_path: Path) -> None:
    first, second = await links(port=0, data=tmp_path, database=own_url, console_notifications=False)
    assert re.search(r"^http://127\.0\.0\.1:\d+/login/\S{20,}$", first)
    assert second == ""


@pytest.mark.parametrize("base_url", ["https://signoff.example", "http://10.0.0.7:8100"])
async def test_no_sign_in_link_is_created_if_others_can_reach_the_server(
    tmp_path: Path, base_url: str
) -> None:
    assert await links(port=0, data=tmp_path, base_url=base_url, console_notifications=False) == ["", ""]


async def test_no_sign_in_link_is_created_if_a_manifest_adds_other_people(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text("people:\n  ann@acme.example: {roles: [admin]}\n")
    assert await links(port=0, data=tmp_path / "d", manifest=str(file), console_notifications=False) == [
        "",
        "",
    ]


def test_sign_in_link_is_shown_in_a_terminal_and_not_in_a_log(tmp_path: Path) -> None:
    for terminal in (True, False):
        ours, theirs = pty.openpty() if terminal else os.pipe()
        data = tmp_path / str(terminal)
        command = [sys.executable, "-m", "signoff.cli", "up", "--port", "0", "--data", str(data)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=theirs, stderr=quiet, stdin=quiet, env=clean)
        os.close(theirs)
        said = b""
        try:
            while b"Ctrl-C" not in said:
                more = os.read(ours, 4096)
                assert more, said
                said += more
        finally:
            process.terminate()
            process.wait(PATIENCE)
            os.close(ours)
        assert (b"/login/" in said) is terminal
        assert (b"signoff db signin-link" in said) is not terminal
        assert (b"owner@localhost   creates" in said) is not terminal
