"""``signoff people``: the people of the workspace and their absences."""

import re
import time
from typing import Any, Final

import click

from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.complete import of_people
from signoff.cli.directory_lines import waiting_lines, warned
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column, time_column
from signoff.cli.removal import add_removal
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.wire.messages import MessageOut
from signoff.wire.people import PersonErased, PersonOut, SessionOut, WaitingTask

_BETWEEN_LOOKS: Final = 0.5
_HOURS: Final = re.compile(r"(\S+)\s+(\d\d:\d\d)-(\d\d:\d\d)")


@click.group(cls=SuggestingGroup)
def people() -> None:
    """List and change people and their absences."""


@people.command("list", cls=RemoteCommand, fields=PersonOut)
@click.pass_obj
def list_people(session: Remote) -> None:
    """List all people in the workspace."""
    session.out.many(session.client.directory.people(), _COLUMNS, "id", "There are no people here.")


def _about(command: Any) -> Any:
    """Options for the attributes of a person."""
    for decorate in (
        click.option("--name", metavar="NAME", help="The person's name."),
        click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role; repeat it for several."),
        click.option("--zone", metavar="ZONE", help="Time zone, such as Europe/Berlin."),
        click.option(
            "--hours",
            metavar="HOURS",
            help='Working hours there: "mon-fri 09:00-17:00"; none: notified at any time.',
        ),
        click.option(
            "--address",
            "addresses",
            multiple=True,
            metavar="CHANNEL=ADDRESS",
            help="Other address for notifications: email=ADDRESS.",
        ),
        click.pass_obj,
    )[::-1]:
        command = decorate(command)
    return command


def _given_options(options: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name in ("name", "zone") if (value := options[name]) is not None}
    if options["hours"]:
        fields["hours"] = _hours(options["hours"], options["zone"])
    if options["roles"]:
        fields["roles"] = list(options["roles"])
    if options["addresses"]:
        pairs = [text.partition("=") for text in options["addresses"]]
        if any(not name or not address for name, _, address in pairs):
            raise CommandFailed(
                ExitCode.USAGE, "An address is CHANNEL=ADDRESS, such as email=ann.private@acme.example."
            )
        fields["addresses"] = {name: address for name, _, address in pairs}
    return fields


def _hours(written: str, zone: str | None) -> dict[str, Any] | bool:
    """Working hours as in a document; False removes them."""
    if written.strip().lower() == "none":
        return False
    match = _HOURS.fullmatch(written.strip())
    if match is None or not zone:
        raise CommandFailed(
            ExitCode.USAGE, 'Pass --hours "mon-fri 09:00-17:00" with --zone, such as Europe/Berlin.'
        )
    return {"zone": zone, "days": match[1], "from": match[2], "to": match[3]}


@people.command("add", cls=ChangingCommand, fields=PersonOut)
@click.argument("email")
@_about
def add(session: Remote, /, email: str, **options: Any) -> None:
    """Add a person; without --role as an approver."""
    _show(session, session.client.directory.add_person(email, **_given_options(options)), "added")


@people.command("set", cls=ChangingCommand, fields=PersonOut, clearing=("name", "zone"))
@click.argument("who", shell_complete=of_people)
@click.option("--active/--inactive", default=None, help="Whether the person has access.")
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt for a person with open tasks.")
@_about
def change(session: Remote, /, who: str, active: bool | None, yes: bool, **options: Any) -> None:
    """Update a person; omitted fields are unchanged.

    WHO is an address or id.
    """
    fields = _given_options(options) | ({} if active is None else {"active": active})
    if not fields:
        raise CommandFailed(ExitCode.USAGE, "No changes were given.", hint="See: signoff people set --help")
    if active is False:
        _agree_to_lose(session, who, f"Deactivate {who}", yes)
    elif lost := _lost_roles(session, who, fields):
        _agree_to_lose(session, who, f"Take the role {', '.join(lost)} from {who}", yes)
    _show(session, session.client.directory.change_person(who, **fields), "changed")


def _lost_roles(session: Remote, who: str, fields: dict[str, Any]) -> list[str]:
    if "roles" not in fields:
        return []
    return sorted({*_found(session, who).get("roles", ())} - {*fields["roles"]})


