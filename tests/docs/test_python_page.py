"""docs/reference/python.md has every public name of the SDK with its arguments, and its examples run in order."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import signoff
from signoff.client.records import Record
from tests.docs.blocks import DOCS, blocks, coded, rows, section
from tests.live import Live

PAGE = DOCS / "reference" / "python.md"
TEXT = PAGE.read_text(encoding="utf-8")
PUBLIC = [name for name in signoff.__all__ if name != "__version__"]
RECORDS = [
    one for name in PUBLIC if isinstance(one := getattr(signoff, name), type) and issubclass(one, Record)
]
GROUPS = {
    name: type(group)
    for name, group in vars(signoff.Client("http://127.0.0.1:9", "key")).items()
    if not name.startswith("_") and name not in ("settings", "retries", "session")
}


def public(kind: type) -> set[str]:
    """The public methods, properties and fields of a class."""
    ours = [part for part in kind.__mro__ if part.__module__.startswith("signoff")]
    names = {name for part in ours for name in vars(part)}
    return {name for name in names if not name.startswith("_")} - {"raw", "read"}


def shown(name: str, text: str = TEXT) -> list[str]:
    """The arguments that the page shows for a method, from all places that show it."""
    return re.findall(rf"`{name}\(([^`]*)\)`", text)


def test_every_public_name_is_on_the_page() -> None:
    words = {word for text in coded(TEXT) for word in re.findall(r"\w+", text)}
    assert [name for name in PUBLIC if name not in words] == []
    clients = [signoff.Client, signoff.Agent, *GROUPS.values()]
    assert sorted(GROUPS) == sorted({name for name in GROUPS if f"### `client.{name}`" in TEXT})
    missing = {(kind.__name__, name) for kind in clients for name in public(kind) if name not in words}
    assert missing == set()


def test_both_clients_have_the_same_methods_and_arguments() -> None:
    for name in public(signoff.Client):
        other = getattr(signoff.AsyncClient, name)
        assert [*inspect.signature(getattr(signoff.Client, name)).parameters] == [
            *inspect.signature(other).parameters
        ]
    assert public(signoff.Client) == public(signoff.AsyncClient)


@pytest.mark.parametrize("kind", [signoff.Client, *GROUPS.values()], ids=lambda kind: kind.__name__)
def test_methods_are_shown_with_their_arguments(kind: type) -> None:
    heading = next((f"`client.{name}`" for name, group in GROUPS.items() if group is kind), "")
    title = next(
        (line.lstrip("# ") for line in TEXT.splitlines() if heading and heading in line),
        "Methods of the client",
    )
    text = section(PAGE, title)
    for name in public(kind):
        signature = inspect.signature(getattr(kind, name))
        wanted = []
        for argument in [one for one in signature.parameters.values() if one.name != "self"]:
            if argument.kind is argument.KEYWORD_ONLY and "*" not in wanted:
                wanted.append("*")
            wanted.append(f"**{argument.name}" if argument.kind is argument.VAR_KEYWORD else argument.name)
        assert ", ".join(wanted) in shown(name, text), name


def test_every_argument_of_the_client_has_a_row() -> None:
    found = {row[0].strip("`") for row in rows(section(PAGE, "Connect"))}
    assert found == {*inspect.signature(signoff.Client).parameters}


def test_every_error_and_every_attribute_of_a_record_has_a_row() -> None:
    errors = {
        name
        for name in PUBLIC
        if isinstance(one := getattr(signoff, name), type) and issubclass(one, Exception)
    }
    assert {row[0].strip("`") for row in rows(section(PAGE, "Errors"))} == errors
    table = {row[0].strip("`"): coded(row[1]) for row in rows(section(PAGE, "Records"))}
    assert set(table) == {record.__name__ for record in RECORDS}
    own = dict(table)
    for record in RECORDS:
        fields = [*record.__struct_fields__]
        if record is signoff.Result:
            fields = ["Intent"]
        assert own[record.__name__] == fields
        more = public(record) - set(fields)
        assert more - set(coded(TEXT)) - {re.sub(r"\(.*", "", word) for word in coded(TEXT)} == set()


def test_examples_run_in_order(tmp_path: Path) -> None:
    live = Live(tmp_path / ".signoff").start()
    try:
        (tmp_path / "page.py").write_text("\n".join(blocks(PAGE, "python")))
        done = subprocess.run(
            [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=180
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "COMPLETED approved" in done.stdout
        assert "FAILED rejected" in done.stdout
        assert "no: without a comment" in done.stdout
    finally:
        live.stop()
