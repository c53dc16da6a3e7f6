"""Prepares requests and commands for the rules.

``planner``: the plan of a request. ``workspace_rules``: what a workspace lets a request decide for itself.
``resolve_command``: completes a command from the directory, under the lock. ``form_answers``: checks the answers to
forms.
"""
