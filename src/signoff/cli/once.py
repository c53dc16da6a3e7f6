"""A command that takes each of its options once."""

import click


class OnceCommand(click.Command):
    """Refuses an option that is given twice: click would silently use the last value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:  # a shell completion is running
            self._refuse_twice(ctx, list(args))
        return super().parse_args(ctx, args)

    def _refuse_twice(self, ctx: click.Context, args: list[str]) -> None:
        _, _, order = self.make_parser(ctx).parse_args(args=args)
        seen = set[str]()
        for param in order:
            if not isinstance(param, click.Option) or param.multiple or param.count:
                continue
            if param.is_flag and not param.secondary_opts:
                continue  # the same word twice means the same
            if param.name in seen:
                raise click.UsageError(f"{param.opts[0]} is given twice.", ctx)
            seen.add(str(param.name))
