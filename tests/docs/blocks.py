"""Extracts fenced blocks, sections and inline code from a page."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks in one language, dedented."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [
        re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        for indent, name, body in found
        if name == language
    ]


def documents(page: Path) -> list[dict[str, Any]]:
    """The YAML blocks of a page, parsed."""
    return [YAML(typ="safe", pure=True).load(text) for text in blocks(page, "yaml")]


def section(page: Path, heading: str) -> str:
    """The text under a heading, up to the next heading of the same or a higher level."""
    text = page.read_text(encoding="utf-8")
    start = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert start is not None, f"{page.name} has no heading {heading!r}"
    end = re.search(rf"^#{{1,{len(start[1])}}} ", text[start.end() :], re.MULTILINE)
    return text[start.end() : start.end() + end.start()] if end else text[start.end() :]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, without header rows."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    rules = {number for number, row in enumerate(table) if all(re.fullmatch(r":?-+:?", cell) for cell in row)}
    return [row for number, row in enumerate(table) if number not in rules and number + 1 not in rules]


def coded(text: str) -> list[str]:
    """The inline code outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))
