"""The documentation is true: snippets run, templates compile, commands exist, generated pages are up to date."""

import ast
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from itertools import pairwise
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from docs import generate
from signoff.cli.failures import MEANING, ExitCode
from signoff.cli.main import main
from signoff.core.formats.workflow import compile_workflow
from tests.docs.blocks import blocks
from tests.live import Live
from tests.stories.servers import until

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "signoff"
PAGES = [
    ROOT / "README.md",
    *sorted(set((ROOT / "docs").rglob("*.md")) - set(generate.pages())),
    *sorted((ROOT / "examples").rglob("*.md")),
]


def test_generated_pages_are_up_to_date() -> None:
    assert [str(path.relative_to(ROOT)) for path in generate.stale()] == [], "run make docs"


def test_every_error_code_is_on_the_errors_page() -> None:
    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    raised = r"(?:(?<!fault)\.code (?:==|!=) |refusal\(.*\) == )\"([a-z]+(?:_[a-z]+)+)\""
    known = re.compile(raised + r"|^\| .*[0-9]{3} `([a-z_]+)`", re.MULTILINE)
    texts = [
        path.read_text(encoding="utf-8")
        for path in (
            *(ROOT / "tests").rglob("*.py"),
            *(ROOT / "docs").rglob("*.md"),
            *(ROOT / "src").rglob("*.py"),
        )
        if not path.is_relative_to(ROOT / "tests/client")  # what a stub answers there is nobody's code
    ]
    said = {code for text in texts for found in known.finditer(text) for code in found.groups() if code}
    assert len(said) > 80
    assert said - listed == set()


def test_every_flag_on_the_settings_page_exists() -> None:
    said = set(re.findall(r"^\| `(--[\w-]+)`", generate.settings(), re.MULTILINE))
    up = main.get_command(click.Context(main), "up")
    assert up is not None
    assert said == {name for param in up.params for name in param.opts} - {"--open"}


def test_every_exit_code_is_explained() -> None:
    assert set(MEANING) == set(ExitCode)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_workflow_compiles(page: Path) -> None:
    for text in blocks(page, "yaml"):
        template = YAML(typ="safe", pure=True).load(text)
        if "workflow" in template:
            assert compile_workflow(template).plan.steps


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_exists_with_its_options(page: Path) -> None:
    for text in blocks(page, "sh"):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["signoff"]:
                _check(words[1:])
            elif words[:1] == ["make"]:
                assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line


def _check(words: list[str]) -> None:
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command, **main.context_settings), words[0])
        assert found is not None, f"there is no command {words[0]!r}"
        command, words = found, words[1:]
    options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options, words


def test_links_have_existing_targets() -> None:
    guides = [ROOT / f"{name}.md" for name in ("AGENTS", "ARCHITECTURE", "CONTRIBUTING", "SECURITY")]
    for page in [*PAGES, *guides]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("name", ["AGENTS.md", "CONTRIBUTING.md"])
