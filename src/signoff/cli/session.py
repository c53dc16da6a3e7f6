"""The context of a running command: its output, the person at the terminal, and the server it talks to."""

import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from signoff.cli.arguments import find_id
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.output import Output, Painted
from signoff.cli.text_safety import visible
from signoff.core.text.masking import mask_text, starred
from signoff.documents import read_text

if TYPE_CHECKING:
    from signoff.client.sync import Client

# How far back a shortened id is searched.
RECENT = 500


@dataclass
class CommandContext:
    """The context of a command without a server."""

    out: Output
    ctx: click.Context

    @property
    def interactive(self) -> bool:
        """Whether a person can be prompted: never in a pipe."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> str:
        """A line typed at the terminal; "" for just Enter."""
        sys.stderr.write(visible(question) + " ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise CommandFailed(ExitCode.DECLINED, "Canceled: no answer.")
        return line.strip()

    def show(self, lines: Iterable[str], yes: bool) -> None:
        """Show on stderr what ``confirm`` will ask about. --quiet hides it only if --yes was given."""
        for line in lines:
            if not (self.out.quiet and yes):
                safe = Painted(visible(line), line.mood) if isinstance(line, Painted) else visible(line)
                print(self.out.coloured(safe) if sys.stderr.isatty() else safe, file=sys.stderr)

    def confirm(self, question: str, yes: bool) -> None:
        """Return only after confirmation; otherwise stop the command. yes: the flag --yes was given."""
        if yes:
            return
        if not self.interactive:
            raise CommandFailed(
                ExitCode.USAGE,
                "This needs confirmation, and there is no terminal to ask at.",
                hint="Repeat the command with --yes.",
            )
        if self.ask(f"{question} [y/N]").lower() not in ("y", "yes"):
            raise CommandFailed(ExitCode.DECLINED, "Canceled: nothing was changed.")


@dataclass
class Remote(CommandContext):
    """The context of a command with a server."""

    url: str | None = None
    key_file: str | None = None

    @cached_property
    def client(self) -> "Client":
        """The SDK, closed when the command ends. It does not retry: the person sees the failure and decides."""
        from signoff.client.sync import Client

        client = Client(self.url, self._key(), retry_for=0.0, program="signoff-cli")
        self.ctx.call_on_close(client.close)
        return client

    def intent_id(self, text: str) -> str:
        """The full id of the intent that ``text`` means."""
        return find_id(text, "intent", self._recent_intents)

    def task_id(self, text: str) -> str:
        """The full id of the task that ``text`` means; an intent's id stands for its open task.

        A task that has been closed since can still be named by its short id: the reply then says who was faster.
        """
        return find_id(text, "task", self._tasks)

    def _recent_intents(self) -> Iterator[dict[str, str]]:
        yield {intent.intent_id: intent.intent_id for intent in self.client.list_intents(limit=RECENT)}

    def _tasks(self) -> Iterator[dict[str, str]]:
        for state in ("open", "closed"):
            tasks = self.client.tasks.list(state=state, limit=RECENT)
            yield {known: task.task_id for task in tasks for known in (task.task_id, task.intent_id)}

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Report in plain words that nothing listens at the server's address.

        This comes before a missing key: without a server no key was ever created.
        """
        from signoff.client.errors import ConnectionFailed, NotConfigured

        try:
            yield
        except NotConfigured as error:
            url = self.url or os.environ.get("SIGNOFF_URL", "")
            if not _deserted(url):
                raise
            raise _nothing_at(url) from error
        except ConnectionFailed as error:
            url = self.client.settings.url
            if not (error.unsent and _deserted(url)):
                raise
            raise _nothing_at(url) from error

    def _key(self) -> str | None:
        if self.key_file is None:
            return None
        key = read_text(Path(self.key_file)).strip()
        if not key:  # never use another key than the one that was asked for
            raise CommandFailed(ExitCode.USAGE, f"{self.key_file} contains no key.")
        return key


def _nothing_at(url: str) -> CommandFailed:
    shown = mask_text(url, starred)  # it may be one that was refused for the password in it
    return CommandFailed(
        ExitCode.UNREACHABLE, f"Nothing is listening at {shown}.", hint="Start it with: signoff up"
    )


def _deserted(url: str) -> bool:
    """Whether ``url`` is an address of this machine on which nothing listens."""
    try:
        parts = urlsplit(url)
        if parts.hostname not in ("localhost", "127.0.0.1", "::1") or not parts.port:
            return False
        socket.create_connection((parts.hostname, parts.port), 1).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):
        return False
    return False
