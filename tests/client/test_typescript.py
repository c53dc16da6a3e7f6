"""The TypeScript client has the methods of the Python SDK. ``make test-clients`` compiles and runs it."""

import inspect
import json
import re
from pathlib import Path

import pytest

import signoff
from signoff.client import errors
from signoff.client.agent import Agent
from signoff.client.gate import Gate
from signoff.client.methods import Method
from signoff.client.resources import ClientMethods, DirectoryMethods, TaskMethods
from tests.client.vectors import VECTORS

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "typescript"


def source(name: str) -> str:
    return (CLIENT / "src" / f"{name}.ts").read_text("utf-8")


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def body_of(kind: str, text: str) -> str:
    found = re.search(rf"^export class {kind}\b.*?^}}", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("ours", "theirs"), [(ClientMethods, "Client"), (TaskMethods, "Tasks"), (DirectoryMethods, "Directory")]
)
def test_every_method_of_the_sdk_exists(ours: type, theirs: str) -> None:
    wanted = {camel(name) for name, value in vars(ours).items() if isinstance(value, Method)}
    wanted |= {"observe", "close", "call"} if theirs == "Client" else set()
    offered = set(
        re.findall(r"^  (?:async )?(\w+)(?:<.*?>)?\(", body_of(theirs, source("client")), re.MULTILINE)
    )
    assert len(wanted) >= 12
    assert offered - {"constructor"} == wanted, "see clients/typescript/src/client.ts"


# What is called otherwise there.
OTHERWISE = {
    "task_id": "about",
    "timeout": "timeoutSeconds",
    "expires_in": "expiresInSeconds",
}


@pytest.mark.parametrize(
    ("ours", "theirs"), [(ClientMethods, "Client"), (TaskMethods, "Tasks"), (DirectoryMethods, "Directory")]
)
def test_every_argument_of_the_sdk_exists(ours: type, theirs: str) -> None:
    """As a parameter, or as a field of a parameter's interface."""
    text = source("client")
    interfaces = dict(
        re.findall(r"^export interface (\w+)(.*?)^}", text + source("wire"), re.MULTILINE | re.DOTALL)
    )
    body = body_of(theirs, text)
    missing = []
    for name, method in vars(ours).items():
        if not isinstance(method, Method):
            continue
        found = re.search(rf"^  async {camel(name)}(?:<\w+>)?\((.*?)\): ", body, re.MULTILINE | re.DOTALL)
        assert found is not None, name
        words, unread = found[1], [found[1]]
        while unread:
            for kind in set(re.findall(r"\b[A-Z]\w+", unread.pop())) & interfaces.keys():
                if interfaces[kind] not in words:
                    words += interfaces[kind]
                    unread.append(interfaces[kind].partition("{")[0])
        known = set(re.findall(r"\w+", words))
        missing += [
            f"{name}({argument})"
            for argument, what in list(inspect.signature(getattr(ours, name)).parameters.items())[1:]
            if what.kind is not inspect.Parameter.VAR_KEYWORD
            and not {argument, camel(argument), OTHERWISE.get(argument)} & known
        ]
    assert missing == [], "see clients/typescript/src/client.ts"


def test_agent_has_the_methods_of_the_sdk() -> None:
    offered = set(
        re.findall(r"^  (?:async )?(\w+)(?:<.*?>)?\(", body_of("Agent", source("agent")), re.MULTILINE)
    )
    assert offered - {"constructor"} == {camel(name) for name in vars(Agent) if not name.startswith("_")}


def test_every_error_has_the_same_place_in_the_class_hierarchy() -> None:
    theirs = dict(re.findall(r"^export class (\w+) extends (\w+)", source("errors"), re.MULTILINE))
    ours = {
        name: value.__mro__[1].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.SignoffError)
    }
    assert theirs == ours | {"SignoffError": "Error"}
    exported = re.search(r"export \{([^}]*)\} from \"./errors.js\"", source("index"))
    assert exported is not None
    assert set(re.findall(r"\w+", exported[1])) == set(theirs)


def test_gate_has_the_options_of_the_sdk() -> None:
    options = re.search(r"^export interface GateOptions.*?^}", source("gate"), re.MULTILINE | re.DOTALL)
    assert options is not None
    names = set(re.findall(r"^  readonly (\w+)", options[0], re.MULTILINE))
    ours = {camel(name) for name in inspect.signature(Gate).parameters}
    assert names - {"name", "description", "check"} == ours - {"timeout"} | {"timeoutSeconds"}


def test_package_has_the_projects_version() -> None:
    package = json.loads((CLIENT / "package.json").read_text("utf-8"))
    locked = json.loads((CLIENT / "package-lock.json").read_text("utf-8"))
    assert package["version"] == locked["version"] == signoff.__version__
    assert f'"{signoff.__version__}"' in source("version")
    assert "dependencies" not in package
    assert "resolved" not in (CLIENT / "package-lock.json").read_text("utf-8")
    assert (package["license"], package["publishConfig"]["provenance"]) == ("Apache-2.0", True)


def test_the_example_takes_the_client_of_the_clone() -> None:
    """A version from a registry would be missing until it is published."""
    folder = ROOT / "examples" / "database-migration" / "typescript"
    [(name, source)] = json.loads((folder / "package.json").read_text("utf-8"))["dependencies"].items()
    client = (folder / source.removeprefix("file:")).resolve()
    assert (client, name) == (CLIENT.resolve(), "@signoff/client")


def test_typescript_tests_make_every_call_of_the_vectors() -> None:
    text = (CLIENT / "tests" / "vectors.test.ts").read_text("utf-8")
    calls = {step["call"] for vector in VECTORS.values() for step in vector["steps"]}
    assert {name for name in calls if f'"{name}"' not in text and f"  {name}: " not in text} == set()
