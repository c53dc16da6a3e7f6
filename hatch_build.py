"""Build hook: the README of the package, with absolute links. Relative ones lead nowhere on a package index."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?:|mailto:|#)([^)\s]+)\)")


def with_absolute_links(text: str, repository: str) -> str:
    """Markdown whose relative links lead to the repository: images to their bytes, the rest to their pages."""

    def absolute(link: re.Match[str]) -> str:
        image, label, target = link.groups()
        return f"{image}{label}({repository}/{'raw' if image else 'blob'}/HEAD/{target})"

    return _LINK.sub(absolute, text)


class ReadmeHook(MetadataHookInterface):
    """Supplies the dynamic field ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(text, metadata["urls"]["Repository"]),
        }
