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


class FolderChannel:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, message: "PersonalMessage") -> str:
        from signoff.notify.email import as_text

        try:
            (self._folder / f"{message.to}-{message.id}").write_text(as_text(message), encoding="utf-8")
        except OSError as error:
            raise NotSent("the folder does not exist") from error
        return f"drop-{message.id}"

    async def close(self) -> None:
        """Nothing to close."""


def _check(folder: str) -> None:
    if not folder.startswith("/"):
        raise Invalid("invalid_setting", "drop_folder is not an absolute path.", field="drop_folder")


def _open(context: ChannelContext) -> FolderChannel | None:
    folder = context.settings["drop_folder"]
    return FolderChannel(Path(folder)) if folder else None


CHANNEL: Final = ChannelDeclaration(
    name="drop",
    label="drop folder",
    kind=ChannelKind.PERSONAL,
    settings=(Setting(name="drop_folder", help="Folder that messages are written to.", check=_check),),
    address=AddressSource.DIRECTORY,
    open=_open,
)
