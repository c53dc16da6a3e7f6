"""The store on PostgreSQL: pooled connections, set-wise statements, LISTEN/NOTIFY between servers."""
