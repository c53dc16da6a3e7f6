"""``signoff version``: the version of this program and of the server, and whether they are compatible."""

import platform

import click

from signoff import __version__
from signoff.cli.commands import RemoteCommand
from signoff.cli.session import Remote


@click.command("version", cls=RemoteCommand, fields=("version", "python", "server", "url"))
@click.pass_obj
def version(session: Remote) -> None:
    """Show the version of this program and of the server."""
    found = {"version": __version__, "python": platform.python_version(), **_server(session)}
    lines = [f"signoff {__version__} (Python {found['python']})"]
    if found["server"]:
        lines.append(f"server {session.out.cell(found['server'])} at {session.out.cell(found['url'])}")
    session.out.one(found, "version", lines)
    if found["server"] and _line(found["server"]) != _line(__version__):
        session.out.note("warning: this program and the server have incompatible versions.")


def _server(session: Remote) -> dict[str, str]:
    from signoff.client.errors import SignoffError

    try:
        client = session.client
        return {"server": client.health().version, "url": client.settings.url}
    except SignoffError:
        return {"server": "", "url": ""}


def _line(version: str) -> list[str]:
    """The part of a version that client and server must share: ``0.1`` before 1.0, then ``1``."""
    numbers = version.split(".")
    return numbers[:2] if numbers[0] == "0" else numbers[:1]
