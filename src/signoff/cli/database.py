"""``signoff db``: a server's database, without serving it."""

from pathlib import Path
from typing import Any

import click

from signoff.cli.commands import DataCommand
from signoff.cli.extra import server_part
from signoff.cli.failures import Code, Stop
from signoff.cli.session import Session
from signoff.cli.tree import Group
from signoff.cli.up import configured, database_named, flags
from signoff.cli.visible import visible


@click.group(cls=Group)
def db() -> None:
    """Migrate or back up the database."""


@click.pass_obj
def _migrate(session: Session, /, **given: Any) -> None:
    """Bring the database's tables up to date, as `signoff up` does when it starts."""
    config = configured(given)
    with server_part("signoff db migrate"):
        from signoff.maintenance import migrate
    with database_named(config):
        migrate(config)
    shown = visible(config.shown_database)
    session.out.one({"database": shown, "migrated": True}, "database", [f"up to date: {shown}"])


@click.pass_obj
def _backup(session: Session, /, target: Path, **given: Any) -> None:
    """Write a consistent copy of a SQLite database to TARGET, a new file, while the server runs or not."""
    config = configured(given)
    if target.exists():
        raise Stop(Code.CONFLICT, f"{target} exists already.", hint="Name a file that does not.")
    with server_part("signoff db backup"):
        from signoff.maintenance import backup
    with database_named(config):
        backup(config, target)
    session.out.one(
        {"database": visible(config.shown_database), "backup": str(target)}, "backup", [visible(target)]
    )


db.add_command(
    DataCommand(
        "migrate",
        callback=_migrate,
        help=_migrate.__doc__,
        params=flags("data", "database"),
        fields=("database", "migrated"),
    )
)
db.add_command(
    DataCommand(
        "backup",
        callback=_backup,
        help=_backup.__doc__,
        params=[click.Argument(["target"], type=click.Path(path_type=Path)), *flags("data", "database")],
        fields=("database", "backup"),
    )
)
