"""Endpoints for AXP's clients that are not part of our own API. ``docs/axp.md`` lists them."""
