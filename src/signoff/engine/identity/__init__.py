"""Authentication and rate limits.

``keys``: API keys. ``sessions``: sign-in on the pages. ``device_logins``: sign-in of a terminal. ``admission`` and
``rate_limit``: limits per key and per address. ``key_restrictions``: changes that need more than a key.
"""
