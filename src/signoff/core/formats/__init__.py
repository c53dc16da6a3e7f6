"""Compiles documents to plans and policies; every refusal names the dotted path of what is wrong.

``workflow`` and ``manifest`` are our own formats and refuse unknown keys. ``axp_intent``, ``axp_scenario`` and
``axp_roles`` are AXP's formats and warn instead.
"""
