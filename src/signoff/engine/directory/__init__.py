"""The directory of a workspace as one snapshot in memory, and the log of its changes.

``snapshot``: people, agents, services, workflows. ``eligible_people``: the people that ``role:`` and ``team:``
entries mean. ``contact_schedule``: who will be contacted when. ``listed``: pages of a list. ``change_log``: who changed
what. ``workers``: which workers ask for work. ``agent_usage``: what agents are given and report.
"""
