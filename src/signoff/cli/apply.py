"""``signoff apply -f``: shows what a manifest of people, teams, policies and workflows would change, asks for
confirmation, and applies it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from signoff.cli.commands import ChangingCommand
from signoff.cli.directory_lines import warned
from signoff.cli.documents import read_document
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.output import as_moment
from signoff.cli.session import Remote
from signoff.cli.tasks.differences import difference_lines
from signoff.cli.text_safety import visible
from signoff.core.text.times import utc_text

_STALE = ("stale_manifest", "changed_meanwhile")
_LEFT_OUT = ("addresses", "zone", "hours", "absences", "preferences")
_SIGNS = {"create": "+", "change": "~", "remove": "-", "unchanged": " "}


@click.command(
    "apply",
    cls=ChangingCommand,
    fields=("dry_run", "changed", "changes", "proposal", "unnamed"),
    judged=True,
)
@click.option(
    "--file", "-f", "file", required=True, metavar="FILE", help="JSON or YAML; - is standard input."
)
@click.option(
    "--check",
    is_flag=True,
    help="Only compare: print the differences and exit with code 1 if there are any.",
)
@click.option("--exact", is_flag=True, help="With --check: what FILE does not name is a difference too.")
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt (required without a terminal).")
@click.pass_obj
def apply(session: Remote, file: str, check: bool, exact: bool, yes: bool) -> ExitCode:
    """Apply people, teams, policies and workflows from a file, all or nothing.

    Only what was shown is applied. If part of it has changed in the meantime, the new difference is shown.

    In a protected workspace, a change that relaxes the rules on who decides becomes a proposal, applied when another
    admin has confirmed it.
    """
    document = read_document(file)
    directory = session.client.directory
    planned = directory.apply(document, dry_run=True)
    if check:
        return _drift(session, document, planned, exact)
    if exact:
        raise CommandFailed(ExitCode.USAGE, "--exact needs --check.")
    if session.dry_run or not planned.get("changed"):
        session.out.one(planned, "changed", preview_lines(with_addresses(session, planned)))
        return ExitCode.OK
    session.show(preview_lines(with_addresses(session, planned)), yes)
    apply_shown(session, document, planned, yes, "Apply this?")
    return ExitCode.OK


def _drift(session: Remote, document: Mapping[str, Any], planned: Mapping[str, Any], exact: bool) -> ExitCode:
    """The differences between server and file, as lines of a diff: - is the server, + the file."""
    from signoff.core.text.masking import masked

    lines: list[str] = []
    for change in with_addresses(session, planned).get("changes") or ():
        if change["action"] != "unchanged":
            sides = [masked(change.get(side)) or {} for side in ("before", "after")]
            lines += [f"{change['kind']} {change['name']}:", *_changed(*sides)]
    extra = _unnamed(session.client.directory.manifest(), document, planned) if exact else []
    lines += [f"{kind} {name}: only on the server" for kind, name in extra]
    found = {**planned, "changed": bool(lines), "unnamed": [f"{kind} {name}" for kind, name in extra]}
    session.out.one(found, "changed", [visible(line) for line in lines] or ["No differences."])
    return ExitCode.FAILURE if lines else ExitCode.OK


def _changed(before: Any, after: Any) -> list[str]:
    import difflib

    texts = [
        json.dumps(side, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
        for side in (before, after)
    ]
    whole = difflib.unified_diff(texts[0], texts[1], lineterm="", n=2)
    return [f"  {line}" for line in list(whole)[2:] if not line.startswith("@@")]


def _unnamed(
    present: Mapping[str, Any], document: Mapping[str, Any], planned: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """What the server has and the file does not name, in the sections that the file has. ``planned``: the dry run,
    which has the server's name of each entry of the file.
    """
    changes = planned.get("changes") or ()
    named = {(change["kind"], change["name"]) for change in changes}
    there = {
        "people": [("person", email) for email in present.get("people") or ()],
        "teams": [("team", name) for name in present.get("teams") or ()],
        "policies": [("policy", name) for name in present.get("policies") or ()],
        "workflows": [("workflow", str(flow.get("intent_type"))) for flow in present.get("workflows") or ()],
    }
    unnamed = [one for section, found in there.items() if section in document for one in found]
    fields = [("person", f"{email}, {name}") for email, name in _left_out(present, document, changes)]
    settings = document.get("workspace")
    if isinstance(settings, Mapping) and (present.get("workspace") or {}).get("self_approval"):
        fields += [("workspace", name) for name in ("self_approval",) if name not in settings]
    return [one for one in unnamed if one not in named] + fields


def _left_out(
    present: Mapping[str, Any], document: Mapping[str, Any], changes: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """The fields of people, by address, that the server has and the file does not name. An export leaves them out
    while they are empty, so only here is it seen that they no longer are.
    """
    emails = {(one.get("after") or one.get("before") or {}).get("id"): one["name"] for one in changes}
    for who, fields in (document.get("people") or {}).items():
        name = str(who).strip().removeprefix("person:")
        email = emails.get(name) or name.lower()
        has = (present.get("people") or {}).get(email) or {}
        yield from ((email, field) for field in _LEFT_OUT if field in has and field not in fields)


def apply_shown(
    session: Remote, document: dict[str, Any], planned: Mapping[str, Any], yes: bool, question: str
) -> None:
    """Ask for confirmation, then apply what a dry run has ``planned``. Nothing is applied if the result would now be
    different.
    """
    from signoff.client.errors import Conflict

    directory = session.client.directory
    session.confirm("Propose this?" if planned.get("proposal") else question, yes)
    try:
        applied = directory.apply(document, seen=planned.get("seen") or None)
    except Conflict as refused:
        if refused.code in _STALE:  # show what it would do now, so that the person can decide again
            session.show(preview_lines(with_addresses(session, directory.apply(document, dry_run=True))), yes)
        raise
    if proposal := applied.get("proposal"):
        summary = (
            f"proposed; another admin can confirm it on the pages: signoff changes confirm {proposal['id']}"
        )
        session.out.one(applied, "changed", [visible(summary), *relaxed(proposal), until(proposal)])
        return
    count = sum(change["action"] != "unchanged" for change in applied.get("changes") or ())
    session.out.one(applied, "changed", [f"applied: {count} changed"])


def with_addresses(session: Remote, response: Mapping[str, Any]) -> Mapping[str, Any]:
    """The changes with people's addresses instead of their ids, so that a reader sees who is meant."""
    changes = response.get("changes") or []
    if '"per_' not in json.dumps(changes):
        return response
    addresses = {str(one["id"]): str(one["email"]) for one in session.client.directory.people()}
    return {**response, "changes": _replaced(changes, addresses)}


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: item if key == "id" else _replaced(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def relaxed(proposal: Mapping[str, Any]) -> list[str]:
    """Why a second admin is needed, as lines of text."""
    why = proposal.get("why") or [", ".join(proposal.get("relaxations") or ())]
    return [visible(f"relaxes the rules on who decides: {one}") for one in why]


def until(proposal: Mapping[str, Any]) -> str:
    """When the proposal expires."""
    return visible(f"waits for another admin until {moment_text(proposal.get('expires_at'))}")


def moment_text(value: object) -> str:
    """An RFC 3339 time in readable form."""
    at = as_moment(value)
    return utc_text(at) if at else ""


def preview_lines(planned: Mapping[str, Any]) -> list[str]:
    """What an apply would change, one line per change."""
    lines = [*changed_lines(planned), *warned(planned)]
    if planned.get("proposal"):
        return [*lines, *relaxed(planned["proposal"]), "Applying it proposes this to another admin."]
    return lines if planned.get("changed") else [*lines, "No changes."]


def changed_lines(response: Mapping[str, Any]) -> list[str]:
    """What changes, one line per change."""
    lines = []
    for change in response.get("changes") or ():
        fields = (
            f" ({', '.join(change['fields'])})" if change["action"] == "change" and change["fields"] else ""
        )
        text = f"{_SIGNS.get(change['action'], '?')} {change['action']} {change['kind']} {change['name']}{fields}"
        lines.append(visible(text))
        if change["action"] == "change":
            lines += difference_lines(change.get("before") or {}, change.get("after") or {})
    return lines
