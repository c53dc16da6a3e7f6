"""``signoff demo``: the main use case in one command, with the files of examples/database-migration.

Server, agent and requester are real: the agent is a separate process with its own key, and everything goes over HTTP.
Before the decision, Ctrl-C leaves the intent in the database; after it, Ctrl-C stops the server, which still shows
the receipt. At a terminal both are how a demo ends: exit code 0.
"""

import asyncio
import json
import logging
import os
import runpy
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import click

from signoff.cli.documents import read_document
from signoff.cli.failures import ExitCode
from signoff.cli.once import OnceCommand
from signoff.cli.server_extra import server_part
from signoff.cli.text_safety import visible
from signoff.cli.watching import ending
from signoff.client.aio import AsyncClient
from signoff.client.types import AuditTrail, Event, Result
from signoff.core.text.masking import masked

_STORY: Final = "database-migration"
_ANSWERS: Final = {
    "a": "approved",
    "approve": "approved",
    "y": "approved",
    "r": "rejected",
    "reject": "rejected",
}


@click.command(cls=OnceCommand)
@click.option(
    "--auto", is_flag=True, help="Approve as the owner, through the HTTP API, when the check is done."
)
@click.option(
    "--port", type=int, default=None, help="Port of the server; default 8100, or a free one if taken."
)
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path(".signoff"), help="Folder for the database."
)
def demo(auto: bool, port: int | None, data: Path) -> int:
    """Run a demo: an agent checks a migration, a person approves it, it completes, and the audit trail is printed. The
    server runs until Ctrl-C; with --auto it stops on its own.
    """
    with server_part("signoff demo"):
        from signoff.serving import run

    try:
        return int(run(_demo(auto, port, data)))
    except KeyboardInterrupt:  # before the server, or after it
        say("\nStopped.")
        return _stopped()


def _stopped() -> int:
    """The exit code after Ctrl-C: at a terminal that is how a demo is meant to end; a script learns that it did not
    reach its end.
    """
    return ExitCode.OK if sys.stdin.isatty() else ExitCode.INTERRUPTED


def example() -> Path:
    """The folder with the demo's files: next to the sources, or installed."""
    package = Path(__file__).parents[1]
    for folder in (package.parents[1] / "examples" / _STORY, package / "examples" / _STORY):
        if (folder / "workflow.yaml").is_file():
            return folder
    raise click.ClickException("The example's files are missing from this installation.")


async def _demo(auto: bool, port: int | None, data: Path) -> int:
    from signoff.config import Config
    from signoff.core.errors import Refused
    from signoff.serving import running

    # The client's warnings about a stopping server are expected.
    logging.getLogger("signoff").addHandler(logging.NullHandler())
    config = Config(port=8100 if port is None else port, data=data, console_notifications=False)
    try:
        context = running(config)
        server = await context.__aenter__()
    except Refused as refusal:
        if port is not None or refusal.code != "address_in_use":
            raise
        context = running(Config(port=0, data=data, console_notifications=False))
        server = await context.__aenter__()
    try:
        story = asyncio.create_task(_tell(server.base_url, server.login_url, auto, data))
        stopped = asyncio.create_task(server.until_stopped())
        await asyncio.wait({story, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if story.done():
            code = story.result()
            if not auto and not stopped.done():
                say("")
                say(
                    f"The server keeps running, so that you can look at its pages: {server.base_url}   Ctrl-C stops it."
                )
                await stopped
            return code
        story.cancel()
        await asyncio.gather(story, return_exceptions=True)
        say("")
        say(
            "Stopped. Nothing is lost: the intent is in the database and continues when the server runs again:"
        )
        say(f"  {typed('up', data)}")
        say(f"then, in another terminal: {typed('tasks list', data)}, {typed('tasks approve TASK', data)}")
        return _stopped()
    finally:
        await context.__aexit__(None, None, None)


def typed(command: str, data: Path, program: str = sys.argv[0], path: str | None = None) -> str:
    """The command as the person has to type it in this folder, including the data folder, which it would not find on
    its own.

    path: the search path for programs, as in PATH.
    """
    found = shutil.which("signoff", path=path)
    here = Path(program)
    if not here.is_file() or here.suffix == ".py":
        name = "signoff" if found else f"{shlex.quote(sys.executable)} -m signoff.cli"
    else:
        name = "signoff" if found and here.samefile(found) else shlex.quote(program)
    known = data.absolute() == Path(".signoff").absolute()
    return f"{name} {command}" if known else f"SIGNOFF_DATA={shlex.quote(str(data))} {name} {command}"


async def _tell(url: str, login: str, auto: bool, data: Path) -> int:
    """Run the demo as a client of the server; the exit code says how the intent ended, as with ``watch``."""
    folder = example()
    owner = json.loads((data / "credentials.json").read_text(encoding="utf-8"))["api_key"]
    say(f"Server    {url}   database {data / 'signoff.db'}")
    if not auto:
        if login and sys.stdout.isatty():
            say(f"Inbox     {login}   signs you in, once")
        else:
            say(f"Inbox     {url}/")
            say(f"Sign in   {typed('db signin-link owner@localhost', data)}")
    async with AsyncClient(url, owner) as person:
        await person.apply_workflow(read_document(str(folder / "workflow.yaml")))
        say("Workflow  database-migration: validate (agent), then approve (a person)")
        request = runpy.run_path(str(folder / "request.py"))["INTENT"]
        agent = await person.create_key(agent=request["to_agent"])
        service = await person.create_key(service="demo-initiator")
        async with (
            _validator(folder / "agent.py", url, agent.api_key),
            AsyncClient(url, service.api_key) as requester,
        ):
            intent_id = await requester.send_intent(request)
            say(f"Intent    {intent_id}")
            say("")
            result = await _follow(requester, person, intent_id, None if auto else data)
            say("")
            say(f"Result    {visible(result.status)}  outcome {visible(result.outcome or 'none')}")
            return show_audit(await person.audit(intent_id), result)


@asynccontextmanager
async def _validator(script: Path, url: str, key: str) -> AsyncIterator[None]:
    """The agent as a separate process, stopped at the end."""
    environment = os.environ | {"SIGNOFF_URL": url, "SIGNOFF_API_KEY": key}
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), env=environment)
    say(f"Agent     infra-validator, process {process.pid}")
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _follow(requester: AsyncClient, person: AsyncClient, intent_id: str, data: Path | None) -> Result:
    """Print events as they happen. When a decision is needed, prompt for it, or approve automatically if there is no
    ``data``.
    """
    asking: asyncio.Task[None] | None = None
    try:
        names: dict[str, str] = {}
        async for event in requester.observe(intent_id):
            if event.actor not in names:
                trail = await person.audit(intent_id)
                names |= {e.actor.id: e.actor.name.rpartition("/")[2] for e in trail.events}
            say(_line(event, names.get(event.actor, event.actor)))
            if event.event_type == "intent.human_task_assigned":
                asking = asyncio.create_task(_decide(person, intent_id, data))
        return await requester.wait_for(intent_id)
    finally:
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


