"""Changes to the directory: each is compared with the current state, logged, and held for a second admin if required.

``apply_manifest``: ``signoff apply``, with ``manifest_people`` (also teams), ``manifest_policies``, ``removals`` and
``manifest_diff``. ``manifest_export``: its opposite.
``accounts``: agents, services, keys. ``workspaces``: create and rename them. ``proposals`` and ``relaxations``: changes
that need a second admin. ``workspace_warnings``: what a change does to the workspace's rules. ``bulk_reassignment``:
reassigning all open tasks of a person. ``erasure``: the data of a person who was removed. ``operator``: what the
operator may do. ``kill_switch``: stops an agent and lets it go on.
"""
