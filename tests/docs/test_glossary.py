"""docs/glossary.md has one word for each concept; pages and names in the code do not use its rejected words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import generate
from tests.docs.blocks import DOCS, rows

ROOT = DOCS.parent
PAGE = DOCS / "glossary.md"
TABLE = rows(PAGE.read_text(encoding="utf-8"))
# Pages that people write, all of them. The changelog names what is no longer called so.
FOLLOWING = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY", "AGENTS")),
    *sorted((ROOT / "examples").rglob("*.md")),
    ROOT / "bench" / "README.md",
    *sorted(set(DOCS.rglob("*.md")) - set(generate.pages()) - {PAGE}),
]
# Words of the third column, and of its section on style, that have no ordinary sense in these pages.
UNUSED = (
    "whoever", "not any more", "any more", "rung", "ladder", "hears? of", "(?:is|are) told", "remark", "charter",
    "stand-in", "put off", "settled", "standing", "stands", "party", "parties", "(?<!there )is no(?! longer)", "said",
    "up for taking", "for good", "in force", "in vain", "initiator", "looser", "loosens?", "lax",
    "ungoverned", "foretold", "in whose stead", "beneath", "gives? up",
)  # fmt: skip


def terms() -> list[str]:
    return [term for row in TABLE for term in re.findall(r"\*\*([^*]+)\*\*", row[0])]


def test_every_row_has_a_term_and_a_one_line_definition() -> None:
    assert len(TABLE) > 100
    for row in TABLE:
        assert len(row) == 3, row
        assert row[0].startswith(("**", "`")), row
        assert row[1], row


def test_terms_are_unique_and_none_is_an_avoided_word() -> None:
    found = [term for term in terms() if term != "agent"]  # a kind of actor, and what it is
    assert sorted(found) == sorted(set(found))
    unused = {word.strip() for row in TABLE for word in row[2].split(",") if "(" not in row[2]}
    assert unused & set(terms()) <= {"card", "stage", "worker", "verdict", "approval"}


@pytest.mark.parametrize("page", FOLLOWING, ids=lambda page: str(page.relative_to(ROOT)))
def test_documentation_uses_no_avoided_word(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [word for word in UNUSED if re.search(rf"(?<![\w-]){word}(?![\w-])", text, re.IGNORECASE)]
    assert found == []


# Words of the third column that name nothing: a field or a function that is called so needs its author to explain it.
UNNAMED = (
    "asker", "told", "heard", "hearing", "in_vain", "put_off", "foretold", "remarks?", "wanted", "silence", "stead",
    "uphold", "parties", "woken", "lapsed", "wish", "ladder", "rung", "whoever", "standing_for",
)  # fmt: skip


def test_no_field_or_function_is_named_by_an_avoided_word() -> None:
    pattern = re.compile(rf"(?:^|_)(?:{'|'.join(UNNAMED)})(?:_|$)")
    found = []
    for path in sorted(path for folder in ("src/signoff", "tests") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.name] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
            if isinstance(node, ast.ClassDef):
                fields = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
                names = [field.id for field in fields if isinstance(field, ast.Name)]
            # the name of a test is a sentence, in which a person may be told something
            found += [
                f"{path.name}:{node.lineno} {name}"
                for name in names
                if pattern.search(name) and not name.startswith("test_")
            ]
    assert found == []


# Words of the third column that are no names: a reader would have to ask what they mean here.
NO_NAMES = (
    "asker", "told", "heard", "said", "spoken", "remarks?", "party", "stand_ins?", "rosters?", "staffed", "shortage",
    "standing", "taker", "giver", "handed_over", "has_say", "lent", "charter", "loosening", "tightening", "door",
    "news", "initiator", "silence", "stead", "parties", "woken", "lapsed", "wish", "ladder", "rung", "whoever",
)  # fmt: skip
# Names that are stored or sent, which stay.
STORED = {
    ("wire/common.py", "said"),
    ("core/plan/plan.py", "SILENCE"),
    ("core/directory/model.py", "staffed_change"),
}


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a module defines: functions, classes, parameters, variables and fields."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def test_no_module_or_name_is_an_avoided_word() -> None:
    pattern = re.compile(rf"(?:^|_)(?:{'|'.join(NO_NAMES)})(?:_|$)")
    found = []
    for path in sorted((ROOT / "src" / "signoff").rglob("*.py")):
        names = [(0, path.stem), *names_in(ast.parse(path.read_text("utf-8")))]
        inside = path.relative_to(ROOT / "src" / "signoff").as_posix()
        found += [
            f"{inside}:{line} {name}"
            for line, name in names
            if pattern.search(snake(name)) and (inside, name) not in STORED
        ]
    assert found == []
