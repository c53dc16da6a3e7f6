"""Documents from files and options: JSON or YAML, exactly one object, ambiguous input refused."""

from pathlib import Path

import pytest

from signoff.cli.arguments import find_id, form_data, short_id
from signoff.cli.documents import parse, read_document, read_inline
from signoff.cli.failures import CommandFailed, ExitCode

pytestmark = pytest.mark.windows


def test_json_and_yaml_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"on": "2026-01-01", "steps": [{"id": "x", "n": 1.5}], "yes": null}')
    (tmp_path / "a.yaml").write_text("on: 2026-01-01\nsteps:\n  - {id: x, n: 1.5}\nyes:\n")
    assert read_document(tmp_path / "a.yaml") == read_document(str(tmp_path / "a.json"))


@pytest.mark.parametrize(
    ("text", "yaml", "complaint"),
    [
        ("[1]", False, "does not contain an object"),
        ('{"a": 1, "a": 2}', False, "'a' is duplicated"),
        ('{"a": NaN}', False, "NaN"),
        ('{"a": }', False, "line 1, column 7"),
        ("", False, "not JSON"),
        ("a: 1\na: 2\n", True, "duplicate"),
        ("a: [", True, "not YAML"),
        ("a: .nan\n", True, "JSON does not support"),
        ("1: one\n'1': uno\n", True, "duplicated"),
        ("a: !!python/object/apply:os.system [id]\n", True, "not YAML"),
        ("- a\n", True, "does not contain an object"),
    ],
)
def test_document_that_is_not_one_unambiguous_object_is_refused(
    text: str, yaml: bool, complaint: str
) -> None:
    with pytest.raises(CommandFailed, match=complaint) as stopped:
        parse(text, "the file", yaml=yaml)
    assert stopped.value.code is ExitCode.USAGE


def test_inline_option_takes_json_or_a_file_name(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"a": 1}')
    assert read_inline('{"a": 1}', "--payload") == read_inline(f"@{tmp_path / 'p.json'}", "--payload")


NEW = "0198c0de-aaaa-7000-8000-a1b2c3d40000"
OLD = "0198c0de-bbbb-7000-8000-99b2c3d40000"
TASK = "0198c0de-aaaa-7000-8000-a1b2c3d40002"


def found(text: str, *ids: str) -> str:
    return find_id(text, "intent", lambda: [{known: known for known in ids}])


def test_full_id_is_used_without_a_lookup() -> None:
    assert find_id(NEW.upper(), "intent", lambda: pytest.fail("asked")) == NEW


@pytest.mark.parametrize("text", ["a1b2c3d40000", "a1b2c3d4", "A1B2C3D4", "0198c0de-aaaa", "0198c0deaaaa70"])
def test_unique_beginning_or_end_of_an_id_is_resolved(text: str) -> None:
    assert found(text, NEW, OLD) == NEW


def test_short_id_from_a_table_is_resolved() -> None:
    assert found(short_id(TASK), NEW, OLD, TASK) == TASK


def test_ambiguous_id_lists_its_candidates() -> None:
    with pytest.raises(CommandFailed, match=f"(?s){NEW}.*{OLD}") as stopped:
        found("0198c0de", NEW, OLD)
    assert stopped.value.code is ExitCode.USAGE


def test_unknown_id_is_not_found_and_malformed_id_is_a_usage_error() -> None:
    with pytest.raises(CommandFailed) as missing:
        found("ffff", NEW)
    assert missing.value.code is ExitCode.NOT_FOUND
    for text in ("x", "123", "zzzzzz", ""):
        with pytest.raises(CommandFailed) as wrong:
            found(text, NEW)
        assert wrong.value.code is ExitCode.USAGE


def test_form_fields_are_converted_to_the_types_of_the_form() -> None:
    schema = {
        "properties": {
            "n": {"type": "integer"},
            "yes": {"type": "boolean"},
            "tags": {"type": "array"},
            "s": {},
        }
    }
    given = form_data(["n=5", "yes=true", 'tags=["a"]', "s=007", "new=1=2"], schema)
    assert given == {"n": 5, "yes": True, "tags": ["a"], "s": "007", "new": "1=2"}
    for wrong in ("n", "=5", "n=five"):
        with pytest.raises(CommandFailed):
            form_data([wrong], schema)


@pytest.mark.parametrize(
    "text",
    [
        "db:\n  password: hunter2\n  password: hunter2\n", "password: hunter2\n bad: [\n", "password: 'hunter2\n",
        "password: !!int hunter2\n", "a: &hunter2 1\nb: *hunter3\n", "password: \"hunter2\\q\"\n", "? hunter2\n? [\n",
        "password: !hunter2 x\n", "password: !!timestamp hunter2\n", "password: !!binary hunter2\n", "%YAML hunter2\n",
        "password: hunter2\t\n\t- x\n",
    ],
)  # fmt: skip
def test_document_error_does_not_quote_the_document(text: str) -> None:
    said = ""
    try:
        parse(text, "file.yaml", yaml=True)
    except CommandFailed as stop:
        said = stop.what
    assert "hunter" not in said


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("text", "yaml", "complaint"),
    [
        ("[" * 100_000, False, "deeper than 32"),
        ('{"a":' * 40, False, "deeper than 32"),
        ("a: " + "[" * 40 + "]" * 40, True, "deeper than 32"),
        ("a: &a [*a]\n", True, "deeper than 32"),
        (
            "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 25)),
            True,
            "more than 200000 values",
        ),
        ("a: " + "x" * 1_100_000, True, "longer than"),
        ("a: " + "[" * 200_000, True, "deeper than 32"),
        (
            "a0: &a0 {x: 1}\n"
            + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)),
            True,
            "more than 200000 values",
        ),
        (
            "a0: &a0 {k0: 1}\n"
            + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: 1}}\n" for n in range(1, 4000)),
            True,
            "more than 200000 values",
        ),
        ("a: &a {<<: *a}\n", True, "into itself"),
        ("%YAML 1.1\n---\na: 1" + ":1" * 400_000, True, "more than 100 digits"),
        ("%YAML 1.1\n---\na: 1" + ":1" * 400_000 + ".5", True, "more than 100 digits"),
        ("a: !!omap [" + "".join(f"k{n}: 1, " for n in range(60_000)) + "]", True, "!!omap"),
    ],
    ids=[
        "deep",
        "open",
        "deep yaml",
        "ring",
        "aliases",
        "long",
        "flow",
        "merges",
        "chain",
        "itself",
        "sixties",
        "sixtieths",
        "omap",
    ],
)
def test_document_that_expands_without_bound_is_refused(text: str, yaml: bool, complaint: str) -> None:
    with pytest.raises(CommandFailed, match=complaint):
        parse(text, "the file", yaml=yaml)
