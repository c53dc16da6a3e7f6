"""What is published was built and tested here: links, versions, workflows."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hatch_build import with_absolute_links
from ruamel.yaml import YAML

from docs import site
from tests.dist import wrong_with

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / ".gitlab-ci.yml"]


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))


def test_readme_of_the_package_has_no_relative_link() -> None:
    text = with_absolute_links((ROOT / "README.md").read_text("utf-8"), PROJECT["urls"]["Repository"])
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []


@pytest.mark.parametrize(
    ("link", "absolute"),
    [
        ("![a](b/c.webp)", "![a](R/raw/HEAD/b/c.webp)"),
        ("[a](b.md#c)", "[a](R/blob/HEAD/b.md#c)"),
        ("[`a`](b)", "[`a`](R/blob/HEAD/b)"),
        ("[a](https://b.example/c)", "[a](https://b.example/c)"),
        ("[a](#b)", "[a](#b)"),
    ],
)
def test_images_link_to_raw_files_and_other_links_to_pages(link: str, absolute: str) -> None:
    assert with_absolute_links(link, "R") == absolute


def test_public_addresses_are_in_one_file() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for url in PROJECT["urls"].values():
        holders = [
            name
            for name in tracked
            if name and url.encode() in (ROOT / name).read_bytes() and not name.endswith(".webp")
        ]
        assert holders == ["pyproject.toml"], url


def test_tag_of_another_version_is_not_published() -> None:
    changelog = "## Unreleased\n\n## 1.2.3 (2026-12-01)\n"
    assert wrong_with("v1.2.3", "1.2.3", changelog) == ""
    assert "does not name" in wrong_with("v1.2.4", "1.2.3", changelog)
    assert "no section for 1.2" in wrong_with("v1.2", "1.2", changelog)


def test_every_claimed_python_version_is_tested() -> None:
    claimed = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert PROJECT["requires-python"] == f">={claimed[0]}"
    forge, gitlab = (
        read(path)["jobs"] if path.parent.name == "workflows" else read(path)
        for path in (
            ROOT / ".github" / "workflows" / "ci.yml",
            ROOT / ".gitlab-ci.yml",
        )
    )
    assert forge["test"]["strategy"]["matrix"]["python"] == claimed
    assert gitlab["test"]["parallel"]["matrix"][0]["PYTHON"] == claimed


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_workflows_call_the_same_commands_as_people(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = re.findall(r"^(?:\s*- (?:run: )?)make (\w+)", text, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for action in re.findall(r"uses: (\S+)(.*)", text):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", "".join(action)), "pin it by commit"


def test_only_the_publishing_workflow_has_write_permission() -> None:
    for path in WORKFLOWS[:-1]:
        workflow = read(path)
        assert workflow["permissions"] in ({}, {"contents": "read"})
        granted = {
            name: right
            for job in workflow["jobs"].values()
            for name, right in job.get("permissions", {}).items()
            if right == "write"
        }
        assert set(granted) <= ({"id-token", "attestations"} if path.name == "publish.yml" else set())


def test_changelog_is_sorted() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    for release in text.split("\n## ")[1:]:
        groups = re.findall(r"^### (.+)$", release, re.MULTILINE)
        known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
        assert groups == [name for name in known if name in groups], release.splitlines()[0]


def test_site_builds_without_broken_links(tmp_path: Path) -> None:
    site.build(tmp_path)
    assert (tmp_path / "site" / "policies" / "index.html").exists()
    assert (tmp_path / "site" / "search.json").exists()


def test_broken_link_fails_the_site(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.md").write_text("[there](nowhere.md) [or here](#nowhere)")
    (tmp_path / "zensical.toml").write_text(
        '[project]\nsite_name = "S"\ndocs_dir = "pages"\nsite_dir = "site"\n'
    )
    with pytest.raises(subprocess.CalledProcessError):
        site.run(tmp_path)


def test_every_page_is_listed_in_the_index() -> None:
    where = site.pages()
    listed = re.findall(r"'([^']+\.md)'", str(site.navigation(where)))
    assert sorted(listed) == sorted(str(path) for path in where.values() if path.suffix == ".md")


def test_client_and_command_line_import_nothing_missing_on_windows() -> None:
    program = "import tests.without_posix, pkgutil, importlib, signoff.client, signoff.cli\n" + (
        "for package in (signoff.client, signoff.cli):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
