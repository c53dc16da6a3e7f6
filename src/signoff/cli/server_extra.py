"""The server and the MCP server are optional extras: a command that needs one says exactly what to install."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from signoff.cli.failures import CommandFailed, ExitCode


def server_part(command: str) -> AbstractContextManager[None]:
    """Wraps an import of the server: a missing library ends the command with how to install it."""
    return extra(command, "server")


@contextmanager
def extra(command: str, name: str) -> Iterator[None]:
    """Wraps an import of what this extra installs: a missing library ends the command with how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing in ("", "signoff"):
            raise
        raise CommandFailed(
            ExitCode.FAILURE,
            f"{command} needs the {name} part, and {missing} is not installed.",
            hint=f'Install it with pip install "signoff[{name}]"',
        ) from error
