"""Who is asking, and how much they may ask.

``keys``: API keys. ``sessions``: sign-in on the pages. ``admission`` and ``rate_limit``: limits per key and per
address. ``key_restrictions``: what a key alone may not change.
"""
