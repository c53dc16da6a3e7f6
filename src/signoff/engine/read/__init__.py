"""The read model: everything that people and programs are shown, limited to what the caller may see.

``view``: one intent or task; ``lists``: pages of them. ``task_history``: what happened to a task; ``decision_card``
with ``task_context``, ``evidence``, ``next_steps``, ``approvers`` and ``answer_buttons``: a task for one reader;
``policy_text``: a policy as text; ``event_summary``, ``delivery_status``, ``revisions``: what happened, what was sent,
what changed. ``webhook_bodies``: what a webhook carries. ``search`` and ``task_filters``: find requests and tasks.
``totals``: counts for metrics. ``integrity``: verifies histories against their rows.
"""
