"""The people and programs of a workspace, as the rules see them.

``roles``: owner, admin, approver, member, auditor. ``rotation``: who is on call, who is away and who stands in.
``approver_names``: ``role:admin``, ``team:dba``, an address. ``agent_address``: ``agent://org/workspace/name``.
``workers``: whether anybody asks for an agent's work.
"""
