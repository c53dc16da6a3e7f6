"""Compiles documents to plans and policies; every refusal names the dotted path of what is wrong.

``workflow`` and ``manifest`` are our own formats and refuse unknown keys. ``axp_intent``, ``axp_scenario``,
``axp_roles`` and ``axp_deciders`` are for AXP's formats and warn instead.
"""
