"""Durable storage: one interface, implemented for SQLite and PostgreSQL.

``opening`` opens the store for a database URL; ``store`` is the interface, and ``transaction`` defines its values.
Shared by both databases: ``rows`` and ``sql``, ``dialect`` (what differs in SQL), ``database`` (plain reads and
writes), ``bulk_writes`` (the writes of a transaction). ``tables`` has a module per table, ``sqlite`` and ``postgres``
contain what is specific to each. ``migrations`` is the schema, ``migrate`` applies it, and ``refold`` rebuilds rows
after it.
"""
