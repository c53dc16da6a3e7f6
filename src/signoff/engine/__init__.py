"""Transactions, the clock and the background loops. Applies the rules (core), and uses the outside world (store,
notify).

Packages, from the bottom up: ``directory`` (the cached directory), ``planning`` (request to plan), ``identity`` (keys,
sessions, limits), ``commit`` (the one way to change an intent), ``admin`` (changes to the directory), ``delivery``
(everything that is sent), ``read`` (everything that is shown).

Below them: ``clock``, ``loop``, ``feed`` (wakes waiters after a commit), ``metrics``, ``tracing``, ``off_loop`` (long
work off the event loop). Above them: ``card_openings`` (who opened which task), ``bulk_answers``, ``rerun``,
``siblings`` (messages between worker processes).
"""
