"""The server and the MCP server are optional extras. A command that needs an extra that is missing says what to
install.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from signoff.cli.failures import CommandFailed, ExitCode


def server_part(command: str) -> AbstractContextManager[None]:
    """Wraps an import of the server. If a library is missing, the command ends and says how to install it."""
    return extra(command, "server")


@contextmanager
def extra(command: str, name: str) -> Iterator[None]:
    """Wraps an import of a library of this extra. If it is missing, the command ends and says how to install it."""
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
