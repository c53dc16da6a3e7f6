"""The Go client (clients/go) as far as it can be judged without Go: names, versions, addresses. Its own tests: make
test-clients.
"""

import inspect
import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import signoff
from signoff.client.gate import Gate

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "go"
EXAMPLE = ROOT / "examples" / "database-migration" / "go"
SOURCE = "\n".join(path.read_text("utf-8") for path in sorted(CLIENT.glob("*.go")))
# What is called otherwise in Go, because its arguments are types of their own.
OTHERWISE = {
    ("Client", "tasks"): "Tasks *Tasks",
    ("Client", "directory"): "Directory *Directory",
    ("Client", "call"): "func (c *Client) Call(",
}


def module() -> str:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    parts = urlsplit(urls["Repository"])
    return f"{parts.netloc}{parts.path}/clients/go"


def test_the_module_is_where_the_repository_is() -> None:
    assert f"module {module()}\n" in (CLIENT / "go.mod").read_text("utf-8")
    example = (EXAMPLE / "go.mod").read_text("utf-8")
    assert f"require {module()} v{signoff.__version__}\n" in example
    assert f"replace {module()} => ../../../clients/go\n" in example
    pages = [*CLIENT.rglob("*.go"), *EXAMPLE.rglob("*.go"), CLIENT / "README.md", ROOT / "docs/how-to/go.md"]
    imported = {
        found
        for page in pages
        for found in re.findall(r'signoff "([^"\s]+/clients/go)"|go get (\S+)', page.read_text("utf-8"))
    }
    assert {one or other for one, other in imported} == {module()}


def test_it_needs_nothing_but_the_standard_library() -> None:
    assert "require" not in (CLIENT / "go.mod").read_text("utf-8")
    assert not (CLIENT / "go.sum").exists()


def test_it_has_the_version_and_the_licence_of_the_project() -> None:
    assert f'const Version = "{signoff.__version__}"' in (CLIENT / "version.go").read_text("utf-8")
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("group", ["Client", "Tasks", "Directory"])
def test_it_has_the_methods_of_the_sdk_under_their_names(group: str) -> None:
    client = signoff.Client("http://127.0.0.1:9", "key")
    ours = {"Client": client, "Tasks": client.tasks, "Directory": client.directory}[group]
    names = {name for name in dir(ours) if not name.startswith("_")} - {"session", "retries", "settings"}
    assert len(names) > 10
    missing = set()
    for name in names:
        title = "".join(word.title() for word in name.split("_"))
        wanted = OTHERWISE.get((group, name)) or rf"func ({group[0].lower()} *{group}) {title}("
        if wanted not in SOURCE:
            missing.add(name)
    assert missing == set()


def test_it_has_an_error_for_each_of_the_sdk() -> None:
    endings = {
        name.removeprefix("Intent") + "Error"
        for name in signoff.__all__
        if isinstance(one := getattr(signoff, name), type) and issubclass(one, signoff.IntentFailed)
    }
    refusals = {
        "Err" + name
        for name in signoff.__all__
        if isinstance(one := getattr(signoff, name), type)
        and issubclass(one, signoff.RequestRefused)
        and one is not signoff.RequestRefused
    }
    assert {name for name in endings if f"type {name} struct" not in SOURCE} == set()
    assert {name for name in refusals if f"{name} = errors.New(" not in SOURCE} == set()
    assert "type InvalidEditError struct" in SOURCE


def test_a_gate_has_the_options_of_the_sdk() -> None:
    options = re.search(r"^type GateOptions.*?^}", SOURCE, re.MULTILINE | re.DOTALL)
    assert options is not None
    names = set(re.findall(r"^\t(\w+) ", options[0], re.MULTILINE))
    theirs = {
        "".join(word.title() for word in name.split("_")) for name in inspect.signature(Gate).parameters
    }
    # omit is the tag json:"-", a timeout is the context's, and the first two are arguments of NewGate.
    assert names - {"Name", "Description", "Check"} == theirs - {"Omit", "Timeout", "Client", "IntentType"}
