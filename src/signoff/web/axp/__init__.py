"""What AXP's clients ask that is not part of our own API. ``docs/axp.md`` lists it endpoint by endpoint."""
