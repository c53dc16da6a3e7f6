"""The one way to change an intent.

``engine`` is the entry point. ``committer`` groups queued jobs into one transaction, ``batch`` runs them through the
rules, ``jobs`` defines them, ``queued`` says what a job is. ``held_rows`` keeps jobs apart whose row another server
holds. ``timekeeper`` runs the timers, ``understaffed_checks`` checks open tasks after directory changes, ``retention``
deletes old data, ``recent`` caches the last commits, ``repeated_answers`` recognizes a retry of an answer,
``decision_log`` logs each decision.
"""
