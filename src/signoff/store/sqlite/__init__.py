"""The store on SQLite: one thread writes, a few read; ``restore`` restores a backup."""
