"""Parses arguments: durations, shortened ids, ``name=value`` pairs for a form."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import click

from signoff.cli.failures import CommandFailed, ExitCode
from signoff.core.errors import Invalid
from signoff.documents.json_values import parse_json

_FULL: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORTEST: Final = 4


def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Callback of an option that takes a duration: ``90``, ``90s``, ``5m``, ``2h``, ``P1D``."""
    from signoff.core.text.durations import parse_duration

    try:
        return parse_duration(value, str(param.name)).total_seconds() if value is not None else None
    except Invalid as error:
        raise click.BadParameter(f"{value!r} is not a duration. {error.hint}", ctx, param) from None


def find_id(text: str, kind: str, candidates: Callable[[], Iterable[Mapping[str, str]]]) -> str:
    """The full id that ``text`` means: the text itself, or the only recent id with this prefix or suffix.

    kind: ``intent`` or ``task``, for messages. candidates: mappings of an id to the id that it stands for, tried in
    order, only if the text is not a full id. UUIDs from the same hour share a prefix, so short ids are suffixes;
    the zeros at the end of an intent's id may be omitted.
    """
    wanted = text.strip().lower()
    if _FULL.fullmatch(wanted):
        return wanted
    bare = wanted.replace("-", "").removeprefix("…")
    if len(bare) < _SHORTEST or not re.fullmatch(r"[0-9a-f]+", bare):
        raise CommandFailed(
            ExitCode.USAGE,
            f"{text!r} is not an id.",
            hint=f"Pass the whole id, or at least {_SHORTEST} characters of its prefix or suffix.",
        )
    found: list[str] = []
    for known in candidates():
        found = sorted({meant for full, meant in known.items() if _matches(full, bare)})
        if found:
            break
    if len(found) > 1:
        listed = "\n".join(f"  {full}" for full in found[:10])
        raise CommandFailed(
            ExitCode.USAGE,
            f"{text!r} fits {len(found)} {kind}s:\n{listed}",
            hint="Pass more characters of the id.",
        )
    if not found:
        raise CommandFailed(
            ExitCode.NOT_FOUND,
            f"No recent {kind} has an id like {text!r}.",
            hint=f"List them: signoff {kind}s list",
        )
    return found[0]


def _matches(full: str, bare: str) -> bool:
    digits = full.replace("-", "")
    return digits.startswith(bare) or digits.endswith((bare, bare + "0000"))


def short_id(full: object) -> str:
    """The suffix of an id, which is unique on this screen and which ``find_id`` accepts."""
    return str(full or "")[-12:]


def form_data(pairs: Sequence[str], schema: dict[str, Any]) -> dict[str, Any]:
    """``name=value`` pairs as the form's JSON. Each value is read as the type that the schema gives its field."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    data: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise CommandFailed(ExitCode.USAGE, f"--field {pair!r} is not NAME=VALUE.")
        field = known.get(name)
        data[name] = _typed(name, text, field if isinstance(field, dict) else {})
    return data


def _typed(name: str, text: str, schema: dict[str, Any]) -> Any:
    kind = schema.get("type", "string")
    kinds = [str(one) for one in kind] if isinstance(kind, list) else [str(kind)]
    if "string" in kinds:
        return None if text == "null" and "null" in kinds else text
    try:
        return parse_json(text, f"--field {name}")
    except Invalid:
        wanted = " or ".join(kinds)
        raise CommandFailed(ExitCode.USAGE, f"--field {name}: {text!r} is not of type {wanted}.") from None
