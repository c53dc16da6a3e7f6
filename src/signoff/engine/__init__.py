"""Making it happen: transactions, the clock, the loops. Knows the rules (core) and the outside (store, notify)."""
