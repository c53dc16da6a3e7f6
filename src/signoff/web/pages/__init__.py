"""The pages on which people decide: rendered on the server, usable without scripts, and safe against hostile text from
agents.

``routes`` lists them, and ``kit`` is shared by all. ``task``: the decision card; ``lists``: the inbox and the
requests; ``admin``: people, teams, policies and changes; ``signin``: signing in; ``device``: signing in
a terminal.
"""
