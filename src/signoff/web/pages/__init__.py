"""The pages on which people decide: rendered on the server, usable without scripts, safe against text of agents.

``routes`` lists them; ``kit`` is shared by all, ``task`` is the decision card, ``lists`` the inbox and the requests,
``admin`` people, teams, policies and changes, ``signin`` the sign-in.
"""
