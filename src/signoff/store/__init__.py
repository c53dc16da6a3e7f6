"""Durable storage: one interface, implemented for SQLite and PostgreSQL.

``opening`` opens the store for a database URL; ``store`` is the interface, and ``work`` defines its values. ``rows``
and ``sql`` are shared by both databases, ``tables`` has a module per table, ``sqlite`` and ``postgres`` contain what
is specific to each, and ``migrations`` the schema.
"""
