"""Durable storage: one contract, implemented for SQLite and PostgreSQL.

``opening`` opens the store for a database URL; ``store`` is the contract, ``work`` its values, ``rows`` and ``sql``
what both databases share, ``tables`` one module per table, ``sqlite`` and ``postgres`` what is specific to each,
``migrations`` the schema.
"""
