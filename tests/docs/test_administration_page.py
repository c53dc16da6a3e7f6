"""docs/how-to/administration.md: its commands, one after another, on one server."""

import os
import re
import subprocess
import sys
from pathlib import Path

from signoff.core.formats.manifest import Manifest, compile_manifest
from tests.docs.blocks import DOCS, blocks, documents
from tests.live import Live

PAGE = DOCS / "how-to" / "administration.md"


def run(live: Live, folder: Path, commands: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ, "PATH": path, "SIGNOFF_URL": live.url, "SIGNOFF_API_KEY": live.owner_key,
        "SIGNOFF_DATA": str(live.data),
    }  # fmt: skip
    done = subprocess.run(
        ["sh", "-e", "-c", commands], env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (commands, done.stdout, done.stderr)
    return done.stdout


def test_its_commands_do_what_it_says(tmp_path: Path) -> None:
    live = Live(tmp_path / ".signoff").start()
    try:
        said = [run(live, tmp_path, commands) for commands in blocks(PAGE, "sh")]
        assert len(re.findall(r"sgn_person_\w+", said[0])) == 1
        assert "local/production (formerly local/default)" in said[0]
        for session in blocks(PAGE, "console"):
            commands = "\n".join(line[2:] for line in session.splitlines() if line.startswith("$ "))
            assert re.search(r"sgn_person_\w+", run(live, tmp_path, commands))
        # Started again with the names of the first start, it goes on.
        live.stop()
        live = Live(tmp_path / ".signoff", port=live.port, workspace="default").start()
    finally:
        live.stop()


def test_its_documents_are_manifests() -> None:
    for document in documents(PAGE):
        assert compile_manifest(document) != Manifest()
