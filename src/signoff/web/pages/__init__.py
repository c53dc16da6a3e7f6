"""The pages on which people decide: rendered here, complete without scripts, safe against what agents write.

``routes`` lists them; ``kit`` is shared by all, ``task`` is the decision card, ``lists`` the inbox and the requests,
``admin`` people, teams, policies and changes, ``signin`` the way in.
"""
