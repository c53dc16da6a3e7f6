"""``signoff completion``: prints the shell completion script."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell completion script.

    For bash, for instance: signoff completion bash > ~/.local/share/bash-completion/completions/signoff
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.", ctx)
    click.echo(found(ctx.find_root().command, {}, "signoff", "_SIGNOFF_COMPLETE").source())
