"""``signoff keys``: API keys. A key's secret is shown once, when it is created; only its hash is stored."""

from typing import Final

import click

from signoff.cli.arguments import seconds
from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.complete import of_agents, of_keys, of_people
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column, time_column
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.wire.keys import KeyOut


@click.group(cls=SuggestingGroup)
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command(
    "create", cls=ChangingCommand, fields=("address", "key_id", "api_key", "kind", "expires_at", "warnings")
)
@click.option(
    "--agent",
    metavar="ADDRESS",
    shell_complete=of_agents,
    help="For an agent: its name or agent://org/workspace/name.",
)
@click.option("--service", metavar="NAME", help="For a service: it may submit and observe.")
@click.option(
    "--person", metavar="EMAIL", shell_complete=of_people, help="For a person: it may decide as that person."
)
@click.option("--name", metavar="NAME", help="With --person: the person's name.")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="With --person: a role; repeat it for several."
)
@click.option("--expires-in", callback=seconds, metavar="DURATION", help="Lifetime.")
@click.pass_obj
def create(
    session: Remote, /, expires_in: float | None, roles: tuple[str, ...], **holder: str | None
) -> None:
    """Create a key for an agent, a service or a person; prints it once."""
    if sum(holder[name] is not None for name in ("agent", "service", "person")) != 1:
        raise CommandFailed(ExitCode.USAGE, "Name exactly one of --agent, --service and --person.")
    key = session.client.create_key(
        agent=holder["agent"],
        service=holder["service"],
        person=holder["person"],
        name=holder["name"],
        roles=roles or None,
        expires_in=expires_in,
    )
    session.out.one(key, "api_key", [key.api_key])
    if session.out.for_people:
        session.out.note(f"{visible(key.kind)} key {key.key_id} of {key.address}. It is shown only once.")
    for warning in key.warnings:
        session.out.note(f"warning: {visible(warning)}")


@keys.command("list", cls=RemoteCommand, fields=KeyOut)
@click.pass_obj
def list_keys(session: Remote) -> None:
    """List the keys, without their secrets."""
    from signoff.client.calls import ApiCall

    found = session.client.call(ApiCall("GET", "/v1/keys", lambda answer: list(answer.get("keys") or ())))
    session.out.many(found, _COLUMNS, "key_id", "There are no keys here.")


@keys.command("revoke", cls=ChangingCommand, fields=("key_id",))
@click.argument("key_id", shell_complete=of_keys)
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt.")
@click.pass_obj
def revoke(session: Remote, key_id: str, yes: bool) -> None:
    """Revoke a key immediately."""
    session.confirm(f"Revoke the key {key_id}? It stops working immediately.", yes)
    session.client.revoke_key(key_id)
    session.out.one({"key_id": key_id}, "key_id", [f"revoked: {visible(key_id)}"])


_COLUMNS: Final = (
    column("KEY", "key_id", whole=True),
    column("KIND"),
    column("STATUS", whole=True),
    Column("OF", lambda key: key.get("holder_name") or key.get("holder_id")),
    column("TERMINAL", "name", drop=2),
    column("HINT", "key_hint", drop=1),
    time_column("CREATED", "created_at", drop=4),
    time_column("EXPIRES", "expires_at", drop=3),
)
