"""What the statements of the store may not use, so that they stay fit for a distributed PostgreSQL (Citus, YugabyteDB,
CockroachDB): nothing that one node would have to decide for all, and nothing of a session. docs/how-to/scale.md
describes what that makes possible.
"""

import re
from pathlib import Path

import pytest

from signoff.store import sql
from signoff.store.sql import EVENTS, INTENTS, OUTBOX, REVISIONS, SUBMISSIONS

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


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_statements_use_only_what_every_postgresql_has(pattern: str) -> None:
    allowed = FORBIDDEN[pattern]
    found = [
        f"{path.name}: {match[0]}"
        for path in SOURCES
        for match in re.finditer(pattern, path.read_text("utf-8"), re.I)
        if path.name not in allowed
    ]
    assert found == []


def test_every_hot_table_has_a_shard() -> None:
    for table in (INTENTS, SUBMISSIONS, REVISIONS, EVENTS, OUTBOX):
        assert table.columns["shard"] == "smallint"
        assert f"{table.name} | shard | smallint |  | NO" in SCHEMA
    assert "messages | shard | smallint |  | NO" in SCHEMA


def test_no_foreign_key_leads_to_a_hot_table_or_from_one() -> None:
    hot = ("intents", "submissions", "revisions", "events", "outbox", "messages", "replies", "cursors")
    keys = re.findall(r"^(\w+) \| \w+ \| FOREIGN KEY .* REFERENCES (\w+)", SCHEMA, re.M)
    assert keys
    assert not [key for key in keys if set(key) & set(hot)]
