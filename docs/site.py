"""Builds the documentation site: ``make site``. Its pages are those of ``docs/`` and of the top of the repository; its
navigation is the lists of ``docs/index.md``.

Links are written as they work in the repository. On the site a link to another of its pages stays relative, and one to
anything else leads to the repository, whose address stands in pyproject.toml. A link that leads nowhere is an error.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BUILD = ROOT / "build"
TOP = ("CHANGELOG", "ARCHITECTURE", "CONTRIBUTING", "SECURITY")
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_ENTRY = re.compile(r"^- \[(.+?)\]\(([^)]+\.md)\)", re.MULTILINE)
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def pages() -> dict[Path, Path]:
    """Each source file and its path on the site."""
    found = {path: path.relative_to(DOCS) for path in sorted(DOCS.rglob("*")) if _is_page(path)}
    return found | {ROOT / f"{name}.md": Path("project", f"{name.lower()}.md") for name in TOP}


def _is_page(path: Path) -> bool:
    return path.is_file() and path.suffix in (".md", ".webp", ".png", ".svg", ".json")


def relinked(text: str, source: Path, where: dict[Path, Path], repository: str) -> str:
    """The text of a page, with its links as they have to be on the site."""

    def link(found: re.Match[str]) -> str:
        path, anchor = found.groups(default="")
        target = (source.parent / path).resolve()
        if target in where:
            path = os.path.relpath(where[target], where[source].parent)
        elif target.is_relative_to(ROOT) and target.exists():
            path = f"{repository}/blob/HEAD/{target.relative_to(ROOT)}"
        return f"]({path}{anchor})"

    return _LINK.sub(link, text)


def navigation(where: dict[Path, Path]) -> list[dict[str, object]]:
    """The sections of the index, each with the pages that it lists."""
    _, *parts = _SECTION.split((DOCS / "index.md").read_text("utf-8"))
    found: list[dict[str, object]] = [{"Signoff": "index.md"}]
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        entries = [{label: str(where[(DOCS / link).resolve()])} for label, link in _ENTRY.findall(text)]
        found.append({title: entries})
    return found


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def build(folder: Path = BUILD) -> None:
    """Write the pages and the configuration into a folder, and the site beside them."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    shutil.rmtree(folder / "pages", ignore_errors=True)
    where = pages()
    for source, target in where.items():
        copy = folder / "pages" / target
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            copy.write_text(relinked(source.read_text("utf-8"), source, where, urls["Repository"]), "utf-8")
        else:
            shutil.copyfile(source, copy)
    added = {"site_url": urls["Documentation"], "repo_url": urls["Repository"]}
    lines = [f"{name} = {json.dumps(value)}" for name, value in added.items()]
    lines.append(f"nav = {_toml(navigation(where))}")
    config = (ROOT / "zensical.toml").read_text("utf-8")
    config = config.replace("[project]", "\n".join(["[project]", *lines]), 1)
    (folder / "zensical.toml").write_text(config, "utf-8")
    run(folder)


def run(folder: Path) -> None:
    """Raises CalledProcessError if a link or anything else is wrong."""
    program = Path(sys.executable).with_name("zensical")
    subprocess.run(
        [program, "build", "--strict", "--clean", "-f", folder / "zensical.toml"], check=True, cwd=folder
    )


if __name__ == "__main__":
    try:
        build()
    except subprocess.CalledProcessError:
        sys.exit("The site was not built: see the warnings above.")
