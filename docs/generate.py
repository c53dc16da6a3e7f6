"""Generates the reference pages and the types of the clients from the code.

``make docs`` writes them, ``--check`` (and a test) compares them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import msgspec

from signoff import config
from signoff.cli.failures import MEANING
from signoff.cli.main import SECTIONS, main
from signoff.core.intent import commands, events
from signoff.core.intent.states import ALLOWED, EFFECTS, IGNORED_LATE, State
from signoff.core.plan.task_types import TaskType, meaning_of
from signoff.core.policy.fields import FIELDS
from signoff.engine.metrics import ABOUT_UP, GAUGES, METRICS, UP
from signoff.engine.read.totals import TOTALS
from signoff.web.api import openapi

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # run as a program, this file is in no package

from docs import codes, errors, gotypes, schemas, typescript  # noqa: E402

NOTE = "<!-- Made by `make docs`; do not edit. -->\n\n"


def settings() -> str:
    lines = [
        "# Settings",
        "",
        "A flag of `signoff up` overrides the environment, which overrides the default.",
        "",
    ]
    lines += ["| flag | environment | default | meaning |", "|---|---|---|---|"]
    for row in config.rows():
        variables = ", ".join(f"`{name}`" for name in (*row.variables, *row.files))
        default = row.shown or row.show(row.default) or "none"
        choices = f" One of {', '.join(row.choices)}." if row.choices else ""
        # A value that is entirely secret has no flag, because arguments are visible in process lists.
        flag = "" if row.secret else f"`{row.flag}`"
        lines.append(f"| {flag} | {variables} | {default} | {row.text}{choices} |")
    return "\n".join(lines) + "\n"


def metrics() -> str:
    lines = [
        "# Metrics",
        "",
        "`GET /metrics` responds in the Prometheus formats. [Monitor it](../how-to/monitoring.md) says how to use it.",
        "The metrics of a process have the label `worker` (0, 1, ...; always 0 with one process). Metrics of the",
        "database are the same on every server, and up to 15 seconds old: take the maximum over servers, not the sum.",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for metric in METRICS:
        kind, name = ("histogram", metric.name) if metric.buckets else ("counter", f"{metric.name}_total")
        lines.append(f"| `{name}` | {kind} | {_labels(metric.labels)} | {metric.about} |")
    lines += [f"| `{name}` | gauge |  | {about} |" for name, about in GAUGES.items()]
    lines += [
        "",
        "## Of the database",
        "",
        "| metric | labels | meaning |",
        "|---|---|---|",
        f"| `{UP}` |  | {ABOUT_UP} |",
    ]
    lines += [f"| `{total.name}` | {_labels(total.labels)} | {total.about} |" for total in TOTALS]
    lines += [
        "",
        "Also `signoff_build_info` (version, database), and the usual `process_`, `python_gc_` and `python_info`",
        "metrics of the process that responds.",
    ]
    return "\n".join(lines) + "\n"


def _labels(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def states() -> str:
    columns = [kind for kind in get_args(commands.Command) if kind is not commands.Submit]
    lines = [
        "# States, commands and events",
        "",
        "Generated from the tables in `core/intent/states.py`, which the rules use. The state of a step run is what is",
        "open in it; the status on the wire follows from the events. `Submit` creates the intent.",
        "",
        "## Which command is possible in which state",
        "",
        "| command | " + " | ".join(state.value for state in State) + " |",
        "|---" * (len(State) + 1) + "|",
    ]
    for kind in columns:
        cells = []
        for state in State:
            direct = kind is commands.Answer and state is not State.TASK
            late = kind in IGNORED_LATE and state is not State.FINAL
            cells.append(
                ("direct" if direct else "yes") if kind in ALLOWED[state] else "ignored" if late else ""
            )
        lines.append(f"| {kind.__name__} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "*direct*: only if the intent has no workflow; a person then acts in place of the agent. *ignored*: a late",
        "report from the server's own loops, without effect or error. A `Tick` on a final intent does nothing.",
        "",
        "## Status and waiting reason after each event",
        "",
        "The stored tag is part of the bytes that are hashed, so it stays even where a class has been renamed:",
        "changing it would break the hash chain of every history that contains it.",
        "",
        "| class | stored as | on the wire | status | waiting for |",
        "|---|---|---|---|---|",
    ]
    for event, effect in EFFECTS.items():
        status = effect.status.value if effect.status else "unchanged"
        waiting = effect.waiting.value if effect.waiting else ""
        lines.append(f"{_event_names(event)} {status} | {waiting} |")
    lines += [
        "",
        "After a failed attempt that is retried (`AttemptFailed` or `Reported` with `retry_at`) the step is",
        "backing off: the intent is WAITING for the agent, and the event is sent as `intent.waiting`.",
        "",
    ]
    lines += ["## Task types and outcomes", "", "| type | outcomes | approves |", "|---|---|---|"]
    for kind in TaskType:
        yes = ", ".join(outcome for outcome in kind.outcomes if meaning_of(outcome) == "positive")
        lines.append(f"| `{kind.value}` | {', '.join(kind.outcomes)} | {yes} |")
    return "\n".join(lines) + "\n"


def _event_names(event: type[events.Event]) -> str:
    wire = EFFECTS[event].wire
    return f"| `{event.__name__}` | `{event.__struct_config__.tag}` | {f'`{wire}`' if wire else 'not sent'} |"


def _field_name(field: msgspec.structs.FieldInfo) -> str:
    stored = "" if field.name == field.encode_name else f" (stored as `{field.encode_name}`)"
    return f"`{field.name}`{stored}"


def history() -> str:
    lines = [
        "# Events",
        "",
        "The facts of an intent's history. All of them except `Renewed` are stored and hashed. Stored names never",
        "change, so some differ from those in the code (`core/intent/events.py`).",
        "",
        "| class | stored as | on the wire |",
        "|---|---|---|",
        *map(_event_names, EFFECTS),
        "",
    ]
    for info in get_args(events.AnyEvent):
        doc = " ".join((info.__doc__ or "").strip().split("\n\n")[0].split())
        fields = ", ".join(map(_field_name, msgspec.structs.fields(info))) or "no fields"
        lines += [
            f"## {info.__name__}",
            "",
            *([doc, ""] if doc else []),
            f"Fields: {fields}.",
            "",
        ]
    return "\n".join(lines)


GOING_ON = (
    "Code can continue safely after `client.wait_for(intent_id).raise_for_status()`, a script after"
    " `signoff intents watch INTENT && ...`: both continue only if the request is COMPLETED, never after a rejection,"
    " an expiry, a withdrawal or a failure, whatever route the workflow takes."
)


def command_line() -> str:
    lines = [
        "# Command line",
        "",
        "Data goes to stdout, everything else to stderr. Commands that print records accept `--json` (with names: only"
        " those fields), `-o table|json|jsonl|id`, `--color`, `--no-color` and `-q`; commands that call a server accept"
        " `--url`, `--key-file`, `--context` and `-v`. Ids may be shortened to a unique prefix or suffix; `@last` is"
        " the intent that you sent last. Options follow the command.",
        "",
        "The server and the key come from the first of these that names one: `--context`, or `--url` with `--key-file`;"
        " `SIGNOFF_URL` and `SIGNOFF_API_KEY`, or `SIGNOFF_CONTEXT`; the folder `.signoff` here or above; the context"
        " in use, which `signoff login URL` and `signoff context use NAME` set. Contexts are kept in"
        " `signoff/contexts.json` in the platform's configuration folder, which only you can read; a key is only sent"
        " to the address next to it. `signoff config show --origin` shows what applies.",
        "",
        "Tab completes commands, ids and names, which it reads from the server if that answers within"
        " `SIGNOFF_COMPLETION_TIMEOUT` (1.5 seconds):"
        " `signoff completion bash > ~/.local/share/bash-completion/completions/signoff`,"
        " `signoff completion zsh > ~/.zfunc/_signoff`,"
        " `signoff completion fish > ~/.config/fish/completions/signoff.fish`.",
        "",
        GOING_ON,
        "",
        "| exit code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {meaning} |" for code, meaning in MEANING.items()),
        "",
    ]
    for title, section in SECTIONS.items():
        lines += [f"## {title}", ""]
        for name in section:
            for path, command in _commands((name,)):
                context = click.Context(
                    command, info_name="signoff " + " ".join(path), **main.context_settings
                )
                lines += ["```text", command.get_help(context), "```", ""]
    return "\n".join(lines)


ERRORS = (
    'An error answer is `{"ok": false, "error": {"code", "message", "field", "hint", "details"}, ...}`. The code is'
    " stable; the message is for people and may change. `field` names the faulty field and `hint` the next step, if"
    " there is one. Answers with 429 and 503 have `Retry-After`: repeat the request then, with the same"
    " `Idempotency-Key`. The command line prints the same codes."
)


def policy() -> str:
    rows = [f"| `{field.name}` | {field.stricter} |" for field in FIELDS]
    return "\n".join(
        [
            "# Fields of a policy",
            "",
            "What each field means is explained in [policies](../policies.md#fields). In a protected workspace a change"
            " that relaxes any of them needs a second admin. If a default policy and a request differ, the stricter"
            " value applies (`core/policy/fields.py`).",
            "",
            "| field | stricter is |",
            "|---|---|",
            *rows,
        ]
    )


def refusals() -> str:
    answers: list[str] = []
    others: list[str] = []
    for code, places in errors.codes().items():
        says = next((one.says for one in places if one.says.strip("… :.")), "").replace("|", "\\|")
        if errors.answered(places):
            status = ", ".join(
                dict.fromkeys(str(one.status) for one in sorted(places, key=lambda one: one.status))
            )
            answers.append(f"| `{code}` | {status} | {says} |")
        else:
            others.append(f"| `{code}` | {says} |")
    return "\n".join(
        [
            "# Errors",
            "",
            ERRORS,
            "",
            "| code | status | message, for example |",
            "|---|---|---|",
            *answers,
            "",
            "## Errors of the command line only",
            "",
            "| code | message, for example |",
            "|---|---|",
            *others,
        ]
    )


def _context(command: click.Command) -> click.Context:
    """As the program makes them: click remembers a command's help option from its first context."""
    return click.Context(command, **main.context_settings)


