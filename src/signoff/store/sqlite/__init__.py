"""The store on SQLite: one thread writes, a few read; ``restore`` goes back to a copy."""