def _agree_to_lose(session: Remote, who: str, act: str, yes: bool) -> None:
    """Before someone loses their access or a role, show the open tasks that wait for them, and ask."""
    waits = session.client.directory.open_tasks_of(who)
    if tasks := waits.get("tasks"):
        session.show(
            [*waiting_lines(waits), f"Reassign them first: signoff people reassign {visible(who)} EMAIL"], yes
        )
        session.confirm(f"{act}, who has {len(tasks)} open {'task' if len(tasks) == 1 else 'tasks'}?", yes)


@people.command("waiting", cls=RemoteCommand, fields=WaitingTask)
@click.argument("who", shell_complete=of_people)
@click.pass_obj
def waiting(session: Remote, /, who: str) -> None:
    """List the open tasks that a person may answer.

    WHO is an address or id.
    """
    found = session.client.directory.open_tasks_of(who)
    session.out.many(found.get("tasks") or [], _WAITING, "task_id", "No open tasks.")


@people.command("reassign", cls=ChangingCommand, fields=("reassigned", "refused", "complete"))
@click.argument("who", metavar="FROM", shell_complete=of_people)
@click.argument("to", metavar="TO", shell_complete=of_people)
@click.option("--comment", default="", metavar="TEXT", help="Reason, recorded in the history of each task.")
@click.pass_obj
def reassign(session: Remote, /, who: str, to: str, comment: str) -> ExitCode:
    """Replace FROM with TO in every open task that asks FROM.

    Only for admins. Each task records it. Tasks requested by the admin's own side, and tasks that TO may not decide,
    are left unchanged. Exit code 1 if any task is left unchanged.
    """
    done = session.client.directory.reassign_all(who, to, comment)
    lines = [f"reassigned: {len(done.get('reassigned') or ())}"]
    lines += [f"unchanged: {one['task_id']}: {one['message']}" for one in done.get("refused") or ()]
    if not done.get("complete", True):
        lines.append("There are more; repeat the command.")
    session.out.one(done, "reassigned", [visible(line) for line in lines])
    return ExitCode.FAILURE if done.get("refused") else ExitCode.OK


@people.command("absent", cls=ChangingCommand, fields=PersonOut)
@click.argument("who", shell_complete=of_people)
@click.option("--from", "start", metavar="WHEN", help="First day away (2026-03-02), or a time.")
@click.option("--until", metavar="WHEN", help="Last day away, or a time.")
@click.option("--delegate", metavar="EMAIL", help="Delegate who may answer during the absence.")
@click.option("--clear", is_flag=True, help="Remove all absences.")
@click.pass_obj
def absent(session: Remote, /, who: str, clear: bool, **away: str | None) -> None:
    """Add an absence for a person (existing ones are kept)."""
    directory = session.client.directory
    if clear and any(away.values()):
        raise CommandFailed(
            ExitCode.USAGE, "--clear removes all absences and cannot be combined with other options."
        )
    if clear:
        _show(session, directory.change_person(who, absences=[]), "not away")
        return
    if not (away["start"] and away["until"]):
        raise CommandFailed(ExitCode.USAGE, "Pass --from and --until, or --clear.")
    found = _found(session, who)
    fields = {"from": away["start"], "until": away["until"], "delegate": away["delegate"]}
    absences = [*found.get("absences", ()), {name: value for name, value in fields.items() if value}]
    _show(session, directory.change_person(str(found["id"]), absences=absences), "away")


@people.command("sessions", cls=RemoteCommand, fields=SessionOut)
@click.argument("who", default="me", shell_complete=of_people)
@click.pass_obj
def sessions(session: Remote, who: str) -> None:
    """List a person's sessions.

    WHO is an address or id; by default yourself.
    """
    found = session.client.directory.sessions(who)
    columns = [
        column("SESSION", "session_id", whole=True), column("BY"), time_column("SIGNED IN", "created_at", drop=2),
        time_column("LAST USED", "used_at", drop=1), time_column("ENDS BY", "expires_at", drop=3),
    ]  # fmt: skip
    session.out.many(found, columns, "session_id", "Nowhere.")


