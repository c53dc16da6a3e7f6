"""Adapts the shared SQL text to each database: parameters, lists, row locks, bulk inserts."""

import re
from functools import lru_cache

from signoff.store.sql import Table

_LOCK = re.compile(r"\s*\bfor update( of \w+)?( skip locked)?")
_LIST = re.compile(r"\bin :([a-z_]+)")
_INDEX = re.compile(r"/\* (indexed by \w+) \*/")
_NAME = re.compile(r"(?<!:):([a-z_]+)")


@lru_cache(maxsize=512)
def for_sqlite(sql: str) -> str:
    """The statement for SQLite: without row locks, because there is one writer, and with lists as JSON arrays.
    ``/* indexed by NAME */`` forces an index: without statistics, SQLite picks the last created of the indexes
    that seem equally good.
    """
    sql = _INDEX.sub(r"\1", _LOCK.sub("", sql))
    return _LIST.sub(r"in (select value from json_each(:\1))", sql)


@lru_cache(maxsize=512)
def for_postgres(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return the statement with ``$n``, and the names of its parameters in that order."""
    sql = _LIST.sub(r"= any(:\1)", sql)
    names = tuple(dict.fromkeys(_NAME.findall(sql)))
    return _NAME.sub(lambda match: f"${names.index(match[1]) + 1}", sql), names


def insert_row(table: Table, conflict: str = "") -> str:
    """SQLite: one row of values, for executemany."""
    marks = ", ".join("?" * len(table.columns))
    return f"insert into {table.name} ({', '.join(table.columns)}) values ({marks}) {conflict}"


def insert_rows(table: Table, prefix: str, conflict: str = "") -> str:
    """PostgreSQL: all rows at once."""
    columns = ", ".join(table.columns)
    return f"insert into {table.name} ({columns}) select * from {unnest(table, prefix)} {conflict}"


def unnest(table: Table, prefix: str) -> str:
    """PostgreSQL: rows given as one array per column, named ``<prefix>_<column>``."""
    return "unnest(" + ", ".join(f":{prefix}_{c}::{kind}[]" for c, kind in table.columns.items()) + ")"
