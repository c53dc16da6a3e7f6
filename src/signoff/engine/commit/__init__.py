"""The one way to change an intent.

``engine`` is the way in. ``committer`` groups what is queued into one transaction, ``batch`` runs it through the
rules, ``jobs`` are what can be queued. ``timekeeper`` lets time act, ``understaffed`` looks after directory changes,
``retention`` deletes what is past its time, ``recent`` remembers what was committed last, ``repeated_answers``
recognises a retry of an answer.
"""
