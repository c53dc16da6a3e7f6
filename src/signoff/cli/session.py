"""The context of a running command: its output, the person at the terminal, and the server it talks to."""

import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from signoff.cli.arguments import find_id
from signoff.cli.contexts import connection
from signoff.cli.dry_run import Unsent, changes_something, request_lines
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.last_intent import LAST, last
from signoff.cli.output import Output, Painted
from signoff.cli.text_safety import visible
from signoff.core.text.masking import mask_text, starred
from signoff.documents.reading import read_text

if TYPE_CHECKING:
    import httpx2

    from signoff.client.credentials import Settings
    from signoff.client.sync import Client

# How many recent ids are searched for a shortened one.
RECENT = 500


@dataclass
class CommandContext:
    """The context of a command without a server."""

    out: Output
    ctx: click.Context

    @property
    def interactive(self) -> bool:
        """Whether a person can be prompted, which is never the case in a pipe."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> str:
        """Read a line from the terminal; "" if only Enter was pressed."""
        sys.stderr.write(visible(question) + " ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise CommandFailed(ExitCode.DECLINED, "Canceled: no answer given.")
        return line.strip()

    def show(self, lines: Iterable[str], yes: bool) -> None:
        """Show on stderr what ``confirm`` will ask about. --quiet hides it only if --yes was given."""
        for line in lines:
            if not (self.out.quiet and yes):
                safe = Painted(visible(line), line.mood) if isinstance(line, Painted) else visible(line)
                print(self.out.colored(safe) if sys.stderr.isatty() else safe, file=sys.stderr)

    def confirm(self, question: str, yes: bool) -> None:
        """Return if the person confirms; otherwise stop the command. yes: the flag --yes was given."""
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
    context: str | None = None
    verbose: bool = False
    timeout: float = 15.0
    may_change: bool = False
    dry_run: bool = False

    @cached_property
    def client(self) -> "Client":
        """The SDK's client, closed when the command ends. It does not retry, so that the person sees the failure and
        decides.
        """
        from signoff.client.sync import Client

        found = self.settings
        client = Client(found.url, found.api_key, timeout=self.timeout, retry_for=0.0, program="signoff-cli")
        client.session.watch(self._sending, _received if self.verbose else _unwatched)
        self.ctx.call_on_close(client.close)
        return client

    @cached_property
    def settings(self) -> "Settings":
        """The server and the key: from the options, or else the environment, or else the current context or the
        nearest .signoff folder.
        """
        from signoff.client.credentials import IN_SHELL, find_settings

        wanted = connection(self.url, self._key(), self.context, os.environ)
        if wanted.note:
            self.out.note(wanted.note)
        found = find_settings(wanted.url, wanted.api_key, words=IN_SHELL)
        return replace(found, source=wanted.source) if wanted.source else found

    def _sending(self, request: "httpx2.Request") -> None:
        """Called before each request: stops the one that would change something where nothing may be changed."""
        if changes_something(request):
            if not self.may_change:
                raise TypeError(f"{self.ctx.command_path} changes something: it has to be a ChangingCommand")
            if self.dry_run:
                raise Unsent(request)
        if self.verbose:
            _sent(request)

    def confirm(self, question: str, yes: bool) -> None:
        """As for every command; in a dry run there is nothing to confirm."""
        super().confirm(question, yes or self.dry_run)

    def print_unsent(self, unsent: Unsent, *, followed: bool = False) -> None:
        """Print the request that a dry run has not sent. ``followed``: whether others may follow."""
        record = unsent.record(self.ctx.params.get("idempotency_key"))
        self.out.note("Nothing was sent. Without --dry-run, this would be:")
        # whole: the fields that --json names are those of the command's own records
        replace(self.out, fields=()).one(record, "path", request_lines(record), followed=followed)

    @contextmanager
    def one_of_several(self, several: bool) -> Iterator[None]:
        """A request that others may follow: a dry run prints it and continues."""
        try:
            yield
        except Unsent as unsent:
            self.print_unsent(unsent, followed=several)

    def intent_id(self, text: str) -> str:
        """The full id of the intent that ``text`` means; ``@last`` means the one that was sent last."""
        return self._last() if text == LAST else find_id(text, "intent", self._recent_intents)

    def task_id(self, text: str) -> str:
        """The full id of the task that ``text`` means. An intent's id means its open task.

        A task that has been closed can still be named by its short id; the response then says who decided it.
        """
        if text == LAST:
            intent_id = self._last()
            task = next(iter(self.client.tasks.list(intent_id=intent_id, limit=1)), None)
            if task is None:
                raise CommandFailed(ExitCode.NOT_FOUND, f"No task of intent {intent_id} is open.")
            return task.task_id
        return find_id(text, "task", self._tasks)

    def _last(self) -> str:
        """The last intent that was sent to this server from this computer."""
        intent_id = last(self.settings.url)
        if not intent_id:
            raise CommandFailed(
                ExitCode.NOT_FOUND,
                "No intent was sent to this server from here.",
                hint="List them: signoff intents list",
            )
        return intent_id

    def _recent_intents(self) -> Iterator[dict[str, str]]:
        yield {intent.intent_id: intent.intent_id for intent in self.client.list_intents(limit=RECENT)}

    def _tasks(self) -> Iterator[dict[str, str]]:
        for state in ("open", "closed"):
            tasks = self.client.tasks.list(state=state, limit=RECENT)
            yield {known: task.task_id for task in tasks for known in (task.task_id, task.intent_id)}

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Report that nothing is listening at the server's address.

        This is checked before a missing key, because without a server no key was ever created.
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
            url = self.settings.url
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


def _sent(request: "httpx2.Request") -> None:
    """Show a request without its headers and body, which contain the key and people's text."""
    _traced(f"> {request.method} {unquote(request.url.raw_path.decode('ascii', 'replace'))}")


def _received(response: "httpx2.Response") -> None:
    number = response.headers.get("x-request-id", "")
    _traced(f"< {response.status_code}{f' request {number}' if number else ''}")


def _unwatched(response: "httpx2.Response") -> None:
    """Responses are shown only with --verbose."""


def _traced(line: str) -> None:
    print(visible(mask_text(line, starred)), file=sys.stderr, flush=True)


def _nothing_at(url: str) -> CommandFailed:
    shown = mask_text(url, starred)  # the URL may have been refused for the password in it
    return CommandFailed(
        ExitCode.UNREACHABLE, f"Nothing is listening at {shown}.", hint="Start it with: signoff up"
    )


def _deserted(url: str) -> bool:
    """Whether ``url`` is an address of this machine at which nothing is listening."""
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
