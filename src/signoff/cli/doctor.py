"""``signoff doctor``: checks the server, the key, and the database if it is local."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import click

from signoff.cli.commands import RemoteCommand
from signoff.cli.failures import CommandFailed, ExitCode, stopped
from signoff.cli.output import as_moment, column, utc
from signoff.cli.server_extra import server_part
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.cli.up import configured, flags
from signoff.config import Config, is_loopback

if TYPE_CHECKING:
    from signoff.client.types import Account, Me

Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True)
class DoctorCheck:
    """One check. next: the command or action that fixes it."""

    level: Level
    subject: str
    found: str
    next: str = ""


def _attempt(subject: str, look: Callable[[], Iterator[DoctorCheck]]) -> Iterator[DoctorCheck]:
    """The result of ``look``. If the check itself fails, that is a result too."""
    try:
        yield from look()
    except Exception as error:
        stop = stopped(error)
        if stop is None:
            raise
        # The SDK lists the places that it searched on several lines; here they are one result with a hint.
        first, _, rest = stop.what.partition("\n")
        yield DoctorCheck(
            "problem", subject, first.removesuffix(" Searched:"), stop.hint or rest.split("\n")[-1]
        )


def _server(session: Remote) -> Iterator[DoctorCheck]:
    """What any client can see about the server."""
    from signoff.client.calls import ApiCall

    with session.explained():
        url = session.client.settings.url
        session.client.call(ApiCall("GET", "/ready", dict))
    yield DoctorCheck("ok", "server", f"{url} is ready.")
    if url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
        yield DoctorCheck(
            "warning",
            "address",
            f"{url} is not https: keys are sent unencrypted.",
            "Put a TLS proxy in front.",
        )


def _key(session: Remote) -> Iterator[DoctorCheck]:
    """The actor that the key belongs to."""
    with session.explained():
        me = session.client.me()
    who = me.actor.name or me.actor.email or me.actor.address or me.actor.id
    yield DoctorCheck(
        "ok", "key", f"It belongs to {me.actor.kind} {who} in {me.organization}/{me.workspace}."
    )
    if me.self_approval:
        yield _self_approval(me)
    yield from _unlisted(me)
    yield from _proofs(session, me)
    if {"owner", "admin"} & set(me.actor.get("roles") or ()):  # only admins may see this
        yield from _attempt("channels", lambda: _channels(session))
        yield from _attempt("open tasks", lambda: _staffing(session))
    if me.actor.kind != "agent":
        yield from _attempt("agents", lambda: _agents(session))
    if me.actor.kind != "agent":  # an agent's key may not read policies
        yield from _attempt("policies", lambda: _policies(session))


def _self_approval(me: "Me") -> DoctorCheck:
    """Which kind of self-approval applies, if any."""
    if me.get("self_approval_setting") == "alone":
        return DoctorCheck(
            "note",
            "self-approval",
            "You may approve your own requests. It ends when a second person is added.",
        )
    found = "In this workspace people may approve their own requests. Use that only for trials."
    return DoctorCheck(
        "warning",
        "self-approval",
        found,
        "Apply workspace: {self_approval: false}, or set self_approval: false in single policies.",
    )


def _channels(session: Remote) -> Iterator[DoctorCheck]:
    """Whether messages to people and services are delivered."""
    with session.explained():
        found = session.client.directory.channels()
    for one in found:
        name = f"channel {one['channel']}"
        counts = f"{one['retrying']} being retried, {one['failed']} failed permanently within a day"
        if one["failing"]:
            since = f" since {utc(at)}" if (at := as_moment(one.get("since"))) else ""
            detail = f"Failing{since}: {one.get('last_error', 'no reason given')} ({counts})."
            yield DoctorCheck(
                "warning", name, visible(detail), "signoff intents messages INTENT shows each message."
            )
        elif one["set_up"]:
            last = as_moment(one.get("last_arrived_at"))
            detail = f"Last sent at {utc(last)}." if last else "It has not sent anything yet."
            yield DoctorCheck("ok", name, f"{detail} ({counts})" if one["failed"] else detail)
    if not found:
        yield DoctorCheck(
            "note",
            "channels",
            "No channel is configured: tasks appear only on the pages and in the terminal.",
        )


def _agents(session: Remote) -> Iterator[DoctorCheck]:
    """Whether a worker claims the work that workflows give to agents."""
    with session.explained():
        known = {name: one for one in session.client.agents() for name in (one.address, one.name)}
        flows = session.client.workflows()
    used: dict[str, list[str]] = {}
    for flow in flows:
        steps = flow.source.get("steps")
        named = (
            {str(step["agent"]) for step in steps if step.get("agent")} if isinstance(steps, list) else set()
        )
        for agent in {known[name].address if name in known else name for name in named}:
            used.setdefault(agent, []).append(flow.name)
    for agent, names in sorted(used.items()):
        account = known.get(agent)
        if account is not None and account.status == "killed":
            continue
        seen = account.last_seen if account else "never"
        if seen in ("", "now"):
            yield DoctorCheck(
                "ok",
                f"agent {agent}",
                "A worker asks for its work." if seen else "Its work is pushed to its URL.",
            )
            continue
        found = (
            f"No worker has ever asked for the work of {agent}"
            if seen == "never"
            else f"No worker of {agent} is active (last {seen})"
        )
        found += f", which has steps in {', '.join(sorted(names))}."
        yield DoctorCheck(
            "warning", f"agent {agent}", visible(found), "Start it, or correct its name in the workflow."
        )
    for agent, account in sorted(known.items()):
        if account.status == "killed" and agent == account.address:
            yield _killed(account, used.get(agent, []))


def _killed(account: "Account", flows: list[str]) -> DoctorCheck:
    """An agent that was killed, and the workflows that wait for it."""
    by = f" by {account.get('killed_by')}" if account.get("killed_by") else ""
    at = as_moment(account.get("killed_at"))
    found = f"It was killed{by}" + (f" at {utc(at)}" if at else "") + ": it gets no work."
    if flows:
        found += f" It has steps in {', '.join(sorted(flows))}."
    hint = f"signoff agents resume {account.address}"
    return DoctorCheck("warning", f"agent {account.address}", visible(found), hint)


def _staffing(session: Remote) -> Iterator[DoctorCheck]:
    """Whether enough people are left for every open task."""
    with session.explained():
        found = session.client.directory.understaffed_tasks()
    for one in found.get("tasks") or ():
        left = f"{one['remaining']} eligible people remain"
        detail = f"{one['title']}: stage {one['stage']} needs {one['needed']}, {left}."
        yield DoctorCheck(
            "problem",
            f"task {one['task_id']}",
            visible(detail),
            f"signoff tasks reassign {one['task_id']} EMAIL",
        )
    if not found.get("tasks"):
        yield DoctorCheck("ok", "open tasks", "Each has enough eligible people left.")


def _policies(session: Remote) -> Iterator[DoctorCheck]:
    """Whether the server can use every policy. An older release may have accepted a policy that this one refuses."""
    with session.explained():
        found = session.client.directory.policies()
    for one in found:
        if one.get("broken"):
            detail = f"This release cannot use it, so requests that need it are refused: {one['broken']}"
            yield DoctorCheck(
                "problem",
                f"policy {one['name']}",
                visible(detail),
                "Correct it, then: signoff apply -f FILE",
            )


def _unlisted(me: Any) -> Iterator[DoctorCheck]:
    """Who decides on requests without a workflow. Older servers do not report this."""
    subject, policy = "unlisted types", f"policy {me.default_policy}"
    if me.unlisted_types == "refuse":
        yield DoctorCheck("ok", subject, "A request whose type has no workflow is refused.")
    elif me.unlisted_types == "gate":
        found = (
            f"A request whose type has no workflow needs a decision under {policy} before any agent works."
        )
        yield DoctorCheck("ok", subject, found)
    elif me.default_policy:
        found = f"Human steps of a request without a workflow are decided under {policy}; it may have none."
        yield DoctorCheck("note", subject, found, "Set workspace: {unlisted_types: gate}, or refuse.")
    elif me.unlisted_types and not me.self_approval:
        found = "If a type has no workflow, the requester chooses who decides, if anyone."
        yield DoctorCheck(
            "note", subject, found, "Set workspace: {default_policy: NAME, unlisted_types: gate}."
        )


def _proofs(session: Remote, me: "Me") -> Iterator[DoctorCheck]:
    """Whether people can meet the sign-in requirements of the policies."""
    if me.get("server", {}).get("mail", True) or (
        me.self_approval and len(session.client.directory.people()) == 1
    ):
        return
    named = [
        f"policy {found.get('name')}"
        for found in session.client.directory.policies()
        if found.get("strength") == "session"
    ]
    named += [f"workflow {flow.name}" for flow in session.client.workflows() if flow.strength == "session"]
    if named:
        yield DoctorCheck(
            "warning",
            "sign-in",
            f"The server sends no mail, but a sign-in by e-mail is required by {', '.join(named)}.",
            "Set SIGNOFF_SMTP_URL; until then, signoff db signin-link EMAIL creates a sign-in link.",
        )


def _files(config: Config) -> Iterator[DoctorCheck]:
    """Whether the secrets on this machine are protected."""
    credentials = config.data / "credentials.json"
    if os.name == "posix" and credentials.exists() and credentials.stat().st_mode & 0o077:
        yield DoctorCheck(
            "problem", "credentials", f"{credentials} is readable by other users.", f"chmod 600 {credentials}"
        )


def _histories(config: Config) -> Iterator[DoctorCheck]:
    """Whether the hash chain of every history is valid and agrees with its row."""
    try:
        with server_part("signoff doctor"):
            from signoff.maintenance import check_database

            findings, swept = check_database(config)
    # an installation without the server has no server libraries, which is fine
    except CommandFailed as missing:
        yield DoctorCheck("note", "database", f"Not checked: {missing.what}", missing.hint)
        return
    for finding in findings:
        yield DoctorCheck("problem", "history", f"Intent {finding.intent}, {finding.text}.")
    if not findings:
        yield DoctorCheck(
            "ok", "database", f"{config.shown_database}: every history is valid and agrees with its row."
        )
    if swept is None or swept.deleted_at is None:
        yield DoctorCheck("ok", "retention", "No final intents were deleted.")
    else:
        found = f"Deleted so far: {swept.intents} final intents, the payloads of {swept.payloads}."
        yield DoctorCheck("note", "retention", f"{found} Last at {utc(swept.deleted_at)}.")


def _of_another_server(session: Remote, config: Config) -> Iterator[DoctorCheck]:
    """The database is chosen by this folder, and the server by its URL, so they may not belong together."""
    from signoff.bootstrap import read_credentials
    from signoff.client.errors import NotConfigured

    try:
        url = session.client.settings.url.rstrip("/")
        server = f"the server at {url}"
    except NotConfigured:  # such as when the stored key is of another server
        if not os.environ.get("SIGNOFF_URL"):
            return
        url, server = "", "the server in SIGNOFF_URL"
    if not url or url != str((read_credentials(config.data) or {}).get("url") or "").rstrip("/"):
        yield DoctorCheck(
            "note",
            "database",
            f"Checked {config.shown_database}, which may not be the database of {server}.",
            "Pass its URL with --database, or set SIGNOFF_DATABASE.",
        )


def checks_of(session: Remote, config: Config, options: Mapping[str, Any]) -> list[DoctorCheck]:
    """All checks. ``options``: the options of the command, which may name a database."""
    checks = [*_attempt("server", lambda: _server(session))]
    if checks[0].level != "problem":
        checks += _attempt("key", lambda: _key(session))
    local = not config.database.startswith("sqlite:") or config.data.is_dir()
    named = options.get("data") is not None or options.get("database") is not None
    if named or (session.url is None and local):
        checks += _files(config)
        file = config.data / "signoff.db"
        # the server runs, so its database was named only where it was started
        elsewhere = config.database == f"sqlite:///{file}" and not file.exists()
        if elsewhere and not named and checks[0].level == "ok":
            checks.append(
                DoctorCheck(
                    "warning",
                    "database",
                    f"Not checked: there is none at {file}, so the server uses another one.",
                    "Pass its URL with --database, or set SIGNOFF_DATABASE.",
                )
            )
        else:
            if not named:
                checks += _of_another_server(session, config)
            checks += _attempt("database", lambda: _histories(config))
    return checks


@click.pass_obj
def _doctor(session: Remote, /, **options: Any) -> ExitCode:
    """Check the server, the key and, if local, the database. Exit code 1 when there is a problem."""
    checks = checks_of(session, configured(options), options)
    session.out.many([asdict(check) for check in checks], _COLUMNS, "subject", "")
    return ExitCode.FAILURE if any(check.level == "problem" for check in checks) else ExitCode.OK


_COLUMNS: Final = (column("LEVEL", whole=True), column("SUBJECT"), column("FOUND"), column("NEXT"))

doctor = RemoteCommand(
    "doctor",
    callback=_doctor,
    help=_doctor.__doc__,
    params=flags("data", "database"),
    fields=("level", "subject", "found", "next"),
)