def test_make_targets_and_files_in_contributing_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(
        r"\bmake ([a-z-]+)", re.sub(r"[^`]*(`[^`]*`|```.*?```)|[^`]+", r"\1 ", text, flags=re.DOTALL)
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"`((?:src|tests|docs|bench|\.ci|\.github)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


def test_architecture_names_files_that_exist() -> None:
    """A bare file name follows its folder, or another file of it, in the same paragraph or row."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for line in re.split(r"\n(?=\|)|\n\n", text):
        folders = [ROOT, PACKAGE]
        for name in re.findall(r"`([\w/]+(?:/|/\w+|\.py|\.md|\.lock|\.toml))`", line):
            found = [folder / name for folder in folders if (folder / name).exists()]
            assert found, name
            folders += [path if path.is_dir() else path.parent for path in found]


def test_architecture_names_functions_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)\.(\w+)`", text)
    calls = [(module, name) for module, name in named if name not in ("py", "md", "toml")]
    assert len(calls) >= 7
    for module, name in calls:
        sources = [path.read_text(encoding="utf-8") for path in (PACKAGE / "core").rglob(f"{module}.py")]
        assert any(f"\ndef {name}(" in source for source in sources), f"{module}.{name}"


def test_architecture_has_at_most_1500_words() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split()) <= 1500


def test_tree_in_architecture_matches_the_folders() -> None:
    """The drawing has every package down to two levels, and nothing else."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawing = text.split("src/signoff/\n", 1)[1].split("```", 1)[0]
    drawn, layer = set(), ""
    for line in drawing.splitlines():
        names = re.findall(r"([a-z]+)/(?= |$)", re.split(r"  +", line.strip(), maxsplit=1)[0])
        if line.startswith("    "):
            drawn |= {f"{layer}/{name}" for name in names}
        elif names:
            layer = names[0]
            drawn.add(layer)
    packages = [path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("__init__.py")]
    assert drawn == {str(path) for path in packages if 1 <= len(path.parts) <= 2}


def test_modules_named_in_a_package_docstring_exist() -> None:
    """A name in double backquotes in a package's docstring is one of its modules or packages."""
    for init in PACKAGE.rglob("__init__.py"):
        if init.parent in (PACKAGE, PACKAGE / "client"):  # these name what they export
            continue
        for name in re.findall(r"``([a-z_]+)``", ast.get_docstring(ast.parse(init.read_text("utf-8"))) or ""):
            assert any((init.parent / one).exists() for one in (name, f"{name}.py")), f"{init}: {name}"


def test_package_docstring_names_all_of_its_modules_or_none() -> None:
    """A reader takes a partial list for the whole."""
    for init in PACKAGE.rglob("__init__.py"):
        if init.parent in (PACKAGE, PACKAGE / "client"):
            continue
        modules = {path.stem for path in init.parent.glob("*.py")} - {"__init__", "__main__"}
        named = set(
            re.findall(r"``([a-z_0-9]+)``", ast.get_docstring(ast.parse(init.read_text("utf-8"))) or "")
        )
        if modules & named:
            assert modules - named == set(), init


def test_tree_is_in_the_order_of_the_layers() -> None:
    """The drawing lists the top packages and modules in the order of the import contract."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawing = text.split("src/signoff/\n", 1)[1].split("```", 1)[0]
    drawn: dict[str, int] = {}
    for number, line in enumerate(drawing.splitlines()):
        if re.match(r"  [a-z]", line):
            first = re.split(r"  +", line.strip(), maxsplit=1)[0]
            drawn |= dict.fromkeys(re.findall(r"([a-z_]+)(?:/|\.py)", first), number)
    top = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert set(drawn) == {path.stem for path in top} - {"__init__"}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    for contract in contracts:
        if contract["type"] == "layers" and "containers" not in contract:
            layers = [
                [name.strip().removeprefix("signoff.") for name in one.split("|")]
                for one in contract["layers"]
            ]
            for upper, lower in pairwise(layers):
                assert max(drawn[name] for name in upper) < min(drawn[name] for name in lower), (upper, lower)


def test_change_map_is_short_and_its_first_files_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!to change|---)(.+) \| `([^`]+)` \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| (?!to change|---)", text, re.MULTILINE))
    assert 8 <= len(rows) <= 12
    for what, start, _ in rows:
        assert (PACKAGE / start).is_file(), what


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_tutorial_of_a_page_runs(page: str, tmp_path: Path) -> None:
    """The page's workflow applies, its agent and four lines run unchanged, and an approval ends the wait."""
    live = Live(tmp_path / ".signoff").start()
    agent: subprocess.Popen[bytes] | None = None
    try:
        for text in blocks(ROOT / page, "yaml")[:1]:
            (tmp_path / "workflow.yaml").write_text(text)
        snippets = blocks(ROOT / page, "python")
        (request,) = [s for s in snippets if "wait_for" in s]
        (worker,) = [s for s in snippets if "agent.run()" in s]
        _run(tmp_path, "-m", "signoff.cli", "workflows", "apply", "workflow.yaml")
        agent = subprocess.Popen([sys.executable, "-c", worker], cwd=tmp_path)
        ended: list[str] = []
        waiter = threading.Thread(
            target=lambda: ended.append(_run(tmp_path, "-c", request + "\nprint(result['status'])"))
        )
        waiter.start()
        task = _first_task(live)
        assert "signoff tasks list --mine\n" in (ROOT / page).read_text(encoding="utf-8")
        assert task in _run(tmp_path, "-m", "signoff.cli", "tasks", "list", "--mine", "-o", "id")
        _run(tmp_path, "-m", "signoff.cli", "tasks", "approve", task, "--yes")
        waiter.join(180)
        assert ended
        assert "COMPLETED" in ended[0]
    finally:
        if agent is not None:
            agent.terminate()
            agent.wait(60)
        live.stop()


def _first_task(live: Live) -> str:
    found = until(lambda: live.call("GET", "/v1/tasks")[1]["tasks"])
    return str(found[0]["task_id"])


def _run(folder: Path, *words: str) -> str:
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
