"""From a request or a command to what the rules need.

``planner``: the plan of a request. ``workspace_rules``: what a workspace lets a request decide itself.
``resolve_command``: a command completed from the directory, under the lock. ``form_answers``: forms checked.
"""
