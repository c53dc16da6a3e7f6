"""Shell completion of arguments: ids and names, read from the server while the person types.

The server has a short time to respond; without a response the shell offers nothing. Nothing is ever printed here.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from signoff.cli.arguments import short_id

if TYPE_CHECKING:
    from signoff.cli.session import Remote

_SECONDS: Final = 1.5
_VARIABLE: Final = "SIGNOFF_COMPLETION_TIMEOUT"
_MOST: Final = 100
_PLAIN: Final = "@%+=:,./_-"
_HELP: Final = 60
Found = Iterable[
    tuple[tuple[str, ...], str]
]  # the ids or names of a thing, the preferred one first, and its description
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offers(read: "Callable[[Remote], Found]") -> Completer:
    """Offer the words from ``read`` that start with what the person has typed."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: list[tuple[tuple[str, ...], str]] = []

        session: Remote = ctx.obj
        session.out.quiet = True
        session.timeout = seconds = patience(os.environ)

        def ask() -> None:
            # a shell shows what completion prints between the typed words
            with suppress(Exception), closing(session.client):
                found.extend(read(session))

        with suppress(Exception):
            session.client  # noqa: B018 - made before the clock runs: the time is the server's
            # A name server or a connection may hang for longer than the client's timeouts.
            worker = threading.Thread(target=ask, name="completion", daemon=True)
            worker.start()
            worker.join(seconds)
        fitting = (
            (next((word for word in words if word.startswith(incomplete) and is_plain(word)), None), about)
            for words, about in list(found)
        )
        return [_item(word, about) for word, about in fitting if word is not None]

    return complete


def patience(environ: Mapping[str, str]) -> float:
    """How many seconds the server has to respond."""
    try:
        seconds = float(environ.get(_VARIABLE, _SECONDS))
    except ValueError:
        return _SECONDS
    return min(max(seconds, 0.01), 60.0)


def is_plain(word: str) -> bool:
    """Whether a word is safe to offer. A shell inserts it without quotes, and would run a command that it contains:
    an e-mail address may contain a backtick.
    """
    return word[:1] != "-" and all(letter.isalnum() or letter in _PLAIN for letter in word)


def _item(word: str, about: str) -> CompletionItem:
    from signoff.cli.text_safety import clip, visible
    from signoff.core.text.masking import mask_text

    return CompletionItem(visible(word), help=clip(visible(mask_text(about)), _HELP) or None)


def _ids(full: str) -> tuple[str, str]:
    """An id with its short form. People may type a prefix of either."""
    return short_id(full), full


def _tasks(session: "Remote") -> Found:
    from signoff.cli.tasks.subject import about

    for task in session.client.tasks.list(limit=_MOST):
        yield _ids(task.task_id), f"{task.title} {about(task)}".strip()


def _intents(session: "Remote") -> Found:
    for intent in session.client.list_intents(limit=_MOST):
        yield _ids(intent.intent_id), f"{intent.intent_type} {intent.status}"


def _people(session: "Remote") -> Found:
    return _named(session.client.directory.people(), "email", "name")


def _approvers(session: "Remote") -> Found:
    yield from _people(session)
    yield from (((f"team:{words[0]}",), about) for words, about in _teams(session))


def _teams(session: "Remote") -> Found:
    return _named(session.client.directory.teams(), "name")


def _policies(session: "Remote") -> Found:
    return _named(session.client.directory.policies(), "name")


def _types(session: "Remote") -> Found:
    return _named(_listed(session, "workflows"), "intent_type", "name")


def _agents(session: "Remote") -> Found:
    return _named(_listed(session, "agents"), "address", "description")


def _keys(session: "Remote") -> Found:
    return _named(_listed(session, "keys"), "key_id", "holder_name")


def _listed(session: "Remote", name: str) -> list[Mapping[str, Any]]:
    from signoff.client.calls import ApiCall

    return session.client.call(ApiCall("GET", f"/v1/{name}", lambda answer: list(answer.get(name) or ())))


def _named(found: Iterable[Mapping[str, Any]], name: str, about: str = "") -> Found:
    return (((str(one[name]),), str(one.get(about) or "")) for one in found if one.get(name))


of_tasks: Final = _offers(_tasks)
of_intents: Final = _offers(_intents)
of_people: Final = _offers(_people)
of_approvers: Final = _offers(_approvers)
of_teams: Final = _offers(_teams)
of_policies: Final = _offers(_policies)
of_types: Final = _offers(_types)
of_agents: Final = _offers(_agents)
of_keys: Final = _offers(_keys)


def of_contexts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the contexts of this computer."""
    from signoff.cli.contexts import read_contexts
    from signoff.cli.failures import CommandFailed

    try:
        known = read_contexts().known.values()
    except (CommandFailed, OSError):
        return []
    return [_item(one.name, one.url) for one in known if one.name.startswith(incomplete)]
