"""Transactions, the clock and the loops. Uses the rules (core) and the outside (store, notify).

Packages, from the bottom up: ``directory`` (the cached directory), ``planning`` (request to plan), ``identity`` (keys,
sessions, limits), ``commit`` (the one way to change an intent), ``admin`` (changes of the directory), ``delivery``
(everything that is sent), ``read`` (everything that is shown).
"""
