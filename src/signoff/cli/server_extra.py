"""The server is an optional extra: a command that needs it says exactly what to install."""

from collections.abc import Iterator
from contextlib import contextmanager

from signoff.cli.failures import CommandFailed, ExitCode


@contextmanager
def server_part(command: str) -> Iterator[None]:
    """Wraps an import of the server: a missing library ends the command with how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] == "signoff":
            raise
        raise CommandFailed(
            ExitCode.FAILURE,
            f"{command} needs the server part, and {error.name} is not installed.",
            hint='Install it with pip install "signoff[server]"',
        ) from error
