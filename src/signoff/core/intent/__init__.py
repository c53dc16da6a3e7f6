"""The lifecycle of one request: commands in, facts out.

``advance`` is the entry point: ``authorization`` -> ``decide`` -> ``evolve`` -> ``wake`` -> ``notifications``, one
``Change``. ``states`` is the table that they look up. ``model``, ``commands`` and ``events`` are its values;
``transition`` collects the facts of one command.

Rules of a person's answer: ``task_commands``, ``snooze_commands``, ``answer_target``, ``contradictions``,
``edited_answers``, ``bulk_answers``. Who may decide: ``answering_rights``, ``eligibility``, ``checks``, ``quorum``,
``understaffed``. Time: ``timers``, ``upcoming``, ``snoozes``. Routes and endings: ``routing``, ``continuation``,
``rerun``. Integrity and limits: ``hash_chain``, ``decision_digest``, ``deleted_payload``, ``history_limit``. For
readers: ``receipts``, ``result``, ``worklist``, ``task_filter``.
"""
