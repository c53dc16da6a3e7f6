"""People, teams, policies, agents, keys, changes and proposals."""