@people.command("sign-out", cls=ChangingCommand, fields=("ended",))
@click.argument("who", default="me", shell_complete=of_people)
@click.option("--session", "session_id", metavar="SESSION", help="Only this session; default: all.")
@click.pass_obj
def sign_out(session: Remote, who: str, session_id: str | None) -> None:
    """Sign a person out of the pages.

    WHO is an address or id; by default yourself. Keys stay valid.
    """
    ended = session.client.directory.end_sessions(who, session_id)
    session.out.one({"ended": ended}, "ended", [f"ended: {ended}"])


@people.command("test-message", cls=ChangingCommand, fields=MessageOut)
@click.argument("who", default="me", shell_complete=of_people)
@click.option(
    "--channel", default="", metavar="CHANNEL", help="The channel; default: the first that reaches them."
)
@click.option(
    "--wait",
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the result.",
)
@click.pass_obj
def test_message(session: Remote, who: str, channel: str, wait: int) -> None:
    """Send a person a test message over one channel.

    WHO is an address or id; by default yourself. Fails if the message does not arrive.
    """
    directory = session.client.directory
    message, until = directory.send_test_message(who, channel), time.monotonic() + wait
    while message.get("state") == "waiting" and time.monotonic() < until:
        time.sleep(_BETWEEN_LOOKS)
        found = directory.test_messages(who)
        message = next((one for one in found if one.get("message_id") == message.get("message_id")), message)
    line = visible(f"{message.get('channel')} to {message.get('target')}: {message.get('summary')}")
    session.out.one(message, "message_id", [line])
    if message.get("state") in ("failed", "skipped"):
        raise CommandFailed(ExitCode.FAILURE, "The test message did not arrive.")
    if wait and message.get("state") == "waiting":
        raise CommandFailed(ExitCode.TIMEOUT, "There is no result yet. The server keeps trying.")


add_removal(people, "people", "WHO")


@people.command("erase", cls=ChangingCommand, fields=PersonErased)
@click.argument("who", shell_complete=of_people)
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt.")
@click.pass_obj
def erase(session: Remote, /, who: str, yes: bool) -> ExitCode:
    """Erase the name, addresses and comments of a removed person. It cannot be undone.

    WHO is their id, or the address that they had. What was decided stays and can still be verified. Exit code 1 if open
    requests still hold comments: repeat the command when those requests are final.
    """
    session.confirm(f"Erase what {who} typed, and their name and addresses, forever?", yes)
    done = session.client.directory.erase_person(who)
    counts = ", ".join(f"{done.get(name)} {name}" for name in ("comments", "messages", "records"))
    lines = [f"erased: {done.get('person_id')}: {counts}"]
    if done.get("waiting"):
        lines.append(
            f"{done['waiting']} open requests still hold comments: "
            "repeat the command when those requests are final."
        )
    session.out.one(done, "person_id", [visible(line) for line in lines])
    return ExitCode.FAILURE if done.get("waiting") else ExitCode.OK


def _found(session: Remote, who: str) -> dict[str, Any]:
    for one in session.client.directory.people():
        if who.strip().lower() in (one.get("id"), one.get("email")):
            return one
    raise CommandFailed(ExitCode.NOT_FOUND, f"There is no person {who}.", hint="See: signoff people list")


def _show(session: Remote, person: dict[str, Any], word: str) -> None:
    line = f"{word}: {person.get('email')} ({', '.join(person.get('roles') or ()) or 'no role'})"
    session.out.one(person, "id", [visible(line), *warned(person)])


def _away(person: Any) -> str:
    """When the person is away, in a short form."""
    absences = person.get("absences") or ()
    return ", ".join(f"{str(one['from'])[:10]} to {str(one['until'])[:10]}" for one in absences)


_WAITING: Final = (column("TASK_ID", whole=True), column("TITLE"), column("ONLY ELIGIBLE"))
_COLUMNS: Final = (
    column("EMAIL", whole=True),
    column("NAME"),
    column("ROLES"),
    column("TEAMS", drop=2),
    column("ZONE", drop=4),
    column("ACTIVE", whole=True, drop=3),
    Column("AWAY", _away, drop=1),
)
