"""How a command ends: its exit code, and what failed, why, and the next command to run."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import click

from signoff.cli.text_safety import visible, visible_lines
from signoff.core.errors import Conflict, Forbidden, Invalid, Malformed, NotFound, Refused, Unauthenticated
from signoff.core.text.masking import MASK, mask_text, mask_tokens, starred

if TYPE_CHECKING:
    from signoff.client.errors import SignoffError


class ExitCode(IntEnum):
    """Exit codes. Codes from 10 up report how a watched intent ended.

    MEANING describes each for the reference page.
    """

    OK = 0
    FAILURE = 1
    USAGE = 2
    DECLINED = 3
    UNAUTHENTICATED = 4
    NOT_FOUND = 5
    CONFLICT = 6
    TIMEOUT = 7
    FORBIDDEN = 8
    UNREACHABLE = 9
    REJECTED = 10
    EXPIRED = 11
    WITHDRAWN = 12
    SUPERSEDED = 13
    UNDELIVERABLE = 14
    CHANGED = 15
    INTERRUPTED = 130


MEANING: Final = {
    ExitCode.OK: "success; if an intent is watched, only if it completed",
    ExitCode.FAILURE: "failure (command or watched intent)",
    ExitCode.USAGE: "usage error or invalid input; nothing was done",
    ExitCode.DECLINED: "aborted at a prompt; nothing was done",
    ExitCode.UNAUTHENTICATED: "no server or key is configured, or the key is invalid",
    ExitCode.NOT_FOUND: "not found, or not visible to this key",
    ExitCode.CONFLICT: "conflict: already decided, changed in the meantime, in use",
    ExitCode.TIMEOUT: "`--timeout` elapsed first (the intent continues), or a sign-in was not allowed in time",
    ExitCode.FORBIDDEN: "not allowed for this key, or only with a stronger sign-in",
    ExitCode.UNREACHABLE: "the server did not respond, or its certificate is not trusted",
    ExitCode.REJECTED: "a watched intent was rejected by people",
    ExitCode.EXPIRED: "a watched intent expired or timed out",
    ExitCode.WITHDRAWN: "a watched intent was withdrawn or canceled",
    ExitCode.SUPERSEDED: "changes were requested, and no revision followed",
    ExitCode.UNDELIVERABLE: "no approver could be reached",
    ExitCode.CHANGED: "with `--unchanged`: approved, but not the payload that was sent",
    ExitCode.INTERRUPTED: "Ctrl-C",
}


@dataclass
class CommandFailed(Exception):
    """Ends the command. what: what failed, as a sentence; hint: the next step; request_id: finds the request in the
    server's log.
    """

    code: ExitCode
    what: str
    hint: str = ""
    request_id: str = ""

    def lines(self) -> list[str]:
        """The lines for stderr, escaped because they contain text from servers and files, and without keys: errors
        quote arguments, and a key may have been passed in place of an address, a file or an id.
        """
        first, *rest = visible_lines(mask_tokens(self.what, starred))
        lines = [f"error: {first}", *(f"  {line}" for line in rest)]
        if self.hint:
            lines += [f"  {line}" for line in visible_lines(mask_tokens(self.hint, starred))]
        if self.request_id:
            lines.append(f"  request: {visible(self.request_id)}")
        return lines


def stopped(error: BaseException) -> CommandFailed | None:
    """The CommandFailed for an exception; None for a bug."""
    if isinstance(error, CommandFailed):
        return error
    if isinstance(error, Refused):
        hint = error.hint or ""
        return CommandFailed(_refused(error), error.message, hint)
    if isinstance(error, click.UsageError):
        if misplaced := _misplaced(error):
            return misplaced
        return CommandFailed(ExitCode.USAGE, error.format_message(), _usage(error))
    if isinstance(error, click.ClickException):
        return CommandFailed(ExitCode.FAILURE, error.format_message())
    if isinstance(error, MemoryError):
        return CommandFailed(
            ExitCode.FAILURE, "Out of memory.", "Raise this process's memory limit: 400 MiB is enough."
        )
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return CommandFailed(ExitCode.INTERRUPTED, "Interrupted.")
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        mistyped = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
        return CommandFailed(ExitCode.USAGE if mistyped else ExitCode.FAILURE, f"{place}{error.strerror}.")
    from signoff.client.errors import SignoffError

    return _from_client(error) if isinstance(error, SignoffError) else None


def unexpected(error: BaseException, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The lines for stderr after a bug, without the exception's own text, which may quote a secret. With
    SIGNOFF_DEBUG they contain the traceback, with secrets masked.
    """
    if environ.get("SIGNOFF_DEBUG"):
        import traceback

        text = _without("".join(traceback.format_exception(error)), environ)
        return [visible(line) for line in text.splitlines()]
    return [
        f"internal error ({type(error).__name__}).",
        "  This is a bug in signoff. SIGNOFF_DEBUG=1 shows where; please report it.",
    ]


