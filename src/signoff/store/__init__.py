"""Where everything durable is: one contract, kept by SQLite and by PostgreSQL.

``opening`` makes the store a database URL names; ``store`` is the contract, ``work`` its values, ``rows`` and ``sql``
what both databases share, ``tables`` one module a table, ``sqlite`` and ``postgres`` what each does in its own way,
``migrations`` the schema.
"""