def _line(event: Event, who: str) -> str:
    at = f"{event.at:%H:%M:%S}Z" if event.at else ""
    what = event.event_type.removeprefix("intent.").replace("_", " ")
    return f"{at}  {visible(what):<21} {visible(event.status):<13} by {visible(who)}"


def _say_values(values: Mapping[str, Any]) -> None:
    for name, value in masked(values).items():
        text = ("no", "yes")[value] if isinstance(value, bool) else value
        say(f"    {visible(name):<14} {visible(text)}")


async def _decide(person: AsyncClient, intent_id: str, data: Path | None) -> None:
    task = next((t for t in await person.tasks.list() if t.intent_id == intent_id), None)
    if task is None:
        return
    say("")
    say(f"  {visible(task.title)}")
    _say_values(task.payload)
    say("  The validator reported:")
    _say_values(task.previous_results.get("validate") or {})
    say(f"  Risk of this decision, by the policy and the report: {visible(task.risk)}")
    say(f"  {visible(task.on_expiry)}")
    say("")
    outcome = "approved"
    if data is not None:
        say(f"  Decide on the page: {person.settings.url}/tasks/{task.task_id}")
        say(f"  in another terminal: {typed(f'tasks approve {task.task_id}', data)}")
        if sys.stdin.isatty():
            say("  or here:")
        chosen = await _ask()
        if chosen is None:
            return
        outcome = chosen
    comment = "Approved by signoff demo --auto." if data is None else None
    await person.answer(task.task_id, outcome, comment, None, task.revision, task.digest)


async def _ask() -> str | None:
    """The outcome that a person types; None without a terminal, because the decision is then made elsewhere."""
    if not sys.stdin.isatty():
        return None
    loop = asyncio.get_running_loop()
    while True:
        sys.stdout.write("  approve or reject? [a/r] ")
        sys.stdout.flush()
        ready = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(sys.stdin.fileno())
        line = sys.stdin.readline()
        if not line:
            say("\n  Then decide on the page or in another terminal; this keeps waiting.")
            return None
        if (outcome := _ANSWERS.get(line.strip().lower())) is not None:
            return outcome


def show_audit(trail: AuditTrail, result: Result) -> int:
    """Print who did what, when and through which channel, and the head of the hash chain."""
    say("")
    say("Audit trail")
    for event in trail.events:
        at = f"{event.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z" if event.at else ""
        say(
            f"  {event.seq:>2}  {at}  {visible(event.summary)}  ({visible(event.actor.kind)}, via {visible(event.via)})"
        )
    say(f"  head {trail.head}")
    say(
        f"  {'verified: every event is what was hashed' if trail.verified else 'NOT VERIFIED: ' + trail.problem}"
    )
    return ending(result) if trail.verified else ExitCode.FAILURE


def say(line: str) -> None:
    print(line, flush=True)
