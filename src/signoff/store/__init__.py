"""Where everything durable is: one contract, kept by SQLite and by PostgreSQL."""
