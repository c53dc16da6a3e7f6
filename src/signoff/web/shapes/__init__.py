"""Converts core values to the structs of ``signoff.wire``, which the API returns."""
