"""A personal channel that this release does not have: it writes each message to a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from signoff.core.errors import Invalid
from signoff.notify.channel import (
    AddressSource,
    ChannelContext,
    ChannelDeclaration,
    ChannelKind,
    NotSent,
    Setting,
)

if TYPE_CHECKING:
    from signoff.notify.personal_message import PersonalMessage


class Pigeon:
    def __init__(self, loft: Path) -> None:
        self._loft = loft

    async def deliver(self, message: "PersonalMessage") -> str:
        from signoff.notify.email import as_text

        try:
            (self._loft / f"{message.to}-{message.id}").write_text(as_text(message), encoding="utf-8")
        except OSError as error:
            raise NotSent("the pigeon did not find its loft") from error
        return f"pigeon-{message.id}"

    async def close(self) -> None:
        """Nothing to close."""


def _check(loft: str) -> None:
    if not loft.startswith("/"):
        raise Invalid("invalid_setting", "pigeon_loft is not an absolute path.", field="pigeon_loft")


def _open(context: ChannelContext) -> Pigeon | None:
    loft = context.settings["pigeon_loft"]
    return Pigeon(Path(loft)) if loft else None


CHANNEL: Final = ChannelDeclaration(
    name="pigeon",
    label="carrier pigeon",
    kind=ChannelKind.PERSONAL,
    settings=(Setting(name="pigeon_loft", help="Folder where the pigeons land.", check=_check),),
    address=AddressSource.DIRECTORY,
    open=_open,
)
