"""The people, teams and programs of a workspace.

``model``: persons, teams, accounts, keys, rules, sign-ins, changes. ``actors``: who acts. ``roles``: owner, admin,
approver, member, auditor. ``rotation``: on call, absences, delegates. ``approver_names``: ``role:admin``, ``team:dba``,
an address. ``agent_address``: ``agent://org/workspace/name``. ``personal_channels``: the channels that addresses and
preferences may name. ``workers``: whether a worker asks for the work of an agent.
"""
