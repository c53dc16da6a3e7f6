"""Commands that need no server, the banner of ``up``, and the options generated from the settings."""

import json
from pathlib import Path

import click
import pytest

from signoff.cli.database import db
from signoff.cli.failures import ExitCode
from signoff.cli.up import banner, flags, up
from signoff.config import Config, rows
from signoff.core.text.masking import MASK
from tests.cli.conftest import Run

pytestmark = pytest.mark.windows


def test_config_show_masks_secrets_and_shows_the_origin_of_values(run: Run) -> None:
    result = run(
        "config",
        "show",
        "--origin",
        "--json",
        "--port",
        "9000",
        SIGNOFF_WEBHOOK_SECRET="hunter2",
        SIGNOFF_WEBHOOK_URL="https://hooks.example/",
        SIGNOFF_DATABASE_URL="postgresql://ann:hunter2@db/gate",
    )
    assert "hunter2" not in result.output
    shown = {row["name"]: row for row in json.loads(result.stdout)}
    assert set(shown) == {row.name for row in rows()} | {"url", "api_key"}
    assert shown["port"] == {"name": "port", "value": "9000", "origin": "flag --port"}
    assert shown["webhook_secret"] == {
        "name": "webhook_secret",
        "value": MASK,
        "origin": "SIGNOFF_WEBHOOK_SECRET",
    }
    assert shown["commit_workers"]["origin"] == "default"
    assert shown["api_key"] == {"name": "api_key", "value": MASK, "origin": "SIGNOFF_API_KEY"}


def test_unknown_setting_in_the_environment_is_a_warning(run: Run) -> None:
    result = run("config", "show", SIGNOFF_PROT="1")
    assert result.exit_code == 0
    assert result.stderr == "warning: SIGNOFF_PROT is not a setting. Did you mean SIGNOFF_PORT?\n"
    assert "SIGNOFF_PROT" not in result.stdout


def test_config_table_shows_origins_only_on_request(run: Run) -> None:
    assert run("config", "show").stdout.splitlines()[0].split() == ["SETTING", "VALUE"]
    assert run("config", "show", "--origin").stdout.splitlines()[0].split() == ["SETTING", "VALUE", "ORIGIN"]


def test_every_setting_except_secrets_is_a_flag_of_up() -> None:
    named = {option.name for option in up.params if isinstance(option, click.Option)}
    assert named == {row.name for row in rows() if not row.secret} | {"open_browser"}
    assert [option.name for option in flags("database", "data")] == ["data", "database"]


def test_banner_shows_address_inbox_database_and_how_to_stop(tmp_path: Path) -> None:
    config = Config(data=tmp_path, database="postgresql://ann:hunter2@db/gate")
    assert "credentials.json" not in banner(config, "http://127.0.0.1:8100")  # there is none
    (tmp_path / "credentials.json").write_text('{"url": "http://x", "api_key": "k"}')
    text = banner(config, "http://127.0.0.1:8100")
    assert "hunter2" not in text
    for part in (
        "http://127.0.0.1:8100/\n",
        f"postgresql://ann:{MASK}@db/gate",
        "credentials.json",
        "Ctrl-C",
    ):
        assert part in text


def test_banner_shows_a_sign_in_link_only_if_there_is_one() -> None:
    url = "http://127.0.0.1:8100"
    assert "signoff db signin-link EMAIL" in banner(Config(), url)
    elsewhere = banner(Config(data=Path("/srv/a b")), url)
    assert "signoff db signin-link --data '/srv/a b' EMAIL" in elsewhere
    assert "signoff db signin-link ann@acme.example   creates" in banner(
        Config(), url, "", "ann@acme.example"
    )
    assert "signoff db owner-key --data '/srv/a b' creates" in elsewhere
    assert f"{url}/login/token   signs you in, once" in banner(Config(), url, f"{url}/login/token")


def test_banner_of_a_server_with_a_base_url_shows_where_it_listens() -> None:
    url = "https://signoff.example"
    assert "Listens   127.0.0.1:8101" in banner(Config(base_url=url, port=8101), url)
    assert "Listens" not in banner(Config(), "http://127.0.0.1:8100")


def test_backup_does_not_overwrite_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    result = run("db", "backup", "copy.db")
    assert result.exit_code == ExitCode.CONFLICT
    assert (tmp_path / "copy.db").read_text() == "precious"
    assert set(db.commands) == {
        "migrate",
        "backup",
        "restore",
        "signin-link",
        "owner-key",
        "add-workspace",
    }


def test_new_folder_is_migrated_and_backed_up(run: Run, tmp_path: Path) -> None:
    migrated = run("db", "migrate", "--data", "gate", "-o", "id")
    assert (migrated.exit_code, migrated.stdout) == (0, "sqlite:///gate/signoff.db\n")
    copied = run("db", "backup", "--data", "gate", "copy.db")
    assert (copied.exit_code, copied.stdout) == (0, "copy.db\n")
    assert (tmp_path / "copy.db").stat().st_size > 0
