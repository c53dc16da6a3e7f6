"""``@last``: the last intent that was sent from this computer, for each server."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from signoff.cli.contexts import config_folder, write_private

LAST: Final = "@last"
_FILE_NAME: Final = "last.json"
_MOST: Final = 20


def remember(url: str, intent_id: str, environ: Mapping[str, str] = os.environ) -> None:
    """Remember an intent that was sent. This is only a convenience: no command fails if the folder is not writable."""
    folder = config_folder(environ)
    if folder is None:
        return
    known = _known(folder / _FILE_NAME)
    known.pop(url, None)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(folder / _FILE_NAME, dict([*known.items(), (url, intent_id)][-_MOST:]))


def last(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """The last intent that was sent to this server; "" if there is none."""
    folder = config_folder(environ)
    return "" if folder is None else _known(folder / _FILE_NAME).get(url, "")


def _known(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {url: intent_id for url, intent_id in items if isinstance(intent_id, str)}