def _without(text: str, environ: Mapping[str, str]) -> str:
    """The text with secrets from the environment and the command line masked, and everything that looks like a
    secret.
    """
    from signoff.config import PREFIX, rows, secrets_in

    values = [value for name, value in environ.items() if name.startswith(PREFIX) or name == "DATABASE_URL"]
    found = {part for value in (*values, *sys.argv[1:]) for part in secrets_in(value)}
    whole = ["SIGNOFF_API_KEY", *(name for row in rows() if row.secret for name in row.variables)]
    found |= {part for name in whole for part in secrets_in(environ.get(name, ""), whole=True)}
    for secret in sorted(found, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return mask_text(text, starred)


_REFUSED: Final = (
    (Malformed, ExitCode.USAGE),
    (Invalid, ExitCode.USAGE),
    (Unauthenticated, ExitCode.UNAUTHENTICATED),
    (Forbidden, ExitCode.FORBIDDEN),
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.CONFLICT),
)
# Errors without a request: a server or command cannot work with this database.
_TAKEN: Final = frozenset({"database_in_use", "schema_newer", "backup_exists", "folder_not_writable"})


def _refused(error: Refused) -> ExitCode:
    if error.code in _TAKEN:
        return ExitCode.CONFLICT
    return next((code for kind, code in _REFUSED if isinstance(error, kind)), ExitCode.FAILURE)


def _misplaced(error: click.UsageError) -> CommandFailed | None:
    """The hint for an option that comes before the command that it belongs to."""
    group = isinstance(error, click.NoSuchOption) and error.ctx is not None
    if not (group and isinstance(error.ctx.command, click.Group)):  # type: ignore[union-attr]
        return None
    option = error.option_name  # type: ignore[attr-defined]
    return CommandFailed(
        ExitCode.USAGE,
        f"{option} is not an option of {error.ctx.command_path}.",  # type: ignore[union-attr]
        hint=f"A command's options follow it: signoff tasks list {option}",
    )


def _usage(error: click.UsageError) -> str:
    return f"See: {error.ctx.command_path} --help" if error.ctx else "See: signoff --help"


def _from_client(error: "SignoffError") -> CommandFailed:
    from signoff.client import errors as e

    if isinstance(error, e.NotConfigured):
        return CommandFailed(ExitCode.UNAUTHENTICATED, str(error))
    if isinstance(error, e.WaitTimeout):
        return CommandFailed(
            ExitCode.TIMEOUT, str(error), f"Continue with: signoff intents watch {error.intent_id}"
        )
    if isinstance(error, e.ConnectionFailed):
        return CommandFailed(ExitCode.UNREACHABLE, str(error))
    if isinstance(error, e.RequestRefused):
        return CommandFailed(_code(error), _sentence(error), _next(error), error.request_id or "")
    return CommandFailed(ExitCode.FAILURE, str(error))


def _code(error: "SignoffError") -> ExitCode:
    from signoff.client import errors as e

    by_class = {
        e.AuthenticationFailed: ExitCode.UNAUTHENTICATED,
        e.PermissionDenied: ExitCode.FORBIDDEN,
        e.NotFound: ExitCode.NOT_FOUND,
        e.Conflict: ExitCode.CONFLICT,
        e.Invalid: ExitCode.USAGE,
    }
    return next((code for kind, code in by_class.items() if isinstance(error, kind)), ExitCode.FAILURE)


def _sentence(error: Exception) -> str:
    from signoff.client import errors as e

    if isinstance(error, e.AlreadyDecided) and error.outcome:
        details = error.details
        who, via = details.get("decided_by_name") or details.get("decided_by", ""), details.get("via", "")
        at = error.details.get("decided_at", "")
        how = "".join(f" {word} {value}" for word, value in (("by", who), ("at", at), ("via", via)) if value)
        return f"Already decided: {error.outcome}{how}."
    if isinstance(error, e.RequestRefused):
        return (
            f"{error.field}: {error.message}"
            if error.field and error.field not in error.message
            else error.message
        )
    return str(error)


_LISTS: Final = {
    "agent_not_found": "agents",
    "intent_not_found": "intents",
    "key_not_found": "keys",
    "person_not_found": "people",
    "policy_not_found": "policies",
    "task_not_found": "tasks",
    "team_not_found": "teams",
}


def _next(error: Exception) -> str:
    from signoff.client import errors as e

    if isinstance(error, e.RequestRefused):
        if error.hint:
            return error.hint
        if error.code in _LISTS:
            return f"List them: signoff {_LISTS[error.code]} list"
    if isinstance(error, e.StaleRevision):
        return "It has changed since you read it. Read it again, then answer."
    if isinstance(error, e.AuthenticationFailed):
        return "Set SIGNOFF_API_KEY to a valid key; on the server, `signoff keys create` creates one."
    return ""
