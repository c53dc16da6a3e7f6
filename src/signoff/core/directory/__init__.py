"""The people, teams and programs of a workspace.

``model``: persons, teams, accounts, keys, rules, sign-ins, changes. ``actors``: who acts. ``roles``: owner, admin,
approver, member, auditor. ``authorization``: who may do what outside of intents. ``rotation``: on call, absences,
delegates. ``approver_names``: ``role:admin``, ``team:dba``, an address. ``mailboxes``: which addresses are the same
mailbox. ``agent_address``: ``agent://org/workspace/name``. ``personal_channels``: the channels that addresses and
preferences may name. ``workers``: whether a worker asks for the work of an agent. ``killed``:
what a killed agent is refused with. ``senders``: who may send to an agent. ``agent_limits``: how much work it is given.
"""
