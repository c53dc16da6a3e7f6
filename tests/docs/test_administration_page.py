"""docs/how-to/administration.md: all of its commands run in order on one server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from signoff.core.formats.manifest import Manifest, compile_manifest
from tests.docs.blocks import DOCS, blocks, documents
from tests.live import Live

PAGE = DOCS / "how-to" / "administration.md"


def run(live: Live, folder: Path, commands: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "SIGNOFF_URL": live.url,
        "SIGNOFF_API_KEY": live.owner_key,
        "SIGNOFF_DATA": str(live.data),
    }
    done = subprocess.run(
        ["sh", "-e", "-c", commands],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (commands, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    server = Live(tmp_path_factory.mktemp("page") / ".signoff").start()
    yield server
    server.stop()


@pytest.mark.parametrize("number", range(len(blocks(PAGE, "sh"))))
def test_commands_of_the_page_work(live: Live, number: int) -> None:
    """Each block starts from the state that the previous ones left."""
    said = run(live, live.data.parent, blocks(PAGE, "sh")[number])
    if number == 0:
        assert len(re.findall(r"sgn_person_\w+", said)) == 1
        assert "local/production (formerly local/default)" in said


def test_second_organization_and_first_start_with_names_work(live: Live) -> None:
    for session in blocks(PAGE, "console"):
        commands = "\n".join(line[2:] for line in session.splitlines() if line.startswith("$ "))
        assert re.search(r"sgn_person_\w+", run(live, live.data.parent, commands))
    live.stop()
    Live(live.data, port=live.port, workspace="default").start().stop()


def test_documents_of_the_page_are_manifests() -> None:
    for document in documents(PAGE):
        assert compile_manifest(document) != Manifest()
