"""The lifecycle of one request: commands in, facts out.

``advance`` is the entry point: ``authorization`` -> ``decide`` -> ``evolve`` -> ``wake`` -> ``notifications``, one
``Change``. ``model``, ``commands`` and ``events`` are its values; ``transition`` collects the facts of one command.
People: ``task_commands``, ``snooze_commands``, ``answer_target``, ``contradictions``, ``quorum``, ``eligibility``,
``answering_rights``, ``assurance``. Time: ``timers``, ``wake``, ``upcoming``, ``snoozes``. Routes and endings:
``routing``, ``conclusion``, ``rerun``. Integrity: ``hash_chain``, ``decision_digest``.
"""
