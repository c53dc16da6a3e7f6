"""SQL that the store must not use, so that its statements run on a distributed PostgreSQL (Citus, YugabyteDB,
CockroachDB): nothing that needs one node to decide for all, and no session state. See docs/how-to/scale.md.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from pkgutil import walk_packages

import pytest

from signoff.store import sql

STORE = Path(sql.__file__).parent
SCHEMA = Path(__file__).with_name("schema.postgres.txt").read_text("utf-8")
SOURCES = [
    path for path in STORE.rglob("*") if path.suffix in (".py", ".sql") and "sqlite" not in path.as_posix()
]
# They convert what earlier releases have stored.
OLD_MIGRATIONS = ("0011_correlation.postgres.sql", "0018_replies.postgres.sql")
# What is not portable, and the files that may use it, each with what stands in for it there.
FORBIDDEN = {
    r"\bnextval\b|\b(big|small)?serial\b|create sequence|generated (always|by default)": (),  # ids are UUIDs
    r"advisory": (),  # the row lock decides
    r"\bpg_notify\b|\badd_listener\b": ("listen.py",),  # SIGNOFF_LISTEN=off polls
    r"\block table\b": ("store.py",),  # only while the schema is migrated
    r"\bcreate temp|\bon commit (drop|delete)|\bdeclare \w+ cursor\b": (),
    r"\b(ctid|xmin|xmax|tableoid)\b": (),
    r"\bcreate (or replace )?(trigger|function|rule)\b|\bexecute function\b": OLD_MIGRATIONS,
    r"\bmerge into\b|\btablesample\b|\bfor (no key update|key share)\b": (),
    r"isolation level|\bprepare transaction\b": (),
}

# The tables of intents: what a distributed database places by their shard.
HOT = re.findall(r"^(\w+) \| shard \| smallint \|  \| NO$", SCHEMA, re.M)
# They belong to a workspace, a caller or a person: their keys cannot contain the shard of the intent that a row names.
OTHERS = {"links", "replies"}
# Statements that find one intent and do not name its shard, with the reason.
EVERYWHERE = {sql.ROW: "the integrity check does not trust the shard"}
_TABLE = re.compile(
    rf"\b(?:from|join|update|into|using) ({'|'.join(HOT)})\b"
    r"(?: (?:as )?(?!where|set|join|left|on|order|group|limit|union|using|values|select|except|for)(\w+))?"
)


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_statements_use_only_portable_postgresql(pattern: str) -> None:
    allowed = FORBIDDEN[pattern]
    found = [
        f"{path.name}: {match[0]}"
        for path in SOURCES
        for match in re.finditer(pattern, path.read_text("utf-8"), re.I)
        if path.name not in allowed
    ]
    assert found == []


def test_no_foreign_key_references_or_leaves_a_hot_table() -> None:
    hot = (*HOT, "replies", "cursors")
    keys = re.findall(r"^(\w+) \| \w+ \| FOREIGN KEY .* REFERENCES (\w+)", SCHEMA, re.M)
    assert keys
    assert not [key for key in keys if set(key) & set(hot)]


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from chain.from_iterable(texts(one) for one in value.values())
    elif isinstance(value, tuple | list | frozenset):
        yield from chain.from_iterable(texts(one) for one in value)


def statements() -> set[str]:
    """Every statement in the store's constants."""
    modules = [import_module(found.name) for found in walk_packages([str(STORE)], "signoff.store.")]
    return {
        text
        for module in modules
        for text in texts(list(vars(module).values()))
        if re.match(r"\s*(select|insert|update|delete|with)\b", text)
    }


def without_shard(statement: str) -> list[str]:
    """The intent tables in which the statement finds rows by id without the shard, and the keys that it names without
    the shard.
    """
    text = " ".join(statement.split())
    found = []
    for table, alias in _TABLE.findall(text):
        name = rf"\b{alias or table}\."
        bare = r"(?<![\w.])" if not alias else name
        for prefix in {name, bare}:
            by_id = rf"{prefix}(?:intent_)?id (?:=|in) |= {prefix}(?:intent_)?id\b"
            if re.search(by_id, text) and not re.search(rf"{prefix}shard (?:=|in) |= {prefix}shard\b", text):
                found.append(table)
    for table, key in re.findall(rf"\binsert into ({'|'.join(HOT)})\b.* on conflict \(([^)]*)\)", text):
        if "shard" not in key:
            found.append(table)
    return found


def test_tables_of_intents_have_the_shard_in_every_unique_key() -> None:
    assert {"intents", "events", "outbox", "worklist"} <= set(HOT)
    of_intents = set(re.findall(r"^(\w+) \| intent_id \|", SCHEMA, re.M)) | {"intents"}
    assert of_intents - set(HOT) == OTHERS
    keys = re.findall(r"^CREATE UNIQUE INDEX (\w+) ON public\.(\w+) USING btree \(([^)]*)\)", SCHEMA, re.M)
    assert {table for _, table, _ in keys} >= set(HOT)
    assert [name for name, table, key in keys if table in HOT and "shard" not in key.split(", ")] == []


def test_statements_find_rows_of_an_intent_by_its_shard() -> None:
    every = statements()
    assert len(every) > 100
    assert {sql.LOCK, sql.HISTORY, *sql.FORGET} <= every
    assert [text for text in every if text not in EVERYWHERE and without_shard(text)] == []


@pytest.mark.parametrize(
    "statement",
    [
        sql.ROW,
        "select 1 from events where intent_id = :id",
        "update outbox set dead = 1 where id in :ids and dead = 0",
        "select 1 from intents i join submissions s on s.intent_id = i.id where i.id = :id and i.shard = :shard",
        "insert into views (intent_id) values (:id) on conflict (intent_id) do nothing",
    ],
)
def test_statement_without_the_shard_is_detected(statement: str) -> None:
    assert without_shard(statement)


def test_scaling_page_names_the_tables_of_intents() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/scale.md").read_text("utf-8")
    named = re.search(r"The tables of intents \(([^)]*)\)", page)
    assert named is not None
    assert sorted(re.findall(r"`(\w+)`", named[1])) == sorted(HOT)
