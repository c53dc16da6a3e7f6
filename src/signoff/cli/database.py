"""``signoff db``: maintains a server's database without running the server."""

from pathlib import Path
from typing import Any, Final

import click

from signoff.cli.commands import DataCommand, without_dry_run
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.server_extra import server_part
from signoff.cli.session import CommandContext
from signoff.cli.text_safety import visible
from signoff.cli.up import configured, database_named, flags
from signoff.config import Config, reachable

_MADE_ONCE: Final = "it makes a secret that only the real run knows."


@click.group(cls=SuggestingGroup)
def db() -> None:
    """Migrate, back up or restore the database; recover access."""


@click.pass_obj
def _migrate(session: CommandContext, /, **options: Any) -> None:
    """Migrate the database schema, as `signoff up` does at start."""
    config = configured(options)
    with server_part("signoff db migrate"), database_named(config):
        from signoff.maintenance import migrate

        migrate(config)
    shown = visible(config.shown_database)
    session.out.one({"database": shown, "migrated": True}, "database", [f"up to date: {shown}"])


@click.pass_obj
def _backup(session: CommandContext, /, target: Path, **options: Any) -> None:
    """Write a consistent copy of a SQLite database to TARGET.

    TARGET is a new file. The server can keep running.
    """
    config = configured(options)
    if target.exists():
        raise CommandFailed(
            ExitCode.CONFLICT, f"{target} exists already.", hint="Choose a file that does not exist."
        )
    with server_part("signoff db backup"), database_named(config):
        from signoff.maintenance import backup

        backup(config, target)
    session.out.one(
        {"database": visible(config.shown_database), "backup": str(target)}, "backup", [visible(target)]
    )


@click.pass_obj
def _restore(session: CommandContext, /, file: Path, **options: Any) -> None:
    """Restore a SQLite database from a backup FILE.

    FILE is what `signoff db backup` wrote. Stop the server first.

    The copy is verified before and after. The existing database is kept next to it under another name. If the command
    is interrupted, the database is intact: either the old one or the copy.
    """
    config = configured(options)
    with server_part("signoff db restore"):
        from signoff.maintenance import restore

        kept = restore(config, file)
    shown = visible(config.shown_database)
    lines = [f"restored: {shown}"]
    if kept is not None:
        lines.append(f"the replaced database is kept: {visible(kept)}")
    session.out.one({"database": shown, "restored": str(file), "kept": str(kept or "")}, "kept", lines)


@click.pass_obj
def _owner_key(session: CommandContext, /, email: str, workspace: str, **options: Any) -> None:
    """Create a new API key for an owner.

    The owner is EMAIL, by default the first owner.

    It is shown once. The change log (`signoff changes list`) records that the operator created it.
    """
    config = configured(options)
    with server_part("signoff db owner-key"), database_named(config):
        from signoff.maintenance import owner_key

        person, space, secret = owner_key(config, email, workspace)
    session.out.note(f"A key of {visible(person.email)}, shown once. Revoke lost keys.")
    record = {"person": person.email, "workspace": f"{space.organization}/{space.name}", "api_key": secret}
    session.out.one(record, "api_key", [visible(secret)])


@click.pass_obj
def _signin_link(session: CommandContext, /, email: str, workspace: str, **options: Any) -> None:
    """Create a single-use sign-in link for EMAIL, valid for 15 minutes.

    It counts as a sign-in by e-mail: give it only to that person, in person or by phone. The change log (`signoff
    changes list`) records that the operator created it.
    """
    config = configured(options)
    with server_part("signoff db signin-link"), database_named(config):
        from signoff.maintenance import signin_link

        made = signin_link(config, email, workspace)
    name = visible(made.person.name or made.person.email)
    link = f"{_address(config)}/login/{made.token}"
    session.out.note(
        f"Signs {name} in, once, until {made.expires_at:%H:%M} UTC. Anyone who opens it is signed in as {name}."
    )
    record = {
        "person": made.person.email,
        "workspace": f"{made.workspace.organization}/{made.workspace.name}",
        "link": link,
        "expires_at": made.expires_at,
    }
    session.out.one(record, "link", [visible(link)])


@click.pass_obj
def _add_workspace(session: CommandContext, /, name: str, owner: str, **options: Any) -> None:
    """Create the workspace NAME (ORGANIZATION/NAME), even in another organization.

    Its owner's key is shown once. The server can keep running.
    """
    config = configured(options)
    organization, _, last = name.partition("/")
    with server_part("signoff db add-workspace"), database_named(config):
        from signoff.maintenance import add_workspace

        made = add_workspace(config, organization, last, owner)
    session.out.note(
        f"Created {visible(made.workspace.full_name)}. The key of {visible(made.owner.email)}, shown once:"
    )
    record = {"workspace": made.workspace.full_name, "owner": made.owner.email, "api_key": made.secret}
    session.out.one(record, "api_key", [visible(made.secret)])


def _address(config: Config) -> str:
    """The address of the server that uses this database: the configured one, the one that the server recorded, or the
    default.
    """
    by_default = f"http://{reachable(config.host)}:{config.port}"
    if config.base_url == by_default:
        from signoff.bootstrap import read_credentials

        known = (read_credentials(config.data) or {}).get("url")
        if isinstance(known, str) and known:
            return known.rstrip("/")
    return config.base_url or by_default


db.add_command(
    DataCommand(
        "signin-link",
        callback=_signin_link,
        help=_signin_link.__doc__,
        params=[
            click.Argument(["email"]),
            click.Option(
                ["--workspace"],
                default="",
                metavar="ORG/NAME",
                help="The workspace, if several have the address.",
            ),
            *flags("data", "database", "base_url"),
            without_dry_run(_MADE_ONCE),
        ],
        fields=("person", "workspace", "link", "expires_at"),
    )
)
db.add_command(
    DataCommand(
        "owner-key",
        callback=_owner_key,
        help=_owner_key.__doc__,
        params=[
            click.Argument(["email"], required=False, default=""),
            click.Option(
                ["--workspace"], default="", metavar="ORG/NAME", help="The workspace, if there are several."
            ),
            *flags("data", "database"),
            without_dry_run(_MADE_ONCE),
        ],
        fields=("person", "workspace", "api_key"),
    )
)
db.add_command(
    DataCommand(
        "add-workspace",
        callback=_add_workspace,
        help=_add_workspace.__doc__,
        params=[
            click.Argument(["name"]),
            click.Option(["--owner"], required=True, metavar="EMAIL", help="Its first owner."),
            *flags("data", "database"),
            without_dry_run(_MADE_ONCE),
        ],
        fields=("workspace", "owner", "api_key"),
    )
)
db.add_command(
    DataCommand(
        "restore",
        callback=_restore,
        help=_restore.__doc__,
        params=[
            click.Argument(["file"], type=click.Path(path_type=Path)),
            *flags("data", "database"),
            without_dry_run(
                "restoring is what finds out whether the backup is sound. The replaced database is kept."
            ),
        ],
        fields=("database", "restored", "kept"),
    )
)
db.add_command(
    DataCommand(
        "migrate",
        callback=_migrate,
        help=_migrate.__doc__,
        params=[
            *flags("data", "database"),
            without_dry_run(
                "migrating is what finds out what a database needs. Make a backup first: signoff db backup."
            ),
        ],
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
