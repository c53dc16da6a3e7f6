"""Documents to plans and policies; every refusal names the dotted path of what is wrong.

``workflow`` and ``manifest`` are ours and refuse unknown keys. ``axp_intent``, ``axp_scenario`` and ``axp_roles`` are
AXP's and warn instead.
"""
