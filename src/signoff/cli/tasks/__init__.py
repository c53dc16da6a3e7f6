"""``signoff tasks``: list and answer (``answer``), answer many (``bulk``), act without answering (``act``), revise
(``revise``).

Shared: ``filters`` (options), ``subject`` and ``differences`` (what a task is about), ``assurance`` (what a key cannot
decide), ``receipts`` (the server's answer as lines).
"""
