"""Changes of the directory: each is compared with the current state, logged, and held for a second admin if required.

``apply_manifest`` and ``manifest_diff``: ``signoff apply``. ``accounts``: agents, services, keys. ``proposals`` and
``relaxations``: changes that need a second admin. ``bulk_reassignment``: reassigning all open tasks of a person.
``operator``: what the operator may do.
"""
