"""The store on SQLite: one connection writes, a few read; ``restore`` restores a backup."""
