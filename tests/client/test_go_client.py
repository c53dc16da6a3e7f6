"""The Go client (clients/go): names, versions, addresses, without a Go toolchain. ``make test-clients`` runs its own
tests.
"""

import inspect
import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import signoff
from signoff.client.gate import Gate
from signoff.client.methods import Method
from signoff.client.resources import ClientMethods, DirectoryMethods, TaskMethods

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


def test_module_path_follows_the_repository() -> None:
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


def test_module_depends_on_the_standard_library_only() -> None:
    assert "require" not in (CLIENT / "go.mod").read_text("utf-8")
    assert not (CLIENT / "go.sum").exists()


def test_module_has_the_projects_version_and_licence() -> None:
    assert f'const Version = "{signoff.__version__}"' in (CLIENT / "version.go").read_text("utf-8")
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


# Arguments that are a method of their own there, part of an argument, or the context's.
ELSEWHERE = {
    "timeout": "ctx",
    "idempotency_key": "opts",
    "dry_run": {"apply": "Plan", "apply_workflow": "CheckWorkflow"},
    "until": "SnoozeUntil",
    "clear": "UnmarkReviewing",
    "session_id": "EndSession",
    "outcome": {"revise": "ReviseAndAnswer"},
    "stage": {"approve": "TaskRef", "reject": "TaskRef"},
    "revision": {"approve": "TaskRef", "reject": "TaskRef"},
    "digest": {"approve": "TaskRef", "reject": "TaskRef"},
    "task_id": "task",
    "workspace_id": "id",
    "answer_number": "Number",
    "cursor": "url.Values",
    "bodies": "url.Values",
    "since": {"export": "url.Values"},
    "changed_since": {"export": "url.Values"},
}


@pytest.mark.parametrize(
    ("ours", "group"), [(ClientMethods, "Client"), (TaskMethods, "Tasks"), (DirectoryMethods, "Directory")]
)
def test_methods_have_the_arguments_of_the_sdk(ours: type, group: str) -> None:
    """As parameters, as fields of a parameter's struct, or in another method that exists."""
    structs = dict(re.findall(r"^type (\w+) struct \{(.*?)^}", SOURCE, re.MULTILINE | re.DOTALL))
    missing = []
    for name, method in vars(ours).items():
        if not isinstance(method, Method):
            continue
        title = "".join(word.title() for word in name.split("_"))
        found = re.search(
            rf"^func \(\w \*{group}\) {title}\((.*?)\) [(*\[a-z]", SOURCE, re.MULTILINE | re.DOTALL
        )
        assert found is not None, name
        text = found[1] + "".join(
            structs[kind] for kind in re.findall(r"\b[A-Z]\w+", found[1]) if kind in structs
        )
        known = {word.lower() for word in re.findall(r"\w+", text)}
        for argument in list(inspect.signature(getattr(ours, name)).parameters)[1:]:
            other = ELSEWHERE.get(argument, "")
            other = other.get(name, "") if isinstance(other, dict) else other
            there = other and (other in text or f") {other}(" in SOURCE)
            if argument.replace("_", "") not in known and not there:
                missing.append(f"{name}({argument})")
    assert missing == []


@pytest.mark.parametrize("group", ["Client", "Tasks", "Directory"])
def test_methods_have_the_names_of_the_sdk(group: str) -> None:
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


def test_each_error_of_the_sdk_has_a_type() -> None:
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


def test_gate_has_the_options_of_the_sdk() -> None:
    options = re.search(r"^type GateOptions.*?^}", SOURCE, re.MULTILINE | re.DOTALL)
    assert options is not None
    names = set(re.findall(r"^\t(\w+) ", options[0], re.MULTILINE))
    theirs = {
        "".join(word.title() for word in name.split("_")) for name in inspect.signature(Gate).parameters
    }
    # omit is the tag json:"-", a timeout is the context's, and the first two are arguments of NewGate.
    assert names - {"Name", "Description", "Check"} == theirs - {"Omit", "Timeout", "Client", "IntentType"}
