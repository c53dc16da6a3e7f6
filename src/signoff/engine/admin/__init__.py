"""Changes of the directory, each compared, recorded, and held for a second admin where it must be.

``apply_manifest`` and ``manifest_diff``: ``signoff apply``. ``accounts``: agents, services, keys. ``proposals`` and
``relaxations``: what takes a second admin. ``bulk_reassignment``: reassigning all open tasks of a person.
``operator``: what the holder of the database may do.
"""
