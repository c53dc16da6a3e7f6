"""A server that cannot start says why, with an exit code and without a traceback, and leaves everything unchanged."""

import asyncio
from pathlib import Path

import apsw
import asyncpg
import pytest

from tests.live import Live
from tests.stories.crash import (
    alone,
    ask,
    fresh_database,
    sent,
    stopped_at_the_end,
)
from tests.stories.servers import KINDS
from tests.stories.starts import refused_start

SOON = {"SIGNOFF_DATABASE_WAIT": "0.1s", "SIGNOFF_LOG_LEVEL": "error"}  # test_waited_start has the waiting


def test_unreachable_database_refuses_the_start(tmp_path: Path) -> None:
    for url in (
        "postgresql://u@127.0.0.1:1/x",
        f"postgresql:///x?host={tmp_path}",
        "postgresql://u@no.invalid/x",
    ):
        said = refused_start("--data", str(tmp_path / "d"), "--database", url, **SOON)
        assert "is unreachable" in said
        assert f"Check that {url} is right (--database, SIGNOFF_DATABASE_URL)" in said
    assert "mysql" in refused_start("--data", str(tmp_path / "d"), "--database", "mysql://u@h/x")


def test_errors_contain_no_password(tmp_path: Path) -> None:
    url = "postgresql://user:hunter2hunter2@127.0.0.1:1/x"
    said = refused_start("--data", str(tmp_path / "d"), SIGNOFF_DATABASE_URL=url, **SOON)
    assert "hunter2" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_database_of_a_newer_release_is_left_unchanged(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    newer = "insert into schema_version (version, name, applied_at) values (99, 'later', 0)"
    with fresh_database(request, kind) as url:
        live = Live(tmp_path / ".signoff", url, console_notifications="off")

        def execute(statement: str) -> None:
            if url:
                asyncio.run(_execute(url, statement))
            else:
                apsw.Connection(str(live.data / "signoff.db")).execute(statement)

        with stopped_at_the_end(live):
            gate = sent(live)
        execute(newer)
        arguments = ["--data", str(live.data)] + (["--database", url] if url else [])
        said = refused_start(*arguments)
        assert "schema 99" in said
        assert "newer release" in said
        execute("delete from schema_version where version = 99")
        with stopped_at_the_end(live):
            assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "WAITING"


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


def test_two_servers_never_share_a_file(tmp_path: Path) -> None:
    with alone(tmp_path) as live:
        gate = sent(live)
        said = refused_start("--data", str(live.data))
        assert "Another server is using" in said
        assert "PostgreSQL" in said
        other = refused_start(
            "--data", str(tmp_path / "other"), "--database", f"sqlite:///{live.data}/signoff.db"
        )
        assert "Another server is using" in other
        assert ask(live, "POST", f"/v1/tasks/{gate}/answer", {"outcome": "approved"}).status == 200
        live.restart()  # a killed server leaves nothing behind that would keep the next one out
        assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "COMPLETED"


def test_unwritable_folder_refuses_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    assert "Permission denied" in refused_start("--data", str(folder), drop_privileges=True)
    assert "Permission denied" in refused_start("--data", str(folder / "inner"), drop_privileges=True)
    assert list(folder.iterdir()) == []
    (tmp_path / "file").write_text("not a folder")
    assert str(tmp_path / "file") in refused_start("--data", str(tmp_path / "file"))


def test_file_that_is_no_database_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "signoff.db").write_bytes(b"these are my holiday pictures" * 500)
    assert "not a database" in refused_start("--data", str(tmp_path))
    assert (tmp_path / "signoff.db").read_bytes().startswith(b"these are my holiday pictures")


def test_port_in_use_refuses_the_start(tmp_path: Path) -> None:
    with alone(tmp_path) as live:
        said = refused_start("--data", str(tmp_path / "other"), "--port", str(live.port))
        assert f"127.0.0.1:{live.port}" in said
        assert "--port 0" in said
        assert not (tmp_path / "other" / "signoff.db").exists()
