"""Reports what a key cannot decide, before asking the person anything."""

from typing import TYPE_CHECKING

import click

from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.session import Remote

if TYPE_CHECKING:
    from signoff.client.types import Task


def refuse_what_a_key_cannot(session: Remote, task: "Task", yes: bool, open_page: bool = False) -> None:
    """Report a required stronger sign-in first. A high risk cannot be confirmed by a flag."""
    if task.strength not in ("", "link"):
        page = f"{session.client.settings.url}/tasks/{task.task_id}"
        if open_page:
            click.launch(page)
        how = "" if open_page else "; --open opens it here"
        raise CommandFailed(
            ExitCode.FORBIDDEN,
            "This decision requires a sign-in by e-mail; a key is not enough, so nothing was recorded.",
            hint=f"Decide on its page{how}: {page}",
        )
    if yes and task.risk in ("high", "critical"):
        raise CommandFailed(
            ExitCode.USAGE,
            f"The risk is {task.risk}: --yes is not accepted.",
            hint="Run it without --yes at a terminal, or decide on the task's page.",
        )
