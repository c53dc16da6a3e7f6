"""Who and what a workspace knows, as one snapshot in memory, and the record of every change to it.

``snapshot``: people, agents, services, workflows. ``eligible_people``: the persons behind ``role:`` and ``team:``.
``contact_schedule``: who will be contacted when. ``change_log``: who changed what. ``workers``: who asks for work.
"""