def _commands(path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(_context(command), name)
        assert found is not None
        command = found
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(_context(command)):
            yield from _commands((*path, name))


def pages() -> dict[Path, str]:
    """Every generated file and what belongs in it."""
    made = {
        "settings": settings(),
        "metrics": metrics(),
        "states": states(),
        "events": history(),
        "cli": command_line(),
        "errors": refusals(),
        "policy": policy(),
    }
    files = {HERE / "reference" / f"{name}.md": NOTE + text.rstrip() + "\n" for name, text in made.items()}
    files |= {HERE / "schemas" / name: text for name, text in schemas.texts().items()}
    clients = HERE.parent / "clients"
    files[clients / "go" / "types.go"] = gotypes.text()
    files[clients / "typescript" / "src" / "wire.ts"] = typescript.text()
    files[openapi.ERROR_CODES] = codes.text(codes.known())
    return files | {HERE / "openapi.json": openapi.text(), HERE / "openapi-3.0.json": openapi.text_3_0()}


def stale() -> list[Path]:
    """The files that are not what the code says."""
    return [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


if __name__ == "__main__":
    if "--check" in sys.argv:
        old = stale()
        for path in old:
            print(f"{path.relative_to(HERE.parent)} is stale: run make docs", file=sys.stderr)
        sys.exit(1 if old else 0)
    # First: the API's description is made from it.
    openapi.ERROR_CODES.write_text(codes.text(codes.known()), encoding="utf-8")
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print("reference pages written")
