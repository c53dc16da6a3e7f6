"""The store on SQLite: one connection writes (``writer``), a few read; ``threads`` own them. ``turns`` decides which
worker process writes next. ``store`` is the implementation; ``restore`` restores a backup.
"""
