"""The server is an extra: a command that needs it says exactly what to install where it is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from signoff.cli.failures import CommandFailed, ExitCode


@contextmanager
def server_part(command: str) -> Iterator[None]:
    """Around an import of the server: a missing library stops the command with the way to install it."""
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
