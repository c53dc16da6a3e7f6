"""``signoff scenarios``: validates and starts AXP scenario bundles."""

import click

from signoff.cli.arguments import seconds
from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.documents import read_document
from signoff.cli.failures import ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import block
from signoff.cli.session import Remote
from signoff.cli.watching import refuse_timeout_alone, watch_intent


@click.group(cls=SuggestingGroup)
def scenarios() -> None:
    """Validate and apply scenario bundles."""


@scenarios.command("validate", cls=RemoteCommand, fields=("valid", "errors", "warnings"))
@click.argument("file")
@click.pass_obj
def validate(session: Remote, file: str) -> ExitCode:
    """Validate a scenario bundle without creating anything."""
    found = session.client.validate_scenario(read_document(file))
    lines = [line for text in found.errors for line in block("error", text)]
    lines += [line for text in found.warnings for line in block("warning", text)]
    session.out.one(found, "valid", lines or ["The bundle is valid."])
    return ExitCode.OK if found.valid else ExitCode.FAILURE


@scenarios.command(
    "apply", cls=ChangingCommand, fields=("intent_id", "scenario_id", "status", "agents", "warnings")
)
@click.argument("file")
@click.option("--idempotency-key", metavar="KEY", help="Idempotency key.")
@click.option("--watch", is_flag=True, help="Follow it until it is final; the exit code tells how it ended.")
@click.option(
    "--timeout", callback=seconds, metavar="DURATION", help="With --watch: maximum time to follow it."
)
@click.pass_obj
def apply(
    session: Remote, file: str, idempotency_key: str | None, watch: bool, timeout: float | None
) -> ExitCode:
    """Start a scenario bundle (JSON or YAML)."""
    refuse_timeout_alone(watch, timeout)
    applied = session.client.apply_scenario(read_document(file), idempotency_key=idempotency_key)
    for warning in applied.warnings:
        session.out.note(f"warning: {warning}")
    session.out.one(applied, "intent_id", [applied.intent_id], followed=watch)
    return watch_intent(session, applied.intent_id, timeout) if watch else ExitCode.OK
